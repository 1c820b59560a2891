//! AdamW (Loshchilov and Hutter 2019) with PyTorch's betas and eps. Its arithmetic is in `nn/adamw.rs`.

use super::super::rule::{Hyper, Named, Rule, foreign};
use crate::nn::{self, Gradient, adamw_update, adamw_update_composed};
use candle_core::{Result, Tensor, Var};

/// A running mean of the gradients, divided by the root of that of their squares.
#[derive(Debug, Clone, Copy)]
pub struct AdamW;

impl Named for AdamW {
    fn key(&self) -> &'static str {
        "adamw"
    }

    fn name(&self) -> &'static str {
        "AdamW"
    }
}

impl Rule for AdamW {
    fn moments(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn decay(&self) -> &'static str {
        "decoupled"
    }

    fn update(&self, var: &Var, gradient: &Gradient, moments: &mut [Vec<f32>], hyper: &Hyper) -> Result<()> {
        match moments {
            [m, v] => adamw_update(var, gradient, m, v, &numbers(hyper)),
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
            [m, v] => adamw_update_composed(var, gradient, m, v, &numbers(hyper)),
            other => Err(foreign(other)),
        }
    }
}

fn numbers(hyper: &Hyper) -> nn::AdamW {
    let Hyper { lr, weight_decay, step, factor, .. } = *hyper;
    nn::AdamW { lr, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay, step, factor }
}
