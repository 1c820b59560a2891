//! Which samples a screen shows.

use crate::data::index::{DatasetIndex, Finding, FindingKind, Part};
use crate::data::split::Split;

/// Filters and selection of the data screen, and what they leave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DataView {
    pub class: Option<usize>,
    pub part: Option<Part>,
    pub findings_only: bool,
    /// Number of the selected item in the index.
    pub selected: Option<usize>,
    /// Numbers of the items that are shown.
    pub visible: Vec<usize>,
}

impl DataView {
    /// Applies the filters anew.
    pub fn refresh(&mut self, index: &DatasetIndex, split: Option<&Split>) {
        let mut parts = vec![None; index.items.len()];
        if let Some(split) = split {
            for (items, part) in [
                (&split.train, Part::Train),
                (&split.validation, Part::Validation),
                (&split.test, Part::Test),
            ] {
                for item in items {
                    if let Some(place) = parts.get_mut(*item) {
                        *place = Some(part);
                    }
                }
            }
        }
        let found: std::collections::HashSet<_> = index.findings.iter().map(|f| (&f.file, f.line)).collect();
        let shows = |number: &usize| {
            let item = &index.items[*number];
            self.class.is_none_or(|class| class == item.class)
                && self.part.is_none_or(|part| parts[*number] == Some(part))
                && (!self.findings_only
                    || found.contains(&(&item.path, item.line))
                    || found.contains(&(&item.path, None)))
        };
        self.visible = (0..index.items.len()).filter(shows).collect();
        if self.selected.is_some_and(|n| n >= index.items.len()) {
            self.selected = None;
        }
    }
}

/// Findings of one kind as one card: how many, and the first few by name.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingGroup {
    pub title: String,
    pub text: String,
    pub remedy: String,
    pub count: usize,
}

/// Groups findings by kind, the most frequent first.
pub fn finding_groups(findings: &[Finding]) -> Vec<FindingGroup> {
    let mut groups: Vec<(FindingKind, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        match groups.iter_mut().find(|(kind, _)| *kind == finding.kind) {
            Some((_, members)) => members.push(finding),
            None => groups.push((finding.kind, vec![finding])),
        }
    }
    groups.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
    groups
        .into_iter()
        .map(|(kind, members)| {
            let shown: Vec<String> = members
                .iter()
                .take(3)
                .map(|f| {
                    let line = f.line.map(|n| format!(", line {n}")).unwrap_or_default();
                    let name = f.file.file_name().unwrap_or(f.file.as_os_str()).to_string_lossy();
                    format!("{name}{line}: {}", f.reason)
                })
                .collect();
            let more = members.len().saturating_sub(3);
            let tail = if more > 0 { format!("\nand {more} more") } else { String::new() };
            FindingGroup {
                title: title(kind, members.len()),
                text: shown.join("\n") + &tail,
                remedy: members[0].remedy.clone(),
                count: members.len(),
            }
        })
        .collect()
}

/// `18 duplicates`, `1 file cannot be read`.
fn title(kind: FindingKind, count: usize) -> String {
    let (one, many) = match kind {
        FindingKind::Unreadable => ("file cannot be read", "files cannot be read"),
        FindingKind::Empty => ("file is empty", "files are empty"),
        FindingKind::Truncated => ("file ends too early", "files end too early"),
        FindingKind::WronglyNamed => ("file has a wrong ending", "files have a wrong ending"),
        FindingKind::TooLarge => ("file is too large", "files are too large"),
        FindingKind::NotUtf8 => ("text is not UTF-8", "texts are not UTF-8"),
        FindingKind::MissingLabel => ("sample has no label", "samples have no label"),
        FindingKind::EmptyText => ("text is empty", "texts are empty"),
        FindingKind::BadRow => ("row cannot be read", "rows cannot be read"),
        FindingKind::SingleItemClass => ("class has one sample", "classes have one sample"),
        FindingKind::NoTrainingItem => ("class cannot be trained on", "classes cannot be trained on"),
        FindingKind::Duplicate => ("duplicate", "duplicates"),
        FindingKind::ConflictingDuplicate => {
            ("duplicate with another label", "duplicates with another label")
        }
        FindingKind::LeakAcrossParts => ("duplicate across the parts", "duplicates across the parts"),
        FindingKind::NotData => ("file is no sample", "files are no samples"),
        FindingKind::EmptyFolder => ("folder is empty", "folders are empty"),
    };
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_counted_in_words() {
        assert_eq!(title(FindingKind::Duplicate, 18), "18 duplicates");
        assert_eq!(title(FindingKind::Unreadable, 1), "1 file cannot be read");
    }
}
