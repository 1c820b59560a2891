//! Models of the Hub, found page by page.

use super::api::ModelInfo;
use super::failure::Failure;
use super::http::Client;
use super::id::{RepoId, escape};
use super::retry::Patience;
use super::support::{family_name, unsupported};
use crate::data::modality::Modality;
use serde::Serialize;
use std::collections::VecDeque;

/// Models that one request asks for.
const PAGE: usize = 100;
/// Pages that one call reads at most: a filter may leave little of them.
const PAGES_AT_ONCE: usize = 10;

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Part of the name.
    pub text: String,
    pub kind: Option<Modality>,
    /// As the Hub writes it: `apache-2.0`.
    pub licence: Option<String>,
    /// A code of two letters: `de`.
    pub language: Option<String>,
}

/// A model that was found. What the Hub does not say stays empty.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    pub id: String,
    pub kind: Option<Modality>,
    pub family: String,
    pub parameters: Option<u64>,
    pub licence: Option<String>,
    pub downloads: Option<u64>,
    pub supported: bool,
    /// Why it is not supported.
    pub reason: Option<String>,
    /// Its owner must be asked first.
    #[serde(skip)]
    pub gated: bool,
    #[serde(skip)]
    pub languages: Vec<String>,
}

/// A search that goes on where it stopped. Plain data: it can wait as long as the user scrolls.
#[derive(Debug, Clone)]
pub struct Search {
    /// One for each task of the Hub that is asked for, each in the order of downloads.
    streams: Vec<Stream>,
}

#[derive(Debug, Clone)]
struct Stream {
    buffered: VecDeque<Found>,
    next: Option<String>,
}

impl Search {
    /// A search that has not asked yet.
    pub fn new(client: &Client, query: &Query) -> Self {
        let tasks: Vec<Option<&str>> = match query.kind {
            Some(kind) => kind.facts().hub.tasks.iter().map(|task| Some(*task)).collect(),
            None => vec![None],
        };
        let address = |task: Option<&str>| {
            let mut parts = vec![format!("search={}", escape(query.text.trim()))];
            parts.extend(task.map(|task| format!("pipeline_tag={task}")));
            parts.extend(
                query
                    .licence
                    .iter()
                    .map(|licence| format!("filter={}", escape(&format!("license:{licence}")))),
            );
            parts.extend(query.language.iter().map(|language| format!("filter={}", escape(language))));
            parts.push(format!("sort=downloads&direction=-1&limit={PAGE}"));
            let facts =
                ["pipeline_tag", "library_name", "tags", "downloads", "gated", "config", "safetensors"];
            parts.extend(facts.iter().map(|fact| format!("expand={fact}")));
            client.settings().endpoint.join(&format!("/api/models?{}", parts.join("&")))
        };
        let stream = |task| Stream { buffered: VecDeque::new(), next: Some(address(task)) };
        Self { streams: tasks.into_iter().map(stream).collect() }
    }

    /// Whether all was found.
    pub fn is_done(&self) -> bool {
        self.streams.iter().all(|stream| stream.buffered.is_empty() && stream.next.is_none())
    }

    /// The next models, at most `count`, most downloaded first. Fewer come where the Hub has no more, or where a
    /// filter leaves little; [`Search::is_done`] says which.
    ///
    /// # Errors
    /// The line or the Hub fails; what was read stays for the next call.
    pub fn next(
        &mut self,
        client: &Client,
        count: usize,
        patience: &mut Patience,
    ) -> Result<Vec<Found>, Failure> {
        let (mut found, mut pages) = (Vec::new(), 0);
        while found.len() < count {
            for stream in &mut self.streams {
                while stream.buffered.is_empty() && stream.next.is_some() && pages < PAGES_AT_ONCE {
                    stream.read(client, patience)?;
                    pages += 1;
                }
            }
            // Where one has nothing buffered but more to come, the order is not known.
            let is_open = self.streams.iter().any(|s| s.buffered.is_empty() && s.next.is_some());
            let most =
                self.streams.iter_mut().max_by_key(|s| s.buffered.front().map(|f| f.downloads.unwrap_or(0)));
            match most.and_then(|stream| stream.buffered.pop_front()) {
                Some(model) if !is_open || self.streams.len() == 1 => found.push(model),
                Some(model) => {
                    found.push(model);
                    break;
                }
                None => break,
            }
        }
        Ok(found)
    }
}

impl Stream {
    fn read(&mut self, client: &Client, patience: &mut Patience) -> Result<(), Failure> {
        let Some(address) = self.next.clone() else { return Ok(()) };
        let (page, more): (Vec<ModelInfo>, _) = patience.insist(|| client.json(&address))?;
        self.next = more.filter(|more| *more != address && !page.is_empty());
        self.buffered
            .extend(page.into_iter().filter(|info| RepoId::parse(&info.id).is_ok()).filter_map(found));
        Ok(())
    }
}

/// `None` for what takes no modality that there is.
fn found(info: ModelInfo) -> Option<Found> {
    let kind = Some(info.kind()?);
    let reason = unsupported(&info);
    Some(Found {
        kind,
        family: family_name(&info.family_config()),
        parameters: info.parameters(),
        licence: info.licence(),
        downloads: info.downloads,
        supported: reason.is_none(),
        reason,
        gated: info.is_gated(),
        languages: info.languages(),
        id: info.id,
    })
}
