//! The loop of the thread that owns every tensor.

use super::long::{Long, current};
use super::protocol::{Command, Event, JobId, Outcome, Request};
use super::short::Short;
use super::{Flags, Outbox, StandIn};
use crate::control::{Control, Fact};
use crate::problem::{Cause, Problem, Result};
use crate::project::Machine;
use crossbeam_channel::{Receiver, select};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The window is woken at most this often by steps.
pub const WAKE_EVERY: Duration = Duration::from_millis(50);

/// Everything that the compute thread needs.
pub(super) struct Server {
    machine: Mutex<Machine>,
    flags: Arc<Flags>,
    out: Outbox,
    short: Receiver<Request<Short>>,
    stand_in: StandIn,
}

impl Server {
    /// Computes on `machine`; answers come out of `out`.
    pub fn new(
        machine: Machine,
        flags: Arc<Flags>,
        out: Outbox,
        short: Receiver<Request<Short>>,
        stand_in: StandIn,
    ) -> Self {
        Self { machine: Mutex::new(machine), flags, out, short, stand_in }
    }

    /// Serves requests until the window has gone.
    pub fn run(&self, long: &Receiver<Request<Long>>) {
        loop {
            select! {
                recv(self.short) -> request => match request {
                    Ok(request) if !self.flags.is_closing() => self.answer(request, None),
                    Ok(_) | Err(_) => return,
                },
                recv(long) -> request => match request {
                    Ok(request) if !self.flags.is_closing() => self.serve(request),
                    Ok(_) | Err(_) => return,
                },
            }
        }
    }

    /// Does a long job; it ends with exactly one event, also when it panics.
    fn serve(&self, request: Request<Long>) {
        let Request { job, command } = request;
        let control = JobControl::new(job, self, None);
        let asked = Command::from(command.clone());
        let done = attempt(&self.stand_in, &asked, &control, || command.work(&self.machine, &control));
        self.end(job, done);
    }

    /// Answers a short question, while the long job `within` waits.
    fn answer(&self, request: Request<Short>, within: Option<JobId>) {
        let Request { job, command } = request;
        let control = JobControl::new(job, self, within);
        let asked = Command::from(command.clone());
        let done =
            attempt(&self.stand_in, &asked, &control, || command.work(&current(&self.machine), &control));
        self.end(job, done);
    }

    fn end(&self, job: JobId, done: std::thread::Result<Result<Outcome>>) {
        self.flags.forget(job);
        self.out.send(ending(job, done));
    }

    /// Answers short questions that came in while a long job runs.
    fn answer_between_batches(&self, running: JobId) {
        while let Ok(request) = self.short.try_recv() {
            self.answer(request, Some(running));
        }
    }
}

/// Does `work`, unless the stand-in answers; a panic of either comes back.
pub(super) fn attempt(
    stand_in: &StandIn,
    command: &Command,
    control: &dyn Control,
    work: impl FnOnce() -> Result<Outcome>,
) -> std::thread::Result<Result<Outcome>> {
    catch_unwind(AssertUnwindSafe(|| stand_in(command, control).unwrap_or_else(work)))
}

/// The one event that ends a job.
pub(super) fn ending(job: JobId, done: std::thread::Result<Result<Outcome>>) -> Event {
    match done {
        Ok(Ok(outcome)) => Event::Finished { job, outcome: Box::new(outcome) },
        Ok(Err(problem)) if problem.cause == Cause::Stopped => Event::Stopped { job, problem },
        Ok(Err(problem)) => Event::Failed { job, problem },
        Err(panic) => {
            let remedy = "your project is as it was at the last checkpoint; please report this message";
            let what = "the work broke off by a fault of the program";
            Event::Failed { job, problem: Problem::of_panic(what, panic.as_ref(), remedy) }
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
    fn new(job: JobId, server: &'s Server, within: Option<JobId>) -> Self {
        Self { job, server, within, last_wake: Mutex::new(Instant::now()) }
    }
}

impl Control for JobControl<'_> {
    fn report(&self, fact: Fact) {
        let out = &self.server.out;
        if !matches!(fact, Fact::Step { .. } | Fact::Progress(_)) {
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
                self.server.answer_between_batches(self.job);
                flags.should_stop(self.job)
            }
        }
    }

    fn wait_while_paused(&self) {
        while self.server.flags.should_wait(self.job) {
            self.server.answer_between_batches(self.job);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
