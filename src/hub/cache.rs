//! The cache that Hugging Face's own programs share with Frostline.
//!
//! ```text
//! models--owner--name/blobs/DIGEST                 the content, once
//! models--owner--name/snapshots/COMMIT/path        links to blobs
//! models--owner--name/refs/main                    the commit that a branch stood at
//! models--owner--name/trees/COMMIT.json            what the repository holds
//! .locks/models--owner--name/DIGEST.lock           held while a blob is fetched
//! ```
//!
//! What is about to become a link, a ref or a list lies beside the locks until then: other programs take whatever lies
//! among refs and snapshots for what it stands for.

use super::api::{Digest, RemoteFile};
use super::id::{Commit, RepoId, RepoPath, Revision};
use super::lock::Lock;
use crate::partial::{self, Abandoned, PartialFolder};
use crate::problem::{Problem, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What an unfinished blob is called, after its digest.
pub const INCOMPLETE: &str = "incomplete";
/// After so long nobody will go on with what he began to fetch.
const STALE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The file that tells backup programs that a folder can be fetched again, as Hugging Face's programs write it.
const CACHE_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This file is a cache directory tag created by huggingface_hub.\n\
    # For information about cache directory tags, see:\n\
    #\thttps://bford.info/cachedir/\n";

/// The folder of all locks, with a folder for each repository.
pub(super) const LOCKS: &str = ".locks";

/// The part of the cache that belongs to one repository.
#[derive(Debug, Clone)]
pub struct RepoCache {
    pub id: RepoId,
    root: PathBuf,
}

impl RepoCache {
    /// The part of the repository `id` in the cache at `root`, there or not.
    pub fn new(root: &Path, id: &RepoId) -> Self {
        Self { id: id.clone(), root: root.to_path_buf() }
    }

    /// All repositories in the cache at `root`, by name.
    pub fn all(root: &Path) -> Vec<Self> {
        let ids = super::subfolders(root).filter_map(|f| RepoId::from_folder_name(f.file_name()?.to_str()?));
        let mut ids: Vec<RepoId> = ids.collect();
        ids.sort();
        ids.iter().map(|id| Self::new(root, id)).collect()
    }

    /// `models--owner--name`.
    pub fn folder(&self) -> PathBuf {
        self.root.join(self.id.folder_name())
    }

    /// The folder of the content, a file for each digest.
    pub fn blobs(&self) -> PathBuf {
        self.folder().join("blobs")
    }

    /// Where a whole blob lies.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.as_str())
    }

    /// Where a blob grows until it is whole.
    pub fn incomplete(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(format!("{}.{INCOMPLETE}", digest.as_str()))
    }

    /// Names of blobs that a call had to itself to check them, and never came to the end: nobody holds them.
    pub fn claimed(&self, digest: &Digest) -> Vec<PathBuf> {
        let is_claimed = |path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let middle = name.strip_prefix(digest.as_str()).and_then(|rest| rest.strip_suffix(INCOMPLETE));
            middle.is_some_and(|middle| middle.len() > 1)
        };
        let entries = std::fs::read_dir(self.blobs()).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(is_claimed)
            .filter(|path| Abandoned::hold(path).is_some())
            .collect()
    }

    /// Such a name that nobody else has.
    pub fn new_claim(&self, digest: &Digest) -> PathBuf {
        let ticks = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        self.blobs().join(format!("{}.{}-{ticks:x}.{INCOMPLETE}", digest.as_str(), std::process::id()))
    }

    /// The folder of a commit: its files by their paths, as links to blobs.
    pub fn snapshot(&self, commit: &Commit) -> PathBuf {
        self.folder().join("snapshots").join(commit.as_str())
    }

    /// The folder of the locks.
    pub fn locks(&self) -> PathBuf {
        self.root.join(LOCKS).join(self.id.folder_name())
    }

    /// The file whose lock is held while a blob is fetched.
    pub fn lock(&self, digest: &Digest) -> PathBuf {
        self.locks().join(format!("{}.lock", digest.as_str()))
    }

    /// The commits of which something is here, the one of `main` first, then the newest.
    pub fn commits(&self) -> Vec<Commit> {
        let snapshots = super::subfolders(&self.folder().join("snapshots"));
        let mut found: Vec<_> = snapshots
            .filter_map(|folder| {
                let commit = Commit::parse(folder.file_name()?.to_str()?)?;
                Some((commit, folder.metadata().and_then(|m| m.modified()).ok()))
            })
            .collect();
        let main = self.commit_of(&Revision::default());
        found.sort_by(|(a, at), (b, bt)| {
            let is_main = |c: &Commit| main.as_ref() == Some(c);
            is_main(b).cmp(&is_main(a)).then(bt.cmp(at)).then(a.cmp(b))
        });
        found.into_iter().map(|(commit, _)| commit).collect()
    }

    /// The commit that a revision stood at when it was last asked for.
    pub fn commit_of(&self, revision: &Revision) -> Option<Commit> {
        let noted = || std::fs::read_to_string(self.ref_path(revision)).ok();
        Commit::parse(revision.as_str()).or_else(|| Commit::parse(noted()?.trim()))
    }

    fn ref_path(&self, revision: &Revision) -> PathBuf {
        revision.as_str().split('/').fold(self.folder().join("refs"), |path, part| path.join(part))
    }

    /// Makes the folders for a commit, and marks the cache as one. At no time is there a repository without a folder for
    /// snapshots, or a ref without its snapshot, which other programs take for damage.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn prepare(&self, commit: &Commit) -> Result<()> {
        let make = |folder: PathBuf| {
            std::fs::create_dir_all(&folder).map_err(|e| Problem::io("make the cache folder", &folder, &e))
        };
        make(self.locks())?;
        if !self.folder().exists() {
            let fail = |e: std::io::Error| Problem::io("make the cache folder", &self.folder(), &e);
            let whole = PartialFolder::new_in(&self.locks()).map_err(fail)?;
            make(whole.path().join("snapshots"))?;
            match whole.rename(&self.folder()) {
                // Another program was faster.
                Err(_) if self.folder().exists() => {}
                other => other.map_err(fail)?,
            }
        }
        make(self.snapshot(commit))?;
        make(self.blobs())?;
        let tag = self.root.join("CACHEDIR.TAG");
        if !tag.exists() {
            // Only backups miss it.
            let _ = partial::replace_from(&self.locks(), &tag, CACHE_TAG.as_bytes());
        }
        Ok(())
    }

    /// Removes beginnings of blobs that nobody needs any more: where the whole blob is here, or where nobody has fetched at
    /// it for days. What another program holds stays, and so does what is in `wanted`.
    pub fn clear_stale(&self, wanted: &[&RemoteFile]) {
        for entry in std::fs::read_dir(self.blobs()).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(digest) = name.strip_suffix(INCOMPLETE).and_then(|rest| rest.split('.').next()) else {
                continue;
            };
            let is_wanted = wanted.iter().any(|file| file.digest.as_str() == digest);
            let is_whole = self.blobs().join(digest).is_file();
            let is_old = || entry.metadata().is_ok_and(|about| partial::is_older(&about, STALE));
            let Some(digest) = Digest::of_blob_name(digest).filter(|_| is_whole || (!is_wanted && is_old()))
            else {
                continue;
            };
            if let Ok(Some(_lock)) = Lock::try_now(&self.lock(&digest))
                && let Some(_held) = Abandoned::hold(&entry.path())
            {
                // What stays behind costs some disk and nothing else.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Notes where a branch or tag stands.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn write_ref(&self, revision: &Revision, commit: &Commit) -> Result<()> {
        if revision.as_str() == commit.as_str() || self.commit_of(revision).as_ref() == Some(commit) {
            return Ok(());
        }
        self.write(&self.ref_path(revision), commit.as_str().as_bytes())
    }

    /// Notes what the repository holds at a commit.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn write_tree(&self, commit: &Commit, files: &[RemoteFile]) -> Result<()> {
        let path = self.folder().join("trees").join(format!("{commit}.json"));
        if path.exists() {
            return Ok(());
        }
        let files: BTreeMap<&str, _> = files.iter().map(|f| (f.path.as_str(), &f.noted)).collect();
        let mut text = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
        let noted = serde_json::json!({"format_version": 1, "files": files});
        serde::Serialize::serialize(&noted, &mut serializer).map_err(|e| {
            Problem::other("could not note the files of the model", e.to_string(), "please report this")
        })?;
        self.write(&path, &text)
    }

    /// Replaces a small file of the cache in one step.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let fail = |e: std::io::Error| Problem::io("write into the cache", path, &e);
        std::fs::create_dir_all(path.parent().unwrap_or(&self.root)).map_err(fail)?;
        partial::replace_from(&self.locks(), path, bytes).map_err(fail)
    }

    /// Makes the snapshot's `path` a link to the blob.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn link(&self, commit: &Commit, path: &RepoPath, digest: &Digest) -> Result<()> {
        let link = path.below(&self.snapshot(commit));
        let up = "../".repeat(2 + path.as_str().matches('/').count());
        let target = PathBuf::from(format!("{up}blobs/{}", digest.as_str()));
        if std::fs::read_link(&link).is_ok_and(|found| found == target) {
            return Ok(());
        }
        let fail = |e: std::io::Error| Problem::io("link the downloaded file", &link, &e);
        if let Some(folder) = link.parent() {
            std::fs::create_dir_all(folder).map_err(fail)?;
        }
        // Made elsewhere, then renamed: no reader ever finds nothing.
        let made = PartialFolder::new_in(&self.locks()).map_err(fail)?;
        let beside = made.path().join("link");
        place(&target, &self.blob(digest), &beside).map_err(fail)?;
        std::fs::rename(&beside, &link).map_err(fail)
    }
}

