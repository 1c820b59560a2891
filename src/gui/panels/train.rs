//! Train: the recipe, live curves, earlier runs, what went wrong.

use super::super::theme::{self, Tokens};
use super::super::widgets::{action_button, banner, card, dim, fact_row, page_title, section};
use super::super::{Actions, Scene};
use super::duration;
use crate::project::RunState;
use crate::project::recipe::TrainingChoice;
use crate::session::runs::{AlarmKind, RunView, alarms};
use crate::session::{Action, OpenProject};
use egui::{Align, Color32, CornerRadius, Layout, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2};
use egui_plot::{HoverPosition, Line, LineStyle, Plot, PlotPoint, PlotPoints};

/// Buttons, curves, alarms, runs.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let Some(project) = &scene.session.project else { return };
    let shown = shown_run(project);
    ui.horizontal(|ui| {
        ui.vertical(|ui| page_title(ui, "Train", &sentence(project, shown)));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| buttons(ui, scene, out));
    });
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

fn number(run: &RunView) -> &str {
    run.name.trim_start_matches('0')
}

fn sentence(project: &OpenProject, run: Option<&RunView>) -> String {
    let Some(run) = run else {
        return "Nothing has been trained yet. The values on the right are a good start.".to_string();
    };
    let epochs = project.recipe.training.epochs;
    let best = match (run.best_epoch, run.best_accuracy) {
        (Some(epoch), Some(accuracy)) => {
            format!("Best so far: epoch {epoch}, {:.1} % on validation.", 100.0 * accuracy)
        }
        _ => "No epoch has ended yet.".to_string(),
    };
    match run.state {
        RunState::Running => format!("Epoch {} of {epochs}. {best}", run.val_loss.len() + 1),
        _ => format!("Run {}. {best}", number(run)),
    }
}

fn buttons(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let session = scene.session;
    if !session.is_training() {
        action_button(ui, session, &Action::Train, "Train", true, out);
        if session.why_not(&Action::Resume).is_none() {
            action_button(ui, session, &Action::Resume, "Resume", false, out);
        }
        return;
    }
    action_button(ui, session, &Action::Stop, "Stop, keep best", false, out);
    let paused = session.job.as_ref().is_some_and(|j| j.paused);
    let text = if paused { "Go on" } else { "Pause" };
    action_button(ui, session, &Action::Pause(!paused), text, false, out);
}

fn curves(ui: &mut Ui, project: &OpenProject, shown: Option<&RunView>) {
    let log_id = ui.scope_id().with("log-axis");
    let mut log = ui.data(|d| d.get_temp::<bool>(log_id)).unwrap_or(false);
    ui.columns(2, |columns| {
        card(&mut columns[0], |ui| {
            ui.horizontal(|ui| {
                section(ui, "Loss");
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.checkbox(&mut log, "log").on_hover_text("Logarithmic axis");
                    legend(ui, false, shown, project);
                });
            });
            loss_plot(ui, project, shown, log);
        });
        card(&mut columns[1], |ui| {
            ui.horizontal(|ui| {
                section(ui, "Accuracy");
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| legend(ui, true, shown, project));
            });
            accuracy_plot(ui, project, shown);
        });
    });
    ui.data_mut(|d| d.insert_temp(log_id, log));
}

fn legend(ui: &mut Ui, accuracy: bool, shown: Option<&RunView>, project: &OpenProject) {
    let tokens = Tokens::of(ui.ctx());
    let mut entry = |name: &str, colour: Color32| {
        ui.label(RichText::new(name).font(theme::caption()).color(tokens.dim));
        let (rect, _) = ui.allocate_exact_size(vec2(10.0, 3.0), Sense::hover());
        ui.painter().rect_filled(rect, CornerRadius::same(1), colour);
    };
    if project.runs.len() > usize::from(shown.is_some()) {
        entry("other runs", tokens.faint);
    }
    entry("validation", tokens.ice);
    if !accuracy {
        entry("train", tokens.ember);
    }
}

