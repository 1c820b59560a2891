//! Reading the files of class folders: each once, in parallel, checked and digested.

use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::folders::{ClassFile, Kind};
use super::{Label, Sample, ScanError};
use crate::control::{Control, Fact};
use crate::data::image::{self, ImageError};
use crate::data::index::{Digest, Finding, FindingKind, Modality, portable};

/// The most bytes of one text file, 16 MiB.
pub const MAX_TEXT_BYTES: u64 = 16 << 20;

/// Reads the files as samples of `modality`; what is unusable goes to the findings.
pub(super) fn read(
    root: &Path,
    modality: Modality,
    files: Vec<ClassFile>,
    findings: &mut Vec<Finding>,
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
            .map(|file| match (modality, file.kind) {
                (Modality::Image, Kind::Image) => image_sample(root, file),
                (Modality::Text, Kind::Text) => text_sample(root, file),
                _ => (None, Some(not_data(&file.path, modality))),
            })
            .collect();
        for (sample, finding) in read {
            samples.extend(sample);
            findings.extend(finding);
        }
        done += some.len() as u64;
        control.report(Fact::Progress { what: "reading files", done, total });
    }
    Ok(samples)
}

/// The first bytes of a file, enough to tell its format. `None` where it cannot be read.
pub(super) fn first_bytes(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(32).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

type Outcome = (Option<Sample>, Option<Finding>);

fn image_sample(root: &Path, file: &ClassFile) -> Outcome {
    let full = root.join(&file.path);
    let checked = image::read(&full)
        .and_then(|bytes| image::check(&bytes, &full).map(|header| (header, Digest::of(&bytes))));
    match checked {
        Ok((header, digest)) => {
            let named = header.format.fits_name(&file.path);
            let finding = (!named).then(|| wrongly_named(&file.path, header.format));
            (Some(sample(file, None, digest)), finding)
        }
        Err(error) => (None, Some(of_error(&file.path, &error))),
    }
}

fn text_sample(root: &Path, file: &ClassFile) -> Outcome {
    let found = |kind, reason: String, remedy: &str| {
        let (file, remedy) = (file.path.clone(), remedy.to_owned());
        (None, Some(Finding { file, line: None, kind, reason, remedy }))
    };
    let full = root.join(&file.path);
    let size = std::fs::metadata(&full).map(|about| about.len());
    let bytes = match size {
        Ok(size) if size > MAX_TEXT_BYTES => {
            let reason = format!("the text has {size} bytes, and at most {MAX_TEXT_BYTES} are read");
            return found(FindingKind::TooLarge, reason, "Cut it into several texts.");
        }
        Ok(_) => std::fs::read(&full),
        Err(error) => Err(error),
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => {
            let reason = format!("cannot be read: {error}");
            return found(FindingKind::Unreadable, reason, "Check that you may read the file.");
        }
    };
    if bytes.is_empty() {
        let reason = "is empty: it has no bytes".to_owned();
        return found(FindingKind::Empty, reason, "Write a text into it, or remove it.");
    }
    let content = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match std::str::from_utf8(content) {
        Ok(text) if text.trim().is_empty() => {
            let reason = "the text is nothing but white space".to_owned();
            found(FindingKind::EmptyText, reason, "Write a text into it, or remove it.")
        }
        Ok(text) => {
            let digest = Digest::of(text.as_bytes());
            (Some(sample(file, Some(text.to_owned()), digest)), None)
        }
        Err(error) => {
            let line = content.iter().take(error.valid_up_to()).filter(|b| **b == b'\n').count();
            let reason = format!("is not UTF-8: the first wrong byte is on line {}", line + 1);
            found(FindingKind::NotUtf8, reason, "Save it as UTF-8 (in most editors: Save as, Encoding).")
        }
    }
}

fn sample(file: &ClassFile, text: Option<String>, digest: Digest) -> Sample {
    let ClassFile { path, label, part, .. } = file;
    let label = Label::Class(label.clone());
    Sample { path: path.clone(), line: None, text, label, digest, part: *part }
}

fn of_error(path: &Path, error: &ImageError) -> Finding {
    Finding {
        file: path.to_owned(),
        line: None,
        kind: error.kind(),
        reason: error.reason(),
        remedy: error.remedy(),
    }
}

fn wrongly_named(path: &Path, format: image::Format) -> Finding {
    let right = format.extensions().first().copied().unwrap_or_default();
    let name = portable(&PathBuf::from(path.file_name().unwrap_or_default()));
    Finding {
        file: path.to_owned(),
        line: None,
        kind: FindingKind::WronglyNamed,
        reason: format!("the name {name} does not say so, but it is a {format} image; it is used as one"),
        remedy: format!("Rename it to end in .{right}, so that other programs open it too."),
    }
}

fn not_data(path: &Path, modality: Modality) -> Finding {
    let what = match modality {
        Modality::Image => "an image",
        Modality::Text => "a text (.txt)",
    };
    Finding {
        file: path.to_owned(),
        line: None,
        kind: FindingKind::NotData,
        reason: format!("is not {what}, so it is left out"),
        remedy: "Move it out of the class folders if it is not meant to be there.".to_owned(),
    }
}
