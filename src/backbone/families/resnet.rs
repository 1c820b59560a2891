//! ResNet (He et al. 2016): residual blocks of dense convolutions.
//!
//! Definition and tensor names follow timm 1.0 (`resnet18`, `resnet50`, ..), where a bottleneck has its stride in
//! the 3×3 convolution. Inside a pass tensors are `[batch, height, width, channels]`.

use super::nodes::{ConvNormSpec, batch_norm_node, conv_node, input_size, map_shape};
use crate::backbone::layer_tree::{Dim, Kind, LayerTree, Node, is_at_or_below};
use crate::backbone::registry::Family;
use crate::backbone::spec::bad_config;
use crate::backbone::{Architecture, Boundary, Cut, InputKind, Pass, Segment, TensorSource};
use crate::nn::{Activation, ConvNorm, MaxPool2d, Padding, global_average_pool};
use crate::problem::Result;
use serde_json::Value;

pub const RESNET: Family = Family { name: "ResNet", describe };

/// Channels of the stem.
const STEM: usize = 64;
const EPS: f64 = 1e-5;
/// A bottleneck gives this many times the channels of its 3×3 convolution.
const EXPANSION: usize = 4;

/// The number of blocks in each stage, and whether they are bottlenecks.
fn plain_depths(name: &str) -> Option<([usize; 4], bool)> {
    Some(match name {
        "resnet18" => ([2, 2, 2, 2], false),
        "resnet26" => ([2, 2, 2, 2], true),
        "resnet34" => ([3, 4, 6, 3], false),
        "resnet50" => ([3, 4, 6, 3], true),
        "resnet101" => ([3, 4, 23, 3], true),
        "resnet152" => ([3, 8, 36, 3], true),
        _ => return None,
    })
}

fn describe(config: &Value) -> Option<Result<Box<dyn Architecture>>> {
    let (depths, bottleneck) = plain_depths(config.get("architecture")?.as_str()?)?;
    Some(ResNet::new(config, depths, bottleneck).map(|net| Box::new(net) as Box<dyn Architecture>))
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
    bottleneck: bool,
    /// Height and width of the input and of the output.
    input_side: usize,
    side: usize,
}

impl Block {
    /// Whether the shortcut needs a convolution to fit.
    fn reshapes(&self) -> bool {
        self.stride != 1 || self.input != self.output
    }

    /// Shape, stride and side of the output of each convolution on the way, in order.
    fn convolutions(&self) -> Vec<([usize; 4], usize, usize)> {
        let (input, middle, output) = (self.input, self.middle, self.output);
        match self.bottleneck {
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
    blocks: Vec<Block>,
    size: usize,
}

impl ResNet {
    fn new(config: &Value, mut depths: [usize; 4], bottleneck: bool) -> Result<Self> {
        let mut widths = [64, 128, 256, 512];
        model_args(config, &mut depths, &mut widths)?;
        let size = input_size(config)?.unwrap_or(224);
        let blocks = build_blocks(depths, widths, bottleneck, size.div_ceil(2).div_ceil(2));
        Ok(Self { tree: build_tree(&blocks, size), cuts: build_cuts(&blocks, size), blocks, size })
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
        let shape = [block.output, block.input, 1, 1];
        let names = [path("downsample.0"), path("downsample.1")];
        let shortcut = match block.reshapes() {
            true => Some(normed([&names[0], &names[1]], shape, block.stride, Activation::None).load(source)?),
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

    fn input(&self) -> InputKind {
        InputKind::Image { size: self.size }
    }

    fn pooling(&self) -> &'static str {
        "global_average"
    }

    fn load_segment(&self, segment: usize, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>> {
        Ok(match segment.checked_sub(1) {
            None => {
                Box::new(Stem(normed(["conv1", "bn1"], [STEM, 3, 7, 7], 2, Activation::Relu).load(source)?))
            }
            Some(number) => Box::new(self.load_block(number, source)?),
        })
    }
}

struct Stem(ConvNorm);

impl Segment for Stem {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        let pixels = below.hidden.permute((0, 2, 3, 1))?.contiguous()?;
        let pool = MaxPool2d { kernel: 3, stride: 2, padding: Padding::Symmetric(1) };
        Ok(Boundary { hidden: pool.forward(&self.0.forward(&pixels)?)?, lengths: None })
    }
}

struct Residual {
    branch: Vec<ConvNorm>,
    /// None where the input is added as it is.
    shortcut: Option<ConvNorm>,
    /// The last block also pools.
    pools: bool,
}

impl Segment for Residual {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(&below.hidden)?,
            None => below.hidden.clone(),
        };
        let Some((last, first)) = self.branch.split_last() else { return Ok(below.clone()) };
        let inner = first.iter().try_fold(below.hidden.clone(), |x, layer| layer.forward(&x))?;
        let hidden = last.forward_add(&inner, &shortcut)?;
        let hidden = if self.pools { global_average_pool(&hidden)? } else { hidden };
        Ok(Boundary { hidden, lengths: None })
    }
}

fn build_blocks(depths: [usize; 4], widths: [usize; 4], bottleneck: bool, mut side: usize) -> Vec<Block> {
    let (mut blocks, mut input) = (Vec::new(), STEM);
    for (stage, (depth, middle)) in depths.into_iter().zip(widths).enumerate() {
        let output = if bottleneck { middle * EXPANSION } else { middle };
        for number in 0..depth {
            let stride = if stage > 0 && number == 0 { 2 } else { 1 };
            let input_side = side;
            side = side.div_ceil(stride);
            let path = format!("layer{}.{number}", stage + 1);
            blocks.push(Block { path, input, middle, output, stride, bottleneck, input_side, side });
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
        let shape = [block.output, block.input, 1, 1];
        let shortcut = vec![
            conv_node(path("downsample.0".into()), shape, block.stride, map.clone()),
            batch_norm_node(path("downsample.1".into()), block.output, map.clone()),
        ];
        let node = Node::inner(path("downsample".into()), Kind::Block, shortcut);
        children.push(node.with_detail("shortcut"));
    }
    let detail = if block.bottleneck { "bottleneck" } else { "residual" };
    let mut node = Node::inner(block.path.clone(), Kind::Block, children).with_detail(detail);
    node.output_shape = map;
    node
}

fn build_tree(blocks: &[Block], size: usize) -> LayerTree {
    let stem = map_shape(STEM, size.div_ceil(2));
    let mut children = vec![
        conv_node("conv1".into(), [STEM, 3, 7, 7], 2, stem.clone()),
        batch_norm_node("bn1".into(), STEM, stem),
    ];
    for stage in 1..=4 {
        let path = format!("layer{stage}");
        let nodes: Vec<Node> =
            blocks.iter().filter(|b| is_at_or_below(&b.path, &path)).map(block_node).collect();
        let count = nodes.len();
        let detail = format!("{count} block{}", if count == 1 { "" } else { "s" });
        children.push(Node::inner(path, Kind::Stage, nodes).with_detail(detail));
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
        assert!(describe(&json!({"architecture": "resnet18d"})).is_none());
    }
}
