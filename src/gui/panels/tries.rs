//! Try: ask the model about files and texts.

use super::super::theme::{self, Tokens};
use super::super::widgets::{action_button, bar, card, cell, dim, empty, fact_row, line, page_head, section};
use super::super::{Actions, Scene};
use crate::data::facts::Carrier;
use crate::data::modality::Modality;
use crate::jobs::Prediction;
use crate::session::{Job, Open, Step};
use crate::task::{Answer, LabelProbability, classify};
use egui::{RichText, ScrollArea, Ui};
use std::path::Path;

/// Labels less likely than this are not listed, but for the first two.
const LEAST: f32 = 0.001;

/// Answers that are painted.
const SHOWN: usize = 200;

/// Input and answers.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let sentence = match &scene.session.tries.export {
        Some(export) => {
            format!("The export {} answers, one of {} labels.", export.folder.display(), export.labels)
        }
        None => {
            "Ask the model about samples that it has never seen. Works while a run trains, too.".to_string()
        }
    };
    page_head(ui, "Try", &sentence, |ui| {
        if scene.session.tries.export.is_none() {
            super::run_picker(ui, scene.session, out);
        }
        if scene.session.tries.export.is_some() {
            let text =
                if scene.session.project.is_some() { "Ask the chosen run" } else { "Close the export" };
            action_button(ui, scene.session, &Job::TryRun, text, false, out);
        }
    });
    let Some(modality) = scene.session.tries_modality() else { return };
    if scene.session.tries.export.is_none() && scene.session.judged_run().is_none() {
        let action = Open::Go(Step::Train);
        empty(
            ui,
            scene.session,
            "There is no model yet",
            "Train first, then ask it here.",
            Some((&action, "Go to Train")),
            out,
        );
        return;
    }
    input(ui, scene, modality, out);
    if scene.session.tries.waiting {
        ui.horizontal(|ui| {
            ui.spinner();
            dim(ui, "Asking…");
        });
    }
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let predictions = &scene.session.tries.predictions;
        for prediction in predictions.iter().take(SHOWN) {
            answer(ui, scene, prediction, modality);
        }
        if let Some(more) = predictions.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            dim(ui, format!("and {more} more"));
        }
    });
}

fn input(ui: &mut Ui, scene: &Scene, modality: Modality, out: &mut Actions) {
    card(ui, |ui| {
        ui.set_width(ui.available_width());
        if modality.facts().carrier == Carrier::File {
            ui.horizontal_wrapped(|ui| {
                let familiar = modality.facts().familiar;
                dim(ui, format!("Drop {familiar} or a folder anywhere on the window, or"));
                action_button(ui, scene.session, &Job::ChooseTryFiles, "Choose files…", true, out);
            });
            return;
        }
        let id = ui.scope_id().with("try-text");
        let mut text =
            ui.data_mut(|d| d.get_temp::<String>(id)).unwrap_or_else(|| scene.session.tries.text.clone());
        let label = ui.label("Text");
        let field_id = id.with("field");
        let field = egui::TextEdit::multiline(&mut text)
            .id(field_id)
            .desired_rows(3)
            .desired_width(f32::INFINITY)
            .hint_text("Type or paste a text");
        let keys = egui::KeyboardShortcut::new(egui::Modifiers::COMMAND, egui::Key::Enter);
        let is_sent = ui.memory(|m| m.has_focus(field_id)) && ui.input_mut(|i| i.consume_shortcut(&keys));
        ui.add(field).labelled_by(label.id);
        ui.horizontal(|ui| {
            let ready = !text.trim().is_empty();
            let response = ui
                .add_enabled(ready, egui::Button::new("Ask"))
                .on_hover_text("Ask the model (Ctrl+Enter)")
                .on_disabled_hover_text("Type a text first.");
            if response.clicked() || (is_sent && ready) {
                out.push(Job::TryText(text.trim().to_string()));
            }
            action_button(ui, scene.session, &Job::ChooseTryFiles, "Choose files…", false, out);
        });
        ui.data_mut(|d| d.insert_temp(id, text));
    });
}

fn answer(ui: &mut Ui, scene: &Scene, prediction: &Prediction, modality: Modality) {
    let tokens = Tokens::of(ui.ctx());
    card(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_top(|ui| {
            super::data::tile(ui, scene, modality, Path::new(&prediction.input), egui::vec2(96.0, 96.0));
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                question(ui, prediction, modality);
                ui.add_space(4.0);
                if let Some(error) = &prediction.error {
                    ui.label(RichText::new(error).color(tokens.error));
                }
                match &prediction.answer {
                    Some(Answer::Classes { labels }) => probabilities(ui, labels, |rank, _| rank == 0),
                    Some(Answer::Labels { labels, chosen }) => {
                        probabilities(ui, labels, |_, label| chosen.contains(&label.label));
                    }
                    Some(Answer::Numbers { numbers }) => {
                        for number in numbers {
                            fact_row(ui, &number.name, &super::evaluate::short(number.value));
                        }
                    }
                    None => {}
                }
            });
        });
    });
}

/// A bar for each label; those that are the answer stand out.
fn probabilities(
    ui: &mut Ui,
    labels: &[LabelProbability],
    is_answer: impl Fn(usize, &LabelProbability) -> bool,
) {
    let tokens = Tokens::of(ui.ctx());
    let said = |(rank, label): &(usize, &LabelProbability)| *rank < 2 || label.probability > LEAST;
    for (rank, label) in labels.iter().enumerate().filter(said) {
        line(ui, |ui| {
            // The percentage behind the bar must be seen in a narrow window too.
            let (name, rest) = if ui.available_width() < 440.0 { (96.0, 80.0) } else { (150.0, 80.0) };
            let width = (ui.available_width() - name - rest).clamp(40.0, 220.0);
            let (font, colour) = match is_answer(rank, label) {
                true => (theme::section(), tokens.ice),
                false => (theme::body(), tokens.faint),
            };
            cell(ui, name, RichText::new(&label.label).font(font));
            bar(ui, label.probability, width, colour);
            dim(ui, format!("{:.1} %", 100.0 * label.probability));
        });
    }
}

/// What was asked: a text, with where its row stands, or a file's name with its path at the pointer.
fn question(ui: &mut Ui, prediction: &Prediction, modality: Modality) {
    let input = &prediction.input;
    if let Some(line) = prediction.line {
        let path = Path::new(input);
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        if let Some(text) = &prediction.text {
            ui.label(text.chars().take(300).collect::<String>());
        }
        dim(ui, format!("{name}, line {line}")).on_hover_text(input);
        return;
    }
    if modality.facts().carrier == Carrier::Words {
        ui.label(input.chars().take(300).collect::<String>());
        return;
    }
    let path = Path::new(input);
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    ui.label(RichText::new(name).font(theme::mono())).on_hover_text(input);
}

/// Which model answers.
pub fn inspector(ui: &mut Ui, scene: &Scene, _out: &mut Actions) {
    section(ui, "Who answers");
    match scene.session.judged_run() {
        Some(run) => {
            fact_row(ui, "Run", run.number());
            fact_row(ui, "Epoch", &run.best_epoch.unwrap_or_default().to_string());
            fact_row(ui, "Validation", &run.chief.format(run.best_score.unwrap_or(0.0)));
        }
        None => {
            dim(ui, "No run has a result yet.");
        }
    }
    ui.add_space(theme::SPACE);
    dim(ui, scene.session.judged_run().map_or(classify::KIND.caution, |run| run.caution));
}
