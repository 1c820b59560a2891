//! The frozen ground: every segment below the frostline, run in inference mode without gradients.

use crate::backbone::{Architecture, Boundary, FrozenSource, Pass, Segment, WeightFile};
use crate::problem::Result;
use candle_core::Device;

/// Segments from the input up to a cut. Its tensors are plain, so nothing is recorded for a backward pass.
pub struct Trunk {
    segments: Vec<Box<dyn Segment>>,
}

impl Trunk {
    /// Loads the segments below cut number `cut`.
    pub fn load(
        architecture: &dyn Architecture,
        weights: &WeightFile,
        cut: usize,
        device: &Device,
    ) -> Result<Self> {
        let mut source = FrozenSource { weights, device: device.clone() };
        let segments = (0..cut).map(|segment| architecture.load_segment(segment, &mut source));
        Ok(Self { segments: segments.collect::<Result<_>>()? })
    }

    /// From the input to the cut.
    pub fn forward(&self, input: Boundary) -> Result<Boundary> {
        let mut state = input;
        for segment in &self.segments {
            state = segment.forward(&state, &Pass::INFERENCE)?;
        }
        Ok(state)
    }
}
