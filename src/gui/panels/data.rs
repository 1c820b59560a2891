//! Data: what was recognised, its classes, the samples, what is wrong with them, the split.

use super::super::theme::{self, Tokens, icon};
use super::super::widgets::{
    action_button, card, chip, class_mark, dim, fact_row, page_head, section, sign, text_in,
};
use super::super::{Actions, Scene};
use super::targets;
use crate::data::index::{Item, Modality, Part};
use crate::data::target::{Target, TargetKind};
use crate::session::reading::is_table;
use crate::session::{Edit, Open, OpenProject, View};
use crate::units;
use egui::{Align, CornerRadius, Layout, RichText, Role, ScrollArea, Sense, Stroke, Ui, Vec2, WidgetInfo};
use std::path::Path;

/// Least side of a picture in the grid.
const SIDE: f32 = 112.0;
/// Height of the caption below it.
const CAPTION: f32 = 19.0;
const GAP: f32 = 12.0;

/// Filters and samples.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let Some(project) = &scene.session.project else { return };
    page_head(ui, "Data", &project.data.sentence, |ui| {
        if is_table(&project.index.layout) {
            action_button(ui, scene.session, &Open::ChooseColumns, "Columns…", false, out);
        }
    });
    filters(ui, project, out);
    ui.add_space(4.0);
    match project.index.modality {
        Modality::Image => grid(ui, scene, project, out),
        Modality::Text => table(ui, project, out),
    }
}

fn filters(ui: &mut Ui, project: &OpenProject, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    ui.horizontal(|ui| {
        match project.index.target {
            TargetKind::Class => class_menu(ui, project, "All classes", out),
            TargetKind::Labels => class_menu(ui, project, "All labels", out),
            TargetKind::Numbers => {}
        }
        let parts = [
            (None, "Any split"),
            (Some(Part::Train), "Train"),
            (Some(Part::Validation), "Validation"),
            (Some(Part::Test), "Test"),
        ];
        let chosen =
            parts.iter().find(|(part, _)| *part == project.data.part).map_or("Any split", |(_, name)| name);
        ui.menu_button(format!("{chosen} ▾"), |ui| {
            for (part, name) in parts {
                if ui.selectable_label(project.data.part == part, name).clicked() {
                    out.push(View::FilterPart(part));
                    ui.close();
                }
            }
        });
        let found = project.data.found;
        if found > 0 {
            let text = format!("{} with findings", units::grouped(found));
            let edge = if project.data.findings_only { tokens.warning } else { tokens.line };
            let button = egui::Button::new(RichText::new(text).color(tokens.warning))
                .stroke(Stroke::new(1.0, edge))
                .selected(project.data.findings_only)
                .fill(tokens.raised);
            if ui
                .add(button)
                .on_hover_text(
                    "Show only the samples that something was found about; all findings stand on the right",
                )
                .clicked()
            {
                out.push(View::FilterFindings(!project.data.findings_only));
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            split_menu(ui, project, out);
            // In a narrow window the filters need the room; the menu says the same.
            if let Some(split) = project.split.as_ref().filter(|_| ui.available_width() > 330.0) {
                if !split.test.is_empty() {
                    chip(ui, &format!("Test {}", split.test.len()));
                }
                chip(ui, &format!("Validation {}", split.validation.len()));
                chip(ui, &format!("Train {}", split.train.len()));
            }
        });
    });
    if let Some(why) = &project.split_problem {
        super::super::widgets::banner(ui, tokens.warning, "The data cannot be split.", why);
    }
}

/// The class or label that the samples on show must have.
fn class_menu(ui: &mut Ui, project: &OpenProject, all: &str, out: &mut Actions) {
    let classes = &project.index.classes;
    let chosen = project.data.class.and_then(|c| classes.get(c)).map_or(all, String::as_str);
    ui.menu_button(format!("{chosen} ▾"), |ui| {
        ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
            for (class, name) in std::iter::once((None, all))
                .chain(classes.iter().enumerate().map(|(n, c)| (Some(n), c.as_str())))
            {
                if ui.selectable_label(project.data.class == class, name).clicked() {
                    out.push(View::FilterClass(class));
                    ui.close();
                }
            }
        });
    });
}

