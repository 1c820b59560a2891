//! The families that Frostline can train. A new one is one file in `families/` and one line here.

use super::families;
use super::{Architecture, Backbone};
use crate::problem::{Problem, Result};
use serde_json::Value;
use std::path::Path;

/// A family of networks: reads a `config.json` and describes the network, if it is one of its own.
pub struct Family {
    /// What people call it.
    pub name: &'static str,
    /// `None` where the configuration is another family's; an error where it is this one's but unusable.
    pub describe: fn(config: &Value) -> Option<Described>,
}

/// A network without weights, or why its configuration cannot be used.
pub type Described = Result<Box<dyn Architecture>>;

/// All families, asked in this order.
pub const FAMILIES: &[Family] = &[
    families::efficientnet::MOBILENET_V2,
    families::efficientnet::EFFICIENTNET_LITE,
    families::resnet::RESNET,
    families::bert::BERT,
];

/// Finds the family of a configuration and describes the network.
///
/// # Errors
/// No family knows it, or the configuration is unusable. `path` is the configuration's file.
pub fn describe(config: &Value, path: &Path) -> Result<(&'static str, Box<dyn Architecture>)> {
    for family in FAMILIES {
        if let Some(described) = (family.describe)(config) {
            return described.map(|a| (family.name, a)).map_err(|p| p.at(path));
        }
    }
    let called = ["architecture", "model_type"].iter().find_map(|key| config.get(*key)?.as_str());
    let known: Vec<&str> = FAMILIES.iter().map(|f| f.name).collect();
    Err(Problem::input(
        format!("this kind of backbone is not supported: {}", called.unwrap_or("unknown")),
        "no family of this version knows its configuration",
        format!("choose a backbone of one of these families: {}", known.join(", ")),
    )
    .at(path))
}

/// Checks that the tree names exactly the tensors of the weight file, less the ignored ones.
pub fn check_weights(backbone: &Backbone, weights: &super::WeightFile) -> Result<()> {
    let architecture = backbone.architecture();
    let mismatch = |why: String| {
        Problem::input(
            format!("the weights of {} do not fit its configuration", backbone.id),
            why,
            "fetch or copy the backbone again",
        )
        .at(weights.path())
    };
    let mut expected = std::collections::BTreeSet::new();
    for tensor in architecture.tree().tensors() {
        expected.insert(tensor.name.as_str());
        match weights.shape(&tensor.name) {
            Some(shape) if shape == tensor.shape => {}
            Some(shape) => {
                let why =
                    format!("tensor {} has shape {shape:?} where {:?} is needed", tensor.name, tensor.shape);
                return Err(mismatch(why));
            }
            None => return Err(mismatch(format!("tensor {} is missing", tensor.name))),
        }
    }
    // PyTorch counts the batches that a batch norm has seen; nothing computes with it.
    let ignored = |name: &str| {
        name.ends_with(".num_batches_tracked")
            || architecture.ignored().iter().any(|prefix| name.starts_with(prefix))
    };
    if let Some(name) = weights.names().find(|name| !expected.contains(name) && !ignored(name)) {
        return Err(mismatch(format!("tensor {name} belongs to no layer")));
    }
    for tensor in architecture.tree().tensors().filter(|t| t.name.ends_with(".running_var")) {
        if weights.values(&tensor.name, &tensor.shape)?.iter().any(|v| *v < 0.0) {
            return Err(mismatch(format!("{} holds a negative variance", tensor.name)));
        }
    }
    Ok(())
}
