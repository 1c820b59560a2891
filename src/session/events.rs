//! What each event of the worker changes.

use super::projects::Recent;
use super::runs::RunView;
use super::{Effect, EvaluationView, Exported, Pending, Session, Step, ToastKind, scores};
use crate::control::Fact;
use crate::data::index::DatasetIndex;
use crate::problem::Problem;
use crate::project::RunState;
use crate::project::run::EpochRecord;
use crate::worker::{Command, Event, JobId, Outcome};
use std::sync::Arc;

/// Samples that a card of the start screen shows.
const CARD_SAMPLES: usize = 3;

impl Session {
    /// Takes note of an event; what follows from it comes back.
    pub fn on_event(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Fact { job, fact } => {
                self.on_fact(job, fact);
                Vec::new()
            }
            Event::Finished { job, outcome } => {
                let pending = self.end(job);
                self.on_outcome(pending, *outcome)
            }
            Event::Stopped { job, problem } => {
                let pending = self.end(job);
                self.on_unfinished(pending, RunState::Stopped, &problem);
                self.toast(ToastKind::Note, "Stopped", &problem.remedy);
                self.read_runs()
            }
            Event::Failed { job, problem } => {
                let pending = self.end(job);
                let title = match &pending {
                    Some(Pending::NewData | Pending::OpenProject { .. }) => "Nothing was opened",
                    Some(Pending::Training { .. }) => "The run failed",
                    Some(Pending::Evaluation) => "Nothing was evaluated",
                    Some(Pending::Try) => "There is no answer",
                    Some(Pending::Export) => "Nothing was exported",
                    _ => "This did not work",
                };
                self.on_unfinished(pending, RunState::Failed, &problem);
                self.fail(title, &problem);
                self.read_runs()
            }
        }
    }

    fn end(&mut self, job: JobId) -> Option<Pending> {
        if self.job.as_ref().is_some_and(|j| j.id == job) {
            self.job = None;
        }
        self.pending.remove(&job)
    }

    fn on_unfinished(&mut self, pending: Option<Pending>, state: RunState, problem: &Problem) {
        self.tries.waiting &= pending != Some(Pending::Try);
        if let (Some(Pending::Training { .. }), Some(project)) = (pending, &mut self.project)
            && let Some(run) = project.runs.last_mut().filter(|r| r.state == RunState::Running)
        {
            run.state = state;
            run.failure = (state == RunState::Failed).then(|| problem.to_string());
        }
    }

    fn on_fact(&mut self, job: JobId, fact: Fact) {
        let is_shown = self.job.as_ref().is_some_and(|j| j.id == job);
        match &fact {
            Fact::Progress { what, done, total } if is_shown => {
                if let Some(job) = &mut self.job {
                    let elapsed = job.started.elapsed().as_secs_f64();
                    if job.what != *what {
                        job.what = (*what).to_string();
                        job.started = std::time::Instant::now();
                    }
                    job.done = *done as f64 / (*total).max(1) as f64;
                    job.rate = (elapsed > 0.2).then(|| *done as f64 / elapsed);
                    let left = total.saturating_sub(*done) as f64;
                    job.seconds_left = job.rate.filter(|r| *r > 0.0).map(|r| left / r);
                }
            }
            Fact::Step { .. } | Fact::Epoch { .. } => self.on_training(job, &fact),
            Fact::Cache { items, bytes, seconds, .. } => {
                let what = format!(
                    "{items} samples through the frozen layers in {seconds:.1} s, {bytes} bytes cached"
                );
                self.log.push(what);
            }
            Fact::Warning { what } => {
                self.log.push(what.clone());
                if is_shown && what.starts_with("left out") {
                    self.toast(ToastKind::Warning, "A sample was left out", what);
                }
            }
            _ => {}
        }
    }

    fn on_training(&mut self, job: JobId, fact: &Fact) {
        let Some(project) = &mut self.project else { return };
        let epochs = f64::from(project.recipe.training.epochs.max(1));
        let train = project.split.as_ref().map_or(1, |s| s.train.len());
        let per_epoch = train.div_ceil(project.recipe.training.batch_size.max(1)).max(1) as f64;
        let Some(run) = project.runs.last_mut() else { return };
        match fact {
            Fact::Step { epoch, step, loss, .. } => {
                let position = *step as f64 / per_epoch;
                run.add_step(position, *loss);
                if let Some(view) = self.job.as_mut().filter(|j| j.id == job) {
                    if view.what != "training" {
                        view.what = "training".to_string();
                        view.started = std::time::Instant::now();
                    }
                    view.name =
                        format!("Run {}, epoch {epoch} of {epochs}", run.name.trim_start_matches('0'));
                    view.done = position / epochs;
                    let elapsed = view.started.elapsed().as_secs_f64();
                    let left = (1.0 - view.done).max(0.0) / view.done.max(1e-9);
                    view.seconds_left = (elapsed > 0.3).then_some(elapsed * left);
                }
            }
            Fact::Epoch {
                epoch,
                train_loss,
                val_loss,
                val_accuracy,
                val_macro_f1,
                seconds,
                samples_per_second,
            } => {
                run.add_epoch(&EpochRecord {
                    epoch: *epoch,
                    train_loss: *train_loss,
                    val_loss: *val_loss,
                    val_accuracy: *val_accuracy,
                    val_macro_f1: *val_macro_f1,
                    seconds: *seconds,
                    samples_per_second: *samples_per_second,
                });
                if let Some(view) = self.job.as_mut().filter(|j| j.id == job) {
                    view.rate = Some(*samples_per_second);
                }
            }
            _ => {}
        }
    }

    fn on_outcome(&mut self, pending: Option<Pending>, outcome: Outcome) -> Vec<Effect> {
        match outcome {
            Outcome::Backbones { backbones, problems } => {
                for problem in problems {
                    self.log.push(format!("backbone left out: {problem}"));
                }
                let count = backbones.len();
                self.status =
                    format!("{count} backbone{} on this machine", if count == 1 { "" } else { "s" });
                self.backbones = backbones;
                if self.project.is_some() {
                    self.recipe_changed();
                }
                self.ask_about_backbone()
            }
            Outcome::Scanned { index, .. } => self.on_scanned(pending, index),
            Outcome::Inspected { backbone, layers } => {
                self.weights.insert(backbone, layers);
                Vec::new()
            }
            Outcome::Filters { layer, tiles, .. } => {
                self.filters = Some((layer, tiles));
                Vec::new()
            }
            Outcome::Calibrated { backbone, calibration } => {
                self.calibrations.insert(backbone, calibration);
                Vec::new()
            }
            Outcome::Runs { project, runs } => {
                let training = self.is_training();
                if let Some(open) = self.project.as_mut().filter(|p| p.folder == project) {
                    // A run that began meanwhile is not on disk yet, or not with all its steps.
                    let live: Vec<RunView> = open
                        .runs
                        .drain(..)
                        .filter(|run| run.state == RunState::Running && training)
                        .collect();
                    open.runs = runs.into_iter().map(|r| RunView::of(&r.record, r.step_losses)).collect();
                    open.runs.retain(|run| live.iter().all(|l| l.name != run.name));
                    open.runs.extend(live);
                }
                self.remember_project();
                Vec::new()
            }
            Outcome::Trained { record } => {
                self.status = format!("Run {} finished", record.run.trim_start_matches('0'));
                if let Some(project) = &mut self.project
                    && let Some(run) = project.runs.iter_mut().find(|r| r.name == record.run)
                {
                    *run = RunView::of(&record, std::mem::take(&mut run.train_loss));
                }
                self.remember_project();
                Vec::new()
            }
            Outcome::Evaluated { run, what, evaluation } => {
                let intervals = scores::intervals(&evaluation);
                if let Some(project) = &mut self.project {
                    let run = run.unwrap_or_default();
                    project.evaluation =
                        Some(EvaluationView { what, run, evaluation, intervals, cell: None });
                }
                Vec::new()
            }
            Outcome::Tried { predictions } => {
                self.tries.waiting = false;
                self.tries.predictions = predictions;
                Vec::new()
            }
            Outcome::Hub(_) => Vec::new(),
            Outcome::Exported { out, bytes, labels, thawed, golden } => {
                self.exported = Some(Exported { out, bytes, labels, thawed, golden });
                Vec::new()
            }
        }
    }

    fn on_scanned(&mut self, pending: Option<Pending>, index: Arc<DatasetIndex>) -> Vec<Effect> {
        let shown = match pending {
            Some(Pending::OpenProject { folder, recipe }) => {
                self.show_project(folder, *recipe, Arc::clone(&index));
                Ok(())
            }
            _ => self.project_from(Arc::clone(&index)),
        };
        match shown {
            Ok(()) => {
                self.status = index.layout.to_string();
                let mut effects = self.ask_about_backbone();
                effects.extend(self.read_runs());
                effects
            }
            Err(problem) => {
                self.fail("Nothing was opened", &problem);
                Vec::new()
            }
        }
    }

    /// Asks for the runs of the open project.
    fn read_runs(&mut self) -> Vec<Effect> {
        let Some(project) = self.project.as_ref().map(|p| p.folder.clone()) else { return Vec::new() };
        let job = self.new_job(Pending::Quiet);
        vec![Effect::Send(Command::Runs { job, project })]
    }

    pub(super) fn begin_live_run(&mut self, name: &str, resume: bool) {
        let frostline = self.project.as_ref().zip(self.backbone()).and_then(|(project, backbone)| {
            let cut = project.mask.as_ref()?.frostline(&backbone.tree, backbone.cuts.len());
            Some(backbone.cuts.get(cut)?.name.clone())
        });
        let Some(project) = &mut self.project else { return };
        let validation = project.split.as_ref().map_or(0, |s| s.validation.len());
        match project.runs.last_mut().filter(|_| resume) {
            Some(run) => run.state = RunState::Running,
            None => project.runs.push(RunView::live(name, &frostline.unwrap_or_default(), validation)),
        }
        project.selected_run = Some(name.to_string());
        self.exported = None;
    }

    pub(super) fn remember_project(&mut self) {
        let Some(project) = &self.project else { return };
        let result = self.newest_result().map_or("Not trained yet".to_string(), |run| {
            let share = 100.0 * run.best_accuracy.unwrap_or(0.0);
            format!("Run {}: {share:.1} %", run.name.trim_start_matches('0'))
        });
        let every = (project.index.items.len() / CARD_SAMPLES).max(1);
        let samples: Vec<_> = project.index.items.iter().step_by(every).take(CARD_SAMPLES).collect();
        let recent = Recent {
            folder: project.folder.clone(),
            name: project.title.clone(),
            result,
            pictures: samples
                .iter()
                .filter(|i| i.text.is_none())
                .map(|i| project.index.full_path(i))
                .collect(),
            texts: samples
                .iter()
                .filter_map(|i| Some((i.text.clone()?, project.index.classes.get(i.class)?.clone())))
                .collect(),
        };
        self.remembered.remember(recent);
        self.keep_memory();
    }

    /// The step that comes next, for the link at the foot of the window.
    pub fn next_step(&self) -> Option<Step> {
        let position = Step::ALL.iter().position(|s| *s == self.step)?;
        Step::ALL.get(position + 1).copied()
    }
}
