//! A weight file mapped into memory: its pages come as they are read and can go again, and two programs share them. The
//! one place outside the kernels with `unsafe`.

use memmap2::Mmap;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::ops::Deref;
use std::path::Path;

/// The bytes of a file, read only.
pub struct MappedFile(Mmap);

impl MappedFile {
    /// Maps an ordinary file.
    ///
    /// # Errors
    /// It cannot be opened or mapped, or is a device or a pipe, which have no bytes of their own.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(Error::new(ErrorKind::InvalidInput, "it is no ordinary file"));
        }
        // SAFETY: the map is read only and private to this value. What it shows could change if another program wrote
        // into the file in the middle; weight files are replaced by renaming, here, by Hugging Face's programs and by
        // whoever copies one, and the digest is taken of the bytes that are then used.
        Ok(Self(unsafe { Mmap::map(&file)? }))
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_shows_what_reading_gives() {
        let folder = tempfile::tempdir().unwrap();
        for len in [0, 1, 5000, 100_000] {
            let path = folder.path().join(format!("{len}"));
            std::fs::write(&path, (0..len).map(|n| n as u8).collect::<Vec<_>>()).unwrap();
            assert!(*MappedFile::open(&path).unwrap() == *std::fs::read(&path).unwrap(), "{len} bytes");
        }
        assert!(MappedFile::open(folder.path()).is_err(), "a folder");
        assert!(MappedFile::open(&folder.path().join("none")).is_err(), "nothing");
    }
}
