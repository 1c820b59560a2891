//! What a choice of frozen layers costs, before anything is trained: a sum over segments whose times were
//! measured once on this machine.

use super::features::TRUNK_BATCH;
use crate::backbone::{
    Backbone, Boundary, Cut, Dim, FreezeMask, FrozenSource, InputSpec, LayerTree, Pass, WeightFile,
};
use crate::problem::Result;
use crate::project::Machine;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Samples in a measuring pass.
const BATCH: usize = 4;
/// Tokens that a text is taken to have where nothing better is known.
pub const TYPICAL_TOKENS: usize = 24;
/// Decoding and resizing one picture, until it is measured.
const DECODE_SECONDS: f64 = 0.003;
/// A backward pass costs about as much as a forward pass for the input's gradient and once more for the weights'.
const BACKWARD_INPUT: f64 = 1.0;
const BACKWARD_WEIGHTS: f64 = 1.0;
/// Memory of the program itself.
const BASE_BYTES: u64 = 60_000_000;

/// Forward time of each segment, per sample (pictures) or per token (texts), in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    pub segments: Vec<f64>,
}

/// What will be trained on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    pub train_samples: usize,
    pub validation_samples: usize,
    pub batch_size: usize,
    pub epochs: u32,
    pub classes: usize,
    /// Numbers that the optimiser remembers of each trained parameter.
    pub moments: usize,
    /// Tokens of a typical text; 1 for pictures.
    pub tokens: usize,
    pub cache_enabled: bool,
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
    let cached = work.cache_enabled && frostline > 0;
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
    let decode = if work.tokens == 1 && calibration.is_some() { DECODE_SECONDS } else { 0.0 };
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
    let passing =
        forward_bytes(tree, frostline, if cached { TRUNK_BATCH } else { work.batch_size }, work.tokens);
    let training = 4 * (1 + work.moments) as u64 * trainable as u64 + activation_bytes(tree, frostline, work);
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

/// What a step holds above the frostline: the output of every layer until the way back, and the two largest once more
/// for what is being computed. Beside the outputs, networks for text keep about as much for attention, dropout and
/// arguments of activations, those for pictures a tenth.
fn activation_bytes(tree: &LayerTree, frostline: usize, work: &Workload) -> u64 {
    let kept = if work.tokens == 1 { 1.1 } else { 2.0 };
    let layers = tree.leaves().iter().filter(|leaf| leaf.segment >= frostline);
    let rows: Vec<usize> = layers.map(|leaf| values(&leaf.output_shape, work.tokens)).collect();
    let largest = rows.iter().max().copied().unwrap_or(0);
    let numbers = kept * rows.iter().sum::<usize>() as f64 + 2.0 * largest as f64;
    (4.0 * numbers * work.batch_size as f64) as u64
}

/// What a pass through the frozen layers holds: the input and the output of a layer.
fn forward_bytes(tree: &LayerTree, frostline: usize, batch: usize, tokens: usize) -> u64 {
    let layers = tree.leaves().iter().filter(|leaf| leaf.segment < frostline);
    let largest = layers.map(|leaf| values(&leaf.output_shape, tokens)).max().unwrap_or(0);
    4 * 2 * (largest * batch) as u64
}

fn values(shape: &[Dim], tokens: usize) -> usize {
    shape.iter().map(|dim| if let Dim::Fixed(n) = dim { *n } else { tokens }).product()
}

/// Times a forward pass through every segment, the best of two.
///
/// # Errors
/// The weights are broken.
pub fn measure(backbone: &Backbone, weights: &WeightFile, machine: &Machine) -> Result<Calibration> {
    let architecture = backbone.architecture();
    let mut source = FrozenSource { weights, device: machine.device.clone() };
    let (mut state, units) = typical_input(backbone, machine)?;
    let mut segments = Vec::new();
    for number in 0..architecture.cuts().len() - 1 {
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

/// A made-up batch, and how many samples or tokens it has.
fn typical_input(backbone: &Backbone, machine: &Machine) -> Result<(Boundary, usize)> {
    match &backbone.input {
        InputSpec::Image(spec) => {
            let hidden =
                Tensor::zeros((BATCH, 3, spec.size, spec.size), candle_core::DType::F32, &machine.device)?;
            Ok((Boundary { hidden, lengths: None }, BATCH))
        }
        InputSpec::Text(spec) => {
            let length = TYPICAL_TOKENS.min(spec.max_tokens);
            let count = 4 * BATCH * length;
            let ids: Vec<u32> = (0..count as u32).map(|n| n % 100).collect();
            let hidden = Tensor::from_vec(ids, count, &machine.device)?;
            Ok((Boundary { hidden, lengths: Some(vec![length; 4 * BATCH].into()) }, count))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: Workload = Workload {
        train_samples: 400,
        validation_samples: 100,
        batch_size: 16,
        epochs: 10,
        classes: 10,
        moments: 2,
        tokens: 1,
        cache_enabled: true,
    };

    #[test]
    fn memory_is_about_what_was_measured() {
        let picture = |name: &str| serde_json::json!({ "architecture": name });
        let minilm = serde_json::json!({
            "model_type": "bert", "vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 6,
            "num_attention_heads": 12, "intermediate_size": 1536, "max_position_embeddings": 512,
            "type_vocab_size": 2, "hidden_act": "gelu",
        });
        // Highest anonymous memory of the step bench in MB: `benches/README.md`.
        for (config, tokens, cut, measured) in [
            (picture("mobilenetv2_100"), 1, 0, 1020.0),
            (picture("tf_efficientnet_lite0"), 1, 0, 1084.0),
            (picture("resnet18"), 1, 0, 826.0),
            (picture("resnet50"), 1, 0, 2210.0),
            (minilm.clone(), 128, 0, 884.0),
            (minilm, 128, 5, 368.0),
        ] {
            let (_, network) =
                crate::backbone::registry::describe(&config, std::path::Path::new("x")).unwrap();
            let (tree, cuts) = (network.tree(), network.cuts());
            let mask = FreezeMask::with_frostline(tree, cut);
            let told = estimate(tree, cuts, 1280, &mask, None, &Workload { tokens, ..WORK });
            let ratio = told.memory_bytes as f64 / 1e6 / measured;
            assert!((0.8..1.25).contains(&ratio), "{config} from {cut}: {ratio:.2} of what was measured");
        }
    }

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
