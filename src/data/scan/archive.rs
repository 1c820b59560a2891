//! Zip archives: unpacked once into a folder of Frostline's own, which is then read as any folder.
//!
//! The folder is named after the archive's path, size and time, so that a changed archive is unpacked anew; what was
//! unpacked of the archive as it was before is removed then. Nothing is written outside of that folder whatever the
//! names within say, and what swells without measure is refused.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zip::ZipArchive;
use zip::result::ZipError;

use super::ScanError;
use crate::control::{Control, Fact};
use crate::data::facts::extension;
use crate::data::index::{Digest, Finding, FindingKind, portable};
use crate::{home, units};

/// What an archive may hold.
#[derive(Debug, Clone, Copy)]
struct Limits {
    files: usize,
    bytes: u64,
    /// More than `bytes_at_any_rate` unpacked must be no more than this many times the archive.
    swelling: u64,
    bytes_at_any_rate: u64,
}

const LIMITS: Limits =
    Limits { files: 2_000_000, bytes: 256 << 30, swelling: 200, bytes_at_any_rate: 1 << 30 };

/// Free space that stays on the disk, 1 GiB.
const SPARED: u64 = 1 << 30;

/// Whether a file is an archive by its name.
pub(super) fn is_archive(path: &Path) -> bool {
    extension(path) == "zip" && path.is_file()
}

/// The path itself, or the folder that its archive is unpacked into.
///
/// # Errors
///
/// As for [`unpack`].
pub(super) fn opened<'a>(path: &'a Path, control: &dyn Control) -> Result<Cow<'a, Path>, ScanError> {
    match is_archive(path) {
        true => unpack(path, control).map(Cow::Owned),
        false => Ok(Cow::Borrowed(path)),
    }
}

/// Says where it was unpacked.
pub(super) fn told(archive: &Path, folder: &Path) -> Finding {
    Finding {
        file: PathBuf::from(archive.file_name().unwrap_or_default()),
        line: None,
        kind: FindingKind::PassedOver,
        reason: format!("the archive is unpacked in {}, where its files are read", folder.display()),
        remedy: "Nothing needs to be done: where that folder is removed, it is unpacked again.".to_owned(),
    }
}

/// Unpacks the archive at `path` where that was not done before, and gives the folder.
///
/// # Errors
///
/// It is broken or locked with a password, holds too much, there is no room, or the user stopped.
pub(super) fn unpack(path: &Path, control: &dyn Control) -> Result<PathBuf, ScanError> {
    let home = home::home()
        .ok_or_else(|| unreadable(path, "there is no place to unpack it to: set FROSTLINE_HOME"))?;
    unpack_into(&home.join("unpacked"), path, LIMITS, control)
}

