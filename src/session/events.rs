//! What each event of the worker changes.

use super::apply::{CACHED, SAMPLES};
use super::runs::RunView;
use super::{Asked, Effect, JobView, Phase, Session, ToastKind};
use crate::control::{Fact, Progress, WarningKind};
use crate::project::RunState;
use crate::units::capitalised;
use crate::worker::{Command, Event, JobId, Long, Request};

impl Session {
    /// Takes note of an event; what follows from it comes back.
    pub fn on_event(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = match event {
            Event::Fact { job, fact } => {
                self.on_fact(job, fact);
                Vec::new()
            }
            // What nobody waits for any more is passed over: something else was asked for since.
            Event::Finished { job, outcome } => match self.end(job) {
                Some(asked) => {
                    self.end_hub_job(job, &asked.command, None);
                    let mut effects = self.begin_when_saved(job);
                    effects.extend(self.on_outcome(asked, *outcome));
                    effects
                }
                None => Vec::new(),
            },
            Event::Stopped { job, problem } => {
                let Some(asked) = self.end(job) else { return Vec::new() };
                self.end_hub_job(job, &asked.command, Some(&problem));
                let offer = self.offer(Some(&asked.command), &problem);
                let text = capitalised(&problem.remedy.in_window());
                self.toast_with(ToastKind::Note, "Stopped", &format!("{text}."), offer);
                let mut effects = self.on_unfinished(&asked, RunState::Stopped, &problem);
                effects.extend(self.begin_when_saved(job));
                effects
            }
            Event::Failed { job, problem } => {
                let Some(asked) = self.end(job) else { return Vec::new() };
                self.end_hub_job(job, &asked.command, Some(&problem));
                let mut effects = self.on_failed(job, &asked, &problem);
                effects.extend(self.begin_when_saved(job));
                effects
            }
        };
        effects.extend(self.write_memory());
        effects
    }

    fn end(&mut self, job: JobId) -> Option<Asked> {
        if self.job.as_ref().is_some_and(|j| j.id == job) {
            self.job = None;
        }
        self.pending.remove(&job)
    }

    /// Sends what waited for `job` to write a recipe.
    fn begin_when_saved(&mut self, job: JobId) -> Vec<Effect> {
        let waiting = self.waits_for_save.take_if(|(save, _)| *save == job);
        waiting.map(|(_, request)| Effect::Send(request)).into_iter().collect()
    }

    /// Gives up the training that waited for `job` to write its recipe; `None` where none did.
    pub(super) fn give_up_training(&mut self, job: JobId) -> Option<Asked> {
        let is_training = |request: &Request| matches!(request.command, Command::Long(Long::Train { .. }));
        let waiting = self.waits_for_save.take_if(|(save, request)| *save == job && is_training(request));
        let (_, training) = waiting?;
        self.end(training.job)
    }

    /// A run as the window shows it, if its project is still open.
    pub(super) fn run_of(&mut self, asked: &Asked) -> Option<&mut RunView> {
        let name = asked.run.as_ref()?;
        let project = self.project.as_mut().filter(|p| asked.project.as_ref() == Some(&p.folder))?;
        project.runs.iter_mut().find(|run| run.name == *name)
    }

    pub(super) fn is_open(&self, asked: &Asked) -> bool {
        asked.project.as_ref() == self.project.as_ref().map(|p| &p.folder)
    }

    fn on_fact(&mut self, job: JobId, fact: Fact) {
        match &fact {
            Fact::Progress(Progress::Work { what, done, total }) => {
                self.on_progress(job, what, *done, *total)
            }
            Fact::Step { .. } | Fact::Epoch(_) => self.on_training(job, &fact),
            Fact::Progress(Progress::Download { all_bytes, all_total, bytes_per_second, .. }) => {
                self.on_download(job, *all_bytes, *all_total, *bytes_per_second);
            }
            Fact::Scan { .. } => {}
            Fact::Cache { items, computed, bytes, seconds } => {
                let (took, size) = (crate::units::duration(*seconds), crate::units::bytes(*bytes));
                self.log.push(format!(
                    "{computed} of {items} samples through the frozen layers in {took}, {size} cached"
                ));
                self.on_training(job, &fact);
            }
            Fact::Warning { what, kind } => {
                self.log.push(what.clone());
                let is_shown = self.job.as_ref().is_some_and(|j| j.id == job);
                match kind {
                    WarningKind::LeftOut if is_shown => {
                        self.toast(ToastKind::Warning, "A sample was left out", what);
                    }
                    WarningKind::LeftOut | WarningKind::General => {}
                }
            }
        }
    }

    fn on_progress(&mut self, job: JobId, what: &str, done: u64, total: u64) {
        let Some(job) = self.job.as_mut().filter(|shown| shown.id == job) else { return };
        let phase = Phase::Named(what.to_string());
        if job.phase != phase {
            job.phase = phase;
            job.started = std::time::Instant::now();
        }
        let elapsed = job.started.elapsed().as_secs_f64();
        (job.count, job.rate_words) = (Some((done, total)), SAMPLES);
        job.done = done as f64 / total.max(1) as f64;
        job.rate = (elapsed > 0.2).then(|| done as f64 / elapsed);
        let left = total.saturating_sub(done) as f64;
        // Of a training, the epochs that follow are waited for as well.
        let seconds_left = job.rate.filter(|r| *r > 0.0).map(|r| left / r);
        job.seconds_left = seconds_left.map(|seconds| seconds + job.epochs_seconds.unwrap_or(0.0));
    }

    fn on_training(&mut self, job: JobId, fact: &Fact) {
        let Some(asked) = self.pending.get(&job).cloned() else { return };
        let Command::Long(Long::Train { .. }) = &asked.command else { return };
        let mut shown = self.job.take_if(|j| j.id == job);
        let (epochs, per_epoch) = shown.as_ref().map_or((1, 1.0), |view| view.length);
        if let Some(run) = self.run_of(&asked) {
            follow(run, shown.as_mut(), fact, epochs, per_epoch);
        }
        self.job = shown.or(self.job.take());
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
            if view.phase != Phase::Training {
                view.phase = Phase::Training;
                (view.rate, view.count) = (None, None);
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
                view.rate_words = if run.is_cached() { CACHED } else { SAMPLES };
            }
        }
        Fact::Cache { seconds, .. } => run.warm_seconds += seconds,
        Fact::Progress(_) | Fact::Scan { .. } | Fact::Warning { .. } => {}
    }
}
