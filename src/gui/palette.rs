//! Every action by name and by its keys.

use super::{Actions, Scene};
use crate::session::{Action, Session, Step};
use egui::{Align2, Context, Key, KeyboardShortcut, Modal, Modifiers, Role, Ui, WidgetInfo};

/// Ctrl+K: every action by name.
#[derive(Default)]
pub struct Palette {
    search: String,
    chosen: usize,
}

impl Palette {
    pub fn show(&mut self, ui: &mut Ui, scene: &Scene, out: &mut Actions) {
        if !scene.session.palette_open {
            (self.search, self.chosen) = (String::new(), 0);
            return;
        }
        let words = self.search.to_lowercase();
        let found: Vec<Action> = Action::palette()
            .into_iter()
            .filter(|action| words.split_whitespace().all(|w| action.label().text.to_lowercase().contains(w)))
            .collect();
        let (down, up, enter) = ui.input(|i| {
            (i.key_pressed(Key::ArrowDown), i.key_pressed(Key::ArrowUp), i.key_pressed(Key::Enter))
        });
        self.chosen = (self.chosen + usize::from(down))
            .saturating_sub(usize::from(up))
            .min(found.len().saturating_sub(1));
        // Its upper edge stays where it is while the list gets shorter.
        let area = Modal::default_area(egui::Id::unique("palette")).anchor(Align2::CENTER_TOP, [0.0, 120.0]);
        let modal = Modal::new(egui::Id::unique("palette")).area(area).show(ui.ctx(), |ui| {
            ui.set_width(460.0);
            let field = egui::TextEdit::singleline(&mut self.search)
                .hint_text("Find a command")
                .desired_width(f32::INFINITY);
            let response = ui.add(field);
            response.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Find a command"));
            response.request_focus();
            egui::ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                for (number, action) in found.iter().enumerate() {
                    let label = action.label();
                    let why_not = scene.session.why_not(action);
                    let button = egui::Button::selectable(number == self.chosen, label.text)
                        .shortcut_text(label.shortcut.unwrap_or_default())
                        .min_size(egui::vec2(ui.available_width(), 28.0));
                    let response = ui.add_enabled(why_not.is_none(), button);
                    // Only what cannot be done explains itself: a tooltip hides the next entry.
                    let response = response.on_disabled_hover_text(why_not.unwrap_or_default());
                    if number == self.chosen && (up || down) {
                        response.scroll_to_me(None);
                    }
                    if response.clicked() || (enter && number == self.chosen) {
                        out.push(Action::ShowPalette(false));
                        out.push(action.clone());
                    }
                }
            });
        });
        if modal.should_close() {
            out.push(Action::ShowPalette(false));
        }
    }
}

/// Actions whose shortcut was pressed.
pub fn shortcuts(context: &Context, session: &Session) -> Vec<Action> {
    let command = Modifiers::COMMAND;
    let shifted = Modifiers::COMMAND | Modifiers::SHIFT;
    let paused = session.job.as_ref().is_some_and(|j| j.paused);
    let mut table = vec![
        (shifted, Key::Z, Action::Redo),
        (shifted, Key::O, Action::ChooseFile),
        (command, Key::Z, Action::Undo),
        (command, Key::Y, Action::Redo),
        (command, Key::O, Action::ChooseFolder),
        (command, Key::W, Action::CloseProject),
        (command, Key::K, Action::ShowPalette(!session.palette_open)),
        (command, Key::Enter, Action::Train),
        (command, Key::P, Action::Pause(!paused)),
        (command, Key::Period, Action::Stop),
        (command, Key::E, Action::Evaluate(crate::worker::EvaluateOn::Validation)),
        (command, Key::S, Action::Export),
        (command, Key::I, Action::ToggleInspector),
        (command, Key::L, Action::ToggleLog),
        (command, Key::Q, Action::Quit),
    ];
    let numbers = [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7];
    table.extend(numbers.into_iter().zip(Step::ALL).map(|(key, step)| (command, key, Action::Go(step))));
    if context.text_edit_focused() {
        // A text field takes back its own typing.
        table.retain(|(_, _, action)| !matches!(action, Action::Undo | Action::Redo));
    }
    context.input_mut(|input| {
        let pressed = |(modifiers, key, action): (Modifiers, Key, Action)| {
            input.consume_shortcut(&KeyboardShortcut::new(modifiers, key)).then_some(action)
        };
        table.into_iter().filter_map(pressed).collect()
    })
}
