//! The aside lane: work that needs no tensor and goes on beside a training, such as reading data and all that has to do
//! with the Hub. Each job has a thread of its own; downloads wait for each other, and one that is paused lets the next go on. Each can be stopped
//! and paused by itself.

use super::protocol::{BackboneFacts, Command, Event, HubAnswer, HubAsk, JobId, Outcome, Request};
use super::serve::{WAKE_EVERY, attempt, ending};
use super::turns::Turns;
use super::{Flags, Outbox, StandIn};
use crate::control::{Control, Fact};
use crate::data::scan::ScanOptions;
use crate::jobs::Opened;
use crate::problem::{Problem, Result};
use crate::{hub, jobs};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a download that is paused or waits looks whether it may go on.
const WHILE_WAITING: Duration = Duration::from_millis(50);

/// What the aside lane can be asked for.
#[derive(Debug, Clone)]
pub enum Aside {
    /// Which backbones are on this machine, with the facts of their files.
    ListBackbones,
    /// What this build could compute on.
    Devices,
    /// Reads what lies at a path: a project with its data, an export, or data.
    Open { path: PathBuf, reading: Option<Box<ScanOptions>> },
    /// Looks at data as the user says it is to be read, before it is.
    Look { path: PathBuf, reading: Box<ScanOptions> },
    /// Browses, downloads and keeps backbones.
    Hub(HubAsk),
}

/// Whether a job waits for others of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Queue {
    None,
    Downloads,
}

impl Aside {
    fn thread(&self) -> (&'static str, Queue) {
        match self {
            Self::ListBackbones => ("backbones", Queue::None),
            Self::Devices => ("devices", Queue::None),
            Self::Open { .. } | Self::Look { .. } => ("scan", Queue::None),
            Self::Hub(HubAsk::Download { .. }) => ("download", Queue::Downloads),
            Self::Hub(_) => ("hub", Queue::None),
        }
    }

    fn work(self, control: &dyn Control) -> Result<Outcome> {
        match self {
            Self::ListBackbones => list_backbones(),
            Self::Devices => Ok(Outcome::Devices(jobs::devices())),
            Self::Open { path, reading: None } => jobs::open(&path, control).map(Outcome::Opened),
            Self::Open { path, reading: Some(reading) } => {
                jobs::read_as(&path, *reading, control).map(|data| Outcome::Opened(Opened::Data(data)))
            }
            Self::Look { path, reading } => {
                jobs::look(&path, &reading, control).map(|glance| Outcome::Looked(Box::new(glance)))
            }
            Self::Hub(ask) => answer(ask, control).map(Outcome::Hub),
        }
    }
}

/// The window's end of these threads, and what all of them know.
#[derive(Clone)]
pub(super) struct Threads {
    out: Outbox,
    stand_in: StandIn,
    flags: Arc<Flags>,
    /// Of downloads.
    turns: Arc<Turns>,
}

impl Threads {
    /// No job has begun yet.
    pub fn new(out: Outbox, stand_in: StandIn, flags: Arc<Flags>) -> Self {
        Self { out, stand_in, flags, turns: Arc::default() }
    }

    /// Begins a job, or puts it in the queue.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn send(&self, request: Request<Aside>) -> Result<()> {
        let (name, queue) = request.command.thread();
        let (server, job) = (self.clone(), request.job);
        if queue == Queue::Downloads {
            self.turns.join(job);
        }
        let thread =
            std::thread::Builder::new().name(name.into()).spawn(move || server.serve(request, queue));
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
    fn serve(&self, request: Request<Aside>, queue: Queue) {
        let Request { job, command } = request;
        let control = AsideControl {
            job,
            out: &self.out,
            flags: &self.flags,
            turns: (queue == Queue::Downloads).then_some(&self.turns),
            last_wake: Mutex::new(Instant::now()),
        };
        control.wait_for_turn();
        let asked = Command::from(command.clone());
        let done = attempt(&self.stand_in, &asked, &control, || match control.stop_requested() {
            true => Err(Problem::stopped("it had not begun, so nothing was changed")),
            false => command.work(&control),
        });
        self.flags.forget(job);
        self.turns.leave(job);
        self.out.send(ending(job, done));
    }
}

/// Which backbones are on this machine, with the facts of their files.
fn list_backbones() -> Result<Outcome> {
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
                Some(_) | None => {}
            }
            std::thread::sleep(WHILE_WAITING);
        }
    }
}

impl Control for AsideControl<'_> {
    fn report(&self, fact: Fact) {
        if !matches!(fact, Fact::Progress(_)) {
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
