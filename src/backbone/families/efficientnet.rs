//! MobileNetV2 and EfficientNet-Lite: inverted residual blocks with depthwise convolutions.
//!
//! Definitions and tensor names follow timm 1.0 (`mobilenetv2_*`, `tf_efficientnet_lite*`); Sandler et al.
//! 2018, Tan and Le 2019. Inside a pass tensors are `[batch, height, width, channels]`.

use super::nodes::{ConvNormSpec, batch_norm_node, conv_node, input_size, map_shape};
use crate::backbone::layer_tree::{Dim, Kind, LayerTree, Node};
use crate::backbone::registry::Family;
use crate::backbone::spec::bad_config;
use crate::backbone::{Architecture, Boundary, Cut, InputKind, Pass, Segment, TensorSource};
use crate::nn::{Activation, ConvNorm, Padding, global_average_pool};
use crate::problem::Result;
use serde_json::Value;

pub const MOBILENET_V2: Family = Family { name: "MobileNetV2", describe: describe_mobilenet_v2 };
pub const EFFICIENTNET_LITE: Family = Family { name: "EfficientNet-Lite", describe: describe_lite };

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

const LITE_STAGES: Stages = [
    (3, 1, 16, 1),
    (3, 2, 24, 2),
    (5, 2, 40, 2),
    (3, 2, 80, 3),
    (5, 1, 112, 3),
    (5, 2, 192, 4),
    (3, 1, 320, 1),
];

/// All blocks but those of the first stage widen their input by this factor.
const EXPANSION: usize = 6;

/// How a member of the family differs from the base.
struct Scale {
    channels: f64,
    depth: f64,
    /// Stem and head keep their width, the first and last stage their depth.
    fixed_ends: bool,
}

/// timm's names; `channel_multiplier`, `depth_multiplier` and `num_features` in `config.json` win over them.
fn describe_mobilenet_v2(config: &Value) -> Option<Result<Box<dyn Architecture>>> {
    let name = config.get("architecture")?.as_str()?;
    let scale = match name.strip_prefix("mobilenetv2_")? {
        "035" => Scale { channels: 0.35, depth: 1.0, fixed_ends: false },
        "050" => Scale { channels: 0.5, depth: 1.0, fixed_ends: false },
        "075" => Scale { channels: 0.75, depth: 1.0, fixed_ends: false },
        "100" => Scale { channels: 1.0, depth: 1.0, fixed_ends: false },
        "140" => Scale { channels: 1.4, depth: 1.0, fixed_ends: false },
        "110d" => Scale { channels: 1.1, depth: 1.2, fixed_ends: true },
        "120d" => Scale { channels: 1.2, depth: 1.4, fixed_ends: true },
        _ => return None,
    };
    let norm = Norm { eps: 1e-5, tensorflow: false };
    Some(EfficientNet::describe(config, &MOBILENET_V2_STAGES, scale, norm, 224))
}

fn describe_lite(config: &Value) -> Option<Result<Box<dyn Architecture>>> {
    let name = config.get("architecture")?.as_str()?;
    let (channels, depth, size) = match name.strip_prefix("tf_efficientnet_lite")? {
        "0" => (1.0, 1.0, 224),
        "1" => (1.0, 1.1, 240),
        "2" => (1.1, 1.2, 260),
        "3" => (1.2, 1.4, 300),
        "4" => (1.4, 1.8, 380),
        _ => return None,
    };
    let norm = Norm { eps: 1e-3, tensorflow: true };
    Some(EfficientNet::describe(
        config,
        &LITE_STAGES,
        Scale { channels, depth, fixed_ends: true },
        norm,
        size,
    ))
}

/// What the two lineages do differently.
#[derive(Clone, Copy)]
struct Norm {
    eps: f64,
    /// Pads as TensorFlow does ('same').
    tensorflow: bool,
}

/// One block of a stage.
#[derive(Clone)]
struct Block {
    path: String,
    input: usize,
    output: usize,
    kernel: usize,
    stride: usize,
    /// The first stage does not expand.
    expanded: bool,
    /// Height and width of the input and of the output.
    input_side: usize,
    side: usize,
}

impl Block {
    fn middle(&self) -> usize {
        if self.expanded { self.input * EXPANSION } else { self.input }
    }
}

struct EfficientNet {
    tree: LayerTree,
    cuts: Vec<Cut>,
    blocks: Vec<Block>,
    stem: usize,
    features: usize,
    size: usize,
    norm: Norm,
}

