//! The hub against a Hub on this machine (`tests/support/hub`): transfers over lines that break, misbehaviours, the
//! command line, two processes, work without a network.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod commands;
mod faults;
#[allow(dead_code, reason = "the window's own tests use the rest")]
#[path = "../window/harness.rs"]
mod harness;
mod kept;
mod kill;
#[path = "../support/hub/mod.rs"]
mod loopback;
mod offline;
#[macro_use]
#[path = "../support/mod.rs"]
mod support;
mod window;
mod worker;

use loopback::{LoopbackHub, TOKEN};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::Answer;

/// A user with a cache and a folder of their own.
struct User {
    folder: tempfile::TempDir,
    endpoint: String,
}

impl User {
    fn of(hub: &LoopbackHub) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), endpoint: hub.endpoint().to_string() }
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("hf/hub")
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program in this user's environment.
    fn program(&self) -> Command {
        let mut command = support::program();
        command
            .env("HF_HOME", self.folder.path().join("hf"))
            .env("FROSTLINE_HOME", self.home())
            .env("HF_ENDPOINT", &self.endpoint)
            .env("HF_TOKEN", TOKEN)
            .env("HF_HUB_DOWNLOAD_TIMEOUT", "5");
        command
    }

    fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Answer {
        let answer = Answer::new(self.program().args(arguments).output().unwrap());
        assert!(!answer.stdout.contains(TOKEN) && !answer.stderr.contains(TOKEN), "{answer:#?}");
        answer
    }

    fn hub(&self, arguments: &[&str]) -> Answer {
        self.run(std::iter::once("hub").chain(arguments.iter().copied()))
    }
}

/// The folder of a repository in a cache.
fn repo_folder(cache: &Path, id: &str) -> PathBuf {
    cache.join(format!("models--{}", id.replace('/', "--")))
}
