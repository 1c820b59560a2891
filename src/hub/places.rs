//! Where files lie on this machine.

pub use crate::home::home;
use crate::home::set;
use std::path::{Path, PathBuf};

/// Folders that hold bundled assets, in the order in which they are asked: `$FROSTLINE_ASSETS`, beside the
/// executable, `../share/frostline`, the source tree. A set `$FROSTLINE_ASSETS` is the only one.
pub fn asset_roots() -> Vec<PathBuf> {
    if let Some(chosen) = set("FROSTLINE_ASSETS") {
        return vec![chosen];
    }
    let mut roots = Vec::new();
    if let Some(folder) = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf)) {
        roots.push(folder.join("assets"));
        roots.push(folder.join("../share/frostline"));
    }
    roots.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets"));
    roots.retain(|root| root.is_dir());
    roots
}

/// What the window remembers, in [`home`].
pub const WINDOW_FILE: &str = "window.json";

/// Where Frostline keeps backbones of its own: copied folders and converted weights.
pub fn own_backbones() -> Option<PathBuf> {
    home().map(|home| home.join("backbones"))
}

/// Folders that hold backbones, one folder each.
pub fn backbone_roots() -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> = asset_roots().into_iter().map(|root| root.join("backbones")).collect();
    roots.extend(own_backbones());
    roots
}

/// Hugging Face's folder: `$HF_HOME`, `$XDG_CACHE_HOME/huggingface`, `~/.cache/huggingface`.
pub fn hf_home() -> Option<PathBuf> {
    let user = || directories::BaseDirs::new().map(|dirs| dirs.home_dir().join(".cache"));
    set("HF_HOME").or_else(|| set("XDG_CACHE_HOME").or_else(user).map(|cache| cache.join("huggingface")))
}

/// The cache of downloaded models: `$HF_HUB_CACHE`, `$HUGGINGFACE_HUB_CACHE`, `hub` in Hugging Face's folder.
pub fn hub_cache() -> Option<PathBuf> {
    set("HF_HUB_CACHE")
        .or_else(|| set("HUGGINGFACE_HUB_CACHE"))
        .or_else(|| hf_home().map(|home| home.join("hub")))
}

/// A list of folders for a person.
pub fn show(folders: &[PathBuf]) -> String {
    let shown: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
    shown.join(", ")
}
