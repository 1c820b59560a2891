//! Where backbones come from: the bundled ones, those kept in Frostline's own folder, and those in the Hugging
//! Face cache of this machine. Nothing here goes on the network.

pub mod places;

use crate::backbone::{Backbone, weights::sha256_of_file};
use crate::problem::{Problem, Result};
use std::path::{Path, PathBuf};

/// All usable backbones on this machine, bundled ones first, then by id. Folders that hold no usable
/// backbone come as problems beside them.
pub fn list() -> (Vec<Backbone>, Vec<Problem>) {
    let (mut backbones, mut problems) = (Vec::<Backbone>::new(), Vec::new());
    for place in places() {
        match place.open() {
            Ok(backbone) if backbones.iter().any(|b| b.id == backbone.id) => {}
            Ok(backbone) => backbones.push(backbone),
            Err(problem) => problems.push(problem),
        }
    }
    (backbones, problems)
}

/// The backbone called `id`: a name from [`list`], or the path of a folder.
///
/// # Errors
/// There is none, or it cannot be used.
pub fn open(id: &str) -> Result<Backbone> {
    let as_path = Path::new(id);
    match as_path.join("config.json").is_file() {
        true => Backbone::open(as_path),
        false => named(id),
    }
}

/// The backbone called `id` in [`list`].
///
/// # Errors
/// There is none, or it cannot be used.
pub fn named(id: &str) -> Result<Backbone> {
    for place in places() {
        let named = place.folder.file_name().is_some_and(|name| name == id);
        if named || place.open().is_ok_and(|b| b.id == id) {
            return place.open();
        }
    }
    let (known, _) = list();
    let known: Vec<&str> = known.iter().map(|b| b.id.as_str()).collect();
    let why = match known.is_empty() {
        true => format!("no backbones were found; looked in {}", places::show(&places::backbone_roots())),
        false => format!("on this machine are {}", known.join(", ")),
    };
    Err(Problem::input(
        format!("there is no backbone called {id:?} on this machine"),
        why,
        "choose one of these, or give the path of a folder with config.json and model.safetensors",
    ))
}

/// The backbone whose weight file has this SHA-256; the one called `id` is tried first.
///
/// # Errors
/// No backbone on this machine has these weights.
pub fn find_by_sha256(id: &str, sha256: &str) -> Result<Backbone> {
    let (others, _) = list();
    for backbone in named(id).ok().into_iter().chain(others) {
        if sha256_of_file(&backbone.weights_path()).is_ok_and(|found| found == sha256) {
            return Ok(backbone);
        }
    }
    Err(Problem::input(
        format!("the weights of backbone {id:?} are not on this machine"),
        format!(
            "no weight file with SHA-256 {sha256} was found in {}",
            places::show(&places::backbone_roots())
        ),
        "copy the backbone's folder (config.json and model.safetensors) into one of these places",
    ))
}

/// A folder that may hold a backbone.
struct Place {
    folder: PathBuf,
    /// The repository's name, for a folder of the Hugging Face cache.
    repository: Option<String>,
}

impl Place {
    fn open(&self) -> Result<Backbone> {
        let mut backbone = Backbone::open(&self.folder)?;
        if let Some(repository) = &self.repository {
            backbone.id.clone_from(repository);
        }
        Ok(backbone)
    }
}

fn places() -> Vec<Place> {
    let mut found = Vec::new();
    for root in places::backbone_roots() {
        let mut inside: Vec<PathBuf> =
            subfolders(&root).filter(|f| f.join("config.json").is_file()).collect();
        inside.sort();
        found.extend(inside.into_iter().map(|folder| Place { folder, repository: None }));
    }
    for (folder, repository) in places::hub_snapshots() {
        if folder.join("model.safetensors").is_file() && folder.join("config.json").is_file() {
            found.push(Place { folder, repository: Some(repository) });
        }
    }
    found
}

/// The folders right inside `folder`; none where it cannot be read.
pub fn subfolders(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir())
}
