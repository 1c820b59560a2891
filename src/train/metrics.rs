//! Scores of a classifier, from its confusion matrix.

use serde::{Deserialize, Serialize};

/// Counts of (true class, predicted class).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Row: true class; column: predicted class.
    counts: Vec<Vec<u64>>,
}

/// Scores of one class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassScore {
    /// Of the samples predicted as this class, the share that is of it; 0 where none was.
    pub precision: f64,
    /// Of the samples of this class, the share predicted as it; 0 where there is none.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Samples of this class.
    pub support: u64,
}

impl Confusion {
    /// No sample seen yet.
    pub fn new(classes: usize) -> Self {
        Self { counts: vec![vec![0; classes]; classes] }
    }

    /// Counts one sample; classes out of range are ignored.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        if let Some(count) = self.counts.get_mut(truth).and_then(|row| row.get_mut(predicted)) {
            *count += 1;
        }
    }

    pub fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// Samples counted.
    pub fn samples(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Share of samples predicted right.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = self.counts.iter().enumerate().filter_map(|(class, row)| row.get(class)).sum();
        ratio(right, self.samples())
    }

    /// Scores of each class.
    pub fn per_class(&self) -> Vec<ClassScore> {
        let score = |class: usize| {
            let right = self.counts[class][class];
            let support: u64 = self.counts[class].iter().sum();
            let predicted: u64 = self.counts.iter().map(|row| row[class]).sum();
            ClassScore {
                precision: ratio(right, predicted),
                recall: ratio(right, support),
                f1: ratio(2 * right, support + predicted),
                support,
            }
        };
        (0..self.counts.len()).map(score).collect()
    }

    /// Mean F1 over the classes that occur, truly or as a prediction (scikit-learn's `f1_score` with
    /// `average="macro"`).
    pub fn macro_f1(&self) -> f64 {
        let occurs = |class: &usize| {
            let predicted: u64 = self.counts.iter().map(|row| row[*class]).sum();
            predicted + self.counts[*class].iter().sum::<u64>() > 0
        };
        let scores = self.per_class();
        let present: Vec<f64> = (0..scores.len()).filter(occurs).map(|class| scores[class].f1).collect();
        match present.len() {
            0 => 0.0,
            n => present.iter().sum::<f64>() / n as f64,
        }
    }

    /// Accuracy of always answering the largest class.
    pub fn largest_class_share(&self) -> f64 {
        let largest = self.counts.iter().map(|row| row.iter().sum::<u64>()).max().unwrap_or(0);
        ratio(largest, self.samples())
    }
}

/// The position of the largest value; the first of equals.
pub fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (position, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = position;
        }
    }
    best
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures from scikit-learn 1.7: y_true [0,0,0,1,1,2], y_pred [0,0,1,1,2,2].
    #[test]
    fn scores_are_those_of_scikit_learn() {
        let mut confusion = Confusion::new(4);
        for (truth, predicted) in [(0, 0), (0, 0), (0, 1), (1, 1), (1, 2), (2, 2)] {
            confusion.add(truth, predicted);
        }
        assert!((confusion.accuracy() - 4.0 / 6.0).abs() < 1e-12);
        assert!((confusion.macro_f1() - (0.8 + 0.5 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
        assert_eq!(confusion.per_class()[0].support, 3);
        assert_eq!(confusion.per_class()[3], ClassScore { precision: 0.0, recall: 0.0, f1: 0.0, support: 0 });
        assert_eq!(confusion.largest_class_share(), 0.5);
    }

    #[test]
    fn nothing_seen_scores_zero() {
        let empty = Confusion::new(2);
        assert_eq!((empty.accuracy(), empty.macro_f1()), (0.0, 0.0));
    }
}
