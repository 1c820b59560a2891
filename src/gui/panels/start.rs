//! The start screen: drop data, or open a sample or a recent project.

use super::super::theme::{self, Tokens};
use super::super::widgets::{action_button, section};
use super::super::{Actions, Scene};
use crate::session::Open;
use crate::session::projects::Recent;
use egui::{Align2, CornerRadius, RichText, Role, ScrollArea, Sense, Shape, Stroke, Ui, WidgetInfo};

/// Width of the column in the middle.
const COLUMN: f32 = 820.0;
const CARD: egui::Vec2 = egui::vec2(236.0, 194.0);
/// Height of a card's picture.
const PICTURE: f32 = 118.0;

/// Title, drop area, cards.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let width = COLUMN.min(ui.available_width());
        let side = ((ui.available_width() - width) / 2.0).max(0.0);
        ui.horizontal(|ui| {
            ui.add_space(side);
            ui.vertical(|ui| {
                ui.set_width(width);
                ui.add_space(36.0);
                ui.label(RichText::new("Teach a pretrained network your task").font(theme::semibold(26.0)));
                ui.label(
                    RichText::new("Everything runs on this computer. Nothing is sent anywhere.")
                        .color(tokens.dim),
                );
                ui.add_space(theme::GAP);
                drop_area(ui, scene, width, out);
                ui.add_space(theme::GAP);
                section(ui, "Samples and recent projects");
                cards(ui, scene, out);
            });
        });
    });
}

fn drop_area(ui: &mut Ui, scene: &Scene, width: f32, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let (rect, _) = ui.allocate_exact_size(egui::vec2(width, 160.0), Sense::hover());
    let hovered = ui.input(|i| !i.raw.hovered_files.is_empty());
    ui.painter().rect_filled(rect, CornerRadius::same(theme::DROP_CORNER), tokens.ice_ground);
    let stroke = Stroke::new(if hovered { 2.0 } else { 1.0 }, tokens.ice);
    let outline = rounded_outline(rect.shrink(0.5), f32::from(theme::DROP_CORNER));
    ui.painter().extend(Shape::dashed_line(&outline, stroke, 4.0, 4.0));
    let mut child = ui
        .new_child(egui::UiBuilder::new().max_rect(rect).layout(egui::Layout::top_down(egui::Align::Center)));
    child.add_space(34.0);
    child.label(RichText::new("Drop a folder of images or a file of texts").font(theme::figure()));
    let sentence = "One folder per class, or a CSV, TSV or JSONL with a text and a label column";
    child.label(RichText::new(sentence).color(tokens.text));
    child.add_space(4.0);
    // Two buttons side by side, centred by their widths.
    child.horizontal(|ui| {
        ui.add_space((width - 262.0) / 2.0);
        action_button(ui, scene.session, &Open::ChooseFolder, "Choose a folder…", true, out);
        action_button(ui, scene.session, &Open::ChooseFile, "Choose a file…", false, out);
    });
}

/// The outline of a rectangle with round corners, closed.
fn rounded_outline(rect: egui::Rect, radius: f32) -> Vec<egui::Pos2> {
    use std::f32::consts::FRAC_PI_2;
    let inner = rect.shrink(radius);
    let centres = [inner.right_bottom(), inner.left_bottom(), inner.left_top(), inner.right_top()];
    let mut outline = Vec::new();
    for (quarter, centre) in centres.into_iter().enumerate() {
        for step in 0..=6 {
            let angle = FRAC_PI_2 * (quarter as f32 + step as f32 / 6.0);
            outline.push(centre + radius * egui::vec2(angle.cos(), angle.sin()));
        }
    }
    outline.extend(outline.first().copied());
    outline
}

fn cards(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(14.0, 14.0);
        for sample in &scene.session.samples {
            if card(ui, scene, sample.title, sample.sentence, &sample.pictures, &sample.texts) {
                out.push(Open::OpenSample(sample.name));
            }
        }
        for Recent { folder, name, result, pictures, texts } in &scene.session.remembered.recent {
            if card(ui, scene, name, result, pictures, texts) {
                out.push(Open::OpenPath(folder.clone()));
            }
        }
    });
}

/// A card with pictures or texts, a name and a sentence; true when it was clicked.
fn card(
    ui: &mut Ui,
    scene: &Scene,
    name: &str,
    sentence: &str,
    pictures: &[std::path::PathBuf],
    texts: &[(String, String)],
) -> bool {
    let tokens = Tokens::of(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(CARD, Sense::click());
    let edge = if response.hovered() || response.has_focus() { tokens.ice } else { tokens.line };
    let corner = CornerRadius::same(theme::CARD_CORNER);
    ui.painter().rect(rect, corner, tokens.panel, Stroke::new(1.0, edge), egui::StrokeKind::Inside);
    let top = egui::Rect::from_min_size(rect.min, egui::vec2(rect.width(), PICTURE)).shrink(1.0);
    let painter = ui.painter().with_clip_rect(top.intersect(ui.clip_rect()));
    if pictures.is_empty() {
        painter.rect_filled(top, corner, tokens.raised);
        for (row, (text, label)) in texts.iter().enumerate() {
            let y = top.top() + 12.0 + 34.0 * row as f32;
            let shown: String = text.chars().take(34).collect();
            painter.text(
                egui::pos2(top.left() + 12.0, y),
                Align2::LEFT_TOP,
                format!("“{shown}”"),
                theme::body(),
                tokens.dim,
            );
            painter.text(
                egui::pos2(top.left() + 12.0, y + 16.0),
                Align2::LEFT_TOP,
                label,
                theme::section(),
                tokens.text,
            );
        }
    } else {
        painter.rect_filled(top, corner, egui::Color32::WHITE);
        let width = top.width() / pictures.len() as f32;
        for (number, path) in pictures.iter().enumerate() {
            let place = egui::Rect::from_min_size(
                egui::pos2(top.left() + width * number as f32, top.top()),
                egui::vec2(width, top.height()),
            );
            super::paint_picture(ui, &painter, scene, path, place.shrink(4.0));
        }
    }
    let left = rect.left() + 14.0;
    ui.painter().text(
        egui::pos2(left, rect.top() + PICTURE + 12.0),
        Align2::LEFT_TOP,
        name,
        theme::section(),
        tokens.text,
    );
    let galley = ui.painter().layout(sentence.to_string(), theme::body(), tokens.dim, rect.width() - 28.0);
    ui.painter().galley(egui::pos2(left, rect.top() + PICTURE + 31.0), galley, tokens.dim);
    let label = format!("Open {name}. {sentence}");
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &label));
    response.clicked()
}
