//! BERT and its descendants (MiniLM, sentence-transformers): a post-norm transformer encoder.
//!
//! Definition and tensor names follow Hugging Face transformers' `BertModel` (Devlin et al. 2019). Token type 0
//! everywhere, mean pooling over the tokens of each text (special tokens included), not normalised.

use super::config::{activation, number};
use super::layers::{EmbeddingSpec, LayerNormSpec, LinearSpec, token_shape};
use super::transformer::{
    AttentionSpec, EncoderSize, FeedForwardSpec, Noticing, PostNormLayerSpec, SizeKeys,
};
use crate::backbone::family::Family;
use crate::backbone::family::{bad_config, unsupported};
use crate::backbone::layer_tree::{Dim, Kind, Module, Node};
use crate::backbone::network::{Body, Facts, Part};
use crate::backbone::pooling::Gather;
use crate::backbone::{Aliases, Architecture, Boundary, InputSize, Pass, Segment, TensorSource};
use crate::data::modality::Modality;
use crate::nn::{Activation, Dropout, Embedding, LayerNorm, dropout_add};
use crate::problem::Result;
use serde_json::Value;

/// BERT, with its descendants among it.
pub const FAMILIES: &[Family] = &[Family { name: "BERT", describe }];

/// The oldest files call the weight and bias of a layer norm gamma and beta.
const ALIASES: Aliases = Aliases {
    wrappers: &["bert.", "model."],
    endings: &[("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")],
    beginnings: &[],
};

const SIZE_KEYS: SizeKeys = SizeKeys {
    hidden: "hidden_size",
    intermediate: "intermediate_size",
    layers: "num_hidden_layers",
    heads: "num_attention_heads",
};

fn describe(config: &Value) -> Option<Result<Box<dyn Architecture>>> {
    (config.get("model_type")?.as_str()? == "bert").then(|| build(config))
}

fn build(config: &Value) -> Result<Box<dyn Architecture>> {
    let vocabulary = number(config, "vocab_size", 2_000_000)?;
    let positions = number(config, "max_position_embeddings", 65_536)?;
    let types = number(config, "type_vocab_size", 64)?;
    let size = EncoderSize::read(config, &SIZE_KEYS)?;
    if !matches!(config.get("position_embedding_type").and_then(Value::as_str), None | Some("absolute")) {
        return Err(bad_config("only absolute position embeddings are supported"));
    }
    refuse_other_networks(config)?;
    let activation = activation(config, "hidden_act")?;
    let fraction = |key: &str| config.get(key).and_then(Value::as_f64);
    let eps = match config.get("layer_norm_eps") {
        Some(_) => {
            fraction("layer_norm_eps").ok_or_else(|| bad_config("\"layer_norm_eps\" must be a number"))?
        }
        None => 1e-12,
    };
    let table = |name: &str, rows: usize| EmbeddingSpec {
        path: format!("embeddings.{name}"),
        rows,
        features: size.hidden,
    };
    let mut body = Body::new(
        vec![Dim::Tokens],
        EmbeddingsSpec {
            words: table("word_embeddings", vocabulary),
            positions: table("position_embeddings", positions),
            types: table("token_type_embeddings", types),
            norm: LayerNormSpec { path: "embeddings.LayerNorm".into(), features: size.hidden, eps },
        },
    );
    for number in 0..size.layers {
        let layer = layer(number, &size, activation, eps);
        body.add(&layer.path.clone(), token_shape(size.hidden), layer);
    }
    body.tell(Module::new("encoder", Kind::Stage, ""));
    body.tell(Module::new("encoder.layer", Kind::Stage, format!("{} layers", size.layers)));
    Ok(body.pool(Gather::MeanTokens).build(Facts {
        input: InputSize { modality: Modality::Text, size: positions },
        features: size.hidden,
        dropout: fraction("hidden_dropout_prob").unwrap_or(0.1).clamp(0.0, 0.9) as f32,
        ignored: &["pooler.", "cls.", "classifier.", "embeddings.position_ids"],
        aliases: ALIASES,
    }))
}

/// What makes another network of the same tensors, or needs more than these.
fn refuse_other_networks(config: &Value) -> Result<()> {
    let is_on = |key: &str| config.get(key) == Some(&Value::Bool(true));
    let is_filled = |key: &str| config.get(key).and_then(Value::as_object).is_some_and(|map| !map.is_empty());
    let own_code = || config.get("auto_map")?.get("AutoModel");
    let why = match () {
        () if is_on("is_decoder") => {
            "it is a decoder (\"is_decoder\"): its tokens see only those before them"
        }
        () if is_on("add_cross_attention") => "it attends to another network (\"add_cross_attention\")",
        () if is_filled("pruned_heads") => "heads of its attention are pruned (\"pruned_heads\")",
        () if is_filled("quantization_config") => "its weights are quantised (\"quantization_config\")",
        () if own_code().is_some() => "it is computed by a program of its own (\"auto_map\")",
        () => return Ok(()),
    };
    Err(unsupported(why))
}

