//! What is to be known of texts.

use std::path::Path;

use super::length::about_tokens;
use crate::data::facts::{
    Beside, Carrier, Cost, Facts, FineTuning, Golden, HubFacts, InputWords, NormOutputs, StepMemory,
    extension,
};

/// Whether the first bytes of a file may be words: no sign that steers a machine is among them.
fn looks_like_words(bytes: &[u8]) -> bool {
    let is_sign = |byte: &u8| *byte >= 0x20 && *byte != 0x7f || matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c);
    !bytes.is_empty() && bytes.iter().all(is_sign) && crate::data::image::is_unknown(bytes)
}

/// Whether a file speaks of the others by its name, as programmers call such files.
pub(crate) fn is_read_me(path: &Path) -> bool {
    const STEMS: [&str; 16] = [
        "readme",
        "license",
        "licence",
        "copying",
        "notice",
        "changelog",
        "changes",
        "authors",
        "contributing",
        "todo",
        "makefile",
        "dockerfile",
        "sha256sums",
        "md5sums",
        "checksums",
        "citation",
    ];
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    STEMS.contains(&stem.as_str())
}

/// A sample is words; networks are encoders of transformers.
pub const FACTS: Facts = Facts {
    name: "text",
    many: "texts",
    familiar: "texts",
    a_file: "a text (.txt)",
    files: "texts (.txt)",
    carrier: Carrier::Words,
    beside: Beside::ReadMe,
    extensions: &["txt", "text", "md", "log"],
    is_named: |path: &Path| match extension(path).as_str() {
        "txt" | "text" | "log" => true,
        "md" => !is_read_me(path),
        _ => false,
    },
    is_content: |_| false,
    is_bare_content: looks_like_words,
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
