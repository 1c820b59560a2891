//! Data: what was recognised, its classes, the samples, what is wrong with them, the split.

use super::super::shell::chip;
use super::super::theme::{self, Tokens, icon};
use super::super::widgets::{card, dim, page_title, section};
use super::super::{Actions, Scene};
use crate::data::index::{Modality, Part};
use crate::session::{Action, OpenProject};
use egui::{Align, Align2, CornerRadius, Layout, RichText, Role, ScrollArea, Sense, Stroke, Ui, WidgetInfo};

/// A cell of the grid: picture and caption.
const CELL: egui::Vec2 = egui::vec2(112.0, 131.0);
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
                        out.push(Action::FilterClass(class));
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
                    out.push(Action::FilterPart(part));
                    ui.close();
                }
            }
        });
        let findings = project.index.findings.len();
        if findings > 0 {
            let text = format!("{findings} finding{}", if findings == 1 { "" } else { "s" });
            let button = egui::Button::selectable(
                project.data.findings_only,
                RichText::new(text).color(tokens.warning),
            );
            if ui.add(button).on_hover_text("Show only samples that something was found about").clicked() {
                out.push(Action::FilterFindings(!project.data.findings_only));
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            split_menu(ui, project, out);
            if let Some(split) = &project.split {
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
        ui.add(egui::Slider::new(&mut validation, 5.0..=60.0).fixed_decimals(0)).labelled_by(label.id);
        let label = ui.label("Test, percent");
        let mut test = split.test_fraction * 100.0;
        ui.add(egui::Slider::new(&mut test, 0.0..=35.0).fixed_decimals(0)).labelled_by(label.id);
        let label = ui.label("Seed");
        ui.add(egui::DragValue::new(&mut split.seed)).labelled_by(label.id);
        split.validation_fraction = (validation / 100.0 * 1000.0).round() / 1000.0;
        split.test_fraction = (test / 100.0 * 1000.0).round() / 1000.0;
    });
    if split != project.recipe.split {
        out.push(Action::SetSplit(split));
    }
}

/// Only rows in sight are painted and decoded.
fn grid(ui: &mut Ui, scene: &Scene, project: &OpenProject, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let per_row = (((ui.available_width() + GAP) / (CELL.x + GAP)) as usize).max(1);
    let rows = project.data.visible.len().div_ceil(per_row);
    if rows == 0 {
        dim(ui, "No sample fits these filters.");
    }
    ScrollArea::vertical().auto_shrink(false).show_rows(ui, CELL.y, rows, |ui, range| {
        for row in range {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = GAP;
                for item in project.data.visible.iter().skip(row * per_row).take(per_row) {
                    let Some(sample) = project.index.items.get(*item) else { continue };
                    let (rect, response) = ui.allocate_exact_size(CELL, Sense::click());
                    let picture = egui::Rect::from_min_size(rect.min, egui::vec2(CELL.x, CELL.x));
                    let selected = project.data.selected == Some(*item);
                    let edge = if selected || response.has_focus() { tokens.ice } else { tokens.line };
                    let corner = CornerRadius::same(4);
                    ui.painter().rect(
                        picture,
                        corner,
                        egui::Color32::WHITE,
                        Stroke::new(if selected { 2.0 } else { 1.0 }, edge),
                        egui::StrokeKind::Outside,
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
                    ui.painter().circle_filled(
                        egui::pos2(rect.left() + 3.0, y),
                        3.0,
                        tokens.class(sample.class),
                    );
                    let place = egui::pos2(rect.left() + 12.0, y);
                    ui.painter().with_clip_rect(rect.intersect(ui.clip_rect())).text(
                        place,
                        Align2::LEFT_CENTER,
                        class,
                        theme::caption(),
                        tokens.dim,
                    );
                    let name = format!("{class}: {}", sample.path.display());
                    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &name));
                    if response.clicked() {
                        out.push(Action::SelectSample((!selected).then_some(*item)));
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
                    ui.painter().rect_filled(rect, CornerRadius::same(4), tokens.raised);
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
                ui.painter().circle_filled(egui::pos2(rect.left() + 8.0, y), 3.0, tokens.class(sample.class));
                let clip = |from: f32, to: f32| {
                    ui.painter().with_clip_rect(
                        egui::Rect::from_min_max(
                            egui::pos2(rect.left() + from, rect.top()),
                            egui::pos2(rect.left() + to, rect.bottom()),
                        )
                        .intersect(ui.clip_rect()),
                    )
                };
                clip(16.0, 120.0).text(
                    egui::pos2(rect.left() + 18.0, y),
                    Align2::LEFT_CENTER,
                    class,
                    theme::body(),
                    tokens.dim,
                );
                clip(124.0, rect.width()).text(
                    egui::pos2(rect.left() + 128.0, y),
                    Align2::LEFT_CENTER,
                    &text,
                    theme::body(),
                    tokens.text,
                );
                let name = format!("{class}: {text}");
                response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &name));
                if response.clicked() {
                    out.push(Action::SelectSample((!selected).then_some(*item)));
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
                ui.label(RichText::new(icon::WARNING).font(theme::icons(14.0)).color(tokens.warning));
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
        ui.horizontal(|ui| {
            ui.spacing_mut().interact_size.y = 20.0;
            let (dot, _) = ui.allocate_exact_size(egui::vec2(8.0, 8.0), Sense::hover());
            ui.painter().rect_filled(dot, CornerRadius::same(2), tokens.class(class));
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
            super::paint_picture(ui, ui.painter(), scene, &project.index.full_path(sample), rect);
        }
    }
    fact_row(ui, "Class", project.index.classes.get(sample.class).map_or("", String::as_str));
    let part = match project.split {
        Some(_) => project.data.part_of(item).map_or("left out", Part::name),
        None => "",
    };
    fact_row(ui, "Split", part);
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
