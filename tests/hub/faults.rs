//! Each misbehaviour of the line and of the Hub, against the table in `tests/HUB.md`.
//!
//! Sabotage seen to fail: sending the token on every hop in `src/hub/http.rs`; not comparing digests in
//! `Partial::finish`; not starting over at status 200 in `Transfer::attempt`.

use crate::loopback::content::hex;
use crate::loopback::models::{SMALL, Size, mobilenet, text_facts};
use crate::loopback::{Content, Fault, Host, LoopbackHub, Repo, TOKEN};
use frostline::control::Silent;
use frostline::hub::download::Request;
use frostline::hub::id::{RepoId, Revision};
use frostline::hub::settings::{Origin, Token};
use frostline::hub::{Client, Downloaded, Settings, download};
use frostline::problem::{Cause, Problem};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;

const TABLE: &str = include_str!("../HUB.md");
const ID: &str = "owner/small-bert";
const WEIGHTS: &str = "model.safetensors";

/// A Hub with one model, and a cache for it.
struct Case {
    name: &'static str,
    hub: LoopbackHub,
    repo: Repo,
    settings: Settings,
    folder: tempfile::TempDir,
    revision: Revision,
}

impl Case {
    fn new(name: &'static str) -> Self {
        Self::of(name, SMALL.repo(ID))
    }

    fn of(name: &'static str, repo: Repo) -> Self {
        let (hub, folder) = (LoopbackHub::start(vec![repo.clone()]), tempfile::tempdir().unwrap());
        let settings = Settings {
            endpoint: Origin::parse(hub.endpoint()).unwrap(),
            token: Token::parse(TOKEN),
            cache: folder.path().join("cache/hub"),
            home: Some(folder.path().join("home")),
            offline: false,
            idle: Duration::from_millis(300),
            first_wait: Duration::from_millis(2),
        };
        Self { name, hub, repo, settings, folder, revision: Revision::default() }
    }

    /// A Hub whose model has another file in the place of one.
    fn with_file(name: &'static str, path: &'static str, content: Content) -> Self {
        let files = SMALL.repo(ID).files;
        let files = ["config.json", "tokenizer.json", "1_Pooling/config.json", WEIGHTS]
            .map(|p| (p, if p == path { content.clone() } else { files[p].clone() }));
        Self::of(name, Repo::new(ID, files, text_facts("bert")))
    }

    /// The store misbehaves.
    fn store(self, times: u64, fault: Fault) -> Self {
        self.hub.fault(Host::Store, "", times, fault);
        self
    }

    /// The Hub misbehaves where the path holds `path`.
    fn hub(self, path: &str, times: u64, fault: Fault) -> Self {
        self.hub.fault(Host::Hub, path, times, fault);
        self
    }

    fn weights_address(&self) -> String {
        format!("resolve/{}/{WEIGHTS}", self.repo.commit)
    }

    /// What an earlier attempt left.
    fn left(self, bytes: &[u8]) -> Self {
        let blobs = self.settings.cache.join("models--owner--small-bert/blobs");
        std::fs::create_dir_all(&blobs).unwrap();
        std::fs::write(blobs.join(format!("{}.incomplete", self.repo.sha256(WEIGHTS))), bytes).unwrap();
        self
    }

    fn download(&self) -> Result<Downloaded, Problem> {
        let client = Client::new(self.settings.clone())?;
        let id = RepoId::parse(&self.repo.id).unwrap();
        download(
            &client,
            &Request { id, revision: self.revision.clone(), allow_pickle: false, anew: false },
            &Silent,
        )
    }

    /// Downloads, and compares how it ends with the row of the table.
    #[track_caller]
    fn check(self) {
        let ended = self.download();
        let row = row(self.name);
        match (&ended, row[1]) {
            (Ok(downloaded), "right") => self.assert_right(downloaded),
            (Err(problem), "error") => {
                let turn = if problem.cause == Cause::Hub { "hub" } else { "input" };
                assert!(matches!(problem.cause, Cause::Hub | Cause::Input), "{}: {problem:?}", self.name);
                assert_eq!(turn, row[2], "{}: {problem}", self.name);
                let said = problem.to_string();
                let mut rest = said.as_str();
                for part in row[3].split('…').map(str::trim) {
                    let at =
                        rest.find(part).unwrap_or_else(|| panic!("{}: {part:?} is not in {said}", self.name));
                    rest = &rest[at + part.len()..];
                }
                assert!(!said.contains(TOKEN) && !said.contains("Signature"), "{said}");
            }
            (ended, expected) => panic!("{}: {ended:?} where the table says {expected}", self.name),
        }
        self.assert_sound();
    }

