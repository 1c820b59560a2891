//! The linear layer, with bias and activation in the same pass.

use super::activation::Activation;
use super::kernels::Level;
use super::kernels::activation::{activation_backward, bias_activation, bias_activation_keep, column_sum};
use super::kernels::fresh::zeros;
use super::kernels::matrix::{Mat, MatMut, Threads, Update, product};
use super::op::{Argument, Custom, Input, Op, Saved, is_fast};
use super::param::{Param, Slot};
use candle_core::{Result, Shape, Tensor, bail};

/// `y = activation(x weight^T + bias)`.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[out, in]`, or `[out, in, 1, 1]` as a weight file has a convolution over one pixel.
    pub weight: Param,
    /// `[out]`
    pub bias: Option<Param>,
    pub activation: Activation,
}

impl Linear {
    /// `[.., in]` to `[.., out]`.
    ///
    /// # Errors
    /// Shapes that do not fit, and those of Candle.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.check(x)?;
        if !is_fast(x) {
            return self.forward_composed(x);
        }
        let weight = self.weight.contiguous()?;
        let bias = self.bias.as_ref().map(Param::contiguous).transpose()?;
        linear(&x.contiguous()?, &weight, bias.as_ref(), self.activation, self.slots())
    }

    pub(super) fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        let (out, features) = self.sizes()?;
        let mut shape = x.dims().to_vec();
        let rows = x.elem_count() / features;
        let weight = self.weight.tensor().reshape((out, features))?;
        let y = x.contiguous()?.reshape((rows, features))?.matmul(&weight.t()?)?;
        let y = match &self.bias {
            Some(bias) => y.broadcast_add(bias.tensor())?,
            None => y,
        };
        if let Some(last) = shape.last_mut() {
            *last = out;
        }
        self.activation.composed(&y)?.reshape(shape)
    }

    fn slots(&self) -> Slots {
        Slots { weight: self.weight.slot(), bias: self.bias.as_ref().and_then(Param::slot) }
    }

    /// Outputs and inputs.
    pub(super) fn sizes(&self) -> Result<(usize, usize)> {
        match self.weight.tensor().dims() {
            [out, features] | [out, features, 1, 1] => Ok((*out, *features)),
            other => bail!("the weight {other:?} is none of a linear layer"),
        }
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        let (out, features) = self.sizes()?;
        if features == 0 || x.dims().last() != Some(&features) {
            bail!("a linear layer of {features} features was given {:?}", x.shape())
        }
        match &self.bias {
            Some(bias) if bias.tensor().dims() != [out] => {
                bail!("a linear layer with {out} outputs has a bias {:?}", bias.tensor().shape())
            }
            _ => Ok(()),
        }
    }
}

/// Where the gradients of weight and bias go.
#[derive(Default)]
pub(super) struct Slots {
    pub weight: Option<Slot>,
    pub bias: Option<Slot>,
}

/// The fast path on contiguous tensors: `x` `[.., in]`, `weight` with `[out, in]` elements whatever its
/// shape. Shapes are checked by the caller.
pub(super) fn linear(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    activation: Activation,
    slots: Slots,
) -> Result<Tensor> {
    let tracked = x.track_op() || weight.track_op() || bias.is_some_and(Tensor::track_op);
    let keeps = activation != Activation::None && !activation.slope_is_known_from_result();
    let op = LinearOp {
        outputs: weight.dim(0)?,
        activation,
        keep: tracked && keeps,
        argument: Saved::default(),
        slots,
    };
    match bias {
        Some(bias) => x.apply_op3(weight, bias, Custom(op)),
        None => x.apply_op2(weight, Custom(op)),
    }
}

struct LinearOp {
    outputs: usize,
    activation: Activation,
    /// Whether a backward pass will want the argument of the activation.
    keep: bool,
    argument: Saved,
    slots: Slots,
}

