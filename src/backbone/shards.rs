//! Weights in several files: `model.safetensors.index.json` says which tensor lies in which.

use crate::problem::{Problem, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The weights where they are in one file.
const WHOLE: &str = "model.safetensors";
/// What names the parts.
pub const INDEX: &str = "model.safetensors.index.json";

/// Which tensor lies in which part.
#[derive(Deserialize)]
pub struct Index {
    pub weight_map: BTreeMap<String, String>,
}

impl Index {
    /// Reads an index.
    ///
    /// # Errors
    /// It cannot be read or understood, names no part, or one outside its folder.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(path).map_err(|e| Problem::io("read the weights", path, &e))?;
        let refuse = |why: String| {
            let remedy = "fetch or copy the backbone again";
            Problem::input("the index of the weights cannot be used", why, remedy).at(path)
        };
        let index: Self = serde_json::from_str(&text).map_err(|e| refuse(e.to_string()))?;
        let is_name = |part: &&String| Path::new(part).file_name().is_some_and(|name| name == part.as_str());
        match index.weight_map.values().find(|part| !is_name(part)) {
            Some(part) => Err(refuse(format!("it names the file {part:?}, which is not beside it"))),
            None if index.weight_map.is_empty() => Err(refuse("it names no tensor".to_string())),
            None => Ok(index),
        }
    }

    /// Names of the parts, sorted.
    pub fn parts(&self) -> BTreeSet<&str> {
        self.weight_map.values().map(String::as_str).collect()
    }
}

/// Where the weights in `folder` begin: the one file, or the index where there is that alone.
pub fn weights_in(folder: &Path) -> PathBuf {
    let (whole, index) = (folder.join(WHOLE), folder.join(INDEX));
    if !whole.exists() && index.exists() { index } else { whole }
}

/// Whether this is the index of several files.
pub fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == INDEX)
}

/// All files of weights: the one, or the index with its parts.
///
/// # Errors
/// The index cannot be read.
pub fn files_of(weights: &Path) -> Result<Vec<PathBuf>> {
    if !is_index(weights) {
        return Ok(vec![weights.to_path_buf()]);
    }
    let index = Index::read(weights)?;
    let parts = index.parts().into_iter().map(|part| weights.with_file_name(part));
    Ok(std::iter::once(weights.to_path_buf()).chain(parts).collect())
}
