//! AdamW with decoupled weight decay (Loshchilov and Hutter 2019), as PyTorch's `torch.optim.AdamW`.

use super::kernels::Level;
use super::kernels::adamw::{self as kernel, Update};
use super::param::Gradient;
use super::update::{prepare_moment, update_in_place};
use candle_core::{Result, Tensor, Var};

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
    /// Factor on the gradient: below 1 where it is clipped.
    pub factor: f64,
}

impl AdamW {
    fn update(&self) -> Update {
        let step = self.step.max(1) as f64;
        Update {
            factor: self.factor as f32,
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
    prepare_moment(var, m)?;
    prepare_moment(var, v)?;
    let (level, numbers) = (Level::current(), hyper.update());
    update_in_place(var, gradient, |w, g, range| {
        kernel::update(level, w, g, &mut m[range.clone()], &mut v[range], numbers);
    })
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
    *m = ((m.detach() * hyper.beta1)? + (&gradient * (hyper.factor * (1.0 - hyper.beta1)))?)?;
    let square = (gradient.sqr()? * (hyper.factor.powi(2) * (1.0 - hyper.beta2)))?;
    *v = ((v.detach() * hyper.beta2)? + square)?;
    let rate = hyper.lr / (1.0 - hyper.beta1.powf(step));
    let correction = 1.0 / (1.0 - hyper.beta2.powf(step)).sqrt();
    let denominator = ((v.sqrt()? * correction)? + hyper.eps)?;
    let kept = (var.as_detached_tensor() * (1.0 - hyper.lr * hyper.weight_decay))?;
    var.set(&(kept - (m.div(&denominator)? * rate)?)?)
}

#[cfg(test)]
mod tests {
    use super::super::kernels::testing::{assert_near, noise};
    use super::super::testing::{values, var};
    use super::*;
    use candle_core::{DType, Device};

    fn hyper(step: u64) -> AdamW {
        AdamW { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.1, step, factor: 0.5 }
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
}
