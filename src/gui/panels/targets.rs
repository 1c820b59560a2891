//! What the samples are labelled with, in the inspector: counts of classes or labels, a histogram of numbers.

use super::super::theme::{self, Tokens};
use super::super::widgets::{bar, cell, class_mark, dim, fact_row, line, section, text_in};
use crate::data::target::TargetKind;
use crate::session::OpenProject;
use crate::session::data_view::NumberColumn;
use crate::units;
use egui::{Align, CornerRadius, Layout, Rect, RichText, Role, Sense, Stroke, Ui, WidgetInfo, pos2};

/// Height of the bars of a histogram.
const HEIGHT: f32 = 84.0;

/// Counts or a histogram of all samples.
pub fn show(ui: &mut Ui, project: &OpenProject) {
    match project.index.target {
        TargetKind::Class => {
            section(ui, "Classes");
            counts(ui, project);
        }
        TargetKind::Labels => {
            section(ui, "Labels");
            counts(ui, project);
        }
        TargetKind::Numbers => numbers(ui, project),
    }
}

fn counts(ui: &mut Ui, project: &OpenProject) {
    let tokens = Tokens::of(ui.ctx());
    let (counts, unlabelled) = (&project.data.counts, project.data.unlabelled);
    let largest = counts.iter().copied().chain([unlabelled]).max().unwrap_or(1).max(1);
    let row = |ui: &mut Ui, name: &str, count: usize, class: Option<usize>| {
        line(ui, |ui| {
            let (dot, _) = ui.allocate_exact_size(egui::vec2(8.0, 8.0), Sense::hover());
            if let Some(class) = class {
                class_mark(ui, dot.center(), 4.0, class);
            }
            cell(ui, 86.0, RichText::new(name));
            let width = (ui.available_width() - 48.0).max(20.0);
            let colour = class.map_or(tokens.faint, |class| tokens.class(class));
            bar(ui, count as f32 / largest as f32, width, colour);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| dim(ui, count.to_string()));
        });
    };
    for (class, (name, count)) in project.index.classes.iter().zip(counts).enumerate() {
        row(ui, name, *count, Some(class));
    }
    if unlabelled > 0 {
        row(ui, "No label", unlabelled, None);
    }
}

/// The histogram and the figures of a column; where there are several, one is chosen above it.
fn numbers(ui: &mut Ui, project: &OpenProject) {
    let columns = &project.data.columns;
    let id = ui.scope_id().with("column of numbers");
    let chosen = ui.data(|d| d.get_temp::<usize>(id)).filter(|column| *column < columns.len()).unwrap_or(0);
    let Some(column) = columns.get(chosen) else { return };
    match columns.len() {
        1 => section(ui, &format!("Numbers in {}", column.summary.name)),
        _ => {
            ui.horizontal(|ui| {
                section(ui, "Numbers in");
                ui.menu_button(format!("{} ▾", column.summary.name), |ui| {
                    for (number, other) in columns.iter().enumerate() {
                        if ui.selectable_label(number == chosen, &other.summary.name).clicked() {
                            ui.data_mut(|d| d.insert_temp(id, number));
                            ui.close();
                        }
                    }
                });
            });
        }
    }
    ui.add_space(theme::SPACE);
    histogram(ui, column);
    let summary = &column.summary;
    let range = format!("{} to {}", units::number(summary.min), units::number(summary.max));
    fact_row(ui, "Range", &range);
    fact_row(ui, "Mean", &units::number(summary.mean));
    fact_row(ui, "Standard deviation", &units::number(summary.std));
    fact_row(ui, "Samples", &units::grouped(summary.count));
    ui.add_space(2.0);
    dim(ui, "Many different numbers, so they are learnt as numbers.")
        .on_hover_text("With words in the column instead of numbers, each of them is a class.");
}

fn histogram(ui: &mut Ui, column: &NumberColumn) {
    let tokens = Tokens::of(ui.ctx());
    let histogram = &column.histogram;
    let bins = histogram.counts.len();
    let largest = histogram.counts.iter().copied().max().unwrap_or(1).max(1);
    let size = egui::vec2(ui.available_width(), HEIGHT + theme::LINE);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let floor = rect.top() + HEIGHT;
    let width = rect.width() / bins as f32;
    for (bin, count) in histogram.counts.iter().enumerate() {
        if *count == 0 {
            continue;
        }
        // One sample among thousands is still seen.
        let height = (HEIGHT * *count as f32 / largest as f32).max(2.0);
        let left = rect.left() + width * bin as f32;
        let bar = Rect::from_min_max(pos2(left + 1.0, floor - height), pos2(left + width - 1.0, floor));
        ui.painter().rect_filled(bar, CornerRadius::same(1), tokens.dim);
    }
    ui.painter().hline(rect.x_range(), floor, Stroke::new(1.0, tokens.line));
    let below = Rect::from_min_max(pos2(rect.left(), floor), rect.max);
    let (low, high) = (histogram.ends(0).0, histogram.ends(bins.saturating_sub(1)).1);
    let ends =
        if low == high { vec![(Align::Center, low)] } else { vec![(Align::Min, low), (Align::Max, high)] };
    for (align, end) in ends {
        text_in(ui, below, align, &units::number(end), theme::caption(), tokens.dim);
    }
    let name = format!(
        "Histogram of {}, from {} to {}",
        column.summary.name,
        units::number(low),
        units::number(high)
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    if let Some(pointer) = response.hover_pos() {
        let bin = (((pointer.x - rect.left()) / width).max(0.0) as usize).min(bins.saturating_sub(1));
        let ((from, to), count) = (histogram.ends(bin), histogram.counts.get(bin).copied().unwrap_or(0));
        let samples =
            if count == 1 { "1 sample".to_string() } else { format!("{} samples", units::grouped(count)) };
        response.on_hover_text(format!("{} to {}: {samples}", units::number(from), units::number(to)));
    }
}
