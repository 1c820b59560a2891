//! What the application knows, without a window: a fold over actions and events. Panels read it and paint; nothing
//! here paints, computes with tensors or waits.

pub mod action;
mod apply;
pub mod curve;
pub mod data_view;
mod events;
pub mod layers;
mod model_requests;
pub mod models;
mod open;
pub mod projects;
pub mod runs;
pub mod scores;
pub mod undo;

pub use action::{Action, Label, LocalChoice, Preset, SampleName, ThemeChoice};

use crate::backbone::{FreezeMask, Kind};
use crate::data::index::DatasetIndex;
use crate::data::modality::Modality;
use crate::data::split::{Split, SplitSpec};
use crate::evaluate::Evaluation;
use crate::hub::local::Keep;
use crate::inspect::{FilterTiles, WeightSummary};
use crate::jobs::Prediction;
use crate::project::Recipe;
use crate::project::recipe::BatchNormChoice;
use crate::train::estimate::{Calibration, Estimate, Workload, estimate};
use crate::worker::{BackboneFacts, Command, EvaluateOn, JobId};
use data_view::DataView;
use layers::LayersView;
use projects::Remembered;
use runs::RunView;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use undo::Undo;

/// A step of the rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Step {
    Data,
    Backbone,
    Layers,
    Train,
    Evaluate,
    Try,
    Export,
}

/// Everything that the window shows.
pub struct Session {
    pub step: Step,
    pub project: Option<OpenProject>,
    pub backbones: Vec<BackboneFacts>,
    pub calibrations: BTreeMap<String, Calibration>,
    /// By backbone, then by the path of the layer.
    pub weights: BTreeMap<String, BTreeMap<String, WeightSummary>>,
    pub filters: Option<(String, FilterTiles)>,
    pub samples: Vec<projects::SampleCard>,
    pub models: models::Models,
    pub tries: TryView,
    pub exported: Option<Exported>,
    pub remembered: Remembered,
    /// The job that the job bar shows.
    pub job: Option<JobView>,
    /// Jobs that run, with what to do when they end.
    pending: BTreeMap<JobId, Asked>,
    /// Data that was read before it is known which backbones there are.
    early_data: Option<Arc<DatasetIndex>>,
    pub toasts: Vec<Toast>,
    pub log: Vec<String>,
    pub log_open: bool,
    pub palette_open: bool,
    /// The question whether to quit while a run is unsaved.
    pub asks_to_quit: bool,
    pub device: String,
    /// What the status bar says while nothing runs.
    pub status: String,
    next_id: u64,
}

/// An open project.
pub struct OpenProject {
    pub folder: PathBuf,
    pub title: String,
    pub recipe: Recipe,
    /// Whether the recipe differs from the one on the disk.
    is_unsaved: bool,
    pub undo: Undo,
    pub index: Arc<DatasetIndex>,
    pub split: Option<Split>,
    /// What the split was drawn by: drawing takes long where there are many samples.
    split_spec: Option<SplitSpec>,
    /// Why the recipe's split cannot be made.
    pub split_problem: Option<String>,
    pub mask: Option<FreezeMask>,
    pub data: DataView,
    pub layers: LayersView,
    pub runs: Vec<RunView>,
    /// The recipes of the runs, beside them.
    pub selected_run: Option<String>,
    pub evaluation: Option<EvaluationView>,
    pub export_path: String,
}

/// An evaluation with what the user looks at.
pub struct EvaluationView {
    pub what: EvaluateOn,
    pub run: String,
    pub evaluation: Evaluation,
    pub cell: Option<(usize, usize)>,
}

/// What was tried.
#[derive(Default)]
pub struct TryView {
    pub text: String,
    pub predictions: Vec<Prediction>,
    pub waiting: bool,
    /// The export that answers instead of the newest run.
    pub export: Option<TriedExport>,
}

/// An exported head that was opened to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct TriedExport {
    pub folder: PathBuf,
    pub labels: usize,
    pub takes: Modality,
}

