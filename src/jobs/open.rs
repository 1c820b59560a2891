//! Opening what a user names, whatever it is, and making a project of new data.

use super::{scan_of, scan_with};
use crate::control::Control;
use crate::data::index::DatasetIndex;
use crate::data::scan::readings::{self, DataGlance};
use crate::data::scan::{KnownFiles, RECIPE_FILE, ScanOptions};
use crate::hub::places;
use crate::predict::Manifest;
use crate::predict::manifest::{HEAD_FILE, MANIFEST_FILE};
use crate::problem::{Problem, Result};
use crate::project::recipe::{BackboneChoice, DataChoice};
use crate::project::settings::Defaults;
use crate::project::{Project, Recipe, kept_index};
use crate::task::{TaskChoice, usual};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What lies at a path.
#[derive(Debug, Clone)]
pub enum Opened {
    Project {
        folder: PathBuf,
        recipe: Box<Recipe>,
        index: Arc<DatasetIndex>,
    },
    /// An exported head.
    Export {
        folder: PathBuf,
        manifest: Box<Manifest>,
    },
    Data(FreshData),
}

/// Data that was read for the first time.
#[derive(Debug, Clone)]
pub struct FreshData {
    pub index: Arc<DatasetIndex>,
    /// For the project that is made of it.
    pub known: Arc<KnownFiles>,
    /// What the user said of it.
    pub reading: Box<ScanOptions>,
}

/// Reads what lies at `path`: a project with its data, or an export; anything else is taken for data, whose project is
/// opened where Frostline has made one of it.
///
/// # Errors
/// It cannot be read, or the user stopped.
pub fn open(path: &Path, control: &dyn Control) -> Result<Opened> {
    if Project::is_at(path) {
        let project = Project::open(path)?;
        let recipe = project.recipe()?;
        let index = Arc::new(scan_of(&project, &recipe, control)?);
        return Ok(Opened::Project { folder: path.to_path_buf(), recipe: Box::new(recipe), index });
    }
    if is_export(path) {
        let manifest = Box::new(Manifest::read(path)?);
        return Ok(Opened::Export { folder: path.to_path_buf(), manifest });
    }
    if let Some(project) = project_of(path) {
        return open(&project, control);
    }
    read_as(path, ScanOptions::default(), control).map(Opened::Data)
}

/// Reads the data at `path` in the way that the user says, for a project of its own.
///
/// # Errors
/// It cannot be read so, or the user stopped.
pub fn read_as(path: &Path, reading: ScanOptions, control: &dyn Control) -> Result<FreshData> {
    let scanned = scan_with(path, &reading, &KnownFiles::default(), control)?;
    Ok(FreshData {
        index: Arc::new(scanned.index),
        known: Arc::new(scanned.known),
        reading: Box::new(reading),
    })
}

/// Looks at the data at `path` as the user says it is to be read, without reading it for good.
///
/// # Errors
/// Nothing lies there that could be data, or the user stopped.
pub fn look(path: &Path, reading: &ScanOptions, control: &dyn Control) -> Result<DataGlance> {
    Ok(readings::look(path, reading, control)?)
}

/// The project in Frostline's own folder that was last changed of those made of the data at `path`; none for bundled
/// samples, with which everybody begins anew.
fn project_of(path: &Path) -> Option<PathBuf> {
    let data = std::fs::canonicalize(path).ok()?;
    let is_within = |root: &PathBuf| std::fs::canonicalize(root).is_ok_and(|root| data.starts_with(root));
    if places::asset_roots().iter().any(is_within) {
        return None;
    }
    let entries = std::fs::read_dir(places::home()?.join("projects")).ok()?;
    let of_data = entries.flatten().filter_map(|entry| {
        let folder = entry.path();
        let project = Project::is_at(&folder).then(|| Project::open(&folder).ok()).flatten()?;
        let own = project.resolve(&project.recipe().ok()?.data.path);
        let changed = std::fs::metadata(folder.join(RECIPE_FILE)).and_then(|about| about.modified()).ok()?;
        (std::fs::canonicalize(own).ok()? == data).then_some((changed, folder))
    });
    of_data.max().map(|(_, folder)| folder)
}

/// Whether a folder is an exported head.
pub fn is_export(folder: &Path) -> bool {
    folder.join(MANIFEST_FILE).is_file() && folder.join(HEAD_FILE).is_file()
}

/// Makes a project of `data` in Frostline's own folder, named after its data, with a recipe that suits it and a
/// backbone that was pretrained with `dropout`.
///
/// # Errors
/// The data has no two classes or is gone, or the folder cannot be written.
pub fn create_in_home(data: &FreshData, backbone: BackboneChoice, dropout: f32) -> Result<(PathBuf, Recipe)> {
    let index = &data.index;
    let task = TaskChoice(usual(index.target));
    (task.check)(index)?;
    let folder = new_folder(&index.root)?;
    let defaults = Defaults { task, modality: index.modality, head_only: true, dropout };
    let recipe = Recipe {
        data: DataChoice::new(Project::reference(&folder, &index.root)?, &data.reading, &index.layout),
        backbone,
        ..Recipe::suited_to(&defaults)
    };
    Project::create(&folder, &recipe)?;
    kept_index::write(&folder, &index.root, &recipe.scan_options(), data.known.as_ref().clone());
    Ok((folder, recipe))
}

/// A folder for a new project named after its data, in Frostline's own folder.
fn new_folder(data: &Path) -> Result<PathBuf> {
    let home = places::home().ok_or_else(|| {
        Problem::input(
            "there is no place for projects",
            "the system names no folder for them",
            "set FROSTLINE_HOME",
        )
    })?;
    let name = data.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_else(|| "project".into());
    let projects = home.join("projects");
    let free = |number: &u32| {
        let suffix = if *number == 1 { String::new() } else { format!("-{number}") };
        let folder = projects.join(format!("{name}{suffix}"));
        Project::is_free(&folder).then_some(folder)
    };
    (1..10_000).find_map(|n| free(&n)).ok_or_else(|| {
        Problem::input("there is no free project name", "10,000 projects have this name", "remove some")
            .at(&projects)
    })
}
