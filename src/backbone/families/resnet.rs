//! ResNet (He et al. 2016): residual blocks of dense convolutions; and ResNet-D (He et al. 2019): with a stem of three
//! convolutions, and shortcuts that average before they narrow.
//!
//! Definition and tensor names follow timm 1.0 (`resnet18`, `resnet50d`, ..), where a bottleneck has its stride in
//! the 3×3 convolution. Networks of transformers (`model_type` "resnet") are the same under other names. Inside a pass tensors are `[batch, height, width, channels]`.

use super::config::{channels, input_size};
use super::layers::{ConvNormSpec, Filter, count_of_blocks, map_shape};
use crate::backbone::family::Family;
use crate::backbone::family::{bad_config, unsupported};
use crate::backbone::layer_tree::{Kind, Module, Node};
use crate::backbone::network::{Body, Facts, Part};
use crate::backbone::pooling::Gather;
use crate::backbone::{Aliases, Architecture, Boundary, InputSize, Pass, Segment, TensorSource};
use crate::data::modality::Modality;
use crate::nn::{Activation, AvgPool2d, ConvNorm, MaxPool2d, Padding, channels_last, conv_norm_chain};
use crate::problem::Result;
use candle_core::Tensor;
use serde_json::Value;

/// ResNet, with ResNet-D among it.
pub const FAMILIES: &[Family] = &[Family { name: "ResNet", describe }];

/// Some libraries put their network into another one.
const ALIASES: Aliases = Aliases {
    wrappers: &["model.", "resnet."],
    beginnings: &[
        ("embedder.embedder.convolution.", "conv1."),
        ("embedder.embedder.normalization.", "bn1."),
        ("encoder.stages.#.layers.#.layer.#.convolution.", "layer{0+}.{1}.conv{2+}."),
        ("encoder.stages.#.layers.#.layer.#.normalization.", "layer{0+}.{1}.bn{2+}."),
        ("encoder.stages.#.layers.#.shortcut.convolution.", "layer{0+}.{1}.downsample.0."),
        ("encoder.stages.#.layers.#.shortcut.normalization.", "layer{0+}.{1}.downsample.1."),
    ],
    ..Aliases::NONE
};

/// Channels of the stem where nothing else is said.
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
    let text = |key: &str| config.get(key).and_then(Value::as_str);
    match text("architecture") {
        Some(name) => {
            let (depths, variant) = member(name)?;
            Some(timms(config, depths).and_then(|numbers| build(config, numbers, variant)))
        }
        None if text("model_type") == Some("resnet") => Some(transformers(config)),
        None => None,
    }
}

/// What tells the members of the family apart by number.
struct Numbers {
    /// Channels of the stem.
    stem: usize,
    /// Blocks in each stage.
    depths: [usize; 4],
    /// Channels of the 3×3 convolutions in each stage.
    widths: [usize; 4],
}

fn timms(config: &Value, mut depths: [usize; 4]) -> Result<Numbers> {
    let mut widths = [64, 128, 256, 512];
    model_args(config, &mut depths, &mut widths)?;
    Ok(Numbers { stem: STEM, depths, widths })
}

/// As transformers' `ResNetConfig` has it, with its defaults.
fn transformers(config: &Value) -> Result<Box<dyn Architecture>> {
    let text = |key: &str, usual: &'static str| match config.get(key) {
        Some(value) => value.as_str().unwrap_or("?").to_string(),
        None => usual.to_string(),
    };
    let bottleneck = match text("layer_type", "bottleneck").as_str() {
        "basic" => false,
        "bottleneck" => true,
        other => return Err(unsupported(&format!("blocks of the kind {other:?} are not known"))),
    };
    let is_on = |key: &str| config.get(key) == Some(&Value::Bool(true));
    for key in ["downsample_in_first_stage", "downsample_in_bottleneck"] {
        if is_on(key) {
            return Err(unsupported(&format!("{key:?} puts the strides elsewhere than this version knows")));
        }
    }
    let act = text("hidden_act", "relu");
    if act != "relu" || config.get("num_channels").is_some_and(|n| n.as_u64() != Some(3)) {
        return Err(unsupported(&format!("its activation is {act:?}, or it takes other pictures than RGB")));
    }
    let four = |key: &str, usual: [usize; 4], highest| match config.get(key) {
        Some(list) => four_numbers(key, list, highest),
        None => Ok(usual),
    };
    let outputs = four("hidden_sizes", [256, 512, 1024, 2048], 65_536)?;
    if bottleneck && outputs.iter().any(|n| !n.is_multiple_of(EXPANSION)) {
        return Err(bad_config("\"hidden_sizes\" must be multiples of 4"));
    }
    let numbers = Numbers {
        stem: channels(config, "embedding_size", STEM)?,
        depths: four("depths", [3, 4, 6, 3], 64)?,
        widths: outputs.map(|n| if bottleneck { n / EXPANSION } else { n }),
    };
    build(config, numbers, Variant { bottleneck, refined: false })
}

