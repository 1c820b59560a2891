//! BERT and its descendants (MiniLM, sentence-transformers): a post-norm transformer encoder.
//!
//! Definition and tensor names follow Hugging Face transformers' `BertModel` (Devlin et al. 2019). Token type 0
//! everywhere, mean pooling over the tokens of each text (special tokens included), not normalised.
//! Inside a pass tokens lie one after another without padding, so no attention mask is needed.

use super::nodes::{embedding_node, layer_norm_node, linear_node, token_shape};
use crate::backbone::layer_tree::{Dim, Kind, LayerTree, Node};
use crate::backbone::registry::Family;
use crate::backbone::spec::bad_config;
use crate::backbone::{Architecture, Boundary, Cut, InputSize, Pass, Segment, TensorSource};
use crate::data::modality::Modality;
use crate::nn::{Activation, Embedding, LayerNorm, Linear, attention, dropout_add, mean_tokens};
use crate::problem::Result;
use serde_json::Value;

pub const BERT: Family = Family { name: "BERT", describe };

fn describe(config: &Value) -> Option<Result<Box<dyn Architecture>>> {
    (config.get("model_type")?.as_str()? == "bert").then(|| {
        let bert = Bert::new(config)?;
        Ok(Box::new(bert) as Box<dyn Architecture>)
    })
}

struct Bert {
    tree: LayerTree,
    cuts: Vec<Cut>,
    size: Size,
    activation: Activation,
    eps: f64,
    dropout: f32,
}

/// Dimensions from `config.json`.
#[derive(Clone, Copy)]
struct Size {
    vocabulary: usize,
    positions: usize,
    types: usize,
    hidden: usize,
    intermediate: usize,
    layers: usize,
    heads: usize,
}

impl Bert {
    fn new(config: &Value) -> Result<Self> {
        let number = |key: &str, highest: u64| -> Result<usize> {
            let found = config.get(key).and_then(Value::as_u64).filter(|n| (1..=highest).contains(n));
            found
                .map(|n| n as usize)
                .ok_or_else(|| bad_config(&format!("{key:?} must lie between 1 and {highest}")))
        };
        let size = Size {
            vocabulary: number("vocab_size", 2_000_000)?,
            positions: number("max_position_embeddings", 65_536)?,
            types: number("type_vocab_size", 64)?,
            hidden: number("hidden_size", 16_384)?,
            intermediate: number("intermediate_size", 65_536)?,
            layers: number("num_hidden_layers", 256)?,
            heads: number("num_attention_heads", 256)?,
        };
        if !size.hidden.is_multiple_of(size.heads) {
            return Err(bad_config("\"hidden_size\" must be a multiple of \"num_attention_heads\""));
        }
        if !matches!(config.get("position_embedding_type").and_then(Value::as_str), None | Some("absolute")) {
            return Err(bad_config("only absolute position embeddings are supported"));
        }
        let activation = match config.get("hidden_act").and_then(Value::as_str) {
            Some("gelu") | None => Activation::GeluErf,
            Some("gelu_new" | "gelu_pytorch_tanh") => Activation::GeluTanh,
            Some("relu") => Activation::Relu,
            Some(other) => return Err(bad_config(&format!("activation {other:?} is not supported"))),
        };
        let fraction = |key: &str| config.get(key).and_then(Value::as_f64);
        Ok(Self {
            tree: build_tree(&size),
            cuts: build_cuts(&size),
            size,
            activation,
            eps: fraction("layer_norm_eps").unwrap_or(1e-12),
            dropout: fraction("hidden_dropout_prob").unwrap_or(0.1).clamp(0.0, 0.9) as f32,
        })
    }

    fn linear(
        &self,
        source: &mut dyn TensorSource,
        path: &str,
        output: usize,
        input: usize,
        activation: Activation,
    ) -> Result<Linear> {
        Ok(Linear {
            weight: source.param(&format!("{path}.weight"), &[output, input])?,
            bias: Some(source.param(&format!("{path}.bias"), &[output])?),
            activation,
        })
    }

    fn layer_norm(&self, source: &mut dyn TensorSource, path: &str) -> Result<LayerNorm> {
        Ok(LayerNorm {
            weight: source.param(&format!("{path}.weight"), &[self.size.hidden])?,
            bias: source.param(&format!("{path}.bias"), &[self.size.hidden])?,
            eps: self.eps,
        })
    }

