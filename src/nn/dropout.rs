//! Dropout without stored masks.

use super::kernels::{Level, dropout};
use super::op::{floats, input_gradient, is_fast, output, read};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Device, Layout, Result, Shape, Tensor, bail};

/// Sets elements to zero with a probability and scales the others so that the mean stays (Srivastava et
/// al. 2014). Element `i` is decided by a hash of `(key, i)`: no generator state, the same for the same
/// key whatever the number of threads, and decided again in the backward pass. Make a key from all that
/// should matter: seed, step, layer, purpose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Of an element to be set to zero, in 0..1.
    pub probability: f32,
    pub key: u64,
}

impl Dropout {
    /// Keeps everything: inference, and layers of frozen ground.
    pub const NONE: Dropout = Dropout { probability: 0.0, key: 0 };

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
        let mut factors = vec![0f32; len];
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
        Some(residual) => y.contiguous()?.apply_op2(&residual.contiguous()?, DropoutOp(d)),
        None if d.is_none() => Ok(y.clone()),
        None => y.contiguous()?.apply_op1(DropoutOp(d)),
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
    fn forward(&self, y: &[f32], residual: Option<&[f32]>, shape: &Shape) -> Result<(CpuStorage, Shape)> {
        let mut out = vec![0f32; y.len()];
        dropout::dropout_add(Level::current(), self.0, y, residual, &mut out);
        output(out, shape.clone())
    }

    /// The gradient of what was dropped.
    fn backward(&self, y: &Tensor, d: &Tensor) -> Result<Option<Tensor>> {
        if self.0.is_none() {
            return Ok(y.track_op().then(|| d.clone()));
        }
        input_gradient(y, |out| {
            read(&d.contiguous()?, |d| {
                dropout::dropout_add(Level::current(), self.0, d, None, out);
                Ok(())
            })
        })
    }
}

impl CustomOp1 for DropoutOp {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, y: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward(floats(y, layout)?, None, layout.shape())
    }

    fn bwd(&self, y: &Tensor, _: &Tensor, d: &Tensor) -> Result<Option<Tensor>> {
        self.backward(y, d)
    }
}

impl CustomOp2 for DropoutOp {
    fn name(&self) -> &'static str {
        "dropout-add"
    }

    fn cpu_fwd(&self, y: &CpuStorage, y_layout: &Layout, r: &CpuStorage, r_layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward(floats(y, y_layout)?, Some(floats(r, r_layout)?), y_layout.shape())
    }

    fn bwd(&self, y: &Tensor, r: &Tensor, _: &Tensor, d: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((self.backward(y, d)?, r.track_op().then(|| d.clone())))
    }
}
