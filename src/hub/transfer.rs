//! One file from the Hub into the cache, over a line that breaks. What has arrived stays in `DIGEST.incomplete`, also
//! when the program is killed; only a file of the right size and digest gets its name, in one rename.

use super::api::{Digest, RemoteFile};
use super::cache::RepoCache;
use super::digest;
use super::failure::Failure;
use super::header::Header;
use super::http::{Answer, Client, Part, broken};
use super::id::{Commit, escape_path};
use super::lock::Lock;
use super::meter::Meter;
use super::retry::{Patience, stopped};
use crate::control::{Control, Fact};
use crate::partial::{is_still, sync_folder};
use crate::problem::{Problem, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Read and written at a time.
const PIECE: usize = 256 << 10;
/// Bytes that must come in three idle time-outs.
const LEAST: usize = 1 << 10;
/// Redirects of one attempt.
const HOPS: usize = 5;

/// Brings `file` into the cache, if it is not there. Two programs that want the same file share one download.
///
/// # Errors
/// The line or the Hub fails for good, the content is not what the Hub lists, the disk is full, or the user stops it.
pub fn fetch(
    client: &Client,
    cache: &RepoCache,
    commit: &Commit,
    file: &RemoteFile,
    meter: &mut Meter,
    control: &dyn Control,
) -> std::result::Result<(), Failure> {
    let waiting = || {
        let what = format!("another program is downloading {}; waiting for it", file.path);
        control.report(Fact::warning(what));
    };
    let _lock = Lock::wait(&cache.lock(&file.digest), control, waiting).map_err(Failure::Here)?;
    if is_here(cache, file) {
        meter.here(file);
        return Ok(());
    }
    let mut partial = Partial::open(cache, file).map_err(Failure::Here)?;
    let mut patience = Patience::for_file(client.settings(), control);
    let (mut furthest, mut began_anew) = (partial.length, false);
    loop {
        if is_here(cache, file) {
            partial.discard();
            meter.here(file);
            return Ok(());
        }
        let transfer = Transfer { client, cache, commit, file, control };
        let attempt = transfer.attempt(&mut partial, meter).and_then(|()| partial.claim(cache, file));
        let brought = partial.length.saturating_sub(furthest);
        furthest = furthest.max(partial.length);
        match attempt {
            Err(failure) => patience.wait_after(failure, brought)?,
            Ok(()) if !partial.path.exists() => {
                // Where locks do nothing, another program took it for left behind.
                partial = Partial::open(cache, file).map_err(Failure::Here)?;
                patience.wait_after(shared(), 0)?;
            }
            Ok(()) => match partial.finish(cache, file)? {
                None => {
                    meter.here(file);
                    return Ok(());
                }
                // Perhaps only what was left by an earlier attempt is wrong.
                Some(_) if !began_anew => {
                    began_anew = true;
                    furthest = 0;
                    let what =
                        format!("{} did not arrive as the Hub lists it; fetching it once more", file.path);
                    control.report(Fact::warning(what));
                    partial.restart(cache, file).map_err(Failure::Here)?;
                }
                Some(why) => {
                    partial.discard();
                    return Err(Failure::Answer(why));
                }
            },
        }
    }
}

/// Whether the blob is in the cache, by its size. `verify` looks closer.
pub fn is_here(cache: &RepoCache, file: &RemoteFile) -> bool {
    std::fs::metadata(cache.blob(&file.digest)).is_ok_and(|m| m.is_file() && m.len() == file.bytes)
}

/// Bytes of a file that need not be fetched any more.
pub fn bytes_here(cache: &RepoCache, file: &RemoteFile) -> u64 {
    match is_here(cache, file) {
        true => file.bytes,
        false => std::fs::metadata(cache.incomplete(&file.digest)).map_or(0, |m| m.len().min(file.bytes)),
    }
}

/// One attempt after another at one file.
struct Transfer<'t> {
    client: &'t Client,
    cache: &'t RepoCache,
    commit: &'t Commit,
    file: &'t RemoteFile,
    control: &'t dyn Control,
}

