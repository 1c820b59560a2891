//! Losses against PyTorch and scores against scikit-learn: `goldens.json`, which `make_goldens.py` wrote.

use super::{ClassWeights, Detail, LossChoice, Row, Task, TaskKind, usual};
use crate::data::index::{DatasetIndex, Digest, INDEX_VERSION, Item, Layout, Modality};
use crate::data::target::{Target, TargetKind};
use candle_core::{Device, Tensor, Var};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
struct Goldens {
    losses: Vec<LossCase>,
    label_scores: LabelScores,
    number_scores: NumberScores,
}

#[derive(Deserialize)]
struct LossCase {
    name: String,
    outputs: Vec<Vec<f32>>,
    loss: f32,
    gradient: Vec<Vec<f32>>,
    labels: Option<Vec<usize>>,
    sets: Option<Vec<Vec<usize>>>,
    numbers: Option<Vec<Vec<f64>>>,
    #[serde(default)]
    smoothing: f64,
    #[serde(default)]
    weighted: bool,
}

#[derive(Deserialize)]
struct LabelScores {
    logits: Vec<Vec<f32>>,
    sets: Vec<Vec<usize>>,
    micro_f1: f64,
    macro_f1: f64,
    exact_match: f64,
    hamming_loss: f64,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    support: Vec<u64>,
}

#[derive(Deserialize)]
struct NumberScores {
    outputs: Vec<Vec<f32>>,
    numbers: Vec<Vec<f64>>,
    r2: f64,
    mae: f64,
    rmse: f64,
    column_r2: Vec<f64>,
    column_mae: Vec<f64>,
}

fn goldens() -> Goldens {
    serde_json::from_str(include_str!("goldens.json")).unwrap()
}

/// Data that has these targets and nothing else.
fn index(targets: &[Target], outputs: usize) -> DatasetIndex {
    let target = match targets[0] {
        Target::Class(_) => TargetKind::Class,
        Target::Labels(_) => TargetKind::Labels,
        Target::Numbers(_) => TargetKind::Numbers,
    };
    let item = |(n, target): (usize, &Target)| Item {
        path: format!("{n}.txt").into(),
        line: None,
        text: Some(n.to_string()),
        target: target.clone(),
        digest: Digest::of(&n.to_le_bytes()),
        part: None,
        group: None,
    };
    DatasetIndex {
        files: Default::default(),
        unpacked: None,
        version: INDEX_VERSION,
        root: "/data".into(),
        modality: Modality::Text,
        target,
        classes: (0..outputs).map(|n| format!("output {n}")).collect(),
        items: targets.iter().enumerate().map(item).collect(),
        findings: Vec::new(),
        layout: Layout::Folders { modality: Modality::Text, items: 0, folders: 0, parts: Vec::new() },
    }
}

fn fitted(kind: &TaskKind, targets: &[Target], outputs: usize, loss: &LossChoice) -> Arc<dyn Task> {
    let all: Vec<usize> = (0..targets.len()).collect();
    let index = index(targets, outputs);
    (kind.check)(&index).unwrap();
    (kind.fit)(&index, &all, loss).unwrap()
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance * b.abs().max(1e-3), "{what}: {found:?} for {expected:?}");
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// Seen to fail with the smoothing of binary targets left out, and with the weights of classes not summed up.
#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    for case in goldens().losses {
        let targets: Vec<Target> = match (&case.labels, &case.sets, &case.numbers) {
            (Some(labels), _, _) => labels.iter().map(|label| Target::Class(*label)).collect(),
            (_, Some(sets), _) => sets.iter().map(|set| Target::Labels(set.clone())).collect(),
            (_, _, Some(rows)) => rows.iter().map(|row| Target::Numbers(row.clone())).collect(),
            _ => panic!("{} has no targets", case.name),
        };
        let weights = if case.weighted { ClassWeights::Inverse } else { ClassWeights::Even };
        let loss = LossChoice { label_smoothing: case.smoothing, class_weights: weights };
        let kind = super::TASKS.iter().find(|kind| kind.name == case.name).unwrap();
        let task = fitted(kind, &targets, case.outputs[0].len(), &loss);
        let what = format!("{}, smoothing {}, weighted {}", case.name, case.smoothing, case.weighted);
        let output = Var::from_tensor(&Tensor::new(case.outputs.clone(), &Device::Cpu).unwrap()).unwrap();
        let targets: Vec<&Target> = targets.iter().collect();
        let loss = task.loss(&output, &targets).unwrap();
        assert_close(&[f64::from(loss.to_scalar::<f32>().unwrap())], &[f64::from(case.loss)], 1e-5, &what);
        let store = loss.backward().unwrap();
        let gradient = store.get(&output).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_close(&wide(&gradient), &wide(&case.gradient.concat()), 1e-4, &what);
        if case.smoothing == 0.0 && !case.weighted {
            let plain = task.plain_loss(&output, &targets).unwrap().to_scalar::<f32>().unwrap();
            assert_eq!(plain, loss.to_scalar::<f32>().unwrap(), "{what}");
        }
    }
}

