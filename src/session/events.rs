//! What each event of the worker changes.

use super::layers::thawed_words;
use super::projects::Recent;
use super::runs::{RunView, tell_differences};
use super::{Asked, Effect, EvaluationView, Exported, JobView, Pending, Session, Step, ToastKind};
use crate::control::Fact;
use crate::data::index::DatasetIndex;
use crate::problem::Problem;
use crate::project::RunState;
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
            // What nobody waits for any more is passed over: something else was asked for since.
            Event::Finished { job, outcome } => match self.end(job) {
                Some(asked) => {
                    self.end_hub_job(job, &asked.what, None);
                    self.on_outcome(asked, *outcome)
                }
                None => Vec::new(),
            },
            Event::Stopped { job, problem } => {
                let Some(asked) = self.end(job) else { return Vec::new() };
                self.end_hub_job(job, &asked.what, Some(&problem));
                self.toast(ToastKind::Note, "Stopped", &problem.remedy);
                self.on_unfinished(&asked, RunState::Stopped, &problem)
            }
            Event::Failed { job, problem } => {
                let Some(asked) = self.end(job) else { return Vec::new() };
                self.end_hub_job(job, &asked.what, Some(&problem));
                let title = match &asked.what {
                    Pending::NewData | Pending::OpenProject { .. } => "Nothing was opened",
                    Pending::Training { .. } => "The run failed",
                    Pending::Evaluation => "Nothing was evaluated",
                    Pending::Try => "There is no answer",
                    Pending::Export => "Nothing was exported",
                    Pending::Runs => "The runs were not read",
                    Pending::Backbones => "The backbones were not found",
                    Pending::Speed(_) => "The speed was not measured",
                    Pending::Weights(_) | Pending::Filters => "The weights were not read",
                    Pending::ModelSearch => "The search did not work",
                    Pending::ModelPage(_) => "The model's page was not read",
                    Pending::ModelDownload => "Nothing was downloaded",
                    Pending::Models => "The backbones stay as they are",
                };
                self.fail(title, &problem);
                self.on_unfinished(&asked, RunState::Failed, &problem)
            }
        }
    }

    fn end(&mut self, job: JobId) -> Option<Asked> {
        if self.job.as_ref().is_some_and(|j| j.id == job) {
            self.job = None;
        }
        self.pending.remove(&job)
    }

    fn on_unfinished(&mut self, asked: &Asked, state: RunState, problem: &Problem) -> Vec<Effect> {
        match &asked.what {
            Pending::Try => self.tries.waiting = self.is_pending(&Pending::Try),
            Pending::Backbones => return self.take_early_data(),
            Pending::Training { run } => {
                if let Some(run) = self.run_of(asked, run) {
                    run.state = state;
                    run.failure = (state == RunState::Failed).then(|| problem.to_string());
                }
                // The disk knows best what is left of it.
                return self.read_runs();
            }
            _ => {}
        }
        Vec::new()
    }

    /// A run as the window shows it, if its project is still open.
    fn run_of(&mut self, asked: &Asked, name: &str) -> Option<&mut RunView> {
        let project = self.project.as_mut().filter(|p| asked.project.as_ref() == Some(&p.folder))?;
        project.runs.iter_mut().find(|run| run.name == name)
    }

    fn is_open(&self, asked: &Asked) -> bool {
        asked.project.as_ref() == self.project.as_ref().map(|p| &p.folder)
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
            Fact::Step { .. } | Fact::Epoch(_) => self.on_training(job, &fact),
            Fact::Download { .. } => self.on_download(job, &fact),
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
        let Some(asked) = self.pending.get(&job).cloned() else { return };
        let Pending::Training { run: name } = &asked.what else { return };
        let mut shown = self.job.take_if(|j| j.id == job);
        let (epochs, per_epoch) = shown.as_ref().map_or((1, 1.0), |view| view.length);
        if let Some(run) = self.run_of(&asked, name) {
            follow(run, shown.as_mut(), fact, epochs, per_epoch);
        }
        self.job = shown.or(self.job.take());
    }

    fn on_outcome(&mut self, asked: Asked, outcome: Outcome) -> Vec<Effect> {
        match outcome {
            Outcome::Backbones { backbones, problems } => {
                for problem in problems {
                    self.log.push(format!("backbone left out: {problem}"));
                }
                let count = backbones.len();
                self.status =
                    format!("{count} backbone{} on this machine", if count == 1 { "" } else { "s" });
                self.backbones = backbones;
                self.refresh_models();
                if self.project.is_some() {
                    self.recipe_changed();
                }
                let mut effects = self.ask_about_backbone();
                effects.extend(self.take_early_data());
                effects
            }
            Outcome::Scanned { index, .. } => self.on_scanned(asked.what, index),
            Outcome::Inspected { backbone, layers } => {
                self.weights.insert(backbone, layers);
                Vec::new()
            }
            Outcome::Filters { layer, tiles, .. } => {
                self.filters = Some((layer, tiles));
                self.ask_for_filters()
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
                    open.runs = runs.into_iter().map(RunView::of).collect();
                    open.runs.retain(|run| live.iter().all(|l| l.name != run.name));
                    open.runs.extend(live);
                }
                self.tell_differences();
                self.remember_project();
                Vec::new()
            }
            Outcome::Trained { record } => {
                self.status = format!("Run {} finished", record.run.trim_start_matches('0'));
                let Pending::Training { run: name } = &asked.what else { return Vec::new() };
                let Some(run) = self.run_of(&asked, name) else { return Vec::new() };
                run.finish(&record);
                if let Some(project) = &mut self.project
                    && project.selected_run.as_ref() == Some(name)
                {
                    // Another program may have taken the number meanwhile.
                    project.selected_run = Some(record.run);
                }
                self.remember_project();
                self.read_runs()
            }
            Outcome::Evaluated { .. } | Outcome::Exported { .. } if !self.is_open(&asked) => Vec::new(),
            Outcome::Evaluated { run, what, evaluation } => {
                if let Some(project) = &mut self.project {
                    let run = run.unwrap_or_default();
                    self.status = format!("Run {} evaluated", run.trim_start_matches('0'));
                    let chief = evaluation.task.chief();
                    let score = chief.of(&evaluation.scores).map(|value| chief.format(value));
                    self.log.push(format!(
                        "run {run}: {} {} on {} samples",
                        chief.words.to_lowercase(),
                        score.unwrap_or_default(),
                        evaluation.samples
                    ));
                    project.evaluation = Some(EvaluationView { what, run, evaluation, cell: None });
                }
                Vec::new()
            }
            Outcome::Tried { predictions } => {
                self.tries.waiting = self.is_pending(&Pending::Try);
                if self.is_open(&asked) {
                    self.tries.predictions = predictions;
                }
                Vec::new()
            }
            Outcome::Hub(answer) => self.on_hub_answer(answer),
            Outcome::Exported { out, bytes, labels, thawed, golden } => {
                self.status = format!("Exported {}", crate::units::bytes(bytes));
                self.exported = Some(Exported { out, bytes, labels, thawed, golden });
                Vec::new()
            }
        }
    }

    /// Data that was dropped before the backbones were known.
    fn take_early_data(&mut self) -> Vec<Effect> {
        match self.early_data.take() {
            Some(index) => self.on_scanned(Pending::NewData, index),
            None => Vec::new(),
        }
    }

    fn on_scanned(&mut self, what: Pending, index: Arc<DatasetIndex>) -> Vec<Effect> {
        let shown = match what {
            Pending::OpenProject { folder, recipe } => {
                self.show_project(folder, *recipe, Arc::clone(&index));
                Ok(())
            }
            _ if self.is_pending(&Pending::Backbones) => {
                self.early_data = Some(index);
                return Vec::new();
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
        let job = self.new_job(Pending::Runs);
        vec![Effect::Send(Command::Runs { job, project })]
    }

    pub(super) fn begin_live_run(&mut self, name: &str, resume: bool) {
        let frostline = self.project.as_ref().zip(self.backbone()).and_then(|(project, backbone)| {
            let cut = project.mask.as_ref()?.frostline(&backbone.tree, backbone.cuts.len());
            backbone.cuts.get(cut).map(|cut| cut.name.clone())
        });
        let Some(project) = &mut self.project else { return };
        let validation = project.split.as_ref().map_or(0, |s| s.validation.len());
        match project.runs.last_mut().filter(|_| resume) {
            Some(run) => run.state = RunState::Running,
            None => {
                let task = &project.recipe.task;
                let run = RunView::live(name, frostline, validation, task);
                project.runs.push(RunView { recipe: Some(project.recipe.clone()), ..run });
            }
        }
        project.selected_run = Some(name.to_string());
        self.exported = None;
        self.tell_differences();
    }

    fn tell_differences(&mut self) {
        let backbones = &self.backbones;
        let Some(project) = &mut self.project else { return };
        tell_differences(&mut project.runs, |recipe| {
            match backbones.iter().find(|b| b.id == recipe.backbone.id) {
                Some(backbone) => thawed_words(&backbone.tree, &backbone.cuts, &recipe.freeze.thaw),
                None => recipe.freeze.thaw.join(", "),
            }
        });
    }

    pub(super) fn remember_project(&mut self) {
        let Some(project) = &self.project else { return };
        let result = self.newest_result().map_or("Not trained yet".to_string(), |run| {
            format!("Run {}: {}", run.number(), run.chief.format(run.best_score.unwrap_or(0.0)))
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
                .filter_map(|i| Some((i.text.clone()?, i.target.words(&project.index.classes))))
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

/// Notes a step or an epoch in the run and in the job bar.
fn follow(run: &mut RunView, view: Option<&mut JobView>, fact: &Fact, epochs: u32, per_epoch: f64) {
    match fact {
        Fact::Step { epoch, step, loss, lr } => {
            let position = *step as f64 / per_epoch;
            run.learning_rate = Some(*lr);
            run.add_step(position, *loss);
            let Some(view) = view else { return };
            if view.what != "training" {
                view.what = "training".to_string();
                view.rate = None;
                view.started = std::time::Instant::now();
                view.done_at_start = (position - 1.0 / per_epoch) / f64::from(epochs);
            }
            view.name = format!("Run {}, epoch {epoch} of {epochs}", run.number());
            view.done = position / f64::from(epochs);
            let elapsed = view.started.elapsed().as_secs_f64();
            let left = (1.0 - view.done).max(0.0) / (view.done - view.done_at_start).max(1e-9);
            view.seconds_left = (elapsed > 0.3).then_some(elapsed * left);
        }
        Fact::Epoch(record) => {
            run.add_epoch(record.clone());
            if let Some(view) = view {
                view.rate = Some(record.samples_per_second);
            }
        }
        _ => {}
    }
}
