//! The families that Frostline can train. A new one is one file in `families/` and one line in its `mod.rs`.

use super::families;
use super::family::Family;
use super::{Architecture, Backbone, LayerTree};
use crate::problem::{Problem, Result};
use serde_json::Value;
use std::path::Path;

/// All families, asked in this order.
pub fn families() -> impl Iterator<Item = &'static Family> {
    families::ALL.iter().copied().flatten()
}

/// Finds the family of a configuration and describes the network.
///
/// # Errors
/// No family knows it, or the configuration is unusable. `path` is the configuration's file.
pub fn describe(config: &Value, path: &Path) -> Result<(&'static str, Box<dyn Architecture>)> {
    for family in families() {
        if let Some(described) = (family.describe)(config) {
            return described.map(|a| (family.name, a)).map_err(|p| p.at(path));
        }
    }
    let called = ["architecture", "model_type"].iter().find_map(|key| config.get(*key)?.as_str());
    let known: Vec<&str> = families().map(|f| f.name).collect();
    Err(Problem::input(
        format!("this kind of backbone is not supported: {}", called.unwrap_or("unknown")),
        "no family of this version knows its configuration",
        format!("choose a backbone of one of these families: {}", known.join(", ")),
    )
    .at(path))
}

/// The family that a configuration is of, by its name alone; `None` where none knows it.
pub fn family_of(config: &Value) -> Option<&'static str> {
    families().find(|family| (family.describe)(config).is_some()).map(|family| family.name)
}

/// Checks that the tree names exactly the tensors of a weight file, less the ignored ones. `shape_of` and `names`
/// speak of the file, aliases removed.
///
/// # Errors
/// In words, the first tensor that does not fit.
pub fn check_tensors<'n>(
    architecture: &dyn Architecture,
    names: impl IntoIterator<Item = &'n str>,
    shape_of: impl Fn(&str) -> Option<&'n [usize]>,
) -> std::result::Result<(), String> {
    let mut expected = std::collections::BTreeSet::new();
    for tensor in architecture.tree().tensors() {
        expected.insert(tensor.name.as_str());
        match shape_of(&tensor.name) {
            Some(shape) if shape == tensor.shape => {}
            Some(shape) => {
                return Err(format!(
                    "tensor {} has shape {shape:?} where {:?} is needed",
                    tensor.name, tensor.shape
                ));
            }
            None => return Err(format!("tensor {} is missing", tensor.name)),
        }
    }
    // PyTorch counts the batches that a batch norm has seen; nothing computes with it.
    let ignored = |name: &str| {
        name.ends_with(".num_batches_tracked")
            || architecture.ignored().iter().any(|prefix| name.starts_with(prefix))
            || is_aside(architecture.tree(), name)
    };
    match names.into_iter().find(|name| !expected.contains(name) && !ignored(name)) {
        Some(name) => Err(format!("tensor {name} belongs to no layer")),
        None => Ok(()),
    }
}

/// Whether a tensor belongs to what was put on top of the network, the head of another task: to a module beside those of
/// the tree, and not to one more of them (a fifth stage is none).
fn is_aside(tree: &LayerTree, name: &str) -> bool {
    fn kind(path: &str) -> &str {
        path.split('.').next().unwrap_or(path).trim_end_matches(|c: char| c.is_ascii_digit())
    }
    tree.root().children.iter().all(|module| kind(&module.path) != kind(name))
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
    check_tensors(architecture, weights.names(), |name| weights.shape(name)).map_err(mismatch)?;
    for tensor in architecture.tree().tensors().filter(|t| t.name.ends_with(".running_var")) {
        if weights.values(&tensor.name, &tensor.shape)?.iter().any(|v| *v < 0.0) {
            return Err(mismatch(format!("{} holds a negative variance", tensor.name)));
        }
    }
    Ok(())
}
