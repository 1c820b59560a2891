//! A folder or a table on disk -> a [`DatasetIndex`].
//!
//! [`scan`] recognises the layout, reads every file once and keeps what can be used. What cannot
//! be used becomes a finding; only where nothing is left there is an error.

#![warn(clippy::indexing_slicing, reason = "what comes from outside is not indexed")]

mod archive;
mod asked;
mod audit;
mod cells;
mod columns;
mod content;
mod dialect;
mod documents;
mod error;
mod files;
mod folders;
mod forms;
pub mod glance;
mod head;
mod json;
mod jsonl;
mod known;
mod layouts;
mod named;
mod names;
mod options;
mod packed;
mod parquet;
mod parts;
mod places;
pub mod readings;
mod records;
mod roles;
mod sampled;
mod shape;
mod spelling;
mod spreadsheet;
mod table;
mod tables;
mod unlabelled;
mod walk;

use std::collections::BTreeSet;
use std::path::Path;

pub use error::{First, ScanError};
pub use known::KnownFiles;
pub use options::{ColumnChoice, LayoutChoice, ScanOptions, Separator, TextColumns, TextEncoding, Writing};
pub use unlabelled::{Content, Unlabelled, unlabelled};
pub use walk::{HEAD_FILE, MANIFEST_FILE, RECIPE_FILE};

use super::facts::{Carrier, extension};
use super::index::{
    DatasetIndex, Digest, FileCount, Finding, FindingKind, INDEX_VERSION, Item, Layout, Modality, Part,
};
use super::target::{Target, TargetKind};
use crate::control::Control;
use known::Memory;
use walk::Tree;

/// Raised when a file is checked otherwise than before, so that what was kept of files is not believed any more.
pub const CHECK_VERSION: u32 = 2;

/// Reads the dataset at `root`: a folder with a folder of images or `.txt` files for each class,
/// such folders below `train`, `val` and `test`, files that a table names, a CSV, TSV, JSON-lines, Excel or Parquet
/// file of texts, a folder that holds such files, or a zip archive of any of these.
///
/// Reports [`crate::control::Fact::Progress`] and stops when the control asks for it.
///
/// # Errors
///
/// When there is nothing at `root`, its layout is not one of these, a column that was asked for
/// does not exist or cannot be what was asked for, or no item is left.
pub fn scan(root: &Path, options: &ScanOptions, control: &dyn Control) -> Result<DatasetIndex, ScanError> {
    scan_known(root, options, &KnownFiles::default(), control).map(|scanned| scanned.index)
}

/// What a scan found, and what the next one need not read.
pub struct Scanned {
    pub index: DatasetIndex,
    pub known: KnownFiles,
    /// Files in folders that were read.
    pub read: u64,
}

/// The same as [`scan`], without reading files that are `known` and have not changed.
///
/// # Errors
///
/// As for [`scan`].
pub fn scan_known(
    root: &Path,
    options: &ScanOptions,
    known: &KnownFiles,
    control: &dyn Control,
) -> Result<Scanned, ScanError> {
    let path = || root.to_owned();
    if root.to_str().is_none() {
        return Err(ScanError::Unreadable { path: path(), why: "its name is not UTF-8".to_owned() });
    }
    let about = std::fs::metadata(root).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ScanError::NotFound { path: path() },
        _ => ScanError::Unreadable { path: path(), why: source.to_string() },
    })?;
    let mut memory = Memory::new(known);
    let mut all = FileCount::default();
    let at = archive::opened(root, control)?;
    let unpacked = (*at != *root).then(|| at.to_path_buf());
    let at: &Path = &at;
    let mut found = if about.is_dir() || unpacked.is_some() {
        let mut tree = Tree::walk(at, control)?;
        memory.take_stamps(std::mem::take(&mut tree.stamps));
        all.used = tree.files.len() as u64 + tree.refused;
        all.litter = tree.litter;
        layouts::read(at, tree, options, &mut memory, control)?
    } else if tables::named_like_a_table(root) {
        tables::scan_file(root, options, &mut memory, control)?
    } else {
        return Err(ScanError::NotADataset { path: path(), why: what_a_file_is(root) });
    };
    found.findings.extend(unpacked.as_deref().map(|folder| archive::told(root, folder)));
    let index = DatasetIndex { unpacked, ..found.into_index(root, all, options.merge_spellings)? };
    let (known, read) = memory.end();
    Ok(Scanned { index, known, read })
}

/// What a sample is labelled with, before classes and labels have numbers.
#[derive(Debug, Clone, PartialEq)]
enum Label {
    Class(String),
    Labels(BTreeSet<String>),
    Numbers(Vec<f64>),
}

impl Label {
    /// The name of the class; empty for labels and numbers, which folders do not give.
    fn class(&self) -> &str {
        match self {
            Self::Class(name) => name,
            Self::Labels(_) | Self::Numbers(_) => "",
        }
    }
}

