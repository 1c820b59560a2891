//! An evaluation as a screen needs it: intervals, cells, mistakes.

use crate::backbone::mix;
use crate::evaluate::{Answer, Evaluation};
use crate::train::metrics::Confusion;

/// Resamples of the bootstrap.
const RESAMPLES: u64 = 1000;
/// Draws in all, about.
const DRAWS: u64 = 5_000_000;

/// A score with the interval that holds it in 95 of 100 repetitions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// Accuracy and macro F1 with intervals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Intervals {
    pub accuracy: Interval,
    pub macro_f1: Interval,
}

/// The percentile bootstrap (Efron 1979) over samples, seeded: the same answers give the same interval.
pub fn intervals(evaluation: &Evaluation) -> Intervals {
    let (answers, classes) = (&evaluation.answers, evaluation.labels.len());
    let (mut accuracies, mut scores) = (Vec::new(), Vec::new());
    // Many samples need fewer repetitions for the same digits, and the window waits for this.
    let resamples = (DRAWS / answers.len().max(1) as u64).clamp(200, RESAMPLES);
    for resample in 0..resamples {
        let mut confusion = Confusion::new(classes);
        for draw in 0..answers.len() as u64 {
            let pick = mix(resample, draw) % answers.len().max(1) as u64;
            let answer = &answers[pick as usize];
            confusion.add(answer.truth, answer.predicted);
        }
        accuracies.push(confusion.accuracy());
        scores.push(confusion.macro_f1());
    }
    Intervals {
        accuracy: percentiles(evaluation.accuracy, accuracies),
        macro_f1: percentiles(evaluation.macro_f1, scores),
    }
}

impl Interval {
    /// Half its width: what follows a ±.
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// Answers in one cell of the confusion matrix, the most confident first.
pub fn cell(evaluation: &Evaluation, truth: usize, predicted: usize) -> Vec<&Answer> {
    let inside = |a: &&Answer| a.truth == truth && a.predicted == predicted;
    by_confidence(evaluation.answers.iter().filter(inside).collect())
}

/// Wrong answers, the most confident first.
pub fn mistakes(evaluation: &Evaluation) -> Vec<&Answer> {
    by_confidence(evaluation.answers.iter().filter(|a| a.truth != a.predicted).collect())
}

fn by_confidence(mut answers: Vec<&Answer>) -> Vec<&Answer> {
    answers.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    answers
}

fn percentiles(value: f64, mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values.get((share * (values.len().max(1) - 1) as f64).round() as usize).copied();
    Interval { value, low: at(0.025).unwrap_or(value), high: at(0.975).unwrap_or(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(right: usize, wrong: usize) -> Evaluation {
        let mut confusion = Confusion::new(2);
        let mut answers = Vec::new();
        for n in 0..right + wrong {
            let (truth, predicted) = (n % 2, if n < right { n % 2 } else { 1 - n % 2 });
            confusion.add(truth, predicted);
            let confidence = n as f32 / 1000.0;
            answers.push(Answer {
                path: format!("{n}.png").into(),
                text: None,
                truth,
                predicted,
                confidence,
            });
        }
        Evaluation {
            split: "val".into(),
            samples: answers.len() as u64,
            accuracy: confusion.accuracy(),
            macro_f1: confusion.macro_f1(),
            per_class: Vec::new(),
            confusion: confusion.counts().to_vec(),
            labels: vec!["a".into(), "b".into()],
            largest_class_accuracy: 0.5,
            chosen_on_these_samples: true,
            unusable: 0,
            answers,
        }
    }

    /// A binomial proportion of 80 in 100 has a standard deviation of 0.04.
    #[test]
    fn the_interval_has_the_width_that_theory_gives() {
        let found = intervals(&evaluation(80, 20)).accuracy;
        assert_eq!(found.value, 0.8);
        assert!((found.half_width() - 1.96 * 0.04).abs() < 0.01, "{found:?}");
        assert!(found.low < 0.8 && found.high > 0.8);
        assert_eq!(found, intervals(&evaluation(80, 20)).accuracy);
    }

    #[test]
    fn mistakes_come_by_confidence() {
        let evaluation = evaluation(3, 3);
        let wrong: Vec<f32> = mistakes(&evaluation).iter().map(|a| a.confidence).collect();
        assert_eq!(wrong, [0.005, 0.004, 0.003]);
        assert_eq!(cell(&evaluation, 0, 1).len() + cell(&evaluation, 1, 0).len(), 3);
    }
}
