//! How good a classifier is on labelled samples.

pub mod intervals;

use crate::control::{Control, Fact};
use crate::data::index::DatasetIndex;
use crate::predict::Classifier;
use crate::problem::{Problem, Result};
use crate::train::metrics::{Confusion, argmax};
use crate::train::samples::Sample;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What an evaluation gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// `val`, `test` or `data`.
    pub split: String,
    /// Samples that were answered.
    pub samples: u64,
    pub accuracy: f64,
    pub macro_f1: f64,
    pub per_class: Vec<LabelledScore>,
    /// Rows: true class, columns: predicted class.
    pub confusion: Vec<Vec<u64>>,
    pub labels: Vec<String>,
    /// Accuracy of always answering the largest class.
    pub largest_class_accuracy: f64,
    /// The best epoch was chosen by these very samples, so the scores flatter a little.
    pub chosen_on_these_samples: bool,
    /// Samples that could not be decoded.
    pub unusable: u64,
    /// Each answer by itself, in the order of the samples; for a window, not for the command line.
    #[serde(skip)]
    pub answers: Vec<Answer>,
}

/// What the classifier said of one sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Full path of its file, or of the table that it comes from.
    pub path: PathBuf,
    /// The text, for texts.
    pub text: Option<String>,
    /// Numbers of the true and of the predicted class among the labels.
    pub truth: usize,
    pub predicted: usize,
    /// Probability of the predicted class.
    pub confidence: f32,
}

/// Scores of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelledScore {
    pub label: String,
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    pub support: u64,
}

/// Answers for `items` of `index` and compares with their labels. Classes are matched by name.
///
/// # Errors
/// The data has a class that the classifier does not know, no sample could be answered, or the user stopped.
pub fn evaluate(
    classifier: &Classifier,
    index: &DatasetIndex,
    items: &[usize],
    split: &str,
    chosen_here: bool,
    control: &dyn Control,
) -> Result<Evaluation> {
    let labels = classifier.labels();
    let class_of = match_classes(index, items, labels)?;
    let samples: Vec<Sample> = items.iter().filter_map(|n| Sample::of(index, *n)).collect();
    let total = samples.len() as u64;
    let answers = classifier.logits(&samples, &mut |done| {
        control.report(Fact::Progress { what: "answering", done: done as u64, total });
        !control.stop_requested()
    })?;
    let (mut confusion, mut unusable, mut given) = (Confusion::new(labels.len()), 0, Vec::new());
    for (item, answer) in items.iter().zip(answers) {
        match answer {
            Ok(logits) => {
                let item = &index.items[*item];
                let (truth, predicted) = (class_of[item.class], argmax(&logits));
                confusion.add(truth, predicted);
                let confidence = Classifier::probabilities(&logits).get(predicted).copied().unwrap_or(0.0);
                let (path, text) = (index.full_path(item), item.text.clone());
                given.push(Answer { path, text, truth, predicted, confidence });
            }
            Err(problem) => {
                unusable += 1;
                control.report(Fact::warning(problem.to_string()));
            }
        }
    }
    if confusion.samples() == 0 {
        return Err(Problem::input(
            "nothing was evaluated",
            "no sample could be answered",
            "check the data with `frostline scan`",
        )
        .at(&index.root));
    }
    Ok(Evaluation { answers: given, ..summarise(&confusion, labels, split, chosen_here, unusable) })
}

/// Number of each class of the data among the classifier's labels.
fn match_classes(index: &DatasetIndex, items: &[usize], labels: &[String]) -> Result<Vec<usize>> {
    let used: std::collections::BTreeSet<usize> =
        items.iter().filter_map(|n| index.items.get(*n)).map(|i| i.class).collect();
    index
        .classes
        .iter()
        .enumerate()
        .map(|(class, name)| match labels.iter().position(|label| label == name) {
            Some(position) => Ok(position),
            // Never looked up, as no sample has it.
            None if !used.contains(&class) => Ok(0),
            None => Err(Problem::input(
                format!("the model does not know the class {name:?}"),
                format!("its classes are {}", labels.join(", ")),
                "rename the class in the data, or leave its samples out",
            )
            .at(&index.root)),
        })
        .collect()
}

fn summarise(
    confusion: &Confusion,
    labels: &[String],
    split: &str,
    chosen_here: bool,
    unusable: u64,
) -> Evaluation {
    let scores = confusion.per_class().into_iter().zip(labels).map(|(score, label)| LabelledScore {
        label: label.clone(),
        precision: score.precision,
        recall: score.recall,
        f1: score.f1,
        support: score.support,
    });
    Evaluation {
        split: split.to_string(),
        samples: confusion.samples(),
        accuracy: confusion.accuracy(),
        macro_f1: confusion.macro_f1(),
        per_class: scores.collect(),
        confusion: confusion.counts().to_vec(),
        labels: labels.to_vec(),
        largest_class_accuracy: confusion.largest_class_share(),
        chosen_on_these_samples: chosen_here,
        unusable,
        answers: Vec::new(),
    }
}
