//! Leaf layers that families share, each described once: a spec makes the node of the tree (`node`) and the layer with
//! its tensors from a source (`load`), both from one list of tensors. Loading fails where the source does.

use crate::backbone::TensorSource;
use crate::backbone::layer_tree::{Dim, Kind, Node, Role, TensorSpec};
use crate::nn::{
    Activation, BatchNorm, Conv2d, ConvNorm, Convolution, DepthwiseConv2d, Embedding, LayerNorm, Linear,
    Padding, Param, Statistic,
};
use crate::problem::Result;

/// A linear layer with bias over tokens.
pub struct LinearSpec {
    pub path: String,
    pub output: usize,
    pub input: usize,
    pub activation: Activation,
}

impl LinearSpec {
    fn tensors(&self) -> [TensorSpec; 2] {
        let path = &self.path;
        [weight(path, &[self.output, self.input]), vector(path, "bias", self.output)]
    }

    /// The leaf of the tree: `[tokens, output]`.
    pub fn node(&self) -> Node {
        Node::leaf(&self.path, Kind::Linear, token_shape(self.output), self.tensors())
            .with_detail(format!("{} to {}", self.input, self.output))
    }

    /// The layer with its tensors from `source`.
    pub fn load(&self, source: &mut dyn TensorSource) -> Result<Linear> {
        load_linear(source, self.tensors(), self.activation)
    }
}

/// A convolution with bias over the means of the channels: one pixel, so a linear layer with a convolution's weight.
pub struct PixelConvSpec {
    pub path: String,
    pub output: usize,
    pub input: usize,
    pub activation: Activation,
}

impl PixelConvSpec {
    fn tensors(&self) -> [TensorSpec; 2] {
        let path = &self.path;
        [weight(path, &[self.output, self.input, 1, 1]), vector(path, "bias", self.output)]
    }

    /// The leaf of the tree: `[output]`.
    pub fn node(&self) -> Node {
        Node::leaf(&self.path, Kind::Convolution, vec![Dim::Fixed(self.output)], self.tensors())
            .with_detail("1×1")
    }

    /// The layer with its tensors from `source`.
    pub fn load(&self, source: &mut dyn TensorSource) -> Result<Linear> {
        load_linear(source, self.tensors(), self.activation)
    }
}

fn load_linear(
    source: &mut dyn TensorSource,
    [weight, bias]: [TensorSpec; 2],
    activation: Activation,
) -> Result<Linear> {
    Ok(Linear { weight: param(source, &weight)?, bias: Some(param(source, &bias)?), activation })
}

/// A table of `rows` vectors.
pub struct EmbeddingSpec {
    pub path: String,
    pub rows: usize,
    pub features: usize,
}

impl EmbeddingSpec {
    fn table(&self) -> TensorSpec {
        weight(&self.path, &[self.rows, self.features])
    }

    /// The leaf of the tree: `[tokens, features]`.
    pub fn node(&self) -> Node {
        Node::leaf(&self.path, Kind::Embedding, token_shape(self.features), [self.table()])
            .with_detail(format!("{} rows", self.rows))
    }

    /// The table from `source`.
    pub fn load(&self, source: &mut dyn TensorSource) -> Result<Embedding> {
        Ok(Embedding { table: param(source, &self.table())? })
    }
}

/// A layer norm over tokens.
pub struct LayerNormSpec {
    pub path: String,
    pub features: usize,
    pub eps: f64,
}

impl LayerNormSpec {
    fn tensors(&self) -> [TensorSpec; 2] {
        ["weight", "bias"].map(|last| vector(&self.path, last, self.features))
    }

    /// The leaf of the tree: `[tokens, features]`.
    pub fn node(&self) -> Node {
        Node::leaf(&self.path, Kind::LayerNorm, token_shape(self.features), self.tensors())
    }

    /// The norm with its tensors from `source`.
    pub fn load(&self, source: &mut dyn TensorSource) -> Result<LayerNorm> {
        let [weight, bias] = self.tensors();
        Ok(LayerNorm { weight: param(source, &weight)?, bias: param(source, &bias)?, eps: self.eps })
    }
}

/// A convolution without bias, and the batch norm with the activation after it.
pub struct ConvNormSpec {
    /// Paths of both.
    pub paths: [String; 2],
    pub filter: Filter,
    pub stride: usize,
    pub padding: Padding,
    pub eps: f64,
    pub activation: Activation,
    /// Height and width of the output.
    pub side: usize,
}

