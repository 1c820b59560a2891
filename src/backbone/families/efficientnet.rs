//! MobileNetV2 and EfficientNet, with and without squeeze-and-excitation.
//!
//! Definitions follow timm 1.0 (`mobilenetv2_*`, `efficientnet_b*`, `tf_efficientnet_lite*`); Sandler et al. 2018, Tan
//! and Le 2019.

use super::config::{channels, input_size, multiplier, no_model_args};
use super::inverted_residual::{Head, Layout, Spec, Squeeze, Style, chain, round_channels};
use crate::backbone::Architecture;
use crate::backbone::family::Family;
use crate::nn::Activation;
use crate::problem::Result;
use serde_json::Value;

/// The three families; which one a network is of, its name says.
pub const FAMILIES: &[Family] = &[
    Family { name: "MobileNetV2", describe: describe_mobilenet_v2 },
    Family { name: "EfficientNet-Lite", describe: describe_lite },
    Family { name: "EfficientNet", describe: describe_efficientnet },
];

/// Kernel, first stride, channels and repeats of the seven stages before scaling.
type Stages = [(usize, usize, usize, usize); 7];

const MOBILENET_V2_STAGES: Stages = [
    (3, 1, 16, 1),
    (3, 2, 24, 2),
    (3, 2, 32, 3),
    (3, 2, 64, 4),
    (3, 1, 96, 3),
    (3, 2, 160, 3),
    (3, 1, 320, 1),
];

const EFFICIENTNET_STAGES: Stages = [
    (3, 1, 16, 1),
    (3, 2, 24, 2),
    (5, 2, 40, 2),
    (3, 2, 80, 3),
    (5, 1, 112, 3),
    (5, 2, 192, 4),
    (3, 1, 320, 1),
];

/// All blocks but those of the first stage widen their input by this factor.
const EXPANSION: f64 = 6.0;
/// Channels of the stem and of the features before scaling.
const STEM: usize = 32;
const FEATURES: usize = 1280;

/// How a member of a family differs from the base.
#[derive(Clone, Copy)]
struct Member {
    stages: &'static Stages,
    /// Channels and depth.
    scale: (f64, f64),
    ends: Ends,
    style: Style,
    squeeze: Option<Squeeze>,
    /// Side of the pictures in pixels.
    size: usize,
}

/// What happens to stem and features, and to the depth of the first and last stage.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    Scaled,
    /// Features do not shrink.
    AtLeast,
    Fixed,
}

/// timm's names; `channel_multiplier`, `depth_multiplier` and `num_features` in `config.json` win over them.
fn describe_mobilenet_v2(config: &Value) -> Option<Result<Box<dyn Architecture>>> {
    let name = config.get("architecture")?.as_str()?;
    let (scale, ends) = match name.strip_prefix("mobilenetv2_")? {
        "035" => ((0.35, 1.0), Ends::AtLeast),
        "050" => ((0.5, 1.0), Ends::AtLeast),
        "075" => ((0.75, 1.0), Ends::AtLeast),
        "100" => ((1.0, 1.0), Ends::AtLeast),
        "140" => ((1.4, 1.0), Ends::AtLeast),
        "110d" => ((1.1, 1.2), Ends::Fixed),
        "120d" => ((1.2, 1.4), Ends::Fixed),
        _ => return None,
    };
    let style = Style::new(false, Activation::Relu6);
    let stages = &MOBILENET_V2_STAGES;
    Some(Member { stages, scale, ends, style, squeeze: None, size: 224 }.build(config))
}

fn describe_lite(config: &Value) -> Option<Result<Box<dyn Architecture>>> {
    let name = config.get("architecture")?.as_str()?;
    let (scale, size) = match name.strip_prefix("tf_efficientnet_lite")? {
        "0" => ((1.0, 1.0), 224),
        "1" => ((1.0, 1.1), 240),
        "2" => ((1.1, 1.2), 260),
        "3" => ((1.2, 1.4), 300),
        "4" => ((1.4, 1.8), 380),
        _ => return None,
    };
    let style = Style::new(true, Activation::Relu6);
    let stages = &EFFICIENTNET_STAGES;
    Some(Member { stages, scale, ends: Ends::Fixed, style, squeeze: None, size }.build(config))
}

