//! What a scan found: the items with their labels and content digests, the classes, the findings.
//!
//! A [`DatasetIndex`] is plain data that can be kept as JSON: it has a version number, and every path
//! in it is relative to its root.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use super::digest::Digest;
pub use super::finding::{Finding, FindingKind, Offer};
pub use super::layout::{ColumnsBeside, Layout};
pub use super::modality::Modality;
pub use super::part::Part;
use super::target::{Target, TargetKind};
pub(crate) use super::words::{counted, few, few_counts, portable};
use crate::units::grouped;

/// The version of the serialised form that this build writes.
pub const INDEX_VERSION: u32 = 1;

/// A dataset as it lies on disk: which samples there are, what they are labelled, what is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetIndex {
    /// The version of the serialised form, [`INDEX_VERSION`] when made by this build.
    pub version: u32,
    /// The folder or file that was scanned.
    pub root: PathBuf,
    pub modality: Modality,
    /// What its items are labelled with; older indexes know classes alone.
    #[serde(default)]
    pub target: TargetKind,
    /// Names of the classes or labels, sorted by their bytes, or of the columns of numbers in their order. What a
    /// [`Target`] counts are indexes into this list.
    pub classes: Vec<String>,
    /// Sorted by path, then by line.
    pub items: Vec<Item>,
    /// What is wrong or doubtful, sorted by file, then by line.
    pub findings: Vec<Finding>,
    /// The arrangement that was recognised; displays as a sentence.
    pub layout: Layout,
    /// What became of each file; zeros in older indexes.
    #[serde(default)]
    pub files: FileCount,
    /// Where the root's files lie, where it is an archive that was unpacked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpacked: Option<PathBuf>,
}

/// What became of the files of a folder: each is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCount {
    /// Samples, or tables with samples.
    pub used: u64,
    /// A finding says why.
    pub left_out: u64,
    /// Read-me files, tables beside images and the like, which no class folder holds.
    pub beside: u64,
    /// What systems and tools leave behind.
    pub litter: u64,
}

impl FileCount {
    /// All files.
    pub fn total(self) -> u64 {
        self.used + self.left_out + self.beside + self.litter
    }
}

impl fmt::Display for FileCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} used", counted(self.total(), "file"), grouped(self.used as usize))?;
        let others = [
            (self.left_out, "left out, as the findings say"),
            (self.beside, "beside the samples"),
            (self.litter, "of systems and tools"),
        ];
        others
            .iter()
            .filter(|(number, _)| *number > 0)
            .try_for_each(|(number, what)| write!(f, ", {} {what}", grouped(*number as usize)))
    }
}

