//! What the custom ops of the layers share: the choice of path, the plumbing between Candle and plain slices ([`Op`],
//! [`Custom`]), state kept for the backward pass, and where the gradient of a parameter goes.

use super::kernels::fresh::zeros;
use super::param::Slot;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Device, Layout, Result, Shape, Storage, Tensor, bail,
};
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

/// What a layer computes on the fast path: an op of `N` arguments, all f32 on the CPU with their elements side by side.
/// [`Custom`] makes it one of Candle's.
pub(super) trait Op<const N: usize>: Send + Sync + 'static {
    const NAME: &'static str;

    /// The elements of the result, and its shape.
    fn forward(&self, arguments: [Input<'_>; N]) -> Result<(Vec<f32>, Shape)>;

    /// The gradient of each argument that wants one, from the result `y` and its gradient `dy`.
    fn backward(
        &self,
        arguments: [Argument<'_>; N],
        y: Argument<'_>,
        dy: Argument<'_>,
    ) -> Result<[Option<Tensor>; N]>;
}

/// An argument of a forward pass.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub values: &'a [f32],
    pub shape: &'a Shape,
}

/// A tensor that a backward pass is given. Nothing is copied: the tensor lends its elements.
#[derive(Clone, Copy)]
pub(super) struct Argument<'a> {
    pub values: &'a [f32],
    pub tensor: &'a Tensor,
}

impl<'a> Argument<'a> {
    pub(super) fn is_tracked(&self) -> bool {
        self.tensor.track_op()
    }

    /// The gradient, which `compute` overwrites, where it is tracked.
    pub(super) fn gradient(&self, compute: impl FnOnce(&mut [f32])) -> Result<Option<Tensor>> {
        self.own().write(compute)
    }

    /// The same for a gradient that was computed together with others.
    pub(super) fn give(&self, gradient: Vec<f32>) -> Result<Option<Tensor>> {
        self.is_tracked().then(|| tensor(gradient, self.tensor.shape())).transpose()
    }

    /// Where the gradient of a parameter with this slot goes.
    pub(super) fn parameter(&self, slot: &'a Option<Slot>) -> Target<'a> {
        match slot {
            Some(slot) => Target::Slot(slot),
            None => self.own(),
        }
    }

    /// Where its gradient goes without a slot.
    fn own(&self) -> Target<'a> {
        if self.is_tracked() { Target::Tensor(self.tensor.shape()) } else { Target::Nowhere }
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

impl Target<'_> {
    pub(super) fn is_wanted(&self) -> bool {
        !matches!(self, Target::Nowhere)
    }

    /// Lets `compute` overwrite the gradient where it is wanted; gives what a backward pass returns for it.
    pub(super) fn write(self, compute: impl FnOnce(&mut [f32])) -> Result<Option<Tensor>> {
        match self {
            Target::Nowhere => Ok(None),
            Target::Slot(slot) => slot.write(compute).map(|()| None),
            Target::Tensor(shape) => {
                let mut values = zeros(shape.elem_count());
                compute(&mut values);
                tensor(values, shape).map(Some)
            }
        }
    }

    /// The same for a gradient that was computed together with others.
    pub(super) fn copy(self, values: &[f32]) -> Result<Option<Tensor>> {
        self.write(|out| out.copy_from_slice(values))
    }
}

/// An [`Op`] as Candle applies it: `x.apply_op2(&weight, Custom(op))`.
pub(super) struct Custom<O>(pub O);

impl<O: Op<1>> CustomOp1 for Custom<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn cpu_fwd(&self, a: &CpuStorage, a_layout: &Layout) -> Result<(CpuStorage, Shape)> {
        forward(&self.0, [(a, a_layout)])
    }

    fn bwd(&self, a: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let [da] = backward(&self.0, [a], y, dy)?;
        Ok(da)
    }
}

impl<O: Op<2>> CustomOp2 for Custom<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        forward(&self.0, [(a, a_layout), (b, b_layout)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok(backward(&self.0, [a, b], y, dy)?.into())
    }
}

impl<O: Op<3>> CustomOp3 for Custom<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
        c: &CpuStorage,
        c_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        forward(&self.0, [(a, a_layout), (b, b_layout), (c, c_layout)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        Ok(backward(&self.0, [a, b, c], y, dy)?.into())
    }
}

fn forward<O: Op<N>, const N: usize>(
    op: &O,
    arguments: [(&CpuStorage, &Layout); N],
) -> Result<(CpuStorage, Shape)> {
    let mut inputs = arguments.map(|(_, layout)| Input { values: &[], shape: layout.shape() });
    for (input, (storage, layout)) in inputs.iter_mut().zip(arguments) {
        input.values = floats(storage, layout)?;
    }
    let (result, shape) = op.forward(inputs)?;
    Ok((CpuStorage::F32(result), shape))
}

fn backward<O: Op<N>, const N: usize>(
    op: &O,
    arguments: [&Tensor; N],
    y: &Tensor,
    dy: &Tensor,
) -> Result<[Option<Tensor>; N]> {
    let dy = dy.contiguous()?;
    read_all(arguments, |arguments| read_all([y, &dy], |[y, dy]| op.backward(arguments, y, dy)))
}

/// Reads the elements of contiguous tensors on the CPU.
fn read_all<const N: usize, R>(
    tensors: [&Tensor; N],
    f: impl FnOnce([Argument<'_>; N]) -> Result<R>,
) -> Result<R> {
    let storages = tensors.map(Tensor::storage_and_layout);
    let mut arguments = tensors.map(|tensor| Argument { values: &[], tensor });
    for (argument, (storage, layout)) in arguments.iter_mut().zip(&storages) {
        argument.values = cpu_floats(storage, layout)?;
    }
    f(arguments)
}

/// Reads the elements of a contiguous tensor on the CPU.
pub(super) fn read<R>(t: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    read_all([t], |[t]| f(t.values))
}

fn cpu_floats<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    match storage {
        Storage::Cpu(storage) => floats(storage, layout),
        other => bail!("a CPU kernel was given a tensor on {:?}", other.device()),
    }
}

fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a kernel needs its elements side by side, got the layout {layout:?}"),
    }
}

/// The elements of a tensor, copied.
pub(super) fn to_vec(t: &Tensor) -> Result<Vec<f32>> {
    read(&t.contiguous()?, |x| Ok(x.to_vec()))
}

pub(super) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &Device::Cpu)
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
