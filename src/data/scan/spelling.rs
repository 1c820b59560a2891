//! Names of classes that are one name in several spellings.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization_alignments::UnicodeNormalization;

use super::{Label, Sample};
use crate::data::index::{Finding, FindingKind, counted};

/// Gives one spelling to names that are surely the same: composed and decomposed letters, and 1 beside 1.0 where all
/// names are numbers. Names that differ in case, spaces or a full stop at their end only stay, since they may be meant
/// (B and b), unless they are to `merge`: a finding each.
pub(super) fn unify(samples: &mut [Sample], merge: bool) -> Vec<Finding> {
    each_name(samples, |name| {
        if let Cow::Owned(composed) = composed(name) {
            *name = composed;
        }
    });
    let mut names = BTreeSet::new();
    each_name(samples, |name| {
        if !names.contains(name.as_str()) {
            names.insert(name.clone());
        }
    });
    let twins: BTreeSet<String> = match names.iter().all(|name| name.parse::<f64>().is_ok_and(f64::is_finite))
    {
        true => names
            .iter()
            .filter(|name| whole(name).is_some_and(|whole| names.contains(whole)))
            .cloned()
            .collect(),
        false => BTreeSet::new(),
    };
    if !twins.is_empty() {
        each_name(samples, |name| {
            if twins.contains(name.as_str())
                && let Some(whole) = whole(name)
            {
                *name = whole.to_owned();
            }
        });
    }
    let mut alike: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for name in names.iter().filter(|name| !twins.contains(*name)) {
        alike.entry(plain(name)).or_default().push(name);
    }
    let alike: Vec<Vec<&String>> = alike.into_values().filter(|names| names.len() > 1).collect();
    let findings = alike.iter().map(|names| finding(samples, names, merge)).collect();
    if merge {
        let into = |names: &Vec<&String>| {
            let most = most_used(samples, names)?;
            Some(names.iter().map(|name| ((*name).clone(), most.clone())).collect::<Vec<_>>())
        };
        let into: BTreeMap<String, String> = alike.iter().filter_map(into).flatten().collect();
        each_name(samples, |name| {
            if let Some(most) = into.get(name.as_str()) {
                name.clone_from(most);
            }
        });
    }
    findings
}

/// The name as it is compared: without a full stop at its end, in small letters, with single spaces.
fn plain(name: &str) -> String {
    let words = name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    match words.trim_end_matches(['.', ' ']) {
        "" => words,
        bare => bare.to_owned(),
    }
}

/// The name that most samples have; of equals the plainest, then the first.
fn most_used(samples: &[Sample], names: &[&String]) -> Option<String> {
    let most = names
        .iter()
        .enumerate()
        .max_by_key(|(at, name)| (count(samples, name), plain(name) == ***name, names.len() - at));
    most.map(|(_, name)| (*name).clone())
}

/// The text with each letter and its marks as one character where there is one (Unicode's NFC).
pub(super) fn composed(text: &str) -> Cow<'_, str> {
    match text.is_ascii() {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.nfc().map(|(letter, _)| letter).collect()),
    }
}

/// The number before a fraction of nothing: `1` of `1.0`.
fn whole(name: &str) -> Option<&str> {
    let (whole, fraction) = name.split_once('.')?;
    (!fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0')).then_some(whole)
}

fn each_name(samples: &mut [Sample], mut change: impl FnMut(&mut String)) {
    for sample in samples {
        match &mut sample.label {
            Label::Class(name) => change(name),
            Label::Labels(names) => {
                *names = std::mem::take(names)
                    .into_iter()
                    .map(|mut name| {
                        change(&mut name);
                        name
                    })
                    .collect();
            }
            Label::Numbers(_) => {}
        }
    }
}

fn has(sample: &Sample, name: &String) -> bool {
    match &sample.label {
        Label::Class(class) => class == name,
        Label::Labels(labels) => labels.contains(name),
        Label::Numbers(_) => false,
    }
}

fn count(samples: &[Sample], name: &String) -> u64 {
    samples.iter().filter(|sample| has(sample, name)).count() as u64
}

fn finding(samples: &[Sample], names: &[&String], merge: bool) -> Finding {
    let spelled: Vec<String> =
        names.iter().map(|name| format!("“{name}” ({})", counted(count(samples, name), "sample"))).collect();
    let spelled = spelled.join(", ");
    let (kind, reason, remedy) = match most_used(samples, names).filter(|_| merge) {
        Some(most) => (
            FindingKind::Assumed,
            format!("the names {spelled} are read as “{most}”"),
            "Nothing needs to be done: they were to be one class.",
        ),
        None => (
            FindingKind::SimilarClasses,
            format!("the names {spelled} differ in case, spaces or a full stop only"),
            "If they mean the same, let spellings be merged, or give them one spelling in the data; else leave them.",
        ),
    };
    let first = names.last().and_then(|name| samples.iter().find(|sample| has(sample, name)));
    Finding {
        file: first.map(|sample| sample.path.clone()).unwrap_or_default(),
        line: first.and_then(|sample| sample.line),
        kind,
        reason,
        remedy: remedy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::data::index::Digest;

    fn check(names: &[&str], expected: &[&str], findings: usize) {
        check_merged(names, expected, findings, false);
    }

    fn check_merged(names: &[&str], expected: &[&str], findings: usize, merge: bool) {
        let sample = |name: &&str| Sample {
            path: PathBuf::from("a.csv"),
            line: Some(1),
            text: None,
            label: Label::Class(name.to_string()),
            digest: Digest::of(b""),
            part: None,
            group: None,
        };
        let mut samples: Vec<Sample> = names.iter().map(sample).collect();
        assert_eq!(unify(&mut samples, merge).len(), findings, "{names:?}");
        let unified: Vec<&str> = samples.iter().map(|sample| sample.label.class()).collect();
        assert_eq!(unified, expected, "{names:?}");
    }

    #[test]
    fn spellings_that_are_surely_one_name_become_one() {
        check(&["cafe\u{301}", "caf\u{e9}"], &["caf\u{e9}", "caf\u{e9}"], 0);
        check(&["1", "1.0", "0", "0.00"], &["1", "1", "0", "0"], 0);
        // No twins, or not all of them numbers.
        check(&["1.0", "0.0"], &["1.0", "0.0"], 0);
        check(&["1", "1.0", "good"], &["1", "1.0", "good"], 0);
        check(&["01", "1", "1.5"], &["01", "1", "1.5"], 0);
    }

    #[test]
    fn names_that_differ_in_case_or_spaces_are_told() {
        check(&["Positive", "POSITIVE", "positive", "bad"], &["Positive", "POSITIVE", "positive", "bad"], 1);
        check(&["very  good", "very good", "B", "b"], &["very  good", "very good", "B", "b"], 2);
        check(&["A", "b"], &["A", "b"], 0);
        check(&["negative.", "negative", "no", "..."], &["negative.", "negative", "no", "..."], 1);
    }

    /// Sabotage: the first spelling is taken, not the most frequent.
    #[test]
    fn spellings_are_merged_where_that_is_asked_for() {
        check_merged(&["negative.", "negative", "negative"], &["negative", "negative", "negative"], 1, true);
        check_merged(&["B", "b", "B", "c"], &["B", "B", "B", "c"], 1, true);
        check_merged(&["A", "a", "x"], &["a", "a", "x"], 1, true);
        check_merged(&["...", "."], &["...", "."], 0, true);
    }
}
