//! What the window and the worker say to each other. Plain data only: no tensor crosses the channel.

use super::{Aside, Disk, Long, Short};
use crate::backbone::{Cut, InputSpec, LayerTree};
use crate::control::Fact;
use crate::data::index::DatasetIndex;
use crate::data::modality::Modality;
use crate::data::scan::readings::DataGlance;
use crate::evaluate::Evaluation;
use crate::hub::library::{Kept, Removed, Verified};
use crate::hub::local::Keep;
use crate::hub::{Downloaded, Found, ModelPage, Query, Search};
use crate::inspect::{FilterTiles, WeightSummary};
use crate::jobs::{Opened, Prediction};
use crate::problem::Problem;
use crate::project::device::{DeviceName, DeviceOffer};
use crate::project::reading::Reading;
use crate::project::{Recipe, Run, RunRecord};
use crate::task::Errors;
use crate::train::estimate::Calibration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Names a piece of work; given by the sender.
pub type JobId = u64;

/// A piece of work with its name.
#[derive(Debug, Clone)]
pub struct Request<C = Command> {
    pub job: JobId,
    pub command: C,
}

/// What the worker can be asked for: each lane has its own commands, and a thread of its own does them.
#[derive(Debug, Clone)]
pub enum Command {
    /// One after another, by the thread that owns every tensor.
    Long(Long),
    /// By the same thread, between the batches of a long one.
    Short(Short),
    /// Beside all else.
    Aside(Aside),
    /// What goes to the disk, in the order in which it was asked for.
    Disk(Disk),
}

impl From<Long> for Command {
    fn from(command: Long) -> Self {
        Self::Long(command)
    }
}

impl From<Short> for Command {
    fn from(command: Short) -> Self {
        Self::Short(command)
    }
}

impl From<Aside> for Command {
    fn from(command: Aside) -> Self {
        Self::Aside(command)
    }
}

impl From<Disk> for Command {
    fn from(command: Disk) -> Self {
        Self::Disk(command)
    }
}

/// What can be asked about backbones that are to come. The first four go on the network, and `Verify` where it repairs.
#[derive(Debug, Clone)]
pub enum HubAsk {
    /// Looks for models; the answer holds at most `count`.
    Search { query: Query, count: usize },
    /// Goes on with a search where it stopped.
    More { search: Box<Search>, count: usize },
    /// All about one model, before it is downloaded.
    Page { id: String, revision: Option<String> },
    /// Fetches a model; one after another, in the order in which they were asked for.
    Download { id: String, revision: Option<String>, allow_pickle: bool },
    /// What is on this machine, and which of these projects use it.
    Library { projects: Vec<PathBuf> },
    /// Checks every byte of a backbone, or of all.
    Verify { id: Option<String>, repair: bool },
    /// Removes a backbone from this machine.
    Remove { id: String },
    /// Makes a folder or a safetensors file of the user's known.
    AddLocal { path: PathBuf, keep: Keep },
}

/// What comes back.
#[derive(Debug, Clone)]
pub enum HubAnswer {
    /// `search` goes on with [`HubAsk::More`], unless it is done.
    Found {
        found: Vec<Found>,
        search: Box<Search>,
    },
    Page(Box<ModelPage>),
    /// [`Aside::ListBackbones`] finds it now.
    Downloaded(Downloaded),
    Library(Vec<Kept>),
    Verified(Vec<Verified>),
    Removed(Removed),
    /// The id under which it is known now.
    Added {
        id: String,
    },
}

/// Which samples to evaluate on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EvaluateOn {
    Validation,
    Test,
    Data(PathBuf),
}

/// What the worker says. Every event names its job; a job ends with exactly one of the last three.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something happened in a job; steps and progress may be dropped when nobody listens.
    Fact { job: JobId, fact: Fact },
    /// The job is done.
    Finished { job: JobId, outcome: Box<Outcome> },
    /// The user stopped it.
    Stopped { job: JobId, problem: Problem },
    /// It could not be done.
    Failed { job: JobId, problem: Problem },
}

