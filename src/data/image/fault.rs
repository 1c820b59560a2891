//! What a decoder of our own says of a file: why it cannot be used, or what was assumed.

use std::path::Path;

use super::{Format, ImageError, damaged, truncated};

/// Why a file cannot be decoded, in words that go on from the name of its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It ends too early.
    Truncated(String),
    /// It contradicts itself or its format.
    Damaged(String),
    /// It is sound, but of a kind that is not read: "a TIFF with ..".
    Unsupported(String),
}

impl Fault {
    /// The same of the file at `path`.
    pub fn at(self, format: Format, path: &Path) -> ImageError {
        match self {
            Fault::Truncated(why) => truncated(why, path),
            Fault::Damaged(why) => damaged(format, &why, path),
            Fault::Unsupported(what) => ImageError::Unsupported {
                path: path.to_owned(),
                what,
                remedy: "Save it as a plain TIFF, PNG or JPEG.",
            },
        }
    }
}

/// Something that a file leaves open, and what was assumed; the file is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub reason: String,
    pub remedy: String,
}

/// A result with what was assumed for it.
pub(super) struct Noted<T> {
    pub what: T,
    pub notes: Vec<Note>,
}

impl Note {
    /// Of several pictures in one file, one is used.
    pub fn first_of(number: usize, what: &str) -> Note {
        Note {
            reason: format!("it holds {number} {what}, and the first one is used"),
            remedy: "If the others count as well, save each of them as a file of its own.".to_owned(),
        }
    }
}
