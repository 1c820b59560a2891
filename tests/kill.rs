//! Invariant 8: a training that is killed at any instant goes on to where an undisturbed one ends, bit for bit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use support::{Scratch, Training, mix};

const KILLS: u64 = 20;
/// The first kills come by the clock from the start of the program: loading, scanning.
const LOADING: u64 = 3;
/// The next ones after a chunk of the cache was written.
const CACHING: u64 = 3;
/// The next ones while the best epoch, the checkpoint or the record is written. All others follow an event.
const WRITING: u64 = 7;
/// Weights and both moments of `conv_head` and `bn2`, without the head: no checkpoint is smaller.
const CHECKPOINT_BYTES: u64 = 3 * 4 * (320 * 1280 + 2 * 1280);

/// 20 SIGKILLs while the frozen ground is computed, between and in steps, while the best epoch, the checkpoint
/// and the record are written.
///
/// Seen to fail when `checkpoint::load` gives the second moments as zeros, and when `checkpoint::save` writes
/// straight into the old file.
#[test]
fn twenty_kills_change_nothing() {
    let scratch = Scratch::new();
    let data = scratch.images("photos", 20);
    let (whole, killed) = (scratch.path("whole"), scratch.path("killed"));
    for project in [&whole, &killed] {
        let fixed = ["new", "--backbone", "mobilenetv2_100", "--thaw", "conv_head", "--thaw", "bn2"];
        let more =
            ["--epochs", "8", "--batch-size", "12", "--seed", "5", "--batch-norm", "training", "--clip", "1"];
        let paths = ["--data", data.to_str().unwrap(), "--out", project.to_str().unwrap()];
        support::frostline(fixed.iter().chain(&more).chain(&paths)).code(0);
    }
    let (answer, _) = Training::start(&whole, &[]).end();
    answer.code(0);
    let expected = support::Result::of(&whole, "0001");
    assert_eq!(expected.steps.len(), 8 * 4);

    let (mut kills, mut sessions, mut computed) = (0, 0, Vec::new());
    while kills < KILLS {
        sessions += 1;
        assert!(sessions < 3 * KILLS, "the training ends before it can be killed");
        let mut training = start(&killed);
        wait(&mut training, &killed, kills, sessions);
        let alive = training.kill();
        let (_, events) = training.end();
        kills += u64::from(alive && !events.iter().any(|e| e["event"] == "finished"));
        computed
            .extend(events.iter().filter(|e| e["event"] == "cache").map(|e| e["computed"].as_u64().unwrap()));
    }
    let (answer, _) = start(&killed).end();
    answer.code(0);

    let names = runs(&killed);
    println!("{kills} kills in {sessions} sessions, runs {names:?}, computed {computed:?}");
    for (name, state) in &names {
        assert_eq!(state, "finished", "run {name}");
        expected.assert_same(&support::Result::of(&killed, name));
        let leftovers = support::leftovers(&killed.join("runs").join(name));
        assert!(leftovers.is_empty(), "{leftovers:?}");
    }
    let first = computed.first().copied().unwrap_or_default();
    assert!((1..60).contains(&first), "the chunks of the cache before the kills were lost: {computed:?}");
}

/// Goes on with the unfinished run where there is one, as a person would.
fn start(project: &Path) -> Training {
    let unfinished = runs(project).last().is_some_and(|(_, state)| state != "finished");
    Training::start(project, if unfinished { &["--resume"] } else { &[] })
}

/// Name and state of each run.
fn runs(project: &Path) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_string();
    run!("runs", project, "--json")
        .code(0)
        .lines()
        .iter()
        .map(|r| (text(&r["run"]), text(&r["state"])))
        .collect()
}

/// Waits until the drawn instant of kill number `kill`.
fn wait(training: &mut Training, project: &Path, kill: u64, session: u64) {
    let draw = |purpose: u64, below: u64| mix(mix(session) ^ purpose) % below;
    if kill < LOADING {
        return std::thread::sleep(Duration::from_millis(20 + draw(1, 300)));
    }
    if kill < LOADING + CACHING {
        let before = cache_bytes(project);
        while cache_bytes(project) <= before.max(1000) && training.is_running() {
            std::thread::sleep(Duration::from_millis(1));
        }
        return std::thread::sleep(Duration::from_micros(draw(2, 30_000)));
    }
    if kill < LOADING + CACHING + WRITING {
        // Two of three come in the middle of a checkpoint, the others in any file of the run.
        let at_least = if kill.is_multiple_of(3) { 0 } else { CHECKPOINT_BYTES / 2 };
        for _ in 0..draw(5, 3) {
            await_writing(training, project, at_least, true);
            await_writing(training, project, at_least, false);
        }
        await_writing(training, project, at_least, true);
        return std::thread::sleep(Duration::from_micros(250 * draw(6, 3)));
    }
    // Every fourth or fifth event ends an epoch: what follows it is validation, best epoch and checkpoint.
    for _ in 0..4 + draw(3, 8) {
        if training.next().is_none() {
            return;
        }
    }
    std::thread::sleep(Duration::from_micros(draw(4, 30_000)));
}

/// Waits until a file of the newest run is being written, or none.
fn await_writing(training: &mut Training, project: &Path, at_least: u64, wanted: bool) {
    while is_written(project, at_least) != wanted && training.is_running() {
        std::thread::sleep(Duration::from_micros(20));
    }
}

/// Whether a file of the newest run is unfinished: under a name of its own and with this many bytes already, or,
/// were the checkpoint written in place, too short.
fn is_written(project: &Path, at_least: u64) -> bool {
    let newest =
        std::fs::read_dir(project.join("runs")).into_iter().flatten().flatten().map(|e| e.path()).max();
    let files = newest.and_then(|run| std::fs::read_dir(run).ok()).into_iter().flatten().flatten();
    let mut unfinished = files.filter(|file| {
        let name = file.file_name().to_string_lossy().into_owned();
        let bytes = file.metadata().map_or(0, |about| about.len());
        let is_checkpoint = name == "checkpoint.safetensors";
        (name.starts_with(".partial-") && bytes >= at_least) || (is_checkpoint && bytes < CHECKPOINT_BYTES)
    });
    unfinished.next().is_some()
}

fn cache_bytes(project: &Path) -> u64 {
    let entries = std::fs::read_dir(project.join("cache")).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}