/// Fractions and seed; every sample of a class is drawn by the seed, duplicates stay on one side.
fn split_menu(ui: &mut Ui, project: &OpenProject, out: &mut Actions) {
    let mut split = project.recipe.split;
    ui.menu_button("Split…", |ui| {
        ui.set_min_width(240.0);
        dim(
            ui,
            match project.index.target {
                TargetKind::Class => "Drawn by class; equal files stay on one side.",
                TargetKind::Labels => "Drawn by label; equal samples stay on one side.",
                TargetKind::Numbers => "Drawn evenly over the numbers; equal samples stay on one side.",
            },
        );
        let label = ui.label("Validation, percent");
        let mut validation = split.validation_fraction * 100.0;
        let slider = egui::Slider::new(&mut validation, 5.0..=60.0).fixed_decimals(0);
        // Only a hand on the slider changes the recipe: one made elsewhere may hold values beyond its ends.
        if ui.add(slider).labelled_by(label.id).changed() {
            split.validation_fraction = (validation / 100.0 * 1000.0).round() / 1000.0;
        }
        let label = ui.label("Test, percent");
        let mut test = split.test_fraction * 100.0;
        let slider = egui::Slider::new(&mut test, 0.0..=35.0).fixed_decimals(0);
        if ui.add(slider).labelled_by(label.id).changed() {
            split.test_fraction = (test / 100.0 * 1000.0).round() / 1000.0;
        }
        let label = ui.label("Seed");
        ui.add(egui::DragValue::new(&mut split.seed)).labelled_by(label.id);
    });
    if split != project.recipe.split {
        out.push(Edit::SetSplit(split));
    }
}

/// What there is to see of the sample in a file; nothing where its words say it all.
pub(super) fn tile(ui: &mut Ui, scene: &Scene, modality: Modality, path: &Path, size: Vec2) {
    match modality {
        Modality::Image => {
            let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
            super::picture_tile(ui, scene, path, rect);
        }
        Modality::Text => {}
    }
}

/// Only rows in sight are painted and decoded.
fn grid(ui: &mut Ui, scene: &Scene, project: &OpenProject, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let width = ui.available_width() - ui.spacing().scroll.allocated_width();
    let per_row = (((width + GAP) / (SIDE + GAP)) as usize).max(1);
    let side = ((width + GAP) / per_row as f32 - GAP).floor();
    let cell = egui::vec2(side, side + CAPTION);
    let rows = project.data.visible.len().div_ceil(per_row);
    if rows == 0 {
        dim(ui, "No sample fits these filters.");
    }
    ScrollArea::vertical().auto_shrink(false).show_rows(ui, cell.y, rows, |ui, range| {
        for row in range {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = GAP;
                for item in project.data.visible.iter().skip(row * per_row).take(per_row) {
                    let Some(sample) = project.index.items.get(*item) else { continue };
                    let (rect, response) = ui.allocate_exact_size(cell, Sense::click());
                    let picture = egui::Rect::from_min_size(rect.min, egui::vec2(side, side));
                    let selected = project.data.selected == Some(*item);
                    let edge = if selected || response.has_focus() { tokens.ice } else { tokens.line };
                    let corner = CornerRadius::same(4);
                    ui.painter().rect(
                        picture,
                        corner,
                        egui::Color32::WHITE,
                        Stroke::new(if selected { 2.0 } else { 1.0 }, edge),
                        egui::StrokeKind::Inside,
                    );
                    super::paint_picture(
                        ui,
                        ui.painter(),
                        scene,
                        &project.index.full_path(sample),
                        picture.shrink(2.0),
                    );
                    let class = &sample.target.words(&project.index.classes);
                    let y = picture.bottom() + 11.0;
                    if let Some(mark) = mark_of(sample) {
                        class_mark(ui, egui::pos2(rect.left() + 3.0, y), 3.0, mark);
                    }
                    let place = egui::Rect::from_min_max(
                        egui::pos2(rect.left() + 12.0, y - 8.0),
                        egui::pos2(rect.right(), y + 8.0),
                    );
                    text_in(ui, place, Align::Min, class, theme::caption(), tokens.dim);
                    let name = format!("{class}: {}", sample.path.display());
                    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &name));
                    if response.clicked() {
                        out.push(View::SelectSample((!selected).then_some(*item)));
                    }
                }
            });
        }
    });
}

