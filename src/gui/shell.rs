//! What surrounds every step: bars, rail, messages, the palette.

use super::theme::{self, Tokens, icon};
use super::widgets::{focus_ring, icon_button, section, sign, text_in};
use super::{Actions, Scene};
use crate::session::{Action, Session, Step, StepState, ThemeChoice, ToastKind};
use egui::{
    Align, Align2, Context, CornerRadius, Frame, Key, KeyboardShortcut, Layout, Margin, Modal, Modifiers,
    Panel, RichText, Role, Sense, Stroke, Ui, WidgetInfo,
};
use std::path::PathBuf;

/// Project, undo, device, theme.
pub fn top_bar(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let frame = Frame::new().fill(tokens.panel).inner_margin(Margin::symmetric(16, 0));
    Panel::top("top").exact_size(theme::TOP_BAR).resizable(false).frame(frame).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            sign(ui, icon::SNOWFLAKE, 16.0, tokens.ice);
            ui.label(RichText::new("Frostline").font(theme::semibold(14.0)));
            ui.label(RichText::new("/").color(tokens.dim));
            project_menu(ui, scene, out);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                theme_button(ui, scene.session, out);
                if icon_button(ui, icon::SIDEBAR, "Show or hide the inspector", true).clicked() {
                    out.push(Action::ToggleInspector);
                }
                chip(ui, &scene.session.device);
                for (sign, action) in [(icon::REDO, Action::Redo), (icon::UNDO, Action::Undo)] {
                    let label = action.label();
                    if icon_button(ui, sign, &label.text, scene.session.why_not(&action).is_none()).clicked()
                    {
                        out.push(action);
                    }
                }
            });
        });
    });
}

fn project_menu(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let title = scene.session.project.as_ref().map_or("No project", |p| p.title.as_str());
    let button = egui::Button::new(title).frame(false);
    let (response, _) = egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
        for action in [Action::ChooseFolder, Action::ChooseFile, Action::CloseProject, Action::Quit] {
            let label = action.label();
            let enabled = scene.session.why_not(&action).is_none();
            let button = egui::Button::new(label.text).shortcut_text(label.shortcut.unwrap_or_default());
            if ui.add_enabled(enabled, button).on_hover_text(label.tooltip).clicked() {
                out.push(action);
                ui.close();
            }
        }
    });
    response.on_hover_text("Project: open another, close, quit");
}

fn theme_button(ui: &mut Ui, session: &Session, out: &mut Actions) {
    let (next, name) = match session.remembered.theme {
        ThemeChoice::System => (ThemeChoice::Light, "Theme: as the system. Change to light"),
        ThemeChoice::Light => (ThemeChoice::Dark, "Theme: light. Change to dark"),
        ThemeChoice::Dark => (ThemeChoice::System, "Theme: dark. Change to the system's"),
    };
    if icon_button(ui, icon::THEME, name, true).clicked() {
        out.push(Action::SetTheme(next));
    }
}

/// A short fact in a frame.
pub fn chip(ui: &mut Ui, text: &str) {
    let tokens = Tokens::of(ui.ctx());
    let galley = ui.painter().layout_no_wrap(text.to_string(), theme::body(), tokens.dim);
    let (rect, response) = ui.allocate_exact_size(galley.size() + egui::vec2(16.0, 8.0), Sense::hover());
    let corner = CornerRadius::same(theme::CONTROL_CORNER);
    ui.painter().rect(rect, corner, tokens.raised, Stroke::new(1.0, tokens.line), egui::StrokeKind::Inside);
    ui.painter().galley(rect.min + egui::vec2(8.0, 4.0), galley, tokens.dim);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
}

/// The seven steps with their state; at its foot the palette.
pub fn rail(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let frame = Frame::new().fill(tokens.panel).inner_margin(Margin::symmetric(8, 12));
    Panel::left("rail").exact_size(theme::RAIL).resizable(false).frame(frame).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for step in Step::ALL {
            rail_row(ui, scene.session, step, out);
        }
        ui.with_layout(Layout::bottom_up(Align::Min), |ui| {
            palette_row(ui, out);
        });
    });
}

