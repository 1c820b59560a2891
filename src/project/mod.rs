//! A project is a folder: `recipe.toml`, the runs, the cache. A recipe says what the user chose; a plan is a
//! recipe checked against the data, the backbone and the machine; a run is one execution of a plan.

#![warn(clippy::indexing_slicing, reason = "what comes from outside is not indexed")]

pub mod device;
pub mod files;
pub mod folder;
pub mod kept_index;
pub mod plan;
pub mod reading;
pub mod recipe;
mod recipe_file;
pub mod run;
pub mod sealed;
pub mod settings;
mod tested;

pub use device::Machine;
pub use folder::{Project, ProjectLock};
pub use plan::Plan;
pub use recipe::Recipe;
pub use run::{Run, RunRecord, RunState};
