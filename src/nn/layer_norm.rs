//! Layer normalisation.

use super::kernels::{Level, layer_norm};
use super::op::{Saved, Target, floats, input_gradient, is_fast, output, read};
use super::param::{Param, Slot};
use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor, bail};

/// `y = (x - mean) / sqrt(variance + eps) * weight + bias` over the last dimension (Ba et al. 2016); the
/// variance is the biased one.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// `[features]`
    pub weight: Param,
    /// `[features]`
    pub bias: Param,
    pub eps: f64,
}

impl LayerNorm {
    /// `[.., features]` to the same shape.
    ///
    /// # Errors
    /// Shapes that do not fit, and those of Candle.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = (self.weight.tensor(), self.bias.tensor());
        let features = weight.dims1()?;
        if features == 0 || bias.dims() != [features] || x.dims().last() != Some(&features) {
            bail!(
                "a layer norm with the weight {:?} and bias {:?} was given {:?}",
                weight.shape(),
                bias.shape(),
                x.shape()
            )
        }
        if !is_fast(x) {
            return self.forward_composed(x);
        }
        let op = LayerNormOp {
            eps: self.eps as f32,
            keep: x.track_op() || weight.track_op() || bias.track_op(),
            statistics: Saved::default(),
            weight: self.weight.slot(),
            bias: self.bias.slot(),
        };
        x.contiguous()?.apply_op3(&self.weight.contiguous()?, &self.bias.contiguous()?, op)
    }

    pub(super) fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normal = centred.broadcast_div(&(variance + self.eps)?.sqrt()?)?;
        normal.broadcast_mul(self.weight.tensor())?.broadcast_add(self.bias.tensor())
    }
}

struct LayerNormOp {
    eps: f32,
    keep: bool,
    /// Mean and inverse deviation of each row.
    statistics: Saved,
    weight: Option<Slot>,
    bias: Option<Slot>,
}

impl CustomOp3 for LayerNormOp {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, w, b) = (floats(x, x_layout)?, floats(w, w_layout)?, floats(b, b_layout)?);
        let mut y = vec![0f32; x.len()];
        let mut statistics = vec![0f32; x.len() / w.len() * 2];
        layer_norm::forward(Level::current(), x, w, b, self.eps, &mut y, &mut statistics);
        if self.keep {
            self.statistics.put(statistics);
        }
        output(y, x_layout.shape().clone())
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let level = Level::current();
        let statistics = self.statistics.take()?;
        let dy = dy.contiguous()?;
        read(x, |x_values| {
            read(&dy, |dy| {
                let (weight, bias) = (Target::of(w, &self.weight), Target::of(b, &self.bias));
                let (mut d_weight, mut d_bias) = (Vec::new(), Vec::new());
                if weight.is_wanted() || bias.is_wanted() {
                    d_weight.resize(w.elem_count(), 0.0);
                    d_bias.resize(b.elem_count(), 0.0);
                    layer_norm::parameter_gradient(
                        level,
                        x_values,
                        &statistics,
                        dy,
                        &mut d_weight,
                        &mut d_bias,
                    );
                }
                let dx = input_gradient(x, |dx| {
                    read(w, |w| {
                        layer_norm::input_gradient(level, x_values, w, &statistics, dy, dx);
                        Ok(())
                    })
                })?;
                Ok((dx, weight.copy(&d_weight)?, bias.copy(&d_bias)?))
            })
        })
    }
}
