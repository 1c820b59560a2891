//! What scores on some samples rest on, and what they cannot tell.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::index::DatasetIndex;
use crate::data::target::{Target, TargetKind};
use crate::units::grouped;

/// A class of at least this share of all samples makes always answering it look good.
const NEARLY_ALL: f64 = 0.9;

/// What is missing among the judged samples, or drowns the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Classes or labels that none of the judged samples has, in the order of the task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untested: Vec<String>,
    /// The class of nearly all samples of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub majority: Option<Majority>,
}

/// The largest class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Majority {
    pub class: String,
    /// Its samples.
    pub samples: u64,
    /// Those of all classes.
    pub of: u64,
}

impl Coverage {
    /// Of the samples `judged` of `index`, for a task with these names. Columns of numbers are in every sample.
    pub fn of(names: &[String], index: &DatasetIndex, judged: &[usize]) -> Coverage {
        if index.target == TargetKind::Numbers {
            return Coverage::default();
        }
        let targets = judged.iter().filter_map(|number| index.items.get(*number)).map(|item| &item.target);
        let tested = counts(index, targets);
        let untested = names.iter().filter(|name| !tested.contains_key(name.as_str())).cloned().collect();
        let all = counts(index, index.items.iter().map(|item| &item.target));
        let of = index.items.len() as u64;
        let largest = all.iter().max_by_key(|(_, samples)| **samples);
        let majority =
            largest.filter(|(_, samples)| **samples as f64 >= NEARLY_ALL * of as f64 && all.len() > 1);
        let majority = majority.filter(|_| index.target == TargetKind::Class);
        let majority =
            majority.map(|(class, samples)| Majority { class: (*class).to_owned(), samples: *samples, of });
        Coverage { untested, majority }
    }

    /// What a person must know of the scores; nothing where they rest on all classes. `judged` names the samples:
    /// "validation".
    pub fn sentences(&self, target: TargetKind, judged: &str) -> Vec<String> {
        let noun = if target == TargetKind::Labels { "label" } else { "class" };
        let nouns = if target == TargetKind::Labels { "labels" } else { "classes" };
        let untested = match self.untested.as_slice() {
            [] => None,
            [name] => {
                Some(format!("The {noun} “{name}” has no {judged} sample, so the scores say nothing of it."))
            }
            names => Some(format!(
                "{} {nouns} have no {judged} sample, so the scores say nothing of them: {}.",
                grouped(names.len()),
                some_of(names)
            )),
        };
        let majority = self.majority.as_ref().map(|Majority { class, samples, of }| {
            format!(
                "{} of {} samples are of the class “{class}”: always answering it would be right in {:.1} % of them.",
                grouped(*samples as usize),
                grouped(*of as usize),
                100.0 * *samples as f64 / *of as f64
            )
        });
        untested.into_iter().chain(majority).collect()
    }
}

/// The first few of many names.
pub fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("“{name}”")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), grouped(more)),
    }
}

fn counts<'i>(index: &'i DatasetIndex, targets: impl Iterator<Item = &'i Target>) -> BTreeMap<&'i str, u64> {
    let mut counts = BTreeMap::new();
    for label in targets.flat_map(Target::labels) {
        *counts.entry(index.name_of(*label)).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Silent;
    use crate::data::scan::{ScanOptions, scan};

    fn scanned(rows: &str) -> (tempfile::TempDir, DatasetIndex) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, format!("text,label\n{rows}")).unwrap();
        let index = scan(&path, &ScanOptions::default(), &Silent).unwrap();
        (folder, index)
    }

    #[test]
    fn an_untested_class_and_a_large_one_are_said() {
        let rows: String = (0..19).map(|n| format!("text {n},ham\n")).collect();
        let (_folder, index) = scanned(&format!("{rows}buy,spam\n"));
        let of =
            |judged: &[usize]| Coverage::of(&index.classes, &index, judged).sentences(index.target, "test");
        assert_eq!(
            of(&[0, 1]),
            [
                "The class “spam” has no test sample, so the scores say nothing of it.",
                "19 of 20 samples are of the class “ham”: always answering it would be right in 95.0 % of them.",
            ]
        );
        assert_eq!(of(&[0, 19]).len(), 1);
    }

    #[test]
    fn many_untested_classes_are_counted() {
        let rows: String = (0..40).map(|n| format!("text {n},class {}\n", n / 2)).collect();
        let (_folder, index) = scanned(&rows);
        let found = Coverage::of(&index.classes, &index, &[0, 2, 4]).sentences(index.target, "validation");
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("17 classes have no validation sample") && found[0].ends_with("12 more."),
            "{found:?}"
        );
        let all: Vec<usize> = (0..40).collect();
        assert_eq!(Coverage::of(&index.classes, &index, &all), Coverage::default());
    }

    #[test]
    fn numbers_have_no_classes() {
        let rows: String = (0..40).map(|n| format!("text {n},{n}.25\n")).collect();
        let (_folder, index) = scanned(&rows);
        assert_eq!(index.target, TargetKind::Numbers);
        assert_eq!(Coverage::of(&index.classes, &index, &[0]), Coverage::default());
    }
}
