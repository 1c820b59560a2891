//! A weight file mapped into memory: its pages come as they are read and can go again, and two programs share them. The
//! one place outside the kernels with `unsafe`.

use memmap2::Mmap;
use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;
use std::time::SystemTime;

/// The bytes of a file, read only.
pub struct MappedFile {
    file: File,
    content: Content,
    /// Size and time of the last change when it was opened.
    state: (u64, Option<SystemTime>),
}

enum Content {
    Mapped(Mmap),
    /// Some file systems cannot map.
    Read(Vec<u8>),
}

impl MappedFile {
    /// Maps an ordinary file.
    ///
    /// # Errors
    /// It cannot be opened or read, or is a device or a pipe, which have no bytes of their own.
    pub fn open(path: &Path) -> Result<Self> {
        // Before it is opened: opening a pipe waits for a writer.
        if !std::fs::metadata(path)?.is_file() {
            return Err(Error::new(ErrorKind::InvalidInput, "it is no ordinary file"));
        }
        let mut file = File::open(path)?;
        let state = state(&file.metadata()?);
        // SAFETY: the map is only read. Another program could write into the file meanwhile or cut it short, which no
        // program can prevent: the first is found out by `bytes` where the file system keeps times; the second may end
        // this program. Weight files are replaced by renaming, by this program and by Hugging Face's.
        let content = match unsafe { Mmap::map(&file) } {
            Ok(map) => Content::Mapped(map),
            Err(_) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)?;
                Content::Read(bytes)
            }
        };
        Ok(Self { file, content, state })
    }

    /// The bytes.
    ///
    /// # Errors
    /// The file was written to since it was opened.
    pub fn bytes(&self) -> Result<&[u8]> {
        match &self.content {
            Content::Read(bytes) => Ok(bytes),
            Content::Mapped(_) if state(&self.file.metadata()?) != self.state => {
                Err(Error::new(ErrorKind::InvalidData, "it changed while it was in use"))
            }
            Content::Mapped(map) => Ok(map),
        }
    }
}

fn state(metadata: &Metadata) -> (u64, Option<SystemTime>) {
    (metadata.len(), metadata.modified().ok())
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
            assert!(
                MappedFile::open(&path).unwrap().bytes().unwrap() == std::fs::read(&path).unwrap(),
                "{len} bytes"
            );
        }
        assert!(MappedFile::open(folder.path()).is_err(), "a folder");
        assert!(MappedFile::open(&folder.path().join("none")).is_err(), "nothing");
    }

    #[test]
    fn a_file_that_changes_is_refused_and_one_that_is_replaced_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&path, [1; 100]).unwrap();
        std::fs::write(&other, [2; 300]).unwrap();
        let mapped = MappedFile::open(&path).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(mapped.bytes().unwrap(), [1; 100]);
        let mapped = MappedFile::open(&path).unwrap();
        std::fs::write(&path, [3; 400]).unwrap();
        assert!(mapped.bytes().is_err());
    }
}
