//! How far a score could lie from what it is on other samples of the same kind.

/// The normal deviate of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// A score with the interval that holds it in 95 of 100 repetitions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// How a score spreads from one set of samples to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Each sample is right or wrong, and the score is the share of either.
    Hits,
    /// Between 0 and 1, but no share of the samples.
    Unit,
    /// Bounded by nothing, or by the data.
    Free,
}

impl Interval {
    /// Whether `value` may be what is measured here but for chance.
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The interval of a share of `samples` (Wilson 1927), which is wide where few or none are wrong; `None` without samples.
pub fn wilson(share: f64, samples: usize) -> Option<Interval> {
    if samples == 0 || !(0.0..=1.0).contains(&share) {
        return None;
    }
    let n = samples as f64;
    let scale = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    // Rounding must not leave the share itself outside.
    let (low, high) = ((centre - half).clamp(0.0, share), (centre + half).clamp(share, 1.0));
    Some(Interval { value: share, low, high })
}

/// The interval of a score that is `value` over `samples`, and `resampled` in the resamples of a bootstrap; `None` where
/// one sample says nothing of others.
///
/// Percentiles of a bootstrap (Efron 1979) are too narrow for few samples, and have no width where nothing is wrong.
/// Shares are given Wilson's interval instead; scores between 0 and 1 one that is at least as wide as that of a share; all
/// others the percentiles widened to the width of Student's t (the expanded percentile interval, Hesterberg 2015).
pub fn interval(spread: Spread, value: f64, samples: usize, resampled: Vec<f64>) -> Option<Interval> {
    match spread {
        Spread::Hits => wilson(value, samples),
        Spread::Unit => {
            let floor = wilson(value, samples)?;
            let Some(own) = expanded(value, samples, resampled) else { return Some(floor) };
            let (low, high) = (own.low.clamp(0.0, floor.low), own.high.clamp(floor.high, 1.0));
            Some(Interval { value, low, high })
        }
        Spread::Free => expanded(value, samples, resampled),
    }
}

fn expanded(value: f64, samples: usize, mut resampled: Vec<f64>) -> Option<Interval> {
    resampled.retain(|drawn| drawn.is_finite());
    if samples < 2 || resampled.is_empty() || !value.is_finite() {
        return None;
    }
    resampled.sort_by(f64::total_cmp);
    let at = |share: f64| resampled.get((share * (resampled.len() - 1) as f64).round() as usize).copied();
    let n = samples as f64;
    let wider = student(n - 1.0) / Z * (n / (n - 1.0)).sqrt();
    let low = at(0.025).map_or(value, |low| value - wider * (value - low).max(0.0));
    let high = at(0.975).map_or(value, |high| value + wider * (high - value).max(0.0));
    Some(Interval { value, low, high })
}

/// What Student's t is with 95 % between it and its opposite, for so many degrees of freedom (the expansion of Cornish
/// and Fisher; within 3 % from two degrees on).
fn student(freedom: f64) -> f64 {
    let powers = |coefficients: &[(f64, i32)]| coefficients.iter().map(|(c, p)| c * Z.powi(*p)).sum::<f64>();
    Z + powers(&[(1.0, 3), (1.0, 1)]) / (4.0 * freedom)
        + powers(&[(5.0, 5), (16.0, 3), (3.0, 1)]) / (96.0 * freedom.powi(2))
        + powers(&[(3.0, 7), (19.0, 5), (17.0, 3), (-15.0, 1)]) / (384.0 * freedom.powi(3))
        + powers(&[(79.0, 9), (776.0, 7), (1482.0, 5), (-1920.0, 3), (-945.0, 1)])
            / (92_160.0 * freedom.powi(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chance that exactly so many of `n` are right.
    fn binomial(right: usize, n: usize, share: f64) -> f64 {
        let choose: f64 = (0..right).map(|k| ((n - k) as f64 / (right - k) as f64).ln()).sum();
        (choose + right as f64 * share.ln() + (n - right) as f64 * (1.0 - share).ln()).exp()
    }

    /// Seen to fail with the interval of Wald, which covers 45 % at 12 samples of which 95 % are right.
    #[test]
    fn an_interval_of_a_share_holds_the_truth_as_often_as_it_says() {
        for n in [12, 18, 42, 84, 200, 1000] {
            for share in [0.5, 0.8, 0.9, 0.95, 0.98] {
                let covered: f64 = (0..=n)
                    .filter(|right| wilson(*right as f64 / n as f64, n).unwrap().holds(share))
                    .map(|right| binomial(right, n, share))
                    .sum();
                assert!(covered > 0.9, "{covered} of {n} samples at {share}");
            }
        }
    }

    #[test]
    fn shares_have_the_interval_of_statsmodels() {
        // statsmodels.stats.proportion.proportion_confint(right, n, method="wilson")
        for (right, n, low, high) in
            [(84, 84, 0.956_269, 1.0), (80, 100, 0.711_170_8, 0.866_633_1), (0, 12, 0.0, 0.242_494)]
        {
            let found = wilson(f64::from(right) / f64::from(n), n as usize).unwrap();
            assert!((found.low - low).abs() < 1e-5 && (found.high - high).abs() < 1e-5, "{found:?}");
        }
        assert_eq!(wilson(0.5, 0), None);
        assert_eq!(wilson(f64::NAN, 9), None);
    }

    #[test]
    fn a_score_without_a_mistake_is_not_certain() {
        let found = interval(Spread::Unit, 1.0, 84, vec![1.0; 100]).unwrap();
        assert!((found.low - 0.956).abs() < 1e-3 && found.high == 1.0, "{found:?}");
        let loss = interval(Spread::Unit, 0.0, 9, vec![0.0; 100]).unwrap();
        assert!(loss.low == 0.0 && loss.high > 0.25, "{loss:?}");
        assert_eq!(interval(Spread::Free, 3.0, 1, vec![3.0; 100]), None);
    }

    /// Tables of Student's t, 97.5 %.
    #[test]
    fn few_samples_widen_as_students_t_does() {
        for (freedom, expected) in [(2.0, 4.303), (3.0, 3.182), (9.0, 2.262), (30.0, 2.042)] {
            let found = student(freedom);
            assert!((found / expected - 1.0).abs() < 0.03, "{freedom}: {found}");
        }
    }
}
