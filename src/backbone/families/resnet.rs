//! ResNet (He et al. 2016): residual blocks of dense convolutions; and ResNet-D (He et al. 2019): with a stem of three
//! convolutions, and shortcuts that average before they narrow.
//!
//! Definition and tensor names follow timm 1.0 (`resnet18`, `resnet50d`, ..), where a bottleneck has its stride in
//! the 3×3 convolution. Inside a pass tensors are `[batch, height, width, channels]`.

use super::nodes::{ConvNormSpec, batch_norm_node, conv_node, input_size, map_shape, stage_node};
use crate::backbone::layer_tree::{Dim, Kind, LayerTree, Node, is_at_or_below};
use crate::backbone::registry::Family;
use crate::backbone::spec::bad_config;
use crate::backbone::{Architecture, Boundary, Cut, InputSize, Pass, Segment, TensorSource};
use crate::data::modality::Modality;
use crate::nn::{
    Activation, AvgPool2d, ConvNorm, MaxPool2d, Padding, channels_last, conv_norm_chain, global_average_pool,
};
use crate::problem::Result;
use candle_core::Tensor;
use serde_json::Value;

pub const RESNET: Family = Family { name: "ResNet", describe };

/// Channels of the stem.
const STEM: usize = 64;
const EPS: f64 = 1e-5;
/// A bottleneck gives this many times the channels of its 3×3 convolution.
const EXPANSION: usize = 4;

/// What tells the members of the family apart besides their numbers.
#[derive(Clone, Copy)]
struct Variant {
    /// Whether blocks narrow their input for the 3×3 convolution.
    bottleneck: bool,
    /// ResNet-D.
    refined: bool,
}

/// The number of blocks in each stage, and the variant.
fn member(name: &str) -> Option<([usize; 4], Variant)> {
    let (plain, refined) = name.strip_suffix('d').map_or((name, false), |plain| (plain, true));
    let (depths, bottleneck) = match plain {
        "resnet18" => ([2, 2, 2, 2], false),
        "resnet26" => ([2, 2, 2, 2], true),
        "resnet34" => ([3, 4, 6, 3], false),
        "resnet50" => ([3, 4, 6, 3], true),
        "resnet101" => ([3, 4, 23, 3], true),
        "resnet152" => ([3, 8, 36, 3], true),
        _ => return None,
    };
    Some((depths, Variant { bottleneck, refined }))
}

fn describe(config: &Value) -> Option<Result<Box<dyn Architecture>>> {
    let (depths, variant) = member(config.get("architecture")?.as_str()?)?;
    Some(ResNet::new(config, depths, variant).map(|net| Box::new(net) as Box<dyn Architecture>))
}

impl Variant {
    /// Paths of convolution and norm, shape and stride of the layers of the stem.
    fn stem(self) -> Vec<([&'static str; 2], [usize; 4], usize)> {
        const HALF: usize = STEM / 2;
        match self.refined {
            true => vec![
                (["conv1.0", "conv1.1"], [HALF, 3, 3, 3], 2),
                (["conv1.3", "conv1.4"], [HALF, HALF, 3, 3], 1),
                (["conv1.6", "bn1"], [STEM, HALF, 3, 3], 1),
            ],
            false => vec![(["conv1", "bn1"], [STEM, 3, 7, 7], 2)],
        }
    }
}

/// `layers` and `channels` of timm's `model_args`, four numbers each; no other argument is known.
fn model_args(config: &Value, depths: &mut [usize; 4], widths: &mut [usize; 4]) -> Result<()> {
    let Some(arguments) = config.get("model_args").and_then(Value::as_object) else { return Ok(()) };
    for (key, value) in arguments {
        let (target, highest) = match key.as_str() {
            "layers" => (&mut *depths, 64),
            "channels" => (&mut *widths, 8192),
            other => return Err(bad_config(&format!("the model argument {other:?} is not supported"))),
        };
        let numbers = value.as_array().into_iter().flatten().map(|n| n.as_u64().map(|n| n as usize));
        *target = numbers
            .collect::<Option<Vec<_>>>()
            .and_then(|n| <[usize; 4]>::try_from(n).ok())
            .filter(|numbers| numbers.iter().all(|n| (1..=highest).contains(n)))
            .ok_or_else(|| bad_config(&format!("{key:?} must be four numbers from 1 to {highest}")))?;
    }
    Ok(())
}

/// One block of a stage.
struct Block {
    path: String,
    input: usize,
    /// Channels between the convolutions.
    middle: usize,
    output: usize,
    stride: usize,
    variant: Variant,
    /// Height and width of the input and of the output.
    input_side: usize,
    side: usize,
}

impl Block {
    /// Whether the shortcut needs a convolution to fit.
    fn reshapes(&self) -> bool {
        self.stride != 1 || self.input != self.output
    }

