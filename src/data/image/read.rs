//! Checking one image file of a scan.

use std::path::Path;

use super::{Format, ImageError, Note, check, read};
use crate::data::checked::{Checked, Content};
use crate::data::digest::Digest;
use crate::data::finding::{Finding, FindingKind};

/// Reads and checks the file at `full`, which findings call `path`.
pub fn check_file(full: &Path, path: &Path) -> Checked {
    let bytes = match read(full) {
        Ok(bytes) => bytes,
        Err(error @ ImageError::Read { .. }) => return Checked::Unread(of_error(path, &error)),
        Err(error) => return Checked::LeftOut(of_error(path, &error)),
    };
    let _room = super::budget::room_for(&bytes, full);
    match check(&bytes, full) {
        Ok((header, notes)) => {
            let name = (!header.format.fits_name(path)).then(|| wrongly_named(path, header.format));
            let notes = notes.into_iter().map(|note| assumed(path, note));
            let findings = name.into_iter().chain(notes).collect();
            Checked::Sample { content: Content { text: None, digest: Digest::of(&bytes) }, findings }
        }
        Err(error) => Checked::LeftOut(of_error(path, &error)),
    }
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

fn assumed(path: &Path, Note { reason, remedy }: Note) -> Finding {
    Finding { file: path.to_owned(), line: None, kind: FindingKind::Assumed, reason, remedy }
}

fn wrongly_named(path: &Path, format: Format) -> Finding {
    let right = format.extensions().first().copied().unwrap_or_default();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Finding {
        file: path.to_owned(),
        line: None,
        kind: FindingKind::WronglyNamed,
        reason: format!("the name {name} does not say so, but it is a {format} image; it is used as one"),
        remedy: format!("Rename it to end in .{right}, so that other programs open it too."),
    }
}
