//! Writing so that a crash or a full disk never leaves half a file under its final name.

use crate::problem::{Problem, Result};
use crate::{bounded, partial};
use std::path::Path;

/// Replaces `path` by `bytes` in one step: a temporary file beside it, flushed to the disk, renamed.
///
/// # Errors
/// The folder cannot be written or the disk is full; then the old file is untouched.
pub fn write_atomically(path: &Path, bytes: &[u8], doing: &str) -> Result<()> {
    partial::replace(path, bytes).map_err(|e| Problem::io(doing, path, &e))
}

/// Serialises to indented JSON and writes it in one step.
pub fn write_json<T: serde::Serialize>(path: &Path, value: &T, doing: &str) -> Result<()> {
    let text = serde_json::to_vec_pretty(value).map_err(|e| {
        Problem::other(format!("could not {doing}"), e.to_string(), "please report this").at(path)
    })?;
    write_atomically(path, &text, doing)
}

/// Reads a JSON file of ours.
///
/// # Errors
/// Unreadable or not what was expected: then it was changed by hand or written by another version.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path, doing: &str) -> Result<T> {
    let text = bounded::read(path, bounded::MAX_RECORD_BYTES, doing)?;
    serde_json::from_slice(&text).map_err(|e| {
        let remedy = "the file was changed by hand or written by another version; restore it from a copy";
        Problem::input(format!("could not {doing}"), e.to_string(), remedy).at(path)
    })
}

/// `to` as seen from the folder `from`; absolute where they share nothing but the root. Both must be absolute.
pub fn relative_path(from: &Path, to: &Path) -> std::path::PathBuf {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if shared <= 1 {
        return to.iter().collect();
    }
    let up = std::iter::repeat_n(std::path::Component::ParentDir, from.len() - shared);
    let path: std::path::PathBuf = up.chain(to.into_iter().skip(shared)).collect();
    if path.as_os_str().is_empty() { ".".into() } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths() {
        let check = |from: &str, to: &str, expected: &str| {
            assert_eq!(relative_path(Path::new(from), Path::new(to)), Path::new(expected))
        };
        check("/home/a/project", "/home/a/photos", "../photos");
        check("/home/a", "/home/a/photos", "photos");
        check("/home/a", "/home/a", ".");
        check("/home/a", "/mnt/photos", "/mnt/photos");
    }

    #[test]
    fn an_old_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        write_json(&path, &[1, 2, 3], "write x").unwrap();
        write_json(&path, &[4], "write x").unwrap();
        assert_eq!(read_json::<Vec<u32>>(&path, "read x").unwrap(), [4]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
