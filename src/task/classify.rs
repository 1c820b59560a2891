//! One of n classes.

use super::answer::ranked;
use super::confusion::{ClassCounts, Confusion, argmax};
use super::detail::{ClassDetail, LabelledScore};
use super::interval::Spread;
use super::score::{Direction, Format};
use super::setup::{weights_of_facts, weights_to_facts};
use super::{
    Answer, Case, ClassWeights, Detail, Evaluated, LossChoice, Row, ScoreKind, Tally, Task, TaskChoice,
    TaskKind, TaskRecord, Verdict, wrong_target,
};
use crate::control::Scores;
use crate::data::index::{DatasetIndex, Layout};
use crate::data::target::{Target, TargetKind};
use crate::nn::{cross_entropy, soft_cross_entropy, softmax_rows};
use crate::problem::{Problem, Result};
use crate::remedy::{Columns, Remedy};
use crate::units::grouped;
use candle_core::Tensor;
use std::sync::Arc;

/// Telling one of n classes; accuracy is drawn and chooses the best epoch.
pub const KIND: TaskKind = TaskKind {
    name: "classify",
    words: "one class for each sample",
    caution: "A percentage is how sure the model is, not how often it is right. On things unlike the training data it can be \
              sure and wrong.",
    target: TargetKind::Class,
    scores: &[
        ScoreKind {
            name: "accuracy",
            words: "Accuracy",
            tooltip: "Share of samples that are answered right",
            better: Direction::Higher,
            format: Format::Share,
            spread: Spread::Hits,
        },
        ScoreKind {
            name: "macro_f1",
            words: "Macro F1",
            tooltip: "Mean over the classes of the harmonic mean of precision and recall: rare classes count as \
                      much as frequent ones",
            better: Direction::Higher,
            format: Format::Index,
            spread: Spread::Unit,
        },
    ],
    check,
    fit,
    open,
};

/// The scores, in the order of the table above.
const SCORES: [fn(&ClassCounts) -> f64; 2] = [ClassCounts::accuracy, ClassCounts::macro_f1];

/// The most classes: more are a mistaken label column, and a confusion matrix of them would fill the memory.
const MAX_CLASSES: usize = 10_000;

#[derive(Debug)]
struct Classify {
    classes: Vec<String>,
    label_smoothing: f64,
    /// By class, 1 on average over the training samples; none where all count the same.
    weights: Option<Vec<f32>>,
}

/// At least two classes must have a sample, and there must not be absurdly many.
fn check(index: &DatasetIndex) -> Result<()> {
    if index.classes.len() > MAX_CLASSES {
        return Err(Problem::input(
            "the data has too many classes",
            format!("there are {}, and at most {MAX_CLASSES} can be told apart", index.classes.len()),
            Columns::CheckLabel,
        )
        .at(&index.root));
    }
    refuse_values(index)?;
    let filled = index.counts().iter().filter(|count| **count > 0).count();
    if filled >= 2 {
        return Ok(());
    }
    let why = match (filled, index.classes.first()) {
        (1, Some(name)) => format!("there is only one: {name:?}"),
        _ => "no labelled sample was found".to_string(),
    };
    Err(Problem::input(
        "the data needs at least two classes",
        why,
        "put the samples of each class into a folder of its own, or give a table with a label column",
    )
    .at(&index.root))
}