    fn load_embeddings(&self, source: &mut dyn TensorSource) -> Result<Embeddings> {
        let mut table = |name: &str, rows: usize| -> Result<Embedding> {
            let path = format!("embeddings.{name}.weight");
            Ok(Embedding { table: source.param(&path, &[rows, self.size.hidden])? })
        };
        let words = table("word_embeddings", self.size.vocabulary)?;
        let positions = table("position_embeddings", self.size.positions)?;
        let types = table("token_type_embeddings", self.size.types)?;
        let norm = self.layer_norm(source, "embeddings.LayerNorm")?;
        let trained = [&words.table, &positions.table, &types.table, &norm.weight, &norm.bias]
            .iter()
            .any(|p| p.is_trainable());
        Ok(Embeddings { words, positions, types, norm, trained })
    }

    fn load_layer(&self, number: usize, source: &mut dyn TensorSource) -> Result<EncoderLayer> {
        let (hidden, wide) = (self.size.hidden, self.size.intermediate);
        let path = |name: &str| format!("encoder.layer.{number}.{name}");
        let mut linear = |name: &str, output, input, activation| {
            self.linear(source, &path(name), output, input, activation)
        };
        let query = linear("attention.self.query", hidden, hidden, Activation::None)?;
        let key = linear("attention.self.key", hidden, hidden, Activation::None)?;
        let value = linear("attention.self.value", hidden, hidden, Activation::None)?;
        let attended = linear("attention.output.dense", hidden, hidden, Activation::None)?;
        let widen = linear("intermediate.dense", wide, hidden, self.activation)?;
        let narrow = linear("output.dense", hidden, wide, Activation::None)?;
        let attended_norm = self.layer_norm(source, &path("attention.output.LayerNorm"))?;
        let norm = self.layer_norm(source, &path("output.LayerNorm"))?;
        let matrices = [&query, &key, &value, &attended, &widen, &narrow];
        let trained = matrices
            .iter()
            .any(|l| l.weight.is_trainable() || l.bias.as_ref().is_some_and(|b| b.is_trainable()))
            || [&attended_norm, &norm].iter().any(|n| n.weight.is_trainable());
        Ok(EncoderLayer {
            number: number as u64,
            heads: self.size.heads,
            pools: number + 1 == self.size.layers,
            trained,
            query,
            key,
            value,
            attended,
            attended_norm,
            widen,
            narrow,
            norm,
        })
    }
}

impl Architecture for Bert {
    fn tree(&self) -> &LayerTree {
        &self.tree
    }

    fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    fn ignored(&self) -> &[&'static str] {
        &["pooler.", "cls.", "classifier.", "embeddings.position_ids"]
    }

    fn input(&self) -> InputSize {
        InputSize { modality: Modality::Text, size: self.size.positions }
    }

    fn pooling(&self) -> &'static str {
        "mean_tokens"
    }

    fn dropout(&self) -> f32 {
        self.dropout
    }

    fn load_segment(&self, segment: usize, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>> {
        Ok(match segment.checked_sub(1) {
            None => Box::new(self.load_embeddings(source)?),
            Some(number) => Box::new(self.load_layer(number, source)?),
        })
    }
}

struct Embeddings {
    words: Embedding,
    positions: Embedding,
    types: Embedding,
    norm: LayerNorm,
    /// Only a layer that is being trained drops elements.
    trained: bool,
}

impl Segment for Embeddings {
    fn forward(&self, below: &Boundary, pass: &Pass) -> candle_core::Result<Boundary> {
        let lengths = text_lengths(below)?;
        let ids = below.hidden.to_vec1::<u32>()?;
        let positions: Vec<u32> = lengths.iter().flat_map(|n| 0..*n as u32).collect();
        let types = vec![0; ids.len()];
        let sum = dropout_add(
            &self.words.forward(&ids)?,
            Some(&self.types.forward(&types)?),
            crate::nn::Dropout::NONE,
        )?;
        let sum = dropout_add(&sum, Some(&self.positions.forward(&positions)?), crate::nn::Dropout::NONE)?;
        let normed = self.norm.forward(&sum)?;
        let hidden = match self.trained && pass.dropout > 0.0 {
            true => dropout_add(&normed, None, pass.dropout_at(0))?,
            false => normed,
        };
        Ok(Boundary { hidden, lengths: below.lengths.clone() })
    }
}

struct EncoderLayer {
    number: u64,
    heads: usize,
    /// The last layer also pools.
    pools: bool,
    /// Only a layer that is being trained drops elements.
    trained: bool,
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
    norm: LayerNorm,
}

