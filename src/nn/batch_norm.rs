//! Batch normalisation with fixed statistics, or with those of each batch.

use super::activation::Activation;
use super::kernels::batch_norm::{self, Affine};
use super::kernels::fresh::zeros;
use super::kernels::{Level, batch_statistics};
use super::op::{Argument, Custom, Input, Op, is_fast, read, to_vec};
use super::param::{Param, Slot, Statistic};
use candle_core::{Result, Shape, Tensor, bail};

/// How far running statistics go towards those of a batch (PyTorch's and timm's momentum).
const MOMENTUM: f64 = 0.1;

/// `y = activation((x - mean) / sqrt(variance + eps) * weight + bias)` for each channel (Ioffe and Szegedy 2015).
///
/// With fixed statistics mean and variance are those of the pretrained file, in training too: one pass, and the
/// backward pass computes the argument of the activation again instead of keeping it. With following ones they are
/// those of the batch itself (the variance over n values), and the running statistics move towards them (the
/// variance over n - 1). A batch of one single value a channel has no variance: the layer then takes the running
/// statistics and leaves them as they are, where PyTorch gives an error.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// `[channels]`
    pub weight: Param,
    /// `[channels]`
    pub bias: Param,
    /// `[channels]`
    pub running_mean: Statistic,
    /// `[channels]`; follows if and only if the mean does.
    pub running_var: Statistic,
    pub eps: f64,
    pub activation: Activation,
}