impl DatasetIndex {
    /// Names the samples and labels: equal for equal content, wherever the root lies and in
    /// whatever order the items are listed. Findings do not count.
    pub fn digest(&self) -> Digest {
        let mut rows: Vec<[u8; 32]> = self.items.iter().map(|item| self.item_digest(item).0).collect();
        rows.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"frostline dataset 1");
        hasher.update(format!("{:_<5}", self.modality.facts().name).as_bytes());
        for row in &rows {
            hasher.update(row);
        }
        Digest(*hasher.finalize().as_bytes())
    }

    /// Items of a dataset of labels that have none of them; 0 for other targets.
    pub fn unlabelled(&self) -> usize {
        let has_none = |item: &&Item| matches!(&item.target, Target::Labels(labels) if labels.is_empty());
        self.items.iter().filter(has_none).count()
    }

    /// The number of items of each class or label, `[classes]`; zeros for columns of numbers.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for item in &self.items {
            for label in item.target.labels() {
                if let Some(count) = counts.get_mut(*label) {
                    *count += 1;
                }
            }
        }
        counts
    }

    /// Where the file of an item lies now.
    pub fn full_path(&self, item: &Item) -> PathBuf {
        if let Some(folder) = &self.unpacked {
            return folder.join(&item.path);
        }
        // A root that is itself the table has the table's name as the path of each item.
        match (&self.layout, self.root.parent()) {
            (Layout::Table { is_root: true, .. }, Some(_)) => self.root.clone(),
            (Layout::NamedFiles { is_root: true, .. }, Some(folder)) => folder.join(&item.path),
            _ => self.root.join(&item.path),
        }
    }

    /// The name that `number` of a target stands for.
    pub fn name_of(&self, number: usize) -> &str {
        self.classes.get(number).map_or("", String::as_str)
    }

    fn item_digest(&self, item: &Item) -> Digest {
        let mut hasher = blake3::Hasher::new();
        let mut field = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        field(portable(&item.path).as_bytes());
        field(&item.line.unwrap_or(0).to_le_bytes());
        match &item.target {
            Target::Class(class) => field(self.name_of(*class).as_bytes()),
            Target::Labels(labels) => {
                field(&(labels.len() as u64).to_le_bytes());
                labels.iter().for_each(|label| field(self.name_of(*label).as_bytes()));
            }
            Target::Numbers(numbers) => {
                for (column, number) in numbers.iter().enumerate() {
                    field(self.name_of(column).as_bytes());
                    field(&number.to_le_bytes());
                }
            }
        }
        field(&item.digest.0);
        field(item.part.map_or("", Part::name).as_bytes());
        // Nothing where there are no groups: older records know none.
        if let Some(group) = &item.group {
            field(group.as_bytes());
        }
        Digest(*hasher.finalize().as_bytes())
    }
}

