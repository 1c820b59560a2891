//! What is to be known of texts.

use std::path::Path;

use super::length::about_tokens;
use crate::data::facts::{
    Beside, Carrier, Cost, Facts, FineTuning, Golden, HubFacts, InputWords, NormOutputs, StepMemory,
    extension,
};

/// A sample is words; networks are encoders of transformers.
pub const FACTS: Facts = Facts {
    name: "text",
    many: "texts",
    familiar: "texts",
    a_file: "a text (.txt)",
    files: "texts (.txt)",
    carrier: Carrier::Words,
    beside: Beside::ReadMe,
    extensions: &["txt"],
    is_named: |path: &Path| matches!(extension(path).as_str(), "txt" | "text"),
    is_content: |_| false,
    preview: |_, _| None,
    golden: Golden::Words(&[
        "The quick brown fox jumps over the lazy dog.",
        "Not what I had hoped for: it broke after two days!",
        "Größe, café, 東京 and 42 more things.",
    ]),
    input: InputWords {
        unit: "tokens",
        short: |tokens| format!("text, {tokens} tokens"),
        long: |tokens| format!("text, {tokens} tokens"),
    },
    hub: HubFacts {
        tasks: &["fill-mask", "sentence-similarity", "feature-extraction", "text-classification"],
        also_tasks: &[
            "token-classification",
            "question-answering",
            "text-ranking",
            "zero-shot-classification",
        ],
        library: None,
        needed: &["tokenizer.json"],
        wanted: &[
            "tokenizer_config.json",
            "special_tokens_map.json",
            "sentence_bert_config.json",
            "modules.json",
            "1_Pooling/config.json",
        ],
    },
    cost: Cost {
        typical_tokens: 24,
        tokens: about_tokens,
        decode_seconds: 0.0,
        input_copies: 0,
        // About as much as the layers give once more for attention, dropout and arguments of activations.
        step: StepMemory { norms: NormOutputs::Kept, fixed: 2.0, following: 2.0 },
    },
    fine_tuning: FineTuning { epochs: 4, learning_rate: 1e-3, backbone_rate: 0.05, dropout_share: 1.0 },
    example: "--text \"a new text\"",
};
