//! A project is a folder: `recipe.toml`, the runs, the cache. A recipe says what the user chose; a plan is a
//! recipe checked against the data, the backbone and the machine; a run is one execution of a plan.

mod device;
pub mod files;
pub mod folder;
pub mod plan;
pub mod recipe;
pub mod run;

pub use folder::{Project, ProjectLock};
pub use plan::{Machine, Plan};
pub use recipe::Recipe;
pub use run::{Run, RunRecord, RunState};
