//! Files that were read before. A file that has the same size, times and number as then has the same content, so that
//! what came of checking it still holds.
//!
//! Two traps, both known from git. A file that was written in the very moment of a scan may be written once more
//! without a change of its time; so what is younger than [`SETTLED`] is not remembered. And a program may set a file's
//! time back; so where the system keeps the time of the last change of any kind, that one counts too.
//!
//! Tables are not remembered. One is a single file that is read from end to end, and nearly all of it are its texts: what
//! is known of it would be as large as the table itself, and would have to be read and parsed just as well.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::data::checked::Checked;
use crate::data::modality::Modality;

/// The age from which on a file is taken to be at rest. Disks note times in steps of up to two seconds.
const SETTLED: Duration = Duration::from_secs(3);

/// The most bytes of texts that are remembered, 256 MiB; further text files are read each time.
const MAX_TEXTS: usize = 256 << 20;

/// What is known of files, by their paths relative to the root.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KnownFiles {
    /// Files in class folders.
    checked: BTreeMap<PathBuf, Known<Checked>>,
    /// Files whose names say nothing: what their first bytes look like.
    looks: BTreeMap<PathBuf, Known<Option<Modality>>>,
}

/// What is known of a file, as long as its stamp is the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Known<T> {
    #[serde(flatten)]
    stamp: Stamp,
    #[serde(rename = "is")]
    what: T,
}

/// What the disk notes of a file; times in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    size: u64,
    modified: i64,
    /// When content, name or rights changed last, where the system says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed: Option<i64>,
    /// The number of the file on its disk, where the system says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inode: Option<u64>,
}

impl Stamp {
    /// `None` where the disk notes no time.
    pub fn of(about: &Metadata) -> Option<Self> {
        let modified = nanoseconds(about.modified().ok()?)?;
        let (changed, inode) = beyond(about);
        Some(Self { size: about.len(), modified, changed, inode })
    }
}

#[cfg(unix)]
fn beyond(about: &Metadata) -> (Option<i64>, Option<u64>) {
    use std::os::unix::fs::MetadataExt;
    let changed = about.ctime().checked_mul(1_000_000_000).and_then(|s| s.checked_add(about.ctime_nsec()));
    (changed, Some(about.ino()))
}

#[cfg(not(unix))]
fn beyond(_about: &Metadata) -> (Option<i64>, Option<u64>) {
    (None, None)
}

fn nanoseconds(time: SystemTime) -> Option<i64> {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).ok(),
        Err(before) => i64::try_from(before.duration().as_nanos()).ok().map(|n| -n),
    }
}

/// What is known during a scan, and what the next one may know.
pub(super) struct Memory<'k> {
    known: &'k KnownFiles,
    stamps: BTreeMap<PathBuf, Stamp>,
    fresh: KnownFiles,
    /// Files that were modified later are not remembered.
    settled: i64,
    texts: usize,
    read: u64,
}

impl<'k> Memory<'k> {
    /// Of a scan that may rely on what is `known`.
    pub fn new(known: &'k KnownFiles) -> Self {
        let settled = SystemTime::now().checked_sub(SETTLED).and_then(nanoseconds).unwrap_or(i64::MIN);
        Self { known, stamps: BTreeMap::new(), fresh: KnownFiles::default(), settled, texts: 0, read: 0 }
    }

    /// Takes the stamps of files, which were taken before any of them is read.
    pub fn take_stamps(&mut self, stamps: BTreeMap<PathBuf, Stamp>) {
        self.stamps.extend(stamps);
    }

    /// What came of checking the file, where that is known.
    pub fn recall(&self, path: &Path) -> Option<&Checked> {
        let known = self.known.checked.get(path)?;
        (self.stamps.get(path) == Some(&known.stamp)).then_some(&known.what)
    }

    /// Notes what came of checking the file.
    pub fn note(&mut self, path: &Path, checked: &Checked) {
        self.read += u64::from(self.recall(path).is_none());
        let text = match checked {
            Checked::Sample { content, .. } => content.text.as_ref().map_or(0, String::len),
            Checked::LeftOut(_) => 0,
            Checked::Unread(_) => return,
        };
        if let Some(stamp) = self.stamp(path)
            && self.texts + text <= MAX_TEXTS
        {
            self.texts += text;
            self.fresh.checked.insert(path.to_owned(), Known { stamp, what: checked.clone() });
        }
    }

    /// What the first bytes of the file look like; `look` reads them and gives nothing where that fails.
    pub fn look(&mut self, path: &Path, look: impl FnOnce() -> Option<Option<Modality>>) -> Option<Modality> {
        let known = self.known.looks.get(path).filter(|known| self.stamps.get(path) == Some(&known.stamp));
        let what = match known {
            Some(known) => known.what,
            None => {
                self.read += 1;
                look()?
            }
        };
        if let Some(stamp) = self.stamp(path) {
            self.fresh.looks.insert(path.to_owned(), Known { stamp, what });
        }
        what
    }

    /// The stamp of a file that is at rest.
    fn stamp(&self, path: &Path) -> Option<Stamp> {
        self.stamps.get(path).copied().filter(|stamp| stamp.modified < self.settled)
    }