    fn assert_right(&self, downloaded: &Downloaded) {
        for name in ["config.json", WEIGHTS] {
            let found = std::fs::read(downloaded.path.join(name)).unwrap();
            let mut expected = vec![0; self.repo.files[name].len() as usize];
            self.repo.files[name].read(0, &mut expected);
            assert!(found == expected, "{}: {name} is wrong", self.name);
        }
        assert_eq!(downloaded.revision, self.repo.commit);
    }

    /// Whatever happened: no wrong file, no file elsewhere, no endless asking, the token where it belongs.
    fn assert_sound(&self) {
        for path in files_below(self.folder.path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.parent().unwrap().ends_with("blobs") && !name.ends_with(".incomplete") {
                let bytes = std::fs::read(&path).unwrap();
                let git = hex(&Sha1::new_with_prefix(format!("blob {}\0", bytes.len()))
                    .chain_update(&bytes)
                    .finalize());
                assert!(
                    name == git || name == hex(&Sha256::digest(&bytes)),
                    "{}: {name} is wrong",
                    self.name
                );
            }
            let inside = path.starts_with(self.folder.path().join("cache/hub"))
                || path.starts_with(self.folder.path().join("home"));
            assert!(inside, "{}: {} was written", self.name, path.display());
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned();
            assert!(!text.contains(TOKEN), "{}: the token lies in {}", self.name, path.display());
        }
        let seen = self.hub.seen();
        assert!(seen.len() < 60, "{}: {} requests", self.name, seen.len());
        self.hub.assert_token_stayed();
        if self.settings.token.is_none() {
            assert!(seen.iter().all(|s| s.authorization.is_none()));
            return;
        }
        assert!(
            self.settings.offline
                || self.name == "nobody listens"
                || seen.iter().any(|s| s.authorization.is_some())
        );
    }
}

fn row(name: &str) -> Vec<&'static str> {
    let rows = TABLE.lines().map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    rows.into_iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no row {name:?}"))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => open.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    found
}

const ALWAYS: u64 = u64::MAX;

#[test]
fn every_row_of_the_table_is_tested() {
    let source = include_str!("faults.rs");
    let cases = TABLE.lines().filter(|line| line.starts_with("| ")).skip(2);
    for case in cases.map(|line| line.split('|').nth(1).unwrap().trim()) {
        assert!(source.contains(&format!("\"{case}\"")), "{case:?} is not tested");
    }
}

#[test]
fn lines_that_break() {
    Case::new("the line is cut every 200 kB").store(ALWAYS, Fault::CutAfter(200_000)).check();
    let case = Case::new("the line is closed before an answer, twice");
    let address = case.weights_address();
    case.hub(&address, 2, Fault::NoAnswer).check();
    let case = Case::new("the line is closed before any answer, always");
    case.hub("tokenizer.json", ALWAYS, Fault::NoAnswer).check();
    let case = Case::new("the line is cut after 0 bytes, always");
    case.hub("tokenizer.json", ALWAYS, Fault::CutAfter(0)).check();
}

#[test]
fn lines_that_stall() {
    Case::new("the line stalls once").store(2, Fault::StallAfter(300_000)).check();
    Case::new("the line stalls always at the same byte")
        .hub("tokenizer.json", ALWAYS, Fault::StallAfter(0))
        .check();
    Case::new("the line drips, always").hub("tokenizer.json", ALWAYS, Fault::Drip).check();
    let mut case = Case::new("nobody listens");
    case.settings.endpoint = Origin::parse("http://127.0.0.1:9").unwrap();
    case.check();
}

/// What is read at once instead of piece by piece.
#[test]
fn answers_that_drip_or_stall() {
    let config = |case: &Case| format!("resolve/{}/config.json", case.repo.commit);
    Case::new("the facts of the model drip").hub("api/models", ALWAYS, Fault::Drip).check();
    Case::new("the facts of the model stall").hub("api/models", ALWAYS, Fault::StallAfter(9)).check();
    Case::new("the list of files drips").hub("tree", ALWAYS, Fault::Drip).check();
    Case::new("the list of files stalls").hub("tree", ALWAYS, Fault::StallAfter(9)).check();
    let case = Case::new("the configuration drips");
    let address = config(&case);
    case.hub(&address, ALWAYS, Fault::Drip).check();
    let case = Case::new("the configuration stalls");
    let address = config(&case);
    case.hub(&address, ALWAYS, Fault::StallAfter(9)).check();
    Case::new("the header of the weights drips").store(ALWAYS, Fault::Drip).check();
    Case::new("the header of the weights stalls").store(ALWAYS, Fault::StallAfter(4)).check();
}

#[test]
fn a_hub_in_trouble() {
    Case::new("500 three times").hub("resolve", 3, Fault::Status(500, Vec::new())).check();
    Case::new("500 always").hub("api/models", ALWAYS, Fault::Status(500, Vec::new())).check();
    Case::new("429, wait a second").hub("tree", 1, Fault::Status(429, vec![("Retry-After", "1")])).check();
    Case::new("429, wait for hours")
        .hub("tree", 1, Fault::Status(429, vec![("Retry-After", "9999")]))
        .check();
}

