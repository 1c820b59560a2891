//! How long work talks to whoever asked for it: facts go out, one question comes back.
//!
//! The engine knows no thread, no channel and no screen. Whoever runs a job passes a [`Control`];
//! the command line prints what it hears, a window turns it into events, a test records it.

mod epoch;

pub use epoch::{EpochRecord, Scores};

use serde::Serialize;

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
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Fact {
    /// How far a long piece of work has come. Many of these may be dropped.
    Progress {
        /// What is being done, in a few words for a person.
        what: &'static str,
        done: u64,
        total: u64,
    },
    /// How far a download has come; many of these may be dropped.
    #[serde(rename = "progress")]
    Download {
        /// The file of the repository that is fetched.
        file: String,
        /// Of this file: bytes that are here, and its size.
        bytes: u64,
        total: u64,
        /// Over the last seconds.
        bytes_per_second: f64,
        /// The same of all files of the model together.
        #[serde(skip)]
        all_bytes: u64,
        #[serde(skip)]
        all_total: u64,
    },
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

/// What a warning is about, where somebody does more with it than read it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_warning_says_more_only_where_there_is_more() {
        let line = |fact: &Fact| serde_json::to_string(fact).unwrap();
        assert_eq!(line(&Fact::warning("odd")), r#"{"event":"warning","what":"odd"}"#);
        let left_out = Fact::Warning { what: "odd".into(), kind: WarningKind::LeftOut };
        assert_eq!(line(&left_out), r#"{"event":"warning","what":"odd","kind":"left_out"}"#);
    }
}
