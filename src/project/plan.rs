//! A recipe checked against the data, the backbone and the machine. What holds a plan need not check again.

use super::recipe::BatchNormChoice;
use super::{Recipe, device};
use crate::backbone::{Architecture, Backbone, FreezeMask, InputSpec, Kind};
use crate::data::index::{DatasetIndex, Modality};
use crate::data::split::{Split, SplitSpec};
use crate::problem::{Problem, Result};
use candle_core::Device;
use std::sync::Arc;

/// What will be trained, on what, where.
#[derive(Debug, Clone)]
pub struct Plan {
    pub recipe: Recipe,
    pub index: Arc<DatasetIndex>,
    pub split: Split,
    pub backbone: Backbone,
    pub mask: FreezeMask,
    /// Number of the cut at which the frozen ground ends.
    pub frostline: usize,
    pub machine: Machine,
    /// What a person should know before training.
    pub warnings: Vec<String>,
}

/// What computes.
#[derive(Debug, Clone)]
pub struct Machine {
    pub threads: usize,
    pub device: Device,
    /// `cpu`, `cuda` or `metal`.
    pub device_name: &'static str,
}

impl Machine {
    /// All cores of this machine.
    pub fn cpu() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { threads, device: Device::Cpu, device_name: "cpu" }
    }

    /// The device called `name` with `threads` compute threads (all cores where not given).
    ///
    /// # Errors
    /// The device is not there, or this build cannot use it.
    pub fn new(name: &str, threads: Option<usize>) -> Result<Self> {
        let cpu = Self::cpu();
        let threads = threads.unwrap_or(cpu.threads);
        if !(1..=1024).contains(&threads) {
            return Err(Problem::input(
                format!("{threads} threads are not possible"),
                "the number must lie between 1 and 1024",
                "leave --threads away to use all cores",
            ));
        }
        let (device, device_name) = device::open(name)?;
        Ok(Self { threads, device, device_name })
    }
}

impl Plan {
    /// Checks the recipe. `split` is given when a run is resumed, else it follows from the recipe.
    ///
    /// # Errors
    /// The data does not suit the backbone, has fewer than two classes, leaves nothing to train or to validate
    /// on; a pattern to thaw matches nothing; a value is out of range.
    pub fn new(
        recipe: Recipe,
        index: Arc<DatasetIndex>,
        backbone: Backbone,
        machine: Machine,
        split: Option<Split>,
    ) -> Result<Self> {
        recipe
            .check()
            .map_err(|why| Problem::input("the recipe cannot be used", why, "correct recipe.toml"))?;
        check_modality(&index, &backbone)?;
        check_classes(&index)?;
        let mask = FreezeMask::from_patterns(backbone.architecture().tree(), &recipe.freeze.thaw)?;
        let split = match split {
            Some(split) => split,
            None => Split::new(&index, &split_spec(&recipe))?,
        };
        let frostline = mask.frostline(backbone.architecture().tree(), backbone.architecture().cuts().len());
        let plan = Self { recipe, index, split, backbone, mask, frostline, machine, warnings: Vec::new() };
        plan.check_split()?;
        let warnings = plan.find_warnings();
        Ok(Self { warnings, ..plan })
    }

    /// The same plan without samples that turned out to be unusable.
    ///
    /// # Errors
    /// Too few are left.
    pub fn without(mut self, unusable: &[usize]) -> Result<Self> {
        for part in [&mut self.split.train, &mut self.split.validation, &mut self.split.test] {
            part.retain(|item| !unusable.contains(item));
        }
        self.check_split()?;
        Ok(self)
    }

    /// The network without weights.
    pub fn architecture(&self) -> &dyn Architecture {
        self.backbone.architecture()
    }

    /// Whether boundary states are cached: not at the input, where they are as large as the samples.
    pub fn uses_cache(&self) -> bool {
        self.recipe.cache.enabled && self.frostline > 0
    }

