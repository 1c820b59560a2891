//! Squeeze and excitation: a factor for each channel, from the means of all channels.

use super::kernels::fresh::zeros;
use super::kernels::{Level, squeeze_excite as kernel};
use super::linear::Linear;
use super::op::{Argument, Custom, Input, Op, is_fast, read, tensor};
use candle_core::{Result, Shape, Tensor, bail};
use std::sync::{Arc, Mutex, PoisonError};

/// `y = x * expand(reduce(mean of x over its pixels))`, channel by channel (Hu et al. 2018). Both layers bring their
/// activation; that of `expand` is the gate.
#[derive(Clone, Debug)]
pub struct SqueezeExcite {
    /// `channels` to fewer.
    pub reduce: Linear,
    /// Back to `channels`.
    pub expand: Linear,
}

impl SqueezeExcite {
    /// `[batch, height, width, channels]` to the same shape.
    ///
    /// # Errors
    /// Shapes that do not fit, images without pixels, and those of Candle.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.check(x)?;
        if !is_fast(x) {
            return self.forward_composed(x);
        }
        let x = x.contiguous()?;
        let above = Above::default();
        let means = x.apply_op1(Custom(Squeeze(above.clone())))?;
        let gate = self.expand.forward(&self.reduce.forward(&means)?)?;
        x.apply_op2(&gate.contiguous()?, Custom(Excite(above)))
    }

    pub(super) fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, _, _, channels) = x.dims4()?;
        let means = x.mean((1, 2))?;
        let gate = self.expand.forward_composed(&self.reduce.forward_composed(&means)?)?;
        x.broadcast_mul(&gate.reshape((batch, 1, 1, channels))?)
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        let (batch, height, width, channels) = x.dims4()?;
        let (reduced, inputs) = self.reduce.sizes()?;
        if self.expand.sizes()? != (channels, reduced) || inputs != channels {
            bail!(
                "squeeze and excitation from {inputs} to {reduced} to {:?} was given {channels} channels",
                self.expand.sizes()?
            )
        }
        if batch * height * width == 0 {
            bail!("the mean over the pixels of {:?}: there are none", x.shape())
        }
        Ok(())
    }
}

/// What the backward pass of the product leaves for that of the means, which runs after it: the input gets its whole
/// gradient in one pass there, instead of two gradients and their sum.
#[derive(Clone, Default)]
struct Above(Arc<Mutex<Option<Product>>>);

/// The gradient of the product, and the gate.
struct Product {
    dy: Tensor,
    gate: Vec<f32>,
}

impl Above {
    fn put(&self, product: Product) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(product);
    }

    fn take(&self) -> Result<Product> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(product) => Ok(product),
            None => bail!("the means of squeeze and excitation got a gradient without their product"),
        }
    }
}

struct Squeeze(Above);

impl Op<1> for Squeeze {
    const NAME: &'static str = "squeeze";

    fn forward(&self, [x]: [Input; 1]) -> Result<(Vec<f32>, Shape)> {
        let (batch, _, _, channels) = x.shape.dims4()?;
        let mut means = vec![0f32; batch * channels];
        if batch > 0 {
            kernel::means(Level::current(), x.values, channels, &mut means);
        }
        Ok((means, (batch, channels).into()))
    }

    fn backward(
        &self,
        [x]: [Argument; 1],
        means: Argument,
        d_means: Argument,
    ) -> Result<[Option<Tensor>; 1]> {
        let Product { dy, gate } = self.0.take()?;
        let channels = means.tensor.dim(1)?;
        let dx = read(&dy, |dy| {
            x.gradient(|dx| {
                kernel::input_gradient(Level::current(), dy, &gate, d_means.values, channels, dx);
            })
        })?;
        Ok([dx])
    }
}

struct Excite(Above);

impl Op<2> for Excite {
    const NAME: &'static str = "excite";

    fn forward(&self, [x, gate]: [Input; 2]) -> Result<(Vec<f32>, Shape)> {
        let (batch, channels) = gate.shape.dims2()?;
        let mut y = zeros(x.values.len());
        if batch > 0 {
            kernel::scale(Level::current(), x.values, gate.values, channels, &mut y);
        }
        Ok((y, x.shape.clone()))
    }

