//! Exporting the best epoch of a run.

use super::in_pool;
use crate::control::Control;
pub use crate::export::Carries;
use crate::export::export_head;
use crate::hub;
use crate::predict::Manifest;
use crate::predict::model::carried;
use crate::problem::Result;
use crate::project::{Machine, Project};
use std::path::{Path, PathBuf};

/// Writes the head of a run (the newest finished one where not named) to the new folder `out`.
///
/// # Errors
/// There is no such run, `out` is taken or cannot be written, the reloaded export answers differently, or
/// the user stopped.
pub fn export(
    project: &Project,
    run: Option<&str>,
    out: &Path,
    carries: Carries,
    machine: &Machine,
    control: &dyn Control,
) -> Result<Manifest> {
    let run = project.run(run)?;
    let recipe = run.recipe(&run.record()?)?;
    let backbone = super::train::pinned_backbone(project, &recipe)?;
    let manifest = in_pool(machine, || export_head(&run, &backbone, carries, machine, out, control))?;
    if recipe.backbone.folder.is_some() {
        hub::remembered::remember(&backbone, &recipe.backbone.sha256);
    }
    Ok(manifest)
}

/// The folder that must be named when the export `manifest` of a run of `project` is used: none where the export's
/// backbone is found without.
///
/// # Errors
/// The project's backbone is gone.
pub fn folder_to_name(project: &Project, manifest: &Manifest, out: &Path) -> Result<Option<PathBuf>> {
    let wanted = &manifest.backbone;
    let is_found = carried(out).is_some()
        || hub::find_by_sha256(&wanted.id, wanted.revision.as_deref(), &wanted.sha256).is_ok();
    if is_found {
        return Ok(None);
    }
    let run = project.run(Some(&manifest.scores.run))?;
    let backbone = super::train::pinned_backbone(project, &run.recipe(&run.record()?)?)?;
    Ok(Some(backbone.folder().to_path_buf()))
}
