//! What the update rules of the optimisers share: their way to the elements of a variable, and the norm of a gradient.

use super::kernels::Level;
use super::kernels::norm::sum_of_squares;
use super::param::Gradient;
use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Result, Tensor, Var, bail};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// The factor that brings a gradient of this global `norm` down to `largest`, 1 where it is no longer
/// (Pascanu et al. 2013; as PyTorch's `clip_grad_norm_`).
pub fn clip_factor(norm: f64, largest: f64) -> f64 {
    (largest / (norm + 1e-6)).min(1.0)
}

/// The sum of the squares of a gradient's elements; rows that are not there are zero.
pub fn square_sum(gradient: &Gradient) -> f64 {
    sum_of_squares(Level::current(), gradient.values())
}

/// The same as a scalar in f32 on the gradient's device, which is not waited for.
///
/// # Errors
/// Those of Candle.
pub fn square_sum_composed(gradient: &Tensor) -> Result<Tensor> {
    let squares = gradient.detach().to_dtype(DType::F32)?.sqr()?;
    match squares.rank() {
        0 | 1 => squares.sum_all(),
        // Row by row first: one sum over everything is done by a few threads of a GPU.
        _ => squares.flatten_from(1)?.sum(1)?.sum_all(),
    }
}

/// Makes a moment that was never used as long as its variable.
///
/// # Errors
/// A moment of another length.
pub fn prepare_moment(var: &Var, moment: &mut Vec<f32>) -> Result<()> {
    let len = var.elem_count();
    if moment.is_empty() {
        moment.resize(len, 0.0);
    }
    if moment.len() != len {
        bail!("a moment of {} elements for a variable of {len}", moment.len())
    }
    Ok(())
}

/// Changes a variable on the CPU in place. `update` gets each stretch of weights that has a gradient, the gradient
/// and where in the variable it lies: the whole, or row by row.
///
/// # Errors
/// A gradient of another size, rows past the end or not ascending, a variable that is not f32 on the CPU.
pub fn update_in_place(
    var: &Var,
    gradient: &Gradient,
    update: impl FnMut(&mut [f32], &[f32], Range<usize>),
) -> Result<()> {
    match gradient {
        Gradient::Dense(values) if values.len() != var.elem_count() => {
            bail!("a gradient of {} elements for a variable of {}", values.len(), var.elem_count())
        }
        Gradient::Dense(_) => {}
        Gradient::Rows { ids, values } => check_rows(var, ids, values)?,
    }
    var.inplace_op1(&UpdateOp { gradient, update: Mutex::new(update) })
}

fn check_rows(var: &Var, ids: &[u32], values: &[f32]) -> Result<()> {
    let (rows, dim) = var.dims2()?;
    let ascending = ids.windows(2).all(|w| w[0] < w[1]);
    let last = ids.last().map_or(0, |id| *id as usize);
    if !ascending || (!ids.is_empty() && last >= rows) || values.len() != ids.len() * dim {
        bail!(
            "{} rows with {} numbers, the last one row {last}, do not belong to a table [{rows}, {dim}]",
            ids.len(),
            values.len()
        )
    }
    Ok(())
}

struct UpdateOp<'a, F> {
    gradient: &'a Gradient,
    /// Behind a lock because the op is given by shared reference; nobody else holds it.
    update: Mutex<F>,
}

impl<F: FnMut(&mut [f32], &[f32], Range<usize>)> InplaceOp1 for UpdateOp<'_, F> {
    fn name(&self) -> &'static str {
        "update"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(weights), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
            bail!("an optimiser updates variables of f32 whose elements lie side by side")
        };
        let weights = &mut weights[start..end];
        let mut update = self.update.lock().unwrap_or_else(PoisonError::into_inner);
        match self.gradient {
            Gradient::Dense(values) => {
                let all = 0..weights.len();
                update(weights, values, all);
            }
            Gradient::Rows { ids, values } => {
                let dim = values.len() / ids.len().max(1);
                for (id, values) in ids.iter().zip(values.chunks_exact(dim.max(1))) {
                    let row = *id as usize * dim..(*id as usize + 1) * dim;
                    update(&mut weights[row.clone()], values, row);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::testing::noise;
    use super::super::testing::var;
    use super::*;
    use candle_core::Device;

    #[test]
    fn both_ways_to_the_sum_agree() {
        let values = noise(300, 1);
        let plain: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
        let tensor = Tensor::from_vec(values.clone(), (20, 15), &Device::Cpu).unwrap();
        let composed = square_sum_composed(&tensor).unwrap().to_scalar::<f32>().unwrap();
        assert!((f64::from(composed) - plain).abs() < 1e-5 * plain);
        assert!((square_sum(&Gradient::Dense(values.clone())) - plain).abs() < 1e-12 * plain);
        let rows = Gradient::Rows { ids: (0..20).collect(), values };
        assert!((square_sum(&rows) - plain).abs() < 1e-12 * plain);
    }

    #[test]
    fn what_is_too_long_is_shortened_to_the_limit() {
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert_eq!(clip_factor(0.0, 1.0), 1.0);
        let factor = clip_factor(50.0, 2.0);
        assert!((50.0 * factor - 2.0).abs() < 1e-6, "{factor}");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let table = var((3, 2), 1);
        let update = |gradient: Gradient| update_in_place(&table, &gradient, |_, _, _| {});
        assert!(update(Gradient::Dense(vec![0.0; 6])).is_ok());
        assert!(update(Gradient::Dense(vec![0.0; 5])).is_err());
        let rows = |ids: Vec<u32>, len: usize| Gradient::Rows { ids, values: vec![0.0; len] };
        assert!(update(rows(vec![0, 2], 4)).is_ok());
        assert!(update(rows(vec![3], 2)).is_err());
        assert!(update(rows(vec![2, 1], 4)).is_err());
        assert!(update(rows(vec![1], 3)).is_err());
        assert!(prepare_moment(&table, &mut vec![0.0; 4]).is_err());
    }
}
