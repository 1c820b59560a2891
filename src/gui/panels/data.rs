//! Data: what was recognised, its classes, the samples, what is wrong with them, the split.

use super::super::shell::chip;
use super::super::theme::{self, Tokens, icon};
use super::super::widgets::{card, class_mark, dim, line, page_title, section, sign, text_in};
use super::super::{Actions, Scene};
use crate::data::index::{Modality, Part};
use crate::session::{Edit, OpenProject, View};
use egui::{Align, CornerRadius, Layout, RichText, Role, ScrollArea, Sense, Stroke, Ui, WidgetInfo};

/// Least side of a picture in the grid.
const SIDE: f32 = 112.0;
/// Height of the caption below it.
const CAPTION: f32 = 19.0;
const GAP: f32 = 12.0;

/// Filters and samples.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let Some(project) = &scene.session.project else { return };
    let sentence = format!(
        "{} = {} classes. Your files are never changed.",
        project.index.layout,
        project.index.classes.len()
    );
    page_title(ui, "Data", &sentence);
    filters(ui, project, out);
    ui.add_space(4.0);
    match project.index.modality {
        Modality::Image => grid(ui, scene, project, out),
        Modality::Text => table(ui, project, out),
    }
}

fn filters(ui: &mut Ui, project: &OpenProject, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let classes = &project.index.classes;
    ui.horizontal(|ui| {
        let chosen = project.data.class.and_then(|c| classes.get(c)).map_or("All classes", String::as_str);
        ui.menu_button(format!("{chosen} ▾"), |ui| {
            ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
                for (class, name) in std::iter::once((None, "All classes"))
                    .chain(classes.iter().enumerate().map(|(n, c)| (Some(n), c.as_str())))
                {
                    if ui.selectable_label(project.data.class == class, name).clicked() {
                        out.push(View::FilterClass(class));
                        ui.close();
                    }
                }
            });
        });
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
        let findings = project.index.findings.len();
        if findings > 0 {
            let text = format!("{findings} finding{}", if findings == 1 { "" } else { "s" });
            let edge = if project.data.findings_only { tokens.warning } else { tokens.line };
            let button = egui::Button::new(RichText::new(text).color(tokens.warning))
                .stroke(Stroke::new(1.0, edge))
                .selected(project.data.findings_only)
                .fill(tokens.raised);
            if ui.add(button).on_hover_text("Show only samples that something was found about").clicked() {
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

/// Fractions and seed; every sample of a class is drawn by the seed, duplicates stay on one side.
fn split_menu(ui: &mut Ui, project: &OpenProject, out: &mut Actions) {
    let mut split = project.recipe.split;
    ui.menu_button("Split…", |ui| {
        ui.set_min_width(240.0);
        dim(ui, "Drawn by class; equal files stay on one side.");
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
                    let class = project.index.classes.get(sample.class).map_or("", String::as_str);
                    let y = picture.bottom() + 11.0;
                    class_mark(ui, egui::pos2(rect.left() + 3.0, y), 3.0, sample.class);
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
                let class = project.index.classes.get(sample.class).map_or("", String::as_str);
                let text: String = sample
                    .text
                    .as_deref()
                    .unwrap_or_default()
                    .chars()
                    .take(400)
                    .map(|c| if c.is_control() { ' ' } else { c })
                    .collect();
                let y = rect.center().y;
                class_mark(ui, egui::pos2(rect.left() + 8.0, y), 3.0, sample.class);
                let column = |from: f32, to: f32| {
                    egui::Rect::from_x_y_ranges(rect.left() + from..=rect.left() + to, rect.y_range())
                };
                text_in(ui, column(18.0, 120.0), Align::Min, class, theme::body(), tokens.dim);
                text_in(ui, column(128.0, rect.width() - 8.0), Align::Min, &text, theme::body(), tokens.text);
                let name = format!("{class}: {text}");
                response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &name));
                if response.clicked() {
                    out.push(View::SelectSample((!selected).then_some(*item)));
                }
            }
        },
    );
}

/// The selected sample, or the classes and the findings.
pub fn inspector(ui: &mut Ui, scene: &Scene, _out: &mut Actions) {
    let Some(project) = &scene.session.project else { return };
    if let Some(item) = project.data.selected {
        sample(ui, scene, project, item);
        ui.add_space(theme::GAP);
    }
    section(ui, "Classes");
    class_bars(ui, project);
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
        });
    }
}

fn class_bars(ui: &mut Ui, project: &OpenProject) {
    let tokens = Tokens::of(ui.ctx());
    let counts = &project.data.counts;
    let largest = counts.iter().copied().max().unwrap_or(1).max(1);
    for (class, (name, count)) in project.index.classes.iter().zip(counts).enumerate() {
        line(ui, |ui| {
            let (dot, _) = ui.allocate_exact_size(egui::vec2(8.0, 8.0), Sense::hover());
            class_mark(ui, dot.center(), 4.0, class);
            super::super::widgets::cell(ui, 86.0, RichText::new(name));
            let width = (ui.available_width() - 48.0).max(20.0);
            super::super::widgets::bar(ui, *count as f32 / largest as f32, width, tokens.class(class));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| dim(ui, count.to_string()));
        });
    }
}

fn sample(ui: &mut Ui, scene: &Scene, project: &OpenProject, item: usize) {
    use super::super::widgets::fact_row;
    let Some(sample) = project.index.items.get(item) else { return };
    section(ui, "Sample");
    match &sample.text {
        Some(text) => {
            card(ui, |ui| ui.label(text.chars().take(1200).collect::<String>()));
        }
        None => {
            let side = ui.available_width();
            let (rect, _) = ui.allocate_exact_size(egui::vec2(side, side * 0.7), Sense::hover());
            super::picture_tile(ui, scene, &project.index.full_path(sample), rect);
        }
    }
    fact_row(ui, "Class", project.index.classes.get(sample.class).map_or("", String::as_str));
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
