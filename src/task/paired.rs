//! Whether one model is better than another where both answered the same samples.

use crate::data::target::Target;
use serde::{Deserialize, Serialize};

/// How two models compare, sample by sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// Samples that the first answered better, and those that the second did; the others say nothing.
    pub better: usize,
    pub worse: usize,
    /// How likely a difference as large is where neither is better.
    pub chance: f64,
}

/// A difference that is less likely than this by chance counts.
pub const LEVEL: f64 = 0.05;

/// How wrong each sample's answer is, `[samples]`, in the order of the split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Errors(pub Vec<f32>);

/// Compares how wrong two models are on the same samples by the exact sign test (Dixon and Mood 1946), two-sided. For
/// answers that are right or wrong it is McNemar's test in its exact form (McNemar 1947): only the samples count on which
/// the two differ, and where neither is better each of these falls to either with probability one half. `None` where the
/// samples are not the same number.
pub fn paired(own: &Errors, other: &Errors) -> Option<Paired> {
    if own.0.len() != other.0.len() {
        return None;
    }
    let both = || own.0.iter().zip(&other.0);
    let (better, worse) = (both().filter(|(a, b)| a < b).count(), both().filter(|(a, b)| a > b).count());
    Some(Paired { better, worse, chance: sign_test(better, worse) })
}

/// How wrong an answer is: 1 for another class, the number of labels that differ, the distance of numbers.
pub fn error(predicted: &Target, truth: &Target) -> f32 {
    match (predicted, truth) {
        (Target::Labels(own), Target::Labels(right)) => {
            let missing = |a: &[usize], b: &[usize]| a.iter().filter(|label| !b.contains(label)).count();
            (missing(own, right) + missing(right, own)) as f32
        }
        (Target::Numbers(own), Target::Numbers(right)) => {
            own.iter().zip(right).map(|(a, b)| (a - b).abs()).sum::<f64>() as f32
        }
        (own, right) => f32::from(u8::from(own != right)),
    }
}

/// The two-sided chance of so uneven a division, or one more so, of fair coins.
fn sign_test(one: usize, other: usize) -> f64 {
    let (n, fewest) = (one + other, one.min(other));
    let log_half = (n as f64) * 0.5f64.ln();
    let (mut log_choose, mut tail) = (0.0, 0.0);
    for k in 0..=fewest {
        tail += f64::exp(log_choose + log_half);
        log_choose += ((n - k) as f64 / (k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy.stats.binomtest(one, one + other).pvalue
    #[test]
    fn the_chance_is_that_of_scipy() {
        for (one, other, expected) in
            [(2, 9, 0.065_429_687_5), (0, 6, 0.031_25), (5, 5, 1.0), (0, 0, 1.0), (40, 70, 0.005_447_429)]
        {
            let (found, turned) = (sign_test(one, other), sign_test(other, one));
            assert!((found - expected).abs() < 1e-6 && found == turned, "{one}, {other}: {found}");
        }
    }

    #[test]
    fn only_samples_that_differ_count() {
        let (own, other) =
            (Errors(vec![0.0, 0.0, 1.0, 1.0, f32::NAN]), Errors(vec![1.0, 0.0, 1.0, 0.0, 1.0]));
        assert_eq!(paired(&own, &other), Some(Paired { better: 1, worse: 1, chance: 1.0 }));
        assert_eq!(paired(&own, &Errors(vec![0.0])), None);
    }

    #[test]
    fn an_error_is_larger_where_more_is_wrong() {
        let labels = |labels: &[usize]| Target::Labels(labels.to_vec());
        assert_eq!(error(&labels(&[0, 2]), &labels(&[1, 2])), 2.0);
        assert_eq!(
            (error(&Target::Class(1), &Target::Class(1)), error(&Target::Class(1), &Target::Class(0))),
            (0.0, 1.0)
        );
        assert_eq!(error(&Target::Numbers(vec![1.5]), &Target::Numbers(vec![2.0])), 0.5);
    }
}
