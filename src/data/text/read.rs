//! Checking one text file of a scan.

use std::path::Path;

use crate::data::checked::{Checked, Content};
use crate::data::digest::Digest;
use crate::data::finding::{Finding, FindingKind};

/// The most bytes of one text file, 16 MiB.
pub const MAX_TEXT_BYTES: u64 = 16 << 20;

/// Reads and checks the file at `full`, which findings call `path`.
pub fn check_file(full: &Path, path: &Path) -> Checked {
    let finding = |kind, reason: String, remedy: &str| Finding {
        file: path.to_owned(),
        line: None,
        kind,
        reason,
        remedy: remedy.to_owned(),
    };
    let found = |kind, reason, remedy| Checked::LeftOut(finding(kind, reason, remedy));
    let about = std::fs::metadata(full);
    let bytes = match about.map(|about| (about.is_file(), about.len())) {
        // A pipe may never answer, a device never end.
        Ok((false, _)) => Err(std::io::Error::other("it is no ordinary file")),
        Ok((true, size)) if size > MAX_TEXT_BYTES => {
            let reason = format!("the text has {size} bytes, and at most {MAX_TEXT_BYTES} are read");
            return found(FindingKind::TooLarge, reason, "Cut it into several texts.");
        }
        Ok((true, _)) => std::fs::read(full),
        Err(error) => Err(error),
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => {
            let reason = format!("cannot be read: {error}");
            let remedy = "Check that you may read the file.";
            return Checked::Unread(finding(FindingKind::Unreadable, reason, remedy));
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
            Checked::Sample { content: Content { text: Some(text.to_owned()), digest }, findings: Vec::new() }
        }
        Err(error) => {
            let line = content.iter().take(error.valid_up_to()).filter(|b| **b == b'\n').count();
            let reason = format!("is not UTF-8: the first wrong byte is on line {}", line + 1);
            found(FindingKind::NotUtf8, reason, "Save it as UTF-8 (in most editors: Save as, Encoding).")
        }
    }
}
