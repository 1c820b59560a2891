//! A failure as a person needs it: what happened, why, what to try, and which file.

use crate::data::image::ImageError;
use crate::data::scan::ScanError;
use crate::data::split::SplitError;
use crate::data::text::TextError;
use crate::remedy::Remedy;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The error of everything above `data` and `nn`. Built once where the cause is known, shown once at the edge.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub struct Problem {
    /// What happened: a full sentence without its full stop.
    pub what: String,
    /// Why, as far as it is known.
    pub why: String,
    /// What to try.
    pub remedy: Remedy,
    /// The file or folder concerned.
    pub path: Option<PathBuf>,
    /// Whose turn it is now.
    pub cause: Cause,
}

/// What kind of cause a problem has; decides the exit code of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Wrong use or bad input: the user can mend it.
    Input,
    /// The user asked to stop.
    Stopped,
    /// The loss or a gradient is no number any more: other settings may help.
    Diverged,
    /// The line or the Hub: nothing here is wrong, trying again later may help.
    Hub,
    /// The machine or the program: a full disk, a broken file of ours, a bug.
    Other,
}

/// What the engine's functions return.
pub type Result<T, E = Problem> = std::result::Result<T, E>;

impl Problem {
    /// A problem that the user can mend.
    pub fn input(what: impl Into<String>, why: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self::new(Cause::Input, what, why, remedy)
    }

    /// A problem of the machine or of the program.
    pub fn other(what: impl Into<String>, why: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self::new(Cause::Other, what, why, remedy)
    }

    /// A problem of the line or of the Hub.
    pub fn hub(what: impl Into<String>, why: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self::new(Cause::Hub, what, why, remedy)
    }

    /// A training that has run away.
    pub fn diverged(why: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self::new(Cause::Diverged, "training diverged", why, remedy)
    }

    /// The user asked to stop; `kept` says what is kept.
    pub fn stopped(kept: impl Into<Remedy>) -> Self {
        Self::new(Cause::Stopped, "stopped", "you asked to stop", kept)
    }

    /// A panic, which is a bug: `panic` is what `catch_unwind` gave.
    pub fn of_panic(what: &str, panic: &(dyn std::any::Any + Send), remedy: &str) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let why = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Self::other(what, why.unwrap_or("no reason was given"), remedy)
    }

    fn new(cause: Cause, what: impl Into<String>, why: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self { what: what.into(), why: why.into(), remedy: remedy.into(), path: None, cause }
    }

    /// Names the file or folder concerned.
    pub fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.path = Some(path.as_ref().to_path_buf());
        self
    }

    /// An input or output error on `path` while `doing` something ("write the checkpoint").
    pub fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        let what = format!("could not {doing}");
        let why = error.to_string();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::other(what, "the disk is full", Remedy::MakeRoom)
            }
            io::ErrorKind::ReadOnlyFilesystem => Self::input(
                what,
                "the disk is mounted read-only",
                "choose a folder on a disk that can be written",
            ),
            io::ErrorKind::PermissionDenied => {
                Self::input(what, why, "check the permissions, or choose another folder")
            }
            io::ErrorKind::NotFound => Self::input(what, why, "check the path"),
            _ => Self::other(what, why, Remedy::again("check the disk and the path, then try again")),
        }
        .at(path)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if let Some(path) = &self.path {
            write!(f, " ({})", path.display())?;
        }
        write!(f, "\n  why: {}\n  try: {}", self.why, self.remedy)
    }
}

/// An error of tensor arithmetic: a bug or a machine out of memory, never the user's doing.
impl From<candle_core::Error> for Problem {
    fn from(error: candle_core::Error) -> Self {
        Self::other(
            "a computation failed",
            error.to_string(),
            "try a smaller batch; if it happens again, please report it with this message",
        )
    }
}

impl From<ScanError> for Problem {
    fn from(error: ScanError) -> Self {
        match &error {
            ScanError::Stopped { .. } => Self::stopped("nothing was changed"),
            _ => Self::input("the data cannot be used", error.to_string(), error.remedy()).at(error.path()),
        }
    }
}

impl From<SplitError> for Problem {
    fn from(error: SplitError) -> Self {
        Self::input("the data cannot be split", error.to_string(), "change the fractions, or add samples")
    }
}

impl From<ImageError> for Problem {
    fn from(error: ImageError) -> Self {
        Self::input("the image cannot be used", error.reason(), error.remedy()).at(error.path())
    }
}

impl From<TextError> for Problem {
    fn from(error: TextError) -> Self {
        Self::input("the text cannot be turned into tokens", error.to_string(), "check the backbone's folder")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named() {
        let error = io::Error::from(io::ErrorKind::StorageFull);
        let problem = Problem::io("write the cache", Path::new("a/b"), &error);
        assert_eq!(problem.cause, Cause::Other);
        assert!(problem.to_string().contains("the disk is full"));
        assert!(problem.to_string().contains("a/b"));
    }
}