#[test]
fn servers_that_do_as_they_please() {
    Case::new("ranges are ignored")
        .store(2, Fault::CutAfter(400_000))
        .store(ALWAYS, Fault::IgnoreRange)
        .check();
    let case = Case::new("ranges are ignored and the line is cut always");
    case.hub("tokenizer.json", ALWAYS, Fault::CutWhole(100_000)).check();
    Case::new("the link has expired (403), once").store(1, Fault::Status(403, Vec::new())).check();
    Case::new("the link has expired (403), always").store(ALWAYS, Fault::Status(403, Vec::new())).check();
    let case = Case::new("the rest of the file is denied (416), once").left(&[7; 1000]);
    case.second_store_request(Fault::Status(416, Vec::new())).check();
}

impl Case {
    /// The store's first answer, which brings the header, is good; the next one is not.
    fn second_store_request(self, fault: Fault) -> Self {
        self.store(1, Fault::Nothing).store(1, fault)
    }
}

#[test]
fn a_hub_that_changes_its_mind() {
    let other = "ab".repeat(32);
    let changed = |name: &'static str, header: &'static str, value: String| {
        let case = Case::new(name);
        let address = case.weights_address();
        // The header is read first; the file is another one when it is fetched.
        case.hub(&address, 1, Fault::Nothing).hub(&address, ALWAYS, Fault::Header(header, value)).check();
    };
    changed("the file changes between two requests", "X-Linked-Etag", format!("\"{other}\""));
    changed("the size changes between two requests", "X-Linked-Size", "12345".into());
    changed("the branch moves between two requests", "X-Repo-Commit", other[..40].to_string());
}

#[test]
fn wrong_lengths_and_wrong_bytes() {
    Case::new("more bytes are announced than come").second_store_request(Fault::Announce(10)).check();
    Case::new("fewer bytes are announced than come").second_store_request(Fault::Announce(-10)).check();
    let case = Case::new("another part of the file comes than was asked for").left(&weights()[..5000]);
    case.second_store_request(Fault::Header("Content-Range", "bytes 0-99/100".into())).check();
    let wrong = SMALL.weights().damaged(700_000);
    Case::new("wrong bytes, once").second_store_request(Fault::Other(wrong.clone())).check();
    Case::new("wrong bytes, always").store(ALWAYS, Fault::Other(wrong)).check();
    let tokenizer = SMALL.repo(ID).files["tokenizer.json"].damaged(1000);
    Case::new("wrong bytes of a small file, always")
        .hub("tokenizer.json", ALWAYS, Fault::Other(tokenizer))
        .check();
}

fn weights() -> Vec<u8> {
    let content = SMALL.weights();
    let mut bytes = vec![0; content.len() as usize];
    content.read(0, &mut bytes);
    bytes
}

#[test]
fn redirects() {
    let case = Case::new("a small file is redirected to another host");
    let elsewhere: &'static str = format!("{}/else", case.hub.store()).leak();
    case.hub("tokenizer.json", ALWAYS, Fault::Status(302, vec![("Location", elsewhere)])).check();
    let case = Case::new("redirects in a circle");
    let address: &'static str = format!("/{ID}/resolve/{}/tokenizer.json", case.repo.commit).leak();
    case.hub("tokenizer.json", ALWAYS, Fault::Status(307, vec![("Location", address)])).check();
    let case = Case::new("a redirect to what is no address");
    case.hub("tokenizer.json", ALWAYS, Fault::Status(302, vec![("Location", "file:///etc/passwd")])).check();
}

#[test]
fn models_that_are_not_open() {
    let mut case = Case::new("the model is not there");
    case.repo.id = "owner/other".into();
    case.check();
    let mut case = Case::new("the revision is not there");
    case.revision = Revision::parse("v9").unwrap();
    case.check();
    let mut case = Case::of("the model is gated", SMALL.repo(ID).gated());
    case.settings.token = None;
    case.check();
    let case = Case::of("the model is gated, the token is not let in", SMALL.repo(ID).gated());
    case.hub("resolve", ALWAYS, Fault::Status(403, vec![("X-Error-Code", "GatedRepo")])).check();
}