impl EfficientNet {
    fn describe(
        config: &Value,
        stages: &Stages,
        mut scale: Scale,
        norm: Norm,
        size: usize,
    ) -> Result<Box<dyn Architecture>> {
        for (key, factor) in
            [("channel_multiplier", &mut scale.channels), ("depth_multiplier", &mut scale.depth)]
        {
            if let Some(given) = config.get(key) {
                let number = given.as_f64().filter(|m| (0.01..=10.0).contains(m));
                *factor =
                    number.ok_or_else(|| bad_config(&format!("{key:?} must lie between 0.01 and 10")))?;
            }
        }
        let size = input_size(config)?.unwrap_or(size);
        let stem = if scale.fixed_ends { 32 } else { round_channels(32, scale.channels) };
        let features =
            match config.get("num_features").map(|n| n.as_u64().filter(|n| (1..=65_536).contains(n))) {
                Some(given) => {
                    given.ok_or_else(|| bad_config("\"num_features\" must lie between 1 and 65536"))? as usize
                }
                None if scale.fixed_ends => 1280,
                None => round_channels(1280, scale.channels).max(1280),
            };
        let blocks = scaled_blocks(stages, &scale, stem, size.div_ceil(2));
        let tree = build_tree(&blocks, stem, features, size);
        let cuts = build_cuts(&blocks, stem, features, size);
        Ok(Box::new(Self { tree, cuts, blocks, stem, features, size, norm }))
    }

    fn padding(&self, kernel: usize) -> Padding {
        if self.norm.tensorflow { Padding::TensorFlowSame } else { Padding::Symmetric(kernel / 2) }
    }

    /// A convolution and its norm; a kernel for each channel where `depthwise`.
    fn normed<'a>(
        &self,
        paths: [&'a str; 2],
        shape: [usize; 4],
        stride: usize,
        activation: Activation,
    ) -> ConvNormSpec<'a> {
        let (padding, eps) = (self.padding(shape[2]), self.norm.eps);
        ConvNormSpec { paths, shape, depthwise: false, stride, padding, eps, activation }
    }

    fn load_block(&self, block: &Block, source: &mut dyn TensorSource) -> Result<InvertedResidual> {
        let path = |name: &str| format!("{}.{name}", block.path);
        let (input, middle, output) = (block.input, block.middle(), block.output);
        // timm numbers the norms in order and calls the projection conv_pw where nothing expands.
        let (depthwise_norm, project, project_norm) = match block.expanded {
            true => ("bn2", "conv_pwl", "bn3"),
            false => ("bn1", "conv_pw", "bn2"),
        };
        let expand = match block.expanded {
            true => {
                let paths = [&path("conv_pw")[..], &path("bn1")];
                Some(self.normed(paths, [middle, input, 1, 1], 1, Activation::Relu6).load(source)?)
            }
            false => None,
        };
        let shape = [middle, 1, block.kernel, block.kernel];
        let paths = [&path("conv_dw")[..], &path(depthwise_norm)];
        let depthwise = self.normed(paths, shape, block.stride, Activation::Relu6);
        let paths = [&path(project)[..], &path(project_norm)];
        Ok(InvertedResidual {
            expand,
            depthwise: ConvNormSpec { depthwise: true, ..depthwise }.load(source)?,
            project: self.normed(paths, [output, middle, 1, 1], 1, Activation::None).load(source)?,
            residual: block.stride == 1 && input == output,
        })
    }
}

impl Architecture for EfficientNet {
    fn tree(&self) -> &LayerTree {
        &self.tree
    }

    fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    fn ignored(&self) -> &[&'static str] {
        &["classifier."]
    }

    fn input(&self) -> InputKind {
        InputKind::Image { size: self.size }
    }

    fn pooling(&self) -> &'static str {
        "global_average"
    }

    fn load_segment(&self, segment: usize, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>> {
        let last = self.blocks.last().map_or(self.stem, |b| b.output);
        Ok(match segment.checked_sub(1).map(|i| self.blocks.get(i)) {
            None => {
                let (paths, shape) = (["conv_stem", "bn1"], [self.stem, 3, 3, 3]);
                Box::new(Stem(self.normed(paths, shape, 2, Activation::Relu6).load(source)?))
            }
            Some(Some(block)) => Box::new(self.load_block(block, source)?),
            Some(None) => {
                let (paths, shape) = (["conv_head", "bn2"], [self.features, last, 1, 1]);
                Box::new(Top(self.normed(paths, shape, 1, Activation::Relu6).load(source)?))
            }
        })
    }
}

struct Stem(ConvNorm);

impl Segment for Stem {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        let pixels = below.hidden.permute((0, 2, 3, 1))?.contiguous()?;
        Ok(Boundary { hidden: self.0.forward(&pixels)?, lengths: None })
    }
}

struct InvertedResidual {
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    project: ConvNorm,
    residual: bool,
}

impl Segment for InvertedResidual {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        let x = &below.hidden;
        let widened = match &self.expand {
            Some(expand) => expand.forward(x)?,
            None => x.clone(),
        };
        let filtered = self.depthwise.forward(&widened)?;
        let hidden = match self.residual {
            true => self.project.forward_add(&filtered, x)?,
            false => self.project.forward(&filtered)?,
        };
        Ok(Boundary { hidden, lengths: None })
    }
}

struct Top(ConvNorm);

impl Segment for Top {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        let hidden = self.0.forward(&below.hidden)?;
        Ok(Boundary { hidden: global_average_pool(&hidden)?, lengths: None })
    }
}

