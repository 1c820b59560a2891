//! Train: the recipe, live curves, earlier runs, what went wrong.

use super::super::theme::{self, Tokens};
use super::super::widgets::{action_button, banner, card, dim, fact_row, page_head, section, text_in};
use super::super::{Actions, Scene};
use super::curves::curves;
use super::duration;
use crate::project::RunState;
use crate::project::recipe::{BatchNormChoice, MOST_CLIP, MOST_MOMENTUM, OptimiserChoice, TrainingChoice};
use crate::session::runs::{AlarmKind, RunView, alarms};
use crate::session::{Edit, Job, OpenProject, View};
use egui::{Align, Color32, CornerRadius, Layout, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2};

/// Width of a field of the recipe.
const FIELD: f32 = 108.0;

/// Buttons, curves, alarms, runs.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let Some(project) = &scene.session.project else { return };
    let shown = shown_run(project);
    page_head(ui, "Train", &sentence(project, shown), |ui| buttons(ui, scene, out));
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        curves(ui, project, shown);
        if let Some(run) = shown {
            for alarm in alarms(run, probe(project, run)) {
                let tokens = Tokens::of(ui.ctx());
                let colour = match alarm.kind {
                    AlarmKind::Good => tokens.ok,
                    AlarmKind::Warning => tokens.warning,
                    AlarmKind::Bad => tokens.error,
                };
                banner(ui, colour, &alarm.title, &alarm.text);
            }
        }
        runs_table(ui, project, out);
    });
}

fn shown_run(project: &OpenProject) -> Option<&RunView> {
    let chosen = project.selected_run.as_ref().and_then(|name| project.runs.iter().find(|r| r.name == *name));
    chosen.or(project.runs.last())
}

/// The best run that trained the head only.
fn probe<'p>(project: &'p OpenProject, run: &RunView) -> Option<&'p RunView> {
    let frozen = project
        .runs
        .iter()
        .filter(|r| r.frostline == "head" && r.name != run.name && r.best_accuracy.is_some());
    frozen.max_by(|a, b| a.best_accuracy.unwrap_or(0.0).total_cmp(&b.best_accuracy.unwrap_or(0.0)))
}

fn sentence(project: &OpenProject, run: Option<&RunView>) -> String {
    let Some(run) = run else {
        return "Nothing has been trained yet. The values on the right are a good start.".to_string();
    };
    let epochs = run.recipe.as_ref().unwrap_or(&project.recipe).training.epochs;
    let best = match (run.best_epoch, run.best_accuracy) {
        (Some(epoch), Some(accuracy)) => {
            format!("Best so far: epoch {epoch}, {:.1} % on validation.", 100.0 * accuracy)
        }
        _ => "No epoch has ended yet.".to_string(),
    };
    match run.state {
        RunState::Running => {
            let epoch = (run.val_loss.len() as u32 + 1).min(epochs);
            format!("Epoch {epoch} of {epochs}. {best}")
        }
        _ => format!("Run {}. {best}", run.number()),
    }
}

fn buttons(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let session = scene.session;
    if !session.is_training() {
        action_button(ui, session, &Job::Train, "Train", true, out);
        if session.why_not(&Job::Resume).is_none() {
            action_button(ui, session, &Job::Resume, "Resume", false, out);
        }
        return;
    }
    action_button(ui, session, &Job::Stop, "Stop, keep best", false, out);
    let paused = session.job.as_ref().is_some_and(|j| j.paused);
    let text = if paused { "Go on" } else { "Pause" };
    action_button(ui, session, &Job::Pause(!paused), text, false, out);
}

fn runs_table(ui: &mut Ui, project: &OpenProject, out: &mut Actions) {
    if project.runs.is_empty() {
        return;
    }
    let tokens = Tokens::of(ui.ctx());
    card(ui, |ui| {
        ui.set_width(ui.available_width());
        let shown = shown_run(project).map(|r| r.name.clone());
        row(
            ui,
            ["Run", "What differed", "Validation", "Time", "State"],
            theme::caption(),
            [tokens.dim; 5],
            None,
        );
        for run in project.runs.iter().rev() {
            let half = run.half_width().map_or(String::new(), |h| format!(" ± {:.1}", 100.0 * h));
            let validation =
                run.best_accuracy.map_or("-".to_string(), |a| format!("{:.1} %{half}", 100.0 * a));
            let (state, colour) = match run.state {
                RunState::Running => ("running", tokens.ice),
                RunState::Finished => ("done", tokens.ok),
                RunState::Stopped => ("stopped", tokens.warning),
                RunState::Failed => ("failed", tokens.error),
            };
            let name = format!("Run {}", run.number());
            let colours = [tokens.text, tokens.dim, tokens.text, tokens.dim, colour];
            let selected = shown.as_deref() == Some(&run.name);
            let cells = [name.as_str(), run.difference.as_str(), &validation, &duration(run.seconds), state];
            let response = row(ui, cells, theme::body(), colours, Some(selected));
            response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &name));
            if response.clicked() {
                out.push(View::SelectRun(Some(run.name.clone())));
            }
        }
    });
}

