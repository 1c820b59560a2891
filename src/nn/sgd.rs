//! Stochastic gradient descent with momentum (Polyak 1964), as PyTorch's `torch.optim.SGD` without Nesterov.

use super::kernels::Level;
use super::kernels::sgd::{self as kernel, Update};
use super::param::Gradient;
use super::update::{prepare_moment, update_in_place};
use candle_core::{Result, Tensor, Var};

/// The numbers of one update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    pub lr: f64,
    /// How much of the last movement goes on, 0 to 1.
    pub momentum: f64,
    /// Is added to the gradient, times the weight.
    pub weight_decay: f64,
    /// Factor on the gradient, before the decay: below 1 where it is clipped.
    pub factor: f64,
}

/// Updates a variable on the CPU in place: one pass over weights, gradient and the momentum `m`, which starts
/// empty. With a gradient of [`Gradient::Rows`] only those rows are touched, decay and momentum included.
///
/// # Errors
/// A gradient or momentum of another size, rows past the end or not ascending, a variable that is not
/// f32 on the CPU.
pub fn sgd_update(var: &Var, gradient: &Gradient, m: &mut Vec<f32>, hyper: &Sgd) -> Result<()> {
    prepare_moment(var, m)?;
    let level = Level::current();
    let numbers = Update {
        factor: hyper.factor as f32,
        momentum: hyper.momentum as f32,
        weight_decay: hyper.weight_decay as f32,
        rate: hyper.lr as f32,
    };
    update_in_place(var, gradient, |w, g, range| kernel::update(level, w, g, &mut m[range], numbers))
}

/// The same out of Candle's own operations, for any device; `m` has the shape of the variable and starts at zero.
///
/// # Errors
/// Those of Candle.
pub fn sgd_update_composed(var: &Var, gradient: &Tensor, m: &mut Tensor, hyper: &Sgd) -> Result<()> {
    let weights = var.as_detached_tensor();
    let gradient = ((gradient.detach() * hyper.factor)? + (&weights * hyper.weight_decay)?)?;
    *m = ((m.detach() * hyper.momentum)? + gradient)?;
    var.set(&(weights - (&*m * hyper.lr)?)?)
}

#[cfg(test)]
mod tests {
    use super::super::kernels::testing::{assert_near, noise};
    use super::super::testing::{values, var};
    use super::*;
    use candle_core::{DType, Device};

    const HYPER: Sgd = Sgd { lr: 0.05, momentum: 0.9, weight_decay: 0.1, factor: 0.5 };

    #[test]
    fn the_fused_and_the_composed_update_agree() {
        let (fused, composed) = (var((70, 13), 1), var((70, 13), 1));
        let mut m = Vec::new();
        let mut mt = Tensor::zeros((70, 13), DType::F32, &Device::Cpu).unwrap();
        for step in 1..=5 {
            let g = noise(70 * 13, 100 + step);
            let tensor = Tensor::from_vec(g.clone(), (70, 13), &Device::Cpu).unwrap();
            sgd_update(&fused, &Gradient::Dense(g), &mut m, &HYPER).unwrap();
            sgd_update_composed(&composed, &tensor, &mut mt, &HYPER).unwrap();
            assert_near(&values(&fused), &values(&composed), 1e-6, "weights");
        }
        assert_near(&m, &values(&mt), 1e-6, "momentum");
    }

    #[test]
    fn the_first_step_goes_down_the_gradient() {
        let w = var(3, 1);
        let before = values(&w);
        let gradient = Gradient::Dense(vec![0.5, -20.0, 0.0]);
        let plain = Sgd { weight_decay: 0.0, factor: 1.0, ..HYPER };
        sgd_update(&w, &gradient, &mut Vec::new(), &plain).unwrap();
        assert_near(&values(&w), &[before[0] - 0.025, before[1] + 1.0, before[2]], 1e-6, "weights");
    }

    #[test]
    fn rows_are_updated_as_dense_ones_and_all_others_stay() {
        let (table, alone) = (var((6, 4), 1), var((6, 4), 1));
        let before = values(&table);
        let g = noise(8, 2);
        let (mut m, mut dense_m) = (Vec::new(), Vec::new());
        let rows = Gradient::Rows { ids: vec![1, 4], values: g.clone() };
        sgd_update(&table, &rows, &mut m, &HYPER).unwrap();
        let mut dense = vec![0f32; 24];
        dense[4..8].copy_from_slice(&g[..4]);
        dense[16..20].copy_from_slice(&g[4..]);
        sgd_update(&alone, &Gradient::Dense(dense), &mut dense_m, &HYPER).unwrap();
        let (after, dense) = (values(&table), values(&alone));
        for row in 0..6 {
            let range = row * 4..row * 4 + 4;
            let used = [1, 4].contains(&row);
            assert_eq!(after[range.clone()], if used { &dense } else { &before }[range.clone()]);
            let moment = if used { dense_m[range.clone()].to_vec() } else { vec![0.0; 4] };
            assert_eq!(m[range], moment);
        }
    }
}
