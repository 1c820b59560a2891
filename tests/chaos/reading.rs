//! What answers is what was trained: a backbone that reads samples otherwise than it did is refused by every command.

use crate::run;
use crate::support::{Scratch, Training, copy_folder};
use std::path::Path;

/// A backbone of the user's in a folder of its own.
fn own_backbone(scratch: &Scratch, name: &str) -> std::path::PathBuf {
    let folder = scratch.path("mine");
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/backbones").join(name), &folder);
    folder
}

fn replace(path: &Path, from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from:?} is not in {}", path.display());
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    text
}

/// Every command that computes with the backbone, before and after it was changed by `change`, which gives the file and
/// what it held; `says` is what each refusal names.
fn check(
    scratch: &Scratch,
    data: &Path,
    mine: &Path,
    change: &dyn Fn() -> (std::path::PathBuf, String),
    says: &str,
) {
    let (project, export) = (scratch.path("project"), scratch.path("export"));
    let new = || {
        run!("new", "--data", data, "--backbone", mine, "--epochs", "300", "--out", project).code(0);
    };
    let restore = |(path, text): (std::path::PathBuf, String)| std::fs::write(path, text).unwrap();
    // Before the first run: what was agreed on is in the project's recipe.
    new();
    let changed = change();
    run!("train", project).code(2).says(says);
    restore(changed);
    let mut training = Training::start(&project, &[]);
    training.wait_for("epoch", 2);
    training.interrupt();
    training.end().0.code(130);
    run!("export", project, "--run", "0001", "--out", export).code(0);
    let question: &Path = &scratch.file("ask/words.txt", "The film was wonderful.");
    let asked = if mine.join("tokenizer.json").exists() { question } else { &data.join("red/00.png") };
    run!("predict", export, asked, "--backbone", mine).code(0);
    let changed = change();
    run!("train", project).code(2).says(says);
    run!("train", project, "--resume").code(2).says(says);
    run!("eval", project, "--run", "0001").code(2).says(says);
    run!("export", project, "--run", "0001", "--out", scratch.path("again")).code(2).says(says);
    run!("predict", export, asked, "--backbone", mine).code(2).says(says);
    restore(changed);
    run!("eval", project, "--run", "0001").code(0);
    std::fs::remove_dir_all(&project).unwrap();
    std::fs::remove_dir_all(&export).unwrap();
}

/// Meant to fail without `check_reading` in `jobs/train.rs`, and without the check in `Model::from_run`.
#[test]
fn another_tokenizer_or_pooling_is_refused_by_every_command() {
    let scratch = Scratch::new();
    let mine = own_backbone(&scratch, "all-MiniLM-L6-v2");
    let data = scratch.table("moods.csv", 40);
    let tokenizer = mine.join("tokenizer.json");
    let swap = || (tokenizer.clone(), replace(&tokenizer, "\"lowercase\":true", "\"lowercase\":false"));
    check(&scratch, &data, &mine, &swap, "tokenizer");
    let card = mine.join("frostline.toml");
    let other = || (card.clone(), replace(&card, "\"mean_tokens\"", "\"max_tokens\""));
    check(&scratch, &data, &mine, &other, "pooling");
}

/// An export carries its preprocessing with it; all else asks the backbone.
#[test]
fn another_preprocessing_is_refused() {
    let scratch = Scratch::new();
    let mine = own_backbone(&scratch, "mobilenetv2_100");
    let (data, project) = (scratch.images("photos", 6), scratch.path("project"));
    run!("new", "--data", data, "--backbone", mine, "--epochs", "1", "--out", project).code(0);
    let config = mine.join("config.json");
    let change = || replace(&config, "0.485", "0.475");
    let text = change();
    run!("train", project).code(2).says("preprocessing");
    std::fs::write(&config, text).unwrap();
    run!("train", project).code(0);
    change();
    run!("eval", project).code(2).says("preprocessing");
    run!("export", project, "--out", scratch.path("export")).code(2).says("preprocessing");
}
