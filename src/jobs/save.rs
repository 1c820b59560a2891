//! Writing what a user changed.

use crate::hub::places;
use crate::problem::{Problem, Result};
use crate::project::files::write_atomically;
use crate::project::{Project, Recipe};
use std::path::Path;

/// Writes the recipe of the project in `folder`, where the one on disk is another.
///
/// # Errors
/// The project is gone, or its folder cannot be written.
pub fn save_recipe(folder: &Path, recipe: &Recipe) -> Result<()> {
    let project = Project::open(folder)?;
    match project.recipe() {
        Ok(on_disk) if on_disk == *recipe => Ok(()),
        Ok(_) | Err(_) => project.write_recipe(recipe),
    }
}

/// Keeps `text` for the next start of the window; nothing where the system names no place for it.
///
/// # Errors
/// Frostline's own folder cannot be written.
pub fn remember(text: &str) -> Result<()> {
    let Some(home) = places::home() else { return Ok(()) };
    std::fs::create_dir_all(&home).map_err(|e| Problem::io("make Frostline's folder", &home, &e))?;
    write_atomically(&home.join(places::WINDOW_FILE), text.as_bytes(), "keep the window's memory")
}
