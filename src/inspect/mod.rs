//! Looking inside a backbone: what its weights are like.

use crate::backbone::{Leaf, WeightFile};
use crate::problem::{Problem, Result};

/// Bars of a histogram.
pub const BINS: usize = 48;
/// Filters shown of one convolution.
const TILES: usize = 48;

/// The trained tensors of one layer in figures; running statistics do not count.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightSummary {
    pub count: usize,
    pub mean: f64,
    pub deviation: f64,
    pub smallest: f32,
    pub largest: f32,
    /// Share of weights smaller than a hundredth of the largest magnitude.
    pub near_zero: f64,
    /// Output channels whose weights are all near zero, and how many channels there are.
    pub silent_channels: (usize, usize),
    /// Counts over [smallest, largest] in equal steps.
    pub histogram: [u32; BINS],
}

/// Filters of a convolution as square pictures, each scaled by the largest weight of the layer to -1 .. 1.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterTiles {
    /// Pixels a side.
    pub side: usize,
    /// Values per pixel: 3 for filters over colours, else 1.
    pub channels: usize,
    /// `[side, side, channels]` each.
    pub tiles: Vec<Vec<f32>>,
    /// Filters of the layer in all.
    pub total: usize,
}

impl WeightSummary {
    /// Summarises the trained tensors of `leaf`.
    ///
    /// # Errors
    /// The weight file lacks a tensor or holds values that are not finite.
    pub fn of(leaf: &Leaf, weights: &WeightFile) -> Result<Self> {
        let (mut all, mut silent) = (Vec::new(), (0, 0));
        for tensor in leaf.tensors.iter().filter(|t| t.is_parameter()) {
            let values = weights.values(&tensor.name, &tensor.shape)?;
            if tensor.shape.len() > 1 {
                silent = silent_channels(&values, tensor.shape[0]);
            }
            all.extend(values);
        }
        Ok(Self { silent_channels: silent, ..Self::of_values(&all) })
    }

    fn of_values(values: &[f32]) -> Self {
        let count = values.len();
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count.max(1) as f64;
        let variance =
            values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / count.max(1) as f64;
        let smallest = values.iter().copied().fold(f32::INFINITY, f32::min);
        let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (smallest, largest) = if count == 0 { (0.0, 0.0) } else { (smallest, largest) };
        let tiny = magnitude(values) / 100.0;
        let mut histogram = [0; BINS];
        let width = (largest - smallest).max(f32::MIN_POSITIVE);
        for value in values {
            let bin = ((value - smallest) / width * BINS as f32) as usize;
            histogram[bin.min(BINS - 1)] += 1;
        }
        Self {
            count,
            mean,
            deviation: variance.sqrt(),
            smallest,
            largest,
            near_zero: values.iter().filter(|v| v.abs() < tiny).count() as f64 / count.max(1) as f64,
            silent_channels: (0, 0),
            histogram,
        }
    }
}

impl FilterTiles {
    /// The first filters of the convolution `leaf`; those with one input channel or three colours, else the
    /// first input channel of each.
    ///
    /// # Errors
    /// `leaf` is no convolution with a kernel larger than one pixel.
    pub fn of(leaf: &Leaf, weights: &WeightFile) -> Result<Self> {
        let tensor = leaf.tensors.iter().find(|t| t.shape.len() == 4 && t.shape[2] > 1);
        let tensor = tensor.ok_or_else(|| {
            Problem::input(
                format!("{} has no filters to show", leaf.path),
                "only convolutions larger than one pixel have",
                "choose another layer",
            )
        })?;
        let (filters, inputs, side) = (tensor.shape[0], tensor.shape[1], tensor.shape[2]);
        let channels = if inputs == 3 { 3 } else { 1 };
        let values = weights.values(&tensor.name, &tensor.shape)?;
        let scale = 1.0 / magnitude(&values).max(f32::MIN_POSITIVE);
        let pixels = side * side;
        let tile = |filter: usize| {
            let start = filter * inputs * pixels;
            (0..pixels * channels)
                .map(|n| values[start + n % channels * pixels + n / channels] * scale)
                .collect()
        };
        Ok(Self { side, channels, tiles: (0..filters.min(TILES)).map(tile).collect(), total: filters })
    }
}

fn magnitude(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, v| largest.max(v.abs()))
}

/// Channels whose every weight is below a hundredth of the layer's largest.
fn silent_channels(values: &[f32], channels: usize) -> (usize, usize) {
    let tiny = magnitude(values) / 100.0;
    let size = (values.len() / channels.max(1)).max(1);
    let silent = values.chunks(size).filter(|channel| channel.iter().all(|v| v.abs() < tiny)).count();
    (silent, channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_known_weights() {
        let summary = WeightSummary::of_values(&[-1.0, 0.0, 0.001, 1.0]);
        assert_eq!((summary.count, summary.smallest, summary.largest), (4, -1.0, 1.0));
        assert_eq!(summary.near_zero, 0.5);
        assert_eq!(summary.histogram.iter().sum::<u32>(), 4);
        assert_eq!((summary.histogram[0], summary.histogram[BINS - 1]), (1, 1));
        assert_eq!(silent_channels(&[1.0, 2.0, 0.001, 0.0], 2), (1, 2));
        assert_eq!(WeightSummary::of_values(&[]).count, 0);
    }
}
