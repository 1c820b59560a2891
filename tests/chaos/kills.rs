//! Kills leave nothing: the short form of `kills.py`, which kills before every call; here before some of them.

use crate::support::{Answer, Result, Scratch, program, snapshot};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Kills in each command.
const KILLS: u64 = 8;

/// The killer of `killer.c`, where there is a compiler for it.
fn killer(scratch: &Scratch) -> Option<PathBuf> {
    let (to, source) =
        (scratch.path("killer"), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chaos/killer.c"));
    let made = Command::new("cc").args(["-O2", "-o"]).args([&to, &source]).status();
    made.is_ok_and(|status| status.success()).then_some(to)
}

/// Runs the program, killed before its call number `at`; gives the calls there were and whether it was killed.
fn kill(scratch: &Scratch, killer: &Path, at: u64, arguments: &[&str]) -> (u64, bool) {
    let counted = scratch.path("calls");
    let plain = program();
    let mut command = Command::new(killer);
    command.arg(at.to_string()).arg(&counted).arg(plain.get_program()).args(arguments);
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let answer = Answer::new(command.output().unwrap());
    assert!([Some(0), Some(137)].contains(&answer.code), "{arguments:?}: {answer:#?}");
    (std::fs::read_to_string(counted).unwrap().trim().parse().unwrap(), answer.code == Some(137))
}

/// The names of all files below a folder.
fn names(folder: &Path) -> BTreeSet<PathBuf> {
    snapshot(folder).into_keys().collect()
}

/// Meant to fail where a training does not clear leftovers, and where `new` takes no folder that holds any.
#[cfg(target_os = "linux")]
#[test]
fn kills_leave_nothing() {
    let scratch = Scratch::new();
    let Some(killer) = killer(&scratch) else {
        return println!("skipped: there is no C compiler for tests/chaos/killer.c");
    };
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    let (data, home) = (text(scratch.images("photos", 6)), scratch.path("home"));
    let (project, export) = (scratch.path("home/project"), scratch.path("home/export"));
    let (at, out) = (text(project.clone()), text(export.clone()));
    let new = ["new", "--data", &data, "--backbone", "mobilenetv2_100", "--epochs", "2", "--out", &at];
    let train = ["train", &at, "--threads", "1"];
    let resume = ["train", &at, "--threads", "1", "--resume"];
    let give = ["export", &at, "--out", &out];
    let commands: [(&[&str], &[&str], bool); 3] =
        [(&new, &new, true), (&train, &resume, true), (&give, &give, false)];
    let mut kills = 0;
    for (command, again, is_project) in commands {
        // What a call that nobody disturbs makes.
        let before = snapshot(&home_of(&home));
        let (calls, _) = kill(&scratch, &killer, 0, command);
        let expected = names(&home);
        let result = (command == train).then(|| Result::of(&project, "0001"));
        for number in 0..KILLS {
            restore(&home, &before);
            let (_, was_killed) = kill(&scratch, &killer, 1 + number * (calls - 1) / (KILLS - 1), command);
            kills += u64::from(was_killed);
            let answer = Answer::new(program().args(again).output().unwrap());
            // The kill may have come when all was done.
            let is_done = answer.code == Some(2)
                && (answer.stderr.contains("nothing to resume") || answer.stderr.contains("already"));
            assert!(answer.code == Some(0) || is_done, "kill {number} in {command:?}: {answer:#?}");
            assert_eq!(names(&home), expected, "kill {number} in {command:?}");
            if let Some(result) = &result {
                result.assert_same(&Result::of(&project, "0001"));
            }
        }
        assert_eq!(is_project, !export.exists());
    }
    assert!(kills > 2 * KILLS, "{kills} kills");
    println!("{kills} kills");
}

/// The folder, made where it is not there yet.
fn home_of(home: &Path) -> PathBuf {
    std::fs::create_dir_all(home).unwrap();
    home.to_path_buf()
}

fn restore(home: &Path, before: &std::collections::BTreeMap<PathBuf, Vec<u8>>) {
    std::fs::remove_dir_all(home).unwrap();
    for (path, bytes) in before {
        let path = home.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::create_dir_all(home).unwrap();
}
