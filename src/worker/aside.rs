//! Work that needs no tensor and goes on beside a training: scans, and all that has to do with the Hub. Each job has
//! a thread of its own, but downloads, which wait for each other; each can be stopped and paused by itself.

use super::protocol::{Command, Event, HubAnswer, HubAsk, JobId, Outcome};
use super::serve::{WAKE_EVERY, ending, list_backbones};
use super::{Flags, Outbox, StandIn};
use crate::control::{Control, Fact};
use crate::jobs;
use crate::problem::{Problem, Result};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
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
    flags: Arc<Flags>,
}

impl Aside {
    /// Starts the thread for downloads.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(out: Outbox, stand_in: StandIn, flags: Arc<Flags>) -> std::io::Result<Self> {
        let shared = Shared { out, stand_in, flags };
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
        match &command {
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
        }
    }
}

impl Shared {
    /// Does a job on the calling thread; it ends with exactly one event, also when it panics.
    fn serve(&self, command: Command) {
        let job = command.job();
        let control =
            AsideControl { job, out: &self.out, flags: &self.flags, last_wake: Mutex::new(Instant::now()) };
        let work = || match (self.stand_in)(&command, &control) {
            Some(answer) => answer,
            None if control.stop_requested() => {
                Err(Problem::stopped("it had not begun, so nothing was changed"))
            }
            None => work(command, &control),
        };
        let done = catch_unwind(AssertUnwindSafe(work));
        self.flags.forget(job);
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
        Command::ListBackbones { .. } => list_backbones(),
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
    flags: &'o Flags,
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
        self.flags.should_stop(self.job)
    }

    fn wait_while_paused(&self) {
        while self.flags.should_wait(self.job) {
            std::thread::sleep(WHILE_PAUSED);
        }
    }
}
