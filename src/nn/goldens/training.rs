//! What changes from step to step against PyTorch: `training.safetensors`, which `make_training.py` wrote.

use super::super::kernels::testing::assert_near;
use super::super::testing::values;
use super::super::{
    Activation, AdamW, BatchNorm, Gradient, Sgd, Statistic, adamw_update, clip_factor, sgd_update, square_sum,
};
use super::Case;
use candle_core::{Device, Tensor, Var};
use std::collections::HashMap;

fn load() -> HashMap<String, Tensor> {
    candle_core::safetensors::load_buffer(include_bytes!("training.safetensors"), &Device::Cpu).unwrap()
}

/// Three steps over three tensors whose gradients are clipped together, the last one a table whose unused rows
/// PyTorch treats as zeros; `update` gets the number of the tensor, its gradient and the step's numbers.
fn clipped_steps(name: &str, mut update: impl FnMut(usize, &Var, &Gradient, u64, f64)) {
    let tensors = load();
    let case = Case::new(&tensors, name);
    let vars: Vec<Var> =
        (0..3).map(|n| Var::from_tensor(&case.tensor(&format!("w0.{n}"))).unwrap()).collect();
    let mut clipped = 0;
    for step in 1..=3 {
        let gradients: Vec<Gradient> =
            (0..3).map(|n| Gradient::from_tensor(&case.tensor(&format!("g{step}.{n}"))).unwrap()).collect();
        let norm = gradients.iter().map(square_sum).sum::<f64>().sqrt();
        let expected = f64::from(values(&case.tensor(&format!("norm{step}")))[0]);
        assert!((norm - expected).abs() < 1e-6 * expected, "{name}: norm {norm}, not {expected}");
        let factor = clip_factor(norm, 5.0);
        clipped += usize::from(factor < 1.0);
        for (n, (var, gradient)) in vars.iter().zip(&gradients).enumerate() {
            update(n, var, gradient, step, factor);
            let expected = values(&case.tensor(&format!("w{step}.{n}")));
            assert_near(&values(var), &expected, 1e-6, &format!("{name}: tensor {n} after step {step}"));
        }
    }
    assert!((1..3).contains(&clipped), "{name}: {clipped} of 3 steps were clipped");
}

#[test]
fn three_steps_of_sgd_with_clipping() {
    let mut momenta = vec![Vec::new(); 3];
    clipped_steps("sgd", |n, var, gradient, _, factor| {
        let hyper = Sgd { lr: 0.05, momentum: 0.8, weight_decay: 0.1, factor };
        sgd_update(var, gradient, &mut momenta[n], &hyper).unwrap();
    });
}

#[test]
fn three_steps_of_adamw_with_clipping() {
    let mut moments = vec![(Vec::new(), Vec::new()); 3];
    clipped_steps("clipped_adamw", |n, var, gradient, step, factor| {
        let hyper = AdamW { lr: 0.02, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.3, step, factor };
        let (m, v) = &mut moments[n];
        adamw_update(var, gradient, m, v, &hyper).unwrap();
    });
}

#[test]
fn batch_norm_with_the_statistics_of_two_batches() {
    let tensors = load();
    let start = Case::new(&tensors, "batch_norm");
    let (mean, variance) = (start.tensor("mean0"), start.tensor("var0"));
    let running = [mean, variance].map(|t| Statistic::following(&Var::from_tensor(&t).unwrap()));
    for name in ["batch_norm_1", "batch_norm_2"] {
        let mut case = Case::new(&tensors, name);
        let layer = BatchNorm {
            weight: case.param("weight"),
            bias: case.param("bias"),
            running_mean: running[0].clone(),
            running_var: running[1].clone(),
            eps: 1e-3,
            activation: Activation::Relu6,
        };
        let x = case.var("x");
        case.check(layer.forward(&x));
        for (statistic, expected) in running.iter().zip(["mean", "var"]) {
            let what = format!("{name}: running {expected}");
            assert_near(&values(&statistic.tensor()), &values(&case.tensor(expected)), 1e-6, &what);
        }
    }
}
