//! Which classes are taken for which.

/// Counts of (true class, predicted class).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// Row: true class; column: predicted class.
    counts: Vec<Vec<u64>>,
}

/// Of a confusion what scores need: of each class how many are of it, were taken for it, and both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassCounts {
    right: Vec<u64>,
    support: Vec<u64>,
    predicted: Vec<u64>,
}

/// Scores of one class.
#[derive(Debug, Clone, Copy, PartialEq)]
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

    /// A row for each true class, with a count for each predicted one.
    pub fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// What scores need of it.
    pub fn class_counts(&self) -> ClassCounts {
        let diagonal = self.counts.iter().enumerate().filter_map(|(class, row)| row.get(class)).copied();
        let column = |class: usize| self.counts.iter().filter_map(|row| row.get(class)).sum();
        ClassCounts {
            right: diagonal.collect(),
            support: self.counts.iter().map(|row| row.iter().sum()).collect(),
            predicted: (0..self.counts.len()).map(column).collect(),
        }
    }
}

impl ClassCounts {
    /// No sample seen yet.
    pub fn new(classes: usize) -> Self {
        let zeros = vec![0; classes];
        Self { right: zeros.clone(), support: zeros.clone(), predicted: zeros }
    }

    /// Counts one sample; one with a class out of range is ignored.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        if let (Some(support), Some(taken)) = (self.support.get_mut(truth), self.predicted.get_mut(predicted))
        {
            *support += 1;
            *taken += 1;
            if let Some(right) = self.right.get_mut(truth).filter(|_| truth == predicted) {
                *right += 1;
            }
        }
    }

    /// Samples counted.
    pub fn samples(&self) -> u64 {
        self.support.iter().sum()
    }

    /// Share of samples predicted right.
    pub fn accuracy(&self) -> f64 {
        ratio(self.right.iter().sum(), self.samples())
    }

    /// Scores of each class.
    pub fn per_class(&self) -> Vec<ClassScore> {
        let all = self.right.iter().zip(&self.support).zip(&self.predicted);
        let score = |((right, support), predicted): ((&u64, &u64), &u64)| ClassScore {
            precision: ratio(*right, *predicted),
            recall: ratio(*right, *support),
            f1: ratio(2 * right, support + predicted),
            support: *support,
        };
        all.map(score).collect()
    }

    /// Mean F1 over the classes that occur, truly or as a prediction (scikit-learn's `f1_score` with
    /// `average="macro"`).
    pub fn macro_f1(&self) -> f64 {
        let all = self.right.iter().zip(&self.support).zip(&self.predicted);
        let occurring = all.filter(|((_, support), predicted)| **support + **predicted > 0);
        let (sum, count) = occurring.fold((0.0, 0), |(sum, n), ((right, support), predicted)| {
            (sum + ratio(2 * right, support + predicted), n + 1)
        });
        if count == 0 { 0.0 } else { sum / f64::from(count) }
    }

    /// Accuracy of always answering the largest class.
    pub fn largest_class_share(&self) -> f64 {
        ratio(self.support.iter().copied().max().unwrap_or(0), self.samples())
    }
}

/// The position of the largest value; the first of equals.
pub fn argmax(values: &[f32]) -> usize {
    let mut best = (0, values.first().copied().unwrap_or(0.0));
    for (position, value) in values.iter().enumerate() {
        if *value > best.1 {
            best = (position, *value);
        }
    }
    best.0
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
        let (mut confusion, mut counts) = (Confusion::new(4), ClassCounts::new(4));
        for (truth, predicted) in [(0, 0), (0, 0), (0, 1), (1, 1), (1, 2), (2, 2)] {
            confusion.add(truth, predicted);
            counts.add(truth, predicted);
        }
        assert_eq!(confusion.class_counts(), counts);
        assert!((counts.accuracy() - 4.0 / 6.0).abs() < 1e-12);
        assert!((counts.macro_f1() - (0.8 + 0.5 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
        assert_eq!(counts.per_class()[0].support, 3);
        assert_eq!(counts.per_class()[3], ClassScore { precision: 0.0, recall: 0.0, f1: 0.0, support: 0 });
        assert_eq!(counts.largest_class_share(), 0.5);
    }

    #[test]
    fn nothing_seen_scores_zero() {
        let empty = ClassCounts::new(2);
        assert_eq!((empty.accuracy(), empty.macro_f1()), (0.0, 0.0));
    }
}