/// Where each label comes once, it names the sample and no class: an identifier, a text, a measured number.
fn refuse_values(index: &DatasetIndex) -> Result<()> {
    let counts = index.counts();
    if counts.len() < 3 || counts.iter().any(|count| *count != 1) {
        return Ok(());
    }
    let number = grouped(counts.len());
    let columns = index.layout.label_columns();
    let (why, remedy) = match (&index.layout, columns.first()) {
        (Layout::Names { .. }, _) => (
            format!(
                "each of the {number} classes at the beginning of the names comes once, and a class needs two samples at least"
            ),
            Remedy::from("begin the names of the files of one class with the same word"),
        ),
        (_, None) => (
            format!("each of the {number} class folders holds one sample, and a class needs two at least"),
            Remedy::from("put the samples of each class into one folder"),
        ),
        (_, Some(column)) => {
            let are_numbers = index.classes.iter().all(|name| name.trim().parse::<f64>().is_ok());
            let (what, remedy) = match are_numbers {
                true => ("numbers", Columns::LabelOrNumber),
                false => ("values", Columns::CheckLabel),
            };
            let why = format!(
                "the label column “{column}” holds {number} different {what} in {number} rows; it is no class"
            );
            (why, remedy.into())
        }
    };
    Err(Problem::input("the labels are no classes", why, remedy).at(&index.root))
}

fn fit(index: &DatasetIndex, train: &[usize], loss: &LossChoice) -> Result<Arc<dyn Task>> {
    let weights = match loss.class_weights {
        ClassWeights::Even => None,
        ClassWeights::Inverse => {
            let mut counts = vec![0usize; index.classes.len()];
            for class in train.iter().filter_map(|n| index.items.get(*n)?.target.class()) {
                if let Some(count) = counts.get_mut(class) {
                    *count += 1;
                }
            }
            Some(inverse_frequencies(&counts))
        }
    };
    Ok(Arc::new(Classify { classes: index.classes.clone(), label_smoothing: loss.label_smoothing, weights }))
}

/// scikit-learn's `class_weight="balanced"`: samples / (classes * samples of the class), over the classes that occur.
fn inverse_frequencies(counts: &[usize]) -> Vec<f32> {
    let (samples, classes) = (counts.iter().sum::<usize>(), counts.iter().filter(|n| **n > 0).count());
    let weight = |count: &usize| match count {
        // No sample is weighed by it.
        0 => 1.0,
        n => (samples as f64 / (classes * n) as f64) as f32,
    };
    counts.iter().map(weight).collect()
}

fn open(record: &TaskRecord, names: Vec<String>, loss: &LossChoice) -> Result<Arc<dyn Task>> {
    let weights = weights_of_facts(record, names.len())?;
    Ok(Arc::new(Classify { classes: names, label_smoothing: loss.label_smoothing, weights }))
}

impl Classify {
    fn class_of(&self, target: &Target) -> candle_core::Result<u32> {
        let class = target.class().ok_or_else(|| wrong_target(&KIND, target))?;
        u32::try_from(class).map_err(|_| wrong_target(&KIND, target))
    }

    fn classes_of(&self, targets: &[&Target]) -> candle_core::Result<Vec<u32>> {
        targets.iter().map(|target| self.class_of(target)).collect()
    }
}