/// Opens the palette; its word stands below the steps' icons.
fn palette_row(ui: &mut Ui, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let label = Action::ShowPalette(true).label();
    let size = egui::vec2(ui.available_width(), theme::CONTROL_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, CornerRadius::same(theme::CONTROL_CORNER), tokens.raised);
    }
    let inside = rect.shrink2(egui::vec2(10.0, 0.0));
    text_in(ui, inside, Align::Min, &label.text, theme::body(), tokens.dim);
    text_in(ui, inside, Align::Max, label.shortcut.unwrap_or_default(), theme::caption(), tokens.faint);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &label.text));
    if response.on_hover_text(label.tooltip).clicked() {
        out.push(Action::ShowPalette(true));
    }
}

fn rail_row(ui: &mut Ui, session: &Session, step: Step, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(egui::vec2(ui.available_width(), 34.0), Sense::click());
    let is_here = session.step == step && session.project.is_some();
    if is_here || response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, CornerRadius::same(theme::CONTROL_CORNER), tokens.raised);
    }
    focus_ring(ui, &response);
    let colour = if is_here { tokens.text } else { tokens.dim };
    let middle = |x: f32| egui::pos2(rect.left() + x, rect.center().y);
    ui.painter().text(middle(10.0), Align2::LEFT_CENTER, step_icon(step), theme::icons(16.0), colour);
    let font = if is_here { theme::section() } else { theme::body() };
    ui.painter().text(middle(36.0), Align2::LEFT_CENTER, step.name(), font, colour);
    let state = session.step_state(step);
    let (sign, sign_colour, words) = match state {
        StepState::Done => (icon::CHECK, tokens.ok, "done"),
        StepState::Warning => (icon::WARNING, tokens.warning, "needs attention"),
        StepState::Open => ("", tokens.dim, "open"),
    };
    let place = egui::pos2(rect.right() - 8.0, rect.center().y);
    ui.painter().text(place, Align2::RIGHT_CENTER, sign, theme::icons(14.0), sign_colour);
    let label = Action::Go(step).label();
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_here, &label.text));
    let shortcut = label.shortcut.unwrap_or_default();
    let response =
        response.on_hover_text(format!("{}: {words}. {} ({shortcut})", step.name(), label.tooltip));
    if response.clicked() {
        out.push(Action::Go(step));
    }
}

fn step_icon(step: Step) -> &'static str {
    match step {
        Step::Data => icon::IMAGES,
        Step::Backbone => icon::CUBE,
        Step::Layers => icon::STACK,
        Step::Train => icon::CHART,
        Step::Evaluate => icon::TARGET,
        Step::Try => icon::PLAY,
        Step::Export => icon::EXPORT,
    }
}

/// The job that runs, or what happened last and what comes next; above it the log, if open.
pub fn bottom_bar(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let frame = Frame::new().fill(tokens.panel).inner_margin(Margin::symmetric(16, 0));
    Panel::bottom("bottom").exact_size(theme::BOTTOM_BAR).resizable(false).frame(frame).show(ui, |ui| {
        ui.horizontal_centered(|ui| match &scene.session.job {
            Some(_) => job_row(ui, scene.session, out),
            None => idle_row(ui, scene.session, out),
        });
    });
    if scene.session.log_open {
        let frame = Frame::new().fill(tokens.panel).inner_margin(Margin::symmetric(16, 8));
        Panel::bottom("log").default_size(160.0).size_range(80.0..=400.0).frame(frame).show(ui, |ui| {
            section(ui, "Log");
            egui::ScrollArea::vertical().stick_to_bottom(true).auto_shrink(false).show(ui, |ui| {
                for line in scene.session.log.iter().rev().take(500).rev() {
                    ui.label(RichText::new(line).font(theme::mono()).color(tokens.dim));
                }
            });
        });
    }
}

