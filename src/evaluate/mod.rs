//! How good a model is on labelled samples.

#![warn(clippy::indexing_slicing, reason = "what comes from outside is not indexed")]

pub mod intervals;
mod outputs;

use crate::control::{Control, Fact, Scores};
use crate::data::index::DatasetIndex;
use crate::data::target::Target;
use crate::predict::Model;
use crate::problem::{Cause, Problem, Result};
use crate::remedy::Remedy;
use crate::task::coverage::{Coverage, Majority};
use crate::task::{Detail, Interval, Row, ScoreKind, TaskChoice, targets};
use crate::train::cached::CachedStates;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What an evaluation gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// What was asked of the network.
    pub task: TaskChoice,
    /// Which samples.
    pub split: Judged,
    /// Samples that were answered.
    pub samples: u64,
    /// Those of the task, by their names.
    #[serde(flatten)]
    pub scores: Scores,
    #[serde(flatten)]
    pub detail: Detail,
    /// The best epoch was chosen by these very samples, so the scores flatter a little.
    pub chosen_on_these_samples: bool,
    /// Other runs that were scored on the same test samples before: whoever chose between them chose by these samples.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_tested: Vec<String>,
    /// Samples that could not be decoded.
    pub unusable: u64,
    /// What the scores rest on.
    #[serde(flatten)]
    pub coverage: Coverage,
    /// Each answer by itself, in the order of the samples; for a window, not for the command line.
    #[serde(skip)]
    pub answers: Vec<Answered>,
    /// Of the scores that have one, in the order of the task, at 95 %; as `name: [low, high]`.
    #[serde(serialize_with = "ends")]
    pub intervals: Vec<(&'static str, Interval)>,
}

/// Which samples are judged on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judged {
    /// The run's validation samples, by which its best epoch was chosen.
    Val,
    /// The run's test samples.
    Test,
    /// Data of the user's own.
    Data,
}

/// What the model said of one sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// Full path of its file, or of the table that it comes from.
    pub path: PathBuf,
    /// The text, for texts.
    pub text: Option<String>,
    /// In the numbering of the task.
    pub truth: Target,
    pub predicted: Target,
    /// Probability of what was predicted, where there is one.
    pub confidence: Option<f32>,
    /// How wrong it is, to sort mistakes by: 0 for what is right.
    pub error: f64,
    /// What the head gave, `[outputs]`.
    pub output: Vec<f32>,
}

fn ends<S: Serializer>(
    intervals: &[(&'static str, Interval)],
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_map(intervals.iter().map(|(name, interval)| (name, [interval.low, interval.high])))
}

/// As it was written; which keys are scores is the task's to say.
impl<'de> Deserialize<'de> for Evaluation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Written {
            #[serde(default)]
            task: TaskChoice,
            split: Judged,
            samples: u64,
            chosen_on_these_samples: bool,
            #[serde(default)]
            also_tested: Vec<String>,
            unusable: u64,
            #[serde(default)]
            untested: Vec<String>,
            #[serde(default)]
            majority: Option<Majority>,
            #[serde(default)]
            intervals: BTreeMap<String, [f64; 2]>,
            #[serde(flatten)]
            detail: Detail,
            #[serde(flatten)]
            others: serde_json::Map<String, serde_json::Value>,
        }
        let written = Written::deserialize(deserializer)?;
        let value = |name: &str| written.others.get(name).and_then(serde_json::Value::as_f64);
        let scores = written.task.scores.iter().filter_map(|kind| Some((kind.name, value(kind.name)?)));
        let interval = |kind: &ScoreKind| {
            let [low, high] = *written.intervals.get(kind.name)?;
            Some((kind.name, Interval { value: value(kind.name)?, low, high }))
        };
        let intervals = written.task.scores.iter().filter_map(interval).collect();
        Ok(Self {
            task: written.task,
            split: written.split,
            samples: written.samples,
            scores: scores.collect(),
            detail: written.detail,
            chosen_on_these_samples: written.chosen_on_these_samples,
            also_tested: written.also_tested,
            unusable: written.unusable,
            coverage: Coverage { untested: written.untested, majority: written.majority },
            answers: Vec::new(),
            intervals,
        })
    }
}

impl Judged {
    /// As it is written in files: `val`, `test`, `data`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Val => "val",
            Self::Test => "test",
            Self::Data => "data",
        }
    }
}

impl Evaluation {
    /// A score of the task with its interval.
    pub fn interval(&self, name: &str) -> Option<Interval> {
        self.intervals.iter().find(|(own, _)| *own == name).map(|(_, interval)| *interval)
    }

    /// What a person must know of the scores besides their intervals.
    pub fn rests_on(&self) -> Vec<String> {
        let judged = match self.split {
            Judged::Val => "validation",
            Judged::Test => "test",
            Judged::Data => "labelled",
        };
        self.coverage.sentences(self.task.target, judged)
    }

    /// Answers that are wrong, the worst first.
    pub fn mistakes(&self) -> Vec<&Answered> {
        let mut wrong: Vec<&Answered> = self.answers.iter().filter(|answer| answer.error > 0.0).collect();
        wrong.sort_by(|a, b| b.error.total_cmp(&a.error));
        wrong
    }
}

/// Answers for `items` of `index`, from `cached` features where there are some, and compares with their targets. Names are
/// matched, whatever their order.
///
/// # Errors
/// The data is labelled with something that the model does not know, no sample could be answered, or the user stopped.
pub fn evaluate(
    model: &Model,
    index: &DatasetIndex,
    items: &[usize],
    split: Judged,
    cached: Option<&CachedStates>,
    control: &dyn Control,
) -> Result<Evaluation> {
    let task = model.task();
    let targets = targets(task, index, items)?;
    let coverage = Coverage::of(task.names(), index, items);
    let outputs = outputs::outputs(model, index, items, cached, control)?;
    let (mut rows, mut answered, mut unusable) = (Vec::new(), Vec::new(), 0);
    let items = items.iter().filter_map(|n| index.items.get(*n));
    for ((item, target), output) in items.zip(targets).zip(outputs) {
        match output {
            Ok(output) => {
                answered.push(item);
                rows.push(Row { output, target });
            }
            // Leaving such a sample out would flatter the scores.
            Err(problem) if problem.cause == Cause::Other => return Err(problem.at(index.full_path(item))),
            Err(problem) => {
                unusable += 1;
                control.report(Fact::warning(problem.to_string()));
            }
        }
    }
    if rows.is_empty() {
        return Err(Problem::input(
            "nothing was evaluated",
            "no sample could be answered",
            Remedy::LookAtData,
        )
        .at(&index.root));
    }
    let found = task.evaluate(&rows);
    let answers = answered.into_iter().zip(rows).zip(found.verdicts).map(|((item, row), verdict)| Answered {
        path: index.full_path(item),
        text: item.text.clone(),
        truth: row.target,
        predicted: verdict.predicted,
        confidence: verdict.confidence,
        error: verdict.error,
        output: row.output,
    });
    let answers: Vec<Answered> = answers.collect();
    let stopped = || Problem::stopped("the answers are not kept");
    let intervals = intervals::intervals(task, &found.scores, &answers, control).ok_or_else(stopped)?;
    Ok(Evaluation {
        task: TaskChoice(task.kind()),
        split,
        samples: answers.len() as u64,
        scores: found.scores,
        detail: found.detail,
        chosen_on_these_samples: split == Judged::Val,
        also_tested: Vec::new(),
        unusable,
        coverage,
        answers,
        intervals,
    })
}