impl Task for Classify {
    fn kind(&self) -> &'static TaskKind {
        &KIND
    }

    fn names(&self) -> &[String] {
        &self.classes
    }

    fn loss(&self, output: &Tensor, targets: &[&Target]) -> candle_core::Result<Tensor> {
        let labels = self.classes_of(targets)?;
        match (&self.weights, self.label_smoothing > 0.0) {
            (None, false) => cross_entropy(output, &labels),
            (weights, _) => {
                soft_cross_entropy(output, &labels, self.label_smoothing as f32, weights.as_deref())
            }
        }
    }

    fn plain_loss(&self, output: &Tensor, targets: &[&Target]) -> candle_core::Result<Tensor> {
        cross_entropy(output, &self.classes_of(targets)?)
    }

    /// One sum: samples that were answered right.
    fn add(&self, sums: &mut Vec<f64>, output: &[f32], target: &Target) {
        sums.resize(1, 0.0);
        if let (Some(right), Some(class)) = (sums.first_mut(), target.class()) {
            *right += f64::from(u8::from(argmax(output) == class));
        }
    }

    fn running(&self, sums: &[f64], samples: usize) -> f64 {
        sums.first().copied().unwrap_or(0.0) / samples.max(1) as f64
    }

    fn decide(&self, output: &[f32]) -> Target {
        Target::Class(argmax(output))
    }

    fn tally(&self) -> Box<dyn Tally> {
        Box::new(ClassCounts::new(self.classes.len()))
    }

    fn answer(&self, output: &[f32], top: usize) -> Answer {
        Answer::Classes { labels: ranked(&self.classes, &softmax_rows(output, output.len().max(1)), top) }
    }

    fn evaluate(&self, rows: &[Row]) -> Evaluated {
        let mut confusion = Confusion::new(self.classes.len());
        let verdicts = rows.iter().map(|row| {
            let predicted = argmax(&row.output);
            if let Some(class) = row.target.class() {
                confusion.add(class, predicted);
            }
            let probabilities = softmax_rows(&row.output, row.output.len().max(1));
            let confidence = probabilities.get(predicted).copied().unwrap_or(0.0);
            let is_right = row.target.class() == Some(predicted);
            let error = if is_right { 0.0 } else { f64::from(confidence) };
            Verdict { predicted: Target::Class(predicted), confidence: Some(confidence), error }
        });
        let verdicts = verdicts.collect();
        let counts = confusion.class_counts();
        let per_class =
            counts.per_class().into_iter().zip(&self.classes).map(|(score, label)| LabelledScore {
                label: label.clone(),
                precision: score.precision,
                recall: score.recall,
                f1: score.f1,
                support: score.support,
            });
        let detail = Detail::Classes(ClassDetail {
            per_class: per_class.collect(),
            confusion: confusion.counts().to_vec(),
            labels: self.classes.clone(),
            largest_class_accuracy: counts.largest_class_share(),
        });
        Evaluated { scores: counts.scores(), detail, verdicts }
    }

    fn record(&self) -> TaskRecord {
        TaskRecord { kind: TaskChoice(&KIND), facts: weights_to_facts(self.weights.as_deref()) }
    }
}

impl Tally for ClassCounts {
    fn add(&mut self, case: Case) {
        if let (Some(truth), Some(predicted)) = (case.truth.class(), case.predicted.class()) {
            ClassCounts::add(self, truth, predicted);
        }
    }

    fn scores(&self) -> Scores {
        KIND.scores.iter().zip(SCORES).map(|(kind, score)| (kind.name, score(self))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures from scikit-learn 1.7: `compute_class_weight("balanced", classes=[0, 1, 2], y=[0] * 6 + [1] * 3 + [2])`.
    #[test]
    fn weights_are_those_of_scikit_learn() {
        let weights = inverse_frequencies(&[6, 3, 1, 0]);
        for (found, expected) in weights.iter().zip([0.555_555_6, 1.111_111_2, 3.333_333_3, 1.0]) {
            assert!((found - expected).abs() < 1e-6, "{weights:?}");
        }
    }

    #[test]
    fn an_answer_is_ranked_and_a_wrong_one_counts_as_wrong() {
        let names = vec!["a".to_string(), "b".to_string(), "c".to_string()];
        let task = open(&TaskRecord::default(), names, &LossChoice::default()).unwrap();
        let labels: Vec<String> =
            task.answer(&[0.0, 2.0, 1.0], 2).labels().iter().map(|l| l.label.clone()).collect();
        assert_eq!(labels, ["b", "c"]);
        let row = |class| Row { output: vec![0.0, 2.0, 1.0], target: Target::Class(class) };
        let found = task.evaluate(&[row(1), row(2)]);
        assert_eq!(found.scores.get("accuracy"), Some(0.5));
        assert!(found.verdicts[0].error == 0.0 && found.verdicts[1].error > 0.5);
        let mut sums = Vec::new();
        task.add(&mut sums, &[0.0, 2.0, 1.0], &Target::Class(1));
        task.add(&mut sums, &[0.0, 2.0, 1.0], &Target::Class(0));
        assert_eq!(task.running(&sums, 2), 0.5);
    }
}