impl BatchNorm {
    /// `[.., channels]` to the same shape. Moves following statistics, once for each call.
    ///
    /// # Errors
    /// Shapes that do not fit, and those of Candle.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.check(x)?;
        if !is_fast(x) {
            return self.forward_composed(x);
        }
        let x = x.contiguous()?;
        let of_batch = self.takes_statistics_of(&x);
        let (mean, variance) = match of_batch {
            true => {
                let channels = self.channels();
                let (mean, variance) =
                    read(&x, |x| Ok(batch_statistics::mean_and_variance(Level::current(), channels, x)))?;
                let tensor = |values: &[f32]| Tensor::from_slice(values, channels, x.device());
                self.follow(&tensor(&mean)?, &tensor(&variance)?, &x)?;
                (mean, variance)
            }
            false => (to_vec(&self.running_mean.tensor())?, to_vec(&self.running_var.tensor())?),
        };
        let op = BatchNormOp {
            mean,
            variance,
            of_batch,
            eps: self.eps,
            activation: self.activation,
            weight: self.weight.slot(),
            bias: self.bias.slot(),
        };
        x.apply_op3(&self.weight.contiguous()?, &self.bias.contiguous()?, Custom(op))
    }

    pub(super) fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        // Of two dimensions: on a GPU each more over which Candle spreads or sums takes its time.
        let rows = x.contiguous()?.reshape(((), self.channels()))?;
        let (centred, variance) = match self.takes_statistics_of(x) {
            true => {
                let mean = rows.mean_keepdim(0)?;
                let centred = rows.broadcast_sub(&mean)?;
                let variance = centred.sqr()?.mean(0)?;
                self.follow(&mean.squeeze(0)?, &variance, x)?;
                (centred, variance)
            }
            false => (rows.broadcast_sub(&self.running_mean.tensor())?, self.running_var.tensor()),
        };
        let scale = self.weight.tensor().mul(&(variance + self.eps)?.sqrt()?.recip()?)?;
        let y = centred.broadcast_mul(&scale)?.broadcast_add(self.bias.tensor())?;
        self.activation.composed(&y)?.reshape(x.shape())
    }

    fn channels(&self) -> usize {
        self.weight.tensor().elem_count()
    }

    /// Values of each channel in `x`.
    fn count(&self, x: &Tensor) -> usize {
        x.elem_count() / self.channels().max(1)
    }

    fn takes_statistics_of(&self, x: &Tensor) -> bool {
        self.running_mean.follows() && self.count(x) > 1
    }

    /// Moves the running statistics towards those of `x`; `variance` is the biased one.
    fn follow(&self, mean: &Tensor, variance: &Tensor, x: &Tensor) -> Result<()> {
        let count = self.count(x) as f64;
        self.running_mean.follow(mean, MOMENTUM)?;
        self.running_var.follow(&(variance.detach() * (count / (count - 1.0)))?, MOMENTUM)
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        let channels = self.weight.tensor().dims1()?;
        let (mean, variance) = (self.running_mean.tensor(), self.running_var.tensor());
        let all = [self.bias.tensor(), &mean, &variance];
        if channels == 0 || all.iter().any(|t| t.dims() != [channels]) {
            bail!(
                "a batch norm of {channels} channels has the bias {:?}, mean {:?}, variance {:?}",
                self.bias.tensor().shape(),
                mean.shape(),
                variance.shape()
            )
        }
        if self.running_mean.follows() != self.running_var.follows() {
            bail!("of a batch norm's mean and variance one follows the batches and the other does not")
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
    /// Whether mean and variance depend on the input.
    of_batch: bool,
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

impl Op<3> for BatchNormOp {
    const NAME: &'static str = "batch-norm";

    fn forward(&self, [x, w, b]: [Input; 3]) -> Result<(Vec<f32>, Shape)> {
        let mut y = zeros(x.values.len());
        batch_norm::forward(Level::current(), &self.affine(w.values, b.values), x.values, &mut y);
        Ok((y, x.shape.clone()))
    }

    fn backward(&self, [x, w, b]: [Argument; 3], _: Argument, dy: Argument) -> Result<[Option<Tensor>; 3]> {
        let level = Level::current();
        let affine = self.affine(w.values, b.values);
        let (weight, bias) = (w.parameter(&self.weight), b.parameter(&self.bias));
        let (mut d_weight, mut d_bias) = (Vec::new(), Vec::new());
        if self.of_batch || weight.is_wanted() || bias.is_wanted() {
            d_weight.resize(w.values.len(), 0.0);
            d_bias.resize(b.values.len(), 0.0);
            let (x, dy) = (x.values, dy.values);
            batch_norm::parameter_gradient(level, &affine, x, dy, &mut d_weight, &mut d_bias);
        }
        let dx = x.gradient(|dx| {
            let (x, dy) = (x.values, dy.values);
            if self.of_batch {
                batch_statistics::input_gradient(level, &affine, x, dy, &d_weight, &d_bias, dx);
            } else {
                batch_norm::input_gradient(level, &affine, x, dy, dx);
            }
        })?;
        Ok([dx, weight.copy(&d_weight)?, bias.copy(&d_bias)?])
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::testing::assert_near;
    use super::super::testing::{assert_agree, assert_freezing, assert_slopes, values, var};
    use super::*;

    fn layer(weight: Param, bias: Param, activation: Activation, follows: bool) -> BatchNorm {
        let channels = weight.tensor().elem_count();
        let statistic = |tensor: Tensor| match follows {
            true => Statistic::following(&candle_core::Var::from_tensor(&tensor).unwrap()),
            false => Statistic::fixed(tensor),
        };
        let running_mean = statistic(var(channels, 8).as_detached_tensor());
        let running_var = statistic((var(channels, 9).abs().unwrap() + 0.2).unwrap());
        BatchNorm { weight, bias, running_mean, running_var, eps: 1e-3, activation }
    }

    #[test]
    fn paths_agree_for_every_activation() {
        for (pixels, channels) in [(1, 1), (3, 5), (40, 33)] {
            let (w, b) = (var(channels, 2), var(channels, 3));
            // Wide enough to reach both corners of a ReLU6.
            let x = var((2, pixels, 1, channels), 1);
            x.set(&(x.as_tensor() * 9.0).unwrap()).unwrap();
            for (activation, follows) in Activation::ALL.into_iter().flat_map(|a| [(a, false), (a, true)]) {
                let layer =
                    || layer(Param::trainable(&w, None), Param::trainable(&b, None), activation, follows);
                let what = format!("{pixels} x {channels}, {activation:?}, following {follows}");
                let (fast, composed) = (layer(), layer());
                assert_agree(&what, &[&x, &w, &b], || fast.forward(&x), || composed.forward_composed(&x));
                for (a, b) in
                    [(&fast.running_mean, &composed.running_mean), (&fast.running_var, &composed.running_var)]
                {
                    assert_near(&values(&a.tensor()), &values(&b.tensor()), 1e-6, &what);
                }
            }
        }
    }

    #[test]
    fn gradients_are_slopes() {
        let (x, w, b) = (var((3, 4), 1), var(4, 2), var(4, 3));
        for follows in [false, true] {
            let (weight, bias) = (Param::trainable(&w, None), Param::trainable(&b, None));
            let layer = layer(weight, bias, Activation::Silu, follows);
            assert_slopes("batch norm", &[&x, &w, &b], || layer.forward(&x));
        }
    }

    #[test]
    fn only_what_is_asked_for_is_computed() {
        let (x, w, b) = (var((2, 3, 3, 5), 1), var(5, 2), var(5, 3));
        for follows in [false, true] {
            assert_freezing("batch norm", &x, &[&w, &b], |x, params| {
                layer(params[0].clone(), params[1].clone(), Activation::Relu6, follows).forward(x)
            });
        }
    }

    #[test]
    fn a_single_value_a_channel_leaves_the_running_statistics() {
        let (x, w, b) = (var((1, 1, 1, 5), 1), var(5, 2), var(5, 3));
        let make = |follows| {
            let (weight, bias) = (Param::trainable(&w, None), Param::trainable(&b, None));
            layer(weight, bias, Activation::None, follows)
        };
        let (following, fixed) = (make(true), make(false));
        for y in [following.forward(&x), following.forward_composed(&x)] {
            assert_near(&values(&y.unwrap()), &values(&fixed.forward(&x).unwrap()), 1e-6, "output");
        }
        assert_eq!(values(&following.running_mean.tensor()), values(&fixed.running_mean.tensor()));
        assert_eq!(values(&following.running_var.tensor()), values(&fixed.running_var.tensor()));
        let pair = var((2, 1, 1, 5), 1);
        following.forward(&pair).unwrap();
        assert_ne!(values(&following.running_mean.tensor()), values(&fixed.running_mean.tensor()));
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let (w, b) = (var(5, 2), var(4, 3));
        let trainable = |var| Param::trainable(var, None);
        let right = layer(trainable(&w), trainable(&w), Activation::None, false);
        assert!(right.forward(&var((2, 4), 1)).is_err());
        let wrong = layer(trainable(&w), trainable(&b), Activation::None, false);
        assert!(wrong.forward(&var((2, 5), 1)).is_err());
        let other = layer(trainable(&w), trainable(&w), Activation::None, true);
        let halves = BatchNorm { running_mean: other.running_mean, ..right };
        assert!(halves.forward(&var((2, 5), 1)).is_err());
    }
}