    fn backward(&self, [x, gate]: [Argument; 2], _: Argument, dy: Argument) -> Result<[Option<Tensor>; 2]> {
        let channels = gate.tensor.dim(1)?;
        let mut d_gate = vec![0f32; gate.values.len()];
        kernel::gate_gradient(Level::current(), x.values, dy.values, channels, &mut d_gate);
        // The input is tracked exactly where the means are, whose backward pass then follows.
        if x.is_tracked() {
            self.0.put(Product { dy: dy.tensor.clone(), gate: gate.values.to_vec() });
        }
        Ok([None, Some(tensor(d_gate, gate.tensor.shape())?)])
    }
}

#[cfg(test)]
mod tests {
    use super::super::activation::Activation;
    use super::super::param::Param;
    use super::super::testing::{assert_agree, assert_freezing, assert_slopes, var};
    use super::*;
    use candle_core::Var;
    use proptest::prelude::*;

    const GATES: [(Activation, Activation); 2] =
        [(Activation::Silu, Activation::Sigmoid), (Activation::Relu, Activation::HardSigmoid)];

    /// Weights and biases of both layers.
    fn vars(channels: usize, reduced: usize) -> [Var; 4] {
        [
            var((reduced, channels, 1, 1), 2),
            var(reduced, 3),
            var((channels, reduced, 1, 1), 4),
            var(channels, 5),
        ]
    }

    fn layer(params: &[Param], (inner, gate): (Activation, Activation)) -> SqueezeExcite {
        let linear = |n: usize, activation| Linear {
            weight: params[n].clone(),
            bias: Some(params[n + 1].clone()),
            activation,
        };
        SqueezeExcite { reduce: linear(0, inner), expand: linear(2, gate) }
    }

    fn trained(vars: &[Var]) -> Vec<Param> {
        vars.iter().map(|v| Param::trainable(v, None)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]
        #[test]
        fn paths_agree(
            (batch, height, width) in (1usize..4, 1usize..12, 1usize..12),
            channels in prop_oneof![1usize..4, Just(8usize), Just(27), Just(57)],
            reduced in 1usize..5,
        ) {
            let (x, vars) = (var((batch, height, width, channels), 1), vars(channels, reduced));
            for gate in GATES {
                let layer = layer(&trained(&vars), gate);
                let all = [&x, &vars[0], &vars[1], &vars[2], &vars[3]];
                let what = format!("{batch} x {height} x {width} x {channels} by {reduced}, {gate:?}");
                // A unit that ReLU switches off for all images leaves gradients of zero, which agree too.
                assert_agree(&what, &all, || layer.forward(&x), || layer.forward_composed(&x));
            }
        }
    }

    #[test]
    fn gradients_are_slopes() {
        let (x, vars) = (var((2, 5, 4, 3), 1), vars(3, 4));
        let layer = layer(&trained(&vars), GATES[0]);
        let all = [&x, &vars[0], &vars[1], &vars[2], &vars[3]];
        assert_slopes("squeeze and excite", &all, || layer.forward(&x));
    }

    #[test]
    fn only_what_is_asked_for_is_computed() {
        let (x, vars) = (var((2, 4, 3, 6), 1), vars(6, 2));
        let refs: Vec<&Var> = vars.iter().collect();
        for gate in GATES {
            assert_freezing("squeeze and excite", &x, &refs, |x, params| layer(params, gate).forward(x));
        }
    }

    #[test]
    fn strided_inputs() {
        let (x, vars) = (var((5, 4, 2, 3), 1), vars(5, 2));
        let layer = layer(&trained(&vars), GATES[0]);
        let turned = || x.transpose(0, 3);
        assert_agree("turned", &[&x], || layer.forward(&turned()?), || layer.forward_composed(&turned()?));
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let vars = vars(5, 2);
        let layer = layer(&trained(&vars), GATES[0]);
        assert!(layer.forward(&var((1, 2, 2, 4), 1)).is_err());
        assert!(layer.forward(&var((1, 5), 1)).is_err());
        let swapped = SqueezeExcite { reduce: layer.expand.clone(), expand: layer.reduce.clone() };
        assert!(swapped.forward(&var((1, 2, 2, 5), 1)).is_err());
    }

    #[test]
    fn a_second_backward_pass_over_one_graph_gives_the_same() {
        let (x, vars) = (var((2, 3, 3, 4), 1), vars(4, 2));
        let layer = layer(&trained(&vars), (Activation::Relu, Activation::None));
        let y = layer.forward(&x).unwrap().sum_all().unwrap();
        let gradient =
            || y.backward().unwrap().get(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(gradient(), gradient());
    }
}
