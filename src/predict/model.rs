//! A whole network, backbone and head, ready to answer.

use super::manifest::{HEAD_FILE, Manifest};
use crate::backbone::{Backbone, Boundary, InputSpec, Pass, Segment, TensorSource, WeightFile};
use crate::data::modality::Modality;
use crate::data::scan::TextColumns;
use crate::hub;
use crate::network::head::load_head;
use crate::network::samples::{Loader, Prepared, Sample};
use crate::network::tensors::load_trained;
use crate::nn::Linear;
use crate::problem::{Problem, Result};
use crate::project::reading::Reading;
use crate::project::{Machine, Run};
use crate::task::{LossChoice, Task};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Samples that are answered together.
const BATCH: usize = 16;

/// Where an export carries its backbone, if it does.
pub const BACKBONE_FOLDER: &str = "backbone";

/// The backbone in the folder of an export.
pub fn carried(export: &Path) -> Option<PathBuf> {
    Some(export.join(BACKBONE_FOLDER)).filter(|folder| folder.is_dir())
}

/// Answers for samples; made from an export or from a run.
pub struct Model {
    task: Arc<dyn Task>,
    segments: Vec<Box<dyn Segment>>,
    head: Linear,
    loader: Loader,
    /// Where the texts that it learnt from stood in their table.
    text_columns: TextColumns,
}

impl Model {
    /// Loads an export; its backbone lies in it, or is found on this machine by the hash of its weights.
    ///
    /// # Errors
    /// The export is damaged, or the backbone is not on this machine.
    pub fn from_export(export: &Path, machine: &Machine) -> Result<Self> {
        let manifest = Manifest::read(export)?;
        let wanted = &manifest.backbone;
        if let Some(folder) = carried(export) {
            return Self::from_export_on(&Backbone::open(&folder)?, export, machine);
        }
        let backbone = hub::find_by_sha256(&wanted.id, wanted.revision.as_deref(), &wanted.sha256)?;
        Self::from_export_on(&backbone, export, machine)
    }

    /// Loads an export whose backbone is at hand.
    ///
    /// # Errors
    /// The export is damaged, or belongs to other weights.
    pub fn from_export_on(backbone: &Backbone, export: &Path, machine: &Machine) -> Result<Self> {
        let manifest = Manifest::read(export)?;
        let backbone = &Reading::restore(manifest.reading.as_ref(), backbone)?;
        backbone.check_input(&manifest.input).map_err(|why| {
            let remedy = "its manifest.json was changed; export the head again";
            Problem::input("this is not a usable export", why, remedy).at(export)
        })?;
        manifest.check_reading(backbone).map_err(|p| p.at(export))?;
        let trained = load_trained(&export.join(HEAD_FILE), manifest.head_digest, &machine.device)?;
        let weights = backbone.open_pinned_weights(&manifest.backbone.sha256)?;
        let task = manifest.task.open(manifest.labels, &LossChoice::default());
        let text_columns = manifest.recipe.text_columns();
        task.and_then(|task| Self::assemble(backbone, &weights, &manifest.input, task, &trained, machine))
            .map(|model| Self { text_columns, ..model })
            .map_err(|p| if p.path.is_none() { p.at(export) } else { p })
    }

    /// Loads the best epoch of a run.
    ///
    /// # Errors
    /// No epoch of the run has ended, or the backbone is not on this machine.
    pub fn from_run(run: &Run, backbone: &Backbone, machine: &Machine) -> Result<Self> {
        let record = run.record()?;
        let best = record.best_epoch.ok_or_else(|| {
            Problem::input(
                "the run has no result yet",
                "no epoch has ended",
                "let it train for at least one epoch",
            )
            .at(run.folder())
        })?;
        let backbone = &Reading::restore(record.reading.as_ref(), backbone)?;
        if let Some(reading) = &record.reading {
            reading.check(&Reading::like(Some(reading), backbone)).map_err(|p| p.at(run.folder()))?;
        }
        let trained = load_trained(&run.best_path(best), record.best_digest, &machine.device)?;
        let recipe = run.recipe(&record)?;
        let weights = backbone.open_pinned_weights(&recipe.backbone.sha256)?;
        let task =
            record.task.open(record.classes, &LossChoice::default()).map_err(|p| p.at(run.folder()))?;
        let model = Self::assemble(backbone, &weights, &backbone.input, task, &trained, machine)?;
        Ok(Self { text_columns: recipe.text_columns(), ..model })
    }