impl LinearOp {
    /// Rows and features of the input.
    fn sizes(&self, x: usize, weight: usize) -> (usize, usize) {
        let features = weight / self.outputs.max(1);
        (x / features.max(1), features)
    }

    fn forward(&self, x: Input, w: &[f32], bias: Option<&[f32]>) -> (Vec<f32>, Shape) {
        let level = Level::current();
        let n = self.outputs;
        let (m, k) = self.sizes(x.values.len(), w.len());
        let mut y = zeros(m * n);
        let (a, b) = (Mat::new(x.values, m, k), Mat::new(w, n, k).t());
        product(a, b, MatMut::new(&mut y, m, n), 1.0, Update::Overwrite, Threads::Pool);
        let none = vec![0f32; if bias.is_none() { n } else { 0 }];
        let bias = match bias {
            Some(bias) => Some(bias),
            None if self.activation != Activation::None => Some(&none[..]),
            None => None,
        };
        if let Some(bias) = bias.filter(|b| !b.is_empty()) {
            if self.keep {
                let mut argument = y;
                y = zeros(m * n);
                bias_activation_keep(level, &mut argument, bias, &mut y, self.activation);
                self.argument.put(argument);
            } else {
                bias_activation(level, &mut y, bias, self.activation);
            }
        }
        let mut shape = x.shape.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = n;
        }
        (y, shape.into())
    }

    /// The gradient before the activation; none where it is `dy` itself.
    fn before_activation(&self, y: &[f32], dy: &[f32]) -> Result<Option<Vec<f32>>> {
        if self.activation == Activation::None {
            return Ok(None);
        }
        let is_known = self.activation.slope_is_known_from_result();
        let mut gradient = if is_known { y.to_vec() } else { self.argument.take()? };
        activation_backward(Level::current(), &mut gradient, dy, self.activation);
        Ok(Some(gradient))
    }

    /// The gradients of input, weight and bias.
    fn backward(
        &self,
        x: Argument,
        w: Argument,
        bias: Option<Argument>,
        y: Argument,
        dy: Argument,
    ) -> Result<[Option<Tensor>; 3]> {
        let before = self.before_activation(y.values, dy.values)?;
        let g = before.as_deref().unwrap_or(dy.values);
        let n = self.outputs;
        let (m, k) = self.sizes(x.values.len(), w.values.len());
        let d_bias = match bias {
            Some(bias) => {
                bias.parameter(&self.slots.bias).write(|out| column_sum(Level::current(), g, out))?
            }
            None => None,
        };
        let d_weight = w.parameter(&self.slots.weight).write(|out| {
            let (a, b) = (Mat::new(g, m, n).t(), Mat::new(x.values, m, k));
            product(a, b, MatMut::new(out, n, k), 1.0, Update::Overwrite, Threads::Pool);
        })?;
        let dx = x.gradient(|out| {
            let (a, b) = (Mat::new(g, m, n), Mat::new(w.values, n, k));
            product(a, b, MatMut::new(out, m, k), 1.0, Update::Overwrite, Threads::Pool);
        })?;
        Ok([dx, d_weight, d_bias])
    }
}

impl Op<3> for LinearOp {
    const NAME: &'static str = "linear";

    fn forward(&self, [x, w, bias]: [Input; 3]) -> Result<(Vec<f32>, Shape)> {
        Ok(self.forward(x, w.values, Some(bias.values)))
    }

    fn backward(
        &self,
        [x, w, bias]: [Argument; 3],
        y: Argument,
        dy: Argument,
    ) -> Result<[Option<Tensor>; 3]> {
        self.backward(x, w, Some(bias), y, dy)
    }
}

impl Op<2> for LinearOp {
    const NAME: &'static str = "linear";

    fn forward(&self, [x, w]: [Input; 2]) -> Result<(Vec<f32>, Shape)> {
        Ok(self.forward(x, w.values, None))
    }

