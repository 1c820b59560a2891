//! What is unfinished has a name of its own until it is whole, and is locked for as long as somebody works at it. What a
//! killed program left is locked by nobody: the next call that writes into the folder removes it.

use std::fs::{File, Metadata, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::{Builder, NamedTempFile, TempDir};

/// What unfinished files and folders are called, before six letters and digits.
pub const PARTIAL: &str = ".partial-";
/// What earlier versions called unfinished exports.
const EARLY_EXPORT: &str = "export-";
const DRAWN: usize = 6;
/// Where the disk knows no locks, what nobody has touched for so long is taken for abandoned.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);
/// How often a name is drawn anew because somebody cleared the folder just then.
const DRAWS: usize = 16;

/// Replaces `path` by `bytes` in one step: a file beside it, flushed to the disk, renamed.
///
/// # Errors
/// The folder cannot be written or the disk is full; then the old file is untouched.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_from(folder_of(path), path, bytes)
}

/// The same where the unfinished file lies in the folder `beside`, on the same disk.
///
/// # Errors
/// As for [`replace`].
pub fn replace_from(beside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    clear(beside);
    let mut file = new_file(beside)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    sync_folder(folder_of(path))
}

/// A folder that is filled under a name of its own; removed where it does not get another one.
pub struct PartialFolder {
    folder: TempDir,
    _lock: Option<File>,
}

impl PartialFolder {
    /// A new empty folder in `parent`, as open as the user's umask says.
    ///
    /// # Errors
    /// `parent` cannot be written.
    pub fn new_in(parent: &Path) -> io::Result<Self> {
        clear(parent);
        for _ in 0..DRAWS {
            let folder = builder(0o777).tempdir_in(parent)?;
            let handle = open(folder.path()).ok();
            match handle.as_ref().map(File::try_lock) {
                Some(Err(TryLockError::WouldBlock)) => {}
                Some(Ok(())) if !handle.as_ref().is_some_and(|file| is_still(folder.path(), file)) => {}
                Some(Ok(()) | Err(TryLockError::Error(_))) | None => {
                    return Ok(Self { folder, _lock: handle });
                }
            }
        }
        Err(io::Error::other("an unfinished folder was removed again and again"))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Removes it with all that is in it.
    ///
    /// # Errors
    /// Something in it cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        self.folder.close()
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// There is something else of this name, or the disk is full.
    pub fn rename(self, to: &Path) -> io::Result<()> {
        std::fs::rename(self.folder.path(), to)?;
        // It lies elsewhere now: there is nothing to remove.
        let _ = self.folder.keep();
        sync_folder(folder_of(to))
    }
}

/// Removes what killed programs left unfinished in `folder`; what a living one works at stays.
pub fn clear(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_name(&entry.file_name().to_string_lossy()) {
            clear_one(&entry.path());
        }
    }
}

