//! Reading the files of class folders: each once, in parallel, checked and digested.

use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::known::Memory;
use super::{Label, Sample, ScanError};
use crate::control::{Control, Fact};
use crate::data::checked::{Checked, Content};
use crate::data::finding::{Finding, FindingKind};
use crate::data::index::Part;
use crate::data::modality::Modality;
use crate::data::{image, text};

/// A file in a class folder.
pub(super) struct ClassFile {
    /// Relative to the root.
    pub path: PathBuf,
    pub label: String,
    pub part: Option<Part>,
    /// What it seems to be; `None` for what is no data.
    pub kind: Option<Modality>,
}

/// Reads the files as samples of `modality`; what is unusable goes to the findings.
pub(super) fn read(
    root: &Path,
    modality: Modality,
    files: Vec<ClassFile>,
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
                Checked::Sample { content, finding } => {
                    samples.push(sample(file, content));
                    findings.extend(finding);
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
pub(super) fn first_bytes(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(32).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Reads and checks a file as a sample of `modality`.
fn check(modality: Modality, root: &Path, file: &ClassFile) -> Checked {
    let full = root.join(&file.path);
    match modality {
        Modality::Image => image::check_file(&full, &file.path),
        Modality::Text => text::check_file(&full, &file.path),
    }
}

fn sample(file: &ClassFile, Content { text, digest }: Content) -> Sample {
    let ClassFile { path, label, part, .. } = file;
    let label = Label::Class(label.clone());
    Sample { path: path.clone(), line: None, text, label, digest, part: *part }
}

fn not_data(path: &Path, modality: Modality) -> Finding {
    let what = modality.facts().a_file;
    Finding {
        file: path.to_owned(),
        line: None,
        kind: FindingKind::NotData,
        reason: format!("is not {what}, so it is left out"),
        remedy: "Move it out of the class folders if it is not meant to be there.".to_owned(),
    }
}
