//! An evaluation as a screen needs it: cells.

use crate::evaluate::{Answered, Evaluation};

/// Answers in one cell of the confusion matrix, the most confident first.
pub fn cell(evaluation: &Evaluation, truth: usize, predicted: usize) -> Vec<&Answered> {
    let inside = |a: &&Answered| a.truth.class() == Some(truth) && a.predicted.class() == Some(predicted);
    let mut answers: Vec<&Answered> = evaluation.answers.iter().filter(inside).collect();
    answers.sort_by(|a, b| b.confidence.unwrap_or(0.0).total_cmp(&a.confidence.unwrap_or(0.0)));
    answers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::target::Target;
    use crate::evaluate::Judged;
    use crate::task::detail::ClassDetail;
    use crate::task::{Detail, TaskChoice};

    fn evaluation(right: usize, wrong: usize) -> Evaluation {
        let answer = |n: usize| {
            let (truth, predicted) = (n % 2, if n < right { n % 2 } else { 1 - n % 2 });
            let confidence = n as f32 / 1000.0;
            Answered {
                path: format!("{n}.png").into(),
                text: None,
                truth: Target::Class(truth),
                predicted: Target::Class(predicted),
                confidence: Some(confidence),
                error: if truth == predicted { 0.0 } else { f64::from(confidence) },
                output: Vec::new(),
            }
        };
        Evaluation {
            coverage: Default::default(),
            task: TaskChoice::default(),
            split: Judged::Val,
            samples: (right + wrong) as u64,
            scores: Default::default(),
            detail: Detail::Classes(ClassDetail {
                per_class: Vec::new(),
                confusion: Vec::new(),
                labels: vec!["a".into(), "b".into()],
                largest_class_accuracy: 0.5,
            }),
            chosen_on_these_samples: true,
            also_tested: Vec::new(),
            unusable: 0,
            answers: (0..right + wrong).map(answer).collect(),
            intervals: Vec::new(),
        }
    }

    #[test]
    fn mistakes_come_by_confidence() {
        let evaluation = evaluation(3, 3);
        let wrong: Vec<f32> = evaluation.mistakes().iter().filter_map(|a| a.confidence).collect();
        assert_eq!(wrong, [0.005, 0.004, 0.003]);
        assert_eq!(cell(&evaluation, 0, 1).len() + cell(&evaluation, 1, 0).len(), 3);
    }
}
