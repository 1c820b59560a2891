//! Leaves that several families share, and how they are loaded.

use crate::backbone::TensorSource;
use crate::backbone::layer_tree::{Dim, Kind, Node, Role};
use crate::backbone::spec::bad_config;
use crate::nn::{Activation, BatchNorm, Conv2d, ConvNorm, Convolution, DepthwiseConv2d, Linear, Padding};
use crate::problem::Result;
use serde_json::Value;

/// The side of the pictures that `pretrained_cfg.input_size` of timm's configurations names.
///
/// # Errors
/// Pictures that are not square and RGB, or of a side outside 32 to 1024.
pub fn input_size(config: &Value) -> Result<Option<usize>> {
    let asked = config.get("pretrained_cfg").and_then(|c| c.get("input_size")).and_then(Value::as_array);
    let Some(asked) = asked else { return Ok(None) };
    let sides: Vec<u64> = asked.iter().filter_map(Value::as_u64).collect();
    match sides[..] {
        [3, height, width] if height == width && (32..=1024).contains(&height) => Ok(Some(height as usize)),
        _ => Err(bad_config("\"input_size\" must be [3, n, n] with n from 32 to 1024")),
    }
}

/// A multiplier that `config.json` may give in place of the family's.
///
/// # Errors
/// It is no number from 0.01 to 10.
pub fn multiplier(config: &Value, key: &str, usual: f64) -> Result<f64> {
    let Some(given) = config.get(key) else { return Ok(usual) };
    let number = given.as_f64().filter(|m| (0.01..=10.0).contains(m));
    number.ok_or_else(|| bad_config(&format!("{key:?} must lie between 0.01 and 10")))
}

/// A number of channels that `config.json` may give in place of the family's.
///
/// # Errors
/// It is no number from 1 to 65536.
pub fn channels(config: &Value, key: &str, usual: usize) -> Result<usize> {
    let Some(given) = config.get(key) else { return Ok(usual) };
    let number = given.as_u64().filter(|n| (1..=65_536).contains(n)).map(|n| n as usize);
    number.ok_or_else(|| bad_config(&format!("{key:?} must lie between 1 and 65536")))
}

/// For families that know none of timm's `model_args`.
///
/// # Errors
/// There is one: it would make another network.
pub fn no_model_args(config: &Value) -> Result<()> {
    match config.get("model_args").and_then(Value::as_object).and_then(|arguments| arguments.keys().next()) {
        Some(key) => Err(bad_config(&format!("the model argument {key:?} is not supported"))),
        None => Ok(()),
    }
}

/// The layers of a [`conv_node`] and of the [`batch_norm_node`] after it.
pub struct ConvNormSpec<'a> {
    /// Paths of both.
    pub paths: [&'a str; 2],
    /// `[output, input / groups, kernel, kernel]`; one input is a depthwise convolution where `depthwise` says so.
    pub shape: [usize; 4],
    pub depthwise: bool,
    pub stride: usize,
    pub padding: Padding,
    pub eps: f64,
    pub activation: Activation,
}

impl ConvNormSpec<'_> {
    pub fn load(self, source: &mut dyn TensorSource) -> Result<ConvNorm> {
        let [conv, norm] = self.paths;
        let (stride, padding) = (self.stride, self.padding);
        let weight = source.param(&format!("{conv}.weight"), &self.shape)?;
        let convolution = match self.depthwise {
            true => Convolution::Depthwise(DepthwiseConv2d { weight, stride, padding }),
            false => Convolution::Dense(Conv2d { weight, bias: None, stride, padding }),
        };
        let norm = load_batch_norm(source, norm, self.shape[0], self.eps, self.activation)?;
        Ok(ConvNorm { convolution, norm })
    }
}

/// The layer of a [`batch_norm_node`].
fn load_batch_norm(
    source: &mut dyn TensorSource,
    path: &str,
    channels: usize,
    eps: f64,
    activation: Activation,
) -> Result<BatchNorm> {
    Ok(BatchNorm {
        weight: source.param(&format!("{path}.weight"), &[channels])?,
        bias: source.param(&format!("{path}.bias"), &[channels])?,
        running_mean: source.statistic(&format!("{path}.running_mean"), &[channels])?,
        running_var: source.statistic(&format!("{path}.running_var"), &[channels])?,
        eps,
        activation,
    })
}

