//! Evaluate: scores with intervals, the confusion matrix, mistakes.

use super::super::theme::{self, Tokens};
use super::super::widgets::{
    action_button, banner, bar, card, dim, empty, figures, line, page_head, page_title, section, text_in,
};
use super::super::{Actions, Scene};
use crate::evaluate::{Answer, Evaluation};
use crate::session::scores::{cell, mistakes};
use crate::session::{EvaluationView, Job, Open, Step, View};
use crate::worker::EvaluateOn;
use egui::{
    Align, Align2, Color32, CornerRadius, Layout, Rect, RichText, Role, ScrollArea, Sense, Stroke, Ui,
    WidgetInfo, pos2, vec2,
};

/// Mistakes that are shown.
const SHOWN: usize = 24;

/// Figures, confusion, mistakes.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let Some(project) = &scene.session.project else { return };
    let Some(view) = &project.evaluation else {
        page_title(ui, "Evaluate", "How good the newest run is, and where it errs.");
        if scene.session.newest_result().is_none() {
            let action = Open::Go(Step::Train);
            empty(
                ui,
                scene.session,
                "There is nothing to evaluate yet",
                "Train first.",
                Some((&action, "Go to Train")),
                out,
            );
        } else {
            let action = Job::Evaluate(EvaluateOn::Validation);
            empty(
                ui,
                scene.session,
                "Not evaluated yet",
                "Scores the newest run on its validation samples.",
                Some((&action, "Evaluate")),
                out,
            );
        }
        return;
    };
    page_head(ui, "Evaluate", &sentence(view), |ui| {
        action_button(ui, scene.session, &Job::ChooseTestSet, "Choose a test set…", false, out);
    });
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        scores(ui, view);
        if view.evaluation.chosen_on_these_samples {
            let tokens = Tokens::of(ui.ctx());
            let text = "The best epoch was chosen on these samples. A test set kept aside judges fairer.";
            banner(ui, tokens.warning, "These scores flatter a little.", text);
        }
        ui.horizontal_top(|ui| {
            let width = ui.available_width();
            ui.vertical(|ui| {
                ui.set_width(width * 0.58);
                card(ui, |ui| confusion(ui, view, out));
            });
            ui.vertical(|ui| {
                ui.set_width(ui.available_width());
                card(ui, |ui| chosen_cell(ui, scene, view));
            });
        });
        card(ui, |ui| {
            ui.set_width(ui.available_width());
            section(ui, "Most confident mistakes");
            let wrong = mistakes(&view.evaluation);
            if wrong.is_empty() {
                dim(ui, "None: every sample was answered right.");
            }
            samples(ui, scene, &view.evaluation, &wrong);
        });
    });
}

fn sentence(view: &EvaluationView) -> String {
    let samples = view.evaluation.samples;
    let kind = match &view.what {
        EvaluateOn::Validation => "validation samples".to_string(),
        EvaluateOn::Test => "test samples".to_string(),
        EvaluateOn::Data(path) => format!("samples of {}", path.display()),
    };
    let wide = if samples < 200 { format!("; with {samples} samples they are wide") } else { String::new() };
    format!("Run {} on {samples} {kind}. Intervals are 95 %{wide}.", view.run.trim_start_matches('0'))
}

fn scores(ui: &mut Ui, view: &EvaluationView) {
    let (accuracy, f1) = (view.intervals.accuracy, view.intervals.macro_f1);
    let evaluation = &view.evaluation;
    let wrong = evaluation.answers.iter().filter(|a| a.truth != a.predicted).count();
    figures(
        ui,
        &[
            [
                "Accuracy",
                &format!("{:.1} %", 100.0 * accuracy.value),
                &format!("± {:.1}", 100.0 * accuracy.half_width()),
            ],
            ["Macro F1", &format!("{:.2}", f1.value), &format!("± {:.2}", f1.half_width())],
            [
                "Largest class",
                &format!("{:.1} %", 100.0 * evaluation.largest_class_accuracy),
                "always guessing it",
            ],
            ["Mistakes", &wrong.to_string(), &format!("of {}", evaluation.samples)],
        ],
    );
}

fn confusion(ui: &mut Ui, view: &EvaluationView, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let evaluation = &view.evaluation;
    ui.horizontal(|ui| {
        section(ui, "Confusion");
        dim(ui, "row: truth, column: answer");
    });
    let classes = evaluation.labels.len();
    let names = 88.0;
    let side = ((ui.available_width() - names - 8.0) / classes.max(1) as f32).clamp(14.0, 40.0);
    let (area, _) = ui.allocate_exact_size(
        vec2(names + side * classes as f32, side * classes as f32 + 64.0),
        Sense::hover(),
    );
    let highest = evaluation.confusion.iter().flatten().copied().max().unwrap_or(1).max(1) as f32;
    for (truth, row) in evaluation.confusion.iter().enumerate() {
        let y = area.top() + side * truth as f32;
        let place = Rect::from_min_size(pos2(area.left(), y), vec2(names - 8.0, side));
        text_in(ui, place, Align::Max, &evaluation.labels[truth], theme::caption(), tokens.dim);
        for (predicted, count) in row.iter().enumerate() {
            let place =
                Rect::from_min_size(pos2(area.left() + names + side * predicted as f32, y), vec2(side, side))
                    .shrink(1.0);
            if !ui.is_rect_visible(place) {
                continue;
            }
            cell_of(ui, view, place, (truth, predicted), *count, highest, out);
        }
    }
    for (class, name) in evaluation.labels.iter().enumerate() {
        let x = area.left() + names + side * (class as f32 + 0.5);
        let name: String = name.chars().take(12).collect();
        let galley = ui.painter().layout_no_wrap(name, theme::caption(), tokens.dim);
        // The end of each name stands below its column.
        let corner = pos2(x + 4.0 - galley.size().x, area.top() + side * classes as f32 + 4.0);
        let text = egui::epaint::TextShape::new(corner, galley, tokens.dim);
        ui.painter().add(text.with_angle_and_anchor(-0.7, Align2::RIGHT_TOP));
    }
}