fn plot<'a>(name: &'a str, log: bool) -> Plot<'a> {
    Plot::new(name)
        .height(250.0)
        .allow_scroll(false)
        .show_background(false)
        .show_grid([false, true])
        .set_margin_fraction(vec2(0.02, 0.06))
        .label_formatter(move |hover| match hover {
            HoverPosition::NearDataPoint { plot_name, position, .. } => {
                let y = if log { 10f64.powf(position.y) } else { position.y };
                Some(format!("{plot_name}\nepoch {:.1}\n{y:.4}", position.x))
            }
            HoverPosition::Elsewhere { .. } => None,
        })
}

fn points(values: &[[f64; 2]], log: bool) -> Vec<PlotPoint> {
    let y = |v: f64| if log { v.max(1e-9).log10() } else { v };
    values.iter().map(|p| PlotPoint::new(p[0], y(p[1]))).collect()
}

fn loss_plot(ui: &mut Ui, project: &OpenProject, shown: Option<&RunView>, log: bool) {
    let tokens = Tokens::of(ui.ctx());
    let others: Vec<(&RunView, Vec<PlotPoint>)> = project
        .runs
        .iter()
        .filter(|r| shown.is_none_or(|s| s.name != r.name))
        .map(|r| (r, points(&r.val_loss, log)))
        .collect();
    let own = shown.map(|run| (points(&run.train_loss, log), points(&run.val_loss, log)));
    let response = plot("loss", log)
        .y_axis_formatter(move |mark, _| {
            if log { format!("{:.2}", 10f64.powf(mark.value)) } else { format!("{:.1}", mark.value) }
        })
        .show(ui, |plot| {
            for (run, points) in &others {
                let line = Line::new(format!("run {} validation", number(run)), PlotPoints::Borrowed(points));
                plot.line(line.color(tokens.faint).style(LineStyle::dashed_loose()));
            }
            if let Some((train, validation)) = &own {
                plot.line(Line::new("train", PlotPoints::Borrowed(train)).color(tokens.ember).width(1.5));
                plot.line(
                    Line::new("validation", PlotPoints::Borrowed(validation)).color(tokens.ice).width(2.0),
                );
            }
        })
        .response;
    let spoken = spoken("Loss", shown.map(|r| r.val_loss.as_slice()));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &spoken));
}

fn accuracy_plot(ui: &mut Ui, project: &OpenProject, shown: Option<&RunView>) {
    let tokens = Tokens::of(ui.ctx());
    let others: Vec<(&RunView, Vec<PlotPoint>)> = project
        .runs
        .iter()
        .filter(|r| shown.is_none_or(|s| s.name != r.name))
        .map(|r| (r, points(&r.val_accuracy, false)))
        .collect();
    let own = shown.map(|run| points(&run.val_accuracy, false));
    let response = plot("accuracy", false)
        .include_y(0.0)
        .include_y(1.0)
        .y_axis_formatter(|mark, _| format!("{:.0} %", 100.0 * mark.value))
        .show(ui, |plot| {
            for (run, points) in &others {
                let line = Line::new(format!("run {} validation", number(run)), PlotPoints::Borrowed(points));
                plot.line(line.color(tokens.faint).style(LineStyle::dashed_loose()));
            }
            if let Some(validation) = &own {
                plot.line(
                    Line::new("validation", PlotPoints::Borrowed(validation)).color(tokens.ice).width(2.0),
                );
            }
        })
        .response;
    let spoken = spoken("Accuracy", shown.map(|r| r.val_accuracy.as_slice()));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &spoken));
}

