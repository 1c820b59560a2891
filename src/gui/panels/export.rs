//! Export: write the trained head, reload it, compare.

use super::super::theme::{self, Tokens};
use super::super::widgets::{action_button, banner, card, dim, empty, fact_row, page_head, section};
use super::super::{Actions, Scene};
use super::bytes;
use crate::session::{Job, Open, Step};
use egui::{Align, Align2, CornerRadius, Frame, Layout, Margin, RichText, ScrollArea, Stroke, Ui};

/// Where to, and what came of it.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let sentence = "What leaves this window answers the same outside: it is reloaded and compared before it counts as done.";
    page_head(ui, "Export", sentence, |ui| super::run_picker(ui, scene.session, out));
    let Some(project) = &scene.session.project else { return };
    let Some(run) = scene.session.judged_run() else {
        let action = Open::Go(Step::Train);
        empty(
            ui,
            scene.session,
            "There is nothing to export yet",
            "Train first; the best epoch is exported.",
            Some((&action, "Go to Train")),
            out,
        );
        return;
    };
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        card(ui, |ui| {
            ui.set_width(ui.available_width());
            section(ui, &format!("Trained head of run {}", run.number()));
            dim(ui, "head.safetensors and a manifest: labels, preprocessing, backbone, scores, golden inputs. For Frostline and the Rust library.");
        });
        ui.add_space(theme::SPACE);
        let mut path = project.export_path.clone();
        let label = ui.label("New folder");
        let size = egui::vec2(ui.available_width(), theme::CONTROL_HEIGHT);
        ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
            action_button(ui, scene.session, &Job::Export, "Export", true, out);
            action_button(ui, scene.session, &Job::ChooseExportFolder, "Choose…", false, out);
            let field = egui::TextEdit::singleline(&mut path)
                .font(theme::mono())
                .desired_width(ui.available_width())
                .min_size(egui::vec2(0.0, theme::CONTROL_HEIGHT))
                .align(Align2::LEFT_CENTER);
            ui.add(field).labelled_by(label.id);
        });
        if path != project.export_path {
            out.push(Job::SetExportPath(path));
        }
        if let Some(done) = scene.session.export_of_run() {
            ui.add_space(theme::SPACE);
            let text = format!("{} golden inputs gave the same logits after a reload. {} in {}.", done.golden, bytes(done.bytes), done.out.display());
            banner(ui, tokens.ok, "Written and checked.", &text);
            action_button(ui, scene.session, &Open::ShowFolder(done.out.clone()), "Open folder", false, out);
        }
    });
}

/// How to use it and what is inside.
pub fn inspector(ui: &mut Ui, scene: &Scene, _out: &mut Actions) {
    let Some(project) = &scene.session.project else { return };
    let tokens = Tokens::of(ui.ctx());
    section(ui, "Use it");
    let example = project.index.modality.facts().example;
    Frame::new()
        .fill(tokens.raised)
        .stroke(Stroke::new(1.0, tokens.line))
        .inner_margin(Margin::same(12))
        .corner_radius(CornerRadius::same(theme::CARD_CORNER))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            let done = scene.session.export_of_run().map(|done| done.out.display().to_string());
            let shown = done.unwrap_or_else(|| project.export_path.clone());
            let command = format!("frostline predict \\\n  {} \\\n  {example}", quoted(&shown));
            ui.add(egui::Label::new(RichText::new(command).font(theme::mono())).wrap());
        });
    ui.add_space(theme::SPACE);
    section(ui, "What is inside");
    fact_row(ui, "Labels", &format!("{}, in order", project.index.classes.len()));
    let run = scene.session.judged_run();
    if let Some(backbone) = run.and_then(|run| scene.session.backbone_of(run)) {
        fact_row(ui, "Backbone", &backbone.name);
        fact_row(ui, "Licence", backbone.card.licence.as_deref().unwrap_or("not known"));
        if let Some(preprocessing) = backbone.input.preprocessing() {
            fact_row(ui, "Preprocessing", &preprocessing);
        }
    }
    if let Some(done) = scene.session.export_of_run() {
        let trained = match done.thawed {
            0 => "those of the head".to_string(),
            thawed => format!("the head's and {thawed} more"),
        };
        fact_row(ui, "Trained tensors", &trained);
    }
    if let Some(run) = run {
        fact_row(ui, "Validation", &run.best_words());
    }
    ui.add_space(4.0);
    dim(ui, "The backbone itself is not copied: the other side finds it by the hash of its weights.");
}

/// As a shell takes it: in quotes where it holds more than plain letters.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+~:".contains(c);
    if path.chars().all(is_plain) { path.to_string() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("/home/ada/été"), "/home/ada/été");
        assert_eq!(quoted("/home/ada/clip art"), "'/home/ada/clip art'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
