//! What samples are labelled with.

use serde::{Deserialize, Serialize};

use crate::units;

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

/// How the rows of a table write their targets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetForm {
    /// The cell is the name of the class.
    #[default]
    Name,
    /// The cell holds labels with `;` between them.
    SemicolonList,
    /// The cell holds labels with `|` between them.
    BarList,
    /// The cell holds labels with `,` between them.
    CommaList,
    /// The value is a JSON list of labels.
    JsonList,
    /// A column for each label, with 1 or 0, true or false, yes or no.
    Marks,
    /// A column for each class, with 1 in that of the row and 0 in all others ("one-hot").
    OneMark,
    /// Numbers as programs write them: `-1234.5`, `1.2e3`.
    Numbers,
    /// Numbers with a comma before the fraction: `3,5`.
    DecimalCommas,
}

impl TargetForm {
    /// What such cells are targets of.
    pub fn kind(self) -> TargetKind {
        match self {
            Self::Name | Self::OneMark => TargetKind::Class,
            Self::SemicolonList | Self::BarList | Self::CommaList | Self::JsonList | Self::Marks => {
                TargetKind::Labels
            }
            Self::Numbers | Self::DecimalCommas => TargetKind::Numbers,
        }
    }
}

impl TargetForm {
    /// Whether classes, labels or numbers are called as their columns are.
    pub fn gives_names_by_columns(self) -> bool {
        match self {
            Self::Marks | Self::OneMark | Self::Numbers | Self::DecimalCommas => true,
            Self::Name | Self::SemicolonList | Self::BarList | Self::CommaList | Self::JsonList => false,
        }
    }
}

impl TargetKind {
    /// As it is written in files: `class`, `labels`, `numbers`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::Labels => "labels",
            Self::Numbers => "numbers",
        }
    }
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

    /// In words, by the names that it counts; numbers are shortened for people.
    pub fn words(&self, names: &[String]) -> String {
        let name = |number: &usize| names.get(*number).map_or("", String::as_str);
        match self {
            Self::Class(class) => name(class).to_string(),
            Self::Labels(labels) if labels.is_empty() => "no label".to_owned(),
            Self::Labels(labels) => labels.iter().map(name).collect::<Vec<_>>().join(", "),
            Self::Numbers(numbers) => {
                numbers.iter().map(|number| units::number(*number)).collect::<Vec<_>>().join(", ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_told_in_words() {
        let names = ["bug", "docs"].map(str::to_owned);
        let check = |target: Target, expected: &str| assert_eq!(target.words(&names), expected);
        check(Target::Class(1), "docs");
        check(Target::Labels(vec![0, 1]), "bug, docs");
        check(Target::Labels(Vec::new()), "no label");
        check(Target::Numbers(vec![3.0, -0.5]), "3, \u{2212}0.5");
    }

    #[test]
    fn kinds_are_written_as_they_are_named() {
        for kind in [TargetKind::Class, TargetKind::Labels, TargetKind::Numbers] {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
        }
    }
}