#[test]
fn answers_that_make_no_sense() {
    let page = "<html>sign in to this network</html>";
    Case::new("a web page instead of the model's facts")
        .hub("api/", ALWAYS, Fault::Body(page.into()))
        .check();
    let deep = format!("{{\"id\":{}", "[".repeat(100_000));
    Case::new("facts nested 100,000 deep").hub("api/", ALWAYS, Fault::Body(deep.into())).check();
    Case::new("no commit is named")
        .hub("api/", ALWAYS, Fault::Body(r#"{"id":"owner/small-bert"}"#.into()))
        .check();
    let tree = |add: Value| {
        let mut entries = list(&SMALL.repo(ID));
        entries.as_array_mut().unwrap().push(add);
        Fault::Body(entries.to_string().into())
    };
    let entry =
        |path: &str, oid: &str, size: u64| json!({"type": "file", "path": path, "oid": oid, "size": size});
    let oid = "c".repeat(40);
    let name = "a list of files with names that lead out of the cache";
    Case::new(name).hub("tree", 1, tree(entry("../../../outside", &oid, 5))).check();
    let name = "a list of files with digests that lead out of the cache";
    Case::new(name).hub("tree", 1, tree(entry("x", "../../../../outside", 5))).check();
    let many: Vec<Value> = (0..20_001).map(|n| entry(&format!("file-{n}"), &oid, 5)).collect();
    Case::new("a list of files without end")
        .hub("tree", 1, Fault::Body(json!(many).to_string().into()))
        .check();
    let name = "a file of a size that cannot be";
    Case::new(name).hub("tree", 1, tree(entry("x", &oid, u64::MAX))).check();
    let name = "a list of files in circles";
    let next = "<http://127.0.0.1:1/>; rel=\"prev\", <NEXT>; rel=\"next\"";
    let case = Case::new(name);
    let again = format!("{}/api/models/{ID}/tree/{}?recursive=true", case.hub.endpoint(), case.repo.commit);
    case.hub("tree", ALWAYS, Fault::Header("Link", next.replace("NEXT", &again))).check();
    let mut entries = list(&SMALL.repo(ID));
    let tokenizer =
        entries.as_array_mut().unwrap().iter_mut().find(|e| e["path"] == "tokenizer.json").unwrap();
    tokenizer["size"] = json!(1u64 << 47);
    Case::new("a file larger than the disk").hub("tree", 1, Fault::Body(entries.to_string().into())).check();
}

/// The list of files as the Hub gives it.
fn list(repo: &Repo) -> Value {
    let entry = |(path, content): (&String, &Content)| {
        let mut entry =
            json!({"type": "file", "path": path, "oid": content.git_sha1(), "size": content.len()});
        if path.ends_with(".safetensors") {
            entry["lfs"] = json!({"oid": content.sha256(), "size": content.len(), "pointerSize": 134});
        }
        entry
    };
    repo.files.iter().map(entry).collect()
}

#[test]
fn files_that_cannot_be_trusted_or_used() {
    let huge = [&(1u64 << 62).to_le_bytes()[..], b"{}"].concat();
    Case::with_file("a header that claims to be huge", WEIGHTS, Content::of(huge)).check();
    let one = r#"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#;
    let json = format!(r#"{{"a":{one},"b":{one}}}"#);
    let overlapping = [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &[0; 8]].concat();
    Case::with_file("a header whose tensors overlap", WEIGHTS, Content::of(overlapping)).check();
    let other = Size { hidden: 16, ..SMALL }.weights();
    Case::with_file("a header of another network", WEIGHTS, other).check();
    let strange = Content::of(r#"{"model_type":"wav2vec2"}"#);
    Case::with_file("a configuration of an unknown family", "config.json", strange).check();
    let repo = SMALL.repo(ID);
    let files = [
        ("config.json", repo.files["config.json"].clone()),
        ("tokenizer.json", repo.files["tokenizer.json"].clone()),
        ("pytorch_model.bin", Content::of("PK")),
    ];
    let name = "weights in a format that can hold programs";
    Case::of(name, Repo::new(ID, files, text_facts("bert"))).check();
}

#[test]
fn what_earlier_attempts_left() {
    Case::new("wrong bytes left by an earlier attempt").left(&[9; 123_456]).check();
    Case::new("more bytes left by an earlier attempt than the file has").left(&vec![9; 2_000_000]).check();
}

#[test]
fn no_network_by_the_user_s_word() {
    let mut case = Case::new("the environment forbids the network");
    case.settings.offline = true;
    case.check();
}

/// What is whole is taken without any network, and nothing is fetched twice.
#[test]
fn a_second_download_moves_nothing() {
    let mut case = Case::of("", mobilenet());
    let first = case.download().unwrap();
    assert_eq!(first.moved_bytes, first.bytes);
    let stored = case.hub.stored_bytes();
    let second = case.download().unwrap();
    assert_eq!((second.moved_bytes, &second.path), (0, &first.path));
    // The header is read again, no more.
    assert!(case.hub.stored_bytes() - stored < 200_000);
    case.settings.offline = true;
    assert_eq!(case.download().unwrap().path, first.path);
    case.revision = Revision::parse(&first.revision).unwrap();
    let asked = case.hub.seen().len();
    assert_eq!(case.download().unwrap().path, first.path);
    assert_eq!(case.hub.seen().len(), asked);
}
