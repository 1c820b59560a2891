//! Large files over a line that breaks, programs that are killed, programs that want the same.
//!
//! Sabotage seen to fail: `Partial::open` beginning with an empty file; `Lock::wait` returning without the lock.

use crate::User;
use crate::loopback::models::{LARGE, mobilenet};
use crate::loopback::{Fault, Host, LoopbackHub};
use frostline::backbone::weights::sha256_of_file;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

const ID: &str = "owner/large-bert";

/// Reads events until the weights have come so far; false where the program ended before.
fn watch(child: &mut Child, bytes: u64) -> bool {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
    lines.any(|line| {
        let event: Value = serde_json::from_str(&line).unwrap();
        event["file"] == "model.safetensors" && event["bytes"].as_u64().unwrap() >= bytes
    })
}

#[test]
fn half_a_gigabyte_over_a_breaking_line_with_two_kills() {
    let repo = LARGE.repo(ID);
    let size = repo.files["model.safetensors"].len();
    let hub = LoopbackHub::start(vec![repo.clone()]);
    hub.fault(Host::Store, repo.sha256("model.safetensors"), u64::MAX, Fault::CutAfter(20_000_000));
    // A real line is slower than the reader: little is under way when the program dies.
    hub.pace(100_000_000);
    let user = User::of(&hub);
    for kill_at in [size / 3, 2 * size / 3] {
        let mut command = user.program();
        command.args(["hub", "download", ID, "--json"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        assert!(watch(&mut child, kill_at), "the download ended before the kill");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let answer = user.hub(&["download", ID, "--json"]).code(0);
    let finished = answer.lines().pop().unwrap();
    assert_eq!(finished["event"], "finished");
    let weights = std::path::Path::new(finished["path"].as_str().unwrap()).join("model.safetensors");
    assert_eq!(sha256_of_file(&weights).unwrap(), repo.sha256("model.safetensors"));
    let served = hub.stored_bytes();
    println!(
        "{size} bytes in the file, {served} bytes served, {:.2} % more",
        100.0 * (served as f64 / size as f64 - 1.0)
    );
    assert!(served as f64 <= 1.05 * size as f64, "{served} bytes were served for {size}");
    assert!(hub.seen().iter().filter(|s| s.host == Host::Store).count() >= 25);
    hub.assert_token_stayed();
}

/// Two caches with locks of their own and one folder of blobs between them, as on a disk where locks do nothing; lines
/// that break and a store that begins anew make each of them begin anew. What gets its name is right.
///
/// Meant to fail where the digest is that of what was received, not of the file: with appended writes.
#[cfg(unix)]
#[test]
fn without_locks_two_downloads_do_not_mix() {
    let repo = mobilenet();
    let size = repo.files["model.safetensors"].len();
    for round in 0..4 {
        let hub = LoopbackHub::start(vec![repo.clone()]);
        hub.pace(4_000_000);
        let weights = repo.sha256("model.safetensors");
        hub.fault(Host::Store, weights, 1 + round % 2, Fault::CutAfter(size / 3));
        hub.fault(Host::Store, weights, round, Fault::CutWhole(size / 2));
        hub.fault(Host::Store, weights, 1, Fault::IgnoreRange);
        let users = [User::of(&hub), User::of(&hub)];
        let shared = users[0].path("shared");
        std::fs::create_dir_all(shared.join("snapshots")).unwrap();
        for user in &users {
            std::fs::create_dir_all(user.cache()).unwrap();
            std::os::unix::fs::symlink(&shared, crate::repo_folder(&user.cache(), &repo.id)).unwrap();
        }
        let programs = users.each_ref().map(|user| {
            let mut command = user.program();
            command.args(["hub", "download", &repo.id, "--json"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        });
        for program in programs {
            crate::support::Answer::new(program.wait_with_output().unwrap()).code(0);
        }
        users[0].hub(&["verify", &repo.id]).code(0);
        let names = std::fs::read_dir(shared.join("blobs")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.ends_with("incomplete")).count(), 0);
    }
}

#[test]
fn two_programs_share_one_download() {
    let repo = mobilenet();
    let size = repo.files["model.safetensors"].len();
    let hub = LoopbackHub::start(vec![repo.clone()]);
    hub.pace(6_000_000);
    let user = User::of(&hub);
    let start = || {
        let mut command = user.program();
        command.args(["hub", "download", &repo.id, "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let programs = [start(), start()];
    for program in programs {
        let answer = crate::support::Answer::new(program.wait_with_output().unwrap()).code(0);
        assert_eq!(answer.lines().pop().unwrap()["event"], "finished");
    }
    // Each program reads the header by itself.
    assert!(hub.stored_bytes() <= size + 250_000, "{} bytes were served for {size}", hub.stored_bytes());
    user.hub(&["verify", &repo.id]).code(0);
}

/// Meant to fail with mixed bytes where a finished file gets its name without being read once more.
#[cfg(target_os = "linux")]
#[test]
fn programs_mix_nothing_where_the_disk_knows_no_locks() {
    let repo = mobilenet();
    let hub = LoopbackHub::start(vec![repo.clone()]);
    hub.pace(6_000_000);
    let user = User::of(&hub);
    let library = user.path("noflock.so");
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hub/noflock.c");
    let made =
        std::process::Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("there is no C compiler, so nothing was tried");
        return;
    }
    for delay in [0, 150, 600] {
        let mut programs = Vec::new();
        for _ in 0..3 {
            let mut command = user.program();
            command.args(["hub", "download", &repo.id]).env("LD_PRELOAD", &library);
            programs.push(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
            std::thread::sleep(std::time::Duration::from_millis(delay));
        }
        for program in programs {
            crate::support::Answer::new(program.wait_with_output().unwrap()).code(0);
        }
        user.hub(&["verify", &repo.id]).code(0);
        user.hub(&["remove", &repo.id]).code(0);
    }
}
