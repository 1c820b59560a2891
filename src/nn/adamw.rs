//! AdamW with decoupled weight decay (Loshchilov and Hutter 2019), as PyTorch's `torch.optim.AdamW`.

use super::kernels::Level;
use super::kernels::adamw::{self as kernel, Update};
use super::param::Gradient;
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor, Var, bail};
use std::sync::{Mutex, PoisonError};

/// The numbers of one update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    pub lr: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub weight_decay: f64,
    /// Which update this is, from 1: the moments are corrected for their start at zero.
    pub step: u64,
}

impl AdamW {
    fn update(&self) -> Update {
        let step = self.step.max(1) as f64;
        Update {
            beta1: self.beta1 as f32,
            beta2: self.beta2 as f32,
            one_minus_beta1: (1.0 - self.beta1) as f32,
            one_minus_beta2: (1.0 - self.beta2) as f32,
            decay: (1.0 - self.lr * self.weight_decay) as f32,
            rate: (self.lr / (1.0 - self.beta1.powf(step))) as f32,
            correction: (1.0 / (1.0 - self.beta2.powf(step)).sqrt()) as f32,
            eps: self.eps as f32,
        }
    }
}

/// Updates a variable on the CPU in place: one pass over weights, gradient and both moments `m` and `v`,
/// which start empty. With a gradient of [`Gradient::Rows`] only those rows are touched: moments and
/// weights of all other rows stay as they are, decay included (a "lazy" update; the dense one would let
/// the moments of unseen rows fade and go on moving them).
///
/// # Errors
/// A gradient or moments of another size, rows past the end or not ascending, a variable that is not
/// f32 on the CPU.
pub fn adamw_update(
    var: &Var,
    gradient: &Gradient,
    m: &mut Vec<f32>,
    v: &mut Vec<f32>,
    hyper: &AdamW,
) -> Result<()> {
    let len = var.elem_count();
    for moment in [&mut *m, &mut *v] {
        if moment.is_empty() {
            moment.resize(len, 0.0);
        }
    }
    if m.len() != len || v.len() != len {
        bail!("AdamW: moments of {} and {} elements for a variable of {len}", m.len(), v.len())
    }
    match gradient {
        Gradient::Dense(values) if values.len() != len => {
            bail!("AdamW: a gradient of {} elements for a variable of {len}", values.len())
        }
        Gradient::Dense(_) => {}
        Gradient::Rows { ids, values } => check_rows(var, ids, values)?,
    }
    let op = UpdateOp { gradient, moments: Mutex::new((m, v)), update: hyper.update() };
    var.inplace_op1(&op)
}

/// The same out of Candle's own operations, for any device; `m` and `v` have the shape of the variable
/// and start at zero.
///
/// # Errors
/// Those of Candle.
pub fn adamw_update_composed(
    var: &Var,
    gradient: &Tensor,
    m: &mut Tensor,
    v: &mut Tensor,
    hyper: &AdamW,
) -> Result<()> {
    let step = hyper.step.max(1) as f64;
    let gradient = gradient.detach();
    *m = ((m.detach() * hyper.beta1)? + (&gradient * (1.0 - hyper.beta1))?)?;
    *v = ((v.detach() * hyper.beta2)? + (gradient.sqr()? * (1.0 - hyper.beta2))?)?;
    let rate = hyper.lr / (1.0 - hyper.beta1.powf(step));
    let correction = 1.0 / (1.0 - hyper.beta2.powf(step)).sqrt();
    let denominator = ((v.sqrt()? * correction)? + hyper.eps)?;
    let kept = (var.as_detached_tensor() * (1.0 - hyper.lr * hyper.weight_decay))?;
    var.set(&(kept - (m.div(&denominator)? * rate)?)?)
}

fn check_rows(var: &Var, ids: &[u32], values: &[f32]) -> Result<()> {
    let (rows, dim) = var.dims2()?;
    let ascending = ids.windows(2).all(|w| w[0] < w[1]);
    let last = ids.last().map_or(0, |id| *id as usize);
    if !ascending || (!ids.is_empty() && last >= rows) || values.len() != ids.len() * dim {
        bail!(
            "AdamW: {} rows with {} numbers, the last one row {last}, do not belong to a table \
             [{rows}, {dim}]",
            ids.len(),
            values.len()
        )
    }
    Ok(())
}

struct UpdateOp<'a> {
    gradient: &'a Gradient,
    /// Behind a lock because the op is given by shared reference; nobody else holds it.
    moments: Mutex<(&'a mut Vec<f32>, &'a mut Vec<f32>)>,
    update: Update,
}

