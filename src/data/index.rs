//! What a scan found: the items with their labels and content digests, the classes, the findings.
//!
//! A [`DatasetIndex`] is plain data that can be kept as JSON: it has a version number, and every path
//! in it is relative to its root.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use super::digest::Digest;
pub use super::finding::{Finding, FindingKind};
use super::label_columns;
pub use super::modality::Modality;
use super::target::{Target, TargetForm, TargetKind};
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
}

/// What a sample is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Train,
    Validation,
    Test,
}

impl Part {
    /// The part that a folder or table name stands for, in any case of letters.
    pub fn from_name(name: &str) -> Option<Part> {
        match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Part::Train),
            "val" | "valid" | "validation" | "dev" => Some(Part::Validation),
            "test" | "testing" => Some(Part::Test),
            _ => None,
        }
    }

    /// As it is written in files: `train`, `validation`, `test`.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Validation => "validation",
            Part::Test => "test",
        }
    }
}

/// The arrangement of a dataset on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Layout {
    /// One folder of files for each class, below part folders where `parts` are named.
    Folders { modality: Modality, items: u64, folders: u64, parts: Vec<Part> },
    /// Files whose names begin with their classes.
    Names { modality: Modality, items: u64, parts: Vec<Part> },
    /// Files that the rows of one or more tables name and label.
    NamedFiles {
        modality: Modality,
        tables: Vec<PathBuf>,
        items: u64,
        file_column: String,
        /// As in a table of texts.
        #[serde(rename = "label_column", with = "label_columns")]
        label_columns: Vec<String>,
        form: TargetForm,
        parts: Vec<Part>,
        /// Whether the root of the index is the table itself; the files are then looked for from its folder.
        is_root: bool,
    },
    /// Rows of one or more tables.
    Table {
        files: Vec<PathBuf>,
        rows: u64,
        text_column: String,
        /// One, or a column for each label or number; a single one is written as a string.
        #[serde(rename = "label_column", with = "label_columns")]
        label_columns: Vec<String>,
        /// What the label columns were taken for; older indexes know names of classes alone.
        #[serde(default)]
        form: TargetForm,
        parts: Vec<Part>,
        /// Whether the root of the index is the table itself, not a folder that holds it.
        is_root: bool,
    },
}

impl Layout {
    /// How the labels are written.
    pub fn form(&self) -> TargetForm {
        match self {
            Layout::Folders { .. } | Layout::Names { .. } => TargetForm::Name,
            Layout::NamedFiles { form, .. } | Layout::Table { form, .. } => *form,
        }
    }

    /// The columns that hold the labels.
    pub fn label_columns(&self) -> &[String] {
        match self {
            Layout::Folders { .. } | Layout::Names { .. } => &[],
            Layout::NamedFiles { label_columns, .. } | Layout::Table { label_columns, .. } => label_columns,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = match self {
            Layout::Folders { modality, items, folders, parts } => {
                let noun = modality.facts().name;
                write!(f, "{} in {}", counted(*items, noun), counted(*folders, "folder"))?;
                parts
            }
            Layout::Names { modality, items, parts } => {
                write!(
                    f,
                    "{}, the class at the beginning of each name",
                    counted(*items, modality.facts().name)
                )?;
                parts
            }
            Layout::NamedFiles {
                modality, tables, items, file_column, label_columns, form, parts, ..
            } => {
                write!(f, "{} named in ", counted(*items, modality.facts().name))?;
                fmt_tables(f, tables)?;
                write!(f, ", file in column “{file_column}”, ")?;
                f.write_str(&label_columns::in_words(*form, label_columns))?;
                parts
            }
            Layout::Table { files, rows, text_column, label_columns, form, parts, .. } => {
                write!(f, "{} in ", counted(*rows, "text"))?;
                fmt_tables(f, files)?;
                write!(f, ", text in column “{text_column}”, ")?;
                f.write_str(&label_columns::in_words(*form, label_columns))?;
                parts
            }
        };
        if !parts.is_empty() {
            let names: Vec<&str> = parts.iter().map(|part| part.name()).collect();
            write!(f, ", parted into {}", names.join(", "))?;
        }
        Ok(())
    }
}

fn fmt_tables(f: &mut fmt::Formatter<'_>, tables: &[PathBuf]) -> fmt::Result {
    match tables {
        [table] => write!(f, "{}", table.display()),
        tables => write!(f, "{}", counted(tables.len() as u64, "table")),
    }
}

/// A relative path with `/` between its components on every system.
pub(crate) fn portable(path: &Path) -> String {
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

/// "cat 8, dog 8", of many the first.
pub(crate) fn few_counts(counts: &BTreeMap<&str, usize>) -> String {
    /// More would make the sentence a list.
    const SHOWN: usize = 4;
    let shown: Vec<String> =
        counts.iter().take(SHOWN).map(|(name, count)| format!("{name} {count}")).collect();
    match counts.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// "1 image", "1,204 images".
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count as usize), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> DatasetIndex {
        let item = |path: &str, class, content: &[u8]| Item {
            path: PathBuf::from(path),
            line: None,
            text: None,
            target: Target::Class(class),
            digest: Digest::of(content),
            part: None,
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
        assert_eq!(index.findings[0].kind, FindingKind::Truncated);
        let table = r#"{"kind":"table","files":["a.csv"],"rows":2000,"text_column":"text",
            "label_column":"label","parts":[],"is_root":true}"#;
        let layout: Layout = serde_json::from_str(table).unwrap();
        assert_eq!(layout.to_string(), "2,000 texts in a.csv, text in column “text”, label in “label”");
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
    fn counts_and_sentences() {
        assert_eq!(example().counts(), [1, 1]);
        assert_eq!(example().layout.to_string(), "2 images in 2 folders");
        assert_eq!(example().files.to_string(), "3 files: 2 used, 1 left out, as the findings say");
        assert_eq!(counted(1, "image"), "1 image");
        assert_eq!(counted(1_234_567, "image"), "1,234,567 images");
    }
}
