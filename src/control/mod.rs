//! How long work talks to whoever asked for it: facts go out, one question comes back.
//!
//! The engine knows no thread, no channel and no screen. Whoever runs a job passes a [`Control`];
//! the command line prints what it hears, a window turns it into events, a test records it.

#![warn(clippy::indexing_slicing, reason = "what comes from outside is not indexed")]

mod epoch;
mod line;

pub use epoch::{EpochRecord, Scores};
pub use line::{Ended, Line};

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What a job wants known, and whether it may go on.
pub trait Control: Sync {
    /// Takes note of a fact. Called from the thread that runs the job, in the order of events.
    fn report(&self, fact: Fact);

    /// Whether the job should end as soon as it can without losing anything. Asked between batches.
    fn stop_requested(&self) -> bool {
        false
    }

    /// Returns at once, or only when a paused job may go on. Asked between batches.
    fn wait_while_paused(&self) {}
}

/// Something that happened in a job. Serialised as one JSON object a line, `event` names the kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Fact {
    /// How far a long piece of work has come. Many of these may be dropped.
    Progress(Progress),
    /// A dataset was read.
    Scan { items: u64, classes: u64, findings: u64, seconds: f64 },
    /// The frozen ground was computed, or found in the cache (`computed` is then 0).
    Cache { items: u64, computed: u64, bytes: u64, seconds: f64 },
    /// One optimiser step. `epoch` counts from 1, `step` from 1 over the whole run.
    Step { epoch: u32, step: u64, loss: f64, lr: f64 },
    /// One pass over the training samples, measured on the validation samples.
    Epoch(EpochRecord),
    /// Something a person should know; the job goes on.
    Warning {
        what: String,
        #[serde(default, skip_serializing_if = "WarningKind::is_general")]
        kind: WarningKind,
    },
}

/// Of a long piece of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Progress {
    Download {
        /// The file of the repository that is fetched.
        file: String,
        /// Of this file: bytes that are here, and its size.
        bytes: u64,
        total: u64,
        /// Over the last seconds.
        bytes_per_second: f64,
        /// The same of all files of the model together; not on the line.
        #[serde(skip)]
        all_bytes: u64,
        #[serde(skip)]
        all_total: u64,
    },
    Work {
        /// What is being done, in a few words for a person.
        what: Cow<'static, str>,
        done: u64,
        total: u64,
    },
}

/// What a warning is about, where somebody does more with it than read it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    #[default]
    General,
    /// A sample cannot be used, so the job does without it.
    LeftOut,
}

impl WarningKind {
    fn is_general(&self) -> bool {
        *self == Self::General
    }
}

impl Fact {
    /// How far a piece of work has come; `what` says in a few words for a person what is being done.
    pub fn progress(what: &'static str, done: u64, total: u64) -> Self {
        Self::Progress(Progress::Work { what: Cow::Borrowed(what), done, total })
    }

    /// A warning that is only read.
    pub fn warning(what: impl Into<String>) -> Self {
        Self::Warning { what: what.into(), kind: WarningKind::General }
    }
}

/// A control that hears nothing and never stops: for tests and one-shot calls.
pub struct Silent;

impl Control for Silent {
    fn report(&self, _fact: Fact) {}
}
