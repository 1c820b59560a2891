//! The backbones on this machine: what they take, who uses them, whether they are whole.

use super::api::Digest;
use super::cache::{INCOMPLETE, LOCKS, RepoCache};
use super::id::{Commit, RepoId, Revision};
use super::lock::Lock;
use super::{Place, digest, local, places, support};
use crate::backbone::Backbone;
use crate::control::{Control, Fact};
use crate::data::modality::Modality;
use crate::partial::{self, PartialFolder};
use crate::problem::{Problem, Result};
use crate::remedy::HubRemedy;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Where a backbone lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Came with Frostline.
    Bundled,
    /// In Frostline's own folder.
    Own,
    /// Somewhere else on this machine, by the user's word.
    Referenced,
    /// In the cache that Hugging Face's programs share.
    Cache,
}

/// One backbone on this machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kept {
    pub id: String,
    pub source: Source,
    /// The commit, for one that came from the Hub.
    pub revision: Option<String>,
    pub kind: Option<Modality>,
    pub family: Option<String>,
    pub supported: bool,
    /// Why it cannot be used.
    pub reason: Option<String>,
    /// On the disk, with what has arrived of unfinished downloads.
    pub bytes: u64,
    pub incomplete_bytes: u64,
    /// Seconds since 1970, as the disk notes when something was last read.
    pub last_used: Option<u64>,
    /// Recent projects that use it.
    pub used_by: Vec<PathBuf>,
    pub folder: PathBuf,
}

/// What a project uses.
#[derive(Debug, Clone)]
pub struct Use {
    pub project: PathBuf,
    pub backbone: String,
}

/// All backbones on this machine: bundled, own, referenced, then those of the cache, each by name.
pub fn list(uses: &[Use]) -> Vec<Kept> {
    let mut kept = Vec::new();
    let own = places::own_backbones();
    for place in super::folders() {
        let source = match &own {
            _ if place.is_referenced => Source::Referenced,
            Some(own) if place.folder.starts_with(own) => Source::Own,
            _ => Source::Bundled,
        };
        kept.push(describe(&place, source, place.folder.clone()));
    }
    if let Some(root) = places::hub_cache() {
        for cache in RepoCache::all(&root) {
            let place = super::best_snapshot(&cache)
                .or_else(|| Some(Place::snapshot(&cache, cache.commits().first()?)));
            let folder = cache.folder();
            kept.push(match place {
                Some(place) => describe(&place, Source::Cache, folder),
                None => empty(&cache, folder),
            });
        }
    }
    for entry in &mut kept {
        let users = uses.iter().filter(|u| u.backbone == entry.id).map(|u| u.project.clone());
        entry.used_by = users.collect();
    }
    kept
}

fn describe(place: &Place, source: Source, folder: PathBuf) -> Kept {
    let opened = place.open();
    let (bytes, incomplete_bytes, last_used) = measure(&folder);
    let backbone = opened.as_ref().ok();
    let named = || folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Kept {
        id: backbone
            .map(|b| b.id.clone())
            .or_else(|| place.repository.as_ref().map(RepoId::to_string))
            .unwrap_or_else(named),
        source,
        revision: place.commit.as_ref().map(Commit::to_string),
        kind: backbone.map(|b| b.input.modality()),
        family: backbone.map(|b| b.family.to_string()),
        supported: backbone.is_some(),
        reason: opened.err().map(|problem| problem.what),
        bytes,
        incomplete_bytes,
        last_used,
        used_by: Vec::new(),
        folder,
    }
}

/// A repository of which nothing but the beginning of a download is here.
fn empty(cache: &RepoCache, folder: PathBuf) -> Kept {
    let (bytes, incomplete_bytes, last_used) = measure(&folder);
    Kept {
        id: cache.id.to_string(),
        source: Source::Cache,
        revision: None,
        kind: None,
        family: None,
        supported: false,
        reason: Some("the download has not finished".to_string()),
        bytes,
        incomplete_bytes,
        last_used,
        used_by: Vec::new(),
        folder,
    }
}

/// Bytes in all files below a folder, those of unfinished downloads, and when one was last read.
fn measure(folder: &Path) -> (u64, u64, Option<u64>) {
    let (mut bytes, mut incomplete, mut used) = (0, 0, None);
    for path in files_below(folder) {
        // Links lead to blobs, which are counted where they lie.
        let Ok(facts) = std::fs::symlink_metadata(&path) else { continue };
        if !facts.is_file() {
            continue;
        }
        bytes += facts.len();
        if path.extension().is_some_and(|e| e == INCOMPLETE) {
            incomplete += facts.len();
        }
        let read =
            facts.accessed().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(|d| d.as_secs());
        used = used.max(read);
    }
    (bytes, incomplete, used)
}

/// Files and links below a folder, by name; links are not followed.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

