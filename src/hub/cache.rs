//! The cache that Hugging Face's own programs share with Frostline.
//!
//! ```text
//! models--owner--name/blobs/DIGEST                 the content, once
//! models--owner--name/snapshots/COMMIT/path        links to blobs
//! models--owner--name/refs/main                    the commit that a branch stood at
//! models--owner--name/trees/COMMIT.json            what the repository holds
//! .locks/models--owner--name/DIGEST.lock           held while a blob is fetched
//! ```

use super::api::{Digest, RemoteFile};
use super::id::{Commit, RepoId, RepoPath, Revision};
use crate::problem::{Problem, Result};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What an unfinished blob is called, after its digest.
pub const INCOMPLETE: &str = "incomplete";

/// The file that tells backup programs that a folder can be fetched again, as Hugging Face's programs write it.
const CACHE_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This file is a cache directory tag created by huggingface_hub.\n\
    # For information about cache directory tags, see:\n\
    #\thttps://bford.info/cachedir/\n";

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

    /// The folder of a commit: its files by their paths, as links to blobs.
    pub fn snapshot(&self, commit: &Commit) -> PathBuf {
        self.folder().join("snapshots").join(commit.as_str())
    }

    /// The folder of the locks.
    pub fn locks(&self) -> PathBuf {
        self.root.join(".locks").join(self.id.folder_name())
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

    /// Makes the folders, and marks the cache as one.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn prepare(&self) -> Result<()> {
        for folder in [self.blobs(), self.locks()] {
            std::fs::create_dir_all(&folder)
                .map_err(|e| Problem::io("make the cache folder", &folder, &e))?;
        }
        let tag = self.root.join("CACHEDIR.TAG");
        if !tag.exists() {
            // Only backups miss it.
            let _ = std::fs::write(&tag, CACHE_TAG);
        }
        Ok(())
    }

    /// Notes where a branch or tag stands.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn write_ref(&self, revision: &Revision, commit: &Commit) -> Result<()> {
        if revision.as_str() == commit.as_str() || self.commit_of(revision).as_ref() == Some(commit) {
            return Ok(());
        }
        write(&self.ref_path(revision), commit.as_str().as_bytes())
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
        write(&path, &text)
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
        // Beside it under another name, then renamed: no reader ever finds nothing.
        let name = link.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let beside = link.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let _ = std::fs::remove_file(&beside);
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

/// Replaces a small file in one step.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |e: std::io::Error| Problem::io("write into the cache", path, &e);
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(fail)?;
    let mut file = temporary().tempfile_in(folder).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}

/// Files in a cache are as open as the user's umask says, not private as temporary files are.
#[cfg(unix)]
fn temporary() -> tempfile::Builder<'static, 'static> {
    use std::os::unix::fs::PermissionsExt;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tmp-").permissions(std::fs::Permissions::from_mode(0o666));
    builder
}

#[cfg(not(unix))]
fn temporary() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tmp-");
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_and_lead_to_the_blob() {
        let root = tempfile::tempdir().unwrap();
        let cache = RepoCache::new(root.path(), &RepoId::parse("owner/name").unwrap());
        cache.prepare().unwrap();
        let digest = Digest::GitSha1("a".repeat(40));
        let commit = Commit::parse(&"b".repeat(40)).unwrap();
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
}
