//! What the tests of the layers share: comparison of the two paths, of gradients with differences of
//! the loss, and of what is computed with what was asked for.

use super::kernels::testing::{assert_near, noise};
use super::param::{Gradient, Param, Slot};
use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Shape, Tensor, Var};

/// A variable of `shape` with numbers in -1..1, the same for the same seed.
pub fn var(shape: impl Into<Shape>, seed: u64) -> Var {
    let shape = shape.into();
    let values = noise(shape.elem_count(), seed);
    Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
}

/// All elements of `t` in the order of its dimensions.
pub fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

/// A loss that weighs every element of `y` differently.
fn loss(y: &Tensor) -> Tensor {
    let probe = Tensor::from_vec(noise(y.elem_count(), 999), y.shape(), &Device::Cpu).unwrap();
    (y * probe).unwrap().sum_all().unwrap()
}

fn backward(y: &Tensor) -> GradStore {
    loss(y).backward().unwrap()
}

fn gradient(store: &GradStore, t: &Tensor) -> Vec<f32> {
    values(store.get(t).expect("a gradient"))
}

/// Asserts that two ways to compute the same agree, forward and in the gradients of `vars`, and that
/// the gradients of the first predict how the loss changes.
#[track_caller]
pub fn assert_agree(
    what: &str,
    vars: &[&Var],
    fast: impl Fn() -> Result<Tensor>,
    composed: impl Fn() -> Result<Tensor>,
) {
    let (a, b) = (fast().unwrap(), composed().unwrap());
    assert_eq!(a.shape(), b.shape(), "{what}: shape");
    assert_near(&values(&a), &values(&b), 1e-5, &format!("{what}: forward"));
    let (a, b) = (backward(&a), backward(&b));
    for (i, var) in vars.iter().enumerate() {
        let (a, b) = (gradient(&a, var), gradient(&b, var));
        assert_near(&a, &b, 2e-5, &format!("{what}: gradient {i}"));
    }
}

/// Asserts that the gradients of `vars` are the slopes of the loss along a random direction.
#[track_caller]
pub fn assert_slopes(what: &str, vars: &[&Var], forward: impl Fn() -> Result<Tensor>) {
    let store = backward(&forward().unwrap());
    for (i, var) in vars.iter().enumerate() {
        let start = var.as_tensor().copy().unwrap();
        let direction = noise(var.elem_count(), 500 + i as u64);
        let slope: f64 =
            gradient(&store, var).iter().zip(&direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
        let direction = Tensor::from_vec(direction, var.shape(), &Device::Cpu).unwrap();
        let at = |step: f64| {
            var.set(&(&start + (&direction * step).unwrap()).unwrap()).unwrap();
            let y = forward().unwrap();
            let probe = noise(y.elem_count(), 999);
            let total: f64 = values(&y).iter().zip(probe).map(|(y, p)| f64::from(*y) * f64::from(p)).sum();
            total
        };
        let step = 1e-3;
        let measured = (at(step) - at(-step)) / (2.0 * step);
        var.set(&start).unwrap();
        assert!(
            (slope - measured).abs() < 1e-2 * (1.0 + slope.abs()),
            "{what}: gradient {i} predicts {slope}, measured {measured}"
        );
    }
}

/// Asserts that a layer computes the gradients that are asked for, into slots where there are slots,
/// and no others. `forward` builds the layer from its parameters.
#[track_caller]
pub fn assert_freezing(
    what: &str,
    x: &Var,
    vars: &[&Var],
    forward: impl Fn(&Tensor, &[Param]) -> Result<Tensor>,
) {
    let all: Vec<Param> = vars.iter().map(|v| Param::trainable(v, None)).collect();
    let reference = backward(&forward(x, &all).unwrap());
    let dx = gradient(&reference, x);

    // All frozen: the input's gradient alone; and an input inside a graph gets one as well.
    let frozen: Vec<Param> = vars.iter().map(|v| Param::frozen(v.as_tensor().clone())).collect();
    let inner = (x.as_tensor() * 1.0).unwrap();
    let store = backward(&forward(&inner, &frozen).unwrap());
    assert_near(&gradient(&store, x), &dx, 1e-6, &format!("{what}: input above frozen"));
    assert!(vars.iter().all(|v| store.get(v).is_none()), "{what}: a frozen parameter got a gradient");

    // Nothing tracked: nothing recorded.
    let plain = x.as_tensor().detach();
    assert!(!forward(&plain, &frozen).unwrap().track_op(), "{what}: recorded for nothing");

    // Each parameter alone, with a slot, above a plain input.
    for (i, var) in vars.iter().enumerate() {
        let slot = Slot::new(var.elem_count());
        let mut params = frozen.clone();
        params[i] = Param::trainable(var, Some(slot.clone()));
        for _ in 0..2 {
            slot.clear();
            let store = backward(&forward(&plain, &params).unwrap());
            assert!(vars.iter().all(|v| store.get(v).is_none()), "{what}: gradient beside the slot");
            let expected = gradient(&reference, var);
            let actual = slot.with_gradient(|g| Ok(dense(g, expected.len()))).unwrap();
            assert_near(&actual, &expected, 1e-6, &format!("{what}: slot {i}"));
        }
        // A second backward pass in one step is an error.
        assert!(loss(&forward(&plain, &params).unwrap()).backward().is_err(), "{what}: written twice");
    }
}

/// A gradient as one number for each element.
pub fn dense(gradient: &Gradient, len: usize) -> Vec<f32> {
    match gradient {
        Gradient::Dense(values) => values.clone(),
        Gradient::Rows { ids, values } if ids.is_empty() => vec![0.0; len.max(values.len())],
        Gradient::Rows { ids, values } => {
            let dim = values.len() / ids.len();
            let mut dense = vec![0f32; len];
            for (id, row) in ids.iter().zip(values.chunks_exact(dim)) {
                let start = *id as usize * dim;
                dense[start..start + dim].copy_from_slice(row);
            }
            dense
        }
    }
}
