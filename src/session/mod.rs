//! What the application knows, without a window: a fold over actions and events. Panels read it and paint; nothing
//! here paints, computes with tensors or waits.

pub mod action;
mod apply;
mod costs;
pub mod curve;
pub mod data_view;
mod devices;
mod events;
mod judged;
pub mod layers;
mod model_requests;
pub mod models;
mod open;
mod outcomes;
pub mod projects;
pub mod reading;
mod remedies;
pub mod runs;
mod saving;
pub mod scores;
mod step;
#[cfg(test)]
mod tests;
pub mod undo;

pub use action::{
    Action, Edit, Job, Label, LocalChoice, Model, Open, Palette, Preset, SampleName, ThemeChoice, View,
};

use crate::backbone::{FreezeMask, Kind};
use crate::data::index::DatasetIndex;
use crate::data::modality::Modality;
use crate::data::split::{Split, SplitSpec};
use crate::evaluate::Evaluation;
use crate::hub::local::Keep;
use crate::inspect::{FilterTiles, WeightSummary};
use crate::jobs::{FreshData, Prediction};
use crate::project::device::{DeviceName, DeviceOffer};
use crate::project::{Machine, Project, Recipe};
use crate::train::estimate::Calibration;
use crate::worker::{Aside, BackboneFacts, Command, EvaluateOn, JobId, Long, Request};
use data_view::DataView;
use layers::LayersView;
pub use open::free_beside;
use projects::Remembered;
pub use remedies::Offer;
use runs::RunView;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
pub use step::{Step, StepState};
use undo::Undo;

/// Everything that the window shows.
pub struct Session {
    pub step: Step,
    pub project: Option<OpenProject>,
    pub backbones: Vec<BackboneFacts>,
    pub calibrations: BTreeMap<String, Calibration>,
    /// By backbone, then by the path of the layer.
    pub weights: BTreeMap<String, BTreeMap<String, WeightSummary>>,
    pub filters: Option<KnownFilters>,
    pub samples: Vec<projects::SampleCard>,
    pub models: models::Models,
    /// The question how data is to be read.
    pub reading: Option<reading::ReadingView>,
    pub tries: TryView,
    pub exported: Option<Exported>,
    pub remembered: Remembered,
    /// The job that the job bar shows.
    pub job: Option<JobView>,
    /// Jobs that run, with what was asked for.
    pending: BTreeMap<JobId, Asked>,
    /// Whether what the next start shows is other than what is on the disk.
    memory_changed: bool,
    /// A training that begins when its recipe is on the disk: the job that writes it, and the training's request.
    waits_for_save: Option<(JobId, Request)>,
    /// Data that was read before it is known which backbones there are.
    early_data: Option<FreshData>,
    pub toasts: Vec<Toast>,
    pub log: Vec<String>,
    pub log_open: bool,
    pub palette_open: bool,
    /// The question whether to quit while a run is unsaved.
    pub asks_to_quit: bool,
    /// What computes, and with how many threads of the processor.
    pub device: DeviceName,
    pub threads: usize,
    /// What this build could compute on; empty until the worker has said so.
    pub devices: Vec<DeviceOffer>,
    /// What the status bar says while nothing runs.
    pub status: String,
    next_id: u64,
}

/// Whether a recipe differs from the one on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsaved {
    No,
    /// It is to be written.
    Changed,
    /// It could not be written.
    Failed,
}

/// An open project.
pub struct OpenProject {
    pub folder: PathBuf,
    pub title: String,
    pub recipe: Recipe,
    /// Whether the recipe differs from the one on the disk.
    unsaved: Unsaved,
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

/// The filters of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownFilters {
    pub backbone: String,
    pub layer: String,
    pub tiles: FilterTiles,
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
    /// The run that it was made of.
    pub run: String,
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
    pub phase: Phase,
    pub done: f64,
    /// Of the part that it does now: samples that are done, and all.
    pub count: Option<(u64, u64)>,
    /// Samples a second.
    pub rate: Option<f64>,
    /// What the rate counts: where features are cached the network itself sees none of the samples.
    pub rate_words: &'static str,
    pub seconds_left: Option<f64>,
    pub paused: bool,
    pub stopping: bool,
    /// Only trainings can be paused.
    pub can_pause: bool,
    /// An export cannot be stopped: it is short and all or nothing.
    pub can_stop: bool,
    /// Epochs of a training and steps in each, by the recipe that it began with.
    length: (u32, f64),
    /// What the epochs will take, as far as that can be told before.
    epochs_seconds: Option<f64>,
    /// When this part of the work began, and how much was done then.
    started: std::time::Instant,
    done_at_start: f64,
}

/// What a job does just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was heard of it yet.
    Starting,
    /// Part of its work, in a few words.
    Named(String),
    /// The steps of a training.
    Training,
}