fn job_row(ui: &mut Ui, session: &Session, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let Some(job) = &session.job else { return };
    ui.label(&job.name);
    ui.add(egui::ProgressBar::new(job.done as f32).desired_width(280.0).desired_height(6.0).fill(tokens.ice));
    let mut parts = vec![format!("{:.0} %", 100.0 * job.done)];
    if !job.what.is_empty() && !job.can_pause {
        parts.push(job.what.clone());
    }
    parts.extend(job.rate.map(|rate| format!("{rate:.0} samples/s")));
    parts.extend(job.seconds_left.map(|s| format!("{} left", super::panels::duration(s))));
    if job.stopping {
        parts = vec![if job.can_pause { "stopping after this batch" } else { "stopping" }.to_string()];
    } else if job.paused {
        parts.push("paused".to_string());
    }
    ui.label(RichText::new(parts.join("   ")).color(tokens.dim));
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        log_button(ui, out);
        if job.can_stop {
            let name = if job.can_pause { "Stop, keep best" } else { "Stop" };
            if icon_button(ui, icon::STOP, name, !job.stopping).clicked() {
                out.push(Action::Stop);
            }
        }
        if job.can_pause {
            let (sign, name) = if job.paused { (icon::PLAY, "Go on") } else { (icon::PAUSE, "Pause") };
            if icon_button(ui, sign, name, !job.stopping).clicked() {
                out.push(Action::Pause(!job.paused));
            }
        }
    });
}

fn idle_row(ui: &mut Ui, session: &Session, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    ui.label(RichText::new(&session.status).color(tokens.dim));
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        log_button(ui, out);
        if session.project.is_none() {
            ui.label(RichText::new(concat!("Frostline ", env!("CARGO_PKG_VERSION"))).color(tokens.dim));
        } else if session.step == Step::Layers {
            super::widgets::action_button(ui, session, &Action::Train, "Train", true, out);
        } else if let Some(next) = session.next_step() {
            let text = format!("Next: {} →", next.name().to_lowercase());
            let button = egui::Button::new(RichText::new(text).color(tokens.dim)).frame(false);
            if ui.add(button).on_hover_text(Action::Go(next).label().tooltip).clicked() {
                out.push(Action::Go(next));
            }
        }
    });
}

fn log_button(ui: &mut Ui, out: &mut Actions) {
    if icon_button(ui, icon::LOG, "Show or hide the log", true).clicked() {
        out.push(Action::ToggleLog);
    }
}

/// Messages in the lower right corner, newest below.
pub fn toasts(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let offset = egui::vec2(-theme::GAP, -theme::BOTTOM_BAR - theme::GAP);
    egui::Area::new(egui::Id::unique("toasts")).anchor(Align2::RIGHT_BOTTOM, offset).show(ui.ctx(), |ui| {
        for toast in &scene.session.toasts {
            let (icon, colour) = match toast.kind {
                ToastKind::Note => (icon::INFO, tokens.ice),
                ToastKind::Warning => (icon::WARNING, tokens.warning),
                ToastKind::Failure => (icon::FAILED, tokens.error),
            };
            Frame::new()
                .fill(tokens.raised)
                .stroke(Stroke::new(1.0, tokens.line))
                .corner_radius(CornerRadius::same(theme::CARD_CORNER))
                .inner_margin(Margin::same(12))
                .show(ui, |ui| {
                    ui.set_width(360.0);
                    ui.horizontal(|ui| {
                        sign(ui, icon, 16.0, colour);
                        section(ui, &toast.title);
                        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                            if icon_button(ui, icon::CLOSE, &format!("Dismiss: {}", toast.title), true)
                                .clicked()
                            {
                                out.push(Action::DismissToast(toast.id));
                            }
                        });
                    });
                    ui.label(RichText::new(&toast.text).color(tokens.dim));
                });
        }
    });
}

/// While files hover over the window: where they go when they are dropped.
pub fn drop_hint(ui: &mut Ui, scene: &Scene) {
    let session = scene.session;
    if session.project.is_none() || ui.input(|i| i.raw.hovered_files.is_empty()) {
        return;
    }
    let words = match session.step {
        Step::Try => "Drop to ask the model",
        Step::Evaluate => "Drop to score on this test set",
        _ => "Drop to open",
    };
    let tokens = Tokens::of(ui.ctx());
    let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop-hint"));
    let painter = ui.ctx().layer_painter(layer);
    let window = ui.ctx().content_rect();
    let edge = Stroke::new(2.0, tokens.ice);
    painter.rect_stroke(
        window.shrink(2.0),
        CornerRadius::same(theme::CARD_CORNER),
        edge,
        egui::StrokeKind::Inside,
    );
    let place = egui::Rect::from_center_size(window.center(), egui::vec2(280.0, 52.0));
    painter.rect(
        place,
        CornerRadius::same(theme::DROP_CORNER),
        tokens.ice_ground,
        edge,
        egui::StrokeKind::Inside,
    );
    painter.text(place.center(), Align2::CENTER_CENTER, words, theme::figure(), tokens.text);
}