impl Transfer<'_> {
    /// Fetches what is missing until the file is whole or the line fails.
    fn attempt(&self, partial: &mut Partial, meter: &mut Meter) -> std::result::Result<(), Failure> {
        if partial.length == self.file.bytes {
            return Ok(());
        }
        let part = if partial.length == 0 { Part::All } else { Part::From(partial.length) };
        // The Hub is asked each time: links to a store of large files expire.
        let answer = match self.open(&part) {
            // What is here cannot be the beginning of this file.
            Err(Failure::Status { status: 416, host, .. }) if partial.length > 0 => {
                partial.restart(self.cache, self.file).map_err(Failure::Here)?;
                return Err(Failure::Line(format!("{host} does not have the rest of the file")));
            }
            other => other?,
        };
        let starts_over = answer.status() == 200 && partial.length > 0;
        if starts_over {
            partial.restart(self.cache, self.file).map_err(Failure::Here)?;
        }
        self.check_length(&answer, partial.length)?;
        self.read(answer, partial, meter)
    }

    fn open(&self, part: &Part) -> std::result::Result<Answer, Failure> {
        let path = escape_path(self.file.path.as_str());
        let path = format!("/{}/resolve/{}/{path}", self.cache.id, self.commit);
        let mut address = self.client.settings().endpoint.join(&path);
        for _ in 0..HOPS {
            let answer = self.client.ask_once(&address, part)?;
            if self.client.settings().endpoint.serves(&address) {
                self.check_hub(&answer)?;
            }
            match answer.redirect()? {
                Some(next) => address = next,
                None => return Ok(answer),
            }
        }
        Err(Failure::Answer(format!("more than {HOPS} redirects")))
    }

    /// What the Hub says of the file now must be what it listed.
    fn check_hub(&self, answer: &Answer) -> std::result::Result<(), Failure> {
        let changed = |what: &str| {
            Failure::Answer(format!(
                "{} changed on the Hub while it was fetched: another {what}",
                self.file.path
            ))
        };
        if answer.header("x-repo-commit").is_some_and(|commit| commit != self.commit.as_str()) {
            return Err(changed("commit"));
        }
        let linked_size = answer.header("x-linked-size").and_then(|size| size.trim().parse::<u64>().ok());
        if linked_size.is_some_and(|size| size != self.file.bytes) {
            return Err(changed("size"));
        }
        let is_redirect = (300..400).contains(&answer.status());
        let etag = answer.header("x-linked-etag").or_else(|| answer.header("etag").filter(|_| !is_redirect));
        let etag = etag.map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"'));
        // Gateways put tags of their own here; only a digest says something.
        match etag.and_then(Digest::of_blob_name) {
            Some(digest) if digest != self.file.digest => Err(changed("digest")),
            _ => Ok(()),
        }
    }

    fn check_length(&self, answer: &Answer, have: u64) -> std::result::Result<(), Failure> {
        let wrong = |what: String| Failure::Answer(format!("{}: {what}", self.file.path));
        if answer.status() == 206 {
            match answer.content_range() {
                Some((first, size)) if first == have && size == self.file.bytes => {}
                _ => return Err(wrong("it gives another part of the file than was asked for".to_string())),
            }
        }
        let expected = self.file.bytes - have;
        match answer.content_length() {
            Some(length) if length != expected => {
                Err(wrong(format!("{length} bytes are announced where {expected} are missing")))
            }
            _ => Ok(()),
        }
    }

    fn read(
        &self,
        answer: Answer,
        partial: &mut Partial,
        meter: &mut Meter,
    ) -> std::result::Result<(), Failure> {
        let from = answer.address.clone();
        let (mut body, mut piece) = (answer.into_reader(), vec![0; PIECE]);
        // A line that drips is as good as none.
        let patience = 3 * self.client.settings().idle;
        let (mut since, mut came) = (Instant::now(), 0);
        while partial.length < self.file.bytes {
            if self.control.stop_requested() {
                return Err(Failure::Here(stopped()));
            }
            self.control.wait_while_paused();
            let missing = usize::try_from(self.file.bytes - partial.length).unwrap_or(PIECE).min(PIECE);
            let got =
                body.read(piece.get_mut(..missing).unwrap_or_default()).map_err(|e| broken(&from, &e))?;
            if got == 0 {
                return Err(Failure::Line("the line was closed before the end".to_string()));
            }
            partial.append(piece.get(..got).unwrap_or_default()).map_err(Failure::Here)?;
            came += got;
            if since.elapsed() > patience {
                if came < LEAST {
                    return Err(Failure::Line(format!("only {came} bytes came in {patience:?}")));
                }
                (since, came) = (Instant::now(), 0);
            }
            meter.moved(self.file, partial.length, got as u64);
        }
        Ok(())
    }
}

