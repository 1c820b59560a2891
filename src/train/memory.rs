//! How much memory a choice of frozen layers takes while it is trained: sums over the layers' outputs, made to fit
//! what was measured.

use super::workload::{Workload, values};
use crate::backbone::{Cut, FreezeMask, Kind, LayerTree, Leaf, LeafState};
use crate::data::facts::NormOutputs;

/// What a training step holds for its backward pass, and the largest output twice for what is being computed.
///
/// The outputs of the layers from the lowest thawed one on are kept, those of norms where something needs them, and
/// beside them what the networks of this modality keep ([`crate::data::facts::StepMemory`]).
pub(super) fn step_bytes(tree: &LayerTree, mask: &FreezeMask, frostline: usize, work: &Workload) -> u64 {
    let first =
        tree.leaves().iter().position(|leaf| leaf.segment >= frostline).unwrap_or(tree.leaves().len());
    let row = |leaf: &Leaf| values(&leaf.output_shape, work.tokens);
    let above = &tree.leaves()[first..];
    let follows = work.norms_follow && mask.thaws_any(tree, Kind::BatchNorm);
    let step = &work.modality.facts().cost.step;
    let outlives = |n: usize| match step.norms {
        NormOutputs::Kept => true,
        NormOutputs::KeptWhereUsed => passes_on(above, n, |m| mask.leaf(first + m)),
    };
    let is_kept = |n: &usize| follows || !above[*n].kind.is_norm() || outlives(*n);
    let kept: usize = (0..above.len()).filter(is_kept).map(|n| row(&above[n])).sum();
    let beside = if follows { step.following } else { step.fixed };
    let largest = above.iter().map(row).max().unwrap_or(0);
    ((beside * kept as f64 + 2.0 * largest as f64) * 4.0 * work.batch_size as f64) as u64
}

/// Whether the output of norm `n` outlives the forward pass: as the input of a layer that is trained, or as that of the
/// next block.
fn passes_on(leaves: &[Leaf], n: usize, state: impl Fn(usize) -> LeafState) -> bool {
    match leaves.get(n + 1) {
        Some(next) if next.segment == leaves[n].segment => state(n + 1).trains_tensors(),
        _ => true,
    }
}

/// What a pass through the frozen layers holds: the input and the output of a layer, and samples.
pub(super) fn passing_bytes(
    tree: &LayerTree,
    cuts: &[Cut],
    frostline: usize,
    batch: usize,
    work: &Workload,
) -> u64 {
    let below = tree.leaves().iter().filter(|leaf| leaf.segment < frostline);
    let largest = below.map(|leaf| values(&leaf.output_shape, work.tokens)).max().unwrap_or(0);
    let sample = cuts.first().map_or(0, |cut| values(&cut.shape, work.tokens));
    4 * ((2 * largest + work.modality.facts().cost.input_copies * sample) * batch) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::modality::Modality;
    use crate::train::estimate::estimate;
    use crate::train::estimate::tests::WORK;
    use serde_json::{Value, json};

    /// The estimate against the highest anonymous memory in MB.
    #[track_caller]
    fn check(config: &Value, mask: impl Fn(&LayerTree) -> FreezeMask, work: Workload, measured: f64) {
        let (_, network) = crate::backbone::registry::describe(config, std::path::Path::new("x")).unwrap();
        let (tree, cuts) = (network.tree(), network.cuts());
        let told = estimate(tree, cuts, 1280, &mask(tree), None, &work).memory_bytes as f64 / 1e6;
        assert!((0.8..1.25).contains(&(told / measured)), "{config}: {told:.0} MB for {measured} MB");
    }

    fn picture(name: &str) -> Value {
        json!({ "architecture": name })
    }

    fn thawing(tree: &LayerTree, pattern: &str) -> FreezeMask {
        FreezeMask::from_patterns(tree, &[pattern.to_string()]).unwrap()
    }

    #[test]
    fn steps_take_about_what_was_measured() {
        // The tables of `benches/README.md`.
        for (name, full) in [
            ("mobilenetv2_100", 1022.0),
            ("tf_efficientnet_lite0", 1116.0),
            ("resnet18", 850.0),
            ("resnet50", 2239.0),
        ] {
            check(&picture(name), |tree| FreezeMask::with_frostline(tree, 0), WORK, full);
        }
        let minilm = json!({
            "model_type": "bert", "vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 6,
            "num_attention_heads": 12, "intermediate_size": 1536, "max_position_embeddings": 512,
            "type_vocab_size": 2, "hidden_act": "gelu",
        });
        for (cut, cache_enabled, measured) in [(0, false, 886.0), (5, false, 368.0), (5, true, 306.0)] {
            let work = Workload { modality: Modality::Text, tokens: 128, cache_enabled, ..WORK };
            check(&minilm, |tree| FreezeMask::with_frostline(tree, cut), work, measured);
        }
    }

    #[test]
    fn passes_through_frozen_layers_take_about_what_was_measured() {
        for (name, forward) in
            [("mobilenetv2_100", 258.0), ("tf_efficientnet_lite0", 288.0), ("resnet18", 236.0)]
        {
            check(&picture(name), FreezeMask::frozen, WORK, forward);
        }
    }

    #[test]
    fn some_layers_of_a_block_take_about_what_was_measured() {
        // Whole jobs of EfficientNet-Lite0 on 120 pictures.
        let lite = picture("tf_efficientnet_lite0");
        let follows = Workload { norms_follow: true, ..WORK };
        check(&lite, |tree| thawing(tree, "*"), WORK, 1176.0);
        check(&lite, |tree| thawing(tree, "*"), follows, 1566.0);
        check(&lite, |tree| thawing(tree, "*bn*"), WORK, 761.0);
        check(&lite, |tree| thawing(tree, "*conv_dw"), WORK, 908.0);
    }
}
