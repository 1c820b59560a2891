//! Stochastic gradient descent with momentum (Polyak 1964). Its arithmetic is in `nn/sgd.rs`.

use super::super::rule::{Extra, Hyper, Named, Rule, Scale, foreign};
use crate::nn::{self, Gradient, sgd_update, sgd_update_composed};
use candle_core::{Result, Tensor, Var};

/// A step against the gradient; a part of the last step goes on.
#[derive(Debug, Clone, Copy)]
pub struct Sgd;

impl Named for Sgd {
    fn key(&self) -> &'static str {
        "sgd"
    }

    fn name(&self) -> &'static str {
        "SGD"
    }

    fn remark(&self) -> Option<&'static str> {
        Some("With momentum")
    }
}

impl Rule for Sgd {
    fn moments(&self) -> &'static [&'static str] {
        &["m"]
    }

    fn extras(&self) -> &'static [Extra] {
        &[Extra::Momentum]
    }

    fn decay(&self) -> &'static str {
        "a part of the gradient"
    }

    /// AdamW's decay acts beside the gradient, this one in it, where the larger rate makes it stronger.
    fn scale(&self) -> Scale {
        Scale { rate: 10.0, decay: 20.0 }
    }

    fn update(&self, var: &Var, gradient: &Gradient, moments: &mut [Vec<f32>], hyper: &Hyper) -> Result<()> {
        match moments {
            [m] => sgd_update(var, gradient, m, &numbers(hyper)),
            other => Err(foreign(other)),
        }
    }

    fn update_composed(
        &self,
        var: &Var,
        gradient: &Tensor,
        moments: &mut [Tensor],
        hyper: &Hyper,
    ) -> Result<()> {
        match moments {
            [m] => sgd_update_composed(var, gradient, m, &numbers(hyper)),
            other => Err(foreign(other)),
        }
    }
}

fn numbers(hyper: &Hyper) -> nn::Sgd {
    let Hyper { lr, weight_decay, momentum, factor, .. } = *hyper;
    nn::Sgd { lr, momentum, weight_decay, factor }
}