    /// Paths of the shortcut's convolution and norm, and the stride of the convolution.
    fn shortcut(&self) -> ([String; 2], usize) {
        let ([conv, norm], stride) = match self.variant.refined {
            // Number 0 is the pooling.
            true => ([1, 2], 1),
            false => ([0, 1], self.stride),
        };
        ([format!("{}.downsample.{conv}", self.path), format!("{}.downsample.{norm}", self.path)], stride)
    }

    /// Shape, stride and side of the output of each convolution on the way, in order.
    fn convolutions(&self) -> Vec<([usize; 4], usize, usize)> {
        let (input, middle, output) = (self.input, self.middle, self.output);
        match self.variant.bottleneck {
            true => vec![
                ([middle, input, 1, 1], 1, self.input_side),
                ([middle, middle, 3, 3], self.stride, self.side),
                ([output, middle, 1, 1], 1, self.side),
            ],
            false => {
                vec![([middle, input, 3, 3], self.stride, self.side), ([output, middle, 3, 3], 1, self.side)]
            }
        }
    }
}

struct ResNet {
    tree: LayerTree,
    cuts: Vec<Cut>,
    variant: Variant,
    blocks: Vec<Block>,
    size: usize,
}

impl ResNet {
    fn new(config: &Value, mut depths: [usize; 4], variant: Variant) -> Result<Self> {
        let mut widths = [64, 128, 256, 512];
        model_args(config, &mut depths, &mut widths)?;
        let size = input_size(config)?.unwrap_or(224);
        let blocks = build_blocks(depths, widths, variant, size.div_ceil(2).div_ceil(2));
        let (tree, cuts) = (build_tree(&blocks, variant, size), build_cuts(&blocks, size));
        Ok(Self { tree, cuts, variant, blocks, size })
    }

    fn load_block(&self, number: usize, source: &mut dyn TensorSource) -> Result<Residual> {
        let block = &self.blocks[number];
        let path = |name: &str| format!("{}.{name}", block.path);
        let mut branch = Vec::new();
        for (n, (shape, stride, _)) in block.convolutions().into_iter().enumerate() {
            let (conv, norm) = (path(&format!("conv{}", n + 1)), path(&format!("bn{}", n + 1)));
            // That of the last one follows the sum.
            branch.push(normed([&conv, &norm], shape, stride, Activation::Relu).load(source)?);
        }
        let shortcut = match block.reshapes() {
            true => Some(Shortcut::load(block, source)?),
            false => None,
        };
        Ok(Residual { branch, shortcut, pools: number + 1 == self.blocks.len() })
    }
}

/// A convolution of odd size in the middle of its padding, and its norm.
fn normed<'a>(
    paths: [&'a str; 2],
    shape: [usize; 4],
    stride: usize,
    activation: Activation,
) -> ConvNormSpec<'a> {
    let padding = Padding::Symmetric(shape[2] / 2);
    ConvNormSpec { paths, shape, depthwise: false, stride, padding, eps: EPS, activation }
}

impl Architecture for ResNet {
    fn tree(&self) -> &LayerTree {
        &self.tree
    }

    fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    fn ignored(&self) -> &[&'static str] {
        &["fc."]
    }

    fn input(&self) -> InputSize {
        InputSize { modality: Modality::Image, size: self.size }
    }

    fn pooling(&self) -> &'static str {
        "global_average"
    }

    fn load_segment(&self, segment: usize, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>> {
        let Some(number) = segment.checked_sub(1) else {
            let load = |(paths, shape, stride)| normed(paths, shape, stride, Activation::Relu).load(source);
            let layers = self.variant.stem().into_iter().map(load).collect::<Result<_>>()?;
            return Ok(Box::new(Stem(layers)));
        };
        Ok(Box::new(self.load_block(number, source)?))
    }
}

struct Stem(Vec<ConvNorm>);

impl Segment for Stem {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        let pixels = channels_last(&below.hidden)?;
        let pool = MaxPool2d { kernel: 3, stride: 2, padding: Padding::Symmetric(1) };
        let layers: Vec<&ConvNorm> = self.0.iter().collect();
        let hidden = conv_norm_chain(&layers, &pixels, None)?;
        Ok(Boundary { hidden: pool.forward(&hidden)?, lengths: None })
    }
}

struct Shortcut {
    pool: Option<AvgPool2d>,
    layer: ConvNorm,
}

impl Shortcut {
    fn load(block: &Block, source: &mut dyn TensorSource) -> Result<Self> {
        let ([conv, norm], stride) = block.shortcut();
        let shape = [block.output, block.input, 1, 1];
        let layer = normed([&conv, &norm], shape, stride, Activation::None).load(source)?;
        let pool = (stride != block.stride).then_some(AvgPool2d {
            kernel: block.stride,
            stride: block.stride,
            padding: Padding::TensorFlowSame,
            counts_padding: false,
        });
        Ok(Self { pool, layer })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match &self.pool {
            Some(pool) => self.layer.forward(&pool.forward(x)?),
            None => self.layer.forward(x),
        }
    }
}

struct Residual {
    branch: Vec<ConvNorm>,
    /// None where the input is added as it is.
    shortcut: Option<Shortcut>,
    /// The last block also pools.
    pools: bool,
}

impl Segment for Residual {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(&below.hidden)?,
            None => below.hidden.clone(),
        };
        let branch: Vec<&ConvNorm> = self.branch.iter().collect();
        let hidden = conv_norm_chain(&branch, &below.hidden, Some(&shortcut))?;
        let hidden = if self.pools { global_average_pool(&hidden)? } else { hidden };
        Ok(Boundary { hidden, lengths: None })
    }
}

fn build_blocks(depths: [usize; 4], widths: [usize; 4], variant: Variant, mut side: usize) -> Vec<Block> {
    let (mut blocks, mut input) = (Vec::new(), STEM);
    for (stage, (depth, middle)) in depths.into_iter().zip(widths).enumerate() {
        let output = if variant.bottleneck { middle * EXPANSION } else { middle };
        for number in 0..depth {
            let stride = if stage > 0 && number == 0 { 2 } else { 1 };
            let input_side = side;
            side = side.div_ceil(stride);
            let path = format!("layer{}.{number}", stage + 1);
            blocks.push(Block { path, input, middle, output, stride, variant, input_side, side });
            input = output;
        }
    }
    blocks
}

fn block_node(block: &Block) -> Node {
    let path = |name: String| format!("{}.{name}", block.path);
    let mut children = Vec::new();
    for (n, (shape, stride, side)) in block.convolutions().into_iter().enumerate() {
        let map = map_shape(shape[0], side);
        children.push(conv_node(path(format!("conv{}", n + 1)), shape, stride, map.clone()));
        children.push(batch_norm_node(path(format!("bn{}", n + 1)), shape[0], map));
    }
    let map = map_shape(block.output, block.side);
    if block.reshapes() {
        let ([conv, norm], stride) = block.shortcut();
        let shortcut = vec![
            conv_node(conv, [block.output, block.input, 1, 1], stride, map.clone()),
            batch_norm_node(norm, block.output, map.clone()),
        ];
        let node = Node::inner(path("downsample".into()), Kind::Block, shortcut);
        children.push(node.with_detail("shortcut"));
    }
    let detail = if block.variant.bottleneck { "bottleneck" } else { "residual" };
    let mut node = Node::inner(block.path.clone(), Kind::Block, children).with_detail(detail);
    node.output_shape = map;
    node
}

