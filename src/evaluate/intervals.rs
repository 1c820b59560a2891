//! How sure a score is: the interval that holds it in 95 of 100 repetitions.

use super::Evaluation;
use crate::backbone::mix;

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

impl Intervals {
    /// Of the answers of an evaluation.
    pub fn of_evaluation(evaluation: &Evaluation) -> Self {
        let pairs: Vec<(usize, usize)> =
            evaluation.answers.iter().map(|answer| (answer.truth, answer.predicted)).collect();
        Self::of(&pairs, evaluation.labels.len())
    }

    /// The percentile bootstrap (Efron 1979) over samples, seeded: the same answers give the same intervals. `answers`
    /// are (true class, predicted class), each below `classes`; others are ignored.
    pub fn of(answers: &[(usize, usize)], classes: usize) -> Self {
        let mut tally = Tally::new(classes);
        let answers: Vec<(usize, usize)> =
            answers.iter().copied().filter(|(truth, predicted)| *truth.max(predicted) < classes).collect();
        answers.iter().for_each(|answer| tally.add(*answer));
        let (accuracy, macro_f1) = (tally.accuracy(), tally.macro_f1());
        let (mut accuracies, mut scores) = (Vec::new(), Vec::new());
        // Many samples need fewer repetitions for the same digits, and somebody waits for this.
        let resamples = (DRAWS / answers.len().max(1) as u64).clamp(200, RESAMPLES);
        for resample in 0..resamples {
            tally.clear();
            for draw in 0..answers.len() as u64 {
                let pick = mix(resample, draw) % answers.len() as u64;
                tally.add(answers[pick as usize]);
            }
            accuracies.push(tally.accuracy());
            scores.push(tally.macro_f1());
        }
        Self { accuracy: percentiles(accuracy, accuracies), macro_f1: percentiles(macro_f1, scores) }
    }
}

impl Interval {
    /// Half its width: what follows a ±.
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

fn percentiles(value: f64, mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values.get((share * (values.len().max(1) - 1) as f64).round() as usize).copied();
    Interval { value, low: at(0.025).unwrap_or(value), high: at(0.975).unwrap_or(value) }
}

/// The margins and the diagonal of a confusion matrix: all that accuracy and F1 need of it, however many classes there
/// are.
struct Tally {
    /// Samples answered right, of each class.
    right: Vec<u64>,
    /// How often each class was true, plus how often it was predicted.
    occurs: Vec<u64>,
    samples: u64,
}

impl Tally {
    fn new(classes: usize) -> Self {
        Self { right: vec![0; classes], occurs: vec![0; classes], samples: 0 }
    }

    fn clear(&mut self) {
        self.right.fill(0);
        self.occurs.fill(0);
        self.samples = 0;
    }

    fn add(&mut self, (truth, predicted): (usize, usize)) {
        self.samples += 1;
        self.right[truth] += u64::from(truth == predicted);
        self.occurs[truth] += 1;
        self.occurs[predicted] += 1;
    }

    fn accuracy(&self) -> f64 {
        match self.samples {
            0 => 0.0,
            samples => self.right.iter().sum::<u64>() as f64 / samples as f64,
        }
    }

    /// Mean F1 over the classes that occur, truly or as a prediction.
    fn macro_f1(&self) -> f64 {
        let (mut sum, mut present) = (0.0, 0u64);
        for (right, occurs) in self.right.iter().zip(&self.occurs).filter(|(_, occurs)| **occurs > 0) {
            sum += (2 * right) as f64 / *occurs as f64;
            present += 1;
        }
        if present == 0 { 0.0 } else { sum / present as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::metrics::Confusion;

    /// Every second sample is of class 1; the last `wrong` are answered wrongly.
    fn answers(right: usize, wrong: usize) -> Vec<(usize, usize)> {
        (0..right + wrong).map(|n| (n % 2, if n < right { n % 2 } else { 1 - n % 2 })).collect()
    }

    /// A binomial proportion of 80 in 100 has a standard deviation of 0.04.
    #[test]
    fn the_interval_has_the_width_that_theory_gives() {
        let found = Intervals::of(&answers(80, 20), 2).accuracy;
        assert_eq!(found.value, 0.8);
        assert!((found.half_width() - 1.96 * 0.04).abs() < 0.01, "{found:?}");
        assert!(found.low < 0.8 && found.high > 0.8);
        assert_eq!(found, Intervals::of(&answers(80, 20), 2).accuracy);
    }

    /// To the bit what a whole confusion matrix for each resample gives.
    #[test]
    fn the_scores_are_those_of_the_confusion_matrix() {
        let classes = 7;
        let answers: Vec<(usize, usize)> = (0..150)
            .map(|n| {
                let truth = mix(1, n) as usize % (classes - 1);
                (truth, if mix(2, n) % 3 > 0 { truth } else { mix(3, n) as usize % classes })
            })
            .collect();
        let scores = |picked: &mut dyn Iterator<Item = (usize, usize)>| {
            let mut confusion = Confusion::new(classes);
            picked.for_each(|(truth, predicted)| confusion.add(truth, predicted));
            (confusion.accuracy(), confusion.macro_f1())
        };
        let (accuracy, macro_f1) = scores(&mut answers.iter().copied());
        let resampled = (0..RESAMPLES).map(|resample| {
            let pick = |draw: u64| answers[(mix(resample, draw) % answers.len() as u64) as usize];
            scores(&mut (0..answers.len() as u64).map(pick))
        });
        let (accuracies, f1s) = resampled.unzip();
        let expected =
            Intervals { accuracy: percentiles(accuracy, accuracies), macro_f1: percentiles(macro_f1, f1s) };
        assert_eq!(Intervals::of(&answers, classes), expected);
    }

    #[test]
    fn a_thousand_classes_take_no_matrix_a_resample() {
        let answers: Vec<(usize, usize)> = (0..10_000).map(|n| (n % 1000, (n * 7) % 1000)).collect();
        let began = std::time::Instant::now();
        let found = Intervals::of(&answers, 1000);
        assert!(found.accuracy.low <= found.accuracy.value && found.accuracy.value <= found.accuracy.high);
        // A matrix for each would be 500 million cells to clear and as many again to add up.
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    }

    #[test]
    fn nothing_answered_scores_zero() {
        assert_eq!(Intervals::of(&[], 3).macro_f1, Interval { value: 0.0, low: 0.0, high: 0.0 });
        assert_eq!(Intervals::of(&[(0, 9)], 3), Intervals::of(&[], 3));
    }
}
