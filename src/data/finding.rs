//! What is wrong or doubtful in the data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::words::portable;

/// Something wrong or doubtful in the data. The scan went on without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Relative to the root, as the path of an item is; a folder where the finding is about a folder.
    pub file: PathBuf,
    /// Always written, `null` where the finding is about the whole file.
    #[serde(default)]
    pub line: Option<u64>,
    pub kind: FindingKind,
    /// What is wrong, as a sentence without a full stop.
    pub reason: String,
    /// What a person can do about it.
    pub remedy: String,
}

impl Finding {
    /// "cat/3.jpg, line 7: the text is empty"; what is about the whole folder begins with its reason.
    pub fn in_words(&self) -> String {
        let line = self.line.map(|line| format!(", line {line}")).unwrap_or_default();
        match portable(&self.file) {
            file if file.is_empty() => self.reason.clone(),
            file => format!("{file}{line}: {}", self.reason),
        }
    }
}

/// The kinds of [`Finding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The file cannot be opened or decoded; it is left out.
    Unreadable,
    /// The file has no bytes; it is left out.
    Empty,
    /// The file ends too early; it is left out.
    Truncated,
    /// The content is of another format than the name says; the item stays.
    WronglyNamed,
    /// More pixels or bytes than are read; it is left out.
    TooLarge,
    /// Bytes that are no UTF-8; the file or row is left out.
    NotUtf8,
    /// A row without a label, or samples in no class folder; left out.
    MissingLabel,
    /// A row with something else where a number, or 0 or 1, should be; left out.
    BadTarget,
    /// A text with nothing but white space; it is left out.
    EmptyText,
    /// A row that cannot be read as a record; it is left out.
    BadRow,
    /// A class with one item, which can only be trained on.
    SingleItemClass,
    /// A class none of whose items may be trained on.
    NoTrainingItem,
    /// A label that all items have or none has, or a column with one number in all rows: nothing can be learnt of it.
    ConstantTarget,
    /// The same content twice with the same label; both stay, on one side of the split.
    Duplicate,
    /// The same content with two labels; both stay.
    ConflictingDuplicate,
    /// The same content in two of the parts that the folders give; both stay.
    LeakAcrossParts,
    /// A file of another kind among the samples; it is left out.
    NotData,
    /// A class folder without a usable item.
    EmptyFolder,
    /// Something that means nothing and is read around: a line above the header, a NUL byte; rows stay.
    PassedOver,
    /// Something that a file leaves open, such as which value is white, and what was assumed; the item stays.
    Assumed,
    /// Names of classes that differ in case or in spaces only; all stay as they are.
    SimilarClasses,
    /// A row that names a file which is not there, or which may be one of several; left out.
    MissingFile,
    /// The folder can be read in another way as well, which would give other classes.
    OtherReading,
    /// A column was guessed to be the text or the label, and another may be it.
    GuessedColumn,
    /// A column may say which samples belong together, or holds text too; it is not used.
    OfferedColumn,
    /// Samples that belong together in two of the parts that the data gives; all stay.
    GroupAcrossParts,
    /// A row of a part that is neither trained on nor scored; left out.
    OtherPart,
}

/// A change of how the data is read that may do away with a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// `ScanOptions::merge_spellings`.
    MergeSpellings,
    /// Other columns of the table.
    ChooseColumns,
    /// `ScanOptions::layout`.
    ChooseLayout,
}

impl FindingKind {
    /// What can be said about the reading, for a button beside the finding.
    pub fn offer(self) -> Option<Offer> {
        match self {
            FindingKind::SimilarClasses => Some(Offer::MergeSpellings),
            FindingKind::GuessedColumn
            | FindingKind::OfferedColumn
            | FindingKind::OtherPart
            | FindingKind::GroupAcrossParts => Some(Offer::ChooseColumns),
            FindingKind::OtherReading => Some(Offer::ChooseLayout),
            FindingKind::Unreadable
            | FindingKind::Empty
            | FindingKind::Truncated
            | FindingKind::WronglyNamed
            | FindingKind::TooLarge
            | FindingKind::NotUtf8
            | FindingKind::MissingLabel
            | FindingKind::BadTarget
            | FindingKind::EmptyText
            | FindingKind::BadRow
            | FindingKind::SingleItemClass
            | FindingKind::NoTrainingItem
            | FindingKind::ConstantTarget
            | FindingKind::Duplicate
            | FindingKind::ConflictingDuplicate
            | FindingKind::LeakAcrossParts
            | FindingKind::NotData
            | FindingKind::EmptyFolder
            | FindingKind::PassedOver
            | FindingKind::Assumed
            | FindingKind::MissingFile => None,
        }
    }

    /// As it is written in files: `snake_case`.
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::Unreadable => "unreadable",
            FindingKind::Empty => "empty",
            FindingKind::Truncated => "truncated",
            FindingKind::WronglyNamed => "wrongly_named",
            FindingKind::TooLarge => "too_large",
            FindingKind::NotUtf8 => "not_utf8",
            FindingKind::MissingLabel => "missing_label",
            FindingKind::BadTarget => "bad_target",
            FindingKind::EmptyText => "empty_text",
            FindingKind::BadRow => "bad_row",
            FindingKind::SingleItemClass => "single_item_class",
            FindingKind::NoTrainingItem => "no_training_item",
            FindingKind::ConstantTarget => "constant_target",
            FindingKind::Duplicate => "duplicate",
            FindingKind::ConflictingDuplicate => "conflicting_duplicate",
            FindingKind::LeakAcrossParts => "leak_across_parts",
            FindingKind::NotData => "not_data",
            FindingKind::EmptyFolder => "empty_folder",
            FindingKind::PassedOver => "passed_over",
            FindingKind::Assumed => "assumed",
            FindingKind::SimilarClasses => "similar_classes",
            FindingKind::MissingFile => "missing_file",
            FindingKind::OtherReading => "other_reading",
            FindingKind::GuessedColumn => "guessed_column",
            FindingKind::OfferedColumn => "offered_column",
            FindingKind::GroupAcrossParts => "group_across_parts",
            FindingKind::OtherPart => "other_part",
        }
    }
}
