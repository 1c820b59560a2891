//! Train: the recipe, live curves, earlier runs, what went wrong.

use super::super::theme::{self, Tokens};
use super::super::widgets::{action_button, banner, card, dim, fact_row, page_head, section, text_in};
use super::super::{Actions, Scene};
use super::curves::curves;
use super::duration;
use super::recipe_form::recipe_form;
use crate::backbone::CutName;
use crate::project::RunState;
use crate::session::runs::{AlarmKind, RunView, alarms};
use crate::session::{Job, JobView, OpenProject, Phase, View};
use crate::task::{Format, Paired};
use egui::{Align, Color32, CornerRadius, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2};

/// Buttons, curves, alarms, runs.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let Some(project) = &scene.session.project else { return };
    let shown = shown_run(scene);
    page_head(ui, "Train", &sentence(scene, project, shown), |ui| buttons(ui, scene, out));
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        curves(ui, project, shown, shown.and_then(|run| probe(project, run)));
        if let Some(run) = shown {
            for alarm in alarms(run, probe(project, run)) {
                let tokens = Tokens::of(ui.ctx());
                let colour = match alarm.kind {
                    AlarmKind::Note => tokens.ice,
                    AlarmKind::Good => tokens.ok,
                    AlarmKind::Warning => tokens.warning,
                    AlarmKind::Bad => tokens.error,
                };
                banner(ui, colour, &alarm.title, &alarm.text);
            }
        }
        runs_table(ui, scene, project, out);
    });
}

/// The run that is looked at, or else the best, or one that has no result yet.
fn shown_run<'s>(scene: &Scene<'s>) -> Option<&'s RunView> {
    let project = scene.session.project.as_ref()?;
    let chosen = project.selected_run.as_ref().and_then(|name| project.runs.iter().find(|r| r.name == *name));
    chosen.or(scene.session.judged_run()).or(project.runs.last())
}

/// The best run that trained the head only; none beside a run that did so itself.
fn probe<'p>(project: &'p OpenProject, run: &RunView) -> Option<&'p RunView> {
    if run.frostline == Some(CutName::Head) {
        return None;
    }
    let is_probe =
        |r: &&RunView| r.frostline == Some(CutName::Head) && r.compares_with(run) && r.best_score.is_some();
    let frozen = project.runs.iter().filter(is_probe);
    frozen.max_by(|a, b| {
        let gain = run.chief.gain(a.best_score.unwrap_or(0.0), b.best_score.unwrap_or(0.0));
        gain.total_cmp(&0.0)
    })
}

/// What the frozen layers are computed for, and how long all of it takes; only while they are.
fn warming(job: &JobView, epochs: u32) -> Option<String> {
    let (Phase::Named(words), Some((done, total))) = (&job.phase, job.count) else { return None };
    let rate = job.rate.map(|rate| format!(", {rate:.0} a second")).unwrap_or_default();
    let left = job.seconds_left.map(|s| format!("; about {} in all", duration(s))).unwrap_or_default();
    let mut words = words.clone();
    if let Some(first) = words.get(..1).map(str::to_uppercase) {
        words.replace_range(..1, &first);
    }
    Some(format!("{words}, once for each sample: {done} of {total}{rate}. Then {epochs} epochs{left}."))
}

fn sentence(scene: &Scene, project: &OpenProject, run: Option<&RunView>) -> String {
    let Some(run) = run else {
        return "Nothing has been trained yet. The values on the right are a good start.".to_string();
    };
    let epochs = run.recipe.as_ref().unwrap_or(&project.recipe).training.epochs;
    let best = match (run.best_epoch, run.best_score) {
        (Some(epoch), Some(score)) => {
            format!("Best so far: epoch {epoch}, {} on validation.", scored(run, score))
        }
        _ => "No epoch has ended yet.".to_string(),
    };
    match run.state {
        RunState::Running => {
            let job = scene.session.job.as_ref().filter(|job| job.can_pause);
            if let Some(words) = job.and_then(|job| warming(job, epochs)) {
                return words;
            }
            if job.is_some_and(|job| job.paused) {
                return format!("Run {} is paused {}. {best}", run.number(), run.after_words());
            }
            let epoch = (run.val_loss.len() as u32 + 1).min(epochs);
            format!("Epoch {epoch} of {epochs}. {best}")
        }
        RunState::Stopped => format!("Run {} was stopped {}. {best}", run.number(), run.after_words()),
        RunState::Failed => format!("Run {} failed {}. {best}", run.number(), run.after_words()),
        RunState::Finished => format!("Run {}. {best}", run.number()),
    }
}

