//! One program at a time fetches a file. The locks are those of Hugging Face's own programs (`flock` on the same
//! files), so that they wait for Frostline and Frostline for them; a killed program holds none.

use super::retry::stopped;
use crate::control::Control;
use crate::partial::is_still;
use crate::problem::{Problem, Result};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

/// Held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// How often a held lock is tried again.
const AGAIN: Duration = Duration::from_millis(50);

impl Lock {
    /// Waits for the lock; `waiting` is called once if another program has it.
    ///
    /// # Errors
    /// The user asked to stop, or the disk knows no locks.
    pub fn wait(path: &Path, control: &dyn Control, waiting: impl FnOnce()) -> Result<Self> {
        let mut waiting = Some(waiting);
        loop {
            if let Some(lock) = Self::try_now(path)? {
                return Ok(lock);
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            if control.stop_requested() {
                return Err(stopped());
            }
            std::thread::sleep(AGAIN);
        }
    }

    /// The lock, if no other program has it.
    ///
    /// # Errors
    /// The disk knows no locks or is read-only.
    pub fn try_now(path: &Path) -> Result<Option<Self>> {
        let fail = |e: &std::io::Error| Problem::io("claim the download", path, e);
        let file =
            File::options().create(true).truncate(false).write(true).open(path).map_err(|e| fail(&e))?;
        match file.try_lock() {
            Ok(()) if is_still(path, &file) => Ok(Some(Self { _file: file })),
            // Whoever had it removed the file: what we hold is no lock any more.
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(fail(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_not_after_the_file_was_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let first = Lock::try_now(&path).unwrap().unwrap();
        assert!(Lock::try_now(&path).unwrap().is_none());
        drop(first);
        let second = Lock::try_now(&path).unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(Lock::try_now(&path).unwrap().is_some());
        drop(second);
    }
}