    /// Puts a network together from a backbone and trained tensors, which win over the backbone's own.
    ///
    /// # Errors
    /// A tensor is missing or has the wrong shape.
    pub fn assemble(
        backbone: &Backbone,
        weights: &WeightFile,
        input: &InputSpec,
        task: Arc<dyn Task>,
        trained: &BTreeMap<String, Tensor>,
        machine: &Machine,
    ) -> Result<Self> {
        let architecture = backbone.architecture();
        let mut source = Overlay { weights, trained, device: machine.device.clone() };
        let segments = architecture.segments().map(|n| architecture.load_segment(n, &mut source));
        let segments = segments.collect::<Result<_>>()?;
        let head = load_head(&mut source, task.outputs(), backbone.feature_size())?;
        let loader = Loader::new(backbone, input, &machine.device)?;
        Ok(Self { task, segments, head, loader, text_columns: TextColumns::default() })
    }

    /// What it was asked to learn, with the names of its outputs.
    pub fn task(&self) -> &dyn Task {
        self.task.as_ref()
    }

    /// Where the texts that it learnt from stood in their table.
    pub fn text_columns(&self) -> &TextColumns {
        &self.text_columns
    }

    /// What it answers for.
    pub fn modality(&self) -> Modality {
        self.loader.modality()
    }

    /// Outputs of the head for each sample, or why there are none. `done` hears after each batch how many were answered and
    /// says whether to go on.
    ///
    /// # Errors
    /// The user stopped it, or a computation failed. A sample that cannot be decoded is an error of its own.
    pub fn outputs(
        &self,
        samples: &[Sample],
        done: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Vec<Result<Vec<f32>>>> {
        let mut answers = Vec::with_capacity(samples.len());
        for group in samples.chunks(BATCH) {
            let prepared = self.loader.prepare_all(group);
            let mut problems: Vec<Option<Problem>> = Vec::with_capacity(group.len());
            let mut good: Vec<Prepared> = Vec::new();
            for one in prepared {
                match one {
                    Ok(ready) => {
                        problems.push(None);
                        good.push(ready);
                    }
                    Err(problem) => problems.push(Some(problem)),
                }
            }
            let mut rows = self.forward(&good)?.into_iter();
            answers.extend(problems.into_iter().map(|problem| match problem {
                Some(problem) => Err(problem),
                None => rows.next().map_or_else(missing, finite),
            }));
            if !done(answers.len()) {
                return Err(Problem::stopped("nothing was changed"));
            }
        }
        Ok(answers)
    }

    fn forward(&self, prepared: &[Prepared]) -> Result<Vec<Vec<f32>>> {
        if prepared.is_empty() {
            return Ok(Vec::new());
        }
        self.outputs_above(0, self.loader.boundary(prepared)?)
    }

    /// Outputs of the head for samples whose boundary state at cut number `cut` is known.
    ///
    /// # Errors
    /// A computation failed.
    pub fn outputs_above(&self, cut: usize, mut state: Boundary) -> Result<Vec<Vec<f32>>> {
        for segment in self.segments.iter().skip(cut) {
            state = segment.forward(&state, &Pass::INFERENCE)?;
        }
        Ok(self.head.forward(&state.hidden)?.to_device(&Device::Cpu)?.to_vec2::<f32>()?)
    }
}

fn missing() -> Result<Vec<f32>> {
    Err(Problem::other("an answer is missing", "fewer rows than samples", "please report this"))
}

/// An answer is a row of numbers, or an error.
///
/// # Errors
/// One of them is infinite or none.
pub fn finite(row: Vec<f32>) -> Result<Vec<f32>> {
    match row.iter().position(|value| !value.is_finite()) {
        None => Ok(row),
        Some(output) => Err(Problem::other(
            "the model's answer is no number",
            format!("output {} of the head is {}", output + 1, row.get(output).copied().unwrap_or(f32::NAN)),
            "answer with another run, or train anew with a lower learning rate; check the backbone's weights",
        )),
    }
}

/// Trained tensors where there are any, else the backbone's own.
struct Overlay<'a> {
    weights: &'a WeightFile,
    trained: &'a BTreeMap<String, Tensor>,
    device: Device,
}

impl TensorSource for Overlay<'_> {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        match self.trained.get(name) {
            Some(tensor) if tensor.dims() == shape => Ok(tensor.clone()),
            Some(tensor) => {
                let why = format!("tensor {name} has shape {:?} where {shape:?} is needed", tensor.dims());
                Err(Problem::input(
                    "the trained tensors do not fit the backbone",
                    why,
                    "export the head again",
                ))
            }
            None => self.weights.tensor(name, shape, &self.device),
        }
    }
}
