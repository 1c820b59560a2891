//! A recipe checked against the data, the backbone and the machine. What holds a plan need not check again.

use super::Recipe;
use super::device::Machine;
use super::recipe::BatchNormChoice;
use crate::backbone::{Architecture, Backbone, CutName, FreezeMask, Kind};
use crate::data::index::DatasetIndex;
use crate::data::split::{Split, SplitSpec};
use crate::data::target::TargetKind;
use crate::problem::{Problem, Result};
use crate::remedy::Remedy;
use crate::task::coverage::{Coverage, some_of};
use crate::task::{Task, TaskRecord};
use crate::units::grouped;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What will be trained, on what, where.
#[derive(Debug, Clone)]
pub struct Plan {
    pub recipe: Recipe,
    pub index: Arc<DatasetIndex>,
    pub split: Split,
    /// What is asked of the network, on this data.
    pub task: Arc<dyn Task>,
    pub backbone: Backbone,
    pub mask: FreezeMask,
    /// Number of the cut at which the frozen ground ends.
    pub frostline: usize,
    pub machine: Machine,
    /// What a person should know before training.
    pub warnings: Vec<String>,
}

/// What a run that goes on must not decide anew.
#[derive(Debug, Clone)]
pub struct Kept {
    pub split: Split,
    pub task: TaskRecord,
}

impl Plan {
    /// Checks the recipe. What a run goes on with is `kept`, else it follows from the recipe and the data.
    ///
    /// # Errors
    /// The data does not suit the backbone, has fewer than two classes, leaves nothing to train or to validate
    /// on; a pattern to thaw matches nothing; a value is out of range.
    pub fn new(
        recipe: Recipe,
        index: Arc<DatasetIndex>,
        backbone: Backbone,
        machine: Machine,
        kept: Option<Kept>,
    ) -> Result<Self> {
        recipe
            .check()
            .map_err(|why| Problem::input("the recipe cannot be used", why, "correct recipe.toml"))?;
        check_modality(&index, &backbone)?;
        check_targets(&recipe, &index)?;
        let mask = FreezeMask::from_patterns(backbone.architecture().tree(), &recipe.freeze.thaw)?;
        let loss = recipe.training.loss();
        let (split, record) = match kept {
            Some(Kept { split, task }) => (split, Some(task)),
            None => (Split::new(&index, &split_spec(&recipe))?, None),
        };
        let task = match record {
            Some(record) => record.open(index.classes.clone(), &loss)?,
            None => (recipe.task.fit)(&index, &split.train, &loss)?,
        };
        let frostline = mask.frostline(backbone.architecture().tree(), backbone.architecture().cuts().len());
        let plan =
            Self { recipe, index, split, task, backbone, mask, frostline, machine, warnings: Vec::new() };
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
        self.recipe.cache.enabled && self.architecture().cut_name(self.frostline) != CutName::Input
    }

    /// Optimiser steps in one epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.split.train.len().div_ceil(self.recipe.training.batch_size)
    }

    /// Parameters that are trained, the head included.
    pub fn trainable_parameters(&self) -> usize {
        self.mask.trainable_parameters(self.architecture().tree())
            + self.task.outputs() * (self.backbone.feature_size() + 1)
    }

    /// What scores on the validation samples rest on.
    pub fn coverage(&self) -> Coverage {
        Coverage::of(&self.index.classes, &self.index, &self.split.validation)
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
        let can_train = match self.index.target {
            TargetKind::Class => self.trained_classes().len() >= 2,
            TargetKind::Labels | TargetKind::Numbers => !self.split.train.is_empty(),
        };
        if !can_train {
            return Err(lacking("train"));
        }
        match self.split.validation.is_empty() {
            true => Err(lacking("validate")),
            false => Ok(()),
        }
    }

    /// Classes or labels that a training sample has.
    fn trained_classes(&self) -> BTreeSet<usize> {
        let items = self.split.train.iter().filter_map(|n| self.index.items.get(*n));
        items.flat_map(|item| item.target.labels().iter().copied()).collect()
    }

    fn find_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let findings = self.index.findings.len();
        if findings > 0 {
            let noun = if findings == 1 { "finding" } else { "findings" };
            warnings.push(format!("the data has {findings} {noun}; a scan lists them"));
        }
        let trained = self.trained_classes();
        let classes = match self.index.target {
            TargetKind::Class | TargetKind::Labels => 0..self.index.classes.len(),
            // A column of numbers is had by every sample.
            TargetKind::Numbers => 0..0,
        };
        let untrained =
            classes.filter(|class| !trained.contains(class)).map(|class| self.index.name_of(class));
        let untrained: Vec<String> = untrained.map(str::to_owned).collect();
        match untrained.as_slice() {
            [] => {}
            [name] => {
                warnings.push(format!(
                    "no sample of class {name:?} is trained on; it can never be predicted well"
                ));
            }
            names => warnings.push(format!(
                "no sample of {} classes is trained on, and they can never be predicted well: {}",
                grouped(names.len()),
                some_of(names)
            )),
        }
        warnings.extend(
            self.coverage().sentences(self.index.target, "validation").iter().map(|said| as_clause(said)),
        );
        let follows = self.recipe.training.batch_norm == BatchNormChoice::Training;
        if follows && !self.mask.thaws_any(self.architecture().tree(), Kind::BatchNorm) {
            let what = "no batch norm is thawed, so it changes nothing that batch norms follow the batches";
            warnings.push(what.to_string());
        }
        if self.split.validation.len() < 20 {
            warnings
                .push(format!("only {} samples validate: scores will be rough", self.split.validation.len()));
        }
        warnings
    }
}

/// A sentence without its full stop, beginning small: what follows "warning:".
fn as_clause(sentence: &str) -> String {
    let mut letters = sentence.trim_end_matches('.').chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// The part of a recipe that decides the split.
pub fn split_spec(recipe: &Recipe) -> SplitSpec {
    let s = recipe.split;
    SplitSpec { validation_fraction: s.validation_fraction, test_fraction: s.test_fraction, seed: s.seed }
}

fn check_modality(index: &DatasetIndex, backbone: &Backbone) -> Result<()> {
    if backbone.input.suits(index.modality) {
        return Ok(());
    }
    let (data, wanted) = (index.modality.facts().many, backbone.input.modality().facts().many);
    let why = format!("the data holds {data}, the backbone {} takes {wanted}", backbone.id);
    Err(Problem::input("data and backbone do not fit", why, Remedy::OtherBackbone).at(&index.root))
}

/// The data must be labelled with what the task takes, and there must be something to learn in it.
fn check_targets(recipe: &Recipe, index: &DatasetIndex) -> Result<()> {
    if recipe.task.target != index.target {
        let why = format!(
            "{} is asked for, and the data holds {}",
            recipe.task.words,
            crate::task::usual(index.target).words
        );
        return Err(Problem::input("data and task do not fit", why, Remedy::OtherTask).at(&index.root));
    }
    (recipe.task.check)(index)
}
