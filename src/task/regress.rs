//! Numbers: one for each column. Trained on numbers with mean 0 and deviation 1, told in the data's own unit.

use super::detail::{ColumnScore, NumberDetail};
use super::interval::Spread;
use super::score::{Direction, Format};
use super::setup::bad_facts;
use super::{
    Answer, Case, Detail, Evaluated, LossChoice, NamedNumber, Row, ScoreKind, Tally, Task, TaskChoice,
    TaskKind, TaskRecord, Verdict, wrong_target,
};
use crate::control::Scores;
use crate::data::index::DatasetIndex;
use crate::data::target::{Target, TargetKind};
use crate::nn::squared_error;
use crate::problem::{Problem, Result};
use crate::remedy::Columns;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Telling one number or several; R² is drawn and chooses the best epoch.
pub const KIND: TaskKind = TaskKind {
    name: "regress",
    words: "a number for each sample",
    caution: "How far off it usually is stands in Evaluate. On things unlike the training data it can be much further \
              off, and nothing in the number shows it.",
    target: TargetKind::Numbers,
    scores: &[
        ScoreKind {
            name: "r2",
            words: "R²",
            tooltip: "Share of the variance that is explained (coefficient of determination): 1 is perfect, 0 as good \
                      as always answering the mean, below 0 worse",
            better: Direction::Higher,
            format: Format::Index,
            spread: Spread::Free,
        },
        ScoreKind {
            name: "mae",
            words: "Mean error",
            tooltip: "How far answers are from the truth on average (mean absolute error)",
            better: Direction::Lower,
            format: Format::Amount,
            spread: Spread::Free,
        },
        ScoreKind {
            name: "rmse",
            words: "RMSE",
            tooltip: "Root of the mean squared error: large errors count more",
            better: Direction::Lower,
            format: Format::Amount,
            spread: Spread::Free,
        },
    ],
    check,
    fit,
    open,
};

/// The scores, in the order of the table above.
const SCORES: [fn(&Errors) -> f64; 3] = [Errors::r2, Errors::mae, Errors::rmse];

#[derive(Debug)]
struct Regress {
    columns: Vec<String>,
    scale: Scale,
}

/// Mean and deviation of each column over the training samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Scale {
    mean: Vec<f64>,
    std: Vec<f64>,
}

/// Each column must hold two different numbers.
fn check(index: &DatasetIndex) -> Result<()> {
    let all: Vec<usize> = (0..index.items.len()).collect();
    Scale::of(index, &all).map(drop)
}

fn fit(index: &DatasetIndex, train: &[usize], _loss: &LossChoice) -> Result<Arc<dyn Task>> {
    Ok(Arc::new(Regress { columns: index.classes.clone(), scale: Scale::of(index, train)? }))
}

fn open(record: &TaskRecord, names: Vec<String>, _loss: &LossChoice) -> Result<Arc<dyn Task>> {
    let scale: Scale = Scale::deserialize(&record.facts).map_err(|e| bad_facts(&KIND, e))?;
    let is_usable = |mean: &f64, std: &f64| mean.is_finite() && std.is_finite() && *std > 0.0;
    let fits = scale.mean.len() == names.len() && scale.std.len() == names.len();
    if !fits || !scale.mean.iter().zip(&scale.std).all(|(mean, std)| is_usable(mean, std)) {
        return Err(bad_facts(&KIND, "a mean and a deviation above 0 for each column"));
    }
    Ok(Arc::new(Regress { columns: names, scale }))
}