/// What a convolution sees.
#[derive(Clone, Copy)]
pub enum Filter {
    /// All channels.
    Dense { output: usize, input: usize, kernel: usize },
    /// Each channel by itself.
    Depthwise { channels: usize, kernel: usize },
}

impl Filter {
    /// Of the weight: `[output, input / groups, kernel, kernel]`.
    fn shape(self) -> [usize; 4] {
        match self {
            Self::Dense { output, input, kernel } => [output, input, kernel, kernel],
            Self::Depthwise { channels, kernel } => [channels, 1, kernel, kernel],
        }
    }

    /// Height and width of the kernel.
    pub fn kernel(self) -> usize {
        self.shape()[2]
    }

    /// Channels of the output.
    pub fn output(self) -> usize {
        self.shape()[0]
    }

    fn kind(self) -> Kind {
        match self {
            Self::Dense { .. } => Kind::Convolution,
            Self::Depthwise { .. } => Kind::DepthwiseConvolution,
        }
    }
}

impl ConvNormSpec {
    fn conv(&self) -> TensorSpec {
        weight(&self.paths[0], &self.filter.shape())
    }

    /// Weight and bias of the norm.
    fn norm(&self) -> [TensorSpec; 2] {
        ["weight", "bias"].map(|last| vector(&self.paths[1], last, self.filter.output()))
    }

    /// Running mean and variance.
    fn statistics(&self) -> [TensorSpec; 2] {
        let shape = [self.filter.output()];
        ["running_mean", "running_var"]
            .map(|last| TensorSpec::new(&self.paths[1], last, &shape, Role::Statistic))
    }

    /// `[channels, side, side]` of the output.
    pub fn output_shape(&self) -> Vec<Dim> {
        map_shape(self.filter.output(), self.side)
    }

    /// The leaves of the tree: the convolution, then the norm.
    pub fn nodes(&self) -> [Node; 2] {
        let ([conv, norm], kernel) = (&self.paths, self.filter.kernel());
        let step = if self.stride > 1 { format!(" /{}", self.stride) } else { String::new() };
        let norm_tensors = [self.norm(), self.statistics()].concat();
        [
            Node::leaf(conv, self.filter.kind(), self.output_shape(), [self.conv()])
                .with_detail(format!("{kernel}×{kernel}{step}")),
            Node::leaf(norm, Kind::BatchNorm, self.output_shape(), norm_tensors),
        ]
    }

    /// Both layers with their tensors from `source`.
    pub fn load(&self, source: &mut dyn TensorSource) -> Result<ConvNorm> {
        let (stride, padding) = (self.stride, self.padding);
        let weight = param(source, &self.conv())?;
        let convolution = match self.filter {
            Filter::Dense { .. } => Convolution::Dense(Conv2d { weight, bias: None, stride, padding }),
            Filter::Depthwise { .. } => Convolution::Depthwise(DepthwiseConv2d { weight, stride, padding }),
        };
        let ([weight, bias], [mean, variance]) = (self.norm(), self.statistics());
        let norm = BatchNorm {
            weight: param(source, &weight)?,
            bias: param(source, &bias)?,
            running_mean: statistic(source, &mean)?,
            running_var: statistic(source, &variance)?,
            eps: self.eps,
            activation: self.activation,
        };
        Ok(ConvNorm { convolution, norm })
    }
}

fn weight(path: &str, shape: &[usize]) -> TensorSpec {
    TensorSpec::new(path, "weight", shape, Role::Weight)
}

fn vector(path: &str, last: &str, len: usize) -> TensorSpec {
    TensorSpec::new(path, last, &[len], Role::Vector)
}

fn param(source: &mut dyn TensorSource, tensor: &TensorSpec) -> Result<Param> {
    source.param(&tensor.name, &tensor.shape)
}

fn statistic(source: &mut dyn TensorSource, tensor: &TensorSpec) -> Result<Statistic> {
    source.statistic(&tensor.name, &tensor.shape)
}

/// `[channels, side, side]`.
pub fn map_shape(channels: usize, side: usize) -> Vec<Dim> {
    vec![Dim::Fixed(channels), Dim::Fixed(side), Dim::Fixed(side)]
}

/// `[tokens, features]`.
pub fn token_shape(features: usize) -> Vec<Dim> {
    vec![Dim::Tokens, Dim::Fixed(features)]
}

/// `3 blocks`, for a stage.
pub fn count_of_blocks(count: usize) -> String {
    format!("{count} block{}", if count == 1 { "" } else { "s" })
}
