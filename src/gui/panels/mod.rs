//! One file for each step. `centre` and `inspector` choose by the step that is shown.

mod backbone;
mod columns;
mod curves;
mod data;
mod evaluate;
mod export;
mod layer_inspector;
mod layer_row;
mod layers;
mod model_card;
mod model_inspector;
mod recipe_form;
mod roles;
mod start;
mod targets;
mod train;
mod tries;

use super::pictures::Picture;
use super::theme::{self, Tokens};
use super::{Actions, Scene};
use crate::session::reading::ReadingView;
use crate::session::runs::RunView;
use crate::session::{Session, Step, View};
pub use crate::units::{bytes, count, duration};
use egui::{CentralPanel, ComboBox, Frame, Margin, Panel, Role, Ui, WidgetInfo};

/// The step in the middle of the window; the start screen where no project is open.
pub fn centre(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let frame = Frame::new().fill(tokens.window).inner_margin(Margin::symmetric(theme::MARGIN as i8, 20));
    if let Some(view) = asked(scene.session) {
        CentralPanel::default().frame(frame).show(ui, |ui| columns::show(ui, scene, view, out));
        return;
    }
    CentralPanel::default().frame(frame).show(ui, |ui| match (&scene.session.project, scene.session.step) {
        (None, Step::Try) if scene.session.tries.export.is_some() => tries::show(ui, scene, out),
        (None, _) => start::show(ui, scene, out),
        (_, Step::Data) => data::show(ui, scene, out),
        (_, Step::Backbone) => backbone::show(ui, scene, out),
        (_, Step::Layers) => layers::show(ui, scene, out),
        (_, Step::Train) => train::show(ui, scene, out),
        (_, Step::Evaluate) => evaluate::show(ui, scene, out),
        (_, Step::Try) => tries::show(ui, scene, out),
        (_, Step::Export) => export::show(ui, scene, out),
    });
}

/// The question how data is to be read, where it takes the place of the step.
fn asked(session: &Session) -> Option<&ReadingView> {
    session.reading.as_ref().filter(|_| session.project.is_none() || session.step == Step::Data)
}

/// Which run counts on this page; the best one is marked.
fn run_picker(ui: &mut Ui, session: &Session, out: &mut Actions) {
    let Some(judged) = session.judged_run() else { return };
    let best = session.best_result().map(|run| run.name.as_str());
    let words = |run: &RunView| {
        let mark = if Some(run.name.as_str()) == best { ", best" } else { "" };
        format!("Run {}: {}{mark}", run.number(), run.chief.format(run.best_score.unwrap_or(0.0)))
    };
    if session.results().count() < 2 {
        return;
    }
    let picker = ComboBox::from_id_salt("run-that-counts").selected_text(words(judged));
    let response = picker.show_ui(ui, |ui| {
        for run in session.results() {
            let is_judged = run.name == judged.name;
            let choice = ui.selectable_label(is_judged, words(run)).on_hover_text(&run.difference);
            if choice.clicked() && !is_judged {
                out.push(View::SelectRun(Some(run.name.clone())));
            }
        }
    });
    let spoken = words(judged);
    response.response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, true, "Which run");
        info.current_text_value = Some(spoken.clone());
        info
    });
}

/// What is selected, on the right.
pub fn inspector(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let asked = asked(scene.session);
    let is_open = scene.session.project.is_some() && scene.session.remembered.inspector_open;
    if asked.is_none() && !is_open {
        return;
    }
    let tokens = Tokens::of(ui.ctx());
    let frame = Frame::new().fill(tokens.panel).inner_margin(Margin::symmetric(16, 16));
    Panel::right("inspector").default_size(theme::INSPECTOR).size_range(240.0..=480.0).frame(frame).show(
        ui,
        |ui| {
            egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                match (asked, scene.session.step) {
                    (Some(view), _) => roles::show(ui, scene, view, out),
                    (None, Step::Data) => data::inspector(ui, scene, out),
                    (None, Step::Backbone) => model_inspector::show(ui, scene, out),
                    (None, Step::Layers) => layer_inspector::show(ui, scene, out),
                    (None, Step::Train) => train::inspector(ui, scene, out),
                    (None, Step::Evaluate) => evaluate::inspector(ui, scene, out),
                    (None, Step::Try) => tries::inspector(ui, scene, out),
                    (None, Step::Export) => export::inspector(ui, scene, out),
                }
            });
        },
    );
}

/// A picture on the white ground that it was made for, with a line around it.
pub fn picture_tile(ui: &Ui, scene: &Scene, path: &std::path::Path, place: egui::Rect) {
    let tokens = Tokens::of(ui.ctx());
    let stroke = egui::Stroke::new(1.0, tokens.line);
    let corner = egui::CornerRadius::same(4);
    ui.painter().rect(place, corner, egui::Color32::WHITE, stroke, egui::StrokeKind::Inside);
    paint_picture(ui, ui.painter(), scene, path, place.shrink(2.0));
}

/// Paints the picture of a file into `place`, kept in shape; a grey ground while it is loading.
pub fn paint_picture(
    ui: &Ui,
    painter: &egui::Painter,
    scene: &Scene,
    path: &std::path::Path,
    place: egui::Rect,
) {
    let tokens = Tokens::of(ui.ctx());
    match scene.pictures.borrow_mut().get(ui.ctx(), path) {
        Picture::Ready(texture) => {
            let size = texture.size_vec2();
            let scale = (place.width() / size.x).min(place.height() / size.y);
            let fitted = egui::Rect::from_center_size(place.center(), size * scale);
            let whole = egui::Rect::from_min_max(egui::pos2(0.0, 0.0), egui::pos2(1.0, 1.0));
            painter.image(texture.id(), fitted, whole, egui::Color32::WHITE);
        }
        Picture::Loading => {
            painter.rect_filled(place, egui::CornerRadius::same(4), tokens.raised);
        }
        Picture::Unreadable => {
            let sign = theme::icon::WARNING;
            painter.text(
                place.center(),
                egui::Align2::CENTER_CENTER,
                sign,
                theme::icons(20.0),
                tokens.warning,
            );
        }
    }
}
