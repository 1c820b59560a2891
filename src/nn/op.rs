//! What the custom ops of the layers share: the choice of path, access to plain slices, state kept
//! for the backward pass, and where the gradient of a parameter goes.

use super::kernels::fresh::zeros;
use super::param::Slot;
use candle_core::{CpuStorage, DType, Device, Layout, Result, Shape, Storage, Tensor, bail};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Whether `FROSTLINE_COMPOSED=1` asks for Candle's own operations on the CPU too. Read once.
pub fn composed() -> bool {
    static COMPOSED: OnceLock<bool> = OnceLock::new();
    *COMPOSED.get_or_init(|| std::env::var("FROSTLINE_COMPOSED").is_ok_and(|v| v == "1"))
}

/// Whether layers take the fast path with this input: it lies on the CPU, in f32. A parameter for
/// which this is false gets its gradient in the `GradStore` and needs no slot.
pub fn is_fast(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32 && !composed()
}

/// The elements of a contiguous argument of a custom op.
pub(super) fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a kernel needs its elements side by side, got the layout {layout:?}"),
    }
}

/// Reads the elements of a contiguous tensor on the CPU.
pub(super) fn read<R>(t: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let (storage, layout) = t.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(floats(storage, layout)?),
        _ => bail!("a CPU kernel was given a tensor on {:?}", t.device()),
    }
}

/// The elements of a tensor, copied.
pub(super) fn to_vec(t: &Tensor) -> Result<Vec<f32>> {
    read(&t.contiguous()?, |x| Ok(x.to_vec()))
}

pub(super) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &Device::Cpu)
}

/// The result of a forward pass.
pub(super) fn output(values: Vec<f32>, shape: impl Into<Shape>) -> Result<(CpuStorage, Shape)> {
    Ok((CpuStorage::F32(values), shape.into()))
}

/// What a forward pass keeps for its backward pass. Both get the op by shared reference.
#[derive(Default)]
pub(super) struct Saved(Mutex<Option<Vec<f32>>>);

impl Saved {
    pub(super) fn put(&self, values: Vec<f32>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(values);
    }

    /// Fails when nothing was kept: a second backward pass over one graph.
    pub(super) fn take(&self) -> Result<Vec<f32>> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(values) => Ok(values),
            None => bail!("a backward pass ran twice over one graph; run the forward pass again"),
        }
    }
}

/// Where the gradient of one parameter of an op goes.
pub(super) enum Target<'a> {
    /// Frozen: it is not computed.
    Nowhere,
    Slot(&'a Slot),
    /// Tracked without a slot: to Candle, in this shape.
    Tensor(&'a Shape),
}

impl<'a> Target<'a> {
    pub(super) fn of(parameter: &'a Tensor, slot: &'a Option<Slot>) -> Self {
        match slot {
            Some(slot) => Target::Slot(slot),
            None if parameter.track_op() => Target::Tensor(parameter.shape()),
            None => Target::Nowhere,
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        !matches!(self, Target::Nowhere)
    }

    /// Lets `compute` overwrite the gradient where it is wanted; gives what `bwd` returns for it.
    pub(super) fn write(self, compute: impl FnOnce(&mut [f32]) -> Result<()>) -> Result<Option<Tensor>> {
        match self {
            Target::Nowhere => Ok(None),
            Target::Slot(slot) => slot.write(compute).map(|()| None),
            Target::Tensor(shape) => {
                let mut values = zeros(shape.elem_count());
                compute(&mut values)?;
                tensor(values, shape).map(Some)
            }
        }
    }

    /// The same for a gradient that was computed together with others.
    pub(super) fn copy(self, values: &[f32]) -> Result<Option<Tensor>> {
        self.write(|out| {
            out.copy_from_slice(values);
            Ok(())
        })
    }
}

/// The gradient of an input: computed where the input is tracked.
pub(super) fn input_gradient(
    x: &Tensor,
    compute: impl FnOnce(&mut [f32]) -> Result<()>,
) -> Result<Option<Tensor>> {
    let target = if x.track_op() { Target::Tensor(x.shape()) } else { Target::Nowhere };
    target.write(compute)
}
