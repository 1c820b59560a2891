//! What a model says of one sample.

use serde::{Deserialize, Serialize};

/// An answer, as the command line prints it and the window shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// Any of several labels: all of them by probability, and those that are likely enough.
    Labels { labels: Vec<LabelProbability>, chosen: Vec<String> },
    /// One of several classes, the likeliest first.
    Classes { labels: Vec<LabelProbability> },
    /// A number for each column.
    Numbers { numbers: Vec<NamedNumber> },
}

/// How likely one class or label is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelProbability {
    pub label: String,
    pub probability: f32,
}

/// A predicted number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedNumber {
    pub name: String,
    pub value: f64,
}

impl Answer {
    /// Classes or labels with their probabilities; none for numbers.
    pub fn labels(&self) -> &[LabelProbability] {
        match self {
            Self::Classes { labels } | Self::Labels { labels, .. } => labels,
            Self::Numbers { .. } => &[],
        }
    }
}

/// The likeliest first; equals in the order of the names. At most `top`.
pub(super) fn ranked(names: &[String], probabilities: &[f32], top: usize) -> Vec<LabelProbability> {
    let both = names.iter().zip(probabilities);
    let mut ranked: Vec<LabelProbability> =
        both.map(|(label, p)| LabelProbability { label: label.clone(), probability: *p }).collect();
    ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    ranked.truncate(top);
    ranked
}