/// A message that goes away by itself, except a failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Toast {
    pub id: u64,
    pub kind: ToastKind,
    pub title: String,
    /// What to try.
    pub text: String,
    /// The same as a button, where the window can do it.
    pub offer: Option<Offer>,
    pub born: std::time::Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToastKind {
    Note,
    Warning,
    Failure,
}

/// What a running job was asked for, and in which open project; an answer to another project is not shown.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    command: Command,
    project: Option<PathBuf>,
    /// The run that a training shows itself as.
    run: Option<String>,
}

/// What the application must do that a session cannot.
#[derive(Debug, Clone)]
pub enum Effect {
    Send(Request),
    Stop(JobId),
    Pause(JobId, bool),
    PickFolder(Purpose),
    PickFile(Purpose),
    /// In the system's file manager.
    ShowFolder(PathBuf),
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

impl OpenProject {
    /// Whether the recipe on disk is older than this one: only while the frostline is being dragged.
    pub fn is_unsaved(&self) -> bool {
        self.unsaved == Unsaved::Changed
    }
}

impl Session {
    /// A session that remembers what the last one left, with a worker that computes on `machine`.
    pub fn new(machine: &Machine, remembered: Remembered) -> Self {
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
            reading: None,
            tries: TryView::default(),
            exported: None,
            remembered,
            job: None,
            pending: BTreeMap::new(),
            memory_changed: false,
            waits_for_save: None,
            early_data: None,
            toasts: Vec::new(),
            log: Vec::new(),
            log_open: false,
            palette_open: false,
            asks_to_quit: false,
            device: machine.device_name,
            threads: machine.threads,
            devices: Vec::new(),
            status: String::new(),
            next_id: 0,
        }
    }

    /// What to ask for when the window opens.
    pub fn start(&mut self) -> Vec<Effect> {
        let mut effects = vec![self.send(Aside::ListBackbones), self.send(Aside::Devices)];
        if self.remembered.device != self.device {
            effects.extend(self.use_device(self.remembered.device));
        }
        if let Some(last) = self.remembered.last_project.clone().filter(|folder| Project::is_at(folder)) {
            effects.extend(self.apply(Open::OpenPath(last)));
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

    /// Whether a training runs, or is about to.
    pub fn is_training(&self) -> bool {
        self.has_asked(|command| matches!(command, Command::Long(Long::Train { .. })))
    }

    /// Whether a run is being scored.
    pub fn is_evaluating(&self) -> bool {
        self.has_asked(|command| matches!(command, Command::Long(Long::Evaluate { .. })))
    }

    /// Whether all that was changed is on the disk.
    pub fn is_saved(&self) -> bool {
        !self.has_asked(|command| matches!(command, Command::Disk(_)))
            && !self.memory_changed
            && self.project.as_ref().is_none_or(|project| project.unsaved == Unsaved::No)
    }

    /// The filters of a layer of the open project's backbone, if they are known.
    pub fn filters_of(&self, layer: &str) -> Option<&FilterTiles> {
        let backbone = &self.project.as_ref()?.recipe.backbone.id;
        let known = self.filters.as_ref().filter(|known| known.backbone == *backbone && known.layer == layer);
        known.map(|known| &known.tiles)
    }

    /// Whether the recipe trains a batch norm.
    pub fn thaws_batch_norm(&self) -> bool {
        let mask = self.project.as_ref().and_then(|project| project.mask.as_ref());
        mask.zip(self.backbone()).is_some_and(|(mask, b)| mask.thaws_any(&b.tree, Kind::BatchNorm))
    }

    /// Why an action cannot be done now, in words; `None` where it can.
    pub fn why_not(&self, action: &(impl Clone + Into<Action>)) -> Option<&'static str> {
        let action: Action = action.clone().into();
        action.why_not(self)
    }

    /// Whether something of this kind was asked for and has not ended.
    fn has_asked(&self, meant: impl Fn(&Command) -> bool) -> bool {
        self.pending.values().any(|asked| meant(&asked.command))
    }

    /// Jobs of this kind that have not ended.
    fn jobs_asked(&self, meant: impl Fn(&Command) -> bool) -> Vec<JobId> {
        self.pending.iter().filter(|(_, asked)| meant(&asked.command)).map(|(job, _)| *job).collect()
    }

    /// Passes over what these jobs will say.
    fn forget(&mut self, jobs: &[JobId]) {
        self.pending.retain(|job, _| !jobs.contains(job));
    }

    /// Asks the worker for something in the name of the open project.
    fn send(&mut self, command: impl Into<Command>) -> Effect {
        Effect::Send(self.request(command.into()))
    }

    /// A request that is waited for from now on.
    fn request(&mut self, command: Command) -> Request {
        let job = self.new_id();
        let project = self.project.as_ref().map(|p| p.folder.clone());
        let asked = Asked { command: command.clone(), project, run: None };
        self.pending.insert(job, asked);
        Request { job, command }
    }

    pub(crate) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}