impl Segment for EncoderLayer {
    fn forward(&self, below: &Boundary, pass: &Pass) -> candle_core::Result<Boundary> {
        let lengths = text_lengths(below)?;
        let pass = if self.trained { *pass } else { Pass::INFERENCE };
        let place = |what: u64| pass.dropout_at(1 + 3 * self.number + what);
        let x = &below.hidden;
        let (q, k, v) = (self.query.forward(x)?, self.key.forward(x)?, self.value.forward(x)?);
        let mixed = attention(&q, &k, &v, lengths, self.heads, place(0))?;
        let attended = dropout_add(&self.attended.forward(&mixed)?, Some(x), place(1))?;
        let attended = self.attended_norm.forward(&attended)?;
        let widened = self.widen.forward(&attended)?;
        let narrowed = dropout_add(&self.narrow.forward(&widened)?, Some(&attended), place(2))?;
        let hidden = self.norm.forward(&narrowed)?;
        match self.pools {
            true => Ok(Boundary { hidden: mean_tokens(&hidden, lengths)?, lengths: None }),
            false => Ok(Boundary { hidden, lengths: below.lengths.clone() }),
        }
    }
}

fn text_lengths(below: &Boundary) -> candle_core::Result<&[usize]> {
    match &below.lengths {
        Some(lengths) => Ok(lengths),
        None => candle_core::bail!("a text backbone needs the lengths of the texts"),
    }
}

fn layer_node(number: usize, size: &Size) -> Node {
    let (hidden, wide) = (size.hidden, size.intermediate);
    let path = |name: &str| format!("encoder.layer.{number}{name}");
    let projection = |name: &str| linear_node(path(&format!(".attention.self.{name}")), hidden, hidden);
    let projections = Node::inner(
        path(".attention.self"),
        Kind::Attention,
        vec![projection("query"), projection("key"), projection("value")],
    )
    .with_detail(format!("{} heads", size.heads));
    let attended = Node::inner(
        path(".attention.output"),
        Kind::Block,
        vec![
            linear_node(path(".attention.output.dense"), hidden, hidden),
            layer_norm_node(path(".attention.output.LayerNorm"), hidden),
        ],
    );
    let children = vec![
        Node::inner(path(".attention"), Kind::Block, vec![projections, attended]),
        Node::inner(
            path(".intermediate"),
            Kind::Block,
            vec![linear_node(path(".intermediate.dense"), wide, hidden)],
        ),
        Node::inner(
            path(".output"),
            Kind::Block,
            vec![
                linear_node(path(".output.dense"), hidden, wide),
                layer_norm_node(path(".output.LayerNorm"), hidden),
            ],
        ),
    ];
    Node::inner(path(""), Kind::Block, children).with_detail("transformer layer")
}

fn build_tree(size: &Size) -> LayerTree {
    let embeddings = vec![
        embedding_node("embeddings.word_embeddings", size.vocabulary, size.hidden),
        embedding_node("embeddings.token_type_embeddings", size.types, size.hidden),
        embedding_node("embeddings.position_embeddings", size.positions, size.hidden),
        layer_norm_node("embeddings.LayerNorm".into(), size.hidden),
    ];
    let layers: Vec<Node> = (0..size.layers).map(|number| layer_node(number, size)).collect();
    let layer_list =
        Node::inner("encoder.layer", Kind::Stage, layers).with_detail(format!("{} layers", size.layers));
    let mut root = Node::inner(
        "",
        Kind::Model,
        vec![
            Node::inner("embeddings", Kind::Stage, embeddings),
            Node::inner("encoder", Kind::Stage, vec![layer_list]),
        ],
    );
    root.output_shape = vec![Dim::Fixed(size.hidden)];
    let segment_of = |path: &str| {
        let number = path.strip_prefix("encoder.layer.").and_then(|rest| rest.split('.').next());
        number.and_then(|n| n.parse::<usize>().ok()).map_or(0, |n| n + 1)
    };
    LayerTree::new(root, segment_of)
}

fn build_cuts(size: &Size) -> Vec<Cut> {
    let mut cuts = vec![Cut { name: "input".into(), shape: vec![Dim::Tokens] }];
    for number in 0..size.layers {
        cuts.push(Cut { name: format!("encoder.layer.{number}"), shape: token_shape(size.hidden) });
    }
    cuts.push(Cut { name: "head".into(), shape: vec![Dim::Fixed(size.hidden)] });
    cuts
}