/// What a check of one backbone found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verified {
    pub id: String,
    pub revision: Option<String>,
    pub files: usize,
    pub bytes: u64,
    /// Files that are not what they should be, and why.
    pub broken: Vec<Broken>,
}

/// A file that is not what it should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Broken {
    pub file: String,
    pub why: String,
}

/// Reads every byte of the backbones called `id`, or of all, and compares digests.
///
/// # Errors
/// There is no such backbone, or the user stops it.
pub fn verify(id: Option<&str>, control: &dyn Control) -> Result<Vec<Verified>> {
    let is_asked = |name: &str| id.is_none_or(|id| id == name);
    let mut verified = Vec::new();
    for place in super::folders() {
        if let Ok(backbone) = place.open()
            && is_asked(&backbone.id)
        {
            verified.push(verify_folder(&backbone));
        }
    }
    for cache in places::hub_cache().map(|root| RepoCache::all(&root)).unwrap_or_default() {
        if is_asked(cache.id.as_str()) {
            for commit in cache.commits() {
                verified.push(verify_snapshot(&cache, &commit, control)?);
            }
        }
    }
    match (verified.is_empty(), id) {
        (true, Some(id)) => Err(absent(id)),
        _ => Ok(verified),
    }
}

fn absent(id: &str) -> Problem {
    Problem::input(
        format!("there is no backbone called {id:?} on this machine"),
        "neither among the bundled ones, nor in Frostline's folder, nor in the cache",
        HubRemedy::OneOfThese,
    )
}

/// A folder has no digests to compare with: its weights must be finite and fit the configuration.
fn verify_folder(backbone: &Backbone) -> Verified {
    let weights = backbone.open_weights().and_then(|weights| {
        backbone.architecture().tree().tensors().try_for_each(|t| weights.values(&t.name, &t.shape).map(drop))
    });
    let broken = weights.err().map(|p| Broken { file: support::WEIGHTS.to_string(), why: p.why });
    Verified {
        id: backbone.id.clone(),
        revision: None,
        files: 1,
        bytes: backbone.weight_bytes().unwrap_or(0),
        broken: broken.into_iter().collect(),
    }
}

fn verify_snapshot(cache: &RepoCache, commit: &Commit, control: &dyn Control) -> Result<Verified> {
    let folder = cache.snapshot(commit);
    let files = files_below(&folder);
    let mut verified = Verified {
        id: cache.id.to_string(),
        revision: Some(commit.to_string()),
        files: 0,
        bytes: 0,
        broken: Vec::new(),
    };
    for (number, path) in files.iter().enumerate() {
        if control.stop_requested() {
            return Err(Problem::stopped("nothing was changed"));
        }
        control.report(Fact::progress("checking files", number as u64, files.len() as u64));
        let name = path.strip_prefix(&folder).unwrap_or(path).to_string_lossy().into_owned();
        verified.files += 1;
        verified.bytes += std::fs::metadata(path).map_or(0, |m| m.len());
        if let Err(why) = check_file(path) {
            verified.broken.push(Broken { file: name, why });
        }
    }
    let is_backbone = folder.join(support::CONFIG).exists();
    let has_weights = [support::WEIGHTS, support::SHARDS, support::PICKLE]
        .iter()
        .any(|name| folder.join(name).is_symlink() || folder.join(name).exists());
    if is_backbone && !has_weights {
        verified.broken.push(Broken { file: support::WEIGHTS.to_string(), why: "is not here".to_string() });
    }
    Ok(verified)
}

/// Compares a file of a snapshot with the digest that its blob is named by.
fn check_file(path: &Path) -> std::result::Result<(), String> {
    let target = std::fs::read_link(path).unwrap_or_else(|_| path.to_path_buf());
    let name = target.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if !path.exists() {
        return Err("is not here".to_string());
    }
    // Where the system has no links there is no digest to compare with.
    let Some(digest) = Digest::of_blob_name(&name) else { return Ok(()) };
    match digest::matches(path, &digest) {
        Ok(true) => Ok(()),
        Ok(false) => Err("its content is not what the Hub listed".to_string()),
        Err(problem) => Err(problem.why),
    }
}

