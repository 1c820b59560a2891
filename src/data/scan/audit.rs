//! What only the whole dataset shows: duplicates, leaks, classes that are too small, targets that never vary.

use std::collections::BTreeMap;

use crate::data::index::{Digest, Finding, FindingKind, Item, Layout, Part, counted, few, portable};
use crate::data::target::TargetKind;
use crate::units;

/// Findings about the items together. `items` are sorted.
pub(super) fn findings(layout: &Layout, classes: &[String], items: &[Item]) -> Vec<Finding> {
    let target = layout.form().kind();
    let mut findings = duplicates(classes, items);
    findings.extend(parted_groups(layout, items));
    match target {
        TargetKind::Class => findings.extend(small(target, classes, items)),
        TargetKind::Labels => {
            findings.extend(small(target, classes, items));
            findings.extend(constant_labels(classes, items));
        }
        TargetKind::Numbers => findings.extend(constant_columns(classes, items)),
    }
    findings
}

/// Groups that the parts of the data tear apart: all of them in one finding.
fn parted_groups(layout: &Layout, items: &[Item]) -> Option<Finding> {
    let mut groups: BTreeMap<&str, (&Item, BTreeMap<Part, usize>)> = BTreeMap::new();
    for item in items {
        if let Some(group) = &item.group {
            let (_, parts) = groups.entry(group).or_insert((item, BTreeMap::new()));
            *parts.entry(part(item)).or_default() += 1;
        }
    }
    let torn: Vec<_> = groups.iter().filter(|(_, (_, parts))| parts.len() > 1).collect();
    let (_, (first, _)) = torn.first()?;
    let in_parts = |(group, (_, parts)): &&(&&str, &(&Item, BTreeMap<Part, usize>))| {
        let counts: Vec<String> =
            parts.iter().map(|(part, count)| format!("{} {count}", part.name())).collect();
        format!("“{group}”: {}", counts.join(", "))
    };
    let samples: usize = torn.iter().flat_map(|(_, (_, parts))| parts.values()).sum();
    let column = layout.beside().and_then(|beside| beside.group.as_deref()).unwrap_or_default();
    let lie = if torn.len() == 1 { "lies" } else { "lie" };
    let reason = format!(
        "{} of “{column}” with {} {lie} in several parts ({})",
        counted(torn.len() as u64, "group"),
        counted(samples as u64, "sample"),
        few(torn.iter().map(|group| in_parts(&group)), "; ")
    );
    let remedy = "Move each group into one part, or divide the samples anew without the parts of the data: a score on \
                  groups that were seen is too good.";
    Some(about(first, FindingKind::GroupAcrossParts, reason, remedy.to_owned()))
}

/// Classes or labels with too few items.
fn small(target: TargetKind, classes: &[String], items: &[Item]) -> Vec<Finding> {
    let noun = match target {
        TargetKind::Class => "class",
        TargetKind::Labels | TargetKind::Numbers => "label",
    };
    let mut findings = Vec::new();
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
                format!("the {noun} “{name}” has no item to train on, so it cannot be learnt"),
                format!("Add items of the {noun} to the training part, or remove it."),
            ),
            (1, _) => (
                FindingKind::SingleItemClass,
                format!("the only item of the {noun} “{name}”: it is trained on and never checked"),
                format!("Add items to the {noun}, or merge it with another."),
            ),
            _ => continue,
        };
        findings.push(about(first, kind, reason, remedy));
    }
    findings
}

/// Labels that all items have or none has.
fn constant_labels(labels: &[String], items: &[Item]) -> Vec<Finding> {
    let mut counts = vec![0; labels.len()];
    for label in items.iter().flat_map(|item| item.target.labels()) {
        if let Some(count) = counts.get_mut(*label) {
            *count += 1;
        }
    }
    let remedy = "Nothing can be learnt of it: remove the label, or add items that differ in it.";
    let constant = labels.iter().zip(counts).filter_map(|(name, count)| {
        let who = match count {
            0 => "no item has",
            count if count == items.len() && count > 1 => "every item has",
            _ => return None,
        };
        Some((FindingKind::ConstantTarget, format!("{who} the label “{name}”"), remedy.to_owned()))
    });
    let first = items.iter().take(1).cycle();
    constant.zip(first).map(|((kind, reason, remedy), item)| about(item, kind, reason, remedy)).collect()
}

/// Columns with the same number in every row.
fn constant_columns(columns: &[String], items: &[Item]) -> Vec<Finding> {
    let Some(first) = items.first() else {
        return Vec::new();
    };
    let constant = columns.iter().zip(first.target.numbers()).enumerate().filter(|(column, (_, number))| {
        items.len() > 1 && items.iter().all(|item| item.target.numbers().get(*column) == Some(number))
    });
    let finding = |(_, (name, number)): (usize, (&String, &f64))| {
        let reason = format!("“{name}” is {} in every row", units::number(*number));
        let remedy = "Nothing can be learnt of it: choose another column, or add rows that differ.";
        about(first, FindingKind::ConstantTarget, reason, remedy.to_owned())
    };
    constant.map(finding).collect()
}

/// A finding that is shown with `item`.
fn about(item: &Item, kind: FindingKind, reason: String, remedy: String) -> Finding {
    Finding { file: item.path.clone(), line: item.line, kind, reason, remedy }
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