impl InplaceOp1 for UpdateOp<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(weights), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
            bail!("AdamW updates variables of f32 whose elements lie side by side")
        };
        let weights = &mut weights[start..end];
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let (m, v) = &mut *moments;
        let level = Level::current();
        match self.gradient {
            Gradient::Dense(g) => kernel::update(level, weights, g, m, v, self.update),
            Gradient::Rows { ids, values } if !ids.is_empty() => {
                let dim = values.len() / ids.len();
                for (id, g) in ids.iter().zip(values.chunks_exact(dim.max(1))) {
                    let row = *id as usize * dim..(*id as usize + 1) * dim;
                    let (w, m, v) = (&mut weights[row.clone()], &mut m[row.clone()], &mut v[row]);
                    kernel::update_chunk(level, w, g, m, v, self.update);
                }
            }
            Gradient::Rows { .. } => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::testing::{assert_near, noise};
    use super::super::testing::{values, var};
    use super::*;
    use candle_core::{DType, Device};

    fn hyper(step: u64) -> AdamW {
        AdamW { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.1, step }
    }

    #[test]
    fn the_fused_and_the_composed_update_agree() {
        let (fused, composed) = (var((70, 13), 1), var((70, 13), 1));
        let (mut m, mut v) = (Vec::new(), Vec::new());
        let zeros = Tensor::zeros((70, 13), DType::F32, &Device::Cpu).unwrap();
        let (mut mt, mut vt) = (zeros.clone(), zeros);
        for step in 1..=5 {
            let g = noise(70 * 13, 100 + step);
            let tensor = Tensor::from_vec(g.clone(), (70, 13), &Device::Cpu).unwrap();
            adamw_update(&fused, &Gradient::Dense(g), &mut m, &mut v, &hyper(step)).unwrap();
            adamw_update_composed(&composed, &tensor, &mut mt, &mut vt, &hyper(step)).unwrap();
            assert_near(&values(&fused), &values(&composed), 1e-6, "weights");
        }
        assert_near(&m, &values(&mt), 1e-6, "first moment");
        assert_near(&v, &values(&vt), 1e-6, "second moment");
    }

    #[test]
    fn the_first_step_moves_by_the_learning_rate() {
        let w = var(3, 1);
        let before = values(&w);
        let gradient = Gradient::Dense(vec![0.5, -20.0, 0.0]);
        let no_decay = AdamW { weight_decay: 0.0, ..hyper(1) };
        adamw_update(&w, &gradient, &mut Vec::new(), &mut Vec::new(), &no_decay).unwrap();
        let expected = [before[0] - 0.01, before[1] + 0.01, before[2]];
        assert_near(&values(&w), &expected, 1e-6, "weights");
    }

    #[test]
    fn rows_are_updated_as_dense_ones_and_all_others_stay() {
        let (table, alone) = (var((6, 4), 1), var((6, 4), 1));
        let before = values(&table);
        let (mut m, mut v) = (Vec::new(), Vec::new());
        let g = noise(8, 2);
        let rows = Gradient::Rows { ids: vec![1, 4], values: g.clone() };
        adamw_update(&table, &rows, &mut m, &mut v, &hyper(1)).unwrap();
        let mut dense = vec![0f32; 24];
        dense[4..8].copy_from_slice(&g[..4]);
        dense[16..20].copy_from_slice(&g[4..]);
        let (mut dm, mut dv) = (Vec::new(), Vec::new());
        adamw_update(&alone, &Gradient::Dense(dense), &mut dm, &mut dv, &hyper(1)).unwrap();
        let (after, dense) = (values(&table), values(&alone));
        for row in 0..6 {
            let range = row * 4..row * 4 + 4;
            let expected = if [1, 4].contains(&row) { &dense } else { &before };
            assert_eq!(after[range.clone()], expected[range]);
        }
        assert_eq!((m, v), (dm, dv));
        let none = Gradient::Rows { ids: vec![], values: vec![] };
        adamw_update(&table, &none, &mut Vec::new(), &mut Vec::new(), &hyper(2)).unwrap();
        assert_eq!(values(&table), after);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let table = var((3, 2), 1);
        let update = |gradient: Gradient, mut m: Vec<f32>| {
            adamw_update(&table, &gradient, &mut m, &mut Vec::new(), &hyper(1))
        };
        assert!(update(Gradient::Dense(vec![0.0; 5]), vec![]).is_err());
        assert!(update(Gradient::Dense(vec![0.0; 6]), vec![0.0; 4]).is_err());
        let rows = |ids: Vec<u32>, len: usize| Gradient::Rows { ids, values: vec![0.0; len] };
        assert!(update(rows(vec![3], 2), vec![]).is_err());
        assert!(update(rows(vec![2, 1], 4), vec![]).is_err());
        assert!(update(rows(vec![1], 3), vec![]).is_err());
    }
}
