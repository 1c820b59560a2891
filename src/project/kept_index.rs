//! `index.json`: what is known of the files of a project's data, so that those that have not changed are not read again.
//!
//! It can be lost or thrown away at any time: then the data is read once more. The same happens where it was written by
//! another version of the program, for other data or options, or where a bit of it has changed.

use super::files::{read_json, write_atomically};
use crate::data::Digest;
use crate::data::scan::{CHECK_VERSION, KnownFiles, ScanOptions};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Raised when the form changes.
const KEPT_VERSION: u32 = 1;
/// Its name in the project.
pub const FILE: &str = "index.json";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    version: u32,
    /// Another program may judge files otherwise.
    written_by: String,
    /// Where the data lies, without links.
    root: PathBuf,
    options: ScanOptions,
    /// Of what follows.
    digest: Digest,
    files: KnownFiles,
}

impl Kept {
    fn new(root: &Path, options: &ScanOptions, files: KnownFiles) -> Option<Self> {
        let (version, written_by) = (KEPT_VERSION, program());
        let root = std::fs::canonicalize(root).ok()?;
        let digest = digest(&files)?;
        Some(Self { version, written_by, root, options: options.clone(), digest, files })
    }

    fn holds_for(&self, root: &Path, options: &ScanOptions) -> bool {
        self.version == KEPT_VERSION
            && self.written_by == program()
            && std::fs::canonicalize(root).is_ok_and(|root| root == self.root)
            && self.options == *options
            && digest(&self.files) == Some(self.digest)
    }
}

fn program() -> String {
    format!("frostline {}, checks {CHECK_VERSION}", env!("CARGO_PKG_VERSION"))
}

fn digest(files: &KnownFiles) -> Option<Digest> {
    let mut hasher = blake3::Hasher::new();
    serde_json::to_writer(&mut hasher, files).ok()?;
    Some(Digest(*hasher.finalize().as_bytes()))
}

/// What the project in `folder` knows of the files at `root`; nothing where that does not hold any more.
pub fn read(folder: &Path, root: &Path, options: &ScanOptions) -> KnownFiles {
    // Whatever is wrong with it, reading the data anew mends it.
    let kept = read_json::<Kept>(&folder.join(FILE), "read the index").ok();
    kept.filter(|kept| kept.holds_for(root, options)).map(|kept| kept.files).unwrap_or_default()
}

/// Keeps what is known of the files at `root`.
pub fn write(folder: &Path, root: &Path, options: &ScanOptions, files: KnownFiles) {
    let text = Kept::new(root, options, files).and_then(|kept| serde_json::to_vec(&kept).ok());
    if let Some(text) = text {
        // A folder that cannot be written costs reading the data the next time.
        let _ = write_atomically(&folder.join(FILE), &text, "keep the index");
    }
}

/// Forgets all of it.
pub fn forget(folder: &Path) {
    // What stays is as good as before.
    let _ = std::fs::remove_file(folder.join(FILE));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Silent;
    use crate::data::scan::scan_known;
    use std::time::{Duration, SystemTime};

    /// A folder for a project, and data beside it with what a scan knows of it.
    fn known() -> (tempfile::TempDir, PathBuf, KnownFiles) {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        for (path, text) in [("bad/1.txt", "dull"), ("good/1.txt", "fine"), ("good/2.txt", " ")] {
            let path = data.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            let file = std::fs::File::options().append(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        }
        let scanned = scan_known(&data, &ScanOptions::default(), &KnownFiles::default(), &Silent).unwrap();
        assert!(scanned.known != KnownFiles::default());
        (folder, data, scanned.known)
    }

    #[test]
    fn what_is_kept_comes_back_for_the_same_data_and_options() {
        let (folder, data, files) = known();
        let (home, options) = (folder.path(), ScanOptions::default());
        assert_eq!(read(home, &data, &options), KnownFiles::default());
        write(home, &data, &options, files.clone());
        assert_eq!(read(home, &data, &options), files);
        assert_eq!(read(home, &data.join("../data"), &options), files);
        let other = ScanOptions { label_columns: vec!["mood".into()], ..Default::default() };
        assert_eq!(read(home, &data, &other), KnownFiles::default());
        assert_eq!(read(home, &data.join("good"), &options), KnownFiles::default());
        forget(home);
        assert_eq!(read(home, &data, &options), KnownFiles::default());
    }

    #[test]
    fn another_version_of_file_or_program_means_reading_anew() {
        let (folder, data, files) = known();
        let options = ScanOptions::default();
        let check = |change: &dyn Fn(&mut Kept), expected: &KnownFiles| {
            let mut kept = Kept::new(&data, &options, files.clone()).unwrap();
            change(&mut kept);
            std::fs::write(folder.path().join(FILE), serde_json::to_vec(&kept).unwrap()).unwrap();
            assert_eq!(read(folder.path(), &data, &options), *expected);
        };
        let nothing = KnownFiles::default();
        check(&|_| {}, &files);
        check(&|kept| kept.version = KEPT_VERSION - 1, &nothing);
        check(&|kept| kept.version = KEPT_VERSION + 1, &nothing);
        check(&|kept| kept.written_by = "frostline 99.0.0".into(), &nothing);
    }

    #[test]
    fn no_flipped_bit_is_believed() {
        let (folder, data, files) = known();
        let (path, options) = (folder.path().join(FILE), ScanOptions::default());
        write(folder.path(), &data, &options, files.clone());
        let whole = std::fs::read(&path).unwrap();
        for (place, bit) in (0..whole.len()).zip((0..8).cycle()) {
            let mut damaged = whole.clone();
            damaged[place] ^= 1 << bit;
            std::fs::write(&path, &damaged).unwrap();
            let found = read(folder.path(), &data, &options);
            assert!(found == files || found == KnownFiles::default(), "byte {place}, bit {bit}");
        }
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(read(folder.path(), &data, &options), KnownFiles::default());
    }

    #[test]
    fn a_file_of_version_1_still_opens() {
        let kept: Kept = serde_json::from_str(include_str!("goldens/index-1.json")).unwrap();
        assert_eq!((kept.version, digest(&kept.files)), (1, Some(kept.digest)));
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<Kept>(&text).unwrap(), kept);
    }
}
