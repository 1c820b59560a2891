//! What an update rule is.

use crate::nn::Gradient;
use candle_core::{Result, Tensor, Var};

/// What recipes and people call something of a list.
pub trait Named {
    /// The word in `recipe.toml`, in checkpoints and on the command line; never changed.
    fn key(&self) -> &'static str;

    /// As a person writes it.
    fn name(&self) -> &'static str;

    /// What `--help` adds where the name does not say all.
    fn remark(&self) -> Option<&'static str> {
        None
    }
}

/// How a gradient moves a weight.
///
/// Moments are what a rule remembers of the gradients of one tensor, row-major, each as long as the tensor; one
/// that was never used is empty on the host and zeros on a device.
pub trait Rule: Named + Sync {
    /// Names of the moments, in the order in which the updates get them; the names of their tensors in checkpoints.
    fn moments(&self) -> &'static [&'static str];

    /// Numbers beyond learning rate and weight decay that it uses.
    fn extras(&self) -> &'static [Extra] {
        &[]
    }

    /// How it decays weights, in words.
    fn decay(&self) -> &'static str;

    /// What suits it, compared with AdamW.
    fn scale(&self) -> Scale {
        Scale { rate: 1.0, decay: 1.0 }
    }

    /// Updates a variable on the CPU in place. With a gradient of [`Gradient::Rows`] only those rows are touched,
    /// moments and decay included.
    ///
    /// # Errors
    /// A gradient or moments that do not belong to the variable or to this rule.
    fn update(&self, var: &Var, gradient: &Gradient, moments: &mut [Vec<f32>], hyper: &Hyper) -> Result<()>;

    /// The same out of Candle's operations, for any device.
    ///
    /// # Errors
    /// Those of Candle; moments of another rule.
    fn update_composed(
        &self,
        var: &Var,
        gradient: &Tensor,
        moments: &mut [Tensor],
        hyper: &Hyper,
    ) -> Result<()>;
}

/// A number that only some rules use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// How much of the last step goes on into the next.
    Momentum,
}

/// Factors between what suits AdamW and what suits a rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The learning rate is this many times that of AdamW.
    pub rate: f64,
    /// The weight decay is one in this many of that of AdamW.
    pub decay: f64,
}

/// The numbers of one update of one tensor.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Hyper {
    /// Learning rate.
    pub lr: f64,
    /// 0 for tensors that do not decay.
    pub weight_decay: f64,
    /// See [`Extra::Momentum`].
    pub momentum: f64,
    /// Which update this is, from 1.
    pub step: u64,
    /// Factor on the gradient: below 1 where it is clipped.
    pub factor: f64,
}

/// Moments that a rule cannot have written.
pub(super) fn foreign<T>(moments: &[T]) -> candle_core::Error {
    candle_core::Error::Msg(format!("{} moments belong to another optimiser", moments.len()))
}
