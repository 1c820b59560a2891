//! What samples are labelled with.

use serde::{Deserialize, Serialize};

/// The label of one sample, of the kind that its dataset has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One of the classes, by its number in [`super::DatasetIndex::classes`].
    Class(usize),
    /// Any of the labels, by their numbers, ascending; none is an answer too.
    Labels(Vec<usize>),
    /// A number for each column, in the order of the columns.
    Numbers(Vec<f64>),
}

/// The kinds of [`Target`]; a dataset has one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// One of n.
    #[default]
    Class,
    /// Any of n.
    Labels,
    /// One number, or several.
    Numbers,
}

impl Target {
    /// The class, for one of n.
    pub fn class(&self) -> Option<usize> {
        match self {
            Self::Class(class) => Some(*class),
            Self::Labels(_) | Self::Numbers(_) => None,
        }
    }

    /// The same under other numbers; what has none is left out.
    pub fn renumbered(&self, number: impl Fn(&usize) -> Option<usize>) -> Self {
        match self {
            Self::Class(class) => Self::Class(number(class).unwrap_or(0)),
            Self::Labels(labels) => {
                let mut labels: Vec<usize> = labels.iter().filter_map(number).collect();
                labels.sort_unstable();
                Self::Labels(labels)
            }
            Self::Numbers(numbers) => {
                let mut placed = vec![0.0; numbers.len()];
                for (column, value) in numbers.iter().enumerate() {
                    if let Some(place) = number(&column).and_then(|n| placed.get_mut(n)) {
                        *place = *value;
                    }
                }
                Self::Numbers(placed)
            }
        }
    }

    /// In words, by the names that it counts.
    pub fn words(&self, names: &[String]) -> String {
        let name = |number: &usize| names.get(*number).map_or("", String::as_str);
        match self {
            Self::Class(class) => name(class).to_string(),
            Self::Labels(labels) => labels.iter().map(name).collect::<Vec<_>>().join(", "),
            Self::Numbers(numbers) => {
                numbers.iter().map(|number| number.to_string()).collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// Numbers of the classes or labels that the sample has; none for numbers.
    pub fn labels(&self) -> &[usize] {
        match self {
            Self::Class(class) => std::slice::from_ref(class),
            Self::Labels(labels) => labels,
            Self::Numbers(_) => &[],
        }
    }

    /// The numbers; none for classes and labels.
    pub fn numbers(&self) -> &[f64] {
        match self {
            Self::Numbers(numbers) => numbers,
            Self::Class(_) | Self::Labels(_) => &[],
        }
    }
}
