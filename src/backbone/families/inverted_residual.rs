//! Networks of inverted residual blocks (Sandler et al. 2018), as MobileNets and EfficientNets are: a stem, blocks
//! with depthwise convolutions, and a head. A family says which; tree, cuts and layers follow.
//!
//! Tensor names are those of timm 1.0. Inside a pass tensors are `[batch, height, width, channels]`.

use super::nodes::{
    ConvNormSpec, batch_norm_node, conv_node, load_pixel_conv, map_shape, pixel_conv_node, stage_node,
};
use crate::backbone::layer_tree::{Dim, Kind, LayerTree, Node, is_at_or_below};
use crate::backbone::{Architecture, Boundary, Cut, InputSize, Pass, Segment, TensorSource};
use crate::data::modality::Modality;
use crate::nn::{
    Activation, ConvNorm, Linear, Padding, SqueezeExcite, channels_last, conv_norm_chain, global_average_pool,
};
use crate::problem::Result;

/// What follows from a family's tables and a configuration.
pub struct Layout {
    /// Side of the pictures in pixels.
    pub size: usize,
    pub style: Style,
    /// Channels of the stem.
    pub stem: usize,
    pub blocks: Vec<Block>,
    pub head: Head,
    /// Length of the feature vector.
    pub features: usize,
}

/// What lineages do differently everywhere.
#[derive(Clone, Copy)]
pub struct Style {
    /// Of the batch norms.
    pub eps: f64,
    /// Pads as TensorFlow does ('same').
    pub tensorflow: bool,
    /// Of stem and head.
    pub activation: Activation,
}

impl Style {
    /// PyTorch's eps and padding, or those of weights that come from TensorFlow.
    pub fn new(tensorflow: bool, activation: Activation) -> Self {
        Self { eps: if tensorflow { 1e-3 } else { 1e-5 }, tensorflow, activation }
    }
}

/// What lies above the blocks.
#[derive(Clone, Copy)]
pub enum Head {
    /// A convolution with its norm, then the mean over the pixels.
    Pooled,
    /// A convolution to this many channels as a stage of its own, the mean over the pixels, and a convolution of that
    /// one pixel, without a norm (the efficient last stage of Howard et al. 2019).
    Early(usize),
}

/// A block before it has its place: a row of a family's table.
#[derive(Clone, Copy)]
pub struct Spec {
    pub stage: usize,
    pub kernel: usize,
    pub stride: usize,
    pub output: usize,
    /// How much wider than its input it is inside; none where nothing expands.
    pub expansion: Option<f64>,
    pub activation: Activation,
    pub squeeze: Option<Squeeze>,
}

/// Squeeze and excitation after the depthwise convolution.
#[derive(Clone, Copy)]
pub enum Squeeze {
    /// By way of a quarter of the block's input channels, with the block's activation and a sigmoid.
    ToQuarterOfInput,
    /// By way of a quarter of the channels inside, rounded, with ReLU and a hard sigmoid.
    ToQuarterInside,
}

/// One block of a stage.
pub struct Block {
    path: String,
    spec: Spec,
    input: usize,
    /// Channels of the depthwise convolution.
    middle: usize,
    /// Height and width of the input and of the output.
    input_side: usize,
    side: usize,
}

/// Puts blocks one above the other, from the `stem` channels of a picture of `size` pixels.
pub fn chain(specs: &[Spec], stem: usize, size: usize) -> Vec<Block> {
    let (mut blocks, mut input, mut side) = (Vec::<Block>::new(), stem, size.div_ceil(2));
    for spec in specs {
        let number = blocks.iter().filter(|b| b.spec.stage == spec.stage).count();
        let middle = spec.expansion.map_or(input, |factor| round_channels(input, factor));
        let input_side = side;
        side = side.div_ceil(spec.stride);
        let path = format!("blocks.{}.{number}", spec.stage);
        blocks.push(Block { path, spec: *spec, input, middle, input_side, side });
        input = spec.output;
    }
    blocks
}

