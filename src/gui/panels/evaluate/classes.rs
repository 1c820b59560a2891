//! One of n: the confusion matrix, whose cells open their samples.

use super::samples;
use crate::gui::theme::{self, Tokens};
use crate::gui::widgets::{self, bar, card, dim, line, section, text_in};
use crate::gui::{Actions, Scene};
use crate::session::scores::cell;
use crate::session::{EvaluationView, View};
use crate::task::detail::ClassDetail;
use egui::{
    Align, Align2, Color32, CornerRadius, Layout, Rect, RichText, Role, Sense, Stroke, Ui, WidgetInfo, pos2,
    vec2,
};

/// The matrix, and the samples of the cell that was clicked.
pub fn show(ui: &mut Ui, scene: &Scene, view: &EvaluationView, detail: &ClassDetail, out: &mut Actions) {
    ui.horizontal_top(|ui| {
        let width = ui.available_width();
        ui.vertical(|ui| {
            ui.set_width(width * 0.58);
            card(ui, |ui| confusion(ui, view, detail, out));
        });
        ui.vertical(|ui| {
            ui.set_width(ui.available_width());
            card(ui, |ui| chosen_cell(ui, scene, view, detail));
        });
    });
}

fn confusion(ui: &mut Ui, view: &EvaluationView, detail: &ClassDetail, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    ui.horizontal(|ui| {
        section(ui, "Confusion");
        dim(ui, "row: truth, column: answer");
    });
    let classes = detail.labels.len();
    let names = 88.0;
    let side = ((ui.available_width() - names - 8.0) / classes.max(1) as f32).clamp(14.0, 40.0);
    let (area, _) = ui.allocate_exact_size(
        vec2(names + side * classes as f32, side * classes as f32 + 64.0),
        Sense::hover(),
    );
    let highest = detail.confusion.iter().flatten().copied().max().unwrap_or(1).max(1) as f32;
    for (truth, row) in detail.confusion.iter().enumerate() {
        let y = area.top() + side * truth as f32;
        let place = Rect::from_min_size(pos2(area.left(), y), vec2(names - 8.0, side));
        text_in(ui, place, Align::Max, &detail.labels[truth], theme::caption(), tokens.dim);
        for predicted in 0..row.len() {
            let place =
                Rect::from_min_size(pos2(area.left() + names + side * predicted as f32, y), vec2(side, side))
                    .shrink(1.0);
            if !ui.is_rect_visible(place) {
                continue;
            }
            cell_of(ui, view, detail, place, (truth, predicted), highest, out);
        }
    }
    for (class, name) in detail.labels.iter().enumerate() {
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
    detail: &ClassDetail,
    place: Rect,
    at: (usize, usize),
    highest: f32,
    out: &mut Actions,
) {
    let tokens = Tokens::of(ui.ctx());
    let cell = |at: (usize, usize)| detail.confusion.get(at.0)?.get(at.1).copied();
    let count = cell(at).unwrap_or(0);
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
    let label = |class: usize| detail.labels.get(class).map_or("", String::as_str);
    let name = format!("{}, answered {}: {count}", label(at.0), label(at.1));
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

fn chosen_cell(ui: &mut Ui, scene: &Scene, view: &EvaluationView, detail: &ClassDetail) {
    ui.set_width(ui.available_width());
    let Some((truth, predicted)) = view.cell else {
        section(ui, "Samples of a cell");
        dim(ui, "Click a cell of the confusion matrix to see its samples.");
        return;
    };
    let labels = &detail.labels;
    let inside = cell(&view.evaluation, truth, predicted);
    ui.horizontal_wrapped(|ui| {
        section(ui, &format!("{}, answered {}", labels[truth], labels[predicted]));
        let plural = if inside.len() == 1 { "" } else { "s" };
        dim(ui, format!("{} sample{plural}", inside.len()));
    });
    samples(ui, scene, &detail.labels, &inside);
}

/// F1 of each class.
pub fn inspector(ui: &mut Ui, detail: &ClassDetail) {
    let tokens = Tokens::of(ui.ctx());
    section(ui, "F1 by class");
    for class in &detail.per_class {
        line(ui, |ui| {
            widgets::cell(ui, 84.0, RichText::new(&class.label));
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