    fn backward(&self, [x, w]: [Argument; 2], y: Argument, dy: Argument) -> Result<[Option<Tensor>; 2]> {
        let [dx, dw, _] = self.backward(x, w, None, y, dy)?;
        Ok([dx, dw])
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_agree, assert_freezing, assert_slopes, var};
    use super::*;
    use candle_core::{Device, Var};

    fn layer(weight: &Var, bias: Option<&Var>, activation: Activation) -> Linear {
        Linear {
            weight: Param::trainable(weight, None),
            bias: bias.map(|b| Param::trainable(b, None)),
            activation,
        }
    }

    #[test]
    fn paths_agree_for_every_activation() {
        for (rows, input, out) in [(1, 1, 1), (5, 3, 7), (33, 17, 40)] {
            let (x, w, b) = (var((rows, input), 1), var((out, input), 2), var(out, 3));
            for activation in Activation::ALL {
                let what = format!("{rows} x {input} to {out}, {activation:?}");
                let with = layer(&w, Some(&b), activation);
                assert_agree(&what, &[&x, &w, &b], || with.forward(&x), || with.forward_composed(&x));
                let without = layer(&w, None, activation);
                assert_agree(&what, &[&x, &w], || without.forward(&x), || without.forward_composed(&x));
            }
        }
    }

    #[test]
    fn gradients_are_slopes() {
        let (x, w, b) = (var((4, 5), 1), var((3, 5), 2), var(3, 3));
        for activation in Activation::ALL {
            let layer = layer(&w, Some(&b), activation);
            assert_slopes("linear", &[&x, &w, &b], || layer.forward(&x));
        }
    }

    #[test]
    fn only_what_is_asked_for_is_computed() {
        let (x, w, b) = (var((2, 3, 4), 1), var((5, 4), 2), var(5, 3));
        for activation in [Activation::None, Activation::Relu, Activation::GeluErf] {
            assert_freezing("linear", &x, &[&w, &b], |x, params| {
                let bias = Some(params[1].clone());
                Linear { weight: params[0].clone(), bias, activation }.forward(x)
            });
        }
    }

    #[test]
    fn strided_inputs_and_higher_ranks() {
        let (x, w) = (var((4, 3, 2), 1), var((5, 4), 2));
        let layer = layer(&w, None, Activation::None);
        let turned = || x.transpose(0, 2);
        assert_agree(
            "transposed",
            &[&x, &w],
            || layer.forward(&turned()?),
            || layer.forward_composed(&turned()?),
        );
        assert_eq!(layer.forward(&turned().unwrap()).unwrap().dims(), [2, 3, 5]);
    }

    #[test]
    fn the_weight_of_a_convolution_over_one_pixel() {
        let (x, w, b) = (var((3, 4), 1), var((5, 4, 1, 1), 2), var(5, 3));
        let layer = layer(&w, Some(&b), Activation::HardSwish);
        assert_agree("4-d weight", &[&x, &w, &b], || layer.forward(&x), || layer.forward_composed(&x));
        assert_freezing("4-d weight", &x, &[&w, &b], |x, params| {
            let (weight, bias) = (params[0].clone(), Some(params[1].clone()));
            Linear { weight, bias, activation: Activation::HardSwish }.forward(x)
        });
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let (w, b) = (var((5, 4), 2), var(4, 3));
        let x = Tensor::zeros((2, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(layer(&w, None, Activation::None).forward(&x).is_err());
        let x = Tensor::zeros((2, 4), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(layer(&w, Some(&b), Activation::None).forward(&x).is_err());
        assert!(layer(&var((5, 4, 3, 3), 2), None, Activation::None).forward(&x).is_err());
    }

    #[test]
    fn a_second_backward_pass_over_one_graph_is_an_error() {
        let (x, w) = (var((2, 4), 1), var((5, 4), 2));
        let y = layer(&w, None, Activation::Silu).forward(&x).unwrap().sum_all().unwrap();
        y.backward().unwrap();
        assert!(y.backward().is_err());
    }
}
