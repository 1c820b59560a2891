//! The threads behind the window, a lane each: one owns every tensor and does one long job after another, and answers
//! short questions between two batches; what needs no tensor runs beside it (`aside`); what is written goes to the disk in
//! order (`disk`). Requests go in over queues, events come out; stop and pause name the job that they mean, which asks
//! for them between two batches.

#![warn(clippy::indexing_slicing, reason = "what comes from outside is not indexed")]

mod aside;
mod disk;
mod long;
pub mod protocol;
mod serve;
mod short;
pub mod thumbnails;
mod turns;

pub use aside::Aside;
pub use disk::Disk;
pub use long::{Begin, Long};
pub use protocol::{BackboneFacts, Command, EvaluateOn, Event, HubAnswer, HubAsk, JobId, Outcome, Request};
pub use short::Short;

use crate::control::Control;
use crate::problem::{Problem, Result};
use crate::project::Machine;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Commands that may wait; more are refused, so that a stuck worker is noticed.
const QUEUE: usize = 64;
/// Step facts that may wait; more are dropped, since a hidden window may stop listening.
const STEPS: usize = 8192;
/// How long a closed window waits for the running batch and its checkpoint, and for what is still to be written.
const LAST_BATCH: Duration = Duration::from_secs(10);

/// How far the threads that compute stand behind the window's, and those that decode pictures (0 to 19).
const COMPUTE_NICENESS: i32 = 5;
const DECODING_NICENESS: i32 = 2;

/// Called after an event was sent, from any thread: the window wakes up and drains.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Answers a command in the worker's place, on the worker's own thread; `None` leaves it to the worker. With it
/// tests and benches script what the window sees, down to a panic.
pub type StandIn = Arc<dyn Fn(&Command, &dyn Control) -> Option<Result<Outcome>> + Send + Sync>;

/// The window's end of the worker.
pub struct Worker {
    long: Sender<Request<Long>>,
    short: Sender<Request<Short>>,
    disk: Sender<Request<Disk>>,
    events: Receiver<Event>,
    steps: Receiver<Event>,
    flags: Arc<Flags>,
    aside: aside::Threads,
    /// The compute thread and the one that writes.
    threads: Vec<JoinHandle<()>>,
}

/// What the user wishes of the jobs. A wish names its job, so that none reaches the job after it.
#[derive(Default)]
pub(crate) struct Flags {
    stopped: Mutex<BTreeSet<JobId>>,
    paused: Mutex<BTreeSet<JobId>>,
    /// The window has gone: every job ends.
    closing: AtomicBool,
}

impl Flags {
    /// Whether the window has gone.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Whether the job is to end: the user stopped it, or the window has gone.
    pub fn should_stop(&self, job: JobId) -> bool {
        self.is_closing() || locked(&self.stopped).contains(&job)
    }

    /// Whether the job is paused and is not to end.
    pub fn should_wait(&self, job: JobId) -> bool {
        locked(&self.paused).contains(&job) && !self.should_stop(job)
    }

    /// The job has ended.
    pub fn forget(&self, job: JobId) {
        locked(&self.stopped).remove(&job);
        locked(&self.paused).remove(&job);
    }
}

fn locked(jobs: &Mutex<BTreeSet<JobId>>) -> MutexGuard<'_, BTreeSet<JobId>> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The worker's end: rare events are never lost, steps may be.
#[derive(Clone)]
pub(crate) struct Outbox {
    events: Sender<Event>,
    steps: Sender<Event>,
    wake: Wake,
}

impl Outbox {
    /// Sends an event that must not be lost, and wakes the window.
    pub fn send(&self, event: Event) {
        // The window has gone: nobody is left to tell.
        let _ = self.events.send(event);
        (self.wake)();
    }

    /// Sends what a step gave, unless too much waits already; wakes nobody.
    pub fn send_step(&self, event: Event) {
        let _ = self.steps.try_send(event);
    }

    /// Wakes the window, which then drains what was sent.
    pub fn wake(&self) {
        (self.wake)();
    }
}

/// Lets the window's thread, which mostly waits, go before the calling one. A thread gives its priority to those that
/// it starts, so the pools of jobs follow the worker.
fn give_way(niceness: i32) {
    // Elsewhere the scheduler must do; where the system refuses, everything works at equal rights.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(niceness);
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
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
        let (disk, writes) = unbounded();
        let aside = aside::Threads::new(out.clone(), stand_in.clone(), Arc::clone(&flags));
        let (disk_out, disk_flags, disk_stand_in) = (out.clone(), Arc::clone(&flags), stand_in.clone());
        let write = move || disk::run(&writes, &disk_out, &disk_flags, &disk_stand_in);
        let server = serve::Server::new(machine, Arc::clone(&flags), out, short_commands, stand_in);
        let work = move || {
            give_way(COMPUTE_NICENESS);
            server.run(&long_commands);
        };
        let threads = vec![
            std::thread::Builder::new().name("compute".into()).spawn(work)?,
            std::thread::Builder::new().name("disk".into()).spawn(write)?,
        ];
        Ok(Self { long, short, disk, events, steps, flags, aside, threads })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// The worker has too much to do or has ended.
    pub fn send(&self, request: Request) -> Result<()> {
        // A request wakes an idle worker, which listens to all its queues; a busy one looks between batches.
        let Request { job, command } = request;
        match command {
            Command::Long(command) => queued(&self.long, Request { job, command }),
            Command::Short(command) => queued(&self.short, Request { job, command }),
            Command::Disk(command) => queued(&self.disk, Request { job, command }),
            Command::Aside(command) => self.aside.send(Request { job, command }),
        }
    }

    /// Asks a job to end as soon as it can; one that waits in the queue ends when its turn comes.
    pub fn stop(&self, job: JobId) {
        locked(&self.flags.stopped).insert(job);
    }

    /// Lets a job wait, or go on.
    pub fn pause(&self, job: JobId, paused: bool) {
        let mut waiting = locked(&self.flags.paused);
        match paused {
            true => waiting.insert(job),
            false => waiting.remove(&job),
        };
    }

    /// All events since the last call, steps first.
    pub fn drain(&self) -> Vec<Event> {
        let mut drained: Vec<Event> = self.steps.try_iter().collect();
        drained.extend(self.events.try_iter());
        drained
    }
}

fn queued<T>(queue: &Sender<T>, request: T) -> Result<()> {
    queue.try_send(request).map_err(|e| {
        let remedy = "wait until the running work has ended";
        Problem::other("the request was not taken", e.to_string(), remedy)
    })
}

impl Drop for Worker {
    /// A closed window ends the job at the next batch and waits for its checkpoint and for all that is to be written,
    /// within reason: a checkpoint of the last epoch is there in any case.
    fn drop(&mut self) {
        self.flags.closing.store(true, Ordering::SeqCst);
        // The threads sleep until their queues have no other end.
        (self.long, self.short, self.disk) = (bounded(0).0, bounded(0).0, bounded(0).0);
        let began = Instant::now();
        while self.threads.iter().any(|thread| !thread.is_finished()) && began.elapsed() < LAST_BATCH {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