/// A sample as the readers of the layouts give it.
struct Sample {
    path: std::path::PathBuf,
    line: Option<u64>,
    text: Option<String>,
    label: Label,
    digest: Digest,
    part: Option<Part>,
    /// What it has in common with others from which it is not to be parted.
    group: Option<String>,
}

/// All that a reader found.
struct Found {
    modality: Modality,
    samples: Vec<Sample>,
    findings: Vec<Finding>,
    layout: Layout,
    /// Files that no class folder holds, and that are no samples.
    beside: u64,
}

impl Found {
    /// Numbers the classes, sorts, and looks for what only the whole shows. Of the files, those that are litter are told
    /// from `all` others. Spellings of one name become one where they are to `merge`.
    fn into_index(self, root: &Path, all: FileCount, merge: bool) -> Result<DatasetIndex, ScanError> {
        let Found { modality, mut samples, mut findings, mut layout, beside } = self;
        samples.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
        findings.extend(spelling::unify(&mut samples, merge));
        let (target, classes) = names(&layout, &samples);
        let items: Vec<Item> = samples
            .into_iter()
            .filter_map(|sample| {
                let Sample { path, line, text, label, digest, part, group } = sample;
                Some(Item { path, line, text, target: numbered(label, &classes)?, digest, part, group })
            })
            .collect();
        if items.is_empty() {
            findings.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
            // A broken file says more than that its folder is then empty.
            let of_folder = |finding: &&Finding| finding.kind == FindingKind::EmptyFolder;
            let first = findings.iter().find(|finding| !of_folder(finding)).or(findings.first());
            let first = first.map(error::First::of);
            return Err(ScanError::Empty { path: root.to_owned(), first });
        }
        match &mut layout {
            Layout::Folders { items: number, .. }
            | Layout::Names { items: number, .. }
            | Layout::NamedFiles { items: number, .. }
            | Layout::Table { rows: number, .. } => {
                *number = items.len() as u64;
            }
        }
        findings.extend(audit::findings(&layout, &classes, &items));
        findings.sort_by(|a, b| (&a.file, a.line, a.kind).cmp(&(&b.file, b.line, b.kind)));
        let root = root.to_owned();
        let used = items.iter().map(|item| &item.path).collect::<BTreeSet<_>>().len() as u64;
        let left_out = all.used.saturating_sub(used + beside);
        let files = FileCount { used, left_out, beside, litter: all.litter };
        let version = INDEX_VERSION;
        let unpacked = None;
        Ok(DatasetIndex {
            version,
            root,
            modality,
            target,
            classes,
            items,
            findings,
            layout,
            files,
            unpacked,
        })
    }
}

/// What the samples are labelled with, and the names of the classes, labels or columns of numbers.
fn names(layout: &Layout, samples: &[Sample]) -> (TargetKind, Vec<String>) {
    let (form, columns) = (layout.form(), layout.label_columns());
    if form.kind() == TargetKind::Numbers {
        return (TargetKind::Numbers, columns.to_vec());
    }
    // A column of marks is a label, whether or not a sample has it.
    let mut names: BTreeSet<&String> = columns.iter().filter(|_| form.gives_names_by_columns()).collect();
    for sample in samples {
        match &sample.label {
            Label::Class(name) => names.extend([name]),
            Label::Labels(labels) => names.extend(labels),
            Label::Numbers(_) => {}
        }
    }
    (form.kind(), names.into_iter().cloned().collect())
}

/// The label with the numbers that its names have among the sorted `names`.
fn numbered(label: Label, names: &[String]) -> Option<Target> {
    let number = |name: &String| names.binary_search(name).ok();
    Some(match label {
        Label::Class(name) => Target::Class(number(&name)?),
        Label::Labels(labels) => Target::Labels(labels.iter().filter_map(number).collect()),
        Label::Numbers(numbers) => Target::Numbers(numbers),
    })
}

fn what_a_file_is(path: &Path) -> String {
    match Modality::of_name(path).map(Modality::facts) {
        Some(facts) if facts.carrier == Carrier::File => format!("it is a single {}", facts.name),
        _ => match extension(&packed::unpacked_name(path)).as_str() {
            "tar" | "tgz" | "tbz" | "txz" | "bz2" | "xz" | "7z" | "rar" | "lzma" | "br" => {
                "it is packed in a way that is not read (zip archives, and tables with .gz or .zst, are): unpack it first"
                    .to_owned()
            }
            "xls" | "xlsb" | "ods" | "numbers" => {
                "it is a spreadsheet of a kind that is not read: save it as .xlsx or CSV".to_owned()
            }
            _ => "a single file must be a table (.csv, .tsv, .jsonl, .ndjson, .xlsx, .parquet) or an archive (.zip)".to_owned(),
        },
    }
}

#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod folder_tests;
#[cfg(test)]
mod kind_tests;
#[cfg(test)]
mod named_tests;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod target_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tree_tests;
#[cfg(test)]
mod written_tests;