/// A share speaks for itself, another score with its name.
fn scored(run: &RunView, score: f64) -> String {
    match run.chief.format {
        Format::Share => run.chief.format(score),
        Format::Index | Format::Amount => format!("{} {}", run.chief.words, run.chief.format(score)),
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

fn runs_table(ui: &mut Ui, scene: &Scene, project: &OpenProject, out: &mut Actions) {
    if project.runs.is_empty() {
        return;
    }
    let tokens = Tokens::of(ui.ctx());
    card(ui, |ui| {
        ui.set_width(ui.available_width());
        let shown = shown_run(scene).map(|r| r.name.clone());
        row(
            ui,
            ["Run", "What differed", "Validation", "Time in all", "State"],
            theme::caption(),
            [tokens.dim; 5],
            None,
        );
        for run in project.runs.iter().rev() {
            let validation = run.best_words();
            let job = scene.session.job.as_ref().filter(|job| job.can_pause);
            let (state, colour) = match run.state {
                RunState::Running if job.is_some_and(|job| job.paused) => ("paused", tokens.warning),
                RunState::Running => ("running", tokens.ice),
                RunState::Finished => ("done", tokens.ok),
                RunState::Stopped => ("stopped", tokens.warning),
                RunState::Failed => ("failed", tokens.error),
            };
            let name = format!("Run {}", run.number());
            let colours = [tokens.text, tokens.dim, tokens.text, tokens.dim, colour];
            let selected = shown.as_deref() == Some(&run.name);
            let cells =
                [name.as_str(), run.difference.as_str(), &validation, &duration(run.all_seconds()), state];
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
    let run = shown_run(scene);
    let speed = job.and_then(|j| Some(format!("{:.0} {}", j.rate?, j.rate_words)));
    fact_row(ui, "Speed", &speed.unwrap_or("-".into()));
    if let Some(run) = run.filter(|run| run.warm_seconds > 0.0) {
        fact_row(ui, "Frozen layers", &duration(run.warm_seconds));
    }
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
    let of_run = run.and_then(|run| scene.session.estimate_of(run));
    if let Some(estimate) = of_run.or_else(|| scene.session.estimate(None)) {
        fact_row(ui, "Memory, about", &super::bytes(estimate.memory_bytes));
        fact_row(ui, "Cache", &super::bytes(estimate.cache_bytes));
    }
    if let Some((run, probe)) = run.and_then(|run| Some((run, probe(project, run)?))) {
        against(ui, run, probe);
    }
}

/// The probe's own score beside the run's, and what a test over the same samples says.
fn against(ui: &mut Ui, run: &RunView, probe: &RunView) {
    ui.add_space(theme::SPACE);
    section(ui, "Against the probe");
    fact_row(ui, &format!("Run {}, head only", probe.number()), &probe.best_words());
    fact_row(ui, &format!("Run {}", run.number()), &run.best_words());
    let Some(Paired { better, worse, chance }) = run.paired_with(probe) else {
        dim(ui, "Whether the difference is chance is told when the run has ended.");
        return;
    };
    let of = |count: usize| format!("{count} of {}", run.validation_samples);
    fact_row(ui, "Better here", &of(better));
    fact_row(ui, "Worse here", &of(worse));
    let response = ui.scope(|ui| fact_row(ui, "Chance of that by luck", &luck(chance))).response;
    response.on_hover_text("Exact sign test over the same samples; for right and wrong it is McNemar's test");
}

fn luck(chance: f64) -> String {
    if chance < 0.001 { "below 0.1 %".to_string() } else { format!("{:.1} %", 100.0 * chance) }
}
