//! Work that needs no tensor and goes on beside a training: scans, and all that has to do with the Hub. Each job has
//! a thread of its own, but downloads, which wait for each other; each can be stopped and paused by itself.

use super::protocol::{Command, Event, HubAnswer, HubAsk, JobId, Outcome};
use super::serve::{WAKE_EVERY, ending, job_of};
use super::{Flags, Outbox, StandIn};
use crate::control::{Control, Fact};
use crate::jobs;
use crate::problem::{Problem, Result};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a paused download looks whether it may go on.
const WHILE_PAUSED: Duration = Duration::from_millis(50);

/// The window's end of these threads.
pub struct Aside {
    shared: Shared,
    downloads: Sender<Command>,
}

/// What all of these threads know.
#[derive(Clone)]
struct Shared {
    out: Outbox,
    stand_in: StandIn,
    /// Of jobs that run or wait.
    flags: Arc<Mutex<BTreeMap<JobId, Arc<Flags>>>>,
}

impl Aside {
    /// Starts the thread for downloads.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(out: Outbox, stand_in: StandIn) -> std::io::Result<Self> {
        let shared = Shared { out, stand_in, flags: Arc::default() };
        let (downloads, waiting): (Sender<Command>, Receiver<Command>) = unbounded();
        let server = shared.clone();
        let serve = move || waiting.iter().for_each(|command| server.serve(command));
        std::thread::Builder::new().name("download".into()).spawn(serve)?;
        Ok(Self { shared, downloads })
    }

    /// Begins a job, or puts it in the queue.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn send(&self, command: Command) -> Result<()> {
        let refused = |why: String| {
            Problem::other("the work could not be started", why, "close other programs and try again")
        };
        let job = job_of(&command);
        self.shared.flags().insert(job, Arc::default());
        let sent = match &command {
            Command::Hub { ask: HubAsk::Download { .. }, .. } => {
                self.downloads.send(command).map_err(|e| refused(e.to_string()))
            }
            other => {
                let name = if matches!(other, Command::Scan { .. }) { "scan" } else { "hub" };
                let server = self.shared.clone();
                let thread =
                    std::thread::Builder::new().name(name.into()).spawn(move || server.serve(command));
                thread.map(drop).map_err(|e| refused(e.to_string()))
            }
        };
        sent.inspect_err(|_| drop(self.shared.flags().remove(&job)))
    }

    pub fn stop(&self, job: JobId) {
        if let Some(flags) = self.shared.flags().get(&job) {
            flags.stop.store(true, Ordering::SeqCst);
        }
    }

    pub fn pause(&self, job: JobId, paused: bool) {
        if let Some(flags) = self.shared.flags().get(&job) {
            flags.pause.store(paused, Ordering::SeqCst);
        }
    }

    pub fn stop_all(&self) {
        for flags in self.shared.flags().values() {
            flags.stop.store(true, Ordering::SeqCst);
        }
    }
}

impl Shared {
    fn flags(&self) -> MutexGuard<'_, BTreeMap<JobId, Arc<Flags>>> {
        self.flags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a job on the calling thread; it ends with exactly one event, also when it panics.
    fn serve(&self, command: Command) {
        let job = job_of(&command);
        let flags = self.flags().get(&job).cloned().unwrap_or_default();
        let control = AsideControl { job, out: &self.out, flags, last_wake: Mutex::new(Instant::now()) };
        let work = || match (self.stand_in)(&command, &control) {
            Some(answer) => answer,
            None if control.stop_requested() => Err(Problem::stopped("it had not begun")),
            None => work(command, &control),
        };
        let done = catch_unwind(AssertUnwindSafe(work));
        self.flags().remove(&job);
        self.out.send(ending(job, done));
    }
}

/// Does what the command says.
pub fn work(command: Command, control: &dyn Control) -> Result<Outcome> {
    match command {
        Command::Scan { path, options, .. } => {
            let index = Arc::new(jobs::scan(&path, &options, control)?);
            Ok(Outcome::Scanned { path, index })
        }
        Command::Hub { ask, .. } => answer(ask, control).map(Outcome::Hub),
        _ => Err(Problem::other("this belongs to another thread", "", "please report this")),
    }
}

fn answer(ask: HubAsk, control: &dyn Control) -> Result<HubAnswer> {
    Ok(match ask {
        HubAsk::Search { query, count } => {
            let (found, search) = jobs::search_hub(&query, count, control)?;
            HubAnswer::Found { found, search: Box::new(search) }
        }
        HubAsk::More { search, count } => {
            let (found, search) = jobs::search_on(*search, count, control)?;
            HubAnswer::Found { found, search: Box::new(search) }
        }
        HubAsk::Page { id, revision } => {
            HubAnswer::Page(Box::new(jobs::hub_page(&id, revision.as_deref(), control)?))
        }
        HubAsk::Download { id, revision, allow_pickle } => {
            HubAnswer::Downloaded(jobs::hub_download(&id, revision.as_deref(), allow_pickle, control)?)
        }
        HubAsk::Library { projects } => HubAnswer::Library(jobs::library(&projects)),
        HubAsk::Verify { id, repair } => HubAnswer::Verified(jobs::verify(id.as_deref(), repair, control)?),
        HubAsk::Remove { id } => HubAnswer::Removed(jobs::remove(&id)?),
        HubAsk::AddLocal { path, keep } => HubAnswer::Added { id: jobs::add_local(&path, keep)?.id },
    })
}

/// How a job beside the training talks to the window.
struct AsideControl<'o> {
    job: JobId,
    out: &'o Outbox,
    flags: Arc<Flags>,
    last_wake: Mutex<Instant>,
}

impl Control for AsideControl<'_> {
    fn report(&self, fact: Fact) {
        if !matches!(fact, Fact::Progress { .. } | Fact::Download { .. }) {
            return self.out.send(Event::Fact { job: self.job, fact });
        }
        self.out.send_step(Event::Fact { job: self.job, fact });
        let mut last = self.last_wake.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= WAKE_EVERY {
            *last = Instant::now();
            self.out.wake();
        }
    }

    fn stop_requested(&self) -> bool {
        self.flags.stop.load(Ordering::SeqCst)
    }

    fn wait_while_paused(&self) {
        while self.flags.pause.load(Ordering::SeqCst) && !self.stop_requested() {
            std::thread::sleep(WHILE_PAUSED);
        }
    }
}
