//! A whole model from the Hub: looked at first, then fetched file by file, weights last.

use super::api::RemoteFile;
use super::cache::RepoCache;
use super::http::Client;
use super::id::{Commit, RepoId, Revision};
use super::meter::Meter;
use super::page::Examined;
use super::transfer::{bytes_here, fetch};
use super::{Place, machine, pickle, support};
use crate::control::{Control, Fact};
use crate::problem::{Cause, Problem, Result};
use crate::{partial, units};
use std::path::PathBuf;

/// What is to be fetched.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub id: RepoId,
    pub revision: Revision,
    /// The user said yes to weights in a format that can hold programs; they are converted by a reader that runs none.
    pub allow_pickle: bool,
    /// Ask the Hub even where what is here opens: something of it was found broken.
    pub anew: bool,
}

/// A model that is on this machine now.
#[derive(Debug, Clone, PartialEq)]
pub struct Downloaded {
    pub id: String,
    /// The commit.
    pub revision: String,
    /// The folder to open as a backbone.
    pub path: PathBuf,
    /// Of all its files.
    pub bytes: u64,
    /// That came over the line in this call.
    pub moved_bytes: u64,
}

/// Fetches a model, or what is missing of it. What is whole is not fetched again.
///
/// # Errors
/// The line or the Hub fails, the model is not there or not open to this user, this version cannot use it, the disk
/// is full, or the user stops it: then what has arrived is kept.
pub fn download(client: &Client, request: &Request, control: &dyn Control) -> Result<Downloaded> {
    let cache = RepoCache::new(&client.settings().cache, &request.id);
    partial::clear(&cache.locks());
    let here = complete(&cache, &request.revision);
    let is_fixed = Commit::parse(request.revision.as_str()).is_some();
    if let Some(here) = here.as_ref().filter(|_| is_fixed && !request.anew) {
        // A commit never changes: the Hub need not be asked.
        return Ok(here.clone());
    }
    let examined = match (Examined::ask(client, &request.id, &request.revision, control), here) {
        (Ok(examined), _) => examined,
        (Err(problem), Some(here)) if problem.cause == Cause::Hub => {
            let what = format!("the Hub was not reached, what is on this machine is taken: {}", problem.why);
            control.report(Fact::warning(what));
            return Ok(here);
        }
        (Err(problem), _) => return Err(problem),
    };
    fetch_all(client, &cache, request, &examined, control)
}

/// Fetches all files of a model that was looked at.
fn fetch_all(
    client: &Client,
    cache: &RepoCache,
    request: &Request,
    examined: &Examined,
    control: &dyn Control,
) -> Result<Downloaded> {
    let (_, files) = examined.plan(request.allow_pickle)?;
    let bytes = files.iter().map(|file| file.bytes).sum();
    check_disk(client, cache, &files)?;
    cache.prepare(&examined.commit)?;
    cache.clear_stale(&files);
    cache.write_ref(&request.revision, &examined.commit)?;
    cache.write_tree(&examined.commit, &examined.files)?;
    let mut meter = Meter::new(bytes, control);
    for file in &files {
        let fetched = fetch(client, cache, &examined.commit, file, &mut meter, control);
        fetched.map_err(|failure| {
            failure.problem(
                &format!("{} of {} could not be fetched", file.path, request.id),
                request.id.as_str(),
            )
        })?;
        cache.link(&examined.commit, &file.path, &file.digest)?;
    }
    meter.remember(client.settings().home.as_deref());
    let snapshot = cache.snapshot(&examined.commit);
    let has_pickle = files.iter().any(|file| file.path.as_str() == support::PICKLE);
    let path = match has_pickle {
        true => pickle::convert(
            client.settings().home.as_deref(),
            &request.id,
            &examined.commit,
            &snapshot,
            &files,
        )?,
        false => snapshot,
    };
    // What cannot be opened would be found out too late.
    Place::own(path.clone()).open()?;
    Ok(Downloaded {
        id: request.id.to_string(),
        revision: examined.commit.to_string(),
        path,
        bytes,
        moved_bytes: meter.moved,
    })
}

/// A model that is whole on this machine, at the commit where the revision stood last.
fn complete(cache: &RepoCache, revision: &Revision) -> Option<Downloaded> {
    let commit = cache.commit_of(revision)?;
    let place = Place::snapshot(cache, &commit);
    let backbone = place.open().ok()?;
    let bytes = backbone.weight_bytes()?;
    Some(Downloaded {
        id: cache.id.to_string(),
        revision: commit.to_string(),
        path: backbone.folder().to_path_buf(),
        bytes,
        moved_bytes: 0,
    })
}

fn check_disk(client: &Client, cache: &RepoCache, files: &[&RemoteFile]) -> Result<()> {
    let folder = &client.settings().cache;
    let missing: u64 = files.iter().map(|file| file.bytes - bytes_here(cache, file)).sum();
    match machine::free_disk(folder) {
        Some(free) if !machine::fits_disk(missing, free) => Err(Problem::input(
            format!("{} does not fit on the disk", cache.id),
            format!("{} are missing, {} are free", units::bytes(missing), units::bytes(free)),
            "free some space, or set HF_HUB_CACHE to a folder on another disk",
        )
        .at(folder)),
        _ => Ok(()),
    }
}