impl Scale {
    fn of(index: &DatasetIndex, items: &[usize]) -> Result<Self> {
        let (mut mean, mut std) = (Vec::new(), Vec::new());
        for (column, name) in index.classes.iter().enumerate() {
            let items = items.iter().filter_map(|n| index.items.get(*n));
            let values: Vec<f64> =
                items.filter_map(|item| item.target.numbers().get(column).copied()).collect();
            let own = values.iter().sum::<f64>() / values.len().max(1) as f64;
            let variance = values.iter().map(|v| (v - own).powi(2)).sum::<f64>() / values.len().max(1) as f64;
            // Rounding makes the mean of equal numbers another number.
            let differ = values.windows(2).any(|pair| matches!(pair, [a, b] if a != b));
            if !(differ && variance > 0.0 && variance.is_finite()) {
                let why = format!("the numbers in {name:?} are all the same, or too large to compute with");
                return Err(
                    Problem::input("there is nothing to learn", why, Columns::Differing).at(&index.root)
                );
            }
            mean.push(own);
            std.push(variance.sqrt());
        }
        Ok(Self { mean, std })
    }
}

impl Regress {
    /// `[batch * columns]`, with mean 0 and deviation 1.
    fn wanted(&self, targets: &[&Target]) -> candle_core::Result<Vec<f32>> {
        let mut wanted = Vec::with_capacity(targets.len() * self.columns.len());
        for target in targets {
            let numbers = target.numbers();
            if numbers.len() != self.columns.len() {
                return Err(wrong_target(&KIND, target));
            }
            let scaled = numbers.iter().zip(&self.scale.mean).zip(&self.scale.std);
            wanted.extend(scaled.map(|((value, mean), std)| ((value - mean) / std) as f32));
        }
        Ok(wanted)
    }

    /// Outputs in the data's own unit.
    fn numbers(&self, output: &[f32]) -> Vec<f64> {
        let both = output.iter().zip(&self.scale.mean).zip(&self.scale.std);
        both.map(|((value, mean), std)| f64::from(*value) * std + mean).collect()
    }

    fn errors(&self) -> Errors {
        Errors { means: self.scale.mean.clone(), columns: vec![Column::default(); self.columns.len()] }
    }
}

impl Task for Regress {
    fn kind(&self) -> &'static TaskKind {
        &KIND
    }

    fn names(&self) -> &[String] {
        &self.columns
    }

    fn loss(&self, output: &Tensor, targets: &[&Target]) -> candle_core::Result<Tensor> {
        squared_error(output, self.wanted(targets)?)
    }

    fn plain_loss(&self, output: &Tensor, targets: &[&Target]) -> candle_core::Result<Tensor> {
        self.loss(output, targets)
    }

    /// One sum: squared errors in deviations of the training samples, averaged over the columns.
    fn add(&self, sums: &mut Vec<f64>, output: &[f32], target: &Target) {
        sums.resize(1, 0.0);
        let scaled = target.numbers().iter().zip(&self.scale.mean).zip(&self.scale.std);
        let squares =
            output.iter().zip(scaled).map(|(out, ((t, mean), std))| f64::from(*out) - (t - mean) / std);
        let sum: f64 = squares.map(|error| error * error).sum();
        if let Some(total) = sums.first_mut() {
            *total += sum / self.columns.len().max(1) as f64;
        }
    }

    /// The training samples have variance 1.
    fn running(&self, sums: &[f64], samples: usize) -> f64 {
        1.0 - sums.first().copied().unwrap_or(0.0) / samples.max(1) as f64
    }

    fn decide(&self, output: &[f32]) -> Target {
        Target::Numbers(self.numbers(output))
    }

    fn tally(&self) -> Box<dyn Tally> {
        Box::new(self.errors())
    }

    fn answer(&self, output: &[f32], _top: usize) -> Answer {
        let both = self.columns.iter().zip(self.numbers(output));
        Answer::Numbers {
            numbers: both.map(|(name, value)| NamedNumber { name: name.clone(), value }).collect(),
        }
    }

    fn evaluate(&self, rows: &[Row]) -> Evaluated {
        let mut errors = self.errors();
        let verdicts = rows.iter().map(|row| {
            let predicted = self.decide(&row.output);
            errors.add(Case { output: &row.output, predicted: &predicted, truth: &row.target });
            let far = predicted.numbers().iter().zip(row.target.numbers()).zip(&self.scale.std);
            let error = far.map(|((own, truth), std)| (own - truth).abs() / std).fold(0.0, f64::max);
            Verdict { predicted, confidence: None, error }
        });
        let verdicts = verdicts.collect();
        let per_column = self.columns.iter().zip(&errors.columns).map(|(name, column)| ColumnScore {
            column: name.clone(),
            r2: column.r2(),
            mae: column.mae(),
            rmse: column.rmse(),
            mean_mae: column.mean_mae(),
            lowest: column.lowest,
            highest: column.highest,
        });
        let detail = Detail::Numbers(NumberDetail { per_column: per_column.collect() });
        Evaluated { scores: errors.scores(), detail, verdicts }
    }

    fn record(&self) -> TaskRecord {
        // Two lists of finite numbers can always be written.
        let facts = serde_json::to_value(&self.scale).unwrap_or(Value::Null);
        TaskRecord { kind: TaskChoice(&KIND), facts }
    }
}

