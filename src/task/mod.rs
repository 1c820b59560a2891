//! What is asked of the network: a class, any of several labels, a number. One file each; a new task is its file and
//! one line in the list below.
//!
//! A task knows the targets it takes, the shape of its head, its loss, its scores and which of them chooses the best
//! epoch, what always answering alike would score, its answer for one sample, and what an evaluation and a manifest say.
//! The loop, records, curves, tables and exports speak of scores and answers only.

#![warn(clippy::indexing_slicing, reason = "what comes from outside is not indexed")]

/// File names become modules and the list of their kinds. `cargo fmt` does not see these modules; `check.sh` has every
/// file formatted by name.
macro_rules! tasks {
    ($($file:ident,)*) => {
        $(pub mod $file;)*

        /// All tasks. Of several that take the same targets the first is the usual one.
        pub const TASKS: &[&TaskKind] = &[$(&$file::KIND),*];
    };
}

pub mod answer;
pub mod confusion;
pub mod coverage;
pub mod detail;
#[cfg(test)]
mod goldens;
pub mod interval;
pub mod paired;
pub mod score;
mod setup;

tasks! {
    classify,
    multi_label,
    regress,
}

pub use answer::{Answer, LabelProbability, NamedNumber};
pub use detail::{Detail, Evaluated, Verdict};
pub use interval::Interval;
pub use paired::{Errors, Paired, paired};
pub use score::{Direction, Format, ScoreKind, best_epoch};
pub use setup::{TaskChoice, TaskRecord};

use crate::control::Scores;
use crate::data::index::DatasetIndex;
use crate::data::target::{Target, TargetKind};
use crate::problem::{Problem, Result};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::sync::Arc;

/// A kind of task, whatever the data.
pub struct TaskKind {
    /// What recipes and the command line call it.
    pub name: &'static str,
    /// What people call it: `one class for each sample`.
    pub words: &'static str,
    /// What to bear in mind with an answer.
    pub caution: &'static str,
    /// What its samples are labelled with.
    pub target: TargetKind,
    /// In the order in which they are shown; the first is drawn as a curve and chooses the best epoch.
    pub scores: &'static [ScoreKind],
    /// Whether there is something to learn in the data, before anything else is asked.
    pub check: fn(&DatasetIndex) -> Result<()>,
    /// The task on this data; what it has to know beforehand comes from the training samples.
    pub fit: Fit,
    /// The task as a record keeps it, over outputs of these names.
    pub open: Open,
}

/// Makes a task of data and the numbers of its training samples.
pub type Fit = fn(&DatasetIndex, &[usize], &LossChoice) -> Result<Arc<dyn Task>>;

/// Makes a task of its record and the names of its outputs.
pub type Open = fn(&TaskRecord, Vec<String>, &LossChoice) -> Result<Arc<dyn Task>>;

/// How a loss weighs its samples.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LossChoice {
    /// Share of the truth that is spread over all classes (Szegedy et al. 2016), 0 to below 1.
    pub label_smoothing: f64,
    pub class_weights: ClassWeights,
}

/// Whether rare classes count more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeights {
    /// Every sample counts the same.
    #[default]
    Even,
    /// A sample counts by the inverse of how frequent its class is among the training samples.
    Inverse,
}

impl ClassWeights {
    /// Whether every sample counts the same.
    pub fn is_even(&self) -> bool {
        *self == Self::Even
    }
}

/// What is asked of one network.
pub trait Task: Send + Sync + Debug {
    /// What kind it is.
    fn kind(&self) -> &'static TaskKind;

    /// Names of the head's outputs, in their order.
    fn names(&self) -> &[String];

    /// Outputs of the head.
    fn outputs(&self) -> usize {
        self.names().len()
    }

    /// The mean loss of a batch, a scalar to train on; `output` `[batch, outputs]`.
    ///
    /// # Errors
    /// A target of another kind, and those of Candle.
    fn loss(&self, output: &Tensor, targets: &[&Target]) -> candle_core::Result<Tensor>;

    /// The same without smoothing and weights, so that runs can be compared by it.
    ///
    /// # Errors
    /// As for [`Task::loss`].
    fn plain_loss(&self, output: &Tensor, targets: &[&Target]) -> candle_core::Result<Tensor>;

    /// Adds what one training sample says of the first score to `sums`, which begins empty.
    fn add(&self, sums: &mut Vec<f64>, output: &[f32], target: &Target);