fn row(
    ui: &mut Ui,
    cells: [&str; 5],
    font: egui::FontId,
    colours: [Color32; 5],
    selected: Option<bool>,
) -> egui::Response {
    let tokens = Tokens::of(ui.ctx());
    let sense = if selected.is_some() { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), theme::TABLE_ROW - 4.0), sense);
    if selected == Some(true) || (selected.is_some() && (response.hovered() || response.has_focus())) {
        ui.painter().rect_filled(rect, CornerRadius::same(4), tokens.raised);
    }
    let edges = [0.01, 0.11, 0.50, 0.68, 0.84, 1.0];
    for ((cell, colour), edge) in cells.into_iter().zip(colours).zip(edges.windows(2)) {
        let at = |share: f32| rect.left() + share * rect.width();
        let place = egui::Rect::from_x_y_ranges(at(edge[0])..=at(edge[1]) - 8.0, rect.y_range());
        text_in(ui, place, Align::Min, cell, font.clone(), colour);
    }
    response
}

/// The recipe and the figures of the run.
pub fn inspector(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let Some(project) = &scene.session.project else { return };
    section(ui, "Recipe");
    recipe_form(ui, project, scene.session.thaws_batch_norm(), out);
    ui.add_space(theme::SPACE);
    section(ui, "Now");
    let job = scene.session.job.as_ref().filter(|j| j.can_pause);
    let run = shown_run(project);
    fact_row(ui, "Speed", &job.and_then(|j| j.rate).map_or("-".into(), |r| format!("{r:.0} samples/s")));
    let last = |values: &[[f64; 2]], digits: usize| {
        values.last().map_or("-".to_string(), |p| format!("{:.digits$}", p[1]))
    };
    fact_row(
        ui,
        "Learning rate",
        &run.and_then(|r| r.learning_rate).map_or("-".into(), |r| format!("{r:.1e}")),
    );
    fact_row(ui, "Loss, train", &run.map_or("-".into(), |r| last(&r.train_loss, 4)));
    fact_row(ui, "Loss, validation", &run.map_or("-".into(), |r| last(&r.val_loss, 4)));
    fact_row(ui, "Best epoch", &run.and_then(|r| r.best_epoch).map_or("-".into(), |e| e.to_string()));
    if let Some(estimate) = scene.session.estimate(None) {
        fact_row(ui, "Memory, about", &super::bytes(estimate.memory_bytes));
        fact_row(ui, "Cache", &super::bytes(estimate.cache_bytes));
    }
}

/// Every field checks itself; what is wrong stands below it and nothing is trained until it is mended.
fn recipe_form(ui: &mut Ui, project: &OpenProject, has_norms: bool, out: &mut Actions) {
    let now = &project.recipe.training;
    let mut training = now.clone();
    let mut changed = None;
    let mut field = |ui: &mut Ui,
                     name: &'static str,
                     tooltip: &str,
                     widget: &mut dyn FnMut(&mut Ui) -> egui::Response| {
        ui.horizontal(|ui| {
            let label = ui.label(name).on_hover_text(tooltip);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().interact_size.x = FIELD;
                let response = widget(ui).labelled_by(label.id).on_hover_text(tooltip);
                if response.changed() {
                    changed = Some(name);
                }
            });
        });
    };
    field(ui, "Epochs", "Passes over the training samples", &mut |ui| {
        ui.add(egui::DragValue::new(&mut training.epochs).range(1..=10_000))
    });
    field(ui, "Learning rate", "Size of a step at its highest (peak learning rate of the head)", &mut |ui| {
        ui.add(
            egui::DragValue::new(&mut training.learning_rate)
                .range(1e-8..=10.0)
                .speed(1e-5)
                .custom_formatter(|v, _| format!("{v:e}"))
                .custom_parser(|t| t.trim().parse().ok()),
        )
    });
    field(ui, "Batch size", "Samples in one step", &mut |ui| {
        ui.add(egui::DragValue::new(&mut training.batch_size).range(1..=4096))
    });
    egui::CollapsingHeader::new("More settings")
        .show(ui, |ui| more_fields(ui, &mut training, has_norms, &mut field));
    if let Err(why) = project.recipe.check() {
        let tokens = Tokens::of(ui.ctx());
        ui.label(RichText::new(why).color(tokens.error));
    }
    if let Some(name) = changed.filter(|_| training != *now) {
        out.push(Edit::SetTraining { training, field: name });
    }
}