#[cfg(unix)]
fn place(target: &Path, _blob: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// Links need rights that few have here.
#[cfg(not(unix))]
fn place(_target: &Path, blob: &Path, link: &Path) -> std::io::Result<()> {
    std::fs::hard_link(blob, link).or_else(|_| std::fs::copy(blob, link).map(drop))
}

/// Replaces a small file of Frostline's own in one step.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |e: std::io::Error| Problem::io("write into the cache", path, &e);
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(fail)?;
    partial::replace(path, bytes).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_and_lead_to_the_blob() {
        let root = tempfile::tempdir().unwrap();
        let cache = RepoCache::new(root.path(), &RepoId::parse("owner/name").unwrap());
        let digest = Digest::GitSha1("a".repeat(40));
        let commit = Commit::parse(&"b".repeat(40)).unwrap();
        cache.prepare(&commit).unwrap();
        std::fs::write(cache.blob(&digest), "content").unwrap();
        for path in ["config.json", "1_Pooling/config.json"] {
            let path = RepoPath::parse(path).unwrap();
            cache.link(&commit, &path, &digest).unwrap();
            cache.link(&commit, &path, &digest).unwrap();
            let link = path.below(&cache.snapshot(&commit));
            assert_eq!(std::fs::read_to_string(&link).unwrap(), "content");
            assert!(std::fs::read_link(&link).unwrap().is_relative());
        }
        cache.write_ref(&Revision::default(), &commit).unwrap();
        assert_eq!(cache.commit_of(&Revision::default()), Some(commit.clone()));
        assert_eq!(cache.commits(), [commit]);
        assert_eq!(RepoCache::all(root.path()).len(), 1);
    }

    /// Meant to fail without the question for the lock.
    #[test]
    fn beginnings_that_nobody_goes_on_with_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let cache = RepoCache::new(root.path(), &RepoId::parse("owner/name").unwrap());
        cache.prepare(&Commit::parse(&"b".repeat(40)).unwrap()).unwrap();
        let digest = |letter: &str| Digest::Sha256(letter.repeat(64));
        let begin = |letter: &str, days: u64| {
            let file = std::fs::File::create(cache.incomplete(&digest(letter))).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_secs(days * 24 * 3600)).unwrap();
        };
        begin("a", 30);
        begin("b", 1);
        begin("c", 30);
        begin("d", 0);
        std::fs::write(cache.blob(&digest("d")), "whole").unwrap();
        std::fs::write(cache.blobs().join(format!("{}.aB3dE9.{INCOMPLETE}", "d".repeat(64))), "").unwrap();
        let held = Lock::try_now(&cache.lock(&digest("c"))).unwrap();
        cache.clear_stale(&[]);
        drop(held);
        let is_there = |letter: &str| cache.incomplete(&digest(letter)).exists();
        assert_eq!(["a", "b", "c", "d"].map(is_there), [false, true, true, false]);
        assert_eq!(std::fs::read_dir(cache.blobs()).unwrap().count(), 3);
    }
}