#[test]
fn scores_of_labels_are_those_of_scikit_learn() {
    let expected = goldens().label_scores;
    let targets: Vec<Target> = expected.sets.iter().map(|set| Target::Labels(set.clone())).collect();
    let task = fitted(usual(TargetKind::Labels), &targets, 4, &LossChoice::default());
    let rows: Vec<Row> = expected
        .logits
        .iter()
        .zip(&targets)
        .map(|(output, target)| Row { output: output.clone(), target: target.clone() })
        .collect();
    let found = task.evaluate(&rows);
    let scores: Vec<f64> = found.scores.iter().map(|(_, value)| value).collect();
    let all = [expected.micro_f1, expected.macro_f1, expected.exact_match, expected.hamming_loss];
    assert_close(&scores, &all, 1e-12, "scores");
    let Detail::Labels(detail) = found.detail else { panic!("labels") };
    let of = |value: fn(&super::detail::LabelScore) -> f64| -> Vec<f64> {
        detail.per_label.iter().map(value).collect()
    };
    assert_close(&of(|l| l.precision), &expected.precision, 1e-12, "precision");
    assert_close(&of(|l| l.recall), &expected.recall, 1e-12, "recall");
    assert_close(&of(|l| l.f1), &expected.f1, 1e-12, "F1");
    assert!(detail.per_label.iter().map(|l| l.support).eq(expected.support));
    assert!(detail.per_label.iter().all(|l| l.best_f1 >= l.f1));
    // What is trained on is counted as what is evaluated.
    let mut sums = Vec::new();
    rows.iter().for_each(|row| task.add(&mut sums, &row.output, &row.target));
    assert_close(&[task.running(&sums, rows.len())], &[expected.micro_f1], 1e-12, "running score");
}

#[test]
fn scores_of_numbers_are_those_of_scikit_learn() {
    let expected = goldens().number_scores;
    let targets: Vec<Target> = expected.numbers.iter().map(|row| Target::Numbers(row.clone())).collect();
    let task = fitted(usual(TargetKind::Numbers), &targets, 2, &LossChoice::default());
    let rows: Vec<Row> = expected
        .outputs
        .iter()
        .zip(&targets)
        .map(|(output, target)| Row { output: output.clone(), target: target.clone() })
        .collect();
    let found = task.evaluate(&rows);
    let scores: Vec<f64> = found.scores.iter().map(|(_, value)| value).collect();
    assert_close(&scores, &[expected.r2, expected.mae, expected.rmse], 1e-9, "scores");
    let Detail::Numbers(detail) = found.detail else { panic!("numbers") };
    let of = |value: fn(&super::detail::ColumnScore) -> f64| -> Vec<f64> {
        detail.per_column.iter().map(value).collect()
    };
    assert_close(&of(|c| c.r2), &expected.column_r2, 1e-9, "R² of each column");
    assert_close(&of(|c| c.mae), &expected.column_mae, 1e-9, "error of each column");
    let mut sums = Vec::new();
    rows.iter().for_each(|row| task.add(&mut sums, &row.output, &row.target));
    assert_close(&[task.running(&sums, rows.len())], &[expected.r2], 1e-6, "running score");
}

/// A task that was fitted says the same after it was written down and read again.
#[test]
fn a_record_asks_the_same_again() {
    let expected = goldens().number_scores;
    let targets: Vec<Target> = expected.numbers.iter().map(|row| Target::Numbers(row.clone())).collect();
    let task = fitted(usual(TargetKind::Numbers), &targets, 2, &LossChoice::default());
    let text = serde_json::to_string(&task.record()).unwrap();
    let record: super::TaskRecord = serde_json::from_str(&text).unwrap();
    let again = record.open(task.names().to_vec(), &LossChoice::default()).unwrap();
    assert_eq!(task.answer(&expected.outputs[0], 9), again.answer(&expected.outputs[0], 9));
    for facts in ["null", "{}", r#"{"mean":[1.0],"std":[1.0]}"#, r#"{"mean":[1.0,2.0],"std":[1.0,0.0]}"#] {
        let damaged = super::TaskRecord { facts: serde_json::from_str(facts).unwrap(), ..record.clone() };
        let problem = damaged.open(task.names().to_vec(), &LossChoice::default()).unwrap_err();
        assert!(problem.to_string().contains("regress needs other facts"), "{problem}");
    }
}

/// Seen to fail while a record kept no weights: a run that went on weighed all classes alike.
#[test]
fn a_record_keeps_how_classes_and_labels_are_weighed() {
    let classes: Vec<Target> = [0, 0, 0, 1].map(Target::Class).into();
    let labels: Vec<Target> = [&[0][..], &[0], &[0, 1], &[]].map(|l| Target::Labels(l.to_vec())).into();
    for (kind, targets) in [(TargetKind::Class, classes), (TargetKind::Labels, labels)] {
        let loss = LossChoice { class_weights: ClassWeights::Inverse, ..Default::default() };
        let task = fitted(usual(kind), &targets, 2, &loss);
        let record = serde_json::from_value(serde_json::to_value(task.record()).unwrap());
        let record: super::TaskRecord = record.unwrap();
        let again = record.open(task.names().to_vec(), &loss).unwrap();
        let output =
            Tensor::new(&[[0.3f32, -0.2], [1.0, 0.5], [0.1, 0.1], [-0.7, 0.9]], &Device::Cpu).unwrap();
        let targets: Vec<&Target> = targets.iter().collect();
        let of = |task: &Arc<dyn Task>| task.loss(&output, &targets).unwrap().to_scalar::<f32>().unwrap();
        assert_eq!(of(&task).to_bits(), of(&again).to_bits());
        let even = fitted(
            usual(kind),
            &targets.iter().map(|t| (*t).clone()).collect::<Vec<_>>(),
            2,
            &LossChoice::default(),
        );
        assert!((of(&task) - of(&even)).abs() > 1e-3);
        let damaged = super::TaskRecord { facts: serde_json::json!({"weights": [1.0]}), ..record };
        assert!(damaged.open(task.names().to_vec(), &loss).is_err());
    }
}
