//! Where folders of the user's with backbones lie, by the hash of their weights, so that an export finds its backbone again:
//! a small file for each in Frostline's own folder.

use super::id::is_hex;
use super::{places, weights_sha256};
use crate::backbone::Backbone;
use crate::partial;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What one file says.
#[derive(Serialize, Deserialize)]
struct Remembered {
    folder: PathBuf,
}

/// What is known of a backbone that was used from a folder once.
#[derive(Debug)]
pub enum Recalled {
    /// It lies where it did.
    Found(Box<Backbone>),
    /// Why it is not to be had there any more, in words.
    Gone(String),
    Never,
}

/// Notes where the backbone with these weights lies. An export that finds nothing later says so, and how to name the
/// folder: nothing is lost where the note cannot be written.
pub fn remember(backbone: &Backbone, sha256: &str) {
    let folder = std::fs::canonicalize(backbone.folder()).ok();
    let noted = folder.and_then(|folder| toml::to_string(&Remembered { folder }).ok());
    if let Some(path) = note(sha256) {
        path.parent().into_iter().for_each(partial::clear);
    }
    if let Some((path, text)) = note(sha256).zip(noted)
        && std::fs::read_to_string(&path).ok().as_ref() != Some(&text)
    {
        let _ = super::cache::write(&path, text.as_bytes());
    }
}

/// Looks where these weights lay last.
pub fn recall(sha256: &str) -> Recalled {
    let text = note(sha256).and_then(|path| std::fs::read_to_string(path).ok());
    let Some(Remembered { folder }) = text.and_then(|text| toml::from_str(&text).ok()) else {
        return Recalled::Never;
    };
    look(&folder, sha256).map_or_else(Recalled::Gone, |backbone| Recalled::Found(Box::new(backbone)))
}

fn look(folder: &Path, sha256: &str) -> Result<Backbone, String> {
    let shown = folder.display();
    if !folder.is_dir() {
        return Err(format!("the folder {shown}, where it was used from, is gone"));
    }
    let backbone =
        Backbone::open(folder).map_err(|p| format!("{shown}, where it was used from: {}", p.why))?;
    match weights_sha256(&backbone) {
        Ok(found) if found == sha256 => Ok(backbone),
        Ok(_) => Err(format!("the weights in {shown}, where it was used from, are others now")),
        Err(problem) => Err(format!("{shown}, where it was used from: {}", problem.why)),
    }
}

fn note(sha256: &str) -> Option<PathBuf> {
    let folder = places::home()?.join("remembered");
    is_hex(sha256, 64).then(|| folder.join(format!("{sha256}.toml")))
}
