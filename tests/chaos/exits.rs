//! Exit codes: each as `frostline --help` says.

use crate::run;
use crate::support::{Answer, Scratch, Training, frostline, program};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A project of small images with a finished run.
fn trained(scratch: &Scratch, epochs: &str) -> PathBuf {
    let (data, project) = (scratch.images("photos", 6), scratch.path("project"));
    let new = ["--backbone", "mobilenetv2_100", "--epochs", epochs];
    let paths = ["--data", data.to_str().unwrap(), "--out", project.to_str().unwrap()];
    frostline(["new"].iter().chain(&new).chain(&paths)).code(0);
    run!("train", &project).code(0);
    project
}

fn signal(name: &str, id: u32) {
    let done = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status();
    assert!(done.unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_an_error_of_every_command() {
    let scratch = Scratch::new();
    let project = trained(&scratch, "1");
    let export = scratch.path("export");
    run!("export", &project, "--out", &export).code(0);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (project, export) = (text(&project), text(&export));
    let (data, again) = (text(&scratch.path("photos")), text(&scratch.path("again")));
    let (out, picture) = (text(&scratch.path("export-2")), text(&scratch.path("photos/red/00.png")));
    let commands: [&[&str]; 15] = [
        &["--help"],
        &["--version"],
        &["train", "--help"],
        &["scan", &data],
        &["scan", &data, "--json"],
        &["backbones"],
        &["tree", "mobilenetv2_100"],
        &["new", "--data", &data, "--backbone", "mobilenetv2_100", "--out", &again],
        &["train", &project],
        &["train", &project, "--json"],
        &["eval", &project],
        &["predict", &export, &picture],
        &["export", &project, "--out", &out],
        &["runs", &project],
        &["hub", "list"],
    ];
    for command in commands {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let ended = program().args(command).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let answer = Answer::new(ended);
        // Nothing to list is nothing to print.
        assert_eq!(answer.code, Some(1), "{command:?}: {answer:#?}");
        assert!(answer.stderr.contains("could not be written"), "{command:?}: {answer:#?}");
    }
    // The training itself was not lost.
    assert_eq!(run!("runs", &project, "--json").code(0).lines().len(), 3);
}

#[test]
fn a_recipe_that_is_no_text_is_bad_input() {
    let scratch = Scratch::new();
    let recipe = scratch.file("project/recipe.toml", b"version = 1\n# caf\xe9\n");
    run!("train", recipe.parent().unwrap()).code(2).says("first wrong byte is on line 2");
}

/// Signals come while the program is at work; each command ends soon and with the code of a stop.
#[cfg(unix)]
#[test]
fn a_signal_stops_every_command() {
    let scratch = Scratch::new();
    let project = trained(&scratch, "1");
    let export = scratch.path("export");
    run!("export", &project, "--out", &export).code(0);
    let many = scratch.images("many", 400);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (project, export, many) = (text(&project), text(&export), text(&many));
    let out = text(&scratch.path("export-2"));
    let commands: [(&[&str], &str, i32); 4] = [
        (&["predict", &export, &many, "--threads", "1"], "TERM", 130),
        (&["eval", &export, "--data", &many, "--threads", "1"], "INT", 130),
        (&["predict", &export, &many, "--threads", "1"], "USR1", 75),
        (&["export", &project, "--out", &out], "TERM", 130),
    ];
    for (command, name, code) in commands {
        // It may be over before the signal comes, or not yet listen to it; some moment in between must do.
        let stopped = [60, 120, 240, 480, 30, 15].into_iter().any(|delay| {
            let mut child = program();
            let child = child.args(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(delay));
            signal(name, child.id());
            let ended = Answer::new(child.wait_with_output().unwrap());
            assert!([Some(code), Some(0), None].contains(&ended.code), "{command:?}: {ended:#?}");
            if ended.code == Some(0) {
                let _ = std::fs::remove_dir_all(scratch.path("export-2"));
            }
            ended.code == Some(code)
        });
        assert!(stopped, "{command:?} was never stopped");
    }
    assert!(!scratch.path("export-2").exists());
    let left: Vec<String> = std::fs::read_dir(scratch.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(".partial-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[cfg(unix)]
#[test]
fn a_scheduler_stops_a_training_with_a_checkpoint_and_a_code_of_its_own() {
    let scratch = Scratch::new();
    let project = trained(&scratch, "300");
    let mut training = Training::start(&project, &[]);
    training.wait_for("epoch", 2);
    signal("USR1", training.id());
    let (answer, events) = training.end();
    answer.code(75);
    assert_eq!(events.last().unwrap()["event"], "stopped");
    assert!(project.join("runs/0002/checkpoint.safetensors").is_file());
    let (answer, _) = Training::start(&project, &["--resume"]).end();
    answer.code(0);
    assert_eq!(run!("runs", &project, "--json").code(0).lines()[1]["state"], "finished");
}

/// Meant to fail with the abort of an allocation where nobody looks before.
#[cfg(target_os = "linux")]
#[test]
fn a_training_that_does_not_fit_is_refused_with_the_numbers() {
    let scratch = Scratch::new();
    let (data, project) = (scratch.images("many", 200), scratch.path("project"));
    run!(
        "new",
        "--data",
        &data,
        "--backbone",
        "mobilenetv2_100",
        "--thaw",
        "*",
        "--batch-size",
        "256",
        "--out",
        &project
    )
    .code(0);
    let command = program();
    let line = format!(
        "ulimit -v 6000000; exec '{}' train '{}' --threads 1",
        command.get_program().display(),
        project.display()
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let answer = Answer::new(shell.output().unwrap());
    assert_eq!(answer.code, Some(1), "{answer:#?}");
    for words in ["too little memory", "GB, and", "a smaller batch than"] {
        assert!(answer.stderr.contains(words), "{answer:#?}");
    }
    assert!(!project.join("runs/0001").exists());
}