/// Rounds to a multiple of 8, never below 90 % of the wish (timm `round_channels`).
pub fn round_channels(channels: usize, multiplier: f64) -> usize {
    let wish = channels as f64 * multiplier;
    let rounded = (((wish + 4.0) as usize) / 8 * 8).max(8);
    if (rounded as f64) < 0.9 * wish { rounded + 8 } else { rounded }
}

struct Network {
    layout: Layout,
    tree: LayerTree,
    cuts: Vec<Cut>,
}

impl Layout {
    /// The network.
    pub fn build(self) -> Box<dyn Architecture> {
        Box::new(Network { tree: self.tree(), cuts: self.cuts(), layout: self })
    }

    /// Channels and side above the blocks.
    fn last(&self) -> (usize, usize) {
        self.blocks.last().map_or((self.stem, self.size.div_ceil(2)), |b| (b.spec.output, b.side))
    }

    /// The number of the stage above the blocks.
    fn next_stage(&self) -> usize {
        self.blocks.last().map_or(0, |b| b.spec.stage + 1)
    }

    fn tree(&self) -> LayerTree {
        let mut stages = Vec::new();
        for stage in 0..self.next_stage() {
            let blocks: Vec<Node> =
                self.blocks.iter().filter(|b| b.spec.stage == stage).map(Block::node).collect();
            stages.push(stage_node(format!("blocks.{stage}"), blocks));
        }
        let (last, side) = self.last();
        let mut head = Vec::new();
        match self.head {
            Head::Pooled => {
                let map = map_shape(self.features, side);
                head.push(conv_node("conv_head".into(), [self.features, last, 1, 1], 1, map.clone()));
                head.push(batch_norm_node("bn2".into(), self.features, map));
            }
            Head::Early(width) => {
                let (path, map) = (format!("blocks.{}", self.next_stage()), map_shape(width, side));
                let layers = vec![
                    conv_node(format!("{path}.0.conv"), [width, last, 1, 1], 1, map.clone()),
                    batch_norm_node(format!("{path}.0.bn1"), width, map),
                ];
                let block = Node::inner(format!("{path}.0"), Kind::Block, layers).with_detail("convolution");
                stages.push(stage_node(path, vec![block]));
                head.push(pixel_conv_node("conv_head".into(), self.features, width));
            }
        }
        let stem = map_shape(self.stem, self.size.div_ceil(2));
        let mut children = vec![
            conv_node("conv_stem".into(), [self.stem, 3, 3, 3], 2, stem.clone()),
            batch_norm_node("bn1".into(), self.stem, stem),
            Node::inner("blocks", Kind::Stage, stages),
        ];
        children.append(&mut head);
        let mut root = Node::inner("", Kind::Model, children);
        root.output_shape = vec![Dim::Fixed(self.features)];
        LayerTree::new(root, |path| self.segment_of(path))
    }

    fn segment_of(&self, path: &str) -> usize {
        let above = self.blocks.len() + 1;
        match path {
            "conv_stem" | "bn1" => 0,
            "conv_head" | "bn2" => above + usize::from(matches!(self.head, Head::Early(_))),
            _ => self.blocks.iter().position(|b| is_at_or_below(path, &b.path)).map_or(above, |n| n + 1),
        }
    }

    fn cuts(&self) -> Vec<Cut> {
        let mut cuts = vec![Cut { name: "input".into(), shape: map_shape(3, self.size) }];
        for block in &self.blocks {
            cuts.push(Cut { name: block.path.clone(), shape: map_shape(block.input, block.input_side) });
        }
        let (last, side) = self.last();
        let map = map_shape(last, side);
        match self.head {
            Head::Pooled => cuts.push(Cut { name: "conv_head".into(), shape: map }),
            Head::Early(width) => {
                cuts.push(Cut { name: format!("blocks.{}.0", self.next_stage()), shape: map });
                cuts.push(Cut { name: "conv_head".into(), shape: vec![Dim::Fixed(width)] });
            }
        }
        cuts.push(Cut { name: "head".into(), shape: vec![Dim::Fixed(self.features)] });
        cuts
    }