/// What a plot says to those who do not see it.
fn spoken(name: &str, validation: Option<&[[f64; 2]]>) -> String {
    match validation.and_then(<[_]>::last) {
        Some([epoch, value]) => format!("{name} by epoch; on validation {value:.4} after epoch {epoch}"),
        None => format!("{name} by epoch; no epoch has ended yet"),
    }
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
            ["Run", "Trained above", "Validation", "Time", "State"],
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
            let name = format!("Run {}", number(run));
            let colours = [tokens.text, tokens.dim, tokens.text, tokens.dim, colour];
            let selected = shown.as_deref() == Some(&run.name);
            let cells = [name.as_str(), run.frostline.as_str(), &validation, &duration(run.seconds), state];
            let response = row(ui, cells, theme::body(), colours, Some(selected));
            response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &name));
            if response.clicked() {
                out.push(Action::SelectRun(Some(run.name.clone())));
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
    for ((cell, colour), share) in cells.into_iter().zip(colours).zip([0.01, 0.12, 0.46, 0.64, 0.80]) {
        let place = egui::pos2(rect.left() + share * rect.width(), rect.center().y);
        ui.painter().text(place, egui::Align2::LEFT_CENTER, cell, font.clone(), colour);
    }
    response
}

/// The recipe and the figures of the run.
pub fn inspector(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let Some(project) = &scene.session.project else { return };
    section(ui, "Recipe");
    recipe_form(ui, project, out);
    ui.add_space(theme::SPACE);
    section(ui, "Now");
    let job = scene.session.job.as_ref().filter(|j| j.can_pause);
    let run = shown_run(project);
    fact_row(ui, "Speed", &job.and_then(|j| j.rate).map_or("-".into(), |r| format!("{r:.0} samples/s")));
    let last = |values: &[[f64; 2]], digits: usize| {
        values.last().map_or("-".to_string(), |p| format!("{:.digits$}", p[1]))
    };
    fact_row(ui, "Loss, train", &run.map_or("-".into(), |r| last(&r.train_loss, 4)));
    fact_row(ui, "Loss, validation", &run.map_or("-".into(), |r| last(&r.val_loss, 4)));
    fact_row(ui, "Best epoch", &run.and_then(|r| r.best_epoch).map_or("-".into(), |e| e.to_string()));
    if let Some(estimate) = scene.session.estimate(None) {
        fact_row(ui, "Memory, about", &super::bytes(estimate.memory_bytes));
        fact_row(ui, "Cache", &super::bytes(estimate.cache_bytes));
    }
}

/// Every field checks itself; what is wrong stands below it and nothing is trained until it is mended.
fn recipe_form(ui: &mut Ui, project: &OpenProject, out: &mut Actions) {
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
    egui::CollapsingHeader::new("More settings").show(ui, |ui| more_fields(ui, &mut training, &mut field));
    if let Err(why) = project.recipe.check() {
        let tokens = Tokens::of(ui.ctx());
        ui.label(RichText::new(why).color(tokens.error));
    }
    if let Some(name) = changed.filter(|_| training != *now) {
        out.push(Action::SetTraining { training, field: name });
    }
}

type Field<'f> = dyn FnMut(&mut Ui, &'static str, &str, &mut dyn FnMut(&mut Ui) -> egui::Response) + 'f;

fn more_fields(ui: &mut Ui, training: &mut TrainingChoice, field: &mut Field) {
    let speed = 0.005;
    field(ui, "Backbone rate", "The thawed layers learn at this multiple of the learning rate", &mut |ui| {
        ui.add(egui::DragValue::new(&mut training.backbone_rate).range(0.0..=10.0).speed(speed))
    });
    field(
        ui,
        "Weight decay",
        "Pulls weights towards zero (decoupled, AdamW); none on norms and biases",
        &mut |ui| ui.add(egui::DragValue::new(&mut training.weight_decay).range(0.0..=1.0).speed(0.001)),
    );
    field(ui, "Warm-up", "Share of all steps over which the rate rises", &mut |ui| {
        ui.add(egui::DragValue::new(&mut training.warmup).range(0.0..=1.0).speed(speed))
    });
    field(ui, "Dropout", "Share of values dropped in thawed transformer layers", &mut |ui| {
        ui.add(egui::DragValue::new(&mut training.dropout).range(0.0..=0.9).speed(speed))
    });
    field(ui, "Seed", "Decides the order of samples and the first weights of the head", &mut |ui| {
        ui.add(egui::DragValue::new(&mut training.seed))
    });
    dim(ui, "Schedule: a linear rise, then half a cosine down to zero.");
}
