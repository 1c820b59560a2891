//! Everything the user chose, as one TOML file that the window and the command line share.

use super::reading::Reading;
use crate::data::index::{ColumnsBeside, Layout};
use crate::data::scan::{ColumnChoice, LayoutChoice, ScanOptions, TextColumns, Writing};
use crate::optim::{OptimiserChoice, ScheduleChoice};
use crate::task::{ClassWeights, LossChoice, TaskChoice};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The version that this program writes.
pub const RECIPE_VERSION: u32 = 1;

/// `recipe.toml` of a project. What can be set in it stands in [`super::settings`]; the default is empty and trains
/// nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    pub version: u32,
    /// What is asked of the network; one class for each sample in recipes that do not say.
    #[serde(default, skip_serializing_if = "TaskChoice::is_usual")]
    pub task: TaskChoice,
    pub data: DataChoice,
    pub split: SplitChoice,
    pub backbone: BackboneChoice,
    pub freeze: FreezeChoice,
    pub training: TrainingChoice,
    #[serde(default)]
    pub cache: CacheChoice,
}

/// Which samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataChoice {
    /// Relative to the project folder where that is possible.
    pub path: PathBuf,
    /// Which reading of a folder is meant, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<LayoutChoice>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_column: Option<String>,
    /// The column that names the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_column: Option<String>,
    /// How a table is written, where that was said.
    #[serde(default, skip_serializing_if = "Writing::is_found_out")]
    pub writing: Writing,
    /// One, or a column for each label or number; a single one is written as a string, none not at all.
    #[serde(
        default,
        rename = "label_column",
        with = "crate::data::label_columns",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub label_columns: Vec<String>,
    /// Columns whose texts are joined, in their order, the text column among them; none where it stands alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined_columns: Vec<String>,
    /// The column that says which part a row belongs to; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_column: Option<ColumnChoice>,
    /// The column that says which samples belong together; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_column: Option<ColumnChoice>,
    /// Whether names of classes that differ in case, spaces or a full stop at their end only are one class.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merge_spellings: bool,
}

impl DataChoice {
    /// The data at `path`, to be read as `options` say and, where they say nothing, as a scan found it: so every later
    /// scan reads the same columns, whatever else it is told.
    pub fn new(path: PathBuf, options: &ScanOptions, layout: &Layout) -> Self {
        let ScanOptions {
            layout: asked,
            text_column,
            file_column,
            label_columns,
            joined_columns,
            part_column,
            group_column,
            writing,
            target: _,
            merge_spellings,
        } = options.clone();
        let mut choice = Self {
            path,
            layout: asked,
            text_column,
            file_column,
            writing,
            label_columns,
            joined_columns,
            part_column,
            group_column,
            merge_spellings,
        };
        if let Some(ColumnsBeside { joined, part, group: _ }) = layout.beside() {
            choice.joined_columns = joined.clone();
            choice.part_column = choice.part_column.or(part.clone().map(ColumnChoice::Column));
        }
        match layout {
            Layout::Table { text_column, label_columns, .. } if !label_columns.is_empty() => {
                choice.text_column.get_or_insert_with(|| text_column.clone());
                choice.take_labels(label_columns);
            }
            Layout::NamedFiles { file_column, label_columns, is_root, .. } => {
                choice.layout = choice.layout.or((!is_root).then_some(LayoutChoice::Table));
                choice.file_column.get_or_insert_with(|| file_column.clone());
                choice.take_labels(label_columns);
            }
            Layout::Names { .. } => choice.layout = Some(LayoutChoice::Names),
            Layout::Table { .. } | Layout::Folders { .. } => {}
        }
        choice
    }

    fn take_labels(&mut self, found: &[String]) {
        if self.label_columns.is_empty() {
            self.label_columns = found.to_vec();
        }
    }
}

/// How the samples are divided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitChoice {
    /// Share of the samples that validate, 0 to 1.
    pub validation_fraction: f64,
    /// Share of the samples that are kept for the test, 0 to 1.
    pub test_fraction: f64,
    pub seed: u64,
}