fn layer(number: usize, size: &EncoderSize, activation: Activation, eps: f64) -> PostNormLayerSpec {
    let (hidden, wide) = (size.hidden, size.intermediate);
    let path = |name: &str| format!("encoder.layer.{number}.{name}");
    let linear =
        |name: &str, output, input, activation| LinearSpec { path: path(name), output, input, activation };
    let square = |name: &str| linear(name, hidden, hidden, Activation::None);
    let norm = |name: &str| LayerNormSpec { path: path(name), features: hidden, eps };
    PostNormLayerSpec {
        path: format!("encoder.layer.{number}"),
        number,
        attention: AttentionSpec {
            path: path("attention.self"),
            heads: size.heads,
            query: square("attention.self.query"),
            key: square("attention.self.key"),
            value: square("attention.self.value"),
            output: square("attention.output.dense"),
        },
        attention_norm: norm("attention.output.LayerNorm"),
        feed_forward: FeedForwardSpec {
            widen: linear("intermediate.dense", wide, hidden, activation),
            narrow: linear("output.dense", hidden, wide, Activation::None),
        },
        norm: norm("output.LayerNorm"),
    }
}

/// The sum of three tables, and its norm.
struct EmbeddingsSpec {
    words: EmbeddingSpec,
    positions: EmbeddingSpec,
    types: EmbeddingSpec,
    norm: LayerNormSpec,
}

impl Part for EmbeddingsSpec {
    fn leaves(&self) -> Vec<Node> {
        vec![self.words.node(), self.types.node(), self.positions.node(), self.norm.node()]
    }

    fn modules(&self) -> Vec<Module> {
        vec![Module::new("embeddings", Kind::Stage, "")]
    }

    fn load(&self, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>> {
        let mut source = Noticing::new(source);
        Ok(Box::new(Embeddings {
            words: self.words.load(&mut source)?,
            positions: self.positions.load(&mut source)?,
            types: self.types.load(&mut source)?,
            norm: self.norm.load(&mut source)?,
            is_trained: source.is_trained,
        }))
    }
}

struct Embeddings {
    words: Embedding,
    positions: Embedding,
    types: Embedding,
    norm: LayerNorm,
    /// Only a layer that is being trained drops elements.
    is_trained: bool,
}

impl Segment for Embeddings {
    fn forward(&self, below: &Boundary, pass: &Pass) -> candle_core::Result<Boundary> {
        let lengths = below.token_lengths()?;
        let ids = below.hidden.to_vec1::<u32>()?;
        let positions: Vec<u32> = lengths.iter().flat_map(|n| 0..*n as u32).collect();
        let types = vec![0; ids.len()];
        let sum = dropout_add(&self.words.forward(&ids)?, Some(&self.types.forward(&types)?), Dropout::NONE)?;
        let sum = dropout_add(&sum, Some(&self.positions.forward(&positions)?), Dropout::NONE)?;
        let pass = if self.is_trained { *pass } else { Pass::INFERENCE };
        let hidden = dropout_add(&self.norm.forward(&sum)?, None, pass.dropout_at(0))?;
        Ok(Boundary { hidden, lengths: below.lengths.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_computes_otherwise_is_refused() {
        let base = serde_json::json!({
            "model_type": "bert", "vocab_size": 9, "hidden_size": 4, "num_hidden_layers": 1,
            "num_attention_heads": 1, "intermediate_size": 4, "max_position_embeddings": 8, "type_vocab_size": 2,
        });
        let check = |key: &str, value: Value, good: bool| {
            let mut config = base.clone();
            config[key] = value;
            assert_eq!(describe(&config).unwrap().is_ok(), good, "{key}");
        };
        check("is_decoder", false.into(), true);
        check("pruned_heads", serde_json::json!({}), true);
        for key in ["is_decoder", "add_cross_attention"] {
            check(key, true.into(), false);
        }
        check("pruned_heads", serde_json::json!({"0": [1]}), false);
        check("quantization_config", serde_json::json!({"bits": 4}), false);
        check("auto_map", serde_json::json!({"AutoModel": "own--own.OwnModel"}), false);
        check("layer_norm_eps", "1e-12".into(), false);
        check("layer_norm_eps", 1e-5.into(), true);
    }

    #[test]
    fn names_are_those_of_today() {
        let check = |name: &str, expected: &str| assert_eq!(ALIASES.plain(name), expected);
        check("bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight");
        check("encoder.layer.0.output.LayerNorm.beta", "encoder.layer.0.output.LayerNorm.bias");
        check("stages.0.blocks.0.gamma", "stages.0.blocks.0.gamma");
    }
}
