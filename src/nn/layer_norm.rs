//! Layer normalisation.

use super::kernels::fresh::zeros;
use super::kernels::{Level, layer_norm};
use super::op::{Argument, Custom, Input, Op, Saved, is_fast};
use super::param::{Param, Slot};
use candle_core::{D, Result, Shape, Tensor, bail};

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
        x.contiguous()?.apply_op3(&self.weight.contiguous()?, &self.bias.contiguous()?, Custom(op))
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

impl Op<3> for LayerNormOp {
    const NAME: &'static str = "layer-norm";

    fn forward(&self, [x, w, b]: [Input; 3]) -> Result<(Vec<f32>, Shape)> {
        let mut y = zeros(x.values.len());
        let mut statistics = vec![0f32; x.values.len() / w.values.len() * 2];
        let level = Level::current();
        layer_norm::forward(level, x.values, w.values, b.values, self.eps, &mut y, &mut statistics);
        if self.keep {
            self.statistics.put(statistics);
        }
        Ok((y, x.shape.clone()))
    }

    fn backward(&self, [x, w, b]: [Argument; 3], _: Argument, dy: Argument) -> Result<[Option<Tensor>; 3]> {
        let level = Level::current();
        let statistics = self.statistics.take()?;
        let (weight, bias) = (w.parameter(&self.weight), b.parameter(&self.bias));
        let (mut d_weight, mut d_bias) = (Vec::new(), Vec::new());
        if weight.is_wanted() || bias.is_wanted() {
            d_weight.resize(w.values.len(), 0.0);
            d_bias.resize(b.values.len(), 0.0);
            let (x, dy) = (x.values, dy.values);
            layer_norm::parameter_gradient(level, x, &statistics, dy, &mut d_weight, &mut d_bias);
        }
        let dx = x.gradient(|dx| {
            layer_norm::input_gradient(level, x.values, w.values, &statistics, dy.values, dx);
        })?;
        Ok([dx, weight.copy(&d_weight)?, bias.copy(&d_bias)?])
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_agree, assert_freezing, assert_slopes, values, var};
    use super::*;

    fn layer(weight: Param, bias: Param) -> LayerNorm {
        LayerNorm { weight, bias, eps: 1e-5 }
    }

    #[test]
    fn paths_agree() {
        for (rows, features) in [(1, 7), (3, 5), (70, 33), (9, 384)] {
            let (x, w, b) = (var((rows, features), 1), var(features, 2), var(features, 3));
            let layer = layer(Param::trainable(&w, None), Param::trainable(&b, None));
            let what = format!("{rows} x {features}");
            assert_agree(&what, &[&x, &w, &b], || layer.forward(&x), || layer.forward_composed(&x));
        }
    }

    #[test]
    fn gradients_are_slopes() {
        let (x, w, b) = (var((3, 6), 1), var(6, 2), var(6, 3));
        let layer = layer(Param::trainable(&w, None), Param::trainable(&b, None));
        assert_slopes("layer norm", &[&x, &w, &b], || layer.forward(&x));
    }

    #[test]
    fn only_what_is_asked_for_is_computed() {
        let (x, w, b) = (var((2, 3, 5), 1), var(5, 2), var(5, 3));
        assert_freezing("layer norm", &x, &[&w, &b], |x, params| {
            layer(params[0].clone(), params[1].clone()).forward(x)
        });
    }

    #[test]
    fn a_large_mean_costs_no_digits() {
        let x = (var((1, 64), 1).as_tensor() + 1000.0).unwrap();
        let (w, b) = (Tensor::ones(64, x.dtype(), x.device()), Tensor::zeros(64, x.dtype(), x.device()));
        let layer = layer(Param::frozen(w.unwrap()), Param::frozen(b.unwrap()));
        let y = values(&layer.forward(&x).unwrap());
        let variance = y.iter().map(|v| v * v).sum::<f32>() / 64.0;
        assert!((variance - 1.0).abs() < 1e-3, "{variance}");
    }
}
