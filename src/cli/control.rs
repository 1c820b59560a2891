//! How a job on the command line talks: JSON lines or a table on stdout, a progress bar on stderr, signals stop.

use super::print::{tell, undelivered};
use super::show::{self, Rate};
use super::signals;
use crate::control::{Control, Fact, Progress};
use crate::task::TaskChoice;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a command prints while its job runs.
pub struct Console {
    json: bool,
    /// Also prints epochs as rows of a table.
    trains: bool,
    bar: ProgressBar,
    has_header: AtomicBool,
    /// Why a line of results was lost, where it was.
    lost: Mutex<Option<io::Error>>,
    /// Whether the epochs begin at features that were computed once.
    counts_cached: AtomicBool,
    /// Whose scores are the columns of the table.
    task: TaskChoice,
}

impl Console {
    /// A console that shows progress only.
    pub fn new() -> Self {
        Self::with(false, false)
    }

    /// A console for a training: JSON events, or a table of epochs.
    pub fn for_training(json: bool, task: TaskChoice) -> Self {
        Self { task, ..Self::with(json, true) }
    }

    /// A console for a download: JSON events, or a bar.
    pub fn for_download(json: bool) -> Self {
        let console = Self::with(json, json);
        console.set_style(
            "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} ETA {eta}",
        );
        console
    }

    fn set_style(&self, template: &str) {
        let style = ProgressStyle::with_template(template);
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    }

    fn with(json: bool, trains: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        let (has_header, lost, task) = (AtomicBool::new(false), Mutex::new(None), TaskChoice::default());
        let counts_cached = AtomicBool::new(false);
        let console = Self { json, trains, bar, has_header, lost, counts_cached, task };
        console.set_style("{msg} {wide_bar} {pos}/{len} {per_sec} ETA {eta}");
        console
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Prints a line of a training's results. What goes wrong must not end it, since the run is on disk: it is told by
    /// [`Console::delivered`].
    pub fn print(&self, line: &str) {
        self.bar.suspend(|| {
            let mut out = io::stdout().lock();
            if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush())
                && let Ok(mut lost) = self.lost.lock()
            {
                lost.get_or_insert(error);
            }
        });
    }

    /// Whether all that was printed was taken, or the reader went away.
    ///
    /// # Errors
    /// A line was lost, as where the disk is full.
    pub fn delivered(&self) -> anyhow::Result<()> {
        match self.lost.lock().ok().and_then(|mut lost| lost.take()) {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(undelivered(error)),
            Some(_) | None => Ok(()),
        }
    }

    fn note(&self, line: &str) {
        self.bar.suspend(|| tell(line));
    }

    fn progress(&self, what: &str, done: u64, total: u64) {
        if self.bar.message() != what {
            self.bar.reset();
            self.bar.set_message(what.to_string());
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

impl Control for Console {
    fn report(&self, fact: Fact) {
        match &fact {
            Fact::Progress(Progress::Work { what, done, total }) => {
                return self.progress(what, *done, *total);
            }
            Fact::Progress(Progress::Download { file, bytes, total, .. }) if !self.json => {
                return self.progress(file, *bytes, *total);
            }
            Fact::Warning { what, .. } => self.note(&format!("warning: {what}")),
            _ => {}
        }
        if !self.trains {
            return;
        }
        if self.json {
            match serde_json::to_string(&fact) {
                Ok(line) => self.print(&line),
                Err(error) => self.note(&format!("an event was lost: {error}")),
            }
            return;
        }
        match &fact {
            Fact::Cache { items, computed, bytes, seconds } => {
                self.counts_cached.store(true, Ordering::Relaxed);
                self.note(&format!(
                    "frozen layers: {computed} of {items} samples computed, {} cached, {}",
                    show::bytes(*bytes),
                    show::duration(*seconds)
                ));
            }
            Fact::Epoch(record) => {
                let is_cached = self.counts_cached.load(Ordering::Relaxed);
                let rate = if is_cached { Rate::Cached } else { Rate::Samples };
                if !self.has_header.swap(true, Ordering::Relaxed) {
                    self.print(&show::epoch_header(&self.task, rate));
                }
                self.print(&show::epoch_row(record, &self.task, rate));
            }
            Fact::Step { loss, step, .. } => self.bar.set_message(format!("step {step}, loss {loss:.4}")),
            _ => {}
        }
    }

    fn stop_requested(&self) -> bool {
        signals::stop_requested()
    }
}
