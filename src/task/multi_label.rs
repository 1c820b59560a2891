//! Any of n labels: each output says by itself whether a sample has its label.

use super::answer::ranked;
use super::detail::{LabelDetail, LabelScore};
use super::interval::Spread;
use super::score::{Direction, Format};
use super::setup::{weights_of_facts, weights_to_facts};
use super::{
    Answer, Case, ClassWeights, Detail, Evaluated, LossChoice, Row, ScoreKind, Tally, Task, TaskChoice,
    TaskKind, TaskRecord, Verdict, wrong_target,
};
use crate::control::Scores;
use crate::data::index::DatasetIndex;
use crate::data::target::{Target, TargetKind};
use crate::nn::binary_cross_entropy;
use crate::problem::{Problem, Result};
use crate::remedy::Columns;
use candle_core::Tensor;
use std::sync::Arc;

/// Telling any of n labels; micro F1 is drawn and chooses the best epoch.
pub const KIND: TaskKind = TaskKind {
    name: "multi-label",
    words: "any of several labels for each sample",
    caution: "Each label is judged by itself. A percentage is how sure the model is, not how often it is right. On \
              things unlike the training data it can be sure and wrong.",
    target: TargetKind::Labels,
    scores: &[
        ScoreKind {
            name: "micro_f1",
            words: "Micro F1",
            tooltip: "Harmonic mean of precision and recall over all labels of all samples together",
            better: Direction::Higher,
            format: Format::Index,
            spread: Spread::Unit,
        },
        ScoreKind {
            name: "macro_f1",
            words: "Macro F1",
            tooltip: "Mean over the labels of the harmonic mean of precision and recall: rare labels count as much \
                      as frequent ones",
            better: Direction::Higher,
            format: Format::Index,
            spread: Spread::Unit,
        },
        ScoreKind {
            name: "exact_match",
            words: "All labels right",
            tooltip: "Share of samples that got exactly their labels (subset accuracy)",
            better: Direction::Higher,
            format: Format::Share,
            spread: Spread::Hits,
        },
        ScoreKind {
            name: "hamming_loss",
            words: "Wrong labels",
            tooltip: "Share of all single decisions, a label on a sample, that are wrong (Hamming loss)",
            better: Direction::Lower,
            format: Format::Share,
            spread: Spread::Unit,
        },
    ],
    check,
    fit,
    open,
};

/// The scores, in the order of the table above.
const SCORES: [fn(&Counts) -> f64; 4] =
    [Counts::micro_f1, Counts::macro_f1, Counts::exact_match, Counts::hamming_loss];

/// The probability from which on a label is given.
const THRESHOLD: f32 = 0.5;

#[derive(Debug)]
struct MultiLabel {
    labels: Vec<String>,
    label_smoothing: f64,
    /// How much more having a label counts than not having it.
    positive: Option<Vec<f32>>,
}

/// The most labels: more are a mistaken column, and each of them is an output of the head.
const MAX_LABELS: usize = 10_000;

/// Some label must be had by some samples and not by others, and there must not be absurdly many.
fn check(index: &DatasetIndex) -> Result<()> {
    if index.classes.len() > MAX_LABELS {
        return Err(Problem::input(
            "the data has too many labels",
            format!("there are {}, and at most {MAX_LABELS} can be told", index.classes.len()),
            Columns::CheckLabels,
        )
        .at(&index.root));
    }
    let samples = index.items.len();
    if index.counts().iter().any(|count| *count > 0 && *count < samples) {
        return Ok(());
    }
    let why = match index.classes.len() {
        0 => "no sample has a label".to_string(),
        n => format!("each of the {n} labels is had by every sample or by none"),
    };
    Err(Problem::input("there is nothing to tell apart", why, Columns::CheckLabels).at(&index.root))
}

fn fit(index: &DatasetIndex, train: &[usize], loss: &LossChoice) -> Result<Arc<dyn Task>> {
    let positive = match loss.class_weights {
        ClassWeights::Even => None,
        ClassWeights::Inverse => {
            let mut counts = vec![0usize; index.classes.len()];
            for label in train.iter().filter_map(|n| index.items.get(*n)).flat_map(|i| i.target.labels()) {
                if let Some(count) = counts.get_mut(*label) {
                    *count += 1;
                }
            }
            // Without a sample that has it, or that lacks it, there is nothing to balance.
            let weight = |n: &usize| match (*n, train.len().saturating_sub(*n)) {
                (0, _) | (_, 0) => 1.0,
                (with, without) => without as f32 / with as f32,
            };
            Some(counts.iter().map(weight).collect())
        }
    };
    Ok(Arc::new(MultiLabel {
        labels: index.classes.clone(),
        label_smoothing: loss.label_smoothing,
        positive,
    }))
}

