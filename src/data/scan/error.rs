//! Why there is no dataset at a path.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::options::LayoutChoice;
use crate::data::index::{Finding, portable};
use crate::data::modality::{Modality, listed as listed_modalities};
use crate::data::target::TargetKind;
use crate::remedy::{Columns, Remedy};

/// Why a scan ends without an index. Displays what happened and why; [`ScanError::remedy`] says
/// what to try.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScanError {
    #[error("there is nothing at {}", path.display())]
    NotFound { path: PathBuf },
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable { path: PathBuf, why: String },
    /// It is of a format that is read, and something about it is not.
    #[error("{} cannot be read: {why}", path.display())]
    Within { path: PathBuf, why: String, remedy: &'static str },
    #[error("{} is not a dataset: {why}", path.display())]
    NotADataset { path: PathBuf, why: String },
    /// `first` is the first finding.
    #[error("{} holds no usable {}{}", path.display(), listed_modalities("or"), because(first))]
    Empty { path: PathBuf, first: Option<First> },
    /// `names` are the classes that their names begin with.
    #[error("{} holds {files} {what} without class folders, so nothing says what they show", path.display())]
    Flat { path: PathBuf, files: u64, what: &'static str, names: Option<String> },
    /// `table` lies among them and may say what they are, or else `names`, the classes that their names begin with.
    #[error("the folders {} of {} are parts of a dataset, not classes, and hold no class folders", listed(folders), path.display())]
    PartsWithoutClasses { path: PathBuf, folders: Vec<String>, table: Option<PathBuf>, names: Option<String> },
    #[error("the folders {} of {} hold parts (train, test) each, as the folds of a cross-validation do", listed(folders), path.display())]
    RepeatedParts { path: PathBuf, folders: Vec<String> },
    #[error("{} cannot be read so that {}", path.display(), asked.words())]
    NoSuchLayout { path: PathBuf, asked: LayoutChoice },
    /// How many there are of each modality.
    #[error("the class folders of {} hold {}", path.display(), numbered(counts))]
    Mixed { path: PathBuf, counts: Vec<(Modality, u64)> },
    #[error("{} has no column “{asked}”; it has {}", path.display(), listed(available))]
    UnknownColumn { path: PathBuf, asked: String, available: Vec<String> },
    /// `columns` are neither all numbers nor all marks, or one of n was asked of several.
    #[error("{}", unfit(path, columns, *asked))]
    UnfitColumns { path: PathBuf, columns: Vec<String>, asked: Option<TargetKind> },
    #[error("the folders of {} name one class for each sample, so they give no {}", path.display(), asked.name())]
    FoldersAreClasses { path: PathBuf, asked: TargetKind },
    #[error("{} has several columns that are named “{name}”, so the name does not say which of them is meant", path.display())]
    RepeatedColumn { path: PathBuf, name: String },
    #[error("the column “{column}” of {} cannot be both {one} and {other}", path.display())]
    TwoRoles { path: PathBuf, column: String, one: &'static str, other: &'static str },
    /// `what` is "text", "label" or "number".
    #[error("which column of {} is the {what} cannot be told; it has {}", path.display(), listed(available))]
    UnclearColumn { path: PathBuf, what: &'static str, available: Vec<String> },
    /// `column` is the longest.
    #[error("no column of {} holds texts: the longest, “{column}”, holds numbers or codes", path.display())]
    NoTexts { path: PathBuf, column: String },
    /// Files that lie elsewhere.
    #[error("the column “{column}” of {} holds names of files, not texts, and the files are neither beside it nor in the folders there", path.display())]
    NamesOfFiles { path: PathBuf, column: String },
    #[error("the scan of {} was stopped", path.display())]
    Stopped { path: PathBuf },
}

/// The first finding where nothing is left, in words, and what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    pub reason: String,
    pub remedy: String,
}

impl First {
    pub(super) fn of(finding: &Finding) -> First {
        First { reason: finding.in_words(), remedy: finding.remedy.clone() }
    }
}

impl ScanError {
    /// With the classes that the names of the files begin with, where no folder says them.
    pub(super) fn with_names(self, find: impl FnOnce() -> Option<String>) -> ScanError {
        match self {
            ScanError::Flat { path, files, what, names: None } => {
                ScanError::Flat { path, files, what, names: find() }
            }
            ScanError::PartsWithoutClasses { path, folders, table, names: None } => {
                ScanError::PartsWithoutClasses { path, folders, table, names: find() }
            }
            other => other,
        }
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        match self {
            ScanError::NotFound { path }
            | ScanError::Unreadable { path, .. }
            | ScanError::Within { path, .. }
            | ScanError::NotADataset { path, .. }
            | ScanError::Empty { path, .. }
            | ScanError::Flat { path, .. }
            | ScanError::Mixed { path, .. }
            | ScanError::PartsWithoutClasses { path, .. }
            | ScanError::RepeatedParts { path, .. }
            | ScanError::NoSuchLayout { path, .. }
            | ScanError::UnknownColumn { path, .. }
            | ScanError::RepeatedColumn { path, .. }
            | ScanError::TwoRoles { path, .. }
            | ScanError::UnclearColumn { path, .. }
            | ScanError::UnfitColumns { path, .. }
            | ScanError::NoTexts { path, .. }
            | ScanError::FoldersAreClasses { path, .. }
            | ScanError::NamesOfFiles { path, .. }
            | ScanError::Stopped { path } => path,
        }
    }

    /// What a person can try.
    pub fn remedy(&self) -> Remedy {
        let words = match self {
            ScanError::NotFound { .. } => "Check the spelling of the path.",
            ScanError::Within { remedy, .. } => remedy,
            ScanError::Unreadable { .. } => "Check that you may read it and that the disk is there.",
            ScanError::Empty { first: Some(first), .. } => return Remedy::Words(first.remedy.clone()),
            ScanError::NotADataset { .. } | ScanError::Empty { first: None, .. } => {
                "Give a folder that holds one folder of images (or .txt files) for each class, or a \
                 CSV, TSV or JSON-lines file with a text and a label column."
            }
            ScanError::Flat { names: Some(names), .. }
            | ScanError::PartsWithoutClasses { names: Some(names), .. } => {
                return Remedy::ReadNames(names.clone());
            }
            ScanError::NoSuchLayout { asked: LayoutChoice::Folders, .. } => {
                "Give a folder that holds one folder for each class, or leave the choice of the layout away."
            }
            ScanError::NoSuchLayout { asked: LayoutChoice::Table, .. } => {
                "Give a folder with a table that names the files or holds texts, or leave the choice of the layout away."
            }
            ScanError::NoSuchLayout { asked: LayoutChoice::Names, .. } => {
                "Name the files after their classes (cat.1.jpg, cat.2.jpg, dog.1.jpg), two at least of each, or leave \
                 the choice of the layout away."
            }
            ScanError::Flat { names: None, .. } => {
                "Make one folder for each class and move the files into them: pets/cat/1.jpg, \
                 pets/dog/2.jpg."
            }
            ScanError::PartsWithoutClasses { table: Some(table), names: None, .. } => {
                let table = portable(table);
                return Remedy::Words(format!(
                    "Move the files into a folder for each class (train/cat/1.jpg); or give {table} a column with the \
                     names of these files and a column with their labels."
                ));
            }
            ScanError::PartsWithoutClasses { table: None, names: None, .. } => {
                "Make one folder for each class in each part and move the files into them: train/cat/1.jpg, \
                 train/dog/2.jpg, test/cat/3.jpg."
            }
            ScanError::RepeatedParts { path, folders } => {
                let first = folders.first().map_or(path.clone(), |first| path.join(first));
                return Remedy::Words(format!(
                    "Open one of them ({}): the others divide the same samples otherwise.",
                    first.display()
                ));
            }
            ScanError::NoSuchLayout { asked: LayoutChoice::Inner, .. } => {
                "Give a folder whose folders hold one folder for each class, or leave the choice of the layout away."
            }
            ScanError::Mixed { counts, .. } => {
                let kinds: Vec<&str> = counts.iter().map(|(modality, _)| modality.facts().many).collect();
                return Remedy::Words(format!("Keep {} in two datasets.", kinds.join(" and ")));
            }
            ScanError::UnknownColumn { available, .. } if available.is_empty() => {
                return Columns::NoneNeeded.into();
            }
            ScanError::UnknownColumn { .. } => return Columns::Named.into(),
            ScanError::TwoRoles { .. } => "Choose another column for one of them.",
            ScanError::RepeatedColumn { .. } => return Columns::Repeated.into(),
            ScanError::UnclearColumn { what: "text", .. } => return Columns::Text.into(),
            ScanError::UnclearColumn { what: "number", .. } => return Columns::Number.into(),
            ScanError::UnclearColumn { .. } => return Columns::Label.into(),
            ScanError::UnfitColumns { asked: Some(TargetKind::Class), .. } => {
                return Columns::OneLabel.into();
            }
            ScanError::UnfitColumns { .. } => {
                "Name one label column, columns that hold only numbers, or columns that hold only 1 and 0 (true and \
                 false, yes and no)."
            }
            ScanError::FoldersAreClasses { .. } => return Columns::FoldersAreClasses.into(),
            ScanError::NoTexts { .. } => return Columns::TextOrElse.into(),
            ScanError::NamesOfFiles { .. } => return Columns::FilesOrText.into(),
            ScanError::Stopped { .. } => "Start it again when you like; nothing was changed.",
        };
        words.into()
    }
}

fn because(first: &Option<First>) -> String {
    first.as_ref().map(|first| format!(" ({})", first.reason)).unwrap_or_default()
}

fn unfit(path: &Path, columns: &[String], asked: Option<TargetKind>) -> String {
    let (path, columns) = (path.display(), listed(columns));
    match asked {
        Some(TargetKind::Class) => format!("{path} cannot have one class in several columns: {columns}"),
        Some(TargetKind::Labels | TargetKind::Numbers) | None => {
            format!("of the label columns of {path}, {columns} hold neither numbers nor 1 and 0")
        }
    }
}

/// "3 images and 2 texts"
fn numbered(counts: &[(Modality, u64)]) -> String {
    let counts: Vec<String> =
        counts.iter().map(|(modality, count)| format!("{count} {}", modality.facts().many)).collect();
    counts.join(" and ")
}

fn listed(columns: &[String]) -> String {
    /// Wide tables would fill the screen.
    const SHOWN: usize = 20;
    if columns.is_empty() {
        return "no columns".to_owned();
    }
    let shown: Vec<String> = columns.iter().take(SHOWN).map(|c| format!("“{c}”")).collect();
    let more = columns.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
