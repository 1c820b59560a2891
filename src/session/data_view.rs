//! Which samples a screen shows.

use super::{Offer, Open};
use crate::data::index::Offer as OtherReading;
use crate::data::index::{DatasetIndex, Finding, FindingKind, Item, Part};
use crate::data::numbers::{Histogram, NumberSummary};
use crate::data::split::Split;
use crate::data::target::TargetKind;
use crate::train::estimate::{lengths, mean_tokens};
use crate::units;
use std::collections::HashSet;

/// Filters and selection of the data screen, and what they leave. What follows from the data alone is worked out once:
/// there may be a hundred thousand items, and the screen is painted many times a second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DataView {
    pub class: Option<usize>,
    pub part: Option<Part>,
    pub findings_only: bool,
    /// Number of the selected item in the index.
    pub selected: Option<usize>,
    /// Numbers of the items that are shown.
    pub visible: Vec<usize>,
    /// What was recognised.
    pub sentence: String,
    /// Items of each class or label, `[classes]`.
    pub counts: Vec<usize>,
    /// Items without any label; 0 unless they have labels.
    pub unlabelled: usize,
    /// What the numbers are like, column by column; empty unless they have numbers.
    pub columns: Vec<NumberColumn>,
    /// Findings by kind, the most frequent first.
    pub findings: Vec<FindingGroup>,
    /// Samples that something was found about: as many as the filter leaves.
    pub found: usize,
    /// The part of each item; `None` for one that the split leaves out, or while there is no split.
    parts: Vec<Option<Part>>,
    /// Whether something was found about each item.
    has_finding: Vec<bool>,
    /// The labels of all items, one after another, and where those of each end.
    labels: Vec<u32>,
    label_ends: Vec<u32>,
    /// About how many tokens texts have, of some spread over all; empty where samples are no texts.
    lengths: Vec<usize>,
}

/// The numbers of one column.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberColumn {
    pub summary: NumberSummary,
    pub histogram: Histogram,
}

impl DataView {
    /// A view of all items of `index`.
    pub fn new(index: &DatasetIndex) -> Self {
        let found: HashSet<_> = index.findings.iter().map(|f| (f.file.as_os_str(), f.line)).collect();
        let is_found = |item: &Item| {
            let file = item.path.as_os_str();
            found.contains(&(file, item.line)) || found.contains(&(file, None))
        };
        let has_finding: Vec<bool> = index.items.iter().map(is_found).collect();
        let mut labels: Vec<u32> = Vec::with_capacity(index.items.len());
        let mut take = |item: &Item| {
            labels.extend(item.target.labels().iter().map(|label| *label as u32));
            labels.len() as u32
        };
        let label_ends = index.items.iter().map(&mut take).collect();
        let column = |(number, summary): (usize, NumberSummary)| NumberColumn {
            histogram: Histogram::new(&index.numbers_of(number)),
            summary,
        };
        let columns: Vec<NumberColumn> = index.summaries().into_iter().enumerate().map(column).collect();
        Self {
            visible: (0..index.items.len()).collect(),
            sentence: sentence(index, &columns),
            counts: index.counts(),
            unlabelled: index.unlabelled(),
            columns,
            findings: finding_groups(&index.findings),
            found: has_finding.iter().filter(|has_finding| **has_finding).count(),
            parts: vec![None; index.items.len()],
            has_finding,
            labels,
            label_ends,
            lengths: lengths(index),
            ..Self::default()
        }
    }

    /// Takes note of the part of each item and applies the filters anew.
    pub fn set_split(&mut self, split: Option<&Split>) {
        self.parts.fill(None);
        for part in [Part::Train, Part::Validation, Part::Test] {
            for number in split.map(|split| split.part(part)).unwrap_or_default() {
                if let Some(own) = self.parts.get_mut(*number) {
                    *own = Some(part);
                }
            }
        }
        self.refresh();
    }

