//! What others left in the cache is taken, and what is left of our own is what others expect.

use crate::loopback::LoopbackHub;
use crate::loopback::models::{SMALL, golden, mobilenet, pickled};
use crate::{User, repo_folder};
use serde_json::json;
use std::path::{Path, PathBuf};

const ID: &str = "owner/small-bert";

#[test]
fn the_cache_has_the_layout_of_hugging_face() {
    let repo = SMALL.repo(ID);
    let hub = LoopbackHub::start(vec![repo.clone()]);
    let user = User::of(&hub);
    user.hub(&["download", ID]).code(0);
    let folder = repo_folder(&user.cache(), ID);
    let text = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    assert_eq!(text("refs/main"), repo.commit);
    let link =
        |path: &str| std::fs::read_link(folder.join("snapshots").join(&repo.commit).join(path)).unwrap();
    let sha256 = repo.sha256("model.safetensors");
    assert_eq!(link("model.safetensors"), Path::new("../../blobs").join(sha256));
    let pooling = repo.files["1_Pooling/config.json"].git_sha1();
    assert_eq!(link("1_Pooling/config.json"), Path::new("../../../blobs").join(pooling));
    let tree: serde_json::Value =
        serde_json::from_str(&text(&format!("trees/{}.json", repo.commit))).unwrap();
    assert_eq!(tree["files"]["model.safetensors"]["lfs_sha256"], sha256);
    assert!(user.cache().join("CACHEDIR.TAG").is_file());
    assert!(user.cache().join(format!(".locks/models--owner--small-bert/{sha256}.lock")).is_file());
    let left: Vec<_> =
        std::fs::read_dir(folder.join("blobs")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 5, "{left:?}");
}

/// Python may have fetched a part of a model only: what is there is not fetched again.
#[test]
fn blobs_of_others_are_taken() {
    let repo = mobilenet();
    let hub = LoopbackHub::start(vec![repo.clone()]);
    let user = User::of(&hub);
    let blobs = repo_folder(&user.cache(), &repo.id).join("blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let content = &repo.files["model.safetensors"];
    let mut bytes = vec![0; content.len() as usize];
    content.read(0, &mut bytes);
    std::fs::write(blobs.join(repo.sha256("model.safetensors")), bytes).unwrap();
    user.hub(&["download", &repo.id]).code(0);
    assert!(hub.stored_bytes() < 150_000, "{}", hub.stored_bytes());
    user.hub(&["verify", &repo.id]).code(0);
}

#[test]
fn old_weights_are_converted_after_a_spoken_yes() {
    let hub = LoopbackHub::start(vec![pickled(ID, golden("pytorch_model.bin"))]);
    let user = User::of(&hub);
    let page = user.hub(&["info", ID, "--json"]).code(0).object();
    assert_eq!((&page["supported"], &page["needs_pickle"]), (&json!(false), &json!(true)));
    user.hub(&["download", ID]).code(2).says("--allow-pickle");
    let events = user.hub(&["download", ID, "--allow-pickle", "--json"]).code(0).lines();
    let folder = PathBuf::from(events.last().unwrap()["path"].as_str().unwrap());
    assert!(folder.starts_with(user.home()) && folder.join("model.safetensors").is_file());
    let verified = user.hub(&["verify", ID, "--json"]).code(0).lines();
    assert!(verified.iter().any(|entry| entry["revision"].is_null()), "{verified:?}");
    user.run(["tree", ID]).code(0);
}

#[test]
fn a_program_in_old_weights_does_not_run() {
    let hub = LoopbackHub::start(vec![pickled(ID, golden("program.bin"))]);
    let user = User::of(&hub);
    let mut command = user.program();
    command.current_dir(user.folder.path()).args(["hub", "download", ID, "--allow-pickle"]);
    crate::support::Answer::new(command.output().unwrap()).code(2).says("the weight file cannot be used");
    assert!(
        !user.path("frostline-was-here").exists()
            && !user.home().join("backbones/owner--small-bert").exists()
    );
}
