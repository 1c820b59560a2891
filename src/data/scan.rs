//! A folder or a table on disk -> a [`DatasetIndex`].
//!
//! [`scan`] recognises the layout, reads every file once and keeps what can be used. What cannot
//! be used becomes a finding; only where nothing is left there is an error.

mod audit;
mod columns;
mod error;
mod files;
mod folders;
mod jsonl;
mod records;
mod table;
mod walk;

use std::path::Path;

pub use error::ScanError;
pub use files::MAX_TEXT_BYTES;
pub use walk::{HEAD_FILE, MANIFEST_FILE, RECIPE_FILE};

use super::image::named_like_an_image;
use super::index::{DatasetIndex, Digest, Finding, FindingKind, INDEX_VERSION, Item, Layout, Modality, Part};
use crate::control::Control;
use walk::Tree;

/// What the user says about the data. Nothing said means: find out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanOptions {
    /// The column or key of a table that holds the text.
    pub text_column: Option<String>,
    /// The column or key of a table that holds the label.
    pub label_column: Option<String>,
}

/// Reads the dataset at `root`: a folder with a folder of images or `.txt` files for each class,
/// such folders below `train`, `val` and `test`, a CSV, TSV or JSON-lines file, or a folder that
/// holds such files.
///
/// Reports [`crate::control::Fact::Progress`] and stops when the control asks for it.
///
/// # Errors
///
/// When there is nothing at `root`, its layout is not one of these, a column that was asked for
/// does not exist, or no item is left.
pub fn scan(root: &Path, options: &ScanOptions, control: &dyn Control) -> Result<DatasetIndex, ScanError> {
    let path = || root.to_owned();
    if root.to_str().is_none() {
        return Err(ScanError::Unreadable { path: path(), why: "its name is not UTF-8".to_owned() });
    }
    let about = std::fs::metadata(root).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ScanError::NotFound { path: path() },
        _ => ScanError::Unreadable { path: path(), why: source.to_string() },
    })?;
    if !about.is_dir() {
        return if table::named_like_a_table(root) {
            table::scan_file(root, options, control)?.into_index(root)
        } else {
            Err(ScanError::NotADataset { path: path(), why: what_a_file_is(root).to_owned() })
        };
    }
    let tree = Tree::walk(root, control)?;
    let found = match folders::recognise(root, &tree)? {
        Some(layout) => {
            if let Some(asked) = options.text_column.as_ref().or(options.label_column.as_ref()) {
                return Err(ScanError::UnknownColumn {
                    path: path(),
                    asked: asked.clone(),
                    available: Vec::new(),
                });
            }
            layout.read(root, tree.findings, control)?
        }
        None => table::scan_folder(root, tree, options, control)?,
    };
    found.into_index(root)
}

/// A sample as the readers of the layouts give it, with the name of its class.
struct Sample {
    path: std::path::PathBuf,
    line: Option<u64>,
    text: Option<String>,
    label: String,
    digest: Digest,
    part: Option<Part>,
}

/// All that a reader found.
struct Found {
    modality: Modality,
    samples: Vec<Sample>,
    findings: Vec<Finding>,
    layout: Layout,
}

impl Found {
    /// Numbers the classes, sorts, and looks for what only the whole shows.
    fn into_index(self, root: &Path) -> Result<DatasetIndex, ScanError> {
        let Found { modality, mut samples, mut findings, mut layout } = self;
        samples.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
        let mut classes: Vec<String> = samples.iter().map(|s| s.label.clone()).collect();
        classes.sort_unstable();
        classes.dedup();
        let items: Vec<Item> = samples
            .into_iter()
            .filter_map(|sample| {
                let class = classes.binary_search(&sample.label).ok()?;
                let Sample { path, line, text, digest, part, .. } = sample;
                Some(Item { path, line, text, class, digest, part })
            })
            .collect();
        if items.is_empty() {
            findings.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
            // A broken file says more than that its folder is then empty.
            let of_folder = |finding: &&Finding| finding.kind == FindingKind::EmptyFolder;
            let first = findings.iter().find(|finding| !of_folder(finding)).or(findings.first());
            let first = first.map(error::in_words);
            return Err(ScanError::Empty { path: root.to_owned(), first });
        }
        match &mut layout {
            Layout::Folders { items: number, .. } | Layout::Table { rows: number, .. } => {
                *number = items.len() as u64;
            }
        }
        findings.extend(audit::findings(&classes, &items));
        findings.sort_by(|a, b| (&a.file, a.line, a.kind).cmp(&(&b.file, b.line, b.kind)));
        let root = root.to_owned();
        Ok(DatasetIndex { version: INDEX_VERSION, root, modality, classes, items, findings, layout })
    }
}

fn what_a_file_is(path: &Path) -> &'static str {
    if named_like_an_image(path) {
        "it is a single image"
    } else {
        "a single file must be a table (.csv, .tsv, .jsonl, .ndjson)"
    }
}

#[cfg(test)]
mod tests;
