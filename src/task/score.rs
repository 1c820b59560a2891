//! What a score is: a name, words, which direction is better, how it is written.

use super::interval::{Interval, Spread, wilson};
use crate::control::{EpochRecord, Scores};
use std::cmp::Ordering;

/// One score of a task.
#[derive(Debug, PartialEq)]
pub struct ScoreKind {
    /// In files and on the command line: `macro_f1`.
    pub name: &'static str,
    /// For a person: `Macro F1`.
    pub words: &'static str,
    /// What it means, with the field's own term.
    pub tooltip: &'static str,
    pub better: Direction,
    pub format: Format,
    /// What its interval follows from.
    pub spread: Spread,
}

/// Which of two values is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Higher,
    Lower,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A share: 93.2 %.
    Share,
    /// A number between 0 and 1, or below: 0.87.
    Index,
    /// In the unit of the data: 12.3.
    Amount,
}

/// Stands where a task has no score at all.
pub static NONE: ScoreKind = ScoreKind {
    name: "none",
    words: "No score",
    tooltip: "This task has no score",
    better: Direction::Higher,
    format: Format::Index,
    spread: Spread::Free,
};

impl ScoreKind {
    /// How much better `a` is than `b`; below 0 where it is worse.
    pub fn gain(&self, a: f64, b: f64) -> f64 {
        match self.better {
            Direction::Higher => a - b,
            Direction::Lower => b - a,
        }
    }

    /// The words inside a sentence: `accuracy`, but `RMSE` and `R²`.
    pub fn noun(&self) -> String {
        let mut letters = self.words.chars();
        match (letters.next(), letters.clone().next()) {
            (Some(first), Some(second)) if second.is_lowercase() => {
                first.to_lowercase().chain(letters).collect()
            }
            _ => self.words.to_string(),
        }
    }

    /// The value for a person.
    pub fn format(&self, value: f64) -> String {
        match self.format {
            Format::Share => format!("{:.1} %", 100.0 * value),
            Format::Index => format!("{value:.2}"),
            Format::Amount => amount(value),
        }
    }

    /// A difference of two values, without its sign: `3.1 points`.
    pub fn format_difference(&self, value: f64) -> String {
        match self.format {
            Format::Share => format!("{:.1} points", 100.0 * value.abs()),
            Format::Index => format!("{:.2}", value.abs()),
            Format::Amount => amount(value.abs()),
        }
    }

    /// The ends of an interval: `70.6 to 86.3`; the unit stands with the value before it.
    pub fn format_interval(&self, interval: &Interval) -> String {
        let end = |value: f64| match self.format {
            Format::Share => format!("{:.1}", 100.0 * value),
            Format::Index => format!("{value:.2}"),
            Format::Amount => amount(value),
        };
        format!("{} to {}", end(interval.low), end(interval.high))
    }

    /// The smallest difference that is seen in [`ScoreKind::format`].
    pub fn grain(&self) -> f64 {
        match self.format {
            Format::Share => 0.0005,
            Format::Index | Format::Amount => 0.005,
        }
    }

    /// The 95 % interval of a score over `samples`, where it follows from these two alone.
    pub fn interval(&self, value: f64, samples: usize) -> Option<Interval> {
        match self.spread {
            Spread::Hits => wilson(value, samples),
            Spread::Unit | Spread::Free => None,
        }
    }

    /// Its value among `scores`.
    pub fn of(&self, scores: &Scores) -> Option<f64> {
        scores.get(self.name)
    }
}

/// Three digits that count, without an exponent where people read it easily.
fn amount(value: f64) -> String {
    match value.abs() {
        v if !v.is_finite() || v >= 1e7 || (v > 0.0 && v < 1e-3) => format!("{value:.2e}"),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 || v == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The best of `epochs` by `chief`, of equals the one with the lowest validation loss, of these the earliest. The one
/// place where this is decided.
pub fn best_epoch<'e>(
    epochs: impl IntoIterator<Item = &'e EpochRecord>,
    chief: &ScoreKind,
) -> Option<&'e EpochRecord> {
    let is_better = |new: &EpochRecord, best: &EpochRecord| match (chief.of(&new.val), chief.of(&best.val)) {
        (Some(new_score), Some(best_score)) => match chief.gain(new_score, best_score).partial_cmp(&0.0) {
            Some(Ordering::Greater) => true,
            Some(Ordering::Equal) => new.val_loss < best.val_loss,
            Some(Ordering::Less) => false,
            // What is no number is worse than any.
            None => best_score.is_nan() && !new_score.is_nan(),
        },
        (Some(_), None) => true,
        (None, Some(_)) => false,
        (None, None) => new.val_loss < best.val_loss,
    };
    epochs.into_iter().fold(None, |best, new| match best {
        Some(best) if !is_better(new, best) => Some(best),
        _ => Some(new),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCURACY: ScoreKind = ScoreKind {
        name: "accuracy",
        words: "Accuracy",
        tooltip: "",
        better: Direction::Higher,
        format: Format::Share,
        spread: Spread::Hits,
    };
    const ERROR: ScoreKind =
        ScoreKind { name: "accuracy", better: Direction::Lower, format: Format::Amount, ..ACCURACY };

    fn best(chief: &ScoreKind, epochs: &[(f64, f64)]) -> Option<u32> {
        let record = |(n, (score, val_loss)): (usize, &(f64, f64))| EpochRecord {
            epoch: n as u32 + 1,
            val_loss: *val_loss,
            val: [("accuracy", *score)].into_iter().collect(),
            ..EpochRecord::default()
        };
        let epochs: Vec<_> = epochs.iter().enumerate().map(record).collect();
        best_epoch(&epochs, chief).map(|e| e.epoch)
    }

    /// Seen to fail with `>=` in place of `>`.
    #[test]
    fn the_best_epoch_has_the_best_score_then_the_lowest_loss_then_comes_first() {
        assert_eq!(best(&ACCURACY, &[]), None);
        assert_eq!(best(&ACCURACY, &[(0.5, 0.9), (0.8, 0.7), (0.8, 0.6), (0.7, 0.1)]), Some(3));
        assert_eq!(best(&ACCURACY, &[(0.8, 0.7), (0.8, 0.7)]), Some(1));
        assert_eq!(best(&ERROR, &[(0.5, 0.9), (0.8, 0.7), (0.5, 0.8)]), Some(3));
        assert_eq!(best(&ACCURACY, &[(f64::NAN, 0.1), (0.1, 0.9)]), Some(2));
    }

    #[test]
    fn values_are_written_for_people() {
        let check = |kind: &ScoreKind, value: f64, expected: &str| assert_eq!(kind.format(value), expected);
        check(&ACCURACY, 0.9324, "93.2 %");
        check(&ERROR, 12.345, "12.3");
        check(&ERROR, 12_345.6, "12346");
        check(&ERROR, 0.01234, "0.012");
        check(&ERROR, 1e-9, "1.00e-9");
        assert_eq!(ACCURACY.format_difference(-0.031), "3.1 points");
    }
}