fn build(config: &Value, numbers: Numbers, variant: Variant) -> Result<Box<dyn Architecture>> {
    let Numbers { stem, depths, widths } = numbers;
    let size = input_size(config)?.unwrap_or(224);
    let mut body = Body::new(map_shape(3, size), variant.stem(stem, size.div_ceil(2)));
    let blocks = place_blocks(stem, depths, widths, variant, size.div_ceil(2).div_ceil(2));
    for (stage, count) in (1..).zip(depths) {
        body.tell(Module::new(format!("layer{stage}"), Kind::Stage, count_of_blocks(count)));
    }
    let features = blocks.last().map_or(stem, |b| b.output);
    for block in blocks {
        body.add(&block.path, map_shape(block.input, block.input_side), block.describe());
    }
    Ok(body.pool(Gather::GlobalAverage).build(Facts {
        input: InputSize { modality: Modality::Image, size },
        features,
        dropout: 0.0,
        ignored: &["fc.", "classifier."],
        aliases: ALIASES,
    }))
}

impl Variant {
    /// Of `width` channels, for pictures that its first convolution brings to `side` pixels.
    fn stem(self, width: usize, side: usize) -> StemSpec {
        let half = width / 2;
        let layer = |conv: &str, norm: &str, [output, input, kernel]: [usize; 3], stride| {
            normed([conv.into(), norm.into()], [output, input, kernel], stride, Activation::Relu, side)
        };
        StemSpec(match self.refined {
            true => vec![
                layer("conv1.0", "conv1.1", [half, 3, 3], 2),
                layer("conv1.3", "conv1.4", [half, half, 3], 1),
                layer("conv1.6", "bn1", [width, half, 3], 1),
            ],
            false => vec![layer("conv1", "bn1", [width, 3, 7], 2)],
        })
    }
}

/// A convolution of odd size in the middle of its padding, and its norm; `shape` is output, input and kernel.
fn normed(
    paths: [String; 2],
    [output, input, kernel]: [usize; 3],
    stride: usize,
    activation: Activation,
    side: usize,
) -> ConvNormSpec {
    let (filter, padding) = (Filter::Dense { output, input, kernel }, Padding::Symmetric(kernel / 2));
    ConvNormSpec { paths, filter, stride, padding, eps: EPS, activation, side }
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
        *target = four_numbers(key, value, highest)?;
    }
    Ok(())
}

fn four_numbers(key: &str, value: &Value, highest: usize) -> Result<[usize; 4]> {
    let numbers = value.as_array().into_iter().flatten().map(|n| n.as_u64().map(|n| n as usize));
    numbers
        .collect::<Option<Vec<_>>>()
        .and_then(|n| <[usize; 4]>::try_from(n).ok())
        .filter(|numbers| numbers.iter().all(|n| (1..=highest).contains(n)))
        .ok_or_else(|| bad_config(&format!("{key:?} must be four numbers from 1 to {highest}")))
}

/// One block of a stage, in its place.
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