/// Rounds to a multiple of 8, never below 90 % of the wish (timm `round_channels`).
fn round_channels(channels: usize, multiplier: f64) -> usize {
    let wish = channels as f64 * multiplier;
    let rounded = (((wish + 4.0) as usize) / 8 * 8).max(8);
    if (rounded as f64) < 0.9 * wish { rounded + 8 } else { rounded }
}

fn scaled_blocks(stages: &Stages, scale: &Scale, stem: usize, stem_side: usize) -> Vec<Block> {
    let (mut blocks, mut input, mut side) = (Vec::new(), stem, stem_side);
    for (stage, &(kernel, first_stride, channels, repeats)) in stages.iter().enumerate() {
        let output = round_channels(channels, scale.channels);
        let is_end = stage == 0 || stage == stages.len() - 1;
        let depth = if is_end && scale.fixed_ends { 1.0 } else { scale.depth };
        for number in 0..(repeats as f64 * depth).ceil() as usize {
            let stride = if number == 0 { first_stride } else { 1 };
            let input_side = side;
            side = side.div_ceil(stride);
            let path = format!("blocks.{stage}.{number}");
            blocks.push(Block { path, input, output, kernel, stride, expanded: stage > 0, input_side, side });
            input = output;
        }
    }
    blocks
}

fn block_node(block: &Block) -> Node {
    let path = |name: &str| format!("{}.{name}", block.path);
    let (input, middle, output, k) = (block.input, block.middle(), block.output, block.kernel);
    let wide = map_shape(middle, block.input_side);
    let (filtered, narrow) = (map_shape(middle, block.side), map_shape(output, block.side));
    let depthwise = conv_node(path("conv_dw"), [middle, 1, k, k], block.stride, filtered.clone());
    let children = match block.expanded {
        true => vec![
            conv_node(path("conv_pw"), [middle, input, 1, 1], 1, wide.clone()),
            batch_norm_node(path("bn1"), middle, wide),
            depthwise,
            batch_norm_node(path("bn2"), middle, filtered),
            conv_node(path("conv_pwl"), [output, middle, 1, 1], 1, narrow.clone()),
            batch_norm_node(path("bn3"), output, narrow),
        ],
        false => vec![
            depthwise,
            batch_norm_node(path("bn1"), middle, filtered),
            conv_node(path("conv_pw"), [output, middle, 1, 1], 1, narrow.clone()),
            batch_norm_node(path("bn2"), output, narrow),
        ],
    };
    let detail = if block.expanded { "inverted residual" } else { "depthwise separable" };
    Node::inner(block.path.clone(), Kind::Block, children).with_detail(detail)
}

fn build_tree(blocks: &[Block], stem: usize, features: usize, size: usize) -> LayerTree {
    let mut stages: Vec<Node> = Vec::new();
    for block in blocks {
        let stage = block.path.rsplit_once('.').map_or("", |(stage, _)| stage);
        match stages.last_mut() {
            Some(last) if last.path == stage => {
                last.children.push(block_node(block));
                last.output_shape = map_shape(block.output, block.side);
            }
            _ => stages.push(Node::inner(stage, Kind::Stage, vec![block_node(block)])),
        }
    }
    for stage in &mut stages {
        let count = stage.children.len();
        stage.detail = format!("{count} block{}", if count == 1 { "" } else { "s" });
    }
    let (stem_side, last_side) = (size.div_ceil(2), blocks.last().map_or(1, |b| b.side));
    let last = blocks.last().map_or(stem, |b| b.output);
    let children = vec![
        conv_node("conv_stem".into(), [stem, 3, 3, 3], 2, map_shape(stem, stem_side)),
        batch_norm_node("bn1".into(), stem, map_shape(stem, stem_side)),
        Node::inner("blocks", Kind::Stage, stages),
        conv_node("conv_head".into(), [features, last, 1, 1], 1, map_shape(features, last_side)),
        batch_norm_node("bn2".into(), features, map_shape(features, last_side)),
    ];
    let mut root = Node::inner("", Kind::Model, children);
    root.output_shape = vec![Dim::Fixed(features)];
    let segment_of = |path: &str| match path {
        "conv_stem" | "bn1" => 0,
        _ => match blocks.iter().position(|b| crate::backbone::layer_tree::is_at_or_below(path, &b.path)) {
            Some(block) => block + 1,
            None => blocks.len() + 1,
        },
    };
    LayerTree::new(root, segment_of)
}

fn build_cuts(blocks: &[Block], stem: usize, features: usize, size: usize) -> Vec<Cut> {
    let mut cuts = vec![Cut { name: "input".into(), shape: map_shape(3, size) }];
    let (mut channels, mut side) = (stem, size.div_ceil(2));
    for block in blocks {
        cuts.push(Cut { name: block.path.clone(), shape: map_shape(channels, side) });
        (channels, side) = (block.output, block.side);
    }
    cuts.push(Cut { name: "conv_head".into(), shape: map_shape(channels, side) });
    cuts.push(Cut { name: "head".into(), shape: vec![Dim::Fixed(features)] });
    cuts
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
    }
}