    /// The first score of `samples` training samples from their sums.
    fn running(&self, sums: &[f64], samples: usize) -> f64;

    /// What `output` amounts to, to be compared with a sample's target.
    fn decide(&self, output: &[f32]) -> Target;

    /// Counts answers up to scores.
    fn tally(&self) -> Box<dyn Tally>;

    /// What `output` says, for a person; at most `top` of equals in rank.
    fn answer(&self, output: &[f32], top: usize) -> Answer;

    /// Scores and all that stands beside them.
    fn evaluate(&self, rows: &[Row]) -> Evaluated;

    /// What has to be kept to ask the same again, beside the names.
    fn record(&self) -> TaskRecord;
}

/// What a network said of a sample, and what it should have said.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// `[outputs]`
    pub output: Vec<f32>,
    pub target: Target,
}

/// One answered sample, as scores are counted from it.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// `[outputs]`
    pub output: &'a [f32],
    /// What [`Task::decide`] made of it.
    pub predicted: &'a Target,
    pub truth: &'a Target,
}

/// Counts answers, one sample after another.
pub trait Tally {
    fn add(&mut self, case: Case);
    /// Those of the task's kind, in its order.
    fn scores(&self) -> Scores;
}

/// The targets of `items` in the numbering of `task`: names are matched, whatever their order in the data.
///
/// # Errors
/// The data is labelled with something else, or with a name that the task does not know.
pub fn targets(task: &dyn Task, index: &DatasetIndex, items: &[usize]) -> Result<Vec<Target>> {
    if index.target != task.kind().target {
        let why = format!("the model gives {}, the data holds {}", task.kind().words, words_of(index.target));
        let remedy = "choose other label columns, or data that is labelled as the model's was";
        return Err(Problem::input("the data does not suit the model", why, remedy).at(&index.root));
    }
    let place: Vec<Option<usize>> =
        index.classes.iter().map(|name| task.names().iter().position(|own| own == name)).collect();
    let chosen = || items.iter().filter_map(|n| index.items.get(*n));
    let used = |class: usize| chosen().any(|item| item.target.labels().contains(&class));
    let has_numbers = index.target == TargetKind::Numbers;
    let unknown = place.iter().position(Option::is_none);
    if let Some(class) = unknown.filter(|_| has_numbers).or_else(|| {
        (0..place.len()).find(|class| place.get(*class).is_some_and(Option::is_none) && used(*class))
    }) {
        let noun = if has_numbers { "column" } else { "class" };
        return Err(Problem::input(
            format!("the model does not know the {noun} {:?}", index.name_of(class)),
            format!(
                "its {} are {}",
                if has_numbers { "columns" } else { "classes" },
                task.names().join(", ")
            ),
            format!("rename the {noun} in the data, or leave its samples out"),
        )
        .at(&index.root));
    }
    if has_numbers && place.len() != task.outputs() {
        let why = format!("it gives {}, the data has {}", task.names().join(", "), index.classes.join(", "));
        let remedy = "name the same label columns as when it was trained";
        return Err(
            Problem::input("the data lacks numbers that the model gives", why, remedy).at(&index.root)
        );
    }
    let number = |class: &usize| place.get(*class).copied().flatten();
    Ok(chosen().map(|item| item.target.renumbered(number)).collect())
}

/// The task that is usual for such targets.
pub fn usual(target: TargetKind) -> &'static TaskKind {
    TASKS.iter().find(|kind| kind.target == target).copied().unwrap_or(&classify::KIND)
}

fn words_of(target: TargetKind) -> &'static str {
    usual(target).words
}

/// A target of a kind that the task does not take; the plan and [`targets`] keep them away.
fn wrong_target(kind: &TaskKind, target: &Target) -> candle_core::Error {
    candle_core::Error::Msg(format!("the task {:?} was given the target {target:?}", kind.name))
}

impl std::fmt::Debug for TaskKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TaskKind({})", self.name)
    }
}

impl PartialEq for TaskKind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl TaskKind {
    /// The score that is drawn as a curve and chooses the best epoch.
    pub fn chief(&self) -> &'static ScoreKind {
        self.scores.first().unwrap_or(&score::NONE)
    }

    /// A score of this task by its name.
    pub fn score(&self, name: &str) -> Option<&'static ScoreKind> {
        self.scores.iter().find(|score| score.name == name)
    }
}