fn table(ui: &mut Ui, project: &OpenProject, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    // Where the column of labels begins and ends, and on which side it is even. Numbers have no mark before them.
    let (begin, end, align) = match project.index.target {
        TargetKind::Class => (18.0, 120.0, Align::Min),
        TargetKind::Labels => (18.0, 190.0, Align::Min),
        TargetKind::Numbers => (8.0, 10.0 + 56.0 * project.index.classes.len().min(3) as f32, Align::Max),
    };
    if project.data.visible.is_empty() {
        dim(ui, "No text fits these filters.");
    }
    ScrollArea::vertical().auto_shrink(false).show_rows(
        ui,
        theme::TABLE_ROW - 8.0,
        project.data.visible.len(),
        |ui, range| {
            for item in &project.data.visible[range] {
                let Some(sample) = project.index.items.get(*item) else { continue };
                let (rect, response) = ui.allocate_exact_size(
                    egui::vec2(ui.available_width(), theme::TABLE_ROW - 8.0),
                    Sense::click(),
                );
                let selected = project.data.selected == Some(*item);
                if selected || response.hovered() || response.has_focus() {
                    let ground = if selected { tokens.ice_ground } else { tokens.raised };
                    ui.painter().rect_filled(rect, CornerRadius::same(4), ground);
                }
                let class = &sample.target.words(&project.index.classes);
                let text: String = sample
                    .text
                    .as_deref()
                    .unwrap_or_default()
                    .chars()
                    .take(400)
                    .map(|c| if c.is_control() { ' ' } else { c })
                    .collect();
                let y = rect.center().y;
                let column = |from: f32, to: f32| {
                    egui::Rect::from_x_y_ranges(rect.left() + from..=rect.left() + to, rect.y_range())
                };
                if let Some(mark) = mark_of(sample) {
                    class_mark(ui, egui::pos2(rect.left() + 8.0, y), 3.0, mark);
                }
                // What is even on the right needs more room before the text.
                let gap = if align == Align::Max { theme::GAP } else { 8.0 };
                text_in(ui, column(begin, end), align, class, theme::body(), tokens.dim);
                text_in(
                    ui,
                    column(end + gap, rect.width() - 8.0),
                    Align::Min,
                    &text,
                    theme::body(),
                    tokens.text,
                );
                let name = format!("{class}: {text}");
                response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &name));
                if response.clicked() {
                    out.push(View::SelectSample((!selected).then_some(*item)));
                }
            }
        },
    );
}

/// The class whose colour marks a sample: its first; none for numbers and samples without a label.
fn mark_of(sample: &Item) -> Option<usize> {
    sample.target.labels().first().copied()
}

/// The selected sample, or the classes and the findings.
pub fn inspector(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let Some(project) = &scene.session.project else { return };
    if let Some(item) = project.data.selected {
        sample(ui, scene, project, item);
        ui.add_space(theme::GAP);
    }
    targets::show(ui, project);
    if project.data.findings.is_empty() {
        return;
    }
    ui.add_space(theme::SPACE);
    section(ui, "Findings");
    let tokens = Tokens::of(ui.ctx());
    for group in &project.data.findings {
        card(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal_wrapped(|ui| {
                sign(ui, icon::WARNING, 14.0, tokens.warning);
                ui.label(&group.title);
            });
            dim(ui, &group.text);
            ui.label(RichText::new(&group.remedy).font(theme::caption()).color(tokens.dim));
            if let Some(offer) = &group.offer {
                action_button(ui, scene.session, &offer.action, &offer.text, false, out);
            }
        });
    }
}

fn sample(ui: &mut Ui, scene: &Scene, project: &OpenProject, item: usize) {
    let Some(sample) = project.index.items.get(item) else { return };
    section(ui, "Sample");
    match &sample.text {
        Some(text) => {
            card(ui, |ui| ui.label(text.chars().take(1200).collect::<String>()));
        }
        None => {
            let side = ui.available_width();
            let size = egui::vec2(side, side * 0.7);
            tile(ui, scene, project.index.modality, &project.index.full_path(sample), size);
        }
    }
    target_rows(ui, project, sample);
    let part = match project.split {
        Some(_) => project.data.part_of(item).map_or("left out", Part::name),
        None => "",
    };
    fact_row(ui, "Split", part);
    if let Some(source) = scene.pictures.borrow().source(&project.index.full_path(sample)) {
        let size = format!("{} × {}, {}", source.width, source.height, super::bytes(source.bytes));
        fact_row(ui, "Pixels, file", &size);
    }
    if let Some(text) = &sample.text {
        fact_row(ui, "Characters", &text.chars().count().to_string());
    }
    fact_row(ui, "Path", &sample.path.display().to_string());
    if let Some(line) = sample.line {
        fact_row(ui, "Line", &line.to_string());
    }
    for finding in project
        .index
        .findings
        .iter()
        .filter(|f| f.line.is_none() || f.line == sample.line)
        // As bytes: comparing paths part by part takes too long for thousands of findings in every frame.
        .filter(|f| f.file.as_os_str() == sample.path.as_os_str())
    {
        dim(ui, &finding.reason);
    }
}

fn target_rows(ui: &mut Ui, project: &OpenProject, sample: &Item) {
    let names = &project.index.classes;
    match &sample.target {
        Target::Class(_) => fact_row(ui, "Class", &sample.target.words(names)),
        Target::Labels(labels) if labels.len() > 1 => {
            // A row has no room for more than one.
            for (place, label) in labels.iter().enumerate() {
                fact_row(ui, if place == 0 { "Labels" } else { "" }, project.index.name_of(*label));
            }
        }
        Target::Labels(_) => fact_row(ui, "Label", &sample.target.words(names)),
        Target::Numbers(numbers) => {
            for (name, number) in names.iter().zip(numbers) {
                fact_row(ui, name, &units::number(*number));
            }
        }
    }
}
