//! An evaluation as a screen needs it: cells, mistakes.

use crate::evaluate::{Answer, Evaluation};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::metrics::Confusion;

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

    #[test]
    fn mistakes_come_by_confidence() {
        let evaluation = evaluation(3, 3);
        let wrong: Vec<f32> = mistakes(&evaluation).iter().map(|a| a.confidence).collect();
        assert_eq!(wrong, [0.005, 0.004, 0.003]);
        assert_eq!(cell(&evaluation, 0, 1).len() + cell(&evaluation, 1, 0).len(), 3);
    }
}
