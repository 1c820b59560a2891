//! Networks of inverted residual blocks (Sandler et al. 2018), as MobileNets and EfficientNets are: a stem, blocks
//! with depthwise convolutions, and a head. A family says which; tree, cuts and layers follow.
//!
//! Tensor names are those of timm 1.0. Inside a pass tensors are `[batch, height, width, channels]`.

use super::layers::{ConvNormSpec, Filter, PixelConvSpec, count_of_blocks, map_shape};
use crate::backbone::layer_tree::{Dim, Kind, Module, Node};
use crate::backbone::network::{Body, Facts, Part};
use crate::backbone::pooling::Gather;
use crate::backbone::{Aliases, Architecture, Boundary, InputSize, Pass, Segment, TensorSource};
use crate::data::modality::Modality;
use crate::nn::{Activation, ConvNorm, Linear, Padding, SqueezeExcite, channels_last, conv_norm_chain};
use crate::problem::Result;

/// Some libraries put their network into another one.
const ALIASES: Aliases = Aliases { wrappers: &["model."], ..Aliases::NONE };

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

impl Layout {
    /// The network.
    pub fn build(self) -> Box<dyn Architecture> {
        let (stem_side, activation) = (self.size.div_ceil(2), self.style.activation);
        let stem = self.conv_norm("conv_stem", "bn1", dense(self.stem, 3, 3), 2, activation, stem_side);
        let mut body = Body::new(map_shape(3, self.size), Stem(stem));
        body.tell(Module::new("blocks", Kind::Stage, ""));
        for block in &self.blocks {
            body.add(&block.path, map_shape(block.input, block.input_side), self.block(block));
        }
        let (last, side) = self.blocks.last().map_or((self.stem, stem_side), |b| (b.spec.output, b.side));
        let next_stage = self.blocks.last().map_or(0, |b| b.spec.stage + 1);
        for stage in 0..next_stage {
            let count = self.blocks.iter().filter(|b| b.spec.stage == stage).count();
            body.tell(Module::new(format!("blocks.{stage}"), Kind::Stage, count_of_blocks(count)));
        }
        let pointwise = |conv: &str, norm: &str, width: usize| {
            self.conv_norm(conv, norm, dense(width, last, 1), 1, activation, side)
        };
        let pooled = match self.head {
            Head::Pooled => {
                let conv = pointwise("conv_head", "bn2", self.features);
                body.add("conv_head", map_shape(last, side), Conv(conv));
                body.pool(Gather::GlobalAverage)
            }
            Head::Early(width) => {
                let (stage, path) = (format!("blocks.{next_stage}"), format!("blocks.{next_stage}.0"));
                let conv = pointwise(&format!("{path}.conv"), &format!("{path}.bn1"), width);
                body.tell(Module::new(stage, Kind::Stage, count_of_blocks(1)));
                body.tell(Module::new(&path, Kind::Block, "convolution"));
                body.add(&path, map_shape(last, side), Conv(conv));
                let mut pooled = body.pool(Gather::GlobalAverage);
                let path = "conv_head".to_string();
                let conv = PixelConvSpec { path, output: self.features, input: width, activation };
                pooled.add("conv_head", vec![Dim::Fixed(width)], conv);
                pooled
            }
        };
        pooled.build(Facts {
            input: InputSize { modality: Modality::Image, size: self.size },
            features: self.features,
            dropout: 0.0,
            ignored: &["classifier."],
            aliases: ALIASES,
        })
    }

    /// A convolution and its norm, in the style of the lineage.
    fn conv_norm(
        &self,
        conv: &str,
        norm: &str,
        filter: Filter,
        stride: usize,
        activation: Activation,
        side: usize,
    ) -> ConvNormSpec {
        let padding = match self.style.tensorflow {
            true => Padding::TensorFlowSame,
            false => Padding::Symmetric(filter.kernel() / 2),
        };
        let (paths, eps) = ([conv.to_string(), norm.to_string()], self.style.eps);
        ConvNormSpec { paths, filter, stride, padding, eps, activation, side }
    }

    fn block(&self, block: &Block) -> InvertedResidualSpec {
        let Spec { kernel, stride, output, activation, .. } = block.spec;
        let (path, input, middle) = (&block.path, block.input, block.middle);
        let layer = |conv: &str, norm: &str, filter: Filter, stride, activation, side| {
            self.conv_norm(
                &format!("{path}.{conv}"),
                &format!("{path}.{norm}"),
                filter,
                stride,
                activation,
                side,
            )
        };
        // timm numbers the norms in order, and calls the last convolution conv_pw where nothing expands.
        let (expand, filter_norm, [project, project_norm]) = match block.spec.expansion {
            Some(_) => {
                let filter = dense(middle, input, 1);
                let expand = layer("conv_pw", "bn1", filter, 1, activation, block.input_side);
                (Some(expand), "bn2", ["conv_pwl", "bn3"])
            }
            None => (None, "bn1", ["conv_pw", "bn2"]),
        };
        let depthwise = Filter::Depthwise { channels: middle, kernel };
        InvertedResidualSpec {
            path: path.clone(),
            expand,
            filter: layer("conv_dw", filter_norm, depthwise, stride, activation, block.side),
            squeeze: block.spec.squeeze.map(|squeeze| block.squeeze(squeeze)),
            project: layer(project, project_norm, dense(output, middle, 1), 1, Activation::None, block.side),
            is_residual: stride == 1 && input == output,
        }
    }
}

