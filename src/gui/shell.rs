//! What surrounds every step: bars, rail, messages.

use super::theme::{self, Tokens, icon};
use super::widgets::{action_button, focus_ring, icon_button, question_frame, section, sign, text_in};
use super::{Actions, Scene};
use crate::project::device::DeviceName;
use crate::session::{
    Action, Edit, Job, Open, Phase, Session, Step, StepState, ThemeChoice, ToastKind, View,
};
use crate::units::duration;
use egui::{
    Align, Align2, CornerRadius, Frame, Layout, Margin, Modal, Panel, RichText, Role, Sense, Stroke, Ui,
    WidgetInfo,
};

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
                    out.push(View::ToggleInspector);
                }
                device_menu(ui, scene.session, out);
                for (sign, action) in [(icon::REDO, Edit::Redo), (icon::UNDO, Edit::Undo)] {
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
        let quit = Action::from(View::Quit);
        let open = [Open::ChooseFolder, Open::ChooseFile, Open::CloseProject].map(Action::from);
        for action in open.into_iter().chain([quit]) {
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

/// What computes; opened, what else could, and why not.
fn device_menu(ui: &mut Ui, session: &Session, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let words = session.device_words();
    let button = egui::Button::new(RichText::new(&words).color(tokens.dim))
        .fill(tokens.raised)
        .stroke(Stroke::new(1.0, tokens.line));
    // As large as a chip.
    let spacing = ui.spacing().clone();
    (ui.spacing_mut().button_padding, ui.spacing_mut().interact_size.y) = (egui::vec2(8.0, 4.0), 0.0);
    let (response, _) = egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
        for device in DeviceName::ALL {
            let action = Job::UseDevice(device);
            let (is_used, why_not) = (device == session.device, session.why_not(&action));
            let mut button = egui::Button::selectable(is_used, device.words());
            if let Some(why) = why_not.filter(|_| !is_used) {
                button = button.shortcut_text(why);
            }
            let response = ui.add_enabled(is_used || why_not.is_none(), button);
            if response.clicked() {
                if !is_used {
                    out.push(action);
                }
                ui.close();
            }
        }
    });
    *ui.spacing_mut() = spacing;
    response.on_hover_text(format!("Computes on {words}. Choose another device"));
}

fn theme_button(ui: &mut Ui, session: &Session, out: &mut Actions) {
    let (next, name) = match session.remembered.theme {
        ThemeChoice::System => (ThemeChoice::Light, "Theme: as the system. Change to light"),
        ThemeChoice::Light => (ThemeChoice::Dark, "Theme: light. Change to dark"),
        ThemeChoice::Dark => (ThemeChoice::System, "Theme: dark. Change to the system's"),
    };
    if icon_button(ui, icon::THEME, name, true).clicked() {
        out.push(View::SetTheme(next));
    }
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
    let label = View::ShowPalette(true).label();
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
        out.push(View::ShowPalette(true));
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
    let label = Open::Go(step).label();
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_here, &label.text));
    let shortcut = label.shortcut.unwrap_or_default();
    let response =
        response.on_hover_text(format!("{}: {words}. {} ({shortcut})", step.name(), label.tooltip));
    if response.clicked() {
        out.push(Open::Go(step));
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
    match &job.phase {
        Phase::Named(words) => parts.push(words.clone()),
        Phase::Starting | Phase::Training => {}
    }
    parts.extend(job.count.map(|(done, total)| format!("{done} of {total}")));
    parts.extend(job.rate.map(|rate| format!("{rate:.0} {}", job.rate_words)));
    let left = if job.can_pause && job.count.is_some() { "left in all" } else { "left" };
    parts.extend(job.seconds_left.map(|s| format!("{} {left}", duration(s))));
    if job.stopping {
        parts = vec![if job.can_pause { "stopping after this batch" } else { "stopping" }.to_string()];
    } else if job.paused {
        parts = vec![format!("{:.0} %", 100.0 * job.done), "paused".to_string()];
    }
    ui.label(RichText::new(parts.join("   ")).color(tokens.dim));
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        log_button(ui, out);
        if job.can_stop {
            let name = if job.can_pause { "Stop, keep best" } else { "Stop" };
            if icon_button(ui, icon::STOP, name, !job.stopping).clicked() {
                out.push(Job::Stop);
            }
        }
        if job.can_pause {
            let (sign, name) = if job.paused { (icon::PLAY, "Go on") } else { (icon::PAUSE, "Pause") };
            if icon_button(ui, sign, name, !job.stopping).clicked() {
                out.push(Job::Pause(!job.paused));
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
            action_button(ui, session, &Job::Train, "Train", true, out);
        } else if let Some(next) = session.next_step() {
            let text = format!("Next: {} →", next.name().to_lowercase());
            let button = egui::Button::new(RichText::new(text).color(tokens.dim)).frame(false);
            if ui.add(button).on_hover_text(Open::Go(next).label().tooltip).clicked() {
                out.push(Open::Go(next));
            }
        }
    });
}

fn log_button(ui: &mut Ui, out: &mut Actions) {
    if icon_button(ui, icon::LOG, "Show or hide the log", true).clicked() {
        out.push(View::ToggleLog);
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
                                out.push(View::DismissToast(toast.id));
                            }
                        });
                    });
                    ui.label(RichText::new(&toast.text).color(tokens.dim));
                    if let Some(offer) = &toast.offer
                        && action_button(ui, scene.session, &offer.action, &offer.text, false, out).clicked()
                    {
                        out.push(View::DismissToast(toast.id));
                    }
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
                out.push(View::StayOpen);
            }
            if ui.button("Stop and quit").clicked() {
                out.push(View::QuitAnyway);
            }
        });
    });
    if modal.should_close() {
        out.push(View::StayOpen);
    }
}
