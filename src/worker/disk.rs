//! The disk lane: what the window wants written, in the order in which it asked. So the recipe on disk is the last one,
//! and the window's thread never waits for a disk. A window that is closed waits until all is written.

use super::protocol::{Command, Outcome, Request};
use super::serve::{attempt, ending};
use super::{Flags, Outbox, StandIn};
use crate::control::{Control, Fact};
use crate::jobs::{self, FreshData};
use crate::problem::{Problem, Result};
use crate::project::Recipe;
use crate::project::recipe::BackboneChoice;
use crossbeam_channel::Receiver;
use std::path::PathBuf;

/// What the disk lane can be asked for.
#[derive(Debug, Clone)]
pub enum Disk {
    /// Makes a project of this data in Frostline's own folder. `dropout` is what the backbone was pretrained with.
    Create { data: FreshData, backbone: BackboneChoice, dropout: f32 },
    /// Writes the recipe of a project.
    SaveRecipe { project: PathBuf, recipe: Box<Recipe> },
    /// Writes what the next window starts with.
    Remember { text: String },
}

impl Disk {
    fn work(self, control: &dyn Control) -> Result<Outcome> {
        match self {
            Self::Create { data, backbone, dropout } => {
                if control.stop_requested() {
                    return Err(Problem::stopped("it had not begun, so nothing was changed"));
                }
                let (folder, recipe) = jobs::create_in_home(&data, backbone, dropout)?;
                Ok(Outcome::Created { folder, recipe: Box::new(recipe), index: data.index })
            }
            Self::SaveRecipe { project, recipe } => {
                jobs::save_recipe(&project, &recipe).map(|()| Outcome::Saved)
            }
            Self::Remember { text } => jobs::remember(&text).map(|()| Outcome::Saved),
        }
    }
}

/// Serves requests until the window has gone and all is written.
pub(super) fn run(requests: &Receiver<Request<Disk>>, out: &Outbox, flags: &Flags, stand_in: &StandIn) {
    for Request { job, command } in requests {
        let control = Stoppable { flags, job };
        let asked = Command::from(command.clone());
        let done = attempt(stand_in, &asked, &control, || command.work(&control));
        flags.forget(job);
        out.send(ending(job, done));
    }
}

/// Work that reports nothing: it is over too soon.
struct Stoppable<'f> {
    flags: &'f Flags,
    job: super::JobId,
}

impl Control for Stoppable<'_> {
    fn report(&self, _fact: Fact) {}

    fn stop_requested(&self) -> bool {
        self.flags.should_stop(self.job)
    }
}
