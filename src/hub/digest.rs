//! Digests of files, as the Hub counts them.

use super::api::Digest;
use crate::backbone::weights::hex;
use crate::problem::{Problem, Result};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use std::io::Read;
use std::path::Path;

/// Computes a digest piece by piece.
#[derive(Clone)]
pub enum Hasher {
    Sha256(Sha256),
    GitSha1(Sha1),
}

impl Hasher {
    /// For a file of `bytes` bytes; git counts the length too.
    pub fn new(like: &Digest, bytes: u64) -> Self {
        match like {
            Digest::Sha256(_) => Self::Sha256(Sha256::new()),
            Digest::GitSha1(_) => Self::GitSha1(Sha1::new_with_prefix(format!("blob {bytes}\0"))),
        }
    }

    /// Takes the next piece of the file.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::GitSha1(hasher) => hasher.update(bytes),
        }
    }

    /// In hexadecimal.
    pub fn finish(self) -> String {
        match self {
            Self::Sha256(hasher) => hex(&hasher.finalize()),
            Self::GitSha1(hasher) => hex(&hasher.finalize()),
        }
    }
}

/// Whether the file at `path` has this digest.
///
/// # Errors
/// It cannot be read.
pub fn matches(path: &Path, digest: &Digest) -> Result<bool> {
    Ok(of_file(path, digest)? == digest.as_str())
}

/// The digest of the file at `path`, of the kind of `digest`, in hexadecimal.
///
/// # Errors
/// It cannot be read.
pub fn of_file(path: &Path, digest: &Digest) -> Result<String> {
    let fail = |e: std::io::Error| Problem::io("read the file", path, &e);
    let mut file = fs_err::File::open(path).map_err(fail)?;
    let mut hasher = Hasher::new(digest, file.metadata().map_err(fail)?.len());
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece).map_err(fail)? {
            0 => return Ok(hasher.finish()),
            n => hasher.update(piece.get(..n).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_git_and_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "hello\n").unwrap();
        // `git hash-object` and `sha256sum` of the same file.
        let git = Digest::GitSha1("ce013625030ba8dba906f756967f9e9ca394464a".into());
        let sha = Digest::Sha256("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03".into());
        assert_eq!((matches(&path, &git), matches(&path, &sha)), (Ok(true), Ok(true)));
        std::fs::write(&path, "hellO\n").unwrap();
        assert_eq!((matches(&path, &git), matches(&path, &sha)), (Ok(false), Ok(false)));
    }
}
