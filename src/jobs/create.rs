//! A new project: checked against the data and the backbone before anything is written.

use super::scan_with;
use crate::backbone::{Backbone, FreezeMask};
use crate::control::Control;
use crate::data::scan::{KnownFiles, ScanOptions};
use crate::hub;
use crate::problem::{Problem, Result};
use crate::project::reading::Reading;
use crate::project::recipe::{BackboneChoice, DataChoice, FreezeChoice};
use crate::project::settings::{self, Defaults, Setting, Value};
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
    /// How the data is to be read; what it is to be read as follows from the task.
    pub reading: ScanOptions,
    /// What is asked of the network; found out from the labels where not given.
    pub task: Option<TaskChoice>,
    pub thaw: Vec<String>,
    /// What is set otherwise than it suits, in any order.
    pub settings: Vec<(&'static Setting, Value)>,
}

/// Makes the project folder with its recipe.
///
/// # Errors
/// The folder is not empty; the data has no two classes or lacks a column; there is no such backbone; a
/// pattern to thaw matches nothing; a value is out of range; the weights are damaged. Nothing is written then.
pub fn create(new: &NewProject, control: &dyn Control) -> Result<(Project, Plan)> {
    let backbone = hub::open(&new.backbone)?;
    let mask = FreezeMask::from_patterns(backbone.architecture().tree(), &new.thaw)?;
    let options = ScanOptions { target: new.task.map(|task| task.target), ..new.reading.clone() };
    let scanned = scan_with(&new.data, &options, &KnownFiles::default(), control)?;
    let index = Arc::new(scanned.index);
    let defaults = Defaults {
        task: new.task.unwrap_or(TaskChoice(usual(index.target))),
        modality: backbone.input.modality(),
        head_only: mask.trainable_parameters(backbone.architecture().tree()) == 0,
        dropout: backbone.architecture().dropout(),
    };
    let mut recipe = Recipe {
        data: DataChoice::new(Project::reference(&new.folder, &new.data)?, &options, &index.layout),
        backbone: BackboneChoice {
            id: backbone.id.clone(),
            sha256: backbone.open_weights()?.sha256().to_string(),
            revision: backbone.commit.clone(),
            folder: folder_to_note(&new.folder, &backbone)?,
            reading: Some(Reading::of(&backbone)),
        },
        freeze: FreezeChoice { thaw: new.thaw.clone() },
        ..Recipe::suited_to(&defaults)
    };
    settings::apply(&mut recipe, &new.settings).and_then(|()| recipe.check()).map_err(|why| {
        Problem::input(
            "the project was not made",
            why,
            "give another value; `frostline new --help` lists them",
        )
    })?;
    let plan = Plan::new(recipe.clone(), index, backbone, Machine::cpu(), None)?;
    let project = Project::create(&new.folder, &recipe)?;
    if recipe.backbone.folder.is_some() {
        hub::remembered::remember(&plan.backbone, &recipe.backbone.sha256);
    }
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
