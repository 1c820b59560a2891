//! Weights in PyTorch's old format, which can hold programs. Read only after a spoken yes, by Candle's reader, which
//! knows tensors and nothing else and runs nothing; kept as safetensors in Frostline's own folder.

use super::api::RemoteFile;
use super::id::{Commit, RepoId};
use super::support;
use crate::backbone::spec::Card;
use crate::partial::PartialFolder;
use crate::problem::{Problem, Result};
use crate::units;
use candle_core::Tensor;
use candle_core::pickle::PthTensors;
use std::collections::HashMap;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// Converts the weights in `snapshot` and puts them with the other files into a backbone folder of Frostline's own.
///
/// # Errors
/// The file holds more than tensors, is damaged, or the folder cannot be written.
pub fn convert(
    home: Option<&Path>,
    id: &RepoId,
    commit: &Commit,
    snapshot: &Path,
    files: &[&RemoteFile],
) -> Result<PathBuf> {
    let own = home.map(|home| home.join("backbones")).ok_or_else(|| {
        Problem::input(
            "there is no place for backbones",
            "the system names no folder for them",
            "set FROSTLINE_HOME",
        )
    })?;
    let folder = own.join(id.as_str().replace('/', "--"));
    let fail = |e: std::io::Error| Problem::io("keep the converted weights", &folder, &e);
    std::fs::create_dir_all(&own).map_err(fail)?;
    let partial = PartialFolder::new_in(&own).map_err(fail)?;
    let tensors = read(&snapshot.join(support::PICKLE))?;
    candle_core::safetensors::save(&tensors, partial.path().join(support::WEIGHTS))?;
    for file in files.iter().filter(|file| file.path.as_str() != support::PICKLE) {
        let to = file.path.below(partial.path());
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent).map_err(fail)?;
        }
        std::fs::copy(file.path.below(snapshot), &to).map_err(fail)?;
    }
    let card = Card {
        id: Some(id.to_string()),
        origin: Some(format!("{id} of the Hugging Face Hub, {} converted to safetensors", support::PICKLE)),
        revision: Some(commit.to_string()),
        ..Card::default()
    };
    let text = toml::to_string(&card).map_err(|e| {
        Problem::other("could not describe the backbone", e.to_string(), "please report this")
    })?;
    std::fs::write(partial.path().join("frostline.toml"), text).map_err(fail)?;
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(fail)?;
    }
    partial.rename(&folder).map_err(fail)?;
    Ok(folder)
}

/// Why tensors of these shapes and bytes an element cannot be in a file of `len` bytes, where the data lie unpacked.
/// Several tensors may share their data, but not without measure.
fn claims_too_much<'a>(tensors: impl Iterator<Item = (&'a [usize], usize)>, len: u64) -> Option<String> {
    const SHARED: u64 = 4;
    let mut total = 0u64;
    for (dims, size) in tensors {
        let bytes = dims.iter().try_fold(size as u64, |bytes, dim| bytes.checked_mul(*dim as u64));
        let Some(bytes) = bytes.filter(|bytes| *bytes <= len) else {
            return Some(format!("it claims a tensor {dims:?}, which is larger than the file"));
        };
        total = total.saturating_add(bytes);
    }
    (total > SHARED * len)
        .then(|| format!("its tensors claim {} of a file of {}", units::bytes(total), units::bytes(len)))
}

/// All tensors of the file. A reader that meets what it does not expect may give up with a panic.
fn read(path: &Path) -> Result<HashMap<String, Tensor>> {
    let refuse = |why: String| {
        Problem::input("the weight file cannot be used", why, "choose a model with model.safetensors")
            .at(path)
    };
    let all = || -> candle_core::Result<HashMap<String, Tensor>> {
        let reader = PthTensors::new(path, None)?;
        let claimed =
            reader.tensor_infos().values().map(|info| (info.layout.dims(), info.dtype.size_in_bytes()));
        if let Some(why) = claims_too_much(claimed, std::fs::metadata(path)?.len()) {
            candle_core::bail!("{why}")
        }
        let names: Vec<String> = reader.tensor_infos().keys().cloned().collect();
        let mut tensors = HashMap::new();
        for name in names {
            if let Some(tensor) = reader.get(&name)? {
                tensors.insert(name, tensor);
            }
        }
        Ok(tensors)
    };
    let read = catch_unwind(std::panic::AssertUnwindSafe(all));
    let tensors = read.map_err(|_| refuse("it holds more than tensors, or is damaged".to_string()))?;
    let tensors =
        tensors.map_err(|e| refuse(e.to_string().lines().next().unwrap_or_default().to_string()))?;
    match tensors.is_empty() {
        true => Err(refuse("it holds no tensors".to_string())),
        false => Ok(tensors),
    }
}

#[cfg(test)]
mod tests {
    use super::claims_too_much;

    #[test]
    fn what_cannot_be_in_the_file_is_not_read() {
        let claims = |dims: &[&[usize]], len| claims_too_much(dims.iter().map(|d| (*d, 4)), len);
        assert_eq!(claims(&[&[100, 10], &[10], &[]], 4100), None);
        assert_eq!(claims(&[&[1000], &[1000], &[1000]], 4000), None, "shared data");
        assert!(claims(&[&[1001]], 4000).is_some());
        assert!(claims(&[&[usize::MAX, usize::MAX]], u64::MAX).is_some());
        assert!(claims(&[&[1000][..]; 5], 4000).is_some());
    }
}