    /// Applies the filters anew: those that are set, each to a column of its own, so that little is read.
    pub fn refresh(&mut self) {
        let mut shows = vec![true; self.parts.len()];
        if let Some(class) = self.class.map(|class| class as u32) {
            self.leave_class(class, &mut shows);
        }
        if self.part.is_some() {
            shows.iter_mut().zip(&self.parts).for_each(|(shows, part)| *shows &= *part == self.part);
        }
        if self.findings_only {
            shows.iter_mut().zip(&self.has_finding).for_each(|(shows, has_finding)| *shows &= *has_finding);
        }
        self.visible.clear();
        self.visible.extend(shows.iter().enumerate().filter(|(_, shows)| **shows).map(|(number, _)| number));
    }

    fn leave_class(&self, class: u32, shows: &mut [bool]) {
        let has_one_each = self.labels.len() == self.parts.len() && self.unlabelled == 0;
        if has_one_each {
            shows.iter_mut().zip(&self.labels).for_each(|(shows, label)| *shows &= *label == class);
            return;
        }
        let mut begin = 0;
        for (shows, end) in shows.iter_mut().zip(&self.label_ends) {
            let labels = self.labels.get(begin..*end as usize).unwrap_or_default();
            *shows &= labels.contains(&class);
            begin = *end as usize;
        }
    }

    /// About how many tokens a text has on average, where longer ones are cut to `longest`.
    pub fn mean_tokens(&self, longest: usize) -> Option<usize> {
        mean_tokens(&self.lengths, longest)
    }

    /// The part that item `number` belongs to.
    pub fn part_of(&self, number: usize) -> Option<Part> {
        *self.parts.get(number)?
    }
}

/// The layout and what the samples are labelled with.
fn sentence(index: &DatasetIndex, columns: &[NumberColumn]) -> String {
    let layout = &index.layout;
    let recognised = match (index.target, index.classes.len(), columns) {
        (TargetKind::Class, classes, _) => format!("{layout} = {classes} classes"),
        (TargetKind::Labels, 1, _) => format!("{layout}, 1 label"),
        (TargetKind::Labels, labels, _) => format!("{layout}, {labels} labels"),
        (TargetKind::Numbers, _, [NumberColumn { summary, .. }]) => {
            format!("{layout}, from {} to {}", units::number(summary.min), units::number(summary.max))
        }
        (TargetKind::Numbers, _, _) => layout.to_string(),
    };
    format!("{recognised}. Your files are never changed.")
}

/// Findings of one kind as one card: how many, and the first few by name.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingGroup {
    pub title: String,
    pub text: String,
    pub remedy: String,
    pub count: usize,
    /// What the window can do about it.
    pub offer: Option<Offer>,
}

/// Groups findings by kind, the most frequent first.
fn finding_groups(findings: &[Finding]) -> Vec<FindingGroup> {
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
            let shown: Vec<String> = members.iter().take(3).map(|f| f.in_words()).collect();
            let more = members.len().saturating_sub(3);
            let tail = if more > 0 { format!("\nand {more} more") } else { String::new() };
            FindingGroup {
                title: title(kind, members.len()),
                text: shown.join("\n") + &tail,
                remedy: members[0].remedy.clone(),
                count: members.len(),
                offer: offer(kind),
            }
        })
        .collect()
}

