//! Backbones that the user has already: a folder, or a weight file with its configuration beside it. Copied into
//! Frostline's folder, or used where they lie.

use super::header::Header;
use super::{Place, places, subfolders, support};
use crate::backbone::{Backbone, shards};
use crate::partial::PartialFolder;
use crate::problem::{Problem, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What happens to the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// They are copied; the original may go.
    Copied,
    /// They stay where they are and must stay there.
    Referenced,
}

/// Folders that are used where they lie (`references.toml` in Frostline's folder).
#[derive(Debug, Default, Serialize, Deserialize)]
struct References {
    folders: Vec<PathBuf>,
}

/// Checks the backbone at `path` (a folder, or a safetensors file in one) and makes it known.
///
/// # Errors
/// A file is missing or damaged, this version cannot use it, or the name is taken.
pub fn add(path: &Path, keep: Keep) -> Result<Backbone> {
    let found = Found::at(path)?;
    match keep {
        Keep::Copied => found.copy(),
        Keep::Referenced => found.reference(),
    }
}

/// The folders that are used where they lie.
pub fn references() -> Vec<PathBuf> {
    read_references().folders
}

/// Takes a folder off the list; its files stay.
///
/// # Errors
/// The list cannot be written.
pub fn forget(folder: &Path) -> Result<()> {
    let mut known = read_references();
    known.folders.retain(|f| f != folder);
    write_references(&known)
}

struct Found {
    folder: PathBuf,
    weights: PathBuf,
}

impl Found {
    fn at(path: &Path) -> Result<Self> {
        let path = std::fs::canonicalize(path).map_err(|e| Problem::io("open the backbone", path, &e))?;
        let is_file = path.is_file();
        let folder =
            if is_file { path.parent().unwrap_or(Path::new("/")).to_path_buf() } else { path.clone() };
        let weights = if is_file { path.clone() } else { shards::weights_in(&folder) };
        let lacks = |name: &str, remedy: &str| {
            Err(Problem::input("this is no backbone", format!("there is no {name} beside it"), remedy)
                .at(&path))
        };
        if !folder.join(support::CONFIG).is_file() {
            return lacks(
                support::CONFIG,
                "put the model's config.json beside the weights; without it nobody knows what they are",
            );
        }
        if !weights.is_file() {
            return lacks(
                support::WEIGHTS,
                "name the safetensors file itself, or rename it to model.safetensors",
            );
        }
        if !shards::is_index(&weights) {
            Header::of_file(&weights)?;
        }
        Ok(Self { folder, weights })
    }

    /// Copies what a backbone consists of, checks the copy, and gives it its name.
    fn copy(&self) -> Result<Backbone> {
        let own = places::own_backbones().ok_or_else(no_home)?;
        let name = self
            .folder
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_else(|| "backbone".into());
        let target = own.join(name);
        let fail = |e: std::io::Error| Problem::io("copy the backbone", &target, &e);
        if target.exists() {
            return Err(Problem::input(
                "the backbone was not copied",
                "there is one of this name already",
                "rename its folder",
            )
            .at(target));
        }
        std::fs::create_dir_all(&own).map_err(fail)?;
        let partial = PartialFolder::new_in(&own).map_err(fail)?;
        Backbone::open(&self.folder)?.copy_to(partial.path())?;
        if !shards::is_index(&self.weights) {
            std::fs::copy(&self.weights, partial.path().join(support::WEIGHTS)).map_err(fail)?;
        }
        Backbone::open(partial.path())?.open_weights()?;
        partial.rename(&target).map_err(fail)?;
        Place::own(target).open()
    }

    fn reference(&self) -> Result<Backbone> {
        if self.weights != shards::weights_in(&self.folder) {
            return Err(Problem::input(
                "the weight file cannot be used where it lies",
                format!("it is not called {}", support::WEIGHTS),
                "rename it, or let it be copied",
            )
            .at(&self.weights));
        }
        let place = Place::referenced(self.folder.clone());
        let backbone = place.open()?;
        backbone.open_weights()?;
        let mut known = read_references();
        if !known.folders.contains(&self.folder) {
            known.folders.push(self.folder.clone());
            write_references(&known)?;
        }
        Ok(backbone)
    }
}

fn no_home() -> Problem {
    Problem::input(
        "there is no place for backbones",
        "the system names no folder for them",
        "set FROSTLINE_HOME",
    )
}

fn references_path() -> Option<PathBuf> {
    places::home().map(|home| home.join("references.toml"))
}

/// An unreadable list is an empty one: it only costs adding the folders again.
fn read_references() -> References {
    let text = references_path().and_then(|path| std::fs::read_to_string(path).ok());
    text.and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
}

fn write_references(references: &References) -> Result<()> {
    let path = references_path().ok_or_else(no_home)?;
    let text = toml::to_string(references).map_err(|e| {
        Problem::input(
            "the list of backbones cannot be written",
            e.to_string(),
            "rename folders whose names are not Unicode",
        )
    })?;
    super::cache::write(&path, text.as_bytes())
}

/// Folders of backbones below a root, by name; unfinished copies are none.
pub fn folders_in(root: &Path) -> Vec<PathBuf> {
    let is_whole = |folder: &PathBuf| {
        let is_hidden = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        !is_hidden && folder.join(support::CONFIG).is_file()
    };
    let mut inside: Vec<PathBuf> = subfolders(root).filter(is_whole).collect();
    inside.sort();
    inside
}
