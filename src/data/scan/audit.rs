//! What only the whole dataset shows: duplicates, leaks, classes that are too small.

use std::collections::BTreeMap;

use crate::data::index::{Digest, Finding, FindingKind, Item, Part, portable};

/// Findings about the items together. `items` are sorted.
pub(super) fn findings(classes: &[String], items: &[Item]) -> Vec<Finding> {
    let mut findings = duplicates(classes, items);
    // Of each class: its first item, how many there are, how many may be trained on.
    let mut classed: BTreeMap<usize, (&Item, usize, usize)> = BTreeMap::new();
    for item in items {
        for label in item.target.labels() {
            let (_, number, trained) = classed.entry(*label).or_insert((item, 0, 0));
            *number += 1;
            *trained += usize::from(part(item) == Part::Train);
        }
    }
    for (class, (first, number, trained)) in classed {
        let name = classes.get(class).map_or("", String::as_str);
        let (kind, reason, remedy) = match (number, trained) {
            (_, 0) => (
                FindingKind::NoTrainingItem,
                format!("the class “{name}” has no item to train on, so it cannot be learnt"),
                "Add items of the class to the training part, or remove it.",
            ),
            (1, _) => (
                FindingKind::SingleItemClass,
                format!("the only item of the class “{name}”: it is trained on and never checked"),
                "Add items to the class, or merge it with another.",
            ),
            _ => continue,
        };
        let (file, line, remedy) = (first.path.clone(), first.line, remedy.to_owned());
        findings.push(Finding { file, line, kind, reason, remedy });
    }
    findings
}

fn duplicates(classes: &[String], items: &[Item]) -> Vec<Finding> {
    let mut groups: BTreeMap<Digest, Vec<&Item>> = BTreeMap::new();
    for item in items {
        groups.entry(item.digest).or_default().push(item);
    }
    let mut findings = Vec::new();
    for group in groups.values() {
        let [first, others @ ..] = group.as_slice() else {
            continue;
        };
        for item in others {
            let place = match first.line {
                Some(line) => format!("{}, line {line}", portable(&first.path)),
                None => portable(&first.path),
            };
            let (kind, reason, remedy) = if item.target != first.target {
                let (this, that) = (item.target.words(classes), first.target.words(classes));
                (
                    FindingKind::ConflictingDuplicate,
                    format!("labelled “{this}” here and “{that}” in {place}, with the same content"),
                    "Decide which label is right and remove the other.",
                )
            } else if part(item) != part(first) {
                let (this, that) = (part(item).name(), part(first).name());
                (
                    FindingKind::LeakAcrossParts,
                    format!("the same content is in {this} here and in {that} in {place}"),
                    "Remove one of them: a score on seen items is too good.",
                )
            } else {
                (
                    FindingKind::Duplicate,
                    format!("the same content as {place}"),
                    "Remove one of them, or leave them: they stay on one side of the split.",
                )
            };
            findings.push(Finding {
                file: item.path.clone(),
                line: item.line,
                kind,
                reason,
                remedy: remedy.to_owned(),
            });
        }
    }
    findings
}

/// What no folder puts elsewhere may be trained on.
fn part(item: &Item) -> Part {
    item.part.unwrap_or(Part::Train)
}
