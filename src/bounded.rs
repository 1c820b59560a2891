//! Files are read whole only where they are ordinary and no larger than what they are for: a pipe may never answer, a
//! device never end, and a file of the wrong kind fill the memory.

use crate::problem::{Problem, Result};
use crate::units;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The most bytes of a recipe or a configuration, which people write.
pub const MAX_SETTINGS_BYTES: u64 = 16 << 20;
/// The most bytes of a record, a split, an index or a manifest, which grow with the samples.
pub const MAX_RECORD_BYTES: u64 = 1 << 30;
/// The most bytes of trained tensors, which are read whole.
pub const MAX_TENSORS_BYTES: u64 = 64 << 30;

/// Reads the ordinary file at `path` while `doing` something ("read the recipe").
///
/// # Errors
/// It is no ordinary file, is larger than `limit` bytes or cannot be read.
pub fn read(path: &Path, limit: u64, doing: &str) -> Result<Vec<u8>> {
    let size = check(path, doing)?;
    let too_large = |size: u64| {
        let (size, limit) = (units::bytes(size), units::bytes(limit));
        let why = format!("it has {size}, and at most {limit} are read");
        Problem::input(format!("could not {doing}"), why, "check that it is the right file").at(path)
    };
    if size > limit {
        return Err(too_large(size));
    }
    let mut bytes = Vec::new();
    let fail = |e: io::Error| Problem::io(doing, path, &e);
    let room = usize::try_from(size).ok().and_then(|size| bytes.try_reserve_exact(size).ok());
    room.ok_or_else(|| fail(io::ErrorKind::OutOfMemory.into()))?;
    // It may grow while it is read.
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).map_err(fail)?;
    match bytes.len() as u64 > limit {
        true => Err(too_large(bytes.len() as u64)),
        false => Ok(bytes),
    }
}

/// The same for a text.
///
/// # Errors
/// As for [`read`], or it is not UTF-8.
pub fn read_text(path: &Path, limit: u64, doing: &str) -> Result<String> {
    String::from_utf8(read(path, limit, doing)?).map_err(|e| {
        let valid = e.as_bytes().get(..e.utf8_error().valid_up_to()).unwrap_or_default();
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        let why = format!("it is not UTF-8: the first wrong byte is on line {line}");
        let remedy = "save it as UTF-8 (in most editors: save as, encoding), or restore it from a copy";
        Problem::input(format!("could not {doing}"), why, remedy).at(path)
    })
}

/// The size of a file that may be opened.
///
/// # Errors
/// It is not there, or is no ordinary file.
pub fn check(path: &Path, doing: &str) -> Result<u64> {
    let about = std::fs::metadata(path).map_err(|e| Problem::io(doing, path, &e))?;
    match about.is_file() {
        true => Ok(about.len()),
        false => {
            let why = "it is no ordinary file, but a folder, a pipe or a device";
            Err(Problem::input(format!("could not {doing}"), why, "give an ordinary file").at(path))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_of_the_right_size_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        let why = |content: &[u8], limit: u64| {
            std::fs::write(&path, content).unwrap();
            read_text(&path, limit, "read it").unwrap_err().why
        };
        assert!(why(b"a\nb\n\xff", 9).contains("line 3"));
        assert!(why(b"12345", 4).contains("at most"));
        assert!(read(folder.path(), 9, "read it").unwrap_err().why.contains("no ordinary file"));
        assert_eq!(read_text(&path, 5, "read it").unwrap(), "12345");
        assert!(read(&folder.path().join("none"), 5, "read it").is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_is_refused_before_it_is_opened() {
        assert!(read(Path::new("/dev/zero"), 9, "read it").unwrap_err().why.contains("device"));
    }
}
