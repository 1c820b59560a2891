//! Exporting the best epoch of a run.

use super::in_pool;
use crate::export::export_head;
use crate::predict::Manifest;
use crate::problem::Result;
use crate::project::{Machine, Project, Recipe};
use std::path::Path;

/// Writes the head of a run (the newest finished one where not named) to the new folder `out`.
///
/// # Errors
/// There is no such run, `out` is taken or cannot be written, or the reloaded export answers differently.
pub fn export(project: &Project, run: Option<&str>, out: &Path, machine: &Machine) -> Result<Manifest> {
    let run = project.run(run)?;
    let recipe = Recipe::read(&run.recipe_path())?;
    let backbone = super::train::pinned_backbone(project, &recipe)?;
    in_pool(machine, || export_head(&run, &backbone, machine, out))
}