/// One labelled sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Relative to the root; for a root that is a file: the file name.
    pub path: PathBuf,
    /// The line of a table on which the record starts, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The text itself, for every item of a text dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(flatten)]
    pub target: Target,
    /// Of the bytes of the file, or of the text.
    pub digest: Digest,
    /// The part that the folder or table puts it in, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// What it has in common with others (a customer, a patient) from which it is not to be parted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::target::TargetForm;

    fn example() -> DatasetIndex {
        let item = |path: &str, class, content: &[u8]| Item {
            path: PathBuf::from(path),
            line: None,
            text: None,
            target: Target::Class(class),
            digest: Digest::of(content),
            part: None,
            group: None,
        };
        DatasetIndex {
            version: INDEX_VERSION,
            root: PathBuf::from("/data/pets"),
            modality: Modality::Image,
            target: TargetKind::Class,
            classes: vec!["cat".into(), "dog".into()],
            items: vec![item("cat/1.png", 0, b"1"), item("dog/2.png", 1, b"2")],
            findings: vec![Finding {
                file: PathBuf::from("dog/3.png"),
                line: None,
                kind: FindingKind::Truncated,
                reason: "the file ends too early".into(),
                remedy: "copy it again".into(),
            }],
            layout: Layout::Folders { modality: Modality::Image, items: 2, folders: 2, parts: vec![] },
            files: FileCount { used: 2, left_out: 1, beside: 0, litter: 0 },
            unpacked: None,
        }
    }

    #[test]
    fn an_index_of_version_1_still_opens() {
        let kept = r#"{"version":1,"root":"/data/pets","modality":"image","classes":["cat","dog"],
            "items":[
              {"path":"cat/1.png","class":0,"digest":"96b3a086291fbcdef17e52e60731e96d8d36ae0a944f2aad0c0c12a0c14e161d"},
              {"path":"dog/2.png","class":1,"digest":"9e81ddc1a8fd0a3ae8ac0d01ca71d29c7b8bb7d3f4a9e5a9ab1c19ebf6a3cbb1","part":"validation","line":3,"text":"x"}],
            "findings":[{"file":"dog/3.png","kind":"truncated","reason":"the file ends too early","remedy":"copy it again"}],
            "layout":{"kind":"folders","modality":"image","items":2,"folders":2,"parts":["train"]}}"#;
        let index: DatasetIndex = serde_json::from_str(kept).unwrap();
        assert_eq!(index.items[1].part, Some(Part::Validation));
        assert_eq!((&index.items[1].group, index.layout.beside()), (&None, None));
        assert_eq!(index.findings[0].kind, FindingKind::Truncated);
        let table = r#"{"kind":"table","files":["a.csv"],"rows":2000,"text_column":"text",
            "label_column":"label","parts":[],"is_root":true}"#;
        let layout: Layout = serde_json::from_str(table).unwrap();
        assert_eq!(layout.to_string(), "2,000 texts in a.csv, text in column “text”, label in “label”");
        assert_eq!(layout.beside(), Some(&ColumnsBeside::default()));
        assert!(serde_json::to_string(&layout).unwrap().contains(r#""label_column":"label""#));
    }

    #[test]
    fn the_digest_knows_labels_and_numbers() {
        let with = |target: Target| {
            let mut index = example();
            index.items[0].target = target;
            index.digest()
        };
        let targets = [
            Target::Labels(Vec::new()),
            Target::Labels(vec![0]),
            Target::Labels(vec![0, 1]),
            Target::Numbers(vec![1.0]),
            Target::Numbers(vec![2.0]),
            Target::Numbers(vec![1.0, 2.0]),
        ];
        let digests: std::collections::BTreeSet<Digest> = targets.into_iter().map(with).collect();
        assert_eq!(digests.len(), 6);
    }

    #[test]
    fn an_index_survives_the_round_trip() {
        let index = example();
        let json = serde_json::to_string(&index).unwrap();
        assert_eq!(serde_json::from_str::<DatasetIndex>(&json).unwrap(), index);
    }

    #[test]
    fn the_digest_knows_content_and_labels_but_not_place_or_order() {
        let index = example();
        let mut moved = index.clone();
        moved.root = PathBuf::from("/elsewhere");
        moved.items.reverse();
        moved.findings.clear();
        assert_eq!(moved.digest(), index.digest());
        let mut relabelled = index.clone();
        relabelled.items[0].target = Target::Class(1);
        assert_ne!(relabelled.digest(), index.digest());
        let mut changed = index.clone();
        changed.items[0].digest = Digest::of(b"other");
        assert_ne!(changed.digest(), index.digest());
    }

    #[test]
    fn kinds_are_written_as_they_are_named() {
        for kind in [FindingKind::NotUtf8, FindingKind::BadRow, FindingKind::LeakAcrossParts] {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
        }
    }

    #[test]
    fn groups_and_columns_beside_are_kept() {
        let mut index = example();
        index.items[0].group = Some("c1".into());
        let beside = ColumnsBeside {
            joined: vec!["title".into(), "text".into()],
            part: Some("fold".into()),
            group: Some("customer".into()),
        };
        index.layout = Layout::Table {
            files: vec!["a.csv".into()],
            rows: 2,
            text_column: "text".into(),
            label_columns: vec!["label".into()],
            form: TargetForm::Name,
            beside,
            parts: vec![Part::Train, Part::Test],
            is_root: true,
        };
        let json = serde_json::to_string(&index).unwrap();
        assert_eq!(serde_json::from_str::<DatasetIndex>(&json).unwrap(), index);
        let said = index.layout.to_string();
        assert!(said.ends_with(
            "text joined from “title”, “text”, label in “label”, parted into train, test by “fold”, grouped by “customer”"
        ), "{said}");
    }

    #[test]
    fn counts_and_sentences() {
        assert_eq!(example().counts(), [1, 1]);
        assert_eq!(example().layout.to_string(), "2 images in 2 folders");
        assert_eq!(example().files.to_string(), "3 files: 2 used, 1 left out, as the findings say");
        assert_eq!(counted(1, "image"), "1 image");
        assert_eq!(counted(1_234_567, "image"), "1,234,567 images");
    }
}