fn clear_one(path: &Path) {
    let Ok(about) = std::fs::symlink_metadata(path) else { return };
    if !about.is_dir() && !about.is_file() {
        return;
    }
    if let Some(_held) = Abandoned::hold(path) {
        // What stays behind costs some disk and nothing else.
        let _ = if about.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
}

/// What a killed program left, held until this is dropped.
pub struct Abandoned {
    _lock: Option<File>,
}

impl Abandoned {
    /// `None` while somebody works at it. Where the disk knows no locks, or gives them to whoever asks, it is left once
    /// nobody has touched it for a day.
    pub fn hold(path: &Path) -> Option<Self> {
        let about = std::fs::symlink_metadata(path).ok()?;
        let lock = open(path).ok();
        let is_left = match lock.as_ref().map(File::try_lock) {
            Some(Ok(())) if keeps_others_out(path) => lock.as_ref().is_some_and(|file| is_still(path, file)),
            Some(Err(TryLockError::WouldBlock)) => false,
            Some(Ok(()) | Err(TryLockError::Error(_))) | None => is_older(&about, ABANDONED),
        };
        is_left.then_some(Self { _lock: lock })
    }
}

/// Whether the lock that this program holds on `path` is one: a second handle must not get it.
fn keeps_others_out(path: &Path) -> bool {
    open(path).is_ok_and(|second| matches!(second.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Whether nobody has written to it for so long.
pub fn is_older(about: &Metadata, than: Duration) -> bool {
    let age = about.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    age.is_some_and(|age| age > than)
}

/// Whether `name` is one that is drawn here.
pub fn is_name(name: &str) -> bool {
    let drawn = name.strip_prefix(PARTIAL).map(|rest| rest.strip_prefix(EARLY_EXPORT).unwrap_or(rest));
    drawn.is_some_and(|drawn| drawn.len() == DRAWN && drawn.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// A new file in `folder`, locked until it is dropped.
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    for _ in 0..DRAWS {
        let file = builder(0o666).tempfile_in(folder)?;
        match file.as_file().try_lock() {
            // Somebody clears the folder and has it: it will be gone.
            Err(TryLockError::WouldBlock) => {}
            Ok(()) if !is_still(file.path(), file.as_file()) => {}
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
    Err(io::Error::other("an unfinished file was removed again and again"))
}

/// Whether `file` is still the one at `path`.
#[cfg(unix)]
pub fn is_still(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let there = std::fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
    there.is_some() && there == file.metadata().map(|m| (m.dev(), m.ino())).ok()
}

/// Where files have no numbers, names are all there is.
#[cfg(not(unix))]
pub fn is_still(path: &Path, _file: &File) -> bool {
    path.exists()
}

/// Makes a rename in `folder` survive a power failure, where the system can.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Folders cannot be flushed here.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// For its lock alone. Folders cannot be opened everywhere.
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Temporary files are private; what they become is as open as any file of the user, whose umask takes away what it
/// should.
#[cfg(unix)]
fn builder(mode: u32) -> Builder<'static, 'static> {
    use std::os::unix::fs::PermissionsExt;
    let mut builder = Builder::new();
    builder.prefix(PARTIAL).rand_bytes(DRAWN).permissions(std::fs::Permissions::from_mode(mode));
    builder
}

#[cfg(not(unix))]
fn builder(_mode: u32) -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(PARTIAL).rand_bytes(DRAWN);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Meant to fail where `clear_one` removes whatever it finds.
    #[test]
    fn what_nobody_holds_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at(".partial-aB3dE9"), "left").unwrap();
        std::fs::create_dir_all(at(".partial-export-aB3dE9/samples")).unwrap();
        for other in [".partial-of-the-user", ".partial-abcde", "notes.partial-aB3dE9"] {
            std::fs::write(at(other), "mine").unwrap();
        }
        let (file, kept) = (new_file(folder.path()).unwrap(), PartialFolder::new_in(folder.path()).unwrap());
        replace(&at("a.json"), b"1").unwrap();
        clear(folder.path());
        assert!(file.path().exists() && kept.path().exists());
        kept.rename(&at("whole")).unwrap();
        drop(file);
        let left = [".partial-abcde", ".partial-of-the-user", "a.json", "notes.partial-aB3dE9", "whole"];
        assert_eq!(names(folder.path()), left);
    }

    /// Two that write the same name again and again, each clearing before: no write is lost, nothing stays.
    #[test]
    fn writers_do_not_clear_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        std::thread::scope(|threads| {
            for content in ["one", "two", "three", "four"] {
                let path = &path;
                threads.spawn(move || {
                    (0..200).for_each(|_| replace(path, content.as_bytes()).unwrap());
                });
            }
        });
        assert!(["one", "two", "three", "four"].contains(&std::fs::read_to_string(&path).unwrap().as_str()));
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn a_pipe_of_such_a_name_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo").arg(folder.path().join(".partial-aB3dE9")).status();
        if made.is_ok_and(|status| status.success()) {
            clear(folder.path());
            assert_eq!(names(folder.path()).len(), 1);
        }
    }
}
