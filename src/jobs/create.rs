//! A new project: checked against the data and the backbone before anything is written.

use super::scan_with;
use crate::backbone::{Backbone, FreezeMask};
use crate::control::Control;
use crate::data::scan::{KnownFiles, ScanOptions};
use crate::hub;
use crate::problem::{Problem, Result};
use crate::project::recipe::{
    BackboneChoice, BatchNormChoice, CacheChoice, DataChoice, FreezeChoice, OptimiserChoice, RECIPE_VERSION,
    SplitChoice, TrainingChoice,
};
use crate::project::{Machine, Plan, Project, Recipe, kept_index};
use crate::task::{TaskChoice, usual};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a new project is made of; what is not given takes a value that suits the data and the backbone.
#[derive(Debug, Clone, Default)]
pub struct NewProject {
    pub data: PathBuf,
    pub backbone: String,
    pub folder: PathBuf,
    pub text_column: Option<String>,
    pub label_columns: Vec<String>,
    /// What is asked of the network; found out from the labels where not given.
    pub task: Option<TaskChoice>,
    pub thaw: Vec<String>,
    pub epochs: Option<u32>,
    pub batch_size: Option<usize>,
    pub learning_rate: Option<f64>,
    pub optimiser: Option<OptimiserChoice>,
    pub momentum: Option<f64>,
    pub weight_decay: Option<f64>,
    /// Largest norm of the gradient.
    pub clip: Option<f64>,
    pub batch_norm: Option<BatchNormChoice>,
    pub seed: Option<u64>,
    pub validation_fraction: Option<f64>,
    pub test_fraction: Option<f64>,
}

/// Makes the project folder with its recipe.
///
/// # Errors
/// The folder is not empty; the data has no two classes or lacks a column; there is no such backbone; a
/// pattern to thaw matches nothing; a value is out of range; the weights are damaged. Nothing is written then.
pub fn create(new: &NewProject, control: &dyn Control) -> Result<(Project, Plan)> {
    let backbone = hub::open(&new.backbone)?;
    let mask = FreezeMask::from_patterns(backbone.architecture().tree(), &new.thaw)?;
    let options = ScanOptions {
        text_column: new.text_column.clone(),
        label_columns: new.label_columns.clone(),
        target: new.task.map(|task| task.target),
    };
    let scanned = scan_with(&new.data, &options, &KnownFiles::default(), control)?;
    let index = Arc::new(scanned.index);
    let head_only = mask.trainable_parameters(backbone.architecture().tree()) == 0;
    let mut suited =
        TrainingChoice::suited_to(backbone.input.modality(), head_only, backbone.architecture().dropout());
    suited.set_optimiser(new.optimiser.unwrap_or_default());
    let (split, seed) = (SplitChoice::default(), new.seed.unwrap_or(0));
    let recipe = Recipe {
        version: RECIPE_VERSION,
        task: new.task.unwrap_or(TaskChoice(usual(index.target))),
        data: DataChoice {
            path: Project::reference(&new.folder, &new.data)?,
            text_column: new.text_column.clone(),
            label_columns: new.label_columns.clone(),
        },
        split: SplitChoice {
            validation_fraction: new.validation_fraction.unwrap_or(split.validation_fraction),
            test_fraction: new.test_fraction.unwrap_or(split.test_fraction),
            seed,
        },
        backbone: BackboneChoice {
            id: backbone.id.clone(),
            sha256: backbone.open_weights()?.sha256().to_string(),
            revision: backbone.commit.clone(),
            folder: folder_to_note(&new.folder, &backbone)?,
        },
        freeze: FreezeChoice { thaw: new.thaw.clone() },
        training: TrainingChoice {
            epochs: new.epochs.unwrap_or(suited.epochs),
            batch_size: new.batch_size.unwrap_or(suited.batch_size),
            learning_rate: new.learning_rate.unwrap_or(suited.learning_rate),
            momentum: new.momentum.unwrap_or(suited.momentum),
            weight_decay: new.weight_decay.unwrap_or(suited.weight_decay),
            clip: new.clip.unwrap_or(suited.clip),
            batch_norm: new.batch_norm.unwrap_or(suited.batch_norm),
            seed,
            ..suited
        },
        cache: CacheChoice::default(),
    };
    recipe.check().map_err(|why| {
        Problem::input(
            "the project was not made",
            why,
            "give another value; `frostline new --help` lists them",
        )
    })?;
    let plan = Plan::new(recipe.clone(), index, backbone, Machine::cpu(), None)?;
    let project = Project::create(&new.folder, &recipe)?;
    kept_index::write(project.folder(), &new.data, &recipe.scan_options(), scanned.known);
    Ok((project, plan))
}

/// Where the backbone lies as a recipe in `project` notes it; nothing where the name alone finds it.
fn folder_to_note(project: &Path, backbone: &Backbone) -> Result<Option<PathBuf>> {
    let real = |backbone: &Backbone| std::fs::canonicalize(backbone.folder()).ok();
    let is_found = hub::named(&backbone.id).is_ok_and(|named| real(&named) == real(backbone));
    match is_found {
        true => Ok(None),
        false => Project::reference(project, backbone.folder()).map(Some),
    }
}