    /// Optimiser steps in one epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.split.train.len().div_ceil(self.recipe.training.batch_size)
    }

    /// Parameters that are trained, the head included.
    pub fn trainable_parameters(&self) -> usize {
        let classes = self.index.classes.len();
        self.mask.trainable_parameters(self.architecture().tree())
            + classes * (self.backbone.feature_size() + 1)
    }

    fn check_split(&self) -> Result<()> {
        let lacking = |part: &str| {
            Problem::input(
                format!("nothing is left to {part} on"),
                "the split leaves this part empty",
                "add samples or change the fractions of the split",
            )
            .at(&self.index.root)
        };
        let trained: std::collections::BTreeSet<usize> =
            self.split.train.iter().filter_map(|n| self.index.items.get(*n)).map(|i| i.class).collect();
        match (trained.len(), self.split.validation.is_empty()) {
            (0 | 1, _) => Err(lacking("train")),
            (_, true) => Err(lacking("validate")),
            _ => Ok(()),
        }
    }

    fn find_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let findings = self.index.findings.len();
        if findings > 0 {
            let noun = if findings == 1 { "finding" } else { "findings" };
            warnings.push(format!("the data has {findings} {noun}; `frostline scan` lists them"));
        }
        let trained: std::collections::BTreeSet<usize> =
            self.split.train.iter().filter_map(|n| self.index.items.get(*n)).map(|i| i.class).collect();
        for (class, name) in self.index.classes.iter().enumerate() {
            if !trained.contains(&class) {
                warnings.push(format!(
                    "no sample of class {name:?} is trained on; it can never be predicted well"
                ));
            }
        }
        let follows = self.recipe.training.batch_norm == BatchNormChoice::Training;
        if follows && !self.mask.thaws_any(self.architecture().tree(), Kind::BatchNorm) {
            let what = "no batch norm is thawed: training.batch_norm = \"training\" changes nothing";
            warnings.push(what.to_string());
        }
        if self.split.validation.len() < 20 {
            warnings
                .push(format!("only {} samples validate: scores will be rough", self.split.validation.len()));
        }
        warnings
    }
}

/// The part of a recipe that decides the split.
pub fn split_spec(recipe: &Recipe) -> SplitSpec {
    let s = recipe.split;
    SplitSpec { validation_fraction: s.validation_fraction, test_fraction: s.test_fraction, seed: s.seed }
}

fn check_modality(index: &DatasetIndex, backbone: &Backbone) -> Result<()> {
    let (data, wanted) = match (&backbone.input, index.modality) {
        (InputSpec::Image(_), Modality::Image) | (InputSpec::Text(_), Modality::Text) => return Ok(()),
        (InputSpec::Image(_), Modality::Text) => ("texts", "images"),
        (InputSpec::Text(_), Modality::Image) => ("images", "texts"),
    };
    let why = format!("the data holds {data}, the backbone {} takes {wanted}", backbone.id);
    Err(Problem::input(
        "data and backbone do not fit",
        why,
        "choose another backbone; `frostline backbones` lists them",
    )
    .at(&index.root))
}

/// The most classes: more are a mistaken label column, and a confusion matrix of them would fill the memory.
const MAX_CLASSES: usize = 10_000;

/// At least two classes must have a sample, and there must not be absurdly many.
pub fn check_classes(index: &DatasetIndex) -> Result<()> {
    if index.classes.len() > MAX_CLASSES {
        return Err(Problem::input(
            "the data has too many classes",
            format!("there are {}, and at most {MAX_CLASSES} can be told apart", index.classes.len()),
            "check that the right column holds the label (--label-column)",
        )
        .at(&index.root));
    }
    let filled = index.counts().iter().filter(|count| **count > 0).count();
    if filled >= 2 {
        return Ok(());
    }
    let why = match (filled, index.classes.first()) {
        (1, Some(name)) => format!("there is only one: {name:?}"),
        _ => "no labelled sample was found".to_string(),
    };
    Err(Problem::input(
        "the data needs at least two classes",
        why,
        "put the samples of each class into a folder of its own, or give a table with a label column",
    )
    .at(&index.root))
}
