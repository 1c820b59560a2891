//! Where files lie on this machine.

use std::path::{Path, PathBuf};

/// Folders that hold bundled assets, in the order in which they are asked: `$FROSTLINE_ASSETS`, beside the
/// executable, `../share/frostline`, the source tree. A set `$FROSTLINE_ASSETS` is the only one.
pub fn asset_roots() -> Vec<PathBuf> {
    if let Some(chosen) = std::env::var_os("FROSTLINE_ASSETS").filter(|v| !v.is_empty()) {
        return vec![PathBuf::from(chosen)];
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

/// The folder that Frostline keeps for itself: `$FROSTLINE_HOME`, else the system's place for
/// application data.
pub fn home() -> Option<PathBuf> {
    match std::env::var_os("FROSTLINE_HOME").filter(|v| !v.is_empty()) {
        Some(chosen) => Some(PathBuf::from(chosen)),
        None => directories::ProjectDirs::from("", "", "frostline").map(|dirs| dirs.data_dir().to_path_buf()),
    }
}

/// Folders that hold backbones, one folder each.
pub fn backbone_roots() -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> = asset_roots().into_iter().map(|root| root.join("backbones")).collect();
    roots.extend(home().map(|home| home.join("backbones")));
    roots
}

/// The newest snapshot of each model in the Hugging Face cache (`$HF_HUB_CACHE`, `$HF_HOME/hub`,
/// `~/.cache/huggingface/hub`), with the repository's name (`owner/model`).
pub fn hub_snapshots() -> Vec<(PathBuf, String)> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let user_cache =
        || directories::BaseDirs::new().map(|dirs| dirs.home_dir().join(".cache/huggingface/hub"));
    let cache =
        set("HF_HUB_CACHE").or_else(|| set("HF_HOME").map(|home| home.join("hub"))).or_else(user_cache);
    let Some(cache) = cache else { return Vec::new() };
    let mut repositories: Vec<PathBuf> = super::subfolders(&cache).collect();
    repositories.sort();
    let newest = |repository: &PathBuf| {
        let name = repository.file_name()?.to_str()?.strip_prefix("models--")?.replace("--", "/");
        let snapshots = super::subfolders(&repository.join("snapshots"));
        let newest = snapshots.max_by_key(|snapshot| snapshot.metadata().and_then(|m| m.modified()).ok())?;
        Some((newest, name))
    };
    repositories.iter().filter_map(newest).collect()
}

/// A list of folders for a person.
pub fn show(folders: &[PathBuf]) -> String {
    let shown: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
    shown.join(", ")
}