/// Errors of each column.
#[derive(Debug)]
struct Errors {
    /// Of the training samples.
    means: Vec<f64>,
    columns: Vec<Column>,
}

/// Sums over the answers for one column; mean and spread of the truth by Welford's method (1962).
#[derive(Debug, Clone)]
struct Column {
    samples: u64,
    absolute: f64,
    squared: f64,
    /// Mean and sum of squared deviations of the truth.
    mean: f64,
    spread: f64,
    /// Absolute errors of always answering the mean of the training samples.
    of_mean: f64,
    lowest: f64,
    highest: f64,
}

impl Default for Column {
    fn default() -> Self {
        Self {
            samples: 0,
            absolute: 0.0,
            squared: 0.0,
            mean: 0.0,
            spread: 0.0,
            of_mean: 0.0,
            lowest: f64::INFINITY,
            highest: f64::NEG_INFINITY,
        }
    }
}

impl Column {
    fn add(&mut self, predicted: f64, truth: f64, training_mean: f64) {
        let error = predicted - truth;
        self.samples += 1;
        self.absolute += error.abs();
        self.squared += error * error;
        self.of_mean += (training_mean - truth).abs();
        let before = truth - self.mean;
        self.mean += before / self.samples as f64;
        self.spread += before * (truth - self.mean);
        (self.lowest, self.highest) = (self.lowest.min(truth), self.highest.max(truth));
    }

    /// scikit-learn's `r2_score`: where the truth never varies 1 for perfect answers, else 0.
    fn r2(&self) -> f64 {
        match (self.spread > 0.0, self.squared > 0.0) {
            (true, _) => 1.0 - self.squared / self.spread,
            (false, false) => 1.0,
            (false, true) => 0.0,
        }
    }

    fn mae(&self) -> f64 {
        self.absolute / self.samples.max(1) as f64
    }

    fn rmse(&self) -> f64 {
        (self.squared / self.samples.max(1) as f64).sqrt()
    }

    fn mean_mae(&self) -> f64 {
        self.of_mean / self.samples.max(1) as f64
    }
}

impl Errors {
    /// The plain mean over the columns, as scikit-learn takes it.
    fn mean(&self, of: fn(&Column) -> f64) -> f64 {
        self.columns.iter().map(of).sum::<f64>() / self.columns.len().max(1) as f64
    }

    fn r2(&self) -> f64 {
        self.mean(Column::r2)
    }

    fn mae(&self) -> f64 {
        self.mean(Column::mae)
    }

    fn rmse(&self) -> f64 {
        self.mean(Column::rmse)
    }
}

impl Tally for Errors {
    fn add(&mut self, case: Case) {
        let both = case.predicted.numbers().iter().zip(case.truth.numbers());
        for ((column, mean), (predicted, truth)) in self.columns.iter_mut().zip(&self.means).zip(both) {
            column.add(*predicted, *truth, *mean);
        }
    }

    fn scores(&self) -> Scores {
        KIND.scores.iter().zip(SCORES).map(|(kind, score)| (kind.name, score(self))).collect()
    }
}