fn describe_efficientnet(config: &Value) -> Option<Result<Box<dyn Architecture>>> {
    let name = config.get("architecture")?.as_str()?;
    let (tensorflow, name) = match name.strip_prefix("tf_") {
        Some(name) => (true, name),
        None => (false, name),
    };
    let (scale, size, tensorflow_size) = match name.strip_prefix("efficientnet_b")? {
        "0" => ((1.0, 1.0), 224, 224),
        "1" => ((1.0, 1.1), 240, 240),
        "2" => ((1.1, 1.2), 256, 260),
        "3" => ((1.2, 1.4), 288, 300),
        "4" => ((1.4, 1.8), 320, 380),
        _ => return None,
    };
    let member = Member {
        stages: &EFFICIENTNET_STAGES,
        scale,
        ends: Ends::Scaled,
        style: Style::new(tensorflow, Activation::Silu),
        squeeze: Some(Squeeze::ToQuarterOfInput),
        size: if tensorflow { tensorflow_size } else { size },
    };
    Some(member.build(config))
}

impl Member {
    fn build(self, config: &Value) -> Result<Box<dyn Architecture>> {
        no_model_args(config)?;
        let width = multiplier(config, "channel_multiplier", self.scale.0)?;
        let depth = multiplier(config, "depth_multiplier", self.scale.1)?;
        let size = input_size(config)?.unwrap_or(self.size);
        let stem = if self.ends == Ends::Fixed { STEM } else { round_channels(STEM, width) };
        let features = match self.ends {
            Ends::Scaled => round_channels(FEATURES, width),
            Ends::AtLeast => round_channels(FEATURES, width).max(FEATURES),
            Ends::Fixed => FEATURES,
        };
        let blocks = chain(&self.specs(width, depth), stem, size);
        let features = channels(config, "num_features", features)?;
        Ok(Layout { size, style: self.style, stem, blocks, head: Head::Pooled, features }.build())
    }

    fn specs(&self, width: f64, depth: f64) -> Vec<Spec> {
        let mut specs = Vec::new();
        for (stage, &(kernel, first_stride, output, repeats)) in self.stages.iter().enumerate() {
            let is_end = stage == 0 || stage == self.stages.len() - 1;
            let depth = if is_end && self.ends == Ends::Fixed { 1.0 } else { depth };
            for number in 0..(repeats as f64 * depth).ceil() as usize {
                specs.push(Spec {
                    stage,
                    kernel,
                    stride: if number == 0 { first_stride } else { 1 },
                    output: round_channels(output, width),
                    expansion: (stage > 0).then_some(EXPANSION),
                    activation: self.style.activation,
                    squeeze: self.squeeze,
                });
            }
        }
        specs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(config: Value, parameters: usize) {
        let (_, architecture) =
            crate::backbone::registry::describe(&config, std::path::Path::new("config.json")).unwrap();
        assert_eq!(architecture.tree().root().parameters(), parameters, "{config}");
    }

    /// Totals printed from the models that timm 1.0 builds, without their classifiers.
    #[test]
    fn parameters_are_those_of_timm() {
        check(json!({"architecture": "mobilenetv2_035"}), 396_128);
        check(json!({"architecture": "mobilenetv2_050"}), 687_680);
        check(json!({"architecture": "mobilenetv2_075"}), 1_355_424);
        check(json!({"architecture": "mobilenetv2_100"}), 2_223_872);
        check(json!({"architecture": "mobilenetv2_110d"}), 3_235_520);
        check(json!({"architecture": "mobilenetv2_120d"}), 4_550_144);
        check(json!({"architecture": "mobilenetv2_140"}), 4_315_776);
        check(json!({"architecture": "tf_efficientnet_lite0"}), 3_371_008);
        check(json!({"architecture": "tf_efficientnet_lite1"}), 4_135_680);
        check(json!({"architecture": "tf_efficientnet_lite2"}), 4_811_072);
        check(json!({"architecture": "tf_efficientnet_lite3"}), 6_916_096);
        check(json!({"architecture": "tf_efficientnet_lite4"}), 11_725_568);
        for (number, parameters) in
            [4_007_548, 6_513_184, 7_700_994, 10_696_232, 17_548_616].iter().enumerate()
        {
            check(json!({"architecture": format!("efficientnet_b{number}")}), *parameters);
            check(json!({"architecture": format!("tf_efficientnet_b{number}")}), *parameters);
        }
    }

    #[test]
    fn lineages_have_their_own_input_size() {
        for (name, expected) in [("efficientnet_b4", 320), ("tf_efficientnet_b4", 380)] {
            let net = describe_efficientnet(&json!({"architecture": name})).unwrap().unwrap();
            assert_eq!(net.input().size, expected, "{name}");
        }
    }

    #[test]
    fn other_members_and_arguments_are_not_known() {
        for name in ["efficientnet_b1_pruned", "efficientnet_b9", "efficientnetv2_s", "tf_efficientnet_el"] {
            assert!(describe_efficientnet(&json!({"architecture": name})).is_none(), "{name}");
        }
        let config = json!({"architecture": "efficientnet_b0", "model_args": {"act_layer": "relu"}});
        assert!(describe_efficientnet(&config).unwrap().is_err());
    }
}