fn place_blocks(
    stem: usize,
    depths: [usize; 4],
    widths: [usize; 4],
    variant: Variant,
    mut side: usize,
) -> Vec<Block> {
    let (mut blocks, mut input) = (Vec::new(), stem);
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

impl Block {
    fn describe(&self) -> ResidualSpec {
        let path = |name: String| format!("{}.{name}", self.path);
        let branch = self.convolutions().into_iter().enumerate().map(|(n, (shape, stride, side))| {
            let paths = [path(format!("conv{}", n + 1)), path(format!("bn{}", n + 1))];
            // That of the last one follows the sum.
            normed(paths, shape, stride, Activation::Relu, side)
        });
        ResidualSpec {
            path: self.path.clone(),
            detail: if self.variant.bottleneck { "bottleneck" } else { "residual" },
            branch: branch.collect(),
            shortcut: self.reshapes().then(|| self.shortcut()),
        }
    }

    /// Whether the shortcut needs a convolution to fit.
    fn reshapes(&self) -> bool {
        self.stride != 1 || self.input != self.output
    }

    fn shortcut(&self) -> ShortcutSpec {
        let path = format!("{}.downsample", self.path);
        let ([conv, norm], stride) = match self.variant.refined {
            // Number 0 is the pooling.
            true => ([1, 2], 1),
            false => ([0, 1], self.stride),
        };
        let paths = [format!("{path}.{conv}"), format!("{path}.{norm}")];
        let layer = normed(paths, [self.output, self.input, 1], stride, Activation::None, self.side);
        let pool = (stride != self.stride).then_some(AvgPool2d {
            kernel: self.stride,
            stride: self.stride,
            padding: Padding::TensorFlowSame,
            counts_padding: false,
        });
        ShortcutSpec { path, pool, layer }
    }

    /// Output, input and kernel, stride and side of the output of each convolution on the way, in order.
    fn convolutions(&self) -> Vec<([usize; 3], usize, usize)> {
        let (input, middle, output) = (self.input, self.middle, self.output);
        match self.variant.bottleneck {
            true => vec![
                ([middle, input, 1], 1, self.input_side),
                ([middle, middle, 3], self.stride, self.side),
                ([output, middle, 1], 1, self.side),
            ],
            false => {
                vec![([middle, input, 3], self.stride, self.side), ([output, middle, 3], 1, self.side)]
            }
        }
    }
}

/// The convolutions of a stem of several are modules of `conv1`, its last norm stands beside it.
struct StemSpec(Vec<ConvNormSpec>);

impl Part for StemSpec {
    fn leaves(&self) -> Vec<Node> {
        self.0.iter().flat_map(ConvNormSpec::nodes).collect()
    }

    fn modules(&self) -> Vec<Module> {
        vec![Module::new("conv1", Kind::Block, "stem")]
    }

    fn load(&self, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>> {
        let layers = self.0.iter().map(|spec| spec.load(source));
        Ok(Box::new(Stem(layers.collect::<Result<_>>()?)))
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

struct ShortcutSpec {
    path: String,
    pool: Option<AvgPool2d>,
    layer: ConvNormSpec,
}

struct Shortcut {
    pool: Option<AvgPool2d>,
    layer: ConvNorm,
}

impl ShortcutSpec {
    fn load(&self, source: &mut dyn TensorSource) -> Result<Shortcut> {
        Ok(Shortcut { pool: self.pool, layer: self.layer.load(source)? })
    }
}

impl Shortcut {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match &self.pool {
            Some(pool) => self.layer.forward(&pool.forward(x)?),
            None => self.layer.forward(x),
        }
    }
}

struct ResidualSpec {
    path: String,
    detail: &'static str,
    branch: Vec<ConvNormSpec>,
    /// None where the input is added as it is.
    shortcut: Option<ShortcutSpec>,
}

impl Part for ResidualSpec {
    fn leaves(&self) -> Vec<Node> {
        let shortcut = self.shortcut.iter().map(|shortcut| &shortcut.layer);
        self.branch.iter().chain(shortcut).flat_map(ConvNormSpec::nodes).collect()
    }

    fn modules(&self) -> Vec<Module> {
        let shortcut = self.shortcut.iter().map(|s| Module::new(&s.path, Kind::Block, "shortcut"));
        [Module::new(&self.path, Kind::Block, self.detail)].into_iter().chain(shortcut).collect()
    }

    fn load(&self, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>> {
        let branch = self.branch.iter().map(|spec| spec.load(source)).collect::<Result<_>>()?;
        let shortcut = self.shortcut.as_ref().map(|spec| spec.load(source)).transpose()?;
        Ok(Box::new(Residual { branch, shortcut }))
    }
}

struct Residual {
    branch: Vec<ConvNorm>,
    /// None where the input is added as it is.
    shortcut: Option<Shortcut>,
}

impl Segment for Residual {
    fn forward(&self, below: &Boundary, _pass: &Pass) -> candle_core::Result<Boundary> {
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(&below.hidden)?,
            None => below.hidden.clone(),
        };
        let branch: Vec<&ConvNorm> = self.branch.iter().collect();
        let hidden = conv_norm_chain(&branch, &below.hidden, Some(&shortcut))?;
        Ok(Boundary { hidden, lengths: None })
    }
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

    /// Parameters of transformers' `ResNetModel` of these configurations.
    #[test]
    fn transformers_networks_are_timms_or_refused() {
        let parameters = |config: Value| {
            let (_, net) = crate::backbone::registry::describe(&config, Path::new("config.json")).unwrap();
            net.tree().root().parameters()
        };
        assert_eq!(parameters(json!({"model_type": "resnet"})), 23_508_032);
        let basic = json!({
            "model_type": "resnet", "layer_type": "basic", "depths": [2, 2, 2, 2], "hidden_sizes": [64, 128, 256, 512],
        });
        assert_eq!(parameters(basic), 11_176_512);
        for (key, value) in [
            ("layer_type", json!("deep")),
            ("downsample_in_first_stage", json!(true)),
            ("downsample_in_bottleneck", json!(true)),
            ("hidden_act", json!("gelu")),
            ("num_channels", json!(4)),
            ("depths", json!([1, 1])),
            ("hidden_sizes", json!([256, 512, 1024, 2047])),
        ] {
            let mut config = json!({"model_type": "resnet"});
            config[key] = value;
            assert!(describe(&config).unwrap().is_err(), "{key}");
        }
    }
}
