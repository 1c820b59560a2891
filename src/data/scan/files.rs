//! Reading the files of class folders: each once, in parallel, checked and digested.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::known::Memory;
use super::{Label, Sample, ScanError};
use crate::control::{Control, Fact};
use crate::data::checked::{Checked, Content};
use crate::data::facts::extension;
use crate::data::finding::{Finding, FindingKind};
use crate::data::index::Part;
use crate::data::modality::Modality;
use crate::data::{image, text};

/// A file that a folder, a table or its own name labels.
pub(super) struct LabelledFile {
    /// Relative to the root.
    pub path: PathBuf,
    pub label: Label,
    pub part: Option<Part>,
    /// What it has in common with others from which it is not to be parted.
    pub group: Option<String>,
    /// What it seems to be; `None` for what is no data.
    pub kind: Option<Modality>,
}

/// Reads the files as samples of `modality`; what is unusable goes to the findings.
pub(super) fn read(
    root: &Path,
    modality: Modality,
    files: Vec<LabelledFile>,
    findings: &mut Vec<Finding>,
    memory: &mut Memory,
    control: &dyn Control,
) -> Result<Vec<Sample>, ScanError> {
    /// Files between two questions whether to go on.
    const AT_ONCE: usize = 64;
    let total = files.len() as u64;
    let mut samples = Vec::with_capacity(files.len());
    let mut done = 0;
    for some in files.chunks(AT_ONCE) {
        if control.stop_requested() {
            return Err(ScanError::Stopped { path: root.to_owned() });
        }
        control.wait_while_paused();
        let read: Vec<_> = some
            .par_iter()
            .map(|file| match file.kind == Some(modality) {
                true => memory.recall(&file.path).cloned().unwrap_or_else(|| check(modality, root, file)),
                false => Checked::LeftOut(not_data(&file.path, modality)),
            })
            .collect();
        for (file, checked) in some.iter().zip(read) {
            if file.kind == Some(modality) {
                memory.note(&file.path, &checked);
            }
            match checked {
                Checked::Sample { content, findings: doubts } => {
                    samples.push(sample(file, content));
                    findings.extend(doubts);
                }
                Checked::LeftOut(finding) | Checked::Unread(finding) => findings.push(finding),
            }
        }
        done += some.len() as u64;
        control.report(Fact::progress("reading files", done, total));
    }
    Ok(samples)
}

/// The first bytes of a file, enough to tell its format. `None` where it cannot be read.
fn first_bytes(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(32).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Reads and checks a file as a sample of `modality`.
fn check(modality: Modality, root: &Path, file: &LabelledFile) -> Checked {
    let full = root.join(&file.path);
    match modality {
        Modality::Image => image::check_file(&full, &file.path),
        Modality::Text => text::check_file(&full, &file.path),
    }
}

fn sample(file: &LabelledFile, Content { text, digest }: Content) -> Sample {
    let LabelledFile { path, label, part, group, .. } = file;
    let (path, label, group) = (path.clone(), label.clone(), group.clone());
    Sample { path, line: None, text, label, digest, part: *part, group }
}

/// What a file is by its name, and by its first bytes where the name says nothing.
pub(super) fn kind(root: &Path, path: &Path, memory: &mut Memory) -> Option<Modality> {
    if let Some(modality) = Modality::of_name(path) {
        return Some(modality);
    }
    let of_content = match extension(path).as_str() {
        "csv" | "tsv" | "tab" | "jsonl" | "ndjson" | "json" | "xlsx" | "xlsm" | "parquet" | "md" | "html"
        | "xml" => return None,
        other if says_something(other) || text::is_read_me(path) => Modality::of_content,
        _ => Modality::of_bare_content,
    };
    memory.look(path, || first_bytes(&root.join(path)).map(|bytes| of_content(&bytes)))
}

/// Whether what stands behind the last dot of a name is an extension, not a part of the name: a few letters, perhaps
/// with digits behind. Mail folders name files `0001.ea7e79d3153e7469e7a9c3e0af6a357e`.
fn says_something(extension: &str) -> bool {
    extension.len() <= 5 && extension.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// What the files consist of: what there is far more of.
pub(super) fn modality(root: &Path, files: &[LabelledFile]) -> Result<Modality, ScanError> {
    let counts = counted_kinds(files.iter().filter_map(|file| file.kind));
    let total: u64 = counts.iter().map(|(_, count)| count).sum();
    let most = counts.iter().max_by_key(|(modality, count)| (*count, std::cmp::Reverse(*modality)));
    let Some((modality, most)) = most else {
        // Nothing of any: whatever is looked for will not be found.
        return Ok(Modality::Image);
    };
    if (total - most) * 5 >= total.max(1) {
        return Err(ScanError::Mixed { path: root.to_owned(), counts });
    }
    Ok(*modality)
}

/// How many there are of each modality that there is.
pub(super) fn counted_kinds(kinds: impl Iterator<Item = Modality>) -> Vec<(Modality, u64)> {
    let mut counts: BTreeMap<Modality, u64> = BTreeMap::new();
    for kind in kinds {
        *counts.entry(kind).or_default() += 1;
    }
    counts.into_iter().collect()
}

pub(super) fn not_data(path: &Path, modality: Modality) -> Finding {
    let what = modality.facts().a_file;
    Finding {
        file: path.to_owned(),
        line: None,
        kind: FindingKind::NotData,
        reason: format!("is not {what}, so it is left out"),
        remedy: "Move it out of the class folders if it is not meant to be there.".to_owned(),
    }
}
