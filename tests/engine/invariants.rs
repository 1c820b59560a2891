//! Invariants 1 to 4 over every family.

use crate::support::{device, norm, plan_for, recipe, subjects, values, write_pictures, write_texts};
use frostline::backbone::{Backbone, Boundary, Dim, FrozenSource, InputSpec, Pass, Segment, WeightFile};
use frostline::hub;
use frostline::network::samples::{Loader, Sample};
use frostline::nn::cross_entropy;
use frostline::project::Plan;
use frostline::train::top::Top;

fn samples(backbone: &Backbone) -> Vec<Sample> {
    let file = |name: &str| Sample::file(crate::support::golden_path(&format!("features/{name}")));
    match backbone.input {
        InputSpec::Image(_) => vec![file("rgb_97x131.png"), file("grey_300x200.png")],
        _ => vec![
            Sample::Text("A fine day.".into()),
            Sample::Text("It broke, sadly, after only two days of use.".into()),
        ],
    }
}

fn input(backbone: &Backbone) -> Boundary {
    let loader = Loader::new(backbone, &backbone.input, device()).unwrap();
    let prepared: Vec<_> = samples(backbone).iter().map(|s| loader.prepare(s).unwrap()).collect();
    loader.boundary(&prepared).unwrap()
}

fn segments(backbone: &Backbone, weights: &WeightFile) -> Vec<Box<dyn Segment>> {
    let mut source = FrozenSource { weights, device: device().clone() };
    let count = backbone.architecture().cuts().len() - 1;
    (0..count).map(|n| backbone.architecture().load_segment(n, &mut source).unwrap()).collect()
}

fn run(segments: &[Box<dyn Segment>], state: Boundary) -> Boundary {
    segments.iter().fold(state, |state, segment| segment.forward(&state, &Pass::INFERENCE).unwrap())
}

/// Invariant 2, and the shapes of invariant 3. Sabotage seen to fail: `0..cut + 1` in `Trunk::load`.
#[test]
fn a_network_cut_anywhere_gives_what_the_whole_gives() {
    for subject in subjects() {
        let backbone = &subject.backbone;
        let id = &backbone.id;
        let weights = backbone.open_weights().unwrap();
        let whole = values(&run(&segments(backbone, &weights), input(backbone)).hidden);
        let parts = segments(backbone, &weights);
        for (cut, described) in backbone.architecture().cuts().iter().enumerate() {
            let trunk =
                frostline::train::trunk::Trunk::load(backbone.architecture(), &weights, cut, device())
                    .unwrap();
            let state = trunk.forward(input(backbone)).unwrap();
            assert_eq!(canonical(&state, cut), shape(&described.shape, &state), "{id} at {}", described.name);
            let top = run(&parts[cut..], state);
            assert_eq!(values(&top.hidden), whole, "{id} cut at {}", described.name);
        }
    }
}

/// Shape without the batch, channels first.
fn canonical(state: &Boundary, cut: usize) -> Vec<usize> {
    match (state.hidden.dims(), &state.lengths, cut) {
        ([_, rest @ ..], None, 0) => rest.to_vec(),
        ([_, h, w, c], None, _) => vec![*c, *h, *w],
        (dims, Some(_), _) => dims.to_vec(),
        ([_, rest @ ..], None, _) => rest.to_vec(),
        ([], None, _) => Vec::new(),
    }
}

fn shape(dims: &[Dim], state: &Boundary) -> Vec<usize> {
    let tokens = state.lengths.as_ref().map_or(0, |l| l.iter().sum());
    dims.iter().map(|d| if let Dim::Fixed(n) = d { *n } else { tokens }).collect()
}

/// Invariant 3. Sabotage seen to fail: leaving `bn3` out of `block_node`; detaching in `dropout_add`.
#[test]
fn the_tree_names_every_tensor_and_each_gets_a_gradient() {
    for subject in subjects() {
        let (folder, plan) = small_plan(&subject.backbone, &["*"]);
        let backbone = &plan.backbone;
        let id = &backbone.id;
        let weights = backbone.open_weights().unwrap();
        let top = Top::init(&plan, &weights).unwrap();
        let logits = top.forward(&input(backbone), &Pass::INFERENCE).unwrap();
        top.optimiser().begin_step();
        let gradients = cross_entropy(&logits, &[0, 1]).unwrap().backward().unwrap();
        let parameters = backbone.architecture().tree().tensors().filter(|t| t.is_parameter()).count();
        assert_eq!(top.optimiser().parameters().len(), parameters + 2, "{id}");
        for parameter in top.optimiser().parameters() {
            let gradient = parameter.gradient(&gradients).unwrap();
            assert_eq!(gradient.len(), parameter.var.elem_count());
            // Softmax does not change when all its inputs move together: a key bias learns nothing.
            let can_learn = !parameter.name.ends_with("self.key.bias");
            assert!(!can_learn || norm(&gradient) > 0.0, "{id} {} has no gradient", parameter.name);
        }
        drop(folder);
    }
}

/// Invariant 1. Sabotage seen to fail: `None` trained like `Some(role)` in `TopSource::param`.
#[test]
fn only_what_is_thawed_is_a_variable() {
    let (folder, plan) = small_plan(&hub::open("mobilenetv2_100").unwrap(), &["blocks.6.0.bn2", "conv_head"]);
    let weights = plan.backbone.open_weights().unwrap();
    let top = Top::init(&plan, &weights).unwrap();
    let names: Vec<&str> = top.optimiser().parameters().iter().map(|p| p.name.as_str()).collect();
    assert_eq!(
        names,
        ["blocks.6.0.bn2.weight", "blocks.6.0.bn2.bias", "conv_head.weight", "head.weight", "head.bias"]
    );
    assert!(top.optimiser().parameters().iter().all(|p| p.var.as_tensor().is_variable()));
    assert!(
        top.tensors().values().all(|t| !t.is_variable()),
        "layers of the inference view hold plain tensors"
    );
    assert_eq!(plan.architecture().cut_name(plan.frostline).to_string(), "blocks.6.0");
    drop(folder);
}

/// A plan over a few made-up samples.
pub fn small_plan(backbone: &Backbone, thaw: &[&str]) -> (tempfile::TempDir, Plan) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join(if matches!(backbone.input, InputSpec::Image(_)) {
        "pictures"
    } else {
        "texts.csv"
    });
    match backbone.input {
        InputSpec::Image(_) => write_pictures(&data, 2, 8),
        _ => write_texts(&data, 32),
    }
    let plan = plan_for(backbone.clone(), recipe(backbone, &data, thaw));
    (folder, plan)
}