/// A written export.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    pub out: PathBuf,
    pub bytes: u64,
    pub labels: usize,
    pub thawed: usize,
    pub golden: usize,
}

/// A job as the job bar shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    pub id: JobId,
    pub name: String,
    /// What it does just now.
    pub what: String,
    pub done: f64,
    /// Samples or items a second.
    pub rate: Option<f64>,
    pub seconds_left: Option<f64>,
    pub paused: bool,
    pub stopping: bool,
    /// Only trainings can be paused.
    pub can_pause: bool,
    /// An export cannot be stopped: it is short and all or nothing.
    pub can_stop: bool,
    /// Epochs of a training and steps in each, by the recipe that it began with.
    length: (u32, f64),
    /// When this part of the work began, and how much was done then.
    started: std::time::Instant,
    done_at_start: f64,
}

/// A message that goes away by itself, except a failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Toast {
    pub id: u64,
    pub kind: ToastKind,
    pub title: String,
    /// What to try.
    pub text: String,
    pub born: std::time::Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToastKind {
    Note,
    Warning,
    Failure,
}

/// A running job: what for, and in which open project; an answer to another project is not shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    what: Pending,
    project: Option<PathBuf>,
}

/// What a running job was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pending {
    Backbones,
    /// Speed and weights of a backbone, by its id.
    Speed(String),
    Weights(String),
    Filters,
    Runs,
    /// New data: a project is made of it, or opened with this recipe.
    NewData,
    OpenProject {
        folder: PathBuf,
        recipe: Box<Recipe>,
    },
    /// Names the run as the window shows it meanwhile.
    Training {
        run: String,
    },
    Evaluation,
    Try,
    Export,
    ModelSearch,
    ModelPage(String),
    ModelDownload,
    /// What is kept on this machine: listed, checked, removed, added.
    Models,
}

/// What the application must do that a session cannot.
#[derive(Debug, Clone)]
pub enum Effect {
    Send(Command),
    Stop(JobId),
    Pause(JobId, bool),
    PickFolder(Purpose),
    PickFile(Purpose),
    Quit,
}

/// What a chosen path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Open,
    TestSet,
    Try,
    Export,
    Backbone(Keep),
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    Done,
    Warning,
    Open,
}

impl OpenProject {
    /// Whether the recipe on disk is older than this one: only while the frostline is being dragged.
    pub fn is_unsaved(&self) -> bool {
        self.is_unsaved
    }
}

impl Step {
    pub const ALL: [Step; 7] =
        [Self::Data, Self::Backbone, Self::Layers, Self::Train, Self::Evaluate, Self::Try, Self::Export];

    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "Data",
            Self::Backbone => "Backbone",
            Self::Layers => "Layers",
            Self::Train => "Train",
            Self::Evaluate => "Evaluate",
            Self::Try => "Try",
            Self::Export => "Export",
        }
    }

    fn purpose(self) -> &'static str {
        match self {
            Self::Data => "Your samples, their classes and what is wrong with them",
            Self::Backbone => "The pretrained network that yours starts from",
            Self::Layers => "Which layers learn and which stay frozen",
            Self::Train => "Train and watch loss and accuracy",
            Self::Evaluate => "How good it is and where it errs",
            Self::Try => "Ask the model about new samples",
            Self::Export => "Write the trained head for use elsewhere",
        }
    }

    fn shortcut(self) -> &'static str {
        ["Ctrl+1", "Ctrl+2", "Ctrl+3", "Ctrl+4", "Ctrl+5", "Ctrl+6", "Ctrl+7"][self as usize]
    }
}

impl Session {
    /// A session that remembers what the last one left. `device` is what the top bar says.
    pub fn new(device: String, remembered: Remembered) -> Self {
        Self {
            step: Step::Data,
            project: None,
            backbones: Vec::new(),
            calibrations: BTreeMap::new(),
            weights: BTreeMap::new(),
            filters: None,
            samples: projects::sample_cards(),
            models: models::Models::asking(
                crate::jobs::hub_host().unwrap_or_else(|_| "HF_ENDPOINT, which is no address".into()),
            ),
            tries: TryView::default(),
            exported: None,
            remembered,
            job: None,
            pending: BTreeMap::new(),
            early_data: None,
            toasts: Vec::new(),
            log: Vec::new(),
            log_open: false,
            palette_open: false,
            asks_to_quit: false,
            device,
            status: String::new(),
            next_id: 0,
        }
    }

