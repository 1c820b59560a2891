//! A choice of rows whose gradient is a choice of rows again.

use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, Layout, MetalStorage, Result, Shape, Storage, Tensor, bail,
};

/// Rows of a matrix by their numbers, zeros for `u32::MAX`. No row is taken twice, so that the gradient is a choice of
/// rows again: Candle's own `index_select` adds it up row after row, which took a third of a step on a GPU.
pub(super) struct SelectRows {
    pub rows: Tensor,
    /// For each row of the matrix the place to which it goes, or `u32::MAX`.
    pub back: Tensor,
}

impl SelectRows {
    /// The chosen rows of `x` `[rows, width]`.
    pub fn of(self, x: &Tensor) -> Result<Tensor> {
        x.contiguous()?.apply_op1(self)
    }

    fn select<S: BackendStorage>(&self, x: &S, layout: &Layout, rows: &S) -> Result<(S, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        let selected = x.index_select(rows, layout, self.rows.layout(), 0)?;
        Ok((selected, (self.rows.elem_count(), width).into()))
    }
}

impl CustomOp1 for SelectRows {
    fn name(&self) -> &'static str {
        "select-rows"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        match &*self.rows.storage_and_layout().0 {
            Storage::Cpu(rows) => self.select(x, layout, rows),
            _ => bail!("the numbers of rows are on another device"),
        }
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        match &*self.rows.storage_and_layout().0 {
            Storage::Cuda(rows) => self.select(x, layout, rows),
            _ => bail!("the numbers of rows are on another device"),
        }
    }

    fn metal_fwd(&self, x: &MetalStorage, layout: &Layout) -> Result<(MetalStorage, Shape)> {
        match &*self.rows.storage_and_layout().0 {
            Storage::Metal(rows) => self.select(x, layout, rows),
            _ => bail!("the numbers of rows are on another device"),
        }
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        gradient.contiguous()?.index_select(&self.back, 0).map(Some)
    }
}
