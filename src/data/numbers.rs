//! What the numbers of a dataset's targets are like: extent, middle, spread, histogram.

use serde::Serialize;

use super::index::DatasetIndex;
use super::target::TargetKind;

/// One column of numbers in figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NumberSummary {
    /// The column.
    pub name: String,
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    /// Standard deviation of all values (divided by their number, not by one less).
    pub std: f64,
    /// How many values there are.
    pub count: usize,
}

impl NumberSummary {
    /// Of `values`; zeros where there are none. One pass (Welford 1962), so that large values of small spread do not
    /// cancel.
    pub fn new(name: &str, values: &[f64]) -> NumberSummary {
        let (mut min, mut max, mut mean, mut squares) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0.0);
        for (before, value) in values.iter().enumerate() {
            (min, max) = (min.min(*value), max.max(*value));
            let from_mean = value - mean;
            mean += from_mean / (before + 1) as f64;
            squares += from_mean * (value - mean);
        }
        let name = name.to_owned();
        match values.len() {
            0 => NumberSummary { name, min: 0.0, max: 0.0, mean: 0.0, std: 0.0, count: 0 },
            count => NumberSummary { name, min, max, mean, std: (squares / count as f64).sqrt(), count },
        }
    }
}

/// How many values lie in each of some equal steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Where the first bin begins, a multiple of the step.
    pub start: f64,
    /// The width of a bin: 1, 2 or 5 times a power of ten.
    pub step: f64,
    /// Values in each bin; the lower end belongs to it.
    pub counts: Vec<usize>,
}

/// About how many bins a histogram has; half as many again at most.
const BINS: f64 = 12.0;

impl Histogram {
    /// Of `values`, with ends that people can read. No values, or one value over and over, make one bin.
    pub fn new(values: &[f64]) -> Histogram {
        let (min, max) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| (min.min(*value), max.max(*value)));
        let range = max - min;
        // Closer together than f64 can part into bins: one bin.
        if !range.is_finite() || range <= min.abs().max(max.abs()) * 1e-12 {
            let start = if min.is_finite() { min } else { 0.0 };
            return Histogram { start, step: 0.0, counts: vec![values.len()] };
        }
        let all_whole = values.iter().all(|value| value.fract() == 0.0);
        let step = round_step(range / BINS, all_whole);
        let first = (min / step).floor();
        let bins = ((max / step).floor() - first) as usize + 1;
        let mut counts = vec![0; bins];
        for value in values {
            let bin = ((value / step).floor() - first) as usize;
            if let Some(count) = counts.get_mut(bin.min(bins - 1)) {
                *count += 1;
            }
        }
        Histogram { start: first * step, step, counts }
    }

    /// Lower and upper end of bin `number`; equal where all values are.
    pub fn ends(&self, number: usize) -> (f64, f64) {
        let end = |number: usize| self.start + self.step * number as f64;
        (end(number), end(number + 1))
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below `least`; at least 1 for whole numbers.
fn round_step(least: f64, all_whole: bool) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| *step >= least);
    let step = step.unwrap_or(10.0 * power);
    if all_whole { step.max(1.0) } else { step }
}

impl DatasetIndex {
    /// The columns of a dataset of numbers in figures; empty for other targets.
    pub fn summaries(&self) -> Vec<NumberSummary> {
        match self.target {
            TargetKind::Class | TargetKind::Labels => Vec::new(),
            TargetKind::Numbers => {
                let summary =
                    |(number, name): (usize, &String)| NumberSummary::new(name, &self.numbers_of(number));
                self.classes.iter().enumerate().map(summary).collect()
            }
        }
    }

    /// The values of column `number` of a dataset of numbers, in the order of the items.
    pub fn numbers_of(&self, number: usize) -> Vec<f64> {
        self.items.iter().filter_map(|item| item.target.numbers().get(number).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn figures_are_those_of_the_values() {
        let summary = NumberSummary::new("price", &[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!((summary.min, summary.max, summary.mean, summary.std), (2.0, 9.0, 5.0, 2.0));
        let large = NumberSummary::new("id", &[1e9 + 1.0, 1e9 + 2.0, 1e9 + 3.0]);
        assert_eq!((large.mean, large.std), (1e9 + 2.0, (2f64 / 3.0).sqrt()));
        assert_eq!(NumberSummary::new("none", &[]).count, 0);
    }

    #[test]
    fn bins_end_at_round_numbers() {
        let ends = |values: &[f64]| {
            let histogram = Histogram::new(values);
            let last = histogram.counts.len() - 1;
            (histogram.start, histogram.step, histogram.ends(last).1)
        };
        assert_eq!(ends(&[3.0, 980.0]), (0.0, 100.0, 1000.0));
        assert_eq!(ends(&[1.0, 5.0]), (1.0, 1.0, 6.0));
        assert_eq!(ends(&[1950.0, 2020.0]), (1950.0, 10.0, 2030.0));
        assert_eq!(ends(&[-2.5, 2.5]), (-2.5, 0.5, 3.0));
        assert_eq!(Histogram::new(&[7.0, 7.0]), Histogram { start: 7.0, step: 0.0, counts: vec![2] });
        assert_eq!(Histogram::new(&[]), Histogram { start: 0.0, step: 0.0, counts: vec![0] });
    }

    proptest! {
        #[test]
        fn every_value_is_in_one_bin(values in prop::collection::vec(-1e30f64..1e30, 1..200), exponent in -40i32..0) {
            let values: Vec<f64> = values.iter().map(|value| value * 10f64.powi(exponent)).collect();
            let histogram = Histogram::new(&values);
            prop_assert_eq!(histogram.counts.iter().sum::<usize>(), values.len());
            prop_assert!(histogram.counts.len() <= 20);
            prop_assert!(histogram.start.is_finite() && histogram.step.is_finite());
        }
    }
}
