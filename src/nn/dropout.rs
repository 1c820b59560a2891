//! Dropout without stored masks.

pub use super::kernels::dropout::Dropout;
use super::kernels::fresh::zeros;
use super::kernels::{Level, dropout};
use super::op::{Argument, Custom, Input, Op, is_fast};
use candle_core::{Device, Result, Shape, Tensor, bail};

impl Dropout {
    /// Keeps everything: inference, and layers of frozen ground.
    pub const NONE: Dropout = Dropout { probability: 0.0, key: 0 };

    /// Whether it keeps everything.
    pub fn is_none(self) -> bool {
        self.probability == 0.0
    }

    pub(super) fn check(self) -> Result<()> {
        if !(0.0..1.0).contains(&self.probability) {
            bail!("a dropout probability of {}: it must lie in 0..1", self.probability)
        }
        Ok(())
    }

    /// What elements `0..len` are multiplied with: for layers composed from Candle's operations.
    pub(super) fn factors(self, len: usize) -> Vec<f32> {
        let mut factors = zeros(len);
        dropout::dropout_add(Level::current(), self, &vec![1.0; len], None, &mut factors);
        factors
    }
}

/// `dropout(y) + residual`, or `dropout(y)` without one; any shape, the same for both.
///
/// # Errors
/// Shapes that differ, a probability outside 0..1, and those of Candle.
pub fn dropout_add(y: &Tensor, residual: Option<&Tensor>, d: Dropout) -> Result<Tensor> {
    d.check()?;
    if let Some(residual) = residual
        && residual.shape() != y.shape()
    {
        bail!("a residual of {:?} cannot be added to {:?}", residual.shape(), y.shape())
    }
    if !is_fast(y) {
        return dropout_add_composed(y, residual, d);
    }
    match residual {
        Some(residual) => y.contiguous()?.apply_op2(&residual.contiguous()?, Custom(DropoutOp(d))),
        None if d.is_none() => Ok(y.clone()),
        None => y.contiguous()?.apply_op1(Custom(DropoutOp(d))),
    }
}

pub(super) fn dropout_add_composed(y: &Tensor, residual: Option<&Tensor>, d: Dropout) -> Result<Tensor> {
    let y = if d.is_none() {
        y.clone()
    } else {
        let factors = Tensor::from_vec(d.factors(y.elem_count()), y.shape(), &Device::Cpu)?;
        y.mul(&factors.to_device(y.device())?.to_dtype(y.dtype())?)?
    };
    match residual {
        Some(residual) => y + residual,
        None => Ok(y),
    }
}

struct DropoutOp(Dropout);

impl DropoutOp {
    fn forward(&self, y: Input, residual: Option<&[f32]>) -> (Vec<f32>, Shape) {
        let mut out = zeros(y.values.len());
        dropout::dropout_add(Level::current(), self.0, y.values, residual, &mut out);
        (out, y.shape.clone())
    }

    /// The gradient of what was dropped.
    fn backward(&self, y: Argument, d: Argument) -> Result<Option<Tensor>> {
        if self.0.is_none() {
            return Ok(y.is_tracked().then(|| d.tensor.clone()));
        }
        y.gradient(|out| dropout::dropout_add(Level::current(), self.0, d.values, None, out))
    }
}

impl Op<1> for DropoutOp {
    const NAME: &'static str = "dropout";

    fn forward(&self, [y]: [Input; 1]) -> Result<(Vec<f32>, Shape)> {
        Ok(self.forward(y, None))
    }

    fn backward(&self, [y]: [Argument; 1], _: Argument, d: Argument) -> Result<[Option<Tensor>; 1]> {
        Ok([self.backward(y, d)?])
    }
}

impl Op<2> for DropoutOp {
    const NAME: &'static str = "dropout-add";

    fn forward(&self, [y, residual]: [Input; 2]) -> Result<(Vec<f32>, Shape)> {
        Ok(self.forward(y, Some(residual.values)))
    }

    fn backward(
        &self,
        [y, residual]: [Argument; 2],
        _: Argument,
        d: Argument,
    ) -> Result<[Option<Tensor>; 2]> {
        Ok([self.backward(y, d)?, residual.is_tracked().then(|| d.tensor.clone())])
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_agree, assert_slopes, values, var};
    use super::*;
    use candle_core::DType;

    #[test]
    fn paths_agree() {
        let (y, r) = (var((7, 9), 1), var((7, 9), 2));
        for probability in [0.0, 0.1, 0.9] {
            let d = Dropout { probability, key: 0xFEED_0000_0042 };
            assert_agree(
                "with residual",
                &[&y, &r],
                || dropout_add(&y, Some(&r), d),
                || dropout_add_composed(&y, Some(&r), d),
            );
            assert_agree("alone", &[&y], || dropout_add(&y, None, d), || dropout_add_composed(&y, None, d));
            assert_slopes("dropout", &[&y, &r], || dropout_add(&y, Some(&r), d));
        }
    }

    #[test]
    fn the_share_that_falls_and_the_mean_are_right() {
        let ones = Tensor::ones(200_000, DType::F32, &Device::Cpu).unwrap();
        let mut last = Vec::new();
        for key in 0..4 {
            let y = values(&dropout_add(&ones, None, Dropout { probability: 0.3, key }).unwrap());
            let fallen = y.iter().filter(|v| **v == 0.0).count() as f64 / 200_000.0;
            assert!((fallen - 0.3).abs() < 0.006, "{fallen}");
            // Neighbours and neighbouring keys fall independently.
            let both = y.windows(2).filter(|w| w[0] == 0.0 && w[1] == 0.0).count() as f64 / 200_000.0;
            assert!((both - 0.09).abs() < 0.005, "{both}");
            if !last.is_empty() {
                let both = y.iter().zip(&last).filter(|(a, b)| **a == 0.0 && **b == 0.0).count();
                assert!((both as f64 / 200_000.0 - 0.09).abs() < 0.005, "{both}");
            }
            last = y;
        }
    }

    #[test]
    fn impossible_arguments_are_errors() {
        let (y, r) = (var((2, 3), 1), var((3, 2), 2));
        for probability in [1.0, -0.1, f32::NAN] {
            assert!(dropout_add(&y, None, Dropout { probability, key: 0 }).is_err());
        }
        assert!(dropout_add(&y, Some(&r), Dropout::NONE).is_err());
    }
}