fn shared() -> Failure {
    Failure::Line("another program fetches the same file on a disk without locks".to_string())
}

/// A blob that grows. Where a disk knows no locks, two programs may fetch the same file at once: each writes the same
/// bytes at the same places, beginning anew makes a new file, and what is about to get its name is read from the disk
/// under a name that nobody else opens.
struct Partial {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Partial {
    /// Opens what an earlier attempt left.
    fn open(cache: &RepoCache, file: &RemoteFile) -> Result<Self> {
        let path = cache.incomplete(&file.digest);
        for claimed in cache.claimed(&file.digest) {
            // It was whole when whoever claimed it was killed.
            let _ =
                if path.exists() { std::fs::remove_file(claimed) } else { std::fs::rename(claimed, &path) };
        }
        let fail = |e: std::io::Error| Problem::io("write the download", &path, &e);
        let handle = open(&path).map_err(fail)?;
        let length = handle.metadata().map_err(fail)?.len();
        let mut partial = Self { path: path.clone(), file: handle, length };
        if length > file.bytes {
            partial.restart(cache, file)?;
        }
        Ok(partial)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let place = self.file.seek(SeekFrom::Start(self.length));
        place
            .and_then(|_| self.file.write_all(bytes))
            .map_err(|e| Problem::io("write the download", &self.path, &e))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Begins at the first byte again, in a new file.
    fn restart(&mut self, cache: &RepoCache, file: &RemoteFile) -> Result<()> {
        self.discard();
        self.path = cache.incomplete(&file.digest);
        self.file = open(&self.path).map_err(|e| Problem::io("write the download", &self.path, &e))?;
        self.length = 0;
        Ok(())
    }

    /// Gives what has come a name that only this call knows.
    fn claim(&mut self, cache: &RepoCache, file: &RemoteFile) -> std::result::Result<(), Failure> {
        let own = cache.new_claim(&file.digest);
        // So that nobody takes it for left behind.
        let _ = self.file.try_lock();
        if is_still(&self.path, &self.file) && std::fs::rename(&self.path, &own).is_ok() {
            self.path = own;
            return Ok(());
        }
        *self = Self::open(cache, file).map_err(Failure::Here)?;
        Err(shared())
    }

    /// Gives the whole file its name; says why not where its content is wrong.
    fn finish(&self, cache: &RepoCache, file: &RemoteFile) -> std::result::Result<Option<String>, Failure> {
        let blob = cache.blob(&file.digest);
        let fail = |e: std::io::Error| Failure::Here(Problem::io("keep the download", &blob, &e));
        self.file.sync_all().map_err(fail)?;
        let found = digest::of_file(&self.path, &file.digest).map_err(Failure::Here)?;
        if found != file.digest.as_str() {
            let listed = file.digest.as_str();
            return Ok(Some(format!("{} has the digest {found} where the Hub lists {listed}", file.path)));
        }
        if file.path.as_str().ends_with(".safetensors") {
            Header::of_file(&self.path).map_err(|problem| {
                self.discard();
                Failure::Here(problem)
            })?;
        }
        std::fs::rename(&self.path, &blob).map_err(fail)?;
        sync_folder(blob.parent().unwrap_or(Path::new("."))).map_err(fail)?;
        Ok(None)
    }

    /// Removes what cannot become the file.
    fn discard(&self) {
        // What stays behind is written over at the next attempt.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    File::options().create(true).truncate(false).read(true).write(true).open(path)
}
