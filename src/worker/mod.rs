//! The threads behind the window. One owns every tensor and does one long job after another; scans and all that has to
//! do with the Hub run on threads of their own (`aside`). Commands go in over bounded queues, events come out; stop and pause are flags that a job
//! asks between two batches.

mod aside;
pub mod protocol;
mod serve;
pub mod thumbnails;

pub use protocol::{BackboneFacts, Command, EvaluateOn, Event, HubAnswer, HubAsk, JobId, Outcome};

use crate::control::Control;
use crate::problem::{Problem, Result};
use crate::project::Machine;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Commands that may wait; more are refused, so that a stuck worker is noticed.
const QUEUE: usize = 64;
/// Step facts that may wait; more are dropped, since a hidden window may stop listening.
const STEPS: usize = 8192;

/// Called after an event was sent, from any thread: the window wakes up and drains.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Answers a command in the worker's place, on the worker's own thread; `None` leaves it to the worker. With it
/// tests and benches script what the window sees, down to a panic.
pub type StandIn = Arc<dyn Fn(&Command, &dyn Control) -> Option<Result<Outcome>> + Send + Sync>;

/// The window's end of the worker.
pub struct Worker {
    long: Sender<Command>,
    short: Sender<Command>,
    events: Receiver<Event>,
    steps: Receiver<Event>,
    flags: Arc<Flags>,
    aside: aside::Aside,
}

/// What the user wishes of the job that runs.
#[derive(Default)]
pub(crate) struct Flags {
    pub stop: AtomicBool,
    pub pause: AtomicBool,
}

/// The worker's end: rare events are never lost, steps may be.
#[derive(Clone)]
pub(crate) struct Outbox {
    events: Sender<Event>,
    steps: Sender<Event>,
    wake: Wake,
}

impl Outbox {
    pub fn send(&self, event: Event) {
        // The window has gone: nobody is left to tell.
        let _ = self.events.send(event);
        (self.wake)();
    }

    pub fn send_step(&self, event: Event) {
        let _ = self.steps.try_send(event);
    }

    pub fn wake(&self) {
        (self.wake)();
    }
}

impl Worker {
    /// Starts the worker.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(machine: Machine, wake: Wake) -> std::io::Result<Self> {
        Self::with_stand_in(machine, wake, Arc::new(|_, _| None))
    }

    /// Starts a worker that asks `stand_in` first.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn with_stand_in(machine: Machine, wake: Wake, stand_in: StandIn) -> std::io::Result<Self> {
        let (long, long_commands) = bounded(QUEUE);
        let (short, short_commands) = bounded(QUEUE);
        let (event_sender, events) = unbounded();
        let (step_sender, steps) = bounded(STEPS);
        let flags = Arc::new(Flags::default());
        let out = Outbox { events: event_sender, steps: step_sender, wake };
        let aside = aside::Aside::start(out.clone(), stand_in.clone())?;
        let server = serve::Server::new(machine, Arc::clone(&flags), out, short_commands, stand_in);
        std::thread::Builder::new().name("compute".into()).spawn(move || server.run(&long_commands))?;
        Ok(Self { long, short, events, steps, flags, aside })
    }

    /// Sends a command.
    ///
    /// # Errors
    /// The worker has too much to do or has ended.
    pub fn send(&self, command: Command) -> Result<()> {
        let queue = match &command {
            Command::Scan { .. } | Command::Hub { .. } => return self.aside.send(command),
            Command::Try { .. } | Command::Filters { .. } => &self.short,
            _ => &self.long,
        };
        queue.try_send(command).map_err(|e| {
            Problem::other(
                "the request was not taken",
                e.to_string(),
                "wait until the running work has ended",
            )
        })?;
        // Wakes an idle worker, which listens to both queues; a busy one looks between batches.
        Ok(())
    }

    /// Asks the running job to end as soon as it can.
    pub fn stop(&self) {
        self.flags.stop.store(true, Ordering::SeqCst);
        self.flags.pause.store(false, Ordering::SeqCst);
    }

    /// Lets the running job wait, or go on.
    pub fn pause(&self, paused: bool) {
        self.flags.pause.store(paused, Ordering::SeqCst);
    }

    /// All events since the last call, steps first.
    pub fn drain(&self) -> Vec<Event> {
        let mut drained: Vec<Event> = self.steps.try_iter().collect();
        drained.extend(self.events.try_iter());
        drained
    }

    /// Asks one scan, search or download to end as soon as it can; one that waits in the queue does not begin.
    pub fn stop_job(&self, job: JobId) {
        self.aside.stop(job);
    }

    /// Lets one download wait, or go on.
    pub fn pause_job(&self, job: JobId, paused: bool) {
        self.aside.pause(job, paused);
    }
}

impl Drop for Worker {
    /// A closed window ends the job at the next batch; its checkpoint and what was downloaded are kept.
    fn drop(&mut self) {
        self.stop();
        self.aside.stop_all();
    }
}