    /// What the next scan may know, and how many files were read.
    pub fn end(self) -> (KnownFiles, u64) {
        (self.fresh, self.read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::control::Silent;
    use crate::data::digest::Digest;
    use crate::data::scan::{ScanOptions, Scanned, scan_known};

    const SECOND: Duration = Duration::from_secs(1);

    fn png(seed: u8) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let image = ::image::RgbImage::from_fn(4, 4, |x, y| ::image::Rgb([seed, x as u8, y as u8]));
        image.write_to(&mut bytes, ::image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    /// Writes a file that is an hour old.
    fn write(root: &Path, path: &str, bytes: &[u8]) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        set_age(&path, 3600 * SECOND);
    }

    fn set_age(path: &Path, age: Duration) {
        File::options().append(true).open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }

    /// Four images, one of them without an extension, and a broken one.
    fn pets() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (seed, path) in ["cat/1.png", "cat/2.png", "dog/1.png", "dog/2"].iter().enumerate() {
            write(folder.path(), path, &png(seed as u8));
        }
        write(folder.path(), "dog/3.png", b"no image");
        folder
    }

    fn again(root: &Path, known: &KnownFiles) -> Scanned {
        scan_known(root, &ScanOptions::default(), known, &Silent).unwrap()
    }

    fn first(root: &Path) -> KnownFiles {
        again(root, &KnownFiles::default()).known
    }

    #[test]
    fn the_second_scan_of_an_unchanged_folder_reads_no_file() {
        let folder = pets();
        let once = again(folder.path(), &KnownFiles::default());
        // Four images and what is none; of one the name says nothing.
        assert_eq!(once.read, 6);
        let twice = again(folder.path(), &once.known);
        assert_eq!(twice.read, 0);
        assert_eq!(twice.index, once.index);
        assert_eq!(twice.known, once.known);
    }

    /// The count above is kept by the code that it judges; this shows it by what cannot come from a file.
    #[test]
    fn what_is_known_of_an_unchanged_file_is_taken_without_a_look_at_it() {
        let folder = pets();
        let mut known = first(folder.path());
        let other = Digest::of(b"what was known");
        match &mut known.checked.get_mut(Path::new("cat/1.png")).unwrap().what {
            Checked::Sample { content, .. } => content.digest = other,
            checked => panic!("{checked:?}"),
        }
        assert_eq!(again(folder.path(), &known).index.items[0].digest, other);
    }

    #[test]
    fn texts_come_from_memory_too() {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [("bad/1.txt", "dull"), ("good/1.txt", "\u{feff}fine"), ("good/2.txt", " ")] {
            write(folder.path(), path, text.as_bytes());
        }
        let once = again(folder.path(), &KnownFiles::default());
        let twice = again(folder.path(), &once.known);
        assert_eq!((twice.read, &twice.index), (0, &once.index));
        assert_eq!(twice.index.items[1].text.as_deref(), Some("fine"));
    }

    /// Changes a folder of pets that is known; so many files are then read, and the index is that of a first scan.
    #[track_caller]
    fn check(change: impl Fn(&Path), expected: u64) {
        let folder = pets();
        let known = first(folder.path());
        // Of the last change of any kind some disks note no more than hundredths of a second.
        std::thread::sleep(Duration::from_millis(20));
        change(folder.path());
        let found = again(folder.path(), &known);
        let anew = again(folder.path(), &KnownFiles::default());
        assert_eq!(found.index, anew.index);
        assert_eq!(found.read, expected);
    }

    #[test]
    fn every_kind_of_change_is_noticed() {
        let rename = |from: &'static str, to: &'static str| {
            move |root: &Path| std::fs::rename(root.join(from), root.join(to)).unwrap()
        };
        check(|_| {}, 0);
        // Another content, of another size, then of the same.
        check(|root| write(root, "cat/1.png", &[png(9), vec![0]].concat()), 1);
        check(|root| std::fs::write(root.join("cat/1.png"), png(9)).unwrap(), 1);
        // What was broken is mended.
        check(|root| write(root, "dog/3.png", &png(9)), 1);
        check(|root| write(root, "cat/3.png", &png(9)), 1);
        check(|root| std::fs::remove_file(root.join("cat/1.png")).unwrap(), 0);
        check(rename("cat/1.png", "cat/9.png"), 1);
        check(rename("cat/1.png", "dog/9.png"), 1);
        // A file that takes the place of another.
        check(rename("cat/1.png", "cat/2.png"), 1);
        // The files themselves are the same, but each has another name.
        check(rename("cat", "fish"), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_time_that_was_set_back_hides_nothing() {
        let change = |root: &Path| {
            let path = root.join("cat/1.png");
            let time = std::fs::metadata(&path).unwrap().modified().unwrap();
            assert_eq!(png(0).len(), png(9).len());
            std::fs::write(&path, png(9)).unwrap();
            File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
        };
        check(change, 1);
    }

    #[test]
    fn a_file_that_was_just_written_is_read_again() {
        let folder = pets();
        set_age(&folder.path().join("cat/1.png"), SECOND);
        set_age(&folder.path().join("dog/2"), Duration::ZERO);
        let known = first(folder.path());
        // An image, and one that is looked at by its first bytes before.
        assert_eq!(again(folder.path(), &known).read, 3);
    }

    #[cfg(unix)]
    #[test]
    fn what_could_not_be_read_is_tried_again() {
        let folder = pets();
        std::os::unix::fs::symlink("/nowhere", folder.path().join("cat/dead.png")).unwrap();
        assert_eq!(again(folder.path(), &first(folder.path())).read, 1);
    }
}