    /// What to ask for when the window opens.
    pub fn start(&mut self) -> Vec<Effect> {
        let job = self.new_job(Pending::Backbones);
        let mut effects = vec![Effect::Send(Command::ListBackbones { job })];
        if let Some(last) =
            self.remembered.last_project.clone().filter(|folder| folder.join("recipe.toml").is_file())
        {
            effects.extend(self.apply(Action::OpenPath(last)));
        }
        effects
    }

    /// The backbone of the open project.
    pub fn backbone(&self) -> Option<&BackboneFacts> {
        let id = &self.project.as_ref()?.recipe.backbone.id;
        self.backbones.iter().find(|b| b.id == *id)
    }

    /// Whether a backbone takes what the open project holds.
    pub fn suits_data(&self, backbone: &BackboneFacts) -> bool {
        self.project.as_ref().is_some_and(|p| backbone.suits(p.index.modality))
    }

    /// What is asked about on Try; `None` where nothing is open that could answer.
    pub fn tries_modality(&self) -> Option<Modality> {
        let of_project = || self.project.as_ref().map(|p| p.index.modality);
        self.tries.export.as_ref().map(|export| export.takes).or_else(of_project)
    }

    /// Whether a training runs.
    pub fn is_training(&self) -> bool {
        self.pending.values().any(|p| matches!(p.what, Pending::Training { .. }))
    }

    fn is_pending(&self, what: &Pending) -> bool {
        self.pending.values().any(|p| p.what == *what)
    }

    /// What the open project's choice of layers costs, or what it would cost with the frostline at `cut`; `None`
    /// for a recipe that cannot be trained.
    pub fn estimate(&self, cut: Option<usize>) -> Option<Estimate> {
        let (project, backbone) = (self.project.as_ref()?, self.backbone()?);
        project.recipe.check().ok()?;
        let mask = match cut {
            Some(cut) => FreezeMask::with_frostline(&backbone.tree, cut),
            None => project.mask.clone()?,
        };
        let (train_samples, validation_samples) =
            project.split.as_ref().map_or((0, 0), |s| (s.train.len(), s.validation.len()));
        let training = &project.recipe.training;
        let work = Workload {
            train_samples,
            validation_samples,
            batch_size: training.batch_size,
            epochs: training.epochs,
            classes: project.index.classes.len(),
            moments: training.optimiser.moments().len(),
            modality: backbone.input.modality(),
            tokens: backbone.input.modality().facts().cost.typical_tokens,
            cache_enabled: project.recipe.cache.enabled,
            norms_follow: training.batch_norm == BatchNormChoice::Training,
        };
        let calibration = self.calibrations.get(&backbone.id);
        Some(estimate(&backbone.tree, &backbone.cuts, backbone.features, &mask, calibration, &work))
    }

    /// Whether the recipe trains a batch norm.
    pub fn thaws_batch_norm(&self) -> bool {
        let mask = self.project.as_ref().and_then(|project| project.mask.as_ref());
        mask.zip(self.backbone()).is_some_and(|(mask, b)| mask.thaws_any(&b.tree, Kind::BatchNorm))
    }

    /// The newest run that has a result.
    pub fn newest_result(&self) -> Option<&RunView> {
        self.project.as_ref()?.runs.iter().rev().find(|run| run.best_epoch.is_some())
    }

