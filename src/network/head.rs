//! The head: a linear layer over the features of a backbone.

use crate::backbone::TensorSource;
use crate::nn::{Activation, Linear};
use crate::problem::Result;

/// Name of the head's weight, in checkpoints and exports.
pub const HEAD_WEIGHT: &str = "head.weight";
/// Name of the head's bias there.
pub const HEAD_BIAS: &str = "head.bias";

/// A head of known size, `[outputs, features]`, from `source`.
///
/// # Errors
/// The source lacks one of its tensors.
pub fn load_head(source: &mut dyn TensorSource, outputs: usize, features: usize) -> Result<Linear> {
    Ok(Linear {
        weight: source.param(HEAD_WEIGHT, &[outputs, features])?,
        bias: Some(source.param(HEAD_BIAS, &[outputs])?),
        activation: Activation::None,
    })
}
