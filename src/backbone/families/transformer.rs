//! What encoders of transformers share: sizes, attention, and layers.
//!
//! Inside a pass the tokens of all samples lie one after another without padding, so no attention mask is needed. An
//! order of norms is a layer of its own over the same attention and feed-forward: [`PostNormLayer`] puts a norm after
//! each sum, as Vaswani et al. (2017) do.

use super::config::number;
use super::layers::{LayerNormSpec, LinearSpec};
use crate::backbone::family::bad_config;
use crate::backbone::layer_tree::{Kind, Module, Node};
use crate::backbone::network::Part;
use crate::backbone::{Boundary, Pass, Segment, TensorSource};
use crate::nn::{Dropout, LayerNorm, Linear, Param, attention, dropout_add};
use crate::problem::Result;
use candle_core::Tensor;
use serde_json::Value;

/// Dimensions of an encoder.
#[derive(Clone, Copy)]
pub struct EncoderSize {
    pub hidden: usize,
    /// Inside the feed-forward.
    pub intermediate: usize,
    pub layers: usize,
    pub heads: usize,
}

/// What a family's configuration calls the dimensions.
pub struct SizeKeys {
    pub hidden: &'static str,
    pub intermediate: &'static str,
    pub layers: &'static str,
    pub heads: &'static str,
}

impl EncoderSize {
    /// Reads the dimensions.
    ///
    /// # Errors
    /// One is missing or out of range, or the heads do not part the hidden features evenly.
    pub fn read(config: &Value, keys: &SizeKeys) -> Result<Self> {
        let size = Self {
            hidden: number(config, keys.hidden, 16_384)?,
            intermediate: number(config, keys.intermediate, 65_536)?,
            layers: number(config, keys.layers, 256)?,
            heads: number(config, keys.heads, 256)?,
        };
        if !size.hidden.is_multiple_of(size.heads) {
            return Err(bad_config(&format!("{:?} must be a multiple of {:?}", keys.hidden, keys.heads)));
        }
        Ok(size)
    }
}

/// Attention of the tokens of a sample to each other.
pub struct AttentionSpec {
    /// Path of the module with the three projections.
    pub path: String,
    pub heads: usize,
    pub query: LinearSpec,
    pub key: LinearSpec,
    pub value: LinearSpec,
    pub output: LinearSpec,
}

impl AttentionSpec {
    fn linears(&self) -> [&LinearSpec; 4] {
        [&self.query, &self.key, &self.value, &self.output]
    }

    fn module(&self) -> Module {
        Module::new(&self.path, Kind::Attention, format!("{} heads", self.heads))
    }

    fn load(&self, source: &mut dyn TensorSource) -> Result<Attention> {
        Ok(Attention {
            heads: self.heads,
            query: self.query.load(source)?,
            key: self.key.load(source)?,
            value: self.value.load(source)?,
            output: self.output.load(source)?,
        })
    }
}

struct Attention {
    heads: usize,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
}

impl Attention {
    /// `[tokens, features]` to the same shape; `dropout` falls on the probabilities.
    fn forward(&self, x: &Tensor, lengths: &[usize], dropout: Dropout) -> candle_core::Result<Tensor> {
        let (q, k, v) = (self.query.forward(x)?, self.key.forward(x)?, self.value.forward(x)?);
        self.output.forward(&attention(&q, &k, &v, lengths, self.heads, dropout)?)
    }
}

/// Two linear layers over each token by itself.
pub struct FeedForwardSpec {
    /// With the activation between the two.
    pub widen: LinearSpec,
    pub narrow: LinearSpec,
}

impl FeedForwardSpec {
    fn load(&self, source: &mut dyn TensorSource) -> Result<FeedForward> {
        Ok(FeedForward { widen: self.widen.load(source)?, narrow: self.narrow.load(source)? })
    }
}

struct FeedForward {
    widen: Linear,
    narrow: Linear,
}