/// The convolutions of a stem of several are modules of `conv1`, its last norm stands beside it.
fn stem_nodes(variant: Variant, side: usize) -> Vec<Node> {
    let mut nodes = Vec::new();
    for ([conv, norm], shape, stride) in variant.stem() {
        let map = map_shape(shape[0], side);
        nodes.push(conv_node(conv.into(), shape, stride, map.clone()));
        nodes.push(batch_norm_node(norm.into(), shape[0], map));
    }
    if variant.refined {
        let last_norm = nodes.split_off(nodes.len() - 1);
        nodes = vec![Node::inner("conv1", Kind::Block, nodes).with_detail("stem")];
        nodes.extend(last_norm);
    }
    nodes
}

fn build_tree(blocks: &[Block], variant: Variant, size: usize) -> LayerTree {
    let mut children = stem_nodes(variant, size.div_ceil(2));
    for stage in 1..=4 {
        let path = format!("layer{stage}");
        let nodes: Vec<Node> =
            blocks.iter().filter(|b| is_at_or_below(&b.path, &path)).map(block_node).collect();
        children.push(stage_node(path, nodes));
    }
    let mut root = Node::inner("", Kind::Model, children);
    root.output_shape = vec![Dim::Fixed(blocks.last().map_or(STEM, |b| b.output))];
    let block_of = |path: &str| blocks.iter().position(|b| is_at_or_below(path, &b.path));
    LayerTree::new(root, |path| block_of(path).map_or(0, |block| block + 1))
}

fn build_cuts(blocks: &[Block], size: usize) -> Vec<Cut> {
    let mut cuts = vec![Cut { name: "input".into(), shape: map_shape(3, size) }];
    for block in blocks {
        let shape = map_shape(block.input, block.input_side);
        cuts.push(Cut { name: block.path.clone(), shape });
    }
    let features = blocks.last().map_or(STEM, |b| b.output);
    cuts.push(Cut { name: "head".into(), shape: vec![Dim::Fixed(features)] });
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    /// Totals printed from the models that timm 1.0 builds, without their classifiers.
    #[test]
    fn parameters_are_those_of_timm() {
        for (name, parameters) in [
            ("resnet18", 11_176_512),
            ("resnet26", 13_946_176),
            ("resnet34", 21_284_672),
            ("resnet50", 23_508_032),
            ("resnet101", 42_500_160),
            ("resnet152", 58_143_808),
            ("resnet18d", 11_195_744),
            ("resnet26d", 13_965_408),
            ("resnet34d", 21_303_904),
            ("resnet50d", 23_527_264),
            ("resnet101d", 42_519_392),
            ("resnet152d", 58_163_040),
        ] {
            let config = json!({"architecture": name});
            let (_, net) = crate::backbone::registry::describe(&config, Path::new("config.json")).unwrap();
            assert_eq!(net.tree().root().parameters(), parameters, "{name}");
        }
    }

    #[test]
    fn other_arguments_and_sizes_are_errors() {
        for arguments in [
            json!({"stem_type": "deep"}),
            json!({"layers": [1, 1, 1]}),
            json!({"layers": [1, 1, 1, 0]}),
            json!({"channels": [8, 8, 8, -1]}),
            json!({"channels": "wide"}),
        ] {
            let config = json!({"architecture": "resnet18", "model_args": arguments});
            assert!(describe(&config).unwrap().is_err(), "{config}");
        }
        assert!(describe(&json!({"architecture": "resnet18t"})).is_none());
    }
}
