//! Features, gradients, updates and losses of small networks against PyTorch (`tests/goldens/make_gradients.py`).

use crate::support::{TrainedSource, assert_near, describe, device, distance, golden, norm, values};
use candle_core::Tensor;
use frostline::backbone::{Boundary, Pass, Segment};
use frostline::network::head::load_head;
use frostline::nn::{Linear, cross_entropy, is_fast};
use frostline::optim::{AdamW, Hyper, OptimiserChoice};
use frostline::train::optimiser::Optimiser;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

struct Small {
    segments: Vec<Box<dyn Segment>>,
    head: Linear,
    optimiser: Optimiser,
    input: Boundary,
    labels: Vec<u32>,
}

impl Small {
    fn new(config: &Value, reference: &HashMap<String, Tensor>) -> Self {
        let architecture = describe(config);
        let mut optimiser =
            Optimiser::new(OptimiserChoice::of(&AdamW), Hyper { weight_decay: 0.05, ..Hyper::default() });
        let mut source = TrainedSource { tensors: reference, optimiser: &mut optimiser };
        let count = architecture.cuts().len() - 1;
        let segments = (0..count).map(|n| architecture.load_segment(n, &mut source).unwrap()).collect();
        let classes = reference["weights/head.bias"].elem_count();
        let features = reference["features"].dims()[1];
        let head = load_head(&mut source, classes, features).unwrap();
        let labels = values(&reference["labels"]).into_iter().map(|l| l as u32).collect();
        Self { segments, head, optimiser, input: input(reference), labels }
    }

    fn features(&self) -> Tensor {
        let mut state = self.input.clone();
        for segment in &self.segments {
            state = segment.forward(&state, &Pass::INFERENCE).unwrap();
        }
        state.hidden
    }

    fn loss(&self) -> Tensor {
        cross_entropy(&self.head.forward(&self.features()).unwrap(), &self.labels).unwrap()
    }

    /// One step of AdamW; the loss before it.
    fn step(&mut self) -> f32 {
        let loss = self.loss();
        self.optimiser.begin_step();
        let gradients = loss.backward().unwrap();
        self.optimiser.update(&gradients, 1e-3, 1.0).unwrap();
        loss.to_scalar().unwrap()
    }
}

/// Pictures as they are; texts without their padding.
fn input(reference: &HashMap<String, Tensor>) -> Boundary {
    if let Some(image) = reference.get("input/image") {
        return Boundary { hidden: image.clone(), lengths: None };
    }
    let lengths: Vec<usize> = values(&reference["input/lengths"]).into_iter().map(|n| n as usize).collect();
    let width = reference["input/ids"].dims()[1];
    let padded = values(&reference["input/ids"]);
    let rows = padded.chunks(width).zip(&lengths);
    let ids: Vec<u32> = rows.flat_map(|(row, n)| row[..*n].iter().map(|id| *id as u32)).collect();
    let count = ids.len();
    let hidden = Tensor::from_vec(ids, count, device()).unwrap();
    Boundary { hidden, lengths: Some(lengths.into()) }
}

fn check(file: &str, config: &Value) {
    let reference = golden(&format!("gradients/{file}.safetensors"));
    let small = Small::new(config, &reference);
    assert_near(
        &values(&small.features()),
        &values(&reference["features"]),
        1e-5,
        &format!("{file}: features"),
    );
    let loss = small.loss();
    let expected_loss = values(&reference["loss"])[0];
    assert!(
        (loss.to_scalar::<f32>().unwrap() - expected_loss).abs() < 1e-5 * expected_loss.abs(),
        "{file}: loss"
    );
    small.optimiser.begin_step();
    let store = loss.backward().unwrap();
    let found: BTreeMap<String, Vec<f32>> =
        small.optimiser.parameters().iter().map(|p| (p.name.clone(), p.gradient(&store).unwrap())).collect();
    let expected: BTreeMap<&str, Vec<f32>> =
        reference.iter().filter_map(|(name, t)| Some((name.strip_prefix("grad/")?, values(t)))).collect();
    assert_eq!(
        found.keys().map(String::as_str).collect::<Vec<_>>(),
        expected.keys().copied().collect::<Vec<_>>()
    );
    let global = expected.values().map(|g| norm(g).powi(2)).sum::<f64>().sqrt();
    for (name, expected) in &expected {
        let off = distance(&found[*name], expected);
        let allowed = 1e-3 * norm(expected) + 1e-6 * global;
        assert!(off <= allowed, "{file} {name}: off by {off:.2e}, {allowed:.2e} allowed");
    }
    check_updates(file, config, &reference);
}