impl FeedForward {
    /// `[tokens, features]` to the same shape.
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.narrow.forward(&self.widen.forward(x)?)
    }
}

/// A layer of an encoder with its norms after the sums.
pub struct PostNormLayerSpec {
    pub path: String,
    /// From 0, above the embeddings.
    pub number: usize,
    pub attention: AttentionSpec,
    pub attention_norm: LayerNormSpec,
    pub feed_forward: FeedForwardSpec,
    pub norm: LayerNormSpec,
}

impl Part for PostNormLayerSpec {
    fn leaves(&self) -> Vec<Node> {
        let mut leaves: Vec<Node> = self.attention.linears().map(LinearSpec::node).into();
        leaves.extend([
            self.attention_norm.node(),
            self.feed_forward.widen.node(),
            self.feed_forward.narrow.node(),
            self.norm.node(),
        ]);
        leaves
    }

    fn modules(&self) -> Vec<Module> {
        vec![Module::new(&self.path, Kind::Block, "transformer layer"), self.attention.module()]
    }

    fn load(&self, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>> {
        let mut source = Noticing::new(source);
        Ok(Box::new(PostNormLayer {
            number: self.number as u64,
            attention: self.attention.load(&mut source)?,
            feed_forward: self.feed_forward.load(&mut source)?,
            attention_norm: self.attention_norm.load(&mut source)?,
            norm: self.norm.load(&mut source)?,
            is_trained: source.is_trained,
        }))
    }
}

struct PostNormLayer {
    number: u64,
    attention: Attention,
    attention_norm: LayerNorm,
    feed_forward: FeedForward,
    norm: LayerNorm,
    /// Only a layer that is being trained drops elements.
    is_trained: bool,
}

impl Segment for PostNormLayer {
    fn forward(&self, below: &Boundary, pass: &Pass) -> candle_core::Result<Boundary> {
        let dropout = LayerDropout::new(pass, self.is_trained, self.number);
        let x = &below.hidden;
        let attended = self.attention.forward(x, below.token_lengths()?, dropout.probabilities)?;
        let x = self.attention_norm.forward(&dropout_add(&attended, Some(x), dropout.attention)?)?;
        let narrowed = self.feed_forward.forward(&x)?;
        let hidden = self.norm.forward(&dropout_add(&narrowed, Some(&x), dropout.feed_forward)?)?;
        Ok(Boundary { hidden, lengths: below.lengths.clone() })
    }
}

/// The dropout at each place of a layer.
struct LayerDropout {
    probabilities: Dropout,
    attention: Dropout,
    feed_forward: Dropout,
}

impl LayerDropout {
    /// Place 0 of a pass is that of the embeddings; each layer has three.
    fn new(pass: &Pass, is_trained: bool, number: u64) -> Self {
        let pass = if is_trained { *pass } else { Pass::INFERENCE };
        let place = |what: u64| pass.dropout_at(1 + 3 * number + what);
        Self { probabilities: place(0), attention: place(1), feed_forward: place(2) }
    }
}

/// Passes tensors on and notices whether one of them is trained.
pub struct Noticing<'s> {
    source: &'s mut dyn TensorSource,
    pub is_trained: bool,
}

impl<'s> Noticing<'s> {
    /// Nothing was asked of `source` yet, so nothing is trained.
    pub fn new(source: &'s mut dyn TensorSource) -> Self {
        Self { source, is_trained: false }
    }
}

impl TensorSource for Noticing<'_> {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.source.tensor(name, shape)
    }

    fn param(&mut self, name: &str, shape: &[usize]) -> Result<Param> {
        let param = self.source.param(name, shape)?;
        self.is_trained |= param.is_trainable();
        Ok(param)
    }

    fn statistic(&mut self, name: &str, shape: &[usize]) -> Result<crate::nn::Statistic> {
        self.source.statistic(name, shape)
    }
}
