//! Losses of twenty steps of real-size networks, everything thawed, another batch in each step, against PyTorch
//! (`tests/goldens/make_curves.py`, which has the same formulas). Small pictures and short texts, so that it takes
//! seconds. Seen to fail with AdamW's second beta at 0.99.

use crate::support::{describe, device, golden_path};
use candle_core::Tensor;
use frostline::backbone::{Boundary, Pass, Role, Segment, TensorSource, WeightFile, mix};
use frostline::hub;
use frostline::network::head::load_head;
use frostline::nn::{Linear, Param, cross_entropy};
use frostline::optim::{AdamW, Hyper, OptimiserChoice};
use frostline::problem::Result;
use frostline::train::optimiser::Optimiser;
use serde_json::{Value, json};

const BATCH: usize = 8;
const SIDE: usize = 64;
const CLASSES: usize = 4;
const CELLS: usize = 8;
const LENGTHS: [usize; BATCH] = [32, 27, 21, 18, 14, 11, 9, 6];
const VOCABULARY: u64 = 40;
// Keys of the formulas.
const IMAGE: u64 = 1;
const PATTERN: u64 = 2;
const LABEL: u64 = 3;
const TOKEN: u64 = 4;
const HEAD: u64 = 5;
const WEIGHT: u64 = 6;

/// In -1..1, exact.
fn noise(key: u64, n: usize) -> f32 {
    (mix(key, n as u64) >> 40) as f32 * 2f32.powi(-23) - 1.0
}

fn labels(step: usize, classes: usize) -> Vec<u32> {
    let key = mix(LABEL, step as u64);
    (0..BATCH as u64).map(|n| (mix(key, n) % classes as u64) as u32).collect()
}

/// Squares in colours that tell the class, and noise.
fn images(step: usize) -> Boundary {
    let key = mix(IMAGE, step as u64);
    let mut values = Vec::with_capacity(BATCH * 3 * SIDE * SIDE);
    for (n, label) in labels(step, CLASSES).into_iter().enumerate() {
        let (pattern, own) = (mix(PATTERN, u64::from(label)), mix(key, n as u64));
        let cell = |n| noise(pattern, n) + 0.5 * noise(own, n);
        let side = SIDE / CELLS;
        for (channel, y) in (0..3 * SIDE).map(|row| (row / SIDE, row % SIDE)) {
            values.extend((0..SIDE).map(|x| cell((channel * CELLS + y / side) * CELLS + x / side)));
        }
    }
    let hidden = Tensor::from_vec(values, (BATCH, 3, SIDE, SIDE), device()).unwrap();
    Boundary { hidden, lengths: None }
}

/// Every batch uses all ids and all positions: a row of an embedding that a batch does not use is decayed by PyTorch's
/// dense optimiser and left alone by ours.
fn texts(step: usize) -> Boundary {
    let mut lengths = LENGTHS;
    lengths.rotate_left(step % BATCH);
    let key = mix(TOKEN, step as u64);
    let mut ids = Vec::new();
    for (label, length) in labels(step, 2).into_iter().zip(lengths) {
        for at in ids.len() as u64..(ids.len() + length) as u64 {
            let number = match at < VOCABULARY {
                true => (at * 7 + step as u64) % VOCABULARY,
                false => mix(key, at) % (VOCABULARY / 2) + VOCABULARY / 2 * u64::from(label),
            };
            ids.push(2000 + 37 * number as u32);
        }
    }
    let count = ids.len();
    let hidden = Tensor::from_vec(ids, count, device()).unwrap();
    Boundary { hidden, lengths: Some(lengths.as_slice().into()) }
}

/// Trains all that it gives: the tensors of a file, or those of a formula.
struct Source<'a> {
    weights: Option<&'a WeightFile>,
    /// The head learns at this multiple of the backbone's rate.
    head_rate: f64,
    optimiser: &'a mut Optimiser,
}

impl TensorSource for Source<'_> {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        match self.weights {
            _ if name == "head.weight" => formula(shape, |n| noise(mix(HEAD, 0), n) * 0.05),
            _ if name == "head.bias" => formula(shape, |_| 0.0),
            Some(weights) => weights.tensor(name, shape, device()),
            None => made_up(name, shape),
        }
    }

    fn param(&mut self, name: &str, shape: &[usize]) -> Result<Param> {
        let tensor = self.tensor(name, shape)?;
        let role = if shape.len() > 1 { Role::Weight } else { Role::Vector };
        let rate = if name.starts_with("head.") { self.head_rate } else { 1.0 };
        Ok(self.optimiser.add(name, &tensor, role, rate)?)
    }
}

