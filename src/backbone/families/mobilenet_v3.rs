//! MobileNetV3 (Howard et al. 2019): inverted residual blocks with hard-swish and squeeze-and-excitation.
//!
//! Definitions follow timm 1.0 (`mobilenetv3_large_100`, `tf_mobilenetv3_small_minimal_100`, ..).

use super::config::{channels, input_size, multiplier, no_model_args};
use super::inverted_residual::{Head, Layout, Spec, Squeeze, Style, chain, round_channels};
use crate::backbone::Architecture;
use crate::backbone::family::Family;
use crate::nn::Activation;
use crate::problem::Result;
use serde_json::Value;

/// MobileNetV3, large and small.
pub const FAMILIES: &[Family] = &[Family { name: "MobileNetV3", describe }];

/// Channels of the stem before scaling.
const STEM: usize = 16;

/// Stage, kernel, first stride, expansion (0 for none), channels and repeats, whether it squeezes, and whether it has
/// ReLU in place of hard-swish; before scaling.
type Row = (usize, usize, usize, f64, usize, usize, bool, bool);

const LARGE: &[Row] = &[
    (0, 3, 1, 0.0, 16, 1, false, true),
    (1, 3, 2, 4.0, 24, 1, false, true),
    (1, 3, 1, 3.0, 24, 1, false, true),
    (2, 5, 2, 3.0, 40, 3, true, true),
    (3, 3, 2, 6.0, 80, 1, false, false),
    (3, 3, 1, 2.5, 80, 1, false, false),
    (3, 3, 1, 2.3, 80, 2, false, false),
    (4, 3, 1, 6.0, 112, 2, true, false),
    (5, 5, 2, 6.0, 160, 3, true, false),
];

const SMALL: &[Row] = &[
    (0, 3, 2, 0.0, 16, 1, true, true),
    (1, 3, 2, 4.5, 24, 1, false, true),
    (1, 3, 1, 3.67, 24, 1, false, true),
    (2, 5, 2, 4.0, 40, 1, true, false),
    (2, 5, 1, 6.0, 40, 2, true, false),
    (3, 5, 1, 3.0, 48, 2, true, false),
    (4, 5, 2, 6.0, 96, 3, true, false),
];

/// A member of the family by timm's name.
struct Member {
    rows: &'static [Row],
    /// Channels of the stage above the blocks, before scaling, and of the features.
    head: (usize, usize),
    /// Without large kernels, squeezing and hard-swish.
    minimal: bool,
    scale: f64,
}

fn member(name: &str) -> Option<Member> {
    let (rows, head, rest) = match name.strip_prefix("large_") {
        Some(rest) => (LARGE, (960, 1280), rest),
        None => (SMALL, (576, 1024), name.strip_prefix("small_")?),
    };
    let (minimal, width) = match rest.strip_prefix("minimal_") {
        Some(width) => (true, width),
        None => (false, rest),
    };
    let scale = match width {
        "050" => 0.5,
        "075" => 0.75,
        "100" => 1.0,
        _ => return None,
    };
    Some(Member { rows, head, minimal, scale })
}

/// timm's names; `channel_multiplier` and `head_hidden_size` in `config.json` win over them.
fn describe(config: &Value) -> Option<Result<Box<dyn Architecture>>> {
    let name = config.get("architecture")?.as_str()?;
    let (tensorflow, name) = match name.strip_prefix("tf_") {
        Some(name) => (true, name),
        None => (false, name),
    };
    let member = member(name.strip_prefix("mobilenetv3_")?)?;
    Some(layout(config, &member, tensorflow).map(Layout::build))
}

fn layout(config: &Value, member: &Member, tensorflow: bool) -> Result<Layout> {
    no_model_args(config)?;
    let scale = multiplier(config, "channel_multiplier", member.scale)?;
    let size = input_size(config)?.unwrap_or(224);
    let activation = if member.minimal { Activation::Relu } else { Activation::HardSwish };
    let mut specs = Vec::new();
    for &(stage, kernel, first_stride, expansion, output, repeats, squeezes, plain) in member.rows {
        for number in 0..repeats {
            specs.push(Spec {
                stage,
                kernel: if member.minimal { 3 } else { kernel },
                stride: if number == 0 { first_stride } else { 1 },
                output: round_channels(output, scale),
                expansion: (expansion > 0.0).then_some(expansion),
                activation: if plain { Activation::Relu } else { activation },
                squeeze: (squeezes && !member.minimal).then_some(Squeeze::ToQuarterInside),
            });
        }
    }
    // Narrow members keep the whole stem.
    let stem = if scale < 0.75 { STEM } else { round_channels(STEM, scale) };
    let (width, features) = member.head;
    Ok(Layout {
        size,
        style: Style::new(tensorflow, activation),
        stem,
        blocks: chain(&specs, stem, size),
        head: Head::Early(round_channels(width, scale)),
        features: channels(config, "head_hidden_size", features)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::registry;
    use serde_json::json;

    /// Totals printed from the models that timm 1.0 builds, without their classifiers.
    #[test]
    fn parameters_are_those_of_timm() {
        for (name, parameters) in [
            ("mobilenetv3_large_075", 2_712_528),
            ("mobilenetv3_large_100", 4_202_032),
            ("mobilenetv3_small_050", 568_224),
            ("mobilenetv3_small_075", 1_016_872),
            ("mobilenetv3_small_100", 1_517_856),
            ("tf_mobilenetv3_large_minimal_100", 2_643_288),
            ("tf_mobilenetv3_small_minimal_100", 1_019_736),
        ] {
            let config = json!({"architecture": name});
            let (family, net) = registry::describe(&config, std::path::Path::new("config.json")).unwrap();
            assert_eq!((family, net.tree().root().parameters()), ("MobileNetV3", parameters), "{name}");
        }
    }

    #[test]
    fn other_members_are_not_known() {
        for name in ["mobilenetv3_rw", "mobilenetv3_large_150d", "mobilenetv3_large_100_x", "tf_mobilenetv4"]
        {
            assert!(describe(&json!({"architecture": name})).is_none(), "{name}");
        }
        let config = json!({"architecture": "mobilenetv3_small_100", "model_args": {"head_norm": true}});
        assert!(describe(&config).unwrap().is_err());
    }
}
