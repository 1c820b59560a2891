//! Work that needs no tensor and goes on beside a training: scans, and all that has to do with the Hub. Each job has
//! a thread of its own; downloads wait for each other, and one that is paused lets the next go on. Each can be stopped
//! and paused by itself.

use super::protocol::{Command, Event, HubAnswer, HubAsk, JobId, Outcome};
use super::serve::{WAKE_EVERY, ending, list_backbones};
use super::turns::Turns;
use super::{Flags, Outbox, StandIn};
use crate::control::{Control, Fact};
use crate::jobs;
use crate::problem::{Problem, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a download that is paused or waits looks whether it may go on.
const WHILE_WAITING: Duration = Duration::from_millis(50);

/// The window's end of these threads, and what all of them know.
#[derive(Clone)]
pub struct Aside {
    out: Outbox,
    stand_in: StandIn,
    flags: Arc<Flags>,
    /// Of downloads.
    turns: Arc<Turns>,
}

impl Aside {
    pub fn new(out: Outbox, stand_in: StandIn, flags: Arc<Flags>) -> Self {
        Self { out, stand_in, flags, turns: Arc::default() }
    }

    /// Begins a job, or puts it in the queue.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn send(&self, command: Command) -> Result<()> {
        let waits = matches!(command, Command::Hub { ask: HubAsk::Download { .. }, .. });
        let name = match &command {
            Command::Scan { .. } => "scan",
            _ if waits => "download",
            _ => "hub",
        };
        let (server, job) = (self.clone(), command.job());
        if waits {
            self.turns.join(job);
        }
        let thread =
            std::thread::Builder::new().name(name.into()).spawn(move || server.serve(command, waits));
        thread.map(drop).map_err(|e| {
            self.turns.leave(job);
            Problem::other(
                "the work could not be started",
                e.to_string(),
                "close other programs and try again",
            )
        })
    }

    /// Does a job on the calling thread; it ends with exactly one event, also when it panics.
    fn serve(&self, command: Command, waits: bool) {
        let job = command.job();
        let control = AsideControl {
            job,
            out: &self.out,
            flags: &self.flags,
            turns: waits.then_some(&self.turns),
            last_wake: Mutex::new(Instant::now()),
        };
        control.wait_for_turn();
        let work = || match (self.stand_in)(&command, &control) {
            Some(answer) => answer,
            None if control.stop_requested() => {
                Err(Problem::stopped("it had not begun, so nothing was changed"))
            }
            None => work(command, &control),
        };
        let done = catch_unwind(AssertUnwindSafe(work));
        self.flags.forget(job);
        self.turns.leave(job);
        self.out.send(ending(job, done));
    }
}

/// Does what the command says.
pub fn work(command: Command, control: &dyn Control) -> Result<Outcome> {
    match command {
        Command::Scan { path, options, project, .. } => {
            let index = match project {
                Some(folder) => jobs::scan_kept(&folder, &path, &options, control)?,
                None => jobs::scan(&path, &options, control)?,
            };
            let index = Arc::new(index);
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
    /// Of a download.
    turns: Option<&'o Turns>,
    last_wake: Mutex<Instant>,
}

impl AsideControl<'_> {
    /// Returns when the job may go on: when it is not paused and no other download runs, or when it is to stop.
    fn wait_for_turn(&self) {
        while !self.stop_requested() {
            let is_paused = self.flags.should_wait(self.job);
            match self.turns {
                Some(turns) if is_paused => turns.leave(self.job),
                Some(turns) if turns.is_mine(self.job) => return,
                None if !is_paused => return,
                _ => {}
            }
            std::thread::sleep(WHILE_WAITING);
        }
    }
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
        if self.flags.should_wait(self.job) {
            self.wait_for_turn();
        }
    }
}
