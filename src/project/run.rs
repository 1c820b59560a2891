//! One execution of a plan: a folder `runs/0001` with the recipe as it was, the split, the record of what
//! happened and the weights. Nothing in it changes once the run has ended.
//!
//! | file | what |
//! | --- | --- |
//! | `recipe.toml` | the recipe of this run |
//! | `run.json` | [`RunRecord`] |
//! | `split.json` | [`SplitRecord`]: which sample was trained on, which validated |
//! | `history.jsonl` | one line a step and one an epoch |
//! | `checkpoint.safetensors` | all that is needed to go on; replaced in one step |
//! | `best-NNNN.safetensors` | the trained tensors after the best epoch |

use super::files;
use crate::data::index::{DatasetIndex, Digest};
use crate::data::split::Split;
use crate::problem::{Problem, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The version that this program writes.
pub const RUN_VERSION: u32 = 1;

/// A run's folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    folder: PathBuf,
}

/// `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    pub version: u32,
    /// `0001`, `0002`, ..
    pub run: String,
    pub state: RunState,
    /// Seconds since 1970-01-01, UTC.
    pub started: u64,
    pub environment: Environment,
    pub classes: Vec<String>,
    /// Name of the cut at which the frozen ground ends.
    pub frostline: String,
    /// Trained parameters, the head included.
    pub trainable_parameters: usize,
    pub train_samples: usize,
    pub validation_samples: usize,
    pub test_samples: usize,
    pub dataset: Digest,
    pub epochs: Vec<EpochRecord>,
    pub best_epoch: Option<u32>,
    /// Training time over all sessions of this run.
    pub seconds: f64,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Running, or its process was killed: it can be resumed.
    Running,
    Stopped,
    Failed,
    Finished,
}

/// What the bits of the result depend on besides the recipe and the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub frostline: String,
    pub threads: usize,
    pub simd: String,
    pub device: String,
    pub system: String,
}

/// What one epoch gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    pub epoch: u32,
    pub train_loss: f64,
    pub val_loss: f64,
    pub val_accuracy: f64,
    pub val_macro_f1: f64,
    pub seconds: f64,
    pub samples_per_second: f64,
}

/// `split.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRecord {
    pub train: Vec<SampleRef>,
    pub validation: Vec<SampleRef>,
    pub test: Vec<SampleRef>,
}

/// One sample by place and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRef {
    pub path: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    pub digest: Digest,
}

impl Run {
    /// The run in `folder`.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Its name: `0001`.
    pub fn name(&self) -> String {
        self.folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn recipe_path(&self) -> PathBuf {
        self.folder.join("recipe.toml")
    }

    pub fn history_path(&self) -> PathBuf {
        self.folder.join("history.jsonl")
    }

    pub fn checkpoint_path(&self) -> PathBuf {
        self.folder.join("checkpoint.safetensors")
    }

    /// The trained tensors after epoch number `epoch`, if that was the best so far.
    pub fn best_path(&self, epoch: u32) -> PathBuf {
        self.folder.join(format!("best-{epoch:04}.safetensors"))
    }

    /// Reads `run.json`.
    pub fn record(&self) -> Result<RunRecord> {
        files::read_json(&self.folder.join("run.json"), "read the record of the run")
    }

    /// Replaces `run.json`.
    pub fn write_record(&self, record: &RunRecord) -> Result<()> {
        files::write_json(&self.folder.join("run.json"), record, "write the record of the run")
    }

    /// Reads `split.json`.
    pub fn split(&self) -> Result<SplitRecord> {
        files::read_json(&self.folder.join("split.json"), "read the split of the run")
    }

    /// Writes `split.json`.
    pub fn write_split(&self, split: &SplitRecord) -> Result<()> {
        files::write_json(&self.folder.join("split.json"), split, "write the split of the run")
    }
}

impl SplitRecord {
    /// The samples of `split`, by place and content.
    pub fn new(index: &DatasetIndex, split: &Split) -> Self {
        let refs = |numbers: &[usize]| {
            let items = numbers.iter().filter_map(|n| index.items.get(*n));
            items
                .map(|item| SampleRef { path: item.path.clone(), line: item.line, digest: item.digest })
                .collect()
        };
        Self { train: refs(&split.train), validation: refs(&split.validation), test: refs(&split.test) }
    }

    /// Finds the samples again in a fresh scan.
    ///
    /// # Errors
    /// A sample is gone or its content changed.
    pub fn find(&self, index: &DatasetIndex) -> Result<Split> {
        let numbers: BTreeMap<_, _> = index
            .items
            .iter()
            .enumerate()
            .map(|(n, item)| ((&item.path, item.line), (n, item.digest)))
            .collect();
        let find = |refs: &[SampleRef]| -> Result<Vec<usize>> {
            refs.iter()
                .map(|sample| match numbers.get(&(&sample.path, sample.line)) {
                    Some((number, digest)) if *digest == sample.digest => Ok(*number),
                    found => {
                        let why = if found.is_some() { "its content changed" } else { "it is gone" };
                        let remedy = "put the sample back as it was, or train anew without --resume";
                        Err(Problem::input("the data changed since this run began", why, remedy)
                            .at(index.root.join(&sample.path)))
                    }
                })
                .collect()
        };
        Ok(Split { train: find(&self.train)?, validation: find(&self.validation)?, test: find(&self.test)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_version_1_still_opens() {
        let record: RunRecord = serde_json::from_str(include_str!("goldens/run-1.json")).unwrap();
        assert_eq!(record.state, RunState::Finished);
        assert_eq!(record.best_epoch, Some(1));
        let again: RunRecord = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
        assert_eq!(again, record);
    }
}