fn open(record: &TaskRecord, names: Vec<String>, loss: &LossChoice) -> Result<Arc<dyn Task>> {
    let positive = weights_of_facts(record, names.len())?;
    Ok(Arc::new(MultiLabel { labels: names, label_smoothing: loss.label_smoothing, positive }))
}

impl MultiLabel {
    /// `[batch * labels]`: 1 where a sample has the label, moved towards a half by `smoothing`.
    fn wanted(&self, targets: &[&Target], smoothing: f64) -> candle_core::Result<Vec<f32>> {
        let (low, high) = ((smoothing / 2.0) as f32, (1.0 - smoothing / 2.0) as f32);
        let mut wanted = vec![low; targets.len() * self.labels.len()];
        for (row, target) in wanted.chunks_exact_mut(self.labels.len().max(1)).zip(targets) {
            let Target::Labels(labels) = target else { return Err(wrong_target(&KIND, target)) };
            for label in labels {
                *row.get_mut(*label).ok_or_else(|| wrong_target(&KIND, target))? = high;
            }
        }
        Ok(wanted)
    }
}

/// Numbers of the labels that `output` gives.
fn given(output: &[f32]) -> Vec<usize> {
    let likely = |(label, x): (usize, &f32)| (sigmoid(*x) >= THRESHOLD).then_some(label);
    output.iter().enumerate().filter_map(likely).collect()
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

impl Task for MultiLabel {
    fn kind(&self) -> &'static TaskKind {
        &KIND
    }

    fn names(&self) -> &[String] {
        &self.labels
    }

    fn loss(&self, output: &Tensor, targets: &[&Target]) -> candle_core::Result<Tensor> {
        binary_cross_entropy(output, self.wanted(targets, self.label_smoothing)?, self.positive.as_deref())
    }

    fn plain_loss(&self, output: &Tensor, targets: &[&Target]) -> candle_core::Result<Tensor> {
        binary_cross_entropy(output, self.wanted(targets, 0.0)?, None)
    }

    /// Three sums over all labels: rightly given, wrongly given, wrongly withheld.
    fn add(&self, sums: &mut Vec<f64>, output: &[f32], target: &Target) {
        let (given, truth) = (given(output), target.labels());
        let right = given.iter().filter(|label| truth.contains(label)).count();
        sums.resize(3, 0.0);
        for (sum, count) in sums.iter_mut().zip([right, given.len() - right, truth.len() - right]) {
            *sum += count as f64;
        }
    }

    fn running(&self, sums: &[f64], _samples: usize) -> f64 {
        match sums {
            [right, wrong, missed] if right + wrong + missed > 0.0 => {
                2.0 * right / (2.0 * right + wrong + missed)
            }
            _ => 0.0,
        }
    }

    fn decide(&self, output: &[f32]) -> Target {
        Target::Labels(given(output))
    }

    fn tally(&self) -> Box<dyn Tally> {
        Box::new(Counts::new(self.labels.len()))
    }

    fn answer(&self, output: &[f32], top: usize) -> Answer {
        let probabilities: Vec<f32> = output.iter().map(|x| sigmoid(*x)).collect();
        let chosen = given(output).into_iter().filter_map(|label| self.labels.get(label).cloned()).collect();
        Answer::Labels { labels: ranked(&self.labels, &probabilities, top), chosen }
    }

    fn evaluate(&self, rows: &[Row]) -> Evaluated {
        let mut counts = Counts::new(self.labels.len());
        let verdicts = rows.iter().map(|row| {
            let predicted = given(&row.output);
            counts.count(&predicted, row.target.labels());
            verdict(&row.output, row.target.labels(), predicted)
        });
        let verdicts = verdicts.collect();
        let per_label = self.labels.iter().enumerate().map(|(label, name)| {
            let (best_threshold, best_f1) = best_threshold(rows, label);
            let own = counts.labels.get(label).copied().unwrap_or_default();
            LabelScore {
                label: name.clone(),
                precision: ratio(own.right, own.right + own.wrong),
                recall: ratio(own.right, own.right + own.missed),
                f1: own.f1(),
                support: own.right + own.missed,
                threshold: THRESHOLD,
                best_threshold,
                best_f1,
            }
        });
        let detail =
            LabelDetail { per_label: per_label.collect(), usual_labels_f1: usual_labels_f1(rows, &counts) };
        Evaluated { scores: counts.scores(), detail: Detail::Labels(detail), verdicts }
    }

    fn record(&self) -> TaskRecord {
        TaskRecord { kind: TaskChoice(&KIND), facts: weights_to_facts(self.positive.as_deref()) }
    }
}

