//! What the program must know of a kind of sample, besides how one is decoded: each modality fills in one of these.

use std::path::Path;

use super::preview::Preview;

/// All that is said of a modality, looked for by it, or reckoned with for it.
pub struct Facts {
    /// What one sample is called. So it stands in files, in JSON and on the command line.
    pub name: &'static str,
    /// What several samples are called.
    pub many: &'static str,
    /// What several samples are called where the window speaks to a person of their own.
    pub familiar: &'static str,
    /// One file with its article, for what is said of a file of another kind.
    pub a_file: &'static str,
    /// Several files, for what is said of a folder without any.
    pub files: &'static str,
    /// How a sample is given.
    pub carrier: Carrier,
    /// What a file of this kind is that lies beside the class folders.
    pub beside: Beside,
    /// Extensions of files that are read, lower case.
    pub extensions: &'static [&'static str],
    /// Whether a file is one of these by its name, be it one that is read or not.
    pub is_named: fn(&Path) -> bool,
    /// Whether a file whose name says nothing is one of these by its first 32 bytes.
    pub is_content: fn(&[u8]) -> bool,
    /// The same where the name has no extension at all, or none that says anything.
    pub is_bare_content: fn(&[u8]) -> bool,
    /// A small picture of the sample in a file, the longest side at most so many pixels.
    pub preview: fn(&Path, usize) -> Option<Preview>,
    /// Made-up samples for exports.
    pub golden: Golden,
    pub input: InputWords,
    pub hub: HubFacts,
    pub cost: Cost,
    pub fine_tuning: FineTuning,
    /// What is written behind `frostline predict EXPORT`, for example.
    pub example: &'static str,
}

/// How a sample is given to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// It is a file, decoded each time it is needed.
    File,
    /// It is words, which lie in an index, in the row of a table or in a file, or are typed.
    Words,
}

/// What a file beside the class folders is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// A sample that lacks a label.
    Sample,
    /// A read-me.
    ReadMe,
}

/// Made-up samples: never one of the user's.
pub enum Golden {
    /// The contents of so many files with this extension.
    Files {
        extension: &'static str,
        count: u32,
        content: fn(u32) -> std::io::Result<Vec<u8>>,
    },
    Words(&'static [&'static str]),
}

/// How the size of a network's input is said.
pub struct InputWords {
    /// What the size counts: `px`, `tokens`.
    pub unit: &'static str,
    /// In a list.
    pub short: fn(usize) -> String,
    /// On a page.
    pub long: fn(usize) -> String,
}

/// What the Hub's models for this modality are like.
pub struct HubFacts {
    /// Tasks that are searched: their models take this and nothing else.
    pub tasks: &'static [&'static str],
    /// Further tasks whose models take it.
    pub also_tasks: &'static [&'static str],
    /// A library all of whose models take it.
    pub library: Option<&'static str>,
    /// Files that a model must have besides configuration and weights.
    pub needed: &'static [&'static str],
    /// Files that are fetched where they are there.
    pub wanted: &'static [&'static str],
}

/// Figures for estimates, made to fit what was measured.
pub struct Cost {
    /// Tokens that a sample is taken to have where nothing better is known; 1 where it is one row.
    pub typical_tokens: usize,
    /// About how many tokens a text has.
    pub tokens: fn(&str) -> usize,
    /// Decoding one sample.
    pub decode_seconds: f64,
    /// Copies of a batch at the input: as decoded, in the order of the layers, and the next one.
    pub input_copies: usize,
    pub step: StepMemory,
}

/// What a training step keeps for its backward pass, beside the outputs of the layers above the frostline.
pub struct StepMemory {
    /// Whether norms keep an output of their own.
    pub norms: NormOutputs,
    /// How many times the outputs are kept.
    pub fixed: f64,
    /// The same where norms take the statistics of each batch.
    pub following: f64,
}

/// What becomes of the output of a norm after the forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormOutputs {
    /// It is kept.
    Kept,
    /// It is kept where the layer above is trained, or as the input of the next block.
    KeptWhereUsed,
}

/// Values that work without tuning where layers of the backbone are trained too.
pub struct FineTuning {
    pub epochs: u32,
    pub learning_rate: f64,
    pub backbone_rate: f64,
    /// The share of the dropout that the backbone was pretrained with.
    pub dropout_share: f64,
}

/// The extension of a file name in lower case; empty where there is none.
pub(crate) fn extension(path: &Path) -> String {
    path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}