/// Which pretrained network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneChoice {
    pub id: String,
    /// SHA-256 of the weight file; pins the very weights.
    pub sha256: String,
    /// The commit of the Hub's repository `id`, for a backbone that came from there: enough to get it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Where it lies, for a backbone that its name alone does not find; relative to the project folder where
    /// that is possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// How it reads samples; pins the tokenizer or preprocessing, the pooling and the kernels. Unknown in recipes that do
    /// not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
}

/// What is trained besides the head.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreezeChoice {
    /// Patterns of layer paths; none means the head only.
    #[serde(default)]
    pub thaw: Vec<String>,
}

/// How it is trained. A field that came later has a default for recipes that do not say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingChoice {
    pub epochs: u32,
    pub batch_size: usize,
    /// Peak learning rate of the head.
    pub learning_rate: f64,
    /// The backbone learns at this multiple of the head's rate.
    pub backbone_rate: f64,
    #[serde(default)]
    pub optimiser: OptimiserChoice,
    /// How much of the last step SGD goes on with, 0 to 1; AdamW does not use it.
    #[serde(default = "usual_momentum")]
    pub momentum: f64,
    /// Weight decay, decoupled with AdamW, a part of the gradient with SGD; none on norms and biases.
    pub weight_decay: f64,
    /// The largest global norm of the gradient: a longer one is scaled down to it. 0 for no limit.
    #[serde(default)]
    pub clip: f64,
    /// What thawed batch norms normalise with; frozen ones keep the statistics of the pretrained file.
    #[serde(default)]
    pub batch_norm: BatchNormChoice,
    /// Share of the truth that the loss spreads over all classes, 0 to 1.
    #[serde(default, skip_serializing_if = "is_off")]
    pub label_smoothing: f64,
    /// Whether rare classes count more in the loss.
    #[serde(default, skip_serializing_if = "ClassWeights::is_even")]
    pub class_weights: ClassWeights,
    /// How the rate goes over the run.
    #[serde(default, skip_serializing_if = "ScheduleChoice::is_usual")]
    pub schedule: ScheduleChoice,
    /// Share of all steps over which the rate rises.
    pub warmup: f64,
    /// Probability of dropping an element in thawed transformer layers.
    pub dropout: f64,
    /// Seed of everything random in training.
    pub seed: u64,
}

/// The statistics of a batch norm while it is trained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchNormChoice {
    /// Those of the pretrained file.
    #[default]
    Fixed,
    /// Those of each batch; running statistics follow, for validation and use.
    Training,
}

impl TrainingChoice {
    /// How the loss weighs its samples.
    pub fn loss(&self) -> LossChoice {
        LossChoice { label_smoothing: self.label_smoothing, class_weights: self.class_weights }
    }
}

impl Recipe {
    /// How its data is to be read.
    pub fn scan_options(&self) -> ScanOptions {
        let DataChoice {
            path: _,
            layout,
            text_column,
            file_column,
            writing,
            label_columns,
            joined_columns,
            part_column,
            group_column,
            merge_spellings,
        } = self.data.clone();
        ScanOptions {
            layout,
            text_column,
            file_column,
            label_columns,
            joined_columns,
            part_column,
            group_column,
            writing,
            target: Some(self.task.target),
            merge_spellings,
        }
    }

    /// Where its texts stand in tables.
    pub fn text_columns(&self) -> TextColumns {
        TextColumns::learnt(self.data.text_column.as_ref(), &self.data.joined_columns)
    }
}

/// Whether frozen ground is computed once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheChoice {
    pub enabled: bool,
}

impl Default for CacheChoice {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for SplitChoice {
    fn default() -> Self {
        Self { validation_fraction: 0.2, test_fraction: 0.0, seed: 0 }
    }
}

/// Of SGD, in recipes that do not say.
pub(super) fn usual_momentum() -> f64 {
    0.9
}

/// Nothing to write down.
fn is_off(share: &f64) -> bool {
    *share == 0.0
}
