//! Where backbones come from: the bundled ones, those kept in Frostline's own folder, those in the Hugging Face
//! cache of this machine, and the Hub itself.
//!
//! What is on this machine is found without any network: [`list`], [`open`], [`pinned`], [`library`], [`catalogue`].
//! The Hub is asked through a [`Client`] by four things only: [`search`], [`page`], [`download()`], and the repair of
//! what [`library::verify`] found broken.

#![warn(clippy::indexing_slicing, reason = "what comes from outside is not indexed")]

pub mod api;
mod cache;
pub mod catalogue;
mod digest;
pub mod download;
mod failure;
pub mod header;
mod http;
pub mod id;
pub mod library;
pub mod local;
mod lock;
mod machine;
mod meter;
pub mod page;
mod pickle;
pub mod places;
pub mod remembered;
mod retry;
pub mod search;
pub mod settings;
pub mod support;
mod transfer;

pub use download::{Downloaded, download};
pub use http::Client;
pub use machine::{fits_memory, free_memory, weights_memory};
pub use page::{Examined, ModelPage};
pub use retry::Patience;
pub use search::{Found, Query, Search};
pub use settings::Settings;

use remembered::Recalled;

use crate::backbone::sentence::MODULES;
use crate::backbone::{
    Backbone, shards,
    weights::{digest_of_all, sha256_of_file},
};
use crate::problem::{Problem, Result};
use crate::remedy::{HubRemedy, Remedy};
use cache::RepoCache;
use id::{Commit, RepoId, is_hex};
use std::path::{Path, PathBuf};

/// All usable backbones on this machine, bundled ones first, then by id. Folders that hold no usable
/// backbone come as problems beside them.
pub fn list() -> (Vec<Backbone>, Vec<Problem>) {
    let (mut backbones, mut problems) = (Vec::<Backbone>::new(), Vec::new());
    for place in places_of_all() {
        match place.open() {
            Ok(backbone) if backbones.iter().any(|b| b.id == backbone.id) => {}
            Ok(backbone) => backbones.push(backbone),
            Err(problem) => problems.push(problem),
        }
    }
    (backbones, problems)
}

/// The backbone called `id`: a name from [`list`], or the path of a folder.
///
/// # Errors
/// There is none, or it cannot be used.
pub fn open(id: &str) -> Result<Backbone> {
    let as_path = Path::new(id);
    if [support::CONFIG, MODULES].iter().any(|name| as_path.join(name).is_file()) {
        return Backbone::open(as_path);
    }
    // What was copied from a page of the Hub is meant by the repository that it names.
    match RepoId::parse(id) {
        Ok(repository) => named(repository.as_str()),
        Err(problem) if RepoId::is_pasted(id) => Err(problem),
        Err(_) => named(id),
    }
}

/// The backbone called `id` in [`list`].
///
/// # Errors
/// There is none, or it cannot be used.
pub fn named(id: &str) -> Result<Backbone> {
    for place in places_of_all() {
        let named = place.folder.file_name().is_some_and(|name| name == id);
        if named || place.open().is_ok_and(|b| b.id == id) {
            return place.open();
        }
    }
    let (known, _) = list();
    let known: Vec<&str> = known.iter().map(|b| b.id.as_str()).collect();
    let why = match known.is_empty() {
        true => format!("no backbones were found; looked in {}", places::show(&roots())),
        false => format!("on this machine are {}", known.join(", ")),
    };
    let remedy = match id.contains('/') && RepoId::parse(id).is_ok() {
        true => Remedy::from(HubRemedy::Download { id: id.to_string(), instead: "choose one of these" }),
        false => {
            "choose one of these, or give the path of a folder with config.json and model.safetensors".into()
        }
    };
    Err(Problem::input(format!("there is no backbone called {id:?} on this machine"), why, remedy))
}

/// The backbone that a recipe pins: `id` at the commit `revision`, or wherever weights with this SHA-256 lie.
///
/// # Errors
/// It is not on this machine: the message says what is missing and how to get it.
pub fn pinned(id: &str, revision: Option<&str>, sha256: &str) -> Result<Backbone> {
    let fixed = RepoId::parse(id).ok().zip(revision.and_then(Commit::parse)).zip(places::hub_cache());
    if let Some(((id, commit), root)) = fixed
        && let Ok(backbone) = Place::snapshot(&RepoCache::new(&root, &id), &commit).open()
    {
        return Ok(backbone);
    }
    let is_right = |backbone: &Backbone| weights_sha256(backbone).is_ok_and(|found| found == sha256);
    match (named(id), revision) {
        // Without a commit the name alone decides; other weights than the pinned ones are refused where they are read.
        (Ok(backbone), None) => Ok(backbone),
        (Ok(backbone), Some(_)) if is_right(&backbone) => Ok(backbone),
        _ => find_by_sha256(id, revision, sha256),
    }
}

