//! Browse, download and keep backbones. Only searches, pages, downloads and repairs go on the network.

use crate::backbone::Backbone;
use crate::control::Control;
use crate::hub::download::Request;
use crate::hub::id::{RepoId, Revision};
use crate::hub::library::{self, Kept, Removed, Use, Verified};
use crate::hub::local::{self, Keep};
use crate::hub::{
    Client, Downloaded, Examined, Found, ModelPage, Patience, Query, Search, Settings, download,
};
use crate::problem::Result;
use crate::project::Project;
use std::path::{Path, PathBuf};

/// A client of the Hub that the environment names.
fn client() -> Result<Client> {
    Client::new(Settings::from_environment()?)
}

/// The host that is asked, for a line that says so before anything is sent.
///
/// # Errors
/// `HF_ENDPOINT` is no address.
pub fn hub_host() -> Result<String> {
    Ok(Settings::from_environment()?.endpoint.host().to_string())
}

/// Looks for models: the first `count`, and the search to go on with.
///
/// # Errors
/// The line or the Hub fails.
pub fn search_hub(query: &Query, count: usize, control: &dyn Control) -> Result<(Vec<Found>, Search)> {
    let client = client()?;
    let search = Search::new(&client, query);
    go_on(&client, search, count, control)
}

/// The next models of a search.
///
/// # Errors
/// The line or the Hub fails.
pub fn search_on(search: Search, count: usize, control: &dyn Control) -> Result<(Vec<Found>, Search)> {
    go_on(&client()?, search, count, control)
}

fn go_on(
    client: &Client,
    mut search: Search,
    count: usize,
    control: &dyn Control,
) -> Result<(Vec<Found>, Search)> {
    let mut patience = Patience::for_answer(client.settings(), control);
    let mut found = Vec::new();
    while found.len() < count && !search.is_done() {
        let more = search.next(client, count - found.len(), &mut patience);
        let more = more.map_err(|failure| failure.problem("the search did not work", "the search"))?;
        if more.is_empty() {
            // A filter left nothing of many pages: whoever wants more asks again.
            break;
        }
        found.extend(more);
    }
    Ok((found, search))
}

/// All that can be known of a model before it is downloaded.
///
/// # Errors
/// The name is none, the line or the Hub fails, or the model is not there or not open to this user.
pub fn hub_page(id: &str, revision: Option<&str>, control: &dyn Control) -> Result<ModelPage> {
    let client = client()?;
    let examined = Examined::ask(&client, &RepoId::parse(id)?, &revision_of(revision)?, control)?;
    Ok(examined.page(&client))
}

/// Fetches a model, or what is missing of it.
///
/// # Errors
/// As for [`crate::hub::download()`].
pub fn hub_download(
    id: &str,
    revision: Option<&str>,
    allow_pickle: bool,
    control: &dyn Control,
) -> Result<Downloaded> {
    let (id, revision) = (RepoId::parse(id)?, revision_of(revision)?);
    let request = Request { id, revision, allow_pickle, anew: false };
    download(&client()?, &request, control)
}

fn revision_of(text: Option<&str>) -> Result<Revision> {
    text.map_or_else(|| Ok(Revision::default()), Revision::parse)
}

/// What is on this machine, and which of `projects` use it.
pub fn library(projects: &[PathBuf]) -> Vec<Kept> {
    let use_of = |folder: &PathBuf| {
        let recipe = Project::open(folder).ok()?.recipe().ok()?;
        Some(Use { project: folder.clone(), backbone: recipe.backbone.id })
    };
    let uses: Vec<Use> = projects.iter().filter_map(use_of).collect();
    library::list(&uses)
}

/// Checks every byte of a backbone, or of all; with `repair` fetches what is broken.
///
/// # Errors
/// There is no such backbone; while repairing, as for a download.
pub fn verify(id: Option<&str>, repair: bool, control: &dyn Control) -> Result<Vec<Verified>> {
    let mut verified = library::verify(id, control)?;
    if !repair {
        return Ok(verified);
    }
    verified.iter().for_each(|entry| library::clear_left(&entry.id));
    for entry in verified.iter_mut().filter(|entry| !entry.broken.is_empty()) {
        let (id, revision) = library::forget_broken(entry)?;
        let request = Request { id: id.clone(), revision, allow_pickle: false, anew: true };
        let repaired = download(&client()?, &request, control)?;
        let again = library::verify(Some(id.as_str()), control)?;
        if let Some(found) = again.into_iter().find(|v| v.revision.as_deref() == Some(&repaired.revision)) {
            *entry = found;
        }
    }
    Ok(verified)
}

/// Removes a backbone from this machine.
///
/// # Errors
/// There is none of this name, it came with Frostline, or it is being downloaded.
pub fn remove(id: &str) -> Result<Removed> {
    library::remove(id)
}

/// Makes a folder or a safetensors file of the user's known as a backbone.
///
/// # Errors
/// It is damaged, or this version cannot use it.
pub fn add_local(path: &Path, keep: Keep) -> Result<Backbone> {
    local::add(path, keep)
}