fn dense(output: usize, input: usize, kernel: usize) -> Filter {
    Filter::Dense { output, input, kernel }
}

impl Block {
    fn squeeze(&self, squeeze: Squeeze) -> SqueezeSpec {
        let middle = self.middle;
        let (reduced, inner, gate) = match squeeze {
            Squeeze::ToQuarterOfInput => (self.input / 4, self.spec.activation, Activation::Sigmoid),
            Squeeze::ToQuarterInside => {
                (round_channels(middle, 0.25), Activation::Relu, Activation::HardSigmoid)
            }
        };
        let path = format!("{}.se", self.path);
        let conv = |name: &str, output, input, activation| PixelConvSpec {
            path: format!("{path}.{name}"),
            output,
            input,
            activation,
        };
        SqueezeSpec {
            reduce: conv("conv_reduce", reduced, middle, inner),
            expand: conv("conv_expand", middle, reduced, gate),
            path,
        }
    }
}

struct Stem(ConvNormSpec);

impl Part for Stem {
    fn leaves(&self) -> Vec<Node> {
        self.0.nodes().into()
    }

    fn load(&self, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>> {
        Ok(Box::new(StemLayers(self.0.load(source)?)))
    }
}

struct StemLayers(ConvNorm);

impl Segment for StemLayers {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        let pixels = channels_last(&below.hidden)?;
        Ok(Boundary { hidden: self.0.forward(&pixels)?, lengths: None })
    }
}

struct SqueezeSpec {
    path: String,
    reduce: PixelConvSpec,
    expand: PixelConvSpec,
}

impl SqueezeSpec {
    fn load(&self, source: &mut dyn TensorSource) -> Result<SqueezeExcite> {
        Ok(SqueezeExcite { reduce: self.reduce.load(source)?, expand: self.expand.load(source)? })
    }
}

struct InvertedResidualSpec {
    path: String,
    expand: Option<ConvNormSpec>,
    filter: ConvNormSpec,
    squeeze: Option<SqueezeSpec>,
    project: ConvNormSpec,
    /// Whether the input is added to the result.
    is_residual: bool,
}

impl Part for InvertedResidualSpec {
    fn leaves(&self) -> Vec<Node> {
        let widening = self.expand.iter().chain([&self.filter]).flat_map(ConvNormSpec::nodes);
        let squeeze = self.squeeze.iter().flat_map(|s| [s.reduce.node(), s.expand.node()]);
        widening.chain(squeeze).chain(self.project.nodes()).collect()
    }

    fn modules(&self) -> Vec<Module> {
        let detail = if self.expand.is_some() { "inverted residual" } else { "depthwise separable" };
        let squeeze = self.squeeze.iter().map(|squeeze| Module {
            output_shape: Some(self.filter.output_shape()),
            ..Module::new(&squeeze.path, Kind::Block, "squeeze and excitation")
        });
        [Module::new(&self.path, Kind::Block, detail)].into_iter().chain(squeeze).collect()
    }

    fn load(&self, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>> {
        Ok(Box::new(InvertedResidual {
            expand: self.expand.as_ref().map(|spec| spec.load(source)).transpose()?,
            filter: self.filter.load(source)?,
            project: self.project.load(source)?,
            squeeze: self.squeeze.as_ref().map(|spec| spec.load(source)).transpose()?,
            is_residual: self.is_residual,
        }))
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

/// A convolution with its norm.
struct Conv(ConvNormSpec);

impl Part for Conv {
    fn leaves(&self) -> Vec<Node> {
        self.0.nodes().into()
    }

    fn load(&self, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>> {
        Ok(Box::new(ConvLayers(self.0.load(source)?)))
    }
}

struct ConvLayers(ConvNorm);

impl Segment for ConvLayers {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        Ok(Boundary { hidden: self.0.forward(&below.hidden)?, lengths: None })
    }
}

impl Part for PixelConvSpec {
    fn leaves(&self) -> Vec<Node> {
        vec![self.node()]
    }

    fn load(&self, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>> {
        Ok(Box::new(PixelConv(PixelConvSpec::load(self, source)?)))
    }
}

/// A convolution of one pixel.
struct PixelConv(Linear);

impl Segment for PixelConv {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        Ok(Boundary { hidden: self.0.forward(&below.hidden)?, lengths: None })
    }
}