/// Asked when the window is closed while a run is being trained.
pub fn quit_question(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    if !scene.session.asks_to_quit {
        return;
    }
    let tokens = Tokens::of(ui.ctx());
    let modal = Modal::new(egui::Id::unique("quit")).frame(question_frame(ui)).show(ui.ctx(), |ui| {
        ui.set_width(380.0);
        section(ui, "A run is being trained");
        ui.label(
            "If you quit now it stops after this batch. Its checkpoint is kept; you can go on with it later.",
        );
        ui.horizontal(|ui| {
            let stay = RichText::new("Stay").font(theme::section()).color(tokens.on_ice);
            if ui.add(egui::Button::new(stay).fill(tokens.ice)).clicked() {
                out.push(Action::StayOpen);
            }
            if ui.button("Stop and quit").clicked() {
                out.push(Action::QuitAnyway);
            }
        });
    });
    if modal.should_close() {
        out.push(Action::StayOpen);
    }
}

fn question_frame(ui: &Ui) -> Frame {
    Frame::popup(ui.style()).inner_margin(Margin::same(theme::GAP as i8))
}

/// What the path field says.
pub enum PathAnswer {
    Open,
    Cancelled,
    Chosen(PathBuf),
}

/// Stands in for the system's dialog where there is none: a path with completion.
pub fn path_field(ui: &mut Ui, text: &mut String) -> PathAnswer {
    let mut answer = PathAnswer::Open;
    let modal = Modal::new(egui::Id::unique("path")).frame(question_frame(ui)).show(ui.ctx(), |ui| {
        ui.set_width(520.0);
        section(ui, "Which folder or file?");
        super::widgets::dim(ui, "This system has no file dialog. Type the path, or drop it on the window.");
        let label = ui.label("Path");
        let field =
            ui.add(egui::TextEdit::singleline(text).desired_width(f32::INFINITY)).labelled_by(label.id);
        if ui.memory(|m| m.focused().is_none()) {
            field.request_focus();
        }
        for path in known_completions(ui, text) {
            let shown = path.display().to_string();
            if ui.add(egui::Button::new(&shown).frame(false)).clicked() {
                *text = if path.is_dir() { format!("{shown}/") } else { shown };
            }
        }
        ui.horizontal(|ui| {
            if ui.button("Cancel").clicked() {
                answer = PathAnswer::Cancelled;
            }
            let path = PathBuf::from(text.trim());
            let is_there = path.exists();
            let entered = ui.input(|i| i.key_pressed(Key::Enter));
            if (ui.add_enabled(is_there, egui::Button::new("Open")).clicked() || entered) && is_there {
                answer = PathAnswer::Chosen(path);
            }
        });
    });
    if modal.should_close() { PathAnswer::Cancelled } else { answer }
}

/// The completions of `text`, read from the disk when it changes only.
fn known_completions(ui: &Ui, text: &str) -> Vec<PathBuf> {
    let id = egui::Id::unique("completions");
    let known = ui.data(|d| d.get_temp::<(String, Vec<PathBuf>)>(id)).filter(|(of, _)| of == text);
    known.map(|(_, paths)| paths).unwrap_or_else(|| {
        let paths = completions(text);
        ui.data_mut(|d| d.insert_temp(id, (text.to_string(), paths.clone())));
        paths
    })
}

/// Up to eight paths that begin with what was typed.
fn completions(text: &str) -> Vec<PathBuf> {
    let typed = PathBuf::from(text);
    let (folder, start) = match text.ends_with('/') || text.is_empty() {
        true => (typed.clone(), String::new()),
        false => (
            typed.parent().map(PathBuf::from).unwrap_or_default(),
            typed.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default(),
        ),
    };
    let folder = if folder.as_os_str().is_empty() { PathBuf::from("/") } else { folder };
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .take(2000)
        .filter(|e| {
            let name = e.file_name().to_string_lossy().to_lowercase();
            name.starts_with(&start) && !name.starts_with('.')
        })
        .map(|e| e.path())
        .collect();
    found.sort();
    found.truncate(8);
    found
}

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