/// What a finished job gave.
#[derive(Debug, Clone)]
pub enum Outcome {
    Backbones {
        backbones: Vec<BackboneFacts>,
        problems: Vec<Problem>,
    },
    Opened(Opened),
    Looked(Box<DataGlance>),
    Created {
        folder: PathBuf,
        recipe: Box<Recipe>,
        index: Arc<DatasetIndex>,
    },
    /// It is on the disk.
    Saved,
    /// What this build could compute on.
    Devices(Vec<DeviceOffer>),
    /// Jobs are done there from now on.
    UsesDevice {
        device: DeviceName,
        threads: usize,
    },
    /// By the path of the layer.
    Inspected {
        backbone: String,
        layers: BTreeMap<String, WeightSummary>,
    },
    Filters {
        backbone: String,
        layer: String,
        tiles: FilterTiles,
    },
    Calibrated {
        backbone: String,
        calibration: Calibration,
    },
    Runs {
        project: PathBuf,
        runs: Vec<RunHistory>,
    },
    Trained {
        record: Box<RunRecord>,
    },
    Evaluated {
        run: Option<String>,
        what: EvaluateOn,
        evaluation: Box<Evaluation>,
    },
    Tried {
        predictions: Vec<Prediction>,
    },
    Exported {
        out: PathBuf,
        bytes: u64,
        labels: usize,
        thawed: usize,
        golden: usize,
    },
    Hub(HubAnswer),
}

/// A run of a project with its curves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunHistory {
    pub record: RunRecord,
    /// What the run was asked for; `None` where it cannot be read any more.
    pub recipe: Option<Recipe>,
    /// (epochs trained so far, loss of the step), at most [`CURVE_POINTS`] of them.
    pub step_losses: Vec<[f64; 2]>,
    /// How wrong the best epoch is on each validation sample, where that is known.
    #[serde(default)]
    pub errors: Option<Errors>,
}

impl RunHistory {
    /// Reads a run's folder; `None` where its record cannot be read.
    pub fn read(run: &Run) -> Option<Self> {
        let record = run.record().ok()?;
        let recipe = Recipe::read(&run.recipe_path()).ok();
        let batch_size = recipe.as_ref().map_or(1, |recipe| recipe.training.batch_size.max(1));
        let steps_per_epoch = record.train_samples.div_ceil(batch_size).max(1) as f64;
        let text = std::fs::read_to_string(run.history_path()).unwrap_or_default();
        let steps = text.lines().filter_map(|line| serde_json::from_str::<StepLine>(line).ok());
        let all: Vec<[f64; 2]> = steps.map(|s| [s.step as f64 / steps_per_epoch, s.loss]).collect();
        let every = all.len().div_ceil(CURVE_POINTS).max(1);
        let errors = record.best_epoch.and_then(|best| run.errors(best));
        Some(Self { record, recipe, step_losses: all.into_iter().step_by(every).collect(), errors })
    }
}

/// A step in `history.jsonl`; lines of other events lack these fields.
#[derive(Deserialize)]
struct StepLine {
    step: u64,
    loss: f64,
}

/// Points of a curve that are kept; more would not be seen.
pub const CURVE_POINTS: usize = 20_000;

/// A backbone without its weights, as plain data.
#[derive(Debug, Clone)]
pub struct BackboneFacts {
    pub id: String,
    pub name: String,
    pub family: &'static str,
    pub card: crate::backbone::spec::Card,
    pub input: InputSpec,
    pub tree: Arc<LayerTree>,
    pub cuts: Arc<[Cut]>,
    pub features: usize,
    pub dropout: f32,
    pub file_bytes: u64,
    pub sha256: String,
    /// How it reads samples, for a recipe to pin.
    pub reading: Reading,
    /// The commit of the Hub's repository `id`, for one that came from there.
    pub commit: Option<String>,
    pub folder: PathBuf,
}

impl BackboneFacts {
    /// Reads the facts of a backbone; the weight file is hashed where its digest is not known.
    ///
    /// # Errors
    /// The weight file cannot be read.
    pub fn of(backbone: &crate::backbone::Backbone) -> crate::problem::Result<Self> {
        let weights = backbone.weights_path();
        let bytes = match backbone.weight_bytes() {
            Some(bytes) => bytes,
            None => {
                std::fs::metadata(&weights).map_err(|e| Problem::io("read the weights", &weights, &e))?.len()
            }
        };
        Ok(Self {
            id: backbone.id.clone(),
            name: backbone.name().to_string(),
            family: backbone.family,
            card: backbone.card.clone(),
            input: backbone.input.clone(),
            tree: Arc::new(backbone.architecture().tree().clone()),
            cuts: backbone.architecture().cuts().into(),
            features: backbone.feature_size(),
            dropout: backbone.architecture().dropout(),
            file_bytes: bytes,
            sha256: crate::hub::weights_sha256(backbone)?,
            reading: Reading::of(backbone),
            commit: backbone.commit.clone(),
            folder: backbone.folder().to_path_buf(),
        })
    }

    /// Whether it takes such samples.
    pub fn suits(&self, modality: Modality) -> bool {
        self.input.suits(modality)
    }
}

impl Event {
    /// The job it speaks of.
    pub fn job(&self) -> JobId {
        match self {
            Self::Fact { job, .. }
            | Self::Finished { job, .. }
            | Self::Stopped { job, .. }
            | Self::Failed { job, .. } => *job,
        }
    }
}
