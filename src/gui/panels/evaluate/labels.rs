//! Any of n: the scores of each label, and where its threshold would be best.

use crate::gui::theme::{self, Tokens};
use crate::gui::widgets::{bar, card, cell, dim, line, section, text_in};
use crate::task::detail::LabelDetail;
use egui::{Align, Color32, FontId, Layout, Rect, Response, RichText, Sense, Ui, vec2};

/// Where the columns begin, as shares of the width.
const EDGES: [f32; 8] = [0.0, 0.28, 0.40, 0.52, 0.62, 0.74, 0.87, 1.0];

/// The same in a narrow window, where precision, recall and samples stand in the tooltip alone.
const NARROW_EDGES: [f32; 8] = [0.0, 0.34, 0.34, 0.34, 0.46, 0.46, 0.68, 1.0];

/// Below this width all columns would be cut, in points.
const NARROWEST: f32 = 560.0;

/// A row for each label.
pub fn show(ui: &mut Ui, detail: &LabelDetail) {
    let tokens = Tokens::of(ui.ctx());
    card(ui, |ui| {
        ui.set_width(ui.available_width());
        section(ui, "Labels");
        let names = ["Label", "Precision", "Recall", "F1", "Samples", "Threshold", "Best for F1"];
        row(ui, names.map(str::to_string), &theme::caption(), tokens.dim);
        for label in &detail.per_label {
            let cells = [
                label.label.clone(),
                format!("{:.2}", label.precision),
                format!("{:.2}", label.recall),
                format!("{:.2}", label.f1),
                label.support.to_string(),
                format!("{:.2}", label.threshold),
                format!("{:.2}: F1 {:.2}", label.best_threshold, label.best_f1),
            ];
            row(ui, cells, &theme::body(), tokens.text).on_hover_text(format!(
                "{}: precision {:.2}, recall {:.2} over {} samples that have it",
                label.label, label.precision, label.recall, label.support
            ));
        }
        dim(
            ui,
            "A label is given from its threshold on. The best one was looked for on these samples, so its F1 flatters.",
        );
    });
}

fn row(ui: &mut Ui, cells: [String; 7], font: &FontId, colour: Color32) -> Response {
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), theme::TABLE_ROW - 6.0), Sense::hover());
    let edges = if rect.width() < NARROWEST { NARROW_EDGES } else { EDGES };
    for (cell, edge) in cells.iter().zip(edges.windows(2)) {
        let [from, to] = edge else { continue };
        if from == to {
            continue;
        }
        let at = |share: f32| rect.left() + share * rect.width();
        let place = Rect::from_x_y_ranges(at(*from)..=at(*to) - 8.0, rect.y_range());
        text_in(ui, place, Align::Min, cell, font.clone(), colour);
    }
    response
}

/// F1 of each label.
pub fn inspector(ui: &mut Ui, detail: &LabelDetail) {
    let tokens = Tokens::of(ui.ctx());
    section(ui, "F1 by label");
    for label in &detail.per_label {
        line(ui, |ui| {
            cell(ui, 84.0, RichText::new(&label.label));
            let width = (ui.available_width() - 44.0).max(20.0);
            bar(ui, label.f1 as f32, width, tokens.ice);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| dim(ui, format!("{:.2}", label.f1)));
        });
    }
}