/// Twenty losses on the same batch, and the weights after three updates.
fn check_updates(file: &str, config: &Value, reference: &HashMap<String, Tensor>) {
    let mut small = Small::new(config, reference);
    for (number, expected) in values(&reference["losses20"]).into_iter().enumerate() {
        if number == 3 {
            check_after_three(file, &small, reference);
        }
        let found = small.step();
        assert!(
            (found - expected).abs() <= 1e-3 * expected.abs(),
            "{file} step {number}: {found} against {expected}"
        );
    }
}

fn check_after_three(file: &str, small: &Small, reference: &HashMap<String, Tensor>) {
    for (name, expected) in
        reference.iter().filter_map(|(name, t)| Some((name.strip_prefix("after3/")?, values(t))))
    {
        let parameter = small.optimiser.parameters().iter().find(|p| p.name == name).unwrap();
        let before = values(&reference[&format!("weights/{name}")]);
        let mut found = values(parameter.var.as_tensor());
        // Composed layers give a dense gradient, and then these rows too move as PyTorch's do.
        if name.contains("word_embeddings") && is_fast(parameter.var.as_tensor()) {
            check_unused_rows(&before, &mut found, &expected, reference);
        }
        let moved = distance(&before, &expected);
        let off = distance(&found, &expected);
        assert!(off <= 2e-3 * moved, "{file} {name}: off by {off:.2e} of a way of {moved:.2e}");
    }
}

/// Rows of an embedding that no text uses keep still here, where PyTorch's dense update lets them decay: checks
/// that they did, and takes PyTorch's values for the comparison of the others.
fn check_unused_rows(
    before: &[f32],
    found: &mut [f32],
    expected: &[f32],
    reference: &HashMap<String, Tensor>,
) {
    let width = reference["weights/embeddings.word_embeddings.weight"].dims()[1];
    let used: Vec<usize> =
        input(reference).hidden.to_vec1::<u32>().unwrap().into_iter().map(|id| id as usize).collect();
    for row in (0..before.len() / width).filter(|row| !used.contains(row)) {
        let place = row * width..(row + 1) * width;
        assert_eq!(found[place.clone()], before[place.clone()], "row {row} moved");
        found[place.clone()].copy_from_slice(&expected[place]);
    }
}

#[test]
fn mobilenet_v2_follows_pytorch() {
    check(
        "small_mobilenetv2",
        &json!({"architecture": "mobilenetv2_100", "channel_multiplier": 0.1, "num_features": 256}),
    );
}

#[test]
fn efficientnet_lite_follows_pytorch() {
    let config = json!({
        "architecture": "tf_efficientnet_lite0", "channel_multiplier": 0.1, "depth_multiplier": 0.34, "num_features": 256,
    });
    check("small_efficientnet_lite", &config);
}

#[test]
fn bert_follows_pytorch() {
    let config = json!({
        "model_type": "bert", "vocab_size": 120, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 64, "max_position_embeddings": 40, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.0, "hidden_act": "gelu",
    });
    check("small_bert", &config);
}

#[test]
fn resnet_follows_pytorch() {
    let arguments = json!({"layers": [1, 2, 1, 1], "channels": [8, 12, 16, 24]});
    check("small_resnet", &json!({"architecture": "resnet18", "model_args": arguments}));
}

#[test]
fn resnet_of_bottlenecks_follows_pytorch() {
    let arguments = json!({"layers": [1, 1, 2, 1], "channels": [16, 4, 8, 8]});
    check("small_resnet_bottleneck", &json!({"architecture": "resnet50", "model_args": arguments}));
}

#[test]
fn resnet_d_follows_pytorch() {
    let arguments = json!({"layers": [1, 1, 1, 1], "channels": [8, 4, 8, 8]});
    check("small_resnet_d", &json!({"architecture": "resnet26d", "model_args": arguments}));
}

#[test]
fn efficientnet_follows_pytorch() {
    let config =
        |name: &str| json!({"architecture": name, "channel_multiplier": 0.1, "depth_multiplier": 0.34});
    check("small_efficientnet", &config("efficientnet_b0"));
    check("small_tf_efficientnet", &config("tf_efficientnet_b0"));
}

#[test]
fn mobilenet_v3_follows_pytorch() {
    let config =
        |name: &str| json!({"architecture": name, "channel_multiplier": 0.1, "head_hidden_size": 96});
    check("small_mobilenetv3_small", &config("mobilenetv3_small_100"));
    check("small_tf_mobilenetv3_large", &config("tf_mobilenetv3_large_100"));
}
