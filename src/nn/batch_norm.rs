//! Batch normalisation with fixed statistics.

use super::activation::Activation;
use super::kernels::Level;
use super::kernels::batch_norm::{self, Affine};
use super::op::{Target, floats, input_gradient, is_fast, output, read, to_vec};
use super::param::{Param, Slot};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// `y = activation((x - running_mean) / sqrt(running_var + eps) * weight + bias)` for each channel
/// (Ioffe and Szegedy 2015), with the statistics of the pretrained file, in training too. One pass; the
/// backward pass computes the argument of the activation again instead of keeping it.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// `[channels]`
    pub weight: Param,
    /// `[channels]`
    pub bias: Param,
    /// `[channels]`
    pub running_mean: Tensor,
    /// `[channels]`
    pub running_var: Tensor,
    pub eps: f64,
    pub activation: Activation,
}

impl BatchNorm {
    /// `[.., channels]` to the same shape.
    ///
    /// # Errors
    /// Shapes that do not fit, and those of Candle.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.check(x)?;
        if !is_fast(x) {
            return self.forward_composed(x);
        }
        let op = BatchNormOp {
            mean: to_vec(&self.running_mean)?,
            variance: to_vec(&self.running_var)?,
            eps: self.eps,
            activation: self.activation,
            weight: self.weight.slot(),
            bias: self.bias.slot(),
        };
        x.contiguous()?.apply_op3(&self.weight.contiguous()?, &self.bias.contiguous()?, op)
    }

    pub(super) fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        let inverse = (&self.running_var + self.eps)?.sqrt()?.recip()?;
        let scale = self.weight.tensor().mul(&inverse)?;
        let centred = x.broadcast_sub(&self.running_mean)?;
        let y = centred.broadcast_mul(&scale)?.broadcast_add(self.bias.tensor())?;
        self.activation.composed(&y)
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        let channels = self.weight.tensor().dims1()?;
        let all = [self.bias.tensor(), &self.running_mean, &self.running_var];
        if channels == 0 || all.iter().any(|t| t.dims() != [channels]) {
            bail!(
                "a batch norm of {channels} channels has the bias {:?}, mean {:?}, variance {:?}",
                self.bias.tensor().shape(),
                self.running_mean.shape(),
                self.running_var.shape()
            )
        }
        if x.dims().last() != Some(&channels) {
            bail!("a batch norm of {channels} channels was given {:?}", x.shape())
        }
        Ok(())
    }
}

struct BatchNormOp {
    mean: Vec<f32>,
    variance: Vec<f32>,
    eps: f64,
    activation: Activation,
    weight: Option<Slot>,
    bias: Option<Slot>,
}

impl BatchNormOp {
    fn affine(&self, weight: &[f32], bias: &[f32]) -> Affine {
        Affine::new(weight, bias, &self.mean, &self.variance, self.eps, self.activation)
    }
}

impl CustomOp3 for BatchNormOp {
    fn name(&self) -> &'static str {
        "batch-norm"
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
        let affine = self.affine(floats(w, w_layout)?, floats(b, b_layout)?);
        let x = floats(x, x_layout)?;
        let mut y = vec![0f32; x.len()];
        batch_norm::forward(Level::current(), &affine, x, &mut y);
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
        let affine = read(w, |w| read(b, |b| Ok(self.affine(w, b))))?;
        let dy = dy.contiguous()?;
        read(x, |x_values| {
            read(&dy, |dy| {
                let (weight, bias) = (Target::of(w, &self.weight), Target::of(b, &self.bias));
                let (mut d_weight, mut d_bias) = (Vec::new(), Vec::new());
                if weight.is_wanted() || bias.is_wanted() {
                    d_weight.resize(w.elem_count(), 0.0);
                    d_bias.resize(b.elem_count(), 0.0);
                    batch_norm::parameter_gradient(level, &affine, x_values, dy, &mut d_weight, &mut d_bias);
                }
                let dx = input_gradient(x, |dx| {
                    batch_norm::input_gradient(level, &affine, x_values, dy, dx);
                    Ok(())
                })?;
                Ok((dx, weight.copy(&d_weight)?, bias.copy(&d_bias)?))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_agree, assert_freezing, assert_slopes, var};
    use super::*;

    fn layer(weight: Param, bias: Param, activation: Activation) -> BatchNorm {
        let channels = weight.tensor().elem_count();
        let running_mean = var(channels, 8).as_detached_tensor();
        let running_var = (var(channels, 9).abs().unwrap() + 0.2).unwrap().detach();
        BatchNorm { weight, bias, running_mean, running_var, eps: 1e-3, activation }
    }

    #[test]
    fn paths_agree_for_every_activation() {
        for (pixels, channels) in [(1, 1), (3, 5), (40, 33)] {
            let (w, b) = (var(channels, 2), var(channels, 3));
            // Wide enough to reach both corners of a ReLU6.
            let x = var((2, pixels, 1, channels), 1);
            x.set(&(x.as_tensor() * 9.0).unwrap()).unwrap();
            for activation in Activation::ALL {
                let layer = layer(Param::trainable(&w, None), Param::trainable(&b, None), activation);
                let what = format!("{pixels} x {channels}, {activation:?}");
                assert_agree(&what, &[&x, &w, &b], || layer.forward(&x), || layer.forward_composed(&x));
            }
        }
    }

    #[test]
    fn gradients_are_slopes() {
        let (x, w, b) = (var((3, 4), 1), var(4, 2), var(4, 3));
        let layer = layer(Param::trainable(&w, None), Param::trainable(&b, None), Activation::Silu);
        assert_slopes("batch norm", &[&x, &w, &b], || layer.forward(&x));
    }

    #[test]
    fn only_what_is_asked_for_is_computed() {
        let (x, w, b) = (var((2, 3, 3, 5), 1), var(5, 2), var(5, 3));
        assert_freezing("batch norm", &x, &[&w, &b], |x, params| {
            layer(params[0].clone(), params[1].clone(), Activation::Relu6).forward(x)
        });
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let (w, b) = (var(5, 2), var(4, 3));
        let right = layer(Param::trainable(&w, None), Param::trainable(&w, None), Activation::None);
        assert!(right.forward(&var((2, 4), 1)).is_err());
        let wrong = layer(Param::trainable(&w, None), Param::trainable(&b, None), Activation::None);
        assert!(wrong.forward(&var((2, 5), 1)).is_err());
    }
}