    /// A convolution and its norm.
    fn conv_norm<'a>(
        &self,
        paths: [&'a str; 2],
        shape: [usize; 4],
        stride: usize,
        activation: Activation,
    ) -> ConvNormSpec<'a> {
        let padding = match self.style.tensorflow {
            true => Padding::TensorFlowSame,
            false => Padding::Symmetric(shape[2] / 2),
        };
        // No other convolution has a single input: widths are multiples of 8.
        let depthwise = shape[1] == 1;
        ConvNormSpec { paths, shape, depthwise, stride, padding, eps: self.style.eps, activation }
    }

    fn load_block(&self, block: &Block, source: &mut dyn TensorSource) -> Result<InvertedResidual> {
        let Spec { kernel, stride, output, activation, squeeze, .. } = block.spec;
        let (input, middle) = (block.input, block.middle);
        let mut load = |paths: [String; 2], shape: [usize; 4], stride: usize, activation: Activation| {
            self.conv_norm([&paths[0], &paths[1]], shape, stride, activation).load(source)
        };
        let (expand, filter, project) = block.paths();
        let expand = expand.map(|paths| load(paths, [middle, input, 1, 1], 1, activation)).transpose()?;
        let filter = load(filter, [middle, 1, kernel, kernel], stride, activation)?;
        let project = load(project, [output, middle, 1, 1], 1, Activation::None)?;
        let squeeze = squeeze.map(|squeeze| block.load_squeeze(squeeze, source)).transpose()?;
        Ok(InvertedResidual { expand, filter, squeeze, project, is_residual: stride == 1 && input == output })
    }
}

impl Block {
    /// Paths of the convolutions and their norms: the widening one where there is one, the depthwise and the narrowing
    /// one. timm numbers the norms in order and calls the last convolution conv_pw where nothing expands.
    fn paths(&self) -> (Option<[String; 2]>, [String; 2], [String; 2]) {
        let path = |names: [&str; 2]| names.map(|name| format!("{}.{name}", self.path));
        match self.spec.expansion {
            Some(_) => (Some(path(["conv_pw", "bn1"])), path(["conv_dw", "bn2"]), path(["conv_pwl", "bn3"])),
            None => (None, path(["conv_dw", "bn1"]), path(["conv_pw", "bn2"])),
        }
    }

    /// Channels between squeeze and excitation.
    fn reduced(&self, squeeze: Squeeze) -> usize {
        match squeeze {
            Squeeze::ToQuarterOfInput => self.input / 4,
            Squeeze::ToQuarterInside => round_channels(self.middle, 0.25),
        }
    }

    fn load_squeeze(&self, squeeze: Squeeze, source: &mut dyn TensorSource) -> Result<SqueezeExcite> {
        let (inner, gate) = match squeeze {
            Squeeze::ToQuarterOfInput => (self.spec.activation, Activation::Sigmoid),
            Squeeze::ToQuarterInside => (Activation::Relu, Activation::HardSigmoid),
        };
        let (path, middle, reduced) = (format!("{}.se", self.path), self.middle, self.reduced(squeeze));
        Ok(SqueezeExcite {
            reduce: load_pixel_conv(source, &format!("{path}.conv_reduce"), [reduced, middle], inner)?,
            expand: load_pixel_conv(source, &format!("{path}.conv_expand"), [middle, reduced], gate)?,
        })
    }

