//! Every action by name and by its keys.

use super::widgets::dim;
use super::{Actions, Scene};
use crate::session::{Action, Edit, Job, Session, View};
use egui::{Align2, Context, Key, KeyboardShortcut, Modal, Modifiers, Role, Ui, WidgetInfo};

/// Ctrl+K: every action by name.
#[derive(Default)]
pub struct Palette {
    search: String,
    chosen: usize,
}

impl Palette {
    /// Draws the palette while it is open, and emits the action that is chosen.
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
                if found.is_empty() {
                    // A list without height would leave no room for the handle of its bar.
                    dim(ui, "No command holds these words.");
                }
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
                        out.push(View::ShowPalette(false));
                        out.push(action.clone());
                    }
                }
            });
        });
        if modal.should_close() {
            out.push(View::ShowPalette(false));
        }
    }
}

/// Actions whose keys were pressed. The keys are those that the actions name, so that what menus show is what works.
pub fn shortcuts(context: &Context, session: &Session) -> Vec<Action> {
    let examples = || Action::examples().into_iter().map(|(action, _)| action);
    let mut bound: Vec<(KeyboardShortcut, Action)> = Vec::new();
    // Of several actions with the same keys the one that can be done; where none can, the first says why.
    let (possible, impossible): (Vec<_>, Vec<_>) =
        examples().partition(|action| session.why_not(action).is_none());
    for action in possible.into_iter().chain(impossible) {
        for keys in action.keys().iter().filter_map(|keys| parse(keys)) {
            if bound.iter().all(|(taken, _)| *taken != keys) {
                bound.push((keys, action.clone()));
            }
        }
    }
    // Those with more keys first: without Shift, Shift does not matter.
    bound.sort_by_key(|(keys, _)| !keys.modifiers.shift);
    if context.text_edit_focused() {
        // A text field takes back its own typing, and what is typed into it is no wish to train.
        let of_field = |action: &Action| {
            matches!(action, Action::Edit(Edit::Undo | Edit::Redo) | Action::Job(Job::Train))
        };
        bound.retain(|(_, action)| !of_field(action));
    }
    context.input_mut(|input| {
        bound
            .into_iter()
            .filter_map(|(keys, action)| input.consume_shortcut(&keys).then_some(action))
            .collect()
    })
}

/// `Ctrl+Shift+Z` as egui wants it; `None` for what it does not know.
fn parse(keys: &str) -> Option<KeyboardShortcut> {
    let (before, key) = keys.rsplit_once('+')?;
    let modifiers = before.split('+').try_fold(Modifiers::NONE, |all, name| match name {
        "Ctrl" => Some(all | Modifiers::COMMAND),
        "Shift" => Some(all | Modifiers::SHIFT),
        _ => None,
    });
    Some(KeyboardShortcut::new(modifiers?, Key::from_name(key)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shortcut_is_known_to_the_toolkit() {
        let mut count = 0;
        for (action, _) in Action::examples() {
            for keys in action.keys() {
                assert!(parse(keys).is_some(), "{action:?}: {keys}");
                count += 1;
            }
        }
        assert!(count > 20, "{count}");
        let redo = KeyboardShortcut::new(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
        assert_eq!(parse("Ctrl+Shift+Z"), Some(redo));
        assert_eq!((parse("Ctrl+Nothing"), parse("Hyper+Z")), (None, None));
    }
}
