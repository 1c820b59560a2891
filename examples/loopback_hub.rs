//! The Hub of the tests as a program of its own, for `tests/hub/compare.py` and for trying things out: prints one line
//! of JSON with its address, its repositories and a token, and answers until its standard input ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../tests/support/hub/mod.rs"]
mod loopback;

use loopback::models::{SMALL, golden, mobilenet, pickled, text_facts};
use loopback::{LoopbackHub, Repo, TOKEN};
use serde_json::json;
use std::io::Read;

fn main() {
    let mut repos = vec![mobilenet(), SMALL.repo("owner/small-bert"), SMALL.repo("owner/gated-bert").gated()];
    repos.push(pickled("owner/pickled-bert", golden("pytorch_model.bin")));
    let crowd = (0..250u64).map(|n| Repo {
        downloads: 10_000 - n,
        ..Repo::new(&format!("crowd/model-{n:04}"), [], text_facts("bert"))
    });
    repos.extend(crowd);
    let names: Vec<_> = repos.iter().map(|repo| json!({"id": repo.id, "commit": repo.commit})).collect();
    let hub = LoopbackHub::start(repos);
    println!("{}", json!({"endpoint": hub.endpoint(), "store": hub.store(), "repos": names, "token": TOKEN}));
    // Ends with whoever started it.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
