//! The layers against PyTorch: results and gradients of `layers.safetensors`, which
//! `make_goldens.py` wrote.

mod training;

use super::kernels::testing::assert_near;
use super::testing::values;
use super::{
    Activation, AdamW, AvgPool2d, BatchNorm, Conv2d, DepthwiseConv2d, Dropout, Gradient, LayerNorm, Linear,
    Padding, Param, SqueezeExcite, Statistic, adamw_update, attention, cross_entropy,
};
use candle_core::{Device, Result, Tensor, Var};
use std::collections::HashMap;

const TOLERANCE: f64 = 1e-5;

struct Case<'a> {
    name: &'a str,
    tensors: &'a HashMap<String, Tensor>,
    vars: Vec<(&'static str, Var)>,
}

impl<'a> Case<'a> {
    fn new(tensors: &'a HashMap<String, Tensor>, name: &'a str) -> Self {
        Self { name, tensors, vars: Vec::new() }
    }

    fn tensor(&self, name: &str) -> Tensor {
        self.tensors[&format!("{}/{name}", self.name)].clone()
    }

    /// An input whose gradient will be compared.
    fn var(&mut self, name: &'static str) -> Var {
        let var = Var::from_tensor(&self.tensor(name)).unwrap();
        self.vars.push((name, var.clone()));
        var
    }

    fn param(&mut self, name: &'static str) -> Param {
        Param::trainable(&self.var(name), None)
    }

    fn check(&self, y: Result<Tensor>) {
        let y = y.unwrap();
        let what = |name: &str| format!("{}: {name}", self.name);
        assert_eq!(y.dims(), self.tensor("y").dims(), "{}", what("shape"));
        assert_near(&values(&y), &values(&self.tensor("y")), TOLERANCE, &what("y"));
        let store = (y * self.tensor("probe")).unwrap().sum_all().unwrap().backward().unwrap();
        for (name, var) in &self.vars {
            let expected = values(&self.tensor(&format!("d_{name}")));
            assert_near(&values(store.get(var).unwrap()), &expected, TOLERANCE, &what(name));
        }
    }
}

fn load() -> HashMap<String, Tensor> {
    candle_core::safetensors::load_buffer(include_bytes!("layers.safetensors"), &Device::Cpu).unwrap()
}

#[test]
fn linear_with_every_activation() {
    let tensors = load();
    for (name, activation) in [
        ("linear_gelu_erf", Activation::GeluErf),
        ("linear_gelu_tanh", Activation::GeluTanh),
        ("linear_silu", Activation::Silu),
        ("linear_relu", Activation::Relu),
        ("linear_relu6", Activation::Relu6),
        ("linear_hard_swish", Activation::HardSwish),
        ("linear_sigmoid", Activation::Sigmoid),
        ("linear_hard_sigmoid", Activation::HardSigmoid),
    ] {
        let mut case = Case::new(&tensors, name);
        let (weight, bias) = (case.param("weight"), Some(case.param("bias")));
        let x = case.var("x");
        case.check(Linear { weight, bias, activation }.forward(&x));
    }
}

#[test]
fn slopes_at_the_corners_of_activations() {
    let tensors = load();
    for (name, activation) in [
        ("corners_relu", Activation::Relu),
        ("corners_relu6", Activation::Relu6),
        ("corners_hard_swish", Activation::HardSwish),
        ("corners_hard_sigmoid", Activation::HardSigmoid),
    ] {
        let forward = |case: &mut Case, composed: bool| {
            let (weight, bias) = (Param::frozen(case.tensor("weight")), Param::frozen(case.tensor("bias")));
            let (layer, x) = (Linear { weight, bias: Some(bias), activation }, case.var("x"));
            let y = if composed { layer.forward_composed(&x) } else { layer.forward(&x) };
            case.check(y);
        };
        forward(&mut Case::new(&tensors, name), false);
        forward(&mut Case::new(&tensors, name), true);
    }
}

