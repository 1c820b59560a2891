//! The end of a residual block: the sum of both branches, then ReLU.

use super::activation::Activation;
use super::kernels::fresh::zeros;
use super::kernels::{Level, residual};
use super::op::{Argument, Custom, Input, Op, is_fast, tensor};
use candle_core::{Result, Shape, Tensor, bail};

/// `max(a + b, 0)` of two tensors of the same shape; the slope at 0 is 0.
///
/// # Errors
/// Shapes that differ, and those of Candle.
pub fn add_relu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.shape() != b.shape() {
        bail!("branches of {:?} and {:?} cannot be added", a.shape(), b.shape())
    }
    if !is_fast(a) {
        return add_relu_composed(a, b);
    }
    a.contiguous()?.apply_op2(&b.contiguous()?, Custom(AddReluOp))
}

pub(super) fn add_relu_composed(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    Activation::Relu.composed(&(a + b)?)
}

struct AddReluOp;

impl Op<2> for AddReluOp {
    const NAME: &'static str = "add-relu";

    fn forward(&self, [a, b]: [Input; 2]) -> Result<(Vec<f32>, Shape)> {
        let mut y = zeros(a.values.len());
        residual::add_relu(Level::current(), a.values, b.values, &mut y);
        Ok((y, a.shape.clone()))
    }

    fn backward(&self, [a, b]: [Argument; 2], y: Argument, dy: Argument) -> Result<[Option<Tensor>; 2]> {
        let mut d = zeros(y.values.len());
        residual::add_relu_gradient(Level::current(), y.values, dy.values, &mut d);
        // Both branches share one gradient: Candle adds to it out of place.
        let d = tensor(d, y.tensor.shape())?;
        Ok([a.is_tracked().then(|| d.clone()), b.is_tracked().then_some(d)])
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_agree, assert_slopes, var};
    use super::*;

    #[test]
    fn paths_agree() {
        for dims in [[1, 1, 1, 1], [2, 3, 5, 7]] {
            let (a, b) = (var(dims.to_vec(), 1), var(dims.to_vec(), 2));
            assert_agree("sum", &[&a, &b], || add_relu(&a, &b), || add_relu_composed(&a, &b));
            assert_slopes("sum", &[&a, &b], || add_relu(&a, &b));
        }
    }

    #[test]
    fn a_branch_that_is_not_tracked_gets_no_gradient() {
        let (a, b) = (var((2, 3), 1), var((2, 3), 2));
        let y = add_relu(&a, &b.as_tensor().detach()).unwrap();
        let store = y.sum_all().unwrap().backward().unwrap();
        assert!(store.get(&a).is_some() && store.get(&b).is_none());
        assert!(add_relu(&a, &var((3, 2), 3)).is_err());
    }
}