/// The layer of a [`pixel_conv_node`]; `shape` is `[output, input]`.
pub fn load_pixel_conv(
    source: &mut dyn TensorSource,
    path: &str,
    [output, input]: [usize; 2],
    activation: Activation,
) -> Result<Linear> {
    Ok(Linear {
        weight: source.param(&format!("{path}.weight"), &[output, input, 1, 1])?,
        bias: Some(source.param(&format!("{path}.bias"), &[output])?),
        activation,
    })
}

/// `[channels, side, side]`.
pub fn map_shape(channels: usize, side: usize) -> Vec<Dim> {
    vec![Dim::Fixed(channels), Dim::Fixed(side), Dim::Fixed(side)]
}

/// A convolution without bias; `shape` is `[output, input / groups, kernel, kernel]`.
pub fn conv_node(path: String, shape: [usize; 4], stride: usize, output: Vec<Dim>) -> Node {
    let kind = if shape[1] == 1 && shape[0] > 1 && shape[2] > 1 {
        Kind::DepthwiseConvolution
    } else {
        Kind::Convolution
    };
    let step = if stride > 1 { format!(" /{stride}") } else { String::new() };
    let detail = format!("{0}×{0}{step}", shape[2]);
    Node::leaf(path, kind, output, &[("weight", &shape, Role::Weight)]).with_detail(detail)
}

/// A batch norm with its running statistics.
pub fn batch_norm_node(path: String, channels: usize, output: Vec<Dim>) -> Node {
    let shape: &[usize] = &[channels];
    let tensors = [
        ("weight", shape, Role::Vector),
        ("bias", shape, Role::Vector),
        ("running_mean", shape, Role::Statistic),
        ("running_var", shape, Role::Statistic),
    ];
    Node::leaf(path, Kind::BatchNorm, output, &tensors)
}

/// A convolution with bias over the means of the channels: one pixel, so a linear layer with a convolution's weight.
pub fn pixel_conv_node(path: String, output: usize, input: usize) -> Node {
    let tensors: [(&str, &[usize], Role); 2] =
        [("weight", &[output, input, 1, 1], Role::Weight), ("bias", &[output], Role::Vector)];
    Node::leaf(path, Kind::Convolution, vec![Dim::Fixed(output)], &tensors).with_detail("1×1")
}

/// A stage of blocks.
pub fn stage_node(path: String, blocks: Vec<Node>) -> Node {
    let count = blocks.len();
    let detail = format!("{count} block{}", if count == 1 { "" } else { "s" });
    Node::inner(path, Kind::Stage, blocks).with_detail(detail)
}

/// `[tokens, features]`.
pub fn token_shape(features: usize) -> Vec<Dim> {
    vec![Dim::Tokens, Dim::Fixed(features)]
}

/// A table of `rows` vectors.
pub fn embedding_node(path: &str, rows: usize, hidden: usize) -> Node {
    Node::leaf(path, Kind::Embedding, token_shape(hidden), &[("weight", &[rows, hidden], Role::Weight)])
        .with_detail(format!("{rows} rows"))
}

/// A linear layer with bias over tokens.
pub fn linear_node(path: String, output: usize, input: usize) -> Node {
    let tensors: [(&str, &[usize], Role); 2] =
        [("weight", &[output, input], Role::Weight), ("bias", &[output], Role::Vector)];
    Node::leaf(path, Kind::Linear, token_shape(output), &tensors).with_detail(format!("{input} to {output}"))
}

/// A layer norm over tokens.
pub fn layer_norm_node(path: String, hidden: usize) -> Node {
    let tensors: [(&str, &[usize], Role); 2] =
        [("weight", &[hidden], Role::Vector), ("bias", &[hidden], Role::Vector)];
    Node::leaf(path, Kind::LayerNorm, token_shape(hidden), &tensors)
}