/// What the window can do about a kind of finding.
fn offer(kind: FindingKind) -> Option<Offer> {
    let (text, action) = match kind.offer()? {
        OtherReading::MergeSpellings => ("Take them as one class", Open::MergeSpellings),
        OtherReading::ChooseColumns => ("Choose columns…", Open::ChooseColumns),
        OtherReading::ChooseLayout => ("Choose how to read it…", Open::ChooseColumns),
    };
    Some(Offer { text: text.to_string(), action: action.into() })
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
        FindingKind::BadTarget => ("label cannot be used", "labels cannot be used"),
        FindingKind::EmptyText => ("text is empty", "texts are empty"),
        FindingKind::BadRow => ("row cannot be read", "rows cannot be read"),
        FindingKind::SingleItemClass => ("class has one sample", "classes have one sample"),
        FindingKind::NoTrainingItem => ("class cannot be trained on", "classes cannot be trained on"),
        FindingKind::ConstantTarget => ("label never varies", "labels never vary"),
        FindingKind::Duplicate => ("duplicate", "duplicates"),
        FindingKind::ConflictingDuplicate => {
            ("duplicate with another label", "duplicates with another label")
        }
        FindingKind::LeakAcrossParts => ("duplicate across the parts", "duplicates across the parts"),
        FindingKind::NotData => ("file is no sample", "files are no samples"),
        FindingKind::EmptyFolder => ("folder is empty", "folders are empty"),
        FindingKind::PassedOver => ("line holds something to pass over", "lines hold something to pass over"),
        FindingKind::Assumed => ("file leaves something open", "files leave something open"),
        FindingKind::SimilarClasses => {
            ("class is spelled in several ways", "classes are spelled in several ways")
        }
        FindingKind::MissingFile => ("file is not there", "files are not there"),
        FindingKind::OtherReading => ("other way to read the folder", "other ways to read the folder"),
        FindingKind::GuessedColumn => ("column was guessed", "columns were guessed"),
        FindingKind::OfferedColumn => ("column might be used too", "columns might be used too"),
        FindingKind::GroupAcrossParts => ("group in several parts", "groups in several parts"),
        FindingKind::OtherPart => ("row of another part", "rows of other parts"),
    };
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::index::{Digest, INDEX_VERSION, Layout, Modality};
    use crate::data::target::{Target, TargetKind};

    #[test]
    fn findings_are_counted_in_words() {
        assert_eq!(title(FindingKind::Duplicate, 18), "18 duplicates");
        assert_eq!(title(FindingKind::Unreadable, 1), "1 file cannot be read");
    }

    fn finding(file: &str, kind: FindingKind) -> Finding {
        Finding { file: file.into(), line: None, kind, reason: "odd".into(), remedy: "look".into() }
    }

    /// Items 0 to 5, classes by turns; something was found about 1, 2 and 4.
    fn index() -> DatasetIndex {
        let item = |n: usize| Item {
            path: format!("{n}.png").into(),
            line: None,
            text: None,
            target: Target::Class(n % 2),
            digest: Digest::of(&[n as u8]),
            part: None,
            group: None,
        };
        DatasetIndex {
            files: Default::default(),
            unpacked: None,
            version: INDEX_VERSION,
            root: "/data".into(),
            modality: Modality::Image,
            target: TargetKind::Class,
            classes: vec!["a".into(), "b".into()],
            items: (0..6).map(item).collect(),
            findings: vec![
                finding("1.png", FindingKind::WronglyNamed),
                finding("2.png", FindingKind::Duplicate),
                finding("4.png", FindingKind::Duplicate),
            ],
            layout: Layout::Folders { modality: Modality::Image, items: 6, folders: 2, parts: Vec::new() },
        }
    }

    #[test]
    fn estimates_know_how_long_the_texts_are() {
        let mut index = index();
        assert_eq!(DataView::new(&index).mean_tokens(100), None);
        for (number, item) in index.items.iter_mut().enumerate() {
            item.text = Some("word ".repeat(10 * number));
        }
        index.modality = Modality::Text;
        let view = DataView::new(&index);
        assert_eq!(view.mean_tokens(100), Some(2 + 25));
        assert_eq!(view.mean_tokens(12), Some(11));
    }

    #[test]
    fn filters_leave_what_fits_all_of_them() {
        let mut view = DataView::new(&index());
        assert_eq!(view.visible, [0, 1, 2, 3, 4, 5]);
        view.set_split(Some(&Split { train: vec![0, 1, 2], validation: vec![3, 4], test: Vec::new() }));
        let mut check = |class, part, findings_only, expected: &[usize]| {
            (view.class, view.part, view.findings_only) = (class, part, findings_only);
            view.refresh();
            assert_eq!(view.visible, expected);
        };
        check(Some(1), None, false, &[1, 3, 5]);
        check(None, Some(Part::Validation), false, &[3, 4]);
        check(None, None, true, &[1, 2, 4]);
        check(Some(0), Some(Part::Train), true, &[2]);
        check(None, Some(Part::Test), false, &[]);
        assert_eq!((view.part_of(3), view.part_of(5)), (Some(Part::Validation), None));
        view.set_split(None);
        assert_eq!(view.part_of(3), None);
    }

    fn with_targets(target: TargetKind, names: &[&str], targets: &[Target]) -> DatasetIndex {
        let mut index = index();
        index.target = target;
        index.classes = names.iter().map(|name| name.to_string()).collect();
        for (item, target) in index.items.iter_mut().zip(targets) {
            item.target = target.clone();
        }
        index
    }

    #[test]
    fn samples_with_several_labels_are_found_by_each() {
        let labels = [vec![0, 1], vec![], vec![1], vec![0], vec![], vec![1]].map(Target::Labels);
        let mut view = DataView::new(&with_targets(TargetKind::Labels, &["bug", "docs"], &labels));
        assert_eq!((&view.counts[..], view.unlabelled), (&[2, 3][..], 2));
        assert_eq!(view.sentence, "6 images in 2 folders, 2 labels. Your files are never changed.");
        for (class, expected) in [(Some(0), &[0, 3][..]), (Some(1), &[0, 2, 5])] {
            view.class = class;
            view.refresh();
            assert_eq!(view.visible, expected);
        }
    }

    #[test]
    fn numbers_have_a_histogram_for_each_column() {
        let numbers = [3.0, 980.0, 41.5, 7.0, 8.0, 9.0].map(|n| Target::Numbers(vec![n]));
        let view = DataView::new(&with_targets(TargetKind::Numbers, &["price"], &numbers));
        assert_eq!(view.sentence, "6 images in 2 folders, from 3 to 980. Your files are never changed.");
        let [column] = &view.columns[..] else { panic!("{:?}", view.columns) };
        assert_eq!((column.summary.name.as_str(), column.summary.count), ("price", 6));
        assert_eq!((column.histogram.counts[0], column.histogram.counts[9]), (5, 1));
        let pairs = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(|n| Target::Numbers(vec![n, -n]));
        let view = DataView::new(&with_targets(TargetKind::Numbers, &["x", "y"], &pairs));
        assert_eq!((view.columns.len(), view.columns[1].summary.min), (2, -6.0));
        assert_eq!(view.sentence, "6 images in 2 folders. Your files are never changed.");
    }

    #[test]
    fn counts_and_findings_are_of_the_data() {
        let view = DataView::new(&index());
        assert_eq!((&view.counts[..], view.unlabelled), (&[3, 3][..], 0));
        assert_eq!(view.sentence, "6 images in 2 folders = 2 classes. Your files are never changed.");
        let groups: Vec<_> = view.findings.iter().map(|g| (g.title.as_str(), g.count)).collect();
        assert_eq!(groups, [("2 duplicates", 2), ("1 file has a wrong ending", 1)]);
        assert_eq!(view.found, 3);
    }

    /// What is left out is no sample that a filter could leave, and files of one name lie in several folders.
    #[test]
    fn findings_say_where_their_file_lies() {
        let mut index = index();
        index.findings = vec![
            finding("cat/1.png", FindingKind::Truncated),
            finding("dog/1.png", FindingKind::Truncated),
            finding("5.png", FindingKind::WronglyNamed),
        ];
        let view = DataView::new(&index);
        assert_eq!(view.findings[0].text, "cat/1.png: odd\ndog/1.png: odd");
        assert_eq!(view.found, 1);
    }
}