fn cell_of(
    ui: &mut Ui,
    view: &EvaluationView,
    place: Rect,
    at: (usize, usize),
    count: u64,
    highest: f32,
    out: &mut Actions,
) {
    let tokens = Tokens::of(ui.ctx());
    let strength = (count as f32 / highest).sqrt();
    let target = if at.0 == at.1 { tokens.ice } else { tokens.ember };
    let blend = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * strength) as u8;
    let ground = Color32::from_rgb(
        blend(tokens.raised.r(), target.r()),
        blend(tokens.raised.g(), target.g()),
        blend(tokens.raised.b(), target.b()),
    );
    ui.painter().rect_filled(place, CornerRadius::same(3), ground);
    if count == 0 {
        return;
    }
    let colour = if strength > 0.6 { tokens.on_ice } else { tokens.text };
    ui.painter().text(place.center(), Align2::CENTER_CENTER, count.to_string(), theme::caption(), colour);
    let response = ui.interact(place, ui.scope_id().with(("cell", at)), Sense::click());
    let labels = &view.evaluation.labels;
    let name = format!("{}, answered {}: {count}", labels[at.0], labels[at.1]);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    if view.cell == Some(at) || response.has_focus() {
        ui.painter().rect_stroke(
            place,
            CornerRadius::same(3),
            Stroke::new(2.0, tokens.text),
            egui::StrokeKind::Inside,
        );
    }
    if response.on_hover_text(&name).clicked() {
        out.push(View::SelectCell((view.cell != Some(at)).then_some(at)));
    }
}

fn chosen_cell(ui: &mut Ui, scene: &Scene, view: &EvaluationView) {
    ui.set_width(ui.available_width());
    let Some((truth, predicted)) = view.cell else {
        section(ui, "Samples of a cell");
        dim(ui, "Click a cell of the confusion matrix to see its samples.");
        return;
    };
    let labels = &view.evaluation.labels;
    let inside = cell(&view.evaluation, truth, predicted);
    ui.horizontal_wrapped(|ui| {
        section(ui, &format!("{}, answered {}", labels[truth], labels[predicted]));
        let plural = if inside.len() == 1 { "" } else { "s" };
        dim(ui, format!("{} sample{plural}", inside.len()));
    });
    samples(ui, scene, &view.evaluation, &inside);
}

fn samples(ui: &mut Ui, scene: &Scene, evaluation: &Evaluation, answers: &[&Answer]) {
    let is_text = answers.first().is_some_and(|a| a.text.is_some());
    let width = if is_text { 250.0 } else { 98.0 };
    let per_row = ((ui.available_width() / (width + theme::SPACE)) as usize).max(1);
    let shown = &answers[..answers.len().min(SHOWN)];
    for row in shown.chunks(per_row) {
        ui.horizontal_top(|ui| {
            for answer in row {
                sample(ui, scene, evaluation, answer, width);
            }
        });
    }
}

/// The sample, its class, and what was answered.
fn sample(ui: &mut Ui, scene: &Scene, evaluation: &Evaluation, answer: &Answer, width: f32) {
    let tokens = Tokens::of(ui.ctx());
    let verdict = format!("{} {:.0} %", evaluation.labels[answer.predicted], 100.0 * answer.confidence);
    let colour = if answer.truth == answer.predicted { tokens.ok } else { tokens.ember };
    ui.vertical(|ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = 2.0;
        match &answer.text {
            Some(text) => {
                ui.label(text.chars().take(160).collect::<String>());
            }
            None => {
                let (rect, response) = ui.allocate_exact_size(vec2(width, width), Sense::hover());
                super::picture_tile(ui, scene, &answer.path, rect);
                response.on_hover_text(answer.path.display().to_string());
            }
        }
        ui.label(RichText::new(&evaluation.labels[answer.truth]).font(theme::caption()));
        ui.label(RichText::new(verdict).font(theme::caption()).color(colour));
    });
}

/// F1 of each class.
pub fn inspector(ui: &mut Ui, scene: &Scene, _out: &mut Actions) {
    let Some(view) = scene.session.project.as_ref().and_then(|p| p.evaluation.as_ref()) else { return };
    let tokens = Tokens::of(ui.ctx());
    section(ui, "F1 by class");
    for class in &view.evaluation.per_class {
        line(ui, |ui| {
            super::super::widgets::cell(ui, 84.0, RichText::new(&class.label));
            let width = (ui.available_width() - 44.0).max(20.0);
            bar(ui, class.f1 as f32, width, tokens.ice);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| dim(ui, format!("{:.2}", class.f1)));
        })
        .response
        .on_hover_text(format!(
            "precision {:.2}, recall {:.2}, {} samples",
            class.precision, class.recall, class.support
        ));
    }
}