    fn node(&self) -> Node {
        let Spec { kernel, stride, output, squeeze, .. } = self.spec;
        let middle = self.middle;
        let (wide, filtered) = (map_shape(middle, self.input_side), map_shape(middle, self.side));
        let mut children = Vec::new();
        let mut push = |[conv, norm]: [String; 2], shape: [usize; 4], stride: usize, map: Vec<Dim>| {
            children.push(conv_node(conv, shape, stride, map.clone()));
            children.push(batch_norm_node(norm, shape[0], map));
        };
        let (expand, filter, project) = self.paths();
        let detail = if expand.is_some() { "inverted residual" } else { "depthwise separable" };
        if let Some(expand) = expand {
            push(expand, [middle, self.input, 1, 1], 1, wide);
        }
        push(filter, [middle, 1, kernel, kernel], stride, filtered.clone());
        push(project, [output, middle, 1, 1], 1, map_shape(output, self.side));
        if let Some(squeeze) = squeeze {
            let (path, reduced) = (format!("{}.se", self.path), self.reduced(squeeze));
            let layers = vec![
                pixel_conv_node(format!("{path}.conv_reduce"), reduced, middle),
                pixel_conv_node(format!("{path}.conv_expand"), middle, reduced),
            ];
            let mut node = Node::inner(path, Kind::Block, layers).with_detail("squeeze and excitation");
            node.output_shape = filtered;
            // Between the depthwise convolution with its norm and the narrowing one.
            children.insert(children.len() - 2, node);
        }
        Node::inner(self.path.clone(), Kind::Block, children).with_detail(detail)
    }
}

impl Architecture for Network {
    fn tree(&self) -> &LayerTree {
        &self.tree
    }

    fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    fn ignored(&self) -> &[&'static str] {
        &["classifier."]
    }

    fn input(&self) -> InputSize {
        InputSize { modality: Modality::Image, size: self.layout.size }
    }

    fn pooling(&self) -> &'static str {
        "global_average"
    }

    fn load_segment(&self, segment: usize, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>> {
        let net = &self.layout;
        let activation = net.style.activation;
        let Some(number) = segment.checked_sub(1) else {
            let shape = [net.stem, 3, 3, 3];
            return Ok(Box::new(Stem(
                net.conv_norm(["conv_stem", "bn1"], shape, 2, activation).load(source)?,
            )));
        };
        if let Some(block) = net.blocks.get(number) {
            return Ok(Box::new(net.load_block(block, source)?));
        }
        let (last, _) = net.last();
        let mut pooled = |paths: [&str; 2], width: usize| -> Result<Box<dyn Segment>> {
            let spec = net.conv_norm(paths, [width, last, 1, 1], 1, activation);
            Ok(Box::new(ConvAndMean(spec.load(source)?)))
        };
        match net.head {
            Head::Pooled => pooled(["conv_head", "bn2"], net.features),
            Head::Early(width) if number == net.blocks.len() => {
                let path = format!("blocks.{}.0", net.next_stage());
                pooled([&format!("{path}.conv"), &format!("{path}.bn1")], width)
            }
            Head::Early(width) => {
                let shape = [net.features, width];
                Ok(Box::new(PixelConv(load_pixel_conv(source, "conv_head", shape, activation)?)))
            }
        }
    }
}

struct Stem(ConvNorm);

impl Segment for Stem {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        let pixels = channels_last(&below.hidden)?;
        Ok(Boundary { hidden: self.0.forward(&pixels)?, lengths: None })
    }
}

struct InvertedResidual {
    expand: Option<ConvNorm>,
    filter: ConvNorm,
    squeeze: Option<SqueezeExcite>,
    project: ConvNorm,
    /// Whether the input is added to the result.
    is_residual: bool,
}

impl Segment for InvertedResidual {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        let x = &below.hidden;
        let residual = self.is_residual.then_some(x);
        let widening: Vec<&ConvNorm> = self.expand.iter().chain([&self.filter]).collect();
        let hidden = match &self.squeeze {
            Some(squeeze) => {
                let weighed = squeeze.forward(&conv_norm_chain(&widening, x, None)?)?;
                conv_norm_chain(&[&self.project], &weighed, residual)?
            }
            None => conv_norm_chain(&[&widening[..], &[&self.project]].concat(), x, residual)?,
        };
        Ok(Boundary { hidden, lengths: None })
    }
}

struct ConvAndMean(ConvNorm);

impl Segment for ConvAndMean {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        let hidden = self.0.forward(&below.hidden)?;
        Ok(Boundary { hidden: global_average_pool(&hidden)?, lengths: None })
    }
}

/// A convolution of one pixel.
struct PixelConv(Linear);

impl Segment for PixelConv {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        Ok(Boundary { hidden: self.0.forward(&below.hidden)?, lengths: None })
    }
}