fn unpack_into(
    place: &Path,
    path: &Path,
    limits: Limits,
    control: &dyn Control,
) -> Result<PathBuf, ScanError> {
    let fail = |error: io::Error| unreadable(path, error);
    let (whole, version) = names_of(path).map_err(fail)?;
    let folder = place.join(format!("{whole}-{version}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(place).map_err(|error| unreadable(place, error))?;
    let _lock = locked(&place.join(format!("{whole}.lock")), path, control)?;
    if folder.is_dir() {
        return Ok(folder);
    }
    // What a killed program left, and what the archive held before it was changed.
    for entry in fs::read_dir(place).map_err(fail)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && name.strip_prefix(&whole).is_some_and(|rest| rest.starts_with('-')) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let partial = place.join(format!("{whole}-partial"));
    let free = fs4::available_space(place).unwrap_or(u64::MAX).saturating_sub(SPARED);
    let limits = Limits { bytes: limits.bytes.min(free), ..limits };
    let done = write_all(path, &partial, limits, control)
        .and_then(|()| fs::rename(&partial, &folder).map_err(|error| unreadable(&folder, error)));
    match done {
        Ok(()) => Ok(folder),
        Err(error) => {
            let _ = fs::remove_dir_all(&partial);
            Err(error)
        }
    }
}

/// What the folders of an archive at this path begin with, and what is added for its content.
fn names_of(path: &Path) -> io::Result<(String, String)> {
    let real = fs::canonicalize(path)?;
    let about = fs::metadata(&real)?;
    let modified = about.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let stem: String = path.file_stem().unwrap_or_default().to_string_lossy().chars().take(40).collect();
    let short =
        |text: String| -> String { Digest::of(text.as_bytes()).to_string().chars().take(12).collect() };
    let stem: String = stem.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let whole = format!("{stem}-{}", short(real.to_string_lossy().into_owned()));
    Ok((whole, short(format!("{} {}", about.len(), modified.as_nanos()))))
}

/// Waits until no other program unpacks the same archive.
fn locked(lock: &Path, path: &Path, control: &dyn Control) -> Result<File, ScanError> {
    let file =
        File::options().create(true).append(true).open(lock).map_err(|error| unreadable(lock, error))?;
    while let Err(fs::TryLockError::WouldBlock) = file.try_lock() {
        if control.stop_requested() {
            return Err(ScanError::Stopped { path: path.to_owned() });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(file)
}

fn write_all(path: &Path, folder: &Path, limits: Limits, control: &dyn Control) -> Result<(), ScanError> {
    let fail = |error: ZipError| within(path, in_words(&error));
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    let size = file.metadata().map_err(|error| unreadable(path, error))?.len();
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(fail)?;
    let total = archive.len();
    if total > limits.files {
        return Err(within(
            path,
            format!("it holds {total} files, and at most {} are unpacked", limits.files),
        ));
    }
    let mut left = limits.most(size);
    fs::create_dir_all(folder).map_err(|error| unreadable(folder, error))?;
    for number in 0..total {
        if number.is_multiple_of(64) {
            control.wait_while_paused();
            control.report(Fact::progress("unpacking", number as u64, total as u64));
        }
        if control.stop_requested() {
            return Err(ScanError::Stopped { path: path.to_owned() });
        }
        let mut entry = archive.by_index(number).map_err(fail)?;
        // A link may lead anywhere; a name that leads out is none of data.
        let Some(inside) = entry.enclosed_name().filter(|_| !entry.is_symlink()) else { continue };
        let target = folder.join(&inside);
        let failed = |error: io::Error| within(path, format!("{}: {error}", portable(&inside)));
        if entry.is_dir() {
            fs::create_dir_all(&target).map_err(failed)?;
            continue;
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut out = io::BufWriter::new(File::create(&target).map_err(failed)?);
        let written = io::copy(&mut (&mut entry).take(left.saturating_add(1)), &mut out).map_err(failed)?;
        out.flush().map_err(failed)?;
        if written > left {
            let (most, size) = (units::bytes(limits.most(size)), units::bytes(size));
            let why = format!("its {size} become more than {most} unpacked, and no more is written");
            return Err(within(path, why));
        }
        left -= written;
    }
    Ok(())
}

impl Limits {
    /// The most bytes of an archive of this size.
    fn most(self, size: u64) -> u64 {
        self.bytes.min(self.bytes_at_any_rate.max(size.saturating_mul(self.swelling)))
    }
}

/// What is wrong, without a decoder's words.
fn in_words(error: &ZipError) -> String {
    match error {
        ZipError::UnsupportedArchive(why) if *why == ZipError::PASSWORD_REQUIRED => {
            "it is locked with a password".to_owned()
        }
        ZipError::CompressionMethodNotSupported(_) => "it is packed in a way that is not read".to_owned(),
        ZipError::Io(error) => error.to_string(),
        _ => "it is no archive, or one that is broken".to_owned(),
    }
}

fn within(path: &Path, why: impl std::fmt::Display) -> ScanError {
    let remedy = "Unpack it yourself and choose the folder.";
    ScanError::Within { path: path.to_owned(), why: why.to_string(), remedy }
}

fn unreadable(path: &Path, why: impl std::fmt::Display) -> ScanError {
    ScanError::Unreadable { path: path.to_owned(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::control::Silent;

    const SMALL: Limits = Limits { files: 10, bytes: 1 << 20, swelling: 200, bytes_at_any_rate: 1 << 16 };

    fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn unpacked(bytes: &[u8]) -> (tempfile::TempDir, Result<PathBuf, ScanError>) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("my data.zip");
        fs::write(&path, bytes).unwrap();
        let done = unpack_into(&root.path().join("own"), &path, SMALL, &Silent);
        (root, done)
    }

    #[test]
    fn an_archive_is_unpacked_once_and_anew_where_it_changed() {
        let (root, first) = unpacked(&zipped(&[("cat/1.txt", b"purr"), ("dog/2.txt", b"woof")]));
        let first = first.unwrap();
        assert_eq!(fs::read(first.join("dog/2.txt")).unwrap(), b"woof");
        fs::write(first.join("mark"), "still the same").unwrap();
        let path = root.path().join("my data.zip");
        let again = || unpack_into(&root.path().join("own"), &path, SMALL, &Silent).unwrap();
        assert_eq!(again(), first);
        assert!(first.join("mark").is_file());
        fs::write(&path, zipped(&[("cat/1.txt", b"purr, purr")])).unwrap();
        // As a killed program leaves it.
        let partial =
            PathBuf::from(first.to_string_lossy().rsplit_once('-').unwrap().0.to_owned() + "-partial");
        fs::create_dir_all(partial.join("cat")).unwrap();
        let second = again();
        assert_eq!(fs::read(second.join("cat/1.txt")).unwrap(), b"purr, purr");
        assert!(!first.exists() && !partial.exists());
    }

    #[test]
    fn nothing_is_written_outside_and_no_link_is_made() {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        for name in ["../out.txt", "/abs.txt", "a/../../out.txt", "in.txt"] {
            writer.start_file(name, options).unwrap();
            writer.write_all(b"x").unwrap();
        }
        writer.add_symlink("link", "/etc", options).unwrap();
        writer.start_file("link/passwd", options).unwrap();
        let (root, done) = unpacked(&writer.finish().unwrap().into_inner());
        let folder = done.unwrap();
        assert!(folder.join("in.txt").is_file() && !folder.join("link").is_symlink());
        let mut all: Vec<PathBuf> = Vec::new();
        let mut open = vec![root.path().to_owned()];
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(next).unwrap().flatten() {
                if entry.path().is_dir() { open.push(entry.path()) } else { all.push(entry.path()) }
            }
        }
        // The archive, the lock and what lies in the folder.
        assert!(all.iter().filter(|path| !path.starts_with(&folder)).count() == 2, "{all:?}");
        assert!(!Path::new("/abs.txt").exists());
    }

    #[test]
    fn what_swells_or_is_broken_is_refused_and_leaves_nothing() {
        let check = |bytes: &[u8], why: &str| {
            let (root, done) = unpacked(bytes);
            let refused = done.unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
            let left: Vec<_> = fs::read_dir(root.path().join("own")).unwrap().flatten().collect();
            assert!(left.iter().all(|entry| entry.path().is_file()), "{left:?}");
        };
        // 200 times its size, and more than is unpacked at any rate.
        check(&zipped(&[("a.csv", &vec![b'a'; 1 << 19])]), "no more is written");
        let many: Vec<String> = (0..11).map(|n| format!("{n}.txt")).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
        check(&zipped(&many), "holds 11 files");
        let whole = zipped(&[("a.csv", b"text,label\n")]);
        check(&whole[..whole.len() - 9], "no archive");
        check(b"PK", "no archive");
    }
}
