//! What an estimate is about: how much will be trained, and how large what flows through the network is.

use crate::backbone::Dim;
use crate::data::modality::Modality;

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
    pub modality: Modality,
    /// Tokens of a typical sample; 1 where a sample is one row.
    pub tokens: usize,
    pub cache_enabled: bool,
    /// Whether thawed batch norms take the statistics of each batch.
    pub norms_follow: bool,
}

/// Numbers that one sample has in this shape.
pub(super) fn values(shape: &[Dim], tokens: usize) -> usize {
    shape.iter().map(|dim| if let Dim::Fixed(n) = dim { *n } else { tokens }).product()
}