/// The backbone whose weight file has this SHA-256; the one called `id` is tried first. `revision` is the commit of the
/// Hub's repository that it came from, where it did.
///
/// # Errors
/// No backbone on this machine has these weights: the message says how to get it.
pub fn find_by_sha256(id: &str, revision: Option<&str>, sha256: &str) -> Result<Backbone> {
    let is_right = |backbone: &Backbone| weights_sha256(backbone).is_ok_and(|found| found == sha256);
    if let Some(backbone) = named(id).ok().filter(is_right) {
        return Ok(backbone);
    }
    let gone = match remembered::recall(sha256) {
        Recalled::Found(backbone) => return Ok(*backbone),
        Recalled::Gone(why) => Some(why),
        Recalled::Never => None,
    };
    let all_commits = snapshots(|cache| cache.commits());
    let (others, _) = list();
    let mut all = others.into_iter().chain(all_commits.iter().filter_map(|p| p.open().ok()));
    if let Some(backbone) = all.find(is_right) {
        return Ok(backbone);
    }
    if let (Ok(id), Some(commit)) = (RepoId::parse(id), revision.and_then(Commit::parse)) {
        return Err(missing(&id, &commit, sha256));
    }
    let remedy = match RepoId::parse(id) {
        Ok(repository) if id.contains('/') => {
            Remedy::from(HubRemedy::Download { id: repository.to_string(), instead: "" })
        }
        _ => HubRemedy::GiveFolder.into(),
    };
    let gone = gone.map(|why| format!("{why}; ")).unwrap_or_default();
    Err(Problem::input(
        format!("the weights of backbone {id:?} are not on this machine"),
        format!("{gone}no weight file with SHA-256 {sha256} was found in {}", places::show(&roots())),
        remedy,
    ))
}

fn missing(id: &RepoId, commit: &Commit, sha256: &str) -> Problem {
    Problem::input(
        format!("the backbone {id} at revision {commit} is not on this machine"),
        format!(
            "neither that snapshot nor a weight file with SHA-256 {sha256} was found in {}",
            places::show(&roots())
        ),
        HubRemedy::DownloadCommit {
            id: id.to_string(),
            commit: commit.to_string(),
            folder: id.folder_name(),
        },
    )
}

/// SHA-256 of a backbone's weight file. In a cache of the Hub it is the name of the blob and need not be computed;
/// whoever reads the weights compares it with their content.
///
/// # Errors
/// The file cannot be read.
pub fn weights_sha256(backbone: &Backbone) -> Result<String> {
    match &backbone.weight_files()?[..] {
        [whole] => file_sha256(whole),
        // The index comes first.
        [_, parts @ ..] => {
            let digests = parts.iter().map(|part| file_sha256(part)).collect::<Result<Vec<_>>>()?;
            let names =
                parts.iter().map(|part| part.file_name().and_then(|n| n.to_str()).unwrap_or_default());
            Ok(digest_of_all(names.zip(digests.iter().map(String::as_str))))
        }
        [] => file_sha256(&backbone.weights_path()),
    }
}

fn file_sha256(path: &Path) -> Result<String> {
    let real = std::fs::canonicalize(path).ok();
    let blob = real.as_ref().and_then(|real| real.file_name()?.to_str()).filter(|name| is_hex(name, 64));
    match blob {
        Some(sha256) => Ok(sha256.to_string()),
        None => sha256_of_file(path),
    }
}

/// A folder that may hold a backbone.
#[derive(Debug, Clone)]
struct Place {
    folder: PathBuf,
    /// Repository and commit, for a folder of the Hugging Face cache.
    repository: Option<RepoId>,
    commit: Option<Commit>,
    is_referenced: bool,
}

impl Place {
    fn own(folder: PathBuf) -> Self {
        Self { folder, repository: None, commit: None, is_referenced: false }
    }

    fn referenced(folder: PathBuf) -> Self {
        Self { is_referenced: true, ..Self::own(folder) }
    }

    fn snapshot(cache: &RepoCache, commit: &Commit) -> Self {
        Self {
            folder: cache.snapshot(commit),
            repository: Some(cache.id.clone()),
            commit: Some(commit.clone()),
            is_referenced: false,
        }
    }

    fn open(&self) -> Result<Backbone> {
        let mut backbone = Backbone::open(&self.folder)?;
        let weights = backbone.weights_path();
        if !weights.is_file() {
            return Err(Problem::input(
                format!("the backbone {} is not complete", backbone.id),
                "its weights are not here",
                HubRemedy::Complete,
            )
            .at(weights));
        }
        if let Some(repository) = &self.repository {
            backbone.id = repository.to_string();
            backbone.commit = self.commit.as_ref().map(Commit::to_string);
            backbone.card.revision.clone_from(&backbone.commit);
            backbone.card.origin = Some(format!("{repository} of the Hugging Face Hub"));
            catalogue::complete_card(&mut backbone.card, repository.as_str(), &self.folder);
        }
        Ok(backbone)
    }
}

/// Folders outside the cache: bundled, own, referenced.
fn folders() -> Vec<Place> {
    let inside = places::backbone_roots().into_iter().flat_map(|root| local::folders_in(&root));
    inside.map(Place::own).chain(local::references().into_iter().map(Place::referenced)).collect()
}

fn places_of_all() -> Vec<Place> {
    let cached = repositories().iter().filter_map(best_snapshot).collect::<Vec<_>>();
    folders().into_iter().chain(cached).collect()
}

fn repositories() -> Vec<RepoCache> {
    places::hub_cache().map(|root| RepoCache::all(&root)).unwrap_or_default()
}

fn snapshots(of: impl Fn(&RepoCache) -> Vec<Commit>) -> Vec<Place> {
    let all = repositories();
    all.iter()
        .flat_map(|cache| of(cache).iter().map(|commit| Place::snapshot(cache, commit)).collect::<Vec<_>>())
        .collect()
}

/// The snapshot of a repository that its name stands for: that of `main`, or the newest, of those that have
/// configuration and weights.
fn best_snapshot(cache: &RepoCache) -> Option<Place> {
    let places = cache.commits().into_iter().map(|commit| Place::snapshot(cache, &commit));
    places
        .into_iter()
        .find(|p| p.folder.join(support::CONFIG).is_file() && shards::weights_in(&p.folder).is_file())
}

/// Where backbones are looked for.
fn roots() -> Vec<PathBuf> {
    places::backbone_roots().into_iter().chain(places::hub_cache()).collect()
}

/// The folders right inside `folder`; none where it cannot be read.
pub fn subfolders(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir())
}
