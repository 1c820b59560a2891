//! How far and how fast a download goes, said a few times a second.

use super::api::RemoteFile;
use crate::control::{Control, Fact, Progress};
use crate::partial;
use std::path::Path;
use std::time::{Duration, Instant};

/// Time between two facts.
const EVERY: Duration = Duration::from_millis(100);
/// The rate is one of about so many last seconds.
const WINDOW_SECONDS: f64 = 2.0;
/// A download of fewer bytes says nothing about the line.
const TELLING: u64 = 1 << 20;

/// Counts the bytes of one download.
pub struct Meter<'c> {
    control: &'c dyn Control,
    /// Of the files before the one that is fetched.
    done: u64,
    total: u64,
    /// Bytes that came over the line.
    pub moved: u64,
    began: Instant,
    last: Option<Instant>,
    since_last: u64,
    rate: f64,
}

impl<'c> Meter<'c> {
    /// For a download of `total` bytes in all.
    pub fn new(total: u64, control: &'c dyn Control) -> Self {
        let began = Instant::now();
        Self { control, done: 0, total, moved: 0, began, last: None, since_last: 0, rate: 0.0 }
    }

    /// `count` bytes of `file` came; there are `bytes` of it now.
    pub fn moved(&mut self, file: &RemoteFile, bytes: u64, count: u64) {
        self.moved += count;
        self.since_last += count;
        let elapsed = self.last.map_or_else(|| self.began.elapsed(), |last| last.elapsed());
        if elapsed < EVERY {
            return;
        }
        let seconds = elapsed.as_secs_f64().max(1e-3);
        let now = self.since_last as f64 / seconds;
        let weight = if self.rate == 0.0 { 1.0 } else { (seconds / WINDOW_SECONDS).min(1.0) };
        self.rate += weight * (now - self.rate);
        self.last = Some(Instant::now());
        self.since_last = 0;
        self.say(file, bytes);
    }

    /// All of `file` is here, whether it came now or lay here before.
    pub fn here(&mut self, file: &RemoteFile) {
        self.say(file, file.bytes);
        self.done += file.bytes;
    }

    fn say(&self, file: &RemoteFile, bytes: u64) {
        self.control.report(Fact::Progress(Progress::Download {
            file: file.path.to_string(),
            bytes,
            total: file.bytes,
            bytes_per_second: self.rate.round(),
            all_bytes: self.done + bytes,
            all_total: self.total,
        }));
    }

    /// Keeps the rate of this download in `home` for the next estimate.
    pub fn remember(&self, home: Option<&Path>) {
        home.into_iter().for_each(partial::clear);
        let seconds = self.began.elapsed().as_secs_f64();
        if let Some(home) = home.filter(|_| self.moved >= TELLING && seconds > 0.0) {
            let rate = format!("{:.0}\n", self.moved as f64 / seconds);
            // Without it a model's page says nothing about time.
            let _ = super::cache::write(&home.join(RATE_FILE), rate.as_bytes());
        }
    }
}

const RATE_FILE: &str = "line-bytes-per-second";

/// Bytes a second of the last telling download on this machine.
pub fn remembered_rate(home: Option<&Path>) -> Option<f64> {
    let text = std::fs::read_to_string(home?.join(RATE_FILE)).ok()?;
    text.trim().parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0)
}