type Field<'f> = dyn FnMut(&mut Ui, &'static str, &str, &mut dyn FnMut(&mut Ui) -> egui::Response) + 'f;

/// `has_norms` says whether a batch norm is thawed.
fn more_fields(ui: &mut Ui, training: &mut TrainingChoice, has_norms: bool, field: &mut Field) {
    let speed = 0.005;
    field(ui, "Backbone rate", "The thawed layers learn at this multiple of the learning rate", &mut |ui| {
        ui.add(egui::DragValue::new(&mut training.backbone_rate).range(0.0..=10.0).speed(speed))
    });
    optimiser_fields(ui, training, field);
    field(ui, "Warm-up", "Share of all steps over which the rate rises", &mut |ui| {
        ui.add(egui::DragValue::new(&mut training.warmup).range(0.0..=1.0).speed(speed))
    });
    field(ui, "Dropout", "Share of values dropped in thawed transformer layers", &mut |ui| {
        ui.add(egui::DragValue::new(&mut training.dropout).range(0.0..=0.9).speed(speed))
    });
    if has_norms {
        let tooltip = "What thawed batch norms divide by: the statistics of the pretrained file (fixed), or those of \
                       each batch while running statistics follow (training mode). Small batches want them fixed.";
        field(ui, "Batch norm", tooltip, &mut |ui| {
            let options = [(BatchNormChoice::Fixed, "Fixed"), (BatchNormChoice::Training, "Training")];
            choice(ui, "Batch norm", &mut training.batch_norm, &options)
        });
    }
    field(ui, "Seed", "Decides the order of samples and the first weights of the head", &mut |ui| {
        ui.add(egui::DragValue::new(&mut training.seed))
    });
    dim(ui, "Schedule: a linear rise, then half a cosine down to zero.");
}

fn optimiser_fields(ui: &mut Ui, training: &mut TrainingChoice, field: &mut Field) {
    let tooltip = "How a step follows the gradient (optimiser). AdamW suits almost everything; SGD needs a larger \
                   learning rate, which is set with it.";
    field(ui, "Optimiser", tooltip, &mut |ui| {
        let mut chosen = training.optimiser;
        let options = [OptimiserChoice::AdamW, OptimiserChoice::Sgd].map(|o| (o, o.name()));
        let response = choice(ui, "Optimiser", &mut chosen, &options);
        training.set_optimiser(chosen);
        response
    });
    let decay = match training.optimiser {
        OptimiserChoice::AdamW => {
            "Pulls weights towards zero (weight decay, decoupled); none on norms and biases"
        }
        OptimiserChoice::Sgd => {
            let tooltip = "How much of the last step goes on into the next (momentum)";
            field(ui, "Momentum", tooltip, &mut |ui| {
                ui.add(egui::DragValue::new(&mut training.momentum).range(0.0..=MOST_MOMENTUM).speed(0.005))
            });
            "Pulls weights towards zero (weight decay, a part of the gradient); none on norms and biases"
        }
    };
    field(ui, "Weight decay", decay, &mut |ui| {
        ui.add(egui::DragValue::new(&mut training.weight_decay).range(0.0..=1.0).speed(0.001).max_decimals(6))
    });
    let tooltip =
        "A gradient that is longer is scaled down to this (gradient clipping by global norm); 0 is off";
    field(ui, "Gradient limit", tooltip, &mut |ui| {
        ui.add(
            egui::DragValue::new(&mut training.clip)
                .range(0.0..=MOST_CLIP)
                .speed(0.01)
                .custom_formatter(|v, _| if v == 0.0 { "off".to_string() } else { format!("{v}") })
                .custom_parser(|t| if t.trim() == "off" { Some(0.0) } else { t.trim().parse().ok() }),
        )
    });
}

/// A field with few values to choose from, its `name` unlike those beside it; the response says whether another was
/// chosen.
fn choice<T: Copy + PartialEq>(
    ui: &mut Ui,
    name: &str,
    chosen: &mut T,
    options: &[(T, &str)],
) -> egui::Response {
    let before = *chosen;
    let shown = options.iter().find(|(value, _)| *value == before).map_or("", |(_, words)| words);
    let combo = egui::ComboBox::from_id_salt(name).width(FIELD).selected_text(shown);
    let mut response = combo
        .show_ui(ui, |ui| {
            for (value, words) in options {
                ui.selectable_value(chosen, *value, *words);
            }
        })
        .response;
    if *chosen != before {
        response.mark_changed();
    }
    response
}
