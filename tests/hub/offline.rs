//! Without a network everything goes on that was here before.

use crate::loopback::models::SMALL;
use crate::loopback::{Host, LoopbackHub};
use crate::support::{Answer, Scratch, copy_folder};
use crate::{User, repo_folder};
use std::path::{Path, PathBuf};
use std::process::Command;

const ID: &str = "owner/small-bert";
/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A user without any network: in a network namespace of its own where the system lets us, and always with proxies and
/// a Hub that lead nowhere.
fn denied(user: &User, arguments: &[&str]) -> Answer {
    let mut plain = user.program();
    plain.args(arguments);
    let mut command = match Command::new("unshare").args(["-rn", "true"]).status().is_ok_and(|s| s.success())
    {
        true => {
            let mut command = Command::new("unshare");
            command.arg("-rn").arg(plain.get_program()).args(plain.get_args());
            for (name, value) in plain.get_envs() {
                match value {
                    Some(value) => command.env(name, value),
                    None => command.env_remove(name),
                };
            }
            command
        }
        false => plain,
    };
    command.env("HF_ENDPOINT", NOWHERE).env("HTTP_PROXY", NOWHERE).env("HTTPS_PROXY", NOWHERE);
    Answer::new(command.output().unwrap())
}

/// A project on a backbone from the Hub.
fn project(user: &User, scratch: &Scratch) -> PathBuf {
    user.hub(&["download", ID]).code(0);
    let (data, project) = (scratch.table("reviews.csv", 24), scratch.path("project"));
    let paths = ["--data", data.to_str().unwrap(), "--out", project.to_str().unwrap()];
    user.run(["new", "--backbone", ID, "--epochs", "1"].iter().chain(&paths)).code(0);
    project
}

fn recipe(project: &Path) -> String {
    std::fs::read_to_string(project.join("recipe.toml")).unwrap()
}

#[test]
fn a_project_moves_to_a_machine_without_network() {
    let hub = LoopbackHub::start(vec![SMALL.repo(ID)]);
    let (user, scratch) = (User::of(&hub), Scratch::new());
    let project = project(&user, &scratch);
    let commit = SMALL.repo(ID).commit;
    assert!(recipe(&project).contains(&format!("revision = \"{commit}\"")), "{}", recipe(&project));
    let asked = hub.seen().len();
    let project = project.to_str().unwrap();

    // The cache came along.
    let moved = User::of(&hub);
    copy_links(&user.cache(), &moved.cache());
    denied(&moved, &["train", project, "--json"]).code(0);
    denied(&moved, &["eval", project]).code(0);
    let export = scratch.path("export");
    let export = export.to_str().unwrap();
    denied(&moved, &["export", project, "--out", export]).code(0);
    denied(&moved, &["predict", export, "--text", "It works."]).code(0);

    // The cache did not.
    let bare = User::of(&hub);
    let answer = denied(&bare, &["train", project]).code(2);
    let said =
        [ID, &commit, "is not on this machine", &format!("frostline hub download {ID} --revision {commit}")];
    for part in said {
        assert!(answer.stderr.contains(part), "{part:?} is not in {answer:#?}");
    }
    let command = format!("frostline hub download {ID} --revision {commit}");
    denied(&bare, &["predict", export, "--text", "It works."]).code(2).says(&command);
    assert_eq!(hub.seen().len(), asked, "the Hub was asked");

    // What it said helps.
    bare.hub(&["download", ID, "--revision", &commit]).code(0);
    denied(&bare, &["train", project]).code(0);
}

/// The commit that a project pins is found, also where the branch has moved on since.
#[test]
fn a_newer_commit_does_not_change_a_project() {
    let hub = LoopbackHub::start(vec![SMALL.repo(ID)]);
    let (user, scratch) = (User::of(&hub), Scratch::new());
    let project = project(&user, &scratch);
    let newer = crate::loopback::models::Size { seed: 77, ..SMALL }.repo(ID);
    hub.replace(newer.clone());
    user.hub(&["download", ID]).code(0);
    let snapshots = repo_folder(&user.cache(), ID).join("snapshots");
    assert_eq!(std::fs::read_dir(snapshots).unwrap().count(), 2);
    user.run(["train", project.to_str().unwrap()]).code(0);
    let refs = std::fs::read_to_string(repo_folder(&user.cache(), ID).join("refs/main")).unwrap();
    assert_eq!(refs, newer.commit);
}

/// The main job of a new user, with the network denied: data, bundled backbone, training, export, prediction.
#[test]
fn the_main_job_needs_no_network() {
    let hub = LoopbackHub::start(Vec::new());
    let (user, scratch) = (User::of(&hub), Scratch::new());
    let (data, project, export) =
        (scratch.images("photos", 8), scratch.path("project"), scratch.path("export"));
    let [data, project, export] = [&data, &project, &export].map(|path| path.to_str().unwrap());
    let new = ["new", "--data", data, "--backbone", "mobilenetv2_100", "--out", project, "--epochs", "1"];
    denied(&user, &new).code(0);
    denied(&user, &["train", project]).code(0);
    denied(&user, &["export", project, "--out", export]).code(0);
    denied(&user, &["predict", export, data]).code(0);
    denied(&user, &["hub", "list"]).code(0);
    denied(&user, &["hub", "search", "bert"]).code(3);
    assert!(hub.seen().iter().all(|seen| seen.host != Host::Store));
}

/// Copies a cache with its links as links.
fn copy_links(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy_links(&path, &target),
            kind if kind.is_symlink() => {
                std::os::unix::fs::symlink(std::fs::read_link(&path).unwrap(), target).unwrap()
            }
            _ => drop(std::fs::copy(&path, target).unwrap()),
        }
    }
}

/// A folder of the user's own serves as a backbone without any Hub.
#[test]
fn a_folder_is_a_backbone() {
    let hub = LoopbackHub::start(Vec::new());
    let (user, scratch) = (User::of(&hub), Scratch::new());
    let folder = scratch.path("mine");
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/backbones/mobilenetv2_100"), &folder);
    denied(&user, &["tree", folder.to_str().unwrap()]).code(0);
    assert!(hub.seen().is_empty());
}
