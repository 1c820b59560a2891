//! What a front end can ask for, one function each. Every job takes a `&dyn Control`, never prints, and reads
//! top-down: this folder is the path of the data.

mod create;
mod export;
mod hub;
mod inspect;
mod open;
mod save;
mod score;
mod train;

pub use create::{NewProject, create};
pub use export::export;
pub use hub::{add_local, hub_download, hub_host, hub_page, library, remove, search_hub, search_on, verify};
pub use inspect::{calibrate, filter_tiles, inspect_weights};
pub use open::{Opened, create_in_home, is_export, open};
pub use save::{remember, save_recipe};
pub use score::{EvaluateWhat, LabelProbability, ModelSource, Prediction, evaluate, predict};
pub use train::{Trained, train, train_recipe};

use crate::control::{Control, Fact};
use crate::data::index::DatasetIndex;
use crate::data::scan::{ScanOptions, scan as scan_data};
use crate::problem::{Problem, Result};
use crate::project::device::{DeviceName, DeviceOffer};
use crate::project::{Machine, Project, Recipe};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

/// What this build could compute on, and whether it answers.
pub fn devices() -> Vec<DeviceOffer> {
    DeviceName::ALL.into_iter().map(DeviceOffer::of).collect()
}

/// Reads a dataset and says what it found.
///
/// # Errors
/// There is no data at `root`, or a named column is missing.
pub fn scan(root: &Path, options: &ScanOptions, control: &dyn Control) -> Result<DatasetIndex> {
    let started = Instant::now();
    let index = scan_data(root, options, control)?;
    control.report(Fact::Scan {
        items: index.items.len() as u64,
        classes: index.classes.len() as u64,
        findings: index.findings.len() as u64,
        seconds: started.elapsed().as_secs_f64(),
    });
    Ok(index)
}

/// Reads the data that a recipe names.
fn scan_of(project: &Project, recipe: &Recipe, control: &dyn Control) -> Result<DatasetIndex> {
    let options = ScanOptions {
        text_column: recipe.data.text_column.clone(),
        label_column: recipe.data.label_column.clone(),
    };
    let path = project.resolve(&recipe.data.path);
    match path.exists() {
        true => scan(&path, &options, control),
        false => Err(Problem::input(
            "the data of this project is not there",
            "the path in recipe.toml leads nowhere; it was moved, renamed, or its disk is not connected",
            "put it back, or correct data.path in recipe.toml",
        )
        .at(path)),
    }
}

/// Runs `work` in a pool of the machine's compute threads. A panic in it is a bug and comes back as a problem, so
/// that whoever asked hears how the job ended.
fn in_pool<R: Send>(machine: &Machine, work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
    let _kept = crate::nn::FreedMemoryKept::new();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(machine.threads)
        .thread_name(|n| format!("compute-{n}"))
        .build();
    let pool = pool.map_err(|e| {
        Problem::other(
            "the compute threads could not be started",
            e.to_string(),
            "use fewer threads with --threads",
        )
    })?;
    catch_unwind(AssertUnwindSafe(|| pool.install(work))).unwrap_or_else(|panic| {
        let remedy = "please report this with the message";
        Err(Problem::of_panic("Frostline failed by a fault of its own", panic.as_ref(), remedy))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_problem() {
        let problem = in_pool::<()>(&Machine::cpu(), || panic!("index {} is out of bounds", 7)).unwrap_err();
        assert_eq!(problem.why, "index 7 is out of bounds");
    }
}
