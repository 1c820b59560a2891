//! The long lane: work on tensors, one after another, by the thread that owns them.

use super::protocol::{EvaluateOn, Outcome, RunHistory};
use crate::control::Control;
use crate::jobs::{self, EvaluateWhat};
use crate::problem::Result;
use crate::project::device::DeviceName;
use crate::project::{Machine, Project, Recipe};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What the long lane can be asked for.
#[derive(Debug, Clone)]
pub enum Long {
    /// Looks at the weights of every layer of a backbone.
    Inspect { backbone: String },
    /// Measures how fast this machine runs a backbone.
    Calibrate { backbone: String },
    /// Reads the runs of a project with their curves.
    Runs { project: PathBuf },
    /// Trains a project.
    Train { project: PathBuf, begin: Begin },
    /// Scores a run on its validation samples, its test samples or other data.
    Evaluate { project: PathBuf, run: Option<String>, what: EvaluateOn },
    /// Writes, reloads and compares an export.
    Export { project: PathBuf, run: Option<String>, out: PathBuf },
    /// Computes on another device from now on.
    UseDevice { device: DeviceName },
}

/// How a training begins.
#[derive(Debug, Clone)]
pub enum Begin {
    /// As a new run of this recipe, whatever the project's file says by then.
    Anew(Box<Recipe>),
    /// With the unfinished run, whose recipe it keeps.
    Resume,
}

impl Long {
    /// Does it on `machine`, which [`Long::UseDevice`] replaces.
    pub(super) fn work(self, machine: &Mutex<Machine>, control: &dyn Control) -> Result<Outcome> {
        let now = current(machine);
        match self {
            Self::Inspect { backbone } => {
                let layers = jobs::inspect_weights(&backbone)?;
                Ok(Outcome::Inspected { backbone, layers })
            }
            Self::Calibrate { backbone } => {
                let calibration = jobs::calibrate(&backbone, &now)?;
                Ok(Outcome::Calibrated { backbone, calibration })
            }
            Self::Runs { project } => read_runs(project),
            Self::Train { project, begin } => {
                let project = Project::open(&project)?;
                let trained = match begin {
                    Begin::Anew(recipe) => jobs::train_recipe(&project, *recipe, &now, control),
                    Begin::Resume => jobs::train(&project, true, &now, control),
                };
                Ok(Outcome::Trained { record: Box::new(trained?.record) })
            }
            Self::Evaluate { project, run, what } => evaluate(&project, run, what, &now, control),
            Self::Export { project, run, out } => export(&project, run.as_deref(), &out, &now, control),
            Self::UseDevice { device } => {
                let new = Machine::new(device.name(), Some(now.threads))?;
                let threads = new.threads;
                *machine.lock().unwrap_or_else(PoisonError::into_inner) = new;
                Ok(Outcome::UsesDevice { device, threads })
            }
        }
    }
}

/// The machine that jobs run on just now.
pub(super) fn current(machine: &Mutex<Machine>) -> Machine {
    machine.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The runs of a project, oldest first; one that cannot be read is left out.
fn read_runs(project: PathBuf) -> Result<Outcome> {
    let runs = Project::open(&project)?.runs().iter().filter_map(RunHistory::read).collect();
    Ok(Outcome::Runs { project, runs })
}

fn evaluate(
    project: &Path,
    run: Option<String>,
    what: EvaluateOn,
    machine: &Machine,
    control: &dyn Control,
) -> Result<Outcome> {
    let asked = match &what {
        EvaluateOn::Validation => EvaluateWhat::Validation,
        EvaluateOn::Test => EvaluateWhat::Test,
        EvaluateOn::Data(path) => EvaluateWhat::Data(path),
    };
    let evaluation =
        jobs::evaluate(project, (run.as_deref(), None), asked, &Default::default(), machine, control)?;
    Ok(Outcome::Evaluated { run, what, evaluation: Box::new(evaluation) })
}

fn export(
    project: &Path,
    run: Option<&str>,
    out: &Path,
    machine: &Machine,
    control: &dyn Control,
) -> Result<Outcome> {
    let carries = jobs::Carries::Head;
    let manifest = jobs::export(&Project::open(project)?, run, out, carries, machine, control)?;
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