/// Weights of spread 1.2 / sqrt(fan in), norms near the identity.
fn made_up(name: &str, shape: &[usize]) -> Result<Tensor> {
    let key = name.bytes().fold(WEIGHT, |key, byte| mix(key, u64::from(byte)));
    let fan_in = shape.iter().skip(1).product::<usize>() as f32;
    formula(shape, |n| match noise(key, n) {
        value if shape.len() > 1 => value * 2.0 / fan_in.sqrt(),
        value if name.ends_with("bias") || name.ends_with("mean") => value * 0.1,
        value => 1.0 + value * 0.3,
    })
}

fn formula(shape: &[usize], value: impl Fn(usize) -> f32) -> Result<Tensor> {
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Ok(Tensor::from_vec(values, shape, device())?)
}

/// Trains the bundled backbone of this name, or one of this configuration with weights from the formula, at a learning
/// rate for the backbone and one for the head.
fn check(name: &str, config: Option<&Value>, (rate, head_rate): (f64, f64)) {
    let goldens: Value = serde_json::from_slice(&std::fs::read(golden_path("curves.json")).unwrap()).unwrap();
    let expected: Vec<f64> = serde_json::from_value(goldens["losses"][name].clone()).unwrap();
    assert_eq!(expected.len(), 20);
    let bundled = config.is_none().then(|| hub::open(name).unwrap());
    let weights = bundled.as_ref().map(|backbone| backbone.open_weights().unwrap());
    let described = config.map(describe);
    let architecture = match (&bundled, &described) {
        (Some(backbone), _) => backbone.architecture(),
        (None, described) => described.as_deref().unwrap(),
    };
    let is_text = name == "all-MiniLM-L6-v2";
    let classes = if is_text { 2 } else { CLASSES };
    let features: usize = architecture.cuts().last().unwrap().shape[0].to_string().parse().unwrap();

    let mut optimiser =
        Optimiser::new(OptimiserChoice::of(&AdamW), Hyper { weight_decay: 0.01, ..Hyper::default() });
    let mut source =
        Source { weights: weights.as_ref(), head_rate: head_rate / rate, optimiser: &mut optimiser };
    let count = architecture.cuts().len() - 1;
    let segments: Vec<_> = (0..count).map(|n| architecture.load_segment(n, &mut source).unwrap()).collect();
    let head = load_head(&mut source, classes, features).unwrap();
    for (step, expected) in expected.into_iter().enumerate() {
        let input = if is_text { texts(step) } else { images(step) };
        let found = train_step(&segments, &head, &mut optimiser, rate, input, &labels(step, classes));
        let off = (f64::from(found) - expected).abs() / expected;
        assert!(off <= 1e-3, "{name} step {step}: {found} against {expected}");
    }
}

/// One step of AdamW; the loss before it.
fn train_step(
    segments: &[Box<dyn Segment>],
    head: &Linear,
    optimiser: &mut Optimiser,
    rate: f64,
    input: Boundary,
    labels: &[u32],
) -> f32 {
    let pass = Pass::INFERENCE;
    let state = segments.iter().fold(input, |state, segment| segment.forward(&state, &pass).unwrap());
    let loss = cross_entropy(&head.forward(&state.hidden).unwrap(), labels).unwrap();
    optimiser.begin_step();
    let gradients = loss.backward().unwrap();
    optimiser.update(&gradients, rate, 1.0).unwrap();
    loss.to_scalar().unwrap()
}

#[test]
fn losses_of_mobilenet_v2_follow_pytorch() {
    check("mobilenetv2_100", None, (2e-6, 2e-4));
}

#[test]
fn losses_of_efficientnet_lite_follow_pytorch() {
    check("tf_efficientnet_lite0", None, (5e-6, 5e-4));
}

#[test]
fn losses_of_resnet_follow_pytorch() {
    check("resnet18", Some(&json!({"architecture": "resnet18"})), (5e-6, 5e-5));
}

#[test]
fn losses_of_minilm_follow_pytorch() {
    check("all-MiniLM-L6-v2", None, (1e-4, 1e-4));
}