/// Removes the broken files of a check, so that the next download fetches them anew. Returns what to fetch.
///
/// # Errors
/// The files cannot be removed, or come from nowhere that they could be fetched from.
pub fn forget_broken(verified: &Verified) -> Result<(RepoId, Revision)> {
    let from_hub = || {
        let id = RepoId::parse(&verified.id).ok()?;
        let commit = Commit::parse(verified.revision.as_deref()?)?;
        Some((RepoCache::new(&places::hub_cache()?, &id), commit))
    };
    let Some((cache, commit)) = from_hub() else {
        return Err(Problem::input(
            format!("{} cannot be repaired", verified.id),
            "it did not come from the Hub",
            "copy it here again from where it came from",
        ));
    };
    let folder = cache.snapshot(&commit);
    // What other programs keep in the shared cache is theirs: it could not be fetched again here.
    for broken in verified.broken.iter().filter(|broken| support::is_fetched(&broken.file)) {
        let link = folder.join(&broken.file);
        let blob = std::fs::canonicalize(&link)
            .ok()
            .filter(|blob| blob.starts_with(std::fs::canonicalize(cache.blobs()).unwrap_or_default()));
        // An empty blob is fetched anew; without one the link would lead nowhere until then. Who has the broken one mapped
        // keeps it: it is replaced, not changed.
        let (path, done) = match blob {
            Some(blob) => {
                let locks = cache.locks();
                let replaced =
                    std::fs::create_dir_all(&locks).and_then(|()| partial::replace_from(&locks, &blob, b""));
                (blob, replaced)
            }
            None => {
                let removed = std::fs::remove_file(&link);
                (link, removed)
            }
        };
        match done {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Problem::io("set the broken file aside", &path, &e));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok((cache.id, Revision::parse(commit.as_str())?))
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Removed {
    pub id: String,
    pub bytes: u64,
    pub folder: PathBuf,
}

/// Removes a backbone from this machine: from Frostline's folder, or all of its commits from the cache. A referenced
/// one is forgotten, its folder stays.
///
/// # Errors
/// There is none of this name, it came with Frostline, or it is being downloaded.
pub fn remove(id: &str) -> Result<Removed> {
    clear_left(id);
    let found = list(&[]).into_iter().find(|kept| kept.id == id).ok_or_else(|| absent(id))?;
    let removed = Removed { id: found.id, bytes: found.bytes, folder: found.folder.clone() };
    match found.source {
        Source::Bundled => Err(Problem::input(
            format!("{id} cannot be removed"),
            "it came with Frostline",
            HubRemedy::OneDownloaded,
        )
        .at(found.folder)),
        Source::Referenced => local::forget(&found.folder).map(|()| Removed { bytes: 0, ..removed }),
        Source::Own => {
            let beside = found.folder.parent().unwrap_or(&found.folder);
            remove_folder(&found.folder, beside).map(|()| removed)
        }
        Source::Cache => {
            let cache = in_cache(id).ok_or_else(|| absent(id))?;
            check_unused(&cache)?;
            remove_folder(&cache.folder(), &cache.locks())?;
            // Lock files alone do no harm.
            let _ = std::fs::remove_dir_all(cache.locks());
            Ok(removed)
        }
    }
}

/// Takes the folder away in one step, so that a program that is killed leaves all of it or nothing that anybody sees;
/// what then lies in `beside` is cleared by the next call. Where that is on another disk, the folder's own parent serves.
fn remove_folder(folder: &Path, beside: &Path) -> Result<()> {
    let fail = |e: std::io::Error| Problem::io("remove the backbone", folder, &e);
    let take = |beside: &Path| {
        std::fs::create_dir_all(beside)?;
        let partial = PartialFolder::new_in(beside)?;
        std::fs::rename(folder, partial.path().join("removed"))?;
        partial.remove()
    };
    let taken = match (take(beside), folder.parent()) {
        (Err(e), Some(parent)) if e.kind() == std::io::ErrorKind::CrossesDevices => take(parent),
        (taken, _) => taken,
    };
    taken.map_err(fail)
}

/// Its place in the cache, there or not.
fn in_cache(id: &str) -> Option<RepoCache> {
    Some(RepoCache::new(&places::hub_cache()?, &RepoId::parse(id).ok()?))
}

/// Removes what killed programs left of removals or of notes of downloads, whatever it was that they removed; and the
/// lock files of `id`, which alone do no harm, where nothing else of it is here.
pub fn clear_left(id: &str) {
    places::own_backbones().iter().for_each(|own| partial::clear(own));
    let Some(root) = places::hub_cache() else { return };
    partial::clear(&root);
    for RepoCache { id, .. } in RepoCache::all(&root.join(LOCKS)) {
        partial::clear(&RepoCache::new(&root, &id).locks());
    }
    // Another program may just begin to fetch another one.
    if let Some(cache) = in_cache(id)
        && !cache.folder().exists()
        && check_unused(&cache).is_ok()
    {
        let _ = std::fs::remove_dir_all(cache.locks());
    }
}

/// No other program may be fetching it.
fn check_unused(cache: &RepoCache) -> Result<()> {
    for entry in std::fs::read_dir(cache.locks()).into_iter().flatten().flatten() {
        // What a removal left unfinished is no download.
        if !entry.path().is_dir() && Lock::try_now(&entry.path())?.is_none() {
            return Err(Problem::input(
                format!("{} cannot be removed now", cache.id),
                "another program is downloading it",
                "stop that download, or wait until it has ended",
            ));
        }
    }
    Ok(())
}