#[test]
fn squeeze_and_excitation() {
    let tensors = load();
    for (name, inner, gate) in [
        ("squeeze_excite_silu", Activation::Silu, Activation::Sigmoid),
        ("squeeze_excite_relu", Activation::Relu, Activation::HardSigmoid),
    ] {
        let mut case = Case::new(&tensors, name);
        let (weight, bias) = (case.param("reduce"), Some(case.param("reduce_bias")));
        let reduce = Linear { weight, bias, activation: inner };
        let (weight, bias) = (case.param("expand"), Some(case.param("expand_bias")));
        let expand = Linear { weight, bias, activation: gate };
        let x = case.var("x");
        case.check(SqueezeExcite { reduce, expand }.forward(&x));
    }
}

#[test]
fn average_pool() {
    let tensors = load();
    let (windows, halves) = ((3, Padding::Symmetric(1)), (2, Padding::TensorFlowSame));
    for (name, (kernel, padding), counts_padding) in [
        ("average_pool_inside", windows, false),
        ("average_pool_counted", windows, true),
        ("average_pool_ceil", halves, false),
    ] {
        let mut case = Case::new(&tensors, name);
        let x = case.var("x");
        case.check(AvgPool2d { kernel, stride: 2, padding, counts_padding }.forward(&x));
    }
}

#[test]
fn convolution_with_both_paddings() {
    let tensors = load();
    for (name, padding) in [("conv_symmetric", Padding::Symmetric(1)), ("conv_same", Padding::TensorFlowSame)]
    {
        let mut case = Case::new(&tensors, name);
        let (weight, bias) = (case.param("weight"), Some(case.param("bias")));
        let x = case.var("x");
        case.check(Conv2d { weight, bias, stride: 2, padding }.forward(&x));
    }
}

#[test]
fn depthwise_convolution() {
    let tensors = load();
    for kernel in [3, 5] {
        for stride in [1, 2] {
            for (name, padding) in
                [("symmetric", Padding::Symmetric(kernel / 2)), ("same", Padding::TensorFlowSame)]
            {
                let name = format!("depthwise_{kernel}_{stride}_{name}");
                let mut case = Case::new(&tensors, &name);
                let (weight, x) = (case.param("weight"), case.var("x"));
                case.check(DepthwiseConv2d { weight, stride, padding }.forward(&x));
            }
        }
    }
}

#[test]
fn batch_norm() {
    let tensors = load();
    let mut case = Case::new(&tensors, "batch_norm");
    let layer = BatchNorm {
        weight: case.param("weight"),
        bias: case.param("bias"),
        running_mean: Statistic::fixed(case.tensor("mean")),
        running_var: Statistic::fixed(case.tensor("var")),
        eps: 1e-3,
        activation: Activation::Relu6,
    };
    let x = case.var("x");
    case.check(layer.forward(&x));
}

#[test]
fn layer_norm() {
    let tensors = load();
    let mut case = Case::new(&tensors, "layer_norm");
    let layer = LayerNorm { weight: case.param("weight"), bias: case.param("bias"), eps: 1e-12 };
    let x = case.var("x");
    case.check(layer.forward(&x));
}

#[test]
fn attention_in_packed_sequences() {
    let tensors = load();
    let mut case = Case::new(&tensors, "attention");
    let (q, k, v) = (case.var("q"), case.var("k"), case.var("v"));
    case.check(attention(&q, &k, &v, &[5, 1, 12], 3, Dropout::NONE));
}

#[test]
fn cross_entropy_of_a_batch() {
    let tensors = load();
    let mut case = Case::new(&tensors, "cross_entropy");
    let labels: Vec<u32> = case.tensor("labels").to_vec1().unwrap();
    let logits = case.var("logits");
    case.check(cross_entropy(&logits, &labels));
}

#[test]
fn three_steps_of_adamw() {
    let tensors = load();
    let case = Case::new(&tensors, "adamw");
    let w = Var::from_tensor(&case.tensor("w0")).unwrap();
    let (mut m, mut v) = (Vec::new(), Vec::new());
    for step in 1..=3 {
        let gradient = Gradient::from_tensor(&case.tensor(&format!("g{step}"))).unwrap();
        let hyper =
            AdamW { lr: 0.02, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.3, step, factor: 1.0 };
        adamw_update(&w, &gradient, &mut m, &mut v, &hyper).unwrap();
        let expected = values(&case.tensor(&format!("w{step}")));
        assert_near(&values(&w), &expected, 1e-6, &format!("after step {step}"));
    }
}
