//! A Hub on this machine: real HTTP, a second host for large files behind signed links, and on command the faults of
//! a bad line and of a bad Hub. What the official Python client makes of it is checked by `tests/hub/compare.py`.

#![allow(dead_code, reason = "each file of tests uses a part of this")]

mod answer;
pub mod content;
pub mod models;
mod repo;

use answer::{Asked, Head};
pub use content::Content;
pub use repo::Repo;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The token that opens gated repositories.
pub const TOKEN: &str = "hf_loopback_secret";
/// Sent at a time.
const PIECE: usize = 1 << 16;
/// Models on one page of a list, at most.
const PAGE: usize = 1000;

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    Hub,
    /// Holds large files, knows no tokens.
    Store,
}

/// What goes wrong.
#[derive(Clone)]
pub enum Fault {
    /// A good answer before the one that goes wrong.
    Nothing,
    /// The line is closed after so many bytes of the body.
    CutAfter(u64),
    /// All of the file begins to come, whatever was asked for, and the line is closed after so many bytes.
    CutWhole(u64),
    /// Nothing comes any more after so many bytes of the body.
    StallAfter(u64),
    /// One byte comes, and after a while another.
    Drip,
    /// Another status, with these headers.
    Status(u16, Vec<(&'static str, &'static str)>),
    /// All of the file comes, whatever was asked for.
    IgnoreRange,
    /// Another file of the same size comes.
    Other(Content),
    /// So many bytes more or fewer are announced.
    Announce(i64),
    /// This header says something else.
    Header(&'static str, String),
    /// These bytes are the body.
    Body(Vec<u8>),
    /// The connection is closed without an answer.
    NoAnswer,
}

struct Rule {
    host: Host,
    /// Part of the path.
    path: String,
    times: u64,
    fault: Fault,
}

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Seen {
    pub host: Host,
    pub method: String,
    pub path: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

#[derive(Default)]
struct State {
    repos: Vec<Repo>,
    rules: Vec<Rule>,
    seen: Vec<Seen>,
    /// Signatures of links that are valid.
    links: BTreeSet<u64>,
    signed: u64,
    bytes_per_second: Option<u64>,
}

struct Shared {
    state: Mutex<State>,
    /// Bytes of bodies that went out through the store, and through the Hub.
    stored: AtomicU64,
    hubbed: AtomicU64,
    store: String,
    endpoint: String,
}

/// A Hub that answers until the test ends.
#[derive(Clone)]
pub struct LoopbackHub {
    shared: Arc<Shared>,
}

impl LoopbackHub {
    /// Starts a Hub with these repositories.
    pub fn start(repos: Vec<Repo>) -> Self {
        let hub = TcpListener::bind("127.0.0.1:0").unwrap();
        // Some systems have only one loopback address; another port is another host too.
        let store = TcpListener::bind("127.0.0.2:0").or_else(|_| TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            endpoint: address(&hub),
            store: address(&store),
            state: Mutex::new(State { repos, ..State::default() }),
            stored: AtomicU64::new(0),
            hubbed: AtomicU64::new(0),
        });
        for (listener, host) in [(hub, Host::Hub), (store, Host::Store)] {
            let shared = shared.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let shared = shared.clone();
                    std::thread::spawn(move || shared.serve(stream, host));
                }
            });
        }
        Self { shared }
    }

    pub fn endpoint(&self) -> &str {
        &self.shared.endpoint
    }

    pub fn store(&self) -> &str {
        &self.shared.store
    }

    /// Lets the next `times` requests to `host` whose path holds `path` go wrong.
    pub fn fault(&self, host: Host, path: &str, times: u64, fault: Fault) {
        self.shared.state().rules.push(Rule { host, path: path.to_string(), times, fault });
    }

    pub fn clear_faults(&self) {
        self.shared.state().rules.clear();
    }

    /// Slows the store down.
    pub fn pace(&self, bytes_per_second: u64) {
        self.shared.state().bytes_per_second = Some(bytes_per_second);
    }

    /// Replaces a repository by another of the same name.
    pub fn replace(&self, repo: Repo) {
        let mut state = self.shared.state();
        state.repos.retain(|r| r.id != repo.id);
        state.repos.push(repo);
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.state().seen.clone()
    }

    /// Bytes of bodies that the store sent.
    pub fn stored_bytes(&self) -> u64 {
        self.shared.stored.load(Ordering::SeqCst)
    }

    /// Asserts that the token went to the Hub alone, and that nothing else that looks like one went anywhere.
    #[track_caller]
    pub fn assert_token_stayed(&self) {
        for seen in self.seen() {
            let is_right = seen.authorization.as_deref().is_none_or(|a| a == format!("Bearer {TOKEN}"));
            assert!(is_right, "{seen:?}");
            assert!(seen.host == Host::Hub || seen.authorization.is_none(), "{seen:?}");
            assert!(!seen.path.contains(TOKEN), "{seen:?}");
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn serve(&self, stream: TcpStream, host: Host) {
        let Ok(mut to) = stream.try_clone() else { return };
        let mut from = BufReader::new(stream);
        while let Some(asked) = Asked::read(&mut from) {
            self.state().seen.push(Seen {
                host,
                method: asked.method.clone(),
                path: asked.path.clone(),
                range: asked.header("range").map(str::to_string),
                authorization: asked.header("authorization").map(str::to_string),
            });
            let fault = self.fault_for(host, &asked.path);
            if self.answer(&asked, host, fault, &mut to).is_none() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    fn fault_for(&self, host: Host, path: &str) -> Option<Fault> {
        let mut state = self.state();
        let rule =
            state.rules.iter_mut().find(|r| r.host == host && r.times > 0 && path.contains(&r.path))?;
        rule.times -= 1;
        Some(rule.fault.clone())
    }

    /// `None` where the line is to be closed.
    fn answer(&self, asked: &Asked, host: Host, fault: Option<Fault>, to: &mut TcpStream) -> Option<()> {
        let (mut head, mut content) = match &fault {
            Some(Fault::NoAnswer) => return None,
            Some(Fault::Status(status, headers)) => {
                let head =
                    headers.iter().fold(Head::new(*status), |head, (name, value)| head.with(name, value));
                (head, Content::of("no"))
            }
            _ => match host {
                Host::Hub => self.hub(asked),
                Host::Store => self.stored(asked),
            },
        };
        match &fault {
            Some(Fault::Other(other)) if head.status == 200 => content = other.clone(),
            Some(Fault::Body(bytes)) => (head, content) = (Head::new(200), Content::of(bytes.clone())),
            _ => {}
        }
        let mut part = (0, content.len());
        if head.status == 200 && !matches!(fault, Some(Fault::IgnoreRange | Fault::CutWhole(_))) {
            match asked.range(content.len()) {
                Some(Ok((first, last))) => {
                    head.status = 206;
                    head = head.with("Content-Range", format!("bytes {first}-{last}/{}", content.len()));
                    part = (first, last + 1 - first);
                }
                Some(Err(())) => {
                    head = Head::new(416).with("Content-Range", format!("bytes */{}", content.len()));
                    (content, part) = (Content::of(""), (0, 0));
                }
                None => {}
            }
        }
        if let Some(Fault::Header(name, value)) = &fault {
            head = head.with(name, value);
        }
        let announced = match &fault {
            Some(Fault::Announce(more)) => part.1.saturating_add_signed(*more),
            _ => part.1,
        };
        head = head.with("Content-Length", announced);
        head.send(to).ok()?;
        match asked.method.as_str() {
            "HEAD" => Some(()),
            _ => self.send(&content, part, host, fault, to),
        }
    }

    fn send(
        &self,
        content: &Content,
        (first, bytes): (u64, u64),
        host: Host,
        fault: Option<Fault>,
        to: &mut TcpStream,
    ) -> Option<()> {
        if matches!(fault, Some(Fault::Drip)) {
            while to.write_all(&[0]).is_ok() {
                std::thread::sleep(Duration::from_millis(50));
            }
            return None;
        }
        let (end, then) = match fault {
            Some(Fault::CutAfter(n) | Fault::CutWhole(n)) if n < bytes => (n, Some(Duration::ZERO)),
            Some(Fault::StallAfter(n)) if n < bytes => (n, Some(Duration::from_secs(3600))),
            // Whoever believes the announcement waits for the rest, or meets the next answer too early.
            Some(Fault::Announce(_)) => (bytes, Some(Duration::ZERO)),
            _ => (bytes, None),
        };
        let pace = self.state().bytes_per_second.filter(|_| host == Host::Store);
        let counter = if host == Host::Store { &self.stored } else { &self.hubbed };
        let (mut piece, mut sent, began) = (vec![0; PIECE], 0, Instant::now());
        while sent < end {
            let count = usize::try_from(end - sent).unwrap_or(PIECE).min(PIECE);
            content.read(first + sent, &mut piece[..count]);
            to.write_all(&piece[..count]).ok()?;
            sent += count as u64;
            counter.fetch_add(count as u64, Ordering::SeqCst);
            if let Some(pace) = pace {
                let due = Duration::from_secs_f64(sent as f64 / pace as f64);
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
        }
        match then {
            None => Some(()),
            Some(stall) => {
                // Ends when the client gives up: the test's process does not wait for this thread.
                std::thread::sleep(stall);
                None
            }
        }
    }

    fn hub(&self, asked: &Asked) -> (Head, Content) {
        let path = asked.path.trim_start_matches('/');
        let is_known = asked.header("authorization") == Some(&format!("Bearer {TOKEN}"));
        if path == "api/models" {
            return self.list(asked);
        }
        let (api, rest) = match path.strip_prefix("api/models/") {
            Some(rest) => (true, rest),
            None => (false, path),
        };
        let state = self.state();
        let repo =
            state.repos.iter().find(|repo| rest == repo.id || rest.starts_with(&format!("{}/", repo.id)));
        let Some(repo) = repo.cloned() else {
            return match is_known {
                true => no(404, "RepoNotFound", "Repository not found"),
                false => no(401, "", "Invalid username or password."),
            };
        };
        drop(state);
        let words: Vec<&str> = rest[repo.id.len()..].split('/').filter(|word| !word.is_empty()).collect();
        let is_revision = |revision: &str| revision == "main" || revision == repo.commit;
        match (api, words.as_slice()) {
            (true, []) => json_of(&repo.info()),
            (true, ["revision", revision]) | (true, ["tree", revision]) if !is_revision(revision) => {
                no(404, "RevisionNotFound", "Invalid rev id")
            }
            (true, ["revision", _]) => json_of(&repo.info()),
            (true, ["tree", _]) => json_of(&repo.tree()),
            (false, ["resolve", revision, ..]) if !is_revision(revision) => {
                no(404, "RevisionNotFound", "Invalid rev id")
            }
            (false, ["resolve", ..]) if repo.gated && !is_known => no(
                if asked.header("authorization").is_some() { 403 } else { 401 },
                "GatedRepo",
                "Access is restricted",
            ),
            (false, ["resolve", _, path @ ..]) => self.resolve(&repo, &path.join("/")),
            _ => no(404, "", "Not found"),
        }
    }

    fn resolve(&self, repo: &Repo, path: &str) -> (Head, Content) {
        let Some(content) = repo.files.get(path) else {
            let (head, content) = no(404, "EntryNotFound", "Entry not found");
            return (head.with("X-Repo-Commit", &repo.commit), content);
        };
        let (git, sha256) = &repo.digests[path];
        if !Repo::is_large(path) {
            let head = Head::new(200).with("X-Repo-Commit", &repo.commit).with("ETag", format!("\"{git}\""));
            return (head.with("Accept-Ranges", "bytes"), content.clone());
        }
        let mut state = self.state();
        state.signed += 1;
        let signature = state.signed;
        state.links.insert(signature);
        let head = Head::new(302)
            .with("X-Repo-Commit", &repo.commit)
            .with("X-Linked-Size", content.len())
            .with("X-Linked-Etag", format!("\"{sha256}\""))
            .with("ETag", format!("\"{sha256}\""))
            .with("Location", format!("{}/{sha256}?Expires=1&Signature={signature}", self.store));
        (head, Content::of("Found"))
    }

    fn stored(&self, asked: &Asked) -> (Head, Content) {
        let state = self.state();
        let signature = asked.param("Signature").and_then(|s| s.parse().ok());
        if !signature.is_some_and(|signature: u64| state.links.contains(&signature)) {
            return no(403, "", "Request has expired");
        }
        let name = asked.path.trim_start_matches('/');
        let found = state.repos.iter().find_map(|repo| {
            let (path, _) = repo.digests.iter().find(|(_, (_, sha256))| sha256 == name)?;
            repo.files.get(path)
        });
        match found {
            // A store has tags of its own.
            Some(content) => (
                Head::new(200).with("ETag", "\"store-tag-1\"").with("Accept-Ranges", "bytes"),
                content.clone(),
            ),
            None => no(404, "", "No such key"),
        }
    }

    fn list(&self, asked: &Asked) -> (Head, Content) {
        let state = self.state();
        let search = asked.param("search").unwrap_or_default().to_lowercase();
        let filters: Vec<&str> =
            asked.query.iter().filter(|(key, _)| key == "filter").map(|(_, v)| v.as_str()).collect();
        let is_listed = |info: &Value| {
            let tags: Vec<&str> = info["tags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            asked.param("pipeline_tag").is_none_or(|task| info["pipeline_tag"] == task)
                && filters.iter().all(|filter| tags.contains(filter) || info["library_name"] == **filter)
        };
        let matching = state.repos.iter().filter(|repo| repo.id.to_lowercase().contains(&search));
        let mut infos: Vec<Value> = matching.map(Repo::info).filter(is_listed).collect();
        drop(state);
        if asked.param("sort") == Some("downloads") {
            infos.sort_by_key(|info| std::cmp::Reverse(info["downloads"].as_u64()));
        }
        let number = |name: &str| asked.param(name).and_then(|n| n.parse::<usize>().ok());
        let (limit, cursor) = (number("limit").unwrap_or(PAGE).min(PAGE), number("cursor").unwrap_or(0));
        let page: Vec<&Value> = infos.iter().skip(cursor).take(limit).collect();
        let (mut head, content) = json_of(&json!(page));
        if cursor + limit < infos.len() {
            let kept: Vec<String> = asked
                .query
                .iter()
                .filter(|(key, _)| key != "cursor")
                .map(|(key, value)| format!("{}={}", escape(key), escape(value)))
                .collect();
            let next = format!("{}/api/models?{}&cursor={}", self.endpoint, kept.join("&"), cursor + limit);
            head = head.with("Link", format!("<{next}>; rel=\"next\""));
        }
        (head, content)
    }
}

fn escape(text: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b);
    text.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn json_of(value: &Value) -> (Head, Content) {
    (Head::new(200).with("Content-Type", "application/json"), Content::of(value.to_string()))
}

fn no(status: u16, code: &str, message: &str) -> (Head, Content) {
    let head = Head::new(status).with("X-Error-Message", message).with("Content-Type", "application/json");
    let head = if code.is_empty() { head } else { head.with("X-Error-Code", code) };
    (head, Content::of(json!({"error": message}).to_string()))
}
