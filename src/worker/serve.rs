//! The loop of the thread that owns every tensor.

use super::protocol::{BackboneFacts, Command, EvaluateOn, Event, JobId, Outcome, RunHistory};
use super::{Flags, Outbox, StandIn, aside};
use crate::control::{Control, Fact};
use crate::hub;
use crate::jobs::{self, EvaluateWhat};
use crate::problem::{Cause, Problem, Result};
use crate::project::{Machine, Project};
use crossbeam_channel::{Receiver, select};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Labels of an answer that the window shows.
const TOP: usize = 5;
/// The window is woken at most this often by steps.
pub const WAKE_EVERY: Duration = Duration::from_millis(50);

/// Everything that the compute thread needs.
pub struct Server {
    machine: Machine,
    flags: Arc<Flags>,
    out: Outbox,
    short: Receiver<Command>,
    stand_in: StandIn,
}

impl Server {
    pub fn new(
        machine: Machine,
        flags: Arc<Flags>,
        out: Outbox,
        short: Receiver<Command>,
        stand_in: StandIn,
    ) -> Self {
        Self { machine, flags, out, short, stand_in }
    }

    /// Serves commands until the window has gone.
    pub fn run(&self, long: &Receiver<Command>) {
        loop {
            let command = select! {
                recv(self.short) -> command => command,
                recv(long) -> command => command,
            };
            match command {
                Ok(command) if !self.flags.is_closing() => self.serve(command),
                _ => return,
            }
        }
    }

    /// Does what the command says; the job ends with exactly one event, also when it panics.
    fn serve(&self, command: Command) {
        let job = command.job();
        let control = JobControl::new(job, self);
        let done = catch_unwind(AssertUnwindSafe(|| self.work(command, &control)));
        self.flags.forget(job);
        self.out.send(ending(job, done));
    }

    fn work(&self, command: Command, control: &JobControl) -> Result<Outcome> {
        if let Some(answer) = (self.stand_in)(&command, control) {
            return answer;
        }
        match command {
            Command::ListBackbones { .. } | Command::Scan { .. } | Command::Hub { .. } => {
                aside::work(command, control)
            }
            Command::Inspect { backbone, .. } => {
                let layers = jobs::inspect_weights(&backbone)?;
                Ok(Outcome::Inspected { backbone, layers })
            }
            Command::Filters { backbone, layer, .. } => {
                let tiles = jobs::filter_tiles(&backbone, &layer)?;
                Ok(Outcome::Filters { backbone, layer, tiles })
            }
            Command::Calibrate { backbone, .. } => {
                let calibration = jobs::calibrate(&backbone, &self.machine)?;
                Ok(Outcome::Calibrated { backbone, calibration })
            }
            Command::Runs { project, .. } => read_runs(project),
            Command::Train { project, resume, .. } => {
                let trained = jobs::train(&Project::open(&project)?, resume, &self.machine, control)?;
                Ok(Outcome::Trained { record: trained.record })
            }
            Command::Evaluate { project, run, what, .. } => self.evaluate(&project, run, what, control),
            Command::Try { model, files, texts, .. } => {
                let predictions = jobs::predict(&model, &files, &texts, TOP, &self.machine, control)?;
                Ok(Outcome::Tried { predictions })
            }
            Command::Export { project, run, out, .. } => self.export(&project, run, &out),
        }
    }

    fn evaluate(
        &self,
        project: &Path,
        run: Option<String>,
        what: EvaluateOn,
        control: &dyn Control,
    ) -> Result<Outcome> {
        let asked = match &what {
            EvaluateOn::Validation => EvaluateWhat::Validation,
            EvaluateOn::Test => EvaluateWhat::Test,
            EvaluateOn::Data(path) => EvaluateWhat::Data(path),
        };
        let evaluation =
            jobs::evaluate(project, run.as_deref(), asked, &Default::default(), &self.machine, control)?;
        Ok(Outcome::Evaluated { run, what, evaluation })
    }

    fn export(&self, project: &Path, run: Option<String>, out: &Path) -> Result<Outcome> {
        let manifest = jobs::export(&Project::open(project)?, run.as_deref(), out, &self.machine)?;
        let files = std::fs::read_dir(out).into_iter().flatten().flatten();
        let bytes = files.filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum();
        Ok(Outcome::Exported {
            out: out.to_path_buf(),
            bytes,
            labels: manifest.labels.len(),
            thawed: manifest.thawed.len(),
            golden: manifest.golden.len(),
        })
    }

    /// Answers short questions that came in while a long job runs.
    fn serve_between_batches(&self, running: JobId) {
        while let Ok(command) = self.short.try_recv() {
            let job = command.job();
            let quiet = JobControl { within: Some(running), ..JobControl::new(job, self) };
            let done = catch_unwind(AssertUnwindSafe(|| self.work(command, &quiet)));
            self.out.send(ending(job, done));
        }
    }
}

/// Which backbones are on this machine, with the facts of their files.
pub fn list_backbones() -> Result<Outcome> {
    let (found, mut problems) = hub::list();
    let mut backbones = Vec::new();
    for backbone in &found {
        match BackboneFacts::of(backbone) {
            Ok(facts) => backbones.push(facts),
            Err(problem) => problems.push(problem),
        }
    }
    Ok(Outcome::Backbones { backbones, problems })
}

/// The runs of a project, oldest first; one that cannot be read is left out.
fn read_runs(project: PathBuf) -> Result<Outcome> {
    let runs = Project::open(&project)?.runs().iter().filter_map(RunHistory::read).collect();
    Ok(Outcome::Runs { project, runs })
}

/// The one event that ends a job.
pub fn ending(job: JobId, done: std::thread::Result<Result<Outcome>>) -> Event {
    match done {
        Ok(Ok(outcome)) => Event::Finished { job, outcome: Box::new(outcome) },
        Ok(Err(problem)) if problem.cause == Cause::Stopped => Event::Stopped { job, problem },
        Ok(Err(problem)) => Event::Failed { job, problem },
        Err(panic) => {
            let why = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_string()))
                .unwrap_or_else(|| "no message".to_string());
            let remedy = "your project is as it was at the last checkpoint; please report this message";
            Event::Failed {
                job,
                problem: Problem::other("the work broke off by a fault of the program", why, remedy),
            }
        }
    }
}

/// How a job on the compute thread talks to the window.
struct JobControl<'s> {
    job: JobId,
    server: &'s Server,
    /// The long job between whose batches this one is done; its stop ends this one too.
    within: Option<JobId>,
    last_wake: Mutex<Instant>,
}

impl<'s> JobControl<'s> {
    fn new(job: JobId, server: &'s Server) -> Self {
        Self { job, server, within: None, last_wake: Mutex::new(Instant::now()) }
    }
}

impl Control for JobControl<'_> {
    fn report(&self, fact: Fact) {
        let out = &self.server.out;
        if !matches!(fact, Fact::Step { .. } | Fact::Progress { .. }) {
            return out.send(Event::Fact { job: self.job, fact });
        }
        out.send_step(Event::Fact { job: self.job, fact });
        let mut last = self.last_wake.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.elapsed() >= WAKE_EVERY {
            *last = Instant::now();
            out.wake();
        }
    }

    fn stop_requested(&self) -> bool {
        let flags = &self.server.flags;
        match self.within {
            Some(running) => flags.should_stop(self.job) || flags.should_stop(running),
            None => {
                self.server.serve_between_batches(self.job);
                flags.should_stop(self.job)
            }
        }
    }

    fn wait_while_paused(&self) {
        while self.server.flags.should_wait(self.job) {
            self.server.serve_between_batches(self.job);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