    /// How far a step is, for its sign on the rail.
    pub fn step_state(&self, step: Step) -> StepState {
        let Some(project) = &self.project else { return StepState::Open };
        let done = match step {
            Step::Data if project.split.is_none() => return StepState::Warning,
            Step::Data => true,
            Step::Backbone => self.backbone().is_some(),
            Step::Layers => project.mask.is_some(),
            Step::Train => project.runs.iter().any(|r| r.state == crate::project::RunState::Finished),
            Step::Evaluate => project.evaluation.is_some(),
            Step::Try => self.tries.predictions.iter().any(|p| p.answer.is_some()),
            Step::Export => self.exported.is_some(),
        };
        if done { StepState::Done } else { StepState::Open }
    }

    /// Why an action cannot be done now, in words; `None` where it can.
    pub fn why_not(&self, action: &Action) -> Option<&'static str> {
        let project = self.project.as_ref();
        let needs_project = "Open data first.";
        match action {
            Action::Go(Step::Try) if self.tries.export.is_some() => None,
            Action::Go(_)
            | Action::CloseProject
            | Action::SetSplit(_)
            | Action::ChooseBackbone(_)
            | Action::Preset(_)
                if project.is_none() =>
            {
                Some(needs_project)
            }
            Action::SearchHub | Action::ChooseLocalModel(_) if project.is_none() => Some(needs_project),
            Action::Undo if !project.is_some_and(|p| p.undo.can_undo()) => Some("Nothing to undo."),
            Action::Redo if !project.is_some_and(|p| p.undo.can_redo()) => Some("Nothing to redo."),
            Action::Train | Action::Resume if project.is_none() => Some(needs_project),
            Action::Train | Action::Resume if self.is_training() => Some("A run is being trained."),
            Action::Train if project.is_some_and(|p| p.split.is_none()) => {
                Some("The data cannot be split; see Data.")
            }
            Action::Train if self.backbone().is_none() => Some("Choose a backbone first."),
            Action::Resume if !project.is_some_and(|p| p.runs.last().is_some_and(can_resume)) => {
                Some("The newest run has finished, or there is none.")
            }
            Action::Pause(_) | Action::Stop if self.job.is_none() => Some("Nothing runs."),
            Action::Pause(_) | Action::Stop if self.job.as_ref().is_some_and(|j| j.stopping) => {
                Some("It is stopping already.")
            }
            Action::Pause(_) if !self.job.as_ref().is_some_and(|j| j.can_pause) => {
                Some("Only a training can wait.")
            }
            Action::Stop if !self.job.as_ref().is_some_and(|j| j.can_stop) => {
                Some("This cannot be stopped; it ends soon.")
            }
            Action::ChooseTryFiles | Action::TryFiles(_) | Action::TryText(_)
                if self.tries.export.is_some() =>
            {
                None
            }
            Action::Evaluate(_)
            | Action::ChooseTestSet
            | Action::Export
            | Action::ChooseTryFiles
            | Action::TryFiles(_)
            | Action::TryText(_)
                if self.newest_result().is_none() =>
            {
                Some("Train first; there is no result yet.")
            }
            Action::Evaluate(_) | Action::ChooseTestSet | Action::Export if self.is_training() => {
                Some("A run is being trained. Stop it first, or wait until it has ended.")
            }
            Action::Evaluate(_) if self.is_pending(&Pending::Evaluation) => Some("It is being evaluated."),
            Action::Export if self.is_pending(&Pending::Export) => Some("It is being exported."),
            _ => None,
        }
    }

    /// Jobs that were asked for `what` and have not ended.
    pub(crate) fn pending_jobs(&self, what: &Pending) -> Vec<JobId> {
        self.pending.iter().filter(|(_, asked)| asked.what == *what).map(|(job, _)| *job).collect()
    }

    /// Passes over what these jobs will say.
    pub(crate) fn forget(&mut self, jobs: &[JobId]) {
        self.pending.retain(|job, _| !jobs.contains(job));
    }

    pub(crate) fn new_job(&mut self, what: Pending) -> JobId {
        self.next_id += 1;
        let project = self.project.as_ref().map(|p| p.folder.clone());
        self.pending.insert(self.next_id, Asked { what, project });
        self.next_id
    }

    pub(crate) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

fn can_resume(run: &RunView) -> bool {
    run.state != crate::project::RunState::Finished
}
