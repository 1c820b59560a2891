//! What stands beside the scores of an evaluation.

use crate::control::Scores;
use crate::data::target::Target;
use serde::{Deserialize, Serialize};

/// An evaluation without where its samples came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// Those of the task's kind, in its order.
    pub scores: Scores,
    pub detail: Detail,
    /// One for each sample, in their order.
    pub verdicts: Vec<Verdict>,
}

/// What a network's answer was worth for one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub predicted: Target,
    /// Probability of what was predicted, where there is one.
    pub confidence: Option<f32>,
    /// How wrong it is, to sort mistakes by: 0 for what is right.
    pub error: f64,
}

/// By the shape of the answers; each is written flat into the evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Detail {
    Classes(ClassDetail),
    Labels(LabelDetail),
    Numbers(NumberDetail),
}

/// Of one of n.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassDetail {
    pub per_class: Vec<LabelledScore>,
    /// Rows: true class, columns: predicted class.
    pub confusion: Vec<Vec<u64>>,
    pub labels: Vec<String>,
    /// Accuracy of always answering the largest class.
    pub largest_class_accuracy: f64,
}

/// Scores of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelledScore {
    pub label: String,
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    pub support: u64,
}

/// Of any of n.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelDetail {
    pub per_label: Vec<LabelScore>,
    /// Micro F1 of always answering the labels that at least half of these samples have, or the most frequent one.
    pub usual_labels_f1: f64,
}

/// Scores of one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelScore {
    pub label: String,
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    /// Samples that have it.
    pub support: u64,
    /// The probability from which on it is given.
    pub threshold: f32,
    /// The threshold with the best F1 on these very samples, which flatters.
    pub best_threshold: f32,
    pub best_f1: f64,
}

/// Of numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberDetail {
    pub per_column: Vec<ColumnScore>,
}

/// Scores of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnScore {
    pub column: String,
    pub r2: f64,
    pub mae: f64,
    pub rmse: f64,
    /// Mean absolute error of always answering the mean of the training samples.
    pub mean_mae: f64,
    /// Of the true numbers here.
    pub lowest: f64,
    pub highest: f64,
}