/// An error counts by how many labels are wrong, of equals by how sure the worst one was.
fn verdict(output: &[f32], truth: &[usize], predicted: Vec<usize>) -> Verdict {
    let probability = |label: usize| output.get(label).map_or(0.0, |x| sigmoid(*x));
    let is_wrong = |label: &usize| truth.contains(label) != predicted.contains(label);
    let wrong: Vec<usize> = (0..output.len()).filter(is_wrong).collect();
    let surest = wrong.iter().map(|label| f64::from((probability(*label) - 0.5).abs())).fold(0.0, f64::max);
    // The decision that is the least sure.
    let confidence = (0..output.len()).map(|label| probability(label).max(1.0 - probability(label)));
    let confidence = confidence.fold(1.0, f32::min);
    let error = wrong.len() as f64 + surest;
    Verdict { predicted: Target::Labels(predicted), confidence: Some(confidence), error }
}

/// The threshold of one label with the highest F1, and this; the largest of equal ones.
fn best_threshold(rows: &[Row], label: usize) -> (f32, f64) {
    let mut found: Vec<(f32, bool)> = rows
        .iter()
        .filter_map(|row| Some((sigmoid(*row.output.get(label)?), row.target.labels().contains(&label))))
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positive = found.iter().filter(|(_, has)| *has).count() as u64;
    let (mut best, mut right) = ((THRESHOLD, 0.0), 0);
    for (number, (probability, has)) in found.iter().enumerate() {
        right += u64::from(*has);
        let is_last_of_equals = found.get(number + 1).is_none_or(|next| next.0 != *probability);
        let f1 = ratio(2 * right, positive + number as u64 + 1);
        if is_last_of_equals && f1 > best.1 {
            best = (*probability, f1);
        }
    }
    best
}

/// What always giving the labels of at least half of the samples scores; without such the most frequent label.
fn usual_labels_f1(rows: &[Row], counts: &Counts) -> f64 {
    let support = |label: &Count| label.right + label.missed;
    let mut usual: Vec<usize> = (0..counts.labels.len())
        .filter(|n| counts.labels.get(*n).is_some_and(|l| 2 * support(l) >= rows.len() as u64))
        .collect();
    if usual.is_empty() {
        let most = counts.labels.iter().map(support).max().unwrap_or(0);
        usual.extend(counts.labels.iter().position(|l| support(l) == most));
    }
    let mut always = Counts::new(counts.labels.len());
    rows.iter().for_each(|row| always.count(&usual, row.target.labels()));
    always.micro_f1()
}

/// Decisions about one label.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    right: u64,
    wrong: u64,
    missed: u64,
}

impl Count {
    /// 0 where nothing was given and nothing was there (scikit-learn's `zero_division=0`).
    fn f1(self) -> f64 {
        ratio(2 * self.right, 2 * self.right + self.wrong + self.missed)
    }
}

/// Decisions about all labels; the scores are scikit-learn's `f1_score`, `accuracy_score` and `hamming_loss`.
#[derive(Debug)]
struct Counts {
    labels: Vec<Count>,
    samples: u64,
    exact: u64,
}

impl Counts {
    fn new(labels: usize) -> Self {
        Self { labels: vec![Count::default(); labels], samples: 0, exact: 0 }
    }

    fn count(&mut self, given: &[usize], truth: &[usize]) {
        self.samples += 1;
        self.exact += u64::from(given == truth);
        // Of many labels a sample has few.
        for label in given {
            let Some(count) = self.labels.get_mut(*label) else { continue };
            match truth.contains(label) {
                true => count.right += 1,
                false => count.wrong += 1,
            }
        }
        for label in truth.iter().filter(|label| !given.contains(label)) {
            if let Some(count) = self.labels.get_mut(*label) {
                count.missed += 1;
            }
        }
    }

    fn total(&self) -> Count {
        self.labels.iter().fold(Count::default(), |sum, label| Count {
            right: sum.right + label.right,
            wrong: sum.wrong + label.wrong,
            missed: sum.missed + label.missed,
        })
    }

    fn micro_f1(&self) -> f64 {
        self.total().f1()
    }

    fn macro_f1(&self) -> f64 {
        self.labels.iter().map(|label| label.f1()).sum::<f64>() / self.labels.len().max(1) as f64
    }

    fn exact_match(&self) -> f64 {
        ratio(self.exact, self.samples)
    }

    fn hamming_loss(&self) -> f64 {
        let total = self.total();
        ratio(total.wrong + total.missed, self.samples * self.labels.len() as u64)
    }
}

impl Tally for Counts {
    fn add(&mut self, case: Case) {
        self.count(case.predicted.labels(), case.truth.labels());
    }

    fn scores(&self) -> Scores {
        KIND.scores.iter().zip(SCORES).map(|(kind, score)| (kind.name, score(self))).collect()
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
