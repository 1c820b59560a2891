//! Looking at a backbone's weights, and measuring how fast this machine runs it.

use super::in_pool;
use crate::backbone::Leaf;
use crate::hub;
use crate::inspect::{FilterTiles, WeightSummary};
use crate::nn;
use crate::problem::{Problem, Result};
use crate::project::Machine;
use crate::project::files::{read_json, write_json};
use crate::train::estimate::{Calibration, measure};
use std::collections::BTreeMap;

/// Figures of the weights of every layer, by its path.
///
/// # Errors
/// There is no such backbone, or its weights are broken.
pub fn inspect_weights(backbone: &str) -> Result<BTreeMap<String, WeightSummary>> {
    let backbone = hub::open(backbone)?;
    let weights = backbone.open_weights()?;
    let leaves = backbone.architecture().tree().leaves();
    leaves.iter().map(|leaf| Ok((leaf.path.clone(), WeightSummary::of(leaf, &weights)?))).collect()
}

/// Pictures of the filters of one convolution.
///
/// # Errors
/// There is no such layer, or it has no filters to show.
pub fn filter_tiles(backbone: &str, layer: &str) -> Result<FilterTiles> {
    let backbone = hub::open(backbone)?;
    let found: Option<&Leaf> = backbone.architecture().tree().leaves().iter().find(|leaf| leaf.path == layer);
    let leaf = found.ok_or_else(|| {
        Problem::input(
            format!("there is no layer {layer:?}"),
            "the backbone does not have it",
            "choose another layer",
        )
    })?;
    FilterTiles::of(leaf, &backbone.open_weights()?)
}

/// Raised when kernels become so much faster that kept times are of no use.
const KERNELS: u32 = 2;

/// How long each segment of a backbone takes here; measured once for each backbone, machine and number of threads,
/// and kept in Frostline's own folder.
///
/// # Errors
/// There is no such backbone, or its weights are broken.
pub fn calibrate(backbone: &str, machine: &Machine) -> Result<Calibration> {
    let backbone = hub::open(backbone)?;
    let weights = backbone.open_weights()?;
    let kept = hub::places::home().map(|home| {
        let (path, device, threads) = (nn::path_name(), machine.device_name.name(), machine.threads);
        let name = format!("{}-{device}-{threads}-{path}-{KERNELS}.json", &weights.sha256()[..12]);
        home.join("calibration").join(name)
    });
    if let Some(calibration) =
        kept.as_ref().and_then(|path| read_json::<Calibration>(path, "read the calibration").ok())
        && calibration.segments.len() + 1 == backbone.architecture().cuts().len()
    {
        return Ok(calibration);
    }
    let calibration = in_pool(machine, || measure(&backbone, &weights, machine))?;
    if let Some(path) = kept {
        // A folder that cannot be written costs a second of measuring at the next start.
        let folder = path.parent().map(std::fs::create_dir_all);
        if folder.is_some_and(|made| made.is_ok()) {
            let _ = write_json(&path, &calibration, "keep the calibration");
        }
    }
    Ok(calibration)
}
