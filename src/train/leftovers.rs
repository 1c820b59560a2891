//! What a training that was killed left in its project: cleared by the next one, which holds the project's lock.

use super::checkpoint;
use crate::data::scan::RECIPE_FILE;
use crate::hub::subfolders;
use crate::partial;
use crate::project::{Project, ProjectLock, Run, RunState};
use std::path::{Path, PathBuf};

/// Removes unfinished files, runs that had not begun, and bests of epochs that are not the best one.
pub fn clear(project: &Project, _lock: &ProjectLock) {
    partial::clear(project.folder());
    let is_run = |folder: &PathBuf| {
        folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<u32>().is_ok())
    };
    for folder in subfolders(&project.folder().join("runs")).filter(is_run) {
        partial::clear(&folder);
        match folder.join("run.json").exists() {
            true => keep_one_best(&Run::at(folder)),
            false => remove_half_made(&folder),
        }
    }
}

/// A run begins with its record, which is written after its recipe and its split.
fn remove_half_made(folder: &Path) {
    let ours = [RECIPE_FILE, "split.json"];
    let found: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    let is_ours = |path: &PathBuf| ours.iter().any(|name| path.ends_with(name));
    if found.iter().all(is_ours) {
        for path in found {
            let _ = std::fs::remove_file(path);
        }
        // What stays behind costs some disk and nothing else.
        let _ = std::fs::remove_dir(folder);
    }
}

/// Where a run ended between its checkpoint and its record, the record is brought up to the checkpoint: the best epoch of
/// both is then the same, and the files of all others go.
fn keep_one_best(run: &Run) {
    let (Ok(mut record), bests) = (run.record(), bests(run)) else { return };
    if bests.iter().all(|epoch| Some(*epoch) == record.best_epoch) {
        return;
    }
    if record.state != RunState::Finished {
        match checkpoint::progress(run) {
            Some(progress) if progress.epochs.len() >= record.epochs.len() => {
                progress.note(&mut record);
                if run.write_record(&record).is_err() {
                    return;
                }
            }
            // Without a checkpoint the run begins anew.
            None if !run.checkpoint_path().exists() => {}
            Some(_) | None => return,
        }
    }
    for epoch in bests.into_iter().filter(|epoch| Some(*epoch) != record.best_epoch) {
        let _ = std::fs::remove_file(run.best_path(epoch));
    }
}

/// The epochs of which there is a file of the best one.
fn bests(run: &Run) -> Vec<u32> {
    let epoch_of = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_prefix("best-")?.strip_suffix(".safetensors")?;
        name.parse().ok().filter(|epoch| run.best_path(*epoch) == path)
    };
    let entries = std::fs::read_dir(run.folder()).into_iter().flatten().flatten();
    entries.filter_map(|entry| epoch_of(entry.path())).collect()
}
