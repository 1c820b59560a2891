//! What a choice of frozen layers costs, before anything is trained: a sum over segments whose times were
//! measured once on this machine.

use super::features::TRUNK_BATCH;
use super::memory;
use super::workload::values;
pub use super::workload::{Workload, lengths, mean_tokens};
use crate::backbone::{Backbone, Cut, CutName, FreezeMask, FrozenSource, LayerTree, Pass, WeightFile};
use crate::problem::Result;
use crate::project::Machine;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// A backward pass costs about as much as a forward pass for the input's gradient and once more for the weights'.
const BACKWARD_INPUT: f64 = 1.0;
const BACKWARD_WEIGHTS: f64 = 1.0;
/// Memory of the program itself.
const BASE_BYTES: u64 = 60_000_000;

/// Forward time of each segment, per sample or per token of samples that have some, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    pub segments: Vec<f64>,
}

/// What it will cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub trainable: usize,
    /// Parameters of backbone and head.
    pub total: usize,
    pub frostline: usize,
    pub cache_bytes: u64,
    pub memory_bytes: u64,
    /// Computing the frozen layers, once.
    pub warm_seconds: f64,
    pub epoch_seconds: f64,
    pub all_seconds: f64,
}

/// Adds up what `mask` costs. Times are 0 without a calibration.
pub fn estimate(
    tree: &LayerTree,
    cuts: &[Cut],
    features: usize,
    mask: &FreezeMask,
    calibration: Option<&Calibration>,
    work: &Workload,
) -> Estimate {
    let frostline = mask.frostline(tree, cuts.len());
    let head = work.classes * (features + 1);
    let trainable = mask.trainable_parameters(tree) + head;
    let samples = work.train_samples + work.validation_samples;
    let is_above_input = cuts.get(frostline).is_some_and(|cut| cut.name != CutName::Input);
    let cached = work.cache_enabled && is_above_input;
    let row = |cut: usize| cuts.get(cut).map_or(0, |c| values(&c.shape, work.tokens)) as u64;
    let cache_bytes = if cached { 4 * row(frostline) * samples as u64 } else { 0 };
    let times = |range: std::ops::Range<usize>| -> f64 {
        let seconds = calibration.map_or(&[][..], |c| &c.segments);
        seconds
            .get(range.start.min(seconds.len())..range.end.min(seconds.len()))
            .unwrap_or_default()
            .iter()
            .sum::<f64>()
            * work.tokens as f64
    };
    let decode = calibration.map_or(0.0, |_| work.modality.facts().cost.decode_seconds);
    let below = decode + times(0..frostline);
    let above = times(frostline..cuts.len().saturating_sub(1));
    let factor = 1.0 + BACKWARD_INPUT + BACKWARD_WEIGHTS;
    let overhead = 2e-6 * samples as f64;
    let mut epoch_seconds =
        above * (factor * work.train_samples as f64 + work.validation_samples as f64) + overhead;
    if !cached {
        epoch_seconds += below * samples as f64;
    }
    let warm_seconds = if cached { below * samples as f64 } else { decode * samples as f64 };
    let passing = memory::passing_bytes(
        tree,
        cuts,
        frostline,
        if cached { TRUNK_BATCH } else { work.batch_size },
        work,
    );
    let step = memory::step_bytes(tree, mask, frostline, work);
    let training = 4 * (1 + work.moments) as u64 * trainable as u64 + step;
    let weights = 4 * (tree.root().parameters() + head) as u64;
    Estimate {
        trainable,
        total: tree.root().parameters() + head,
        frostline,
        cache_bytes,
        memory_bytes: BASE_BYTES + weights + training.max(passing),
        warm_seconds,
        epoch_seconds,
        all_seconds: warm_seconds + epoch_seconds * f64::from(work.epochs),
    }
}

/// Times a forward pass through every segment, the best of two.
///
/// # Errors
/// The weights are broken.
pub fn measure(backbone: &Backbone, weights: &WeightFile, machine: &Machine) -> Result<Calibration> {
    let architecture = backbone.architecture();
    let mut source = FrozenSource { weights, device: machine.device.clone() };
    let (mut state, units) = backbone.input.made_up(&machine.device)?;
    let mut segments = Vec::new();
    for number in architecture.segments() {
        let segment = architecture.load_segment(number, &mut source)?;
        let mut best = f64::INFINITY;
        let mut above = None;
        for _ in 0..2 {
            let started = Instant::now();
            above = Some(segment.forward(&state, &Pass::INFERENCE)?);
            best = best.min(started.elapsed().as_secs_f64());
        }
        segments.push(best / units as f64);
        state = above.unwrap_or(state);
    }
    Ok(Calibration { segments })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::Modality;

    pub(in crate::train) const WORK: Workload = Workload {
        train_samples: 400,
        validation_samples: 100,
        batch_size: 16,
        epochs: 10,
        classes: 10,
        moments: 2,
        modality: Modality::Image,
        tokens: 1,
        cache_enabled: true,
        norms_follow: false,
    };

    #[test]
    fn thawing_more_costs_more() {
        let config = serde_json::json!({"architecture": "mobilenetv2_100"});
        let (_, network) = crate::backbone::registry::describe(&config, std::path::Path::new("x")).unwrap();
        let (tree, cuts) = (network.tree(), network.cuts());
        let calibration = Calibration { segments: vec![0.001; cuts.len() - 1] };
        let cost = |cut: usize| {
            estimate(tree, cuts, 1280, &FreezeMask::with_frostline(tree, cut), Some(&calibration), &WORK)
        };
        let all: Vec<Estimate> = (0..cuts.len()).map(cost).collect();
        assert_eq!(all[cuts.len() - 1].trainable, 12_810);
        assert_eq!(all[0].trainable, 2_223_872 + 12_810);
        assert_eq!(all[cuts.len() - 1].cache_bytes, 500 * 1280 * 4);
        assert_eq!(all[0].cache_bytes, 0);
        for pair in all.windows(2) {
            assert!(pair[0].epoch_seconds > pair[1].epoch_seconds);
            assert!(pair[0].memory_bytes >= pair[1].memory_bytes);
        }
    }
}
