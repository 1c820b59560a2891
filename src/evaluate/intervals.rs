//! The intervals of an evaluation's scores, from resamples of its answers.

use super::Answered;
use crate::backbone::mix;
use crate::control::{Control, Scores};
use crate::task::interval::{Interval, interval};
use crate::task::{Case, ScoreKind, Task};

/// Resamples of the bootstrap.
const RESAMPLES: u64 = 1000;
/// Draws in all, about.
const DRAWS: u64 = 5_000_000;

/// One for each of the task's scores that has one, in its order, from a bootstrap over samples, seeded: the same answers
/// give the same intervals. `None` where the user stopped.
pub fn intervals(
    task: &dyn Task,
    scores: &Scores,
    answers: &[Answered],
    control: &dyn Control,
) -> Option<Vec<(&'static str, Interval)>> {
    let kinds = task.kind().scores;
    let mut found: Vec<Vec<f64>> = vec![Vec::new(); kinds.len()];
    // Many samples need fewer repetitions for the same digits.
    let count = answers.len().max(1) as u64;
    let resamples = (DRAWS / count).clamp(200, RESAMPLES);
    for resample in 0..resamples {
        if control.stop_requested() {
            return None;
        }
        let mut tally = task.tally();
        for draw in 0..answers.len() as u64 {
            if let Some(Answered { output, predicted, truth, .. }) =
                answers.get((mix(resample, draw) % count) as usize)
            {
                tally.add(Case { output, predicted, truth });
            }
        }
        let drawn = tally.scores();
        for (values, kind) in found.iter_mut().zip(kinds) {
            values.extend(kind.of(&drawn));
        }
    }
    let both = kinds.iter().zip(found);
    let interval_of = |(kind, values): (&ScoreKind, Vec<f64>)| {
        Some((kind.name, interval(kind.spread, kind.of(scores)?, answers.len(), values)?))
    };
    Some(both.filter_map(interval_of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Silent;
    use crate::data::target::Target;
    use crate::task::{LossChoice, TaskRecord};

    /// A binomial proportion of 80 in 100 has a standard deviation of 0.04.
    #[test]
    fn the_interval_has_the_width_that_theory_gives() {
        let names = vec!["a".to_string(), "b".to_string()];
        let task = TaskRecord::default().open(names, &LossChoice::default()).unwrap();
        let answer = |n: usize| Answered {
            path: format!("{n}.png").into(),
            text: None,
            truth: Target::Class(n % 2),
            predicted: Target::Class(if n < 80 { n % 2 } else { 1 - n % 2 }),
            confidence: None,
            error: 0.0,
            output: Vec::new(),
        };
        let answers: Vec<Answered> = (0..100).map(answer).collect();
        let scores = [("accuracy", 0.8), ("macro_f1", 0.8)].into_iter().collect();
        let found = intervals(task.as_ref(), &scores, &answers, &Silent).unwrap();
        let (name, accuracy) = found[0];
        assert_eq!((name, accuracy.value), ("accuracy", 0.8));
        for (_, found) in &found {
            let half = (found.high - found.low) / 2.0;
            assert!((half - 1.96 * 0.04).abs() < 0.01 && found.holds(0.8), "{found:?}");
        }
        assert_eq!(Some(found), intervals(task.as_ref(), &scores, &answers, &Silent));
    }
}
