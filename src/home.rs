//! The folder that Frostline keeps for itself.

use std::path::PathBuf;

/// `$FROSTLINE_HOME`, else the system's place for application data.
pub fn home() -> Option<PathBuf> {
    match set("FROSTLINE_HOME") {
        Some(chosen) => Some(chosen),
        None => directories::ProjectDirs::from("", "", "frostline").map(|dirs| dirs.data_dir().to_path_buf()),
    }
}

/// An environment variable as a path, with `~` as Hugging Face's own programs take it.
pub(crate) fn set(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os(name).filter(|v| !v.is_empty())?);
    match path.strip_prefix("~") {
        Ok(rest) => directories::BaseDirs::new().map(|dirs| dirs.home_dir().join(rest)),
        Err(_) => Some(path),
    }
}
