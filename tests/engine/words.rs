//! The window and the command line share an engine, and each has words of its own: `src/remedy.rs` holds both.

use std::path::{Path, PathBuf};

/// What is never shown in the window may speak of options: the command line itself, remedies (which have words for both),
/// what only the command line asks for, and a command that is to be run outside.
const OF_THE_COMMAND_LINE: [(&str, &str); 8] = [
    ("cli/", ""),
    ("remedy.rs", ""),
    ("jobs/create.rs", "frostline new --help"),
    ("jobs/score.rs", "leave --run away"),
    ("jobs/score.rs", "name labelled samples with --data"),
    ("gui/mod.rs", "frostline --help"),
    ("project/device.rs", ""),
    ("data/text/facts.rs", "--text"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|e| e == "rs") => found.push(path),
            false => {}
        }
    }
}

/// Whether a line of code, which has no `--` outside of words, speaks of an option or of a command.
fn speaks_of_commands(line: &str) -> bool {
    let is_option = |rest: &str| rest.starts_with(|c: char| c.is_ascii_lowercase());
    line.split("--").skip(1).any(is_option) || line.contains("`frostline ") || line.contains("same command")
}

/// Seen to fail with `train without --resume` in `src/jobs/train.rs`.
#[test]
fn no_words_of_the_command_line_reach_the_window() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    let mut told = Vec::new();
    for path in found {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in lines.filter(|line| speaks_of_commands(line)) {
            let may = |(file, words): &(&str, &str)| name.starts_with(file) && line.contains(words);
            if !name.ends_with("tests.rs") && !OF_THE_COMMAND_LINE.iter().any(may) {
                told.push(format!("{name}: {}", line.trim()));
            }
        }
    }
    assert!(told.is_empty(), "the window would say:\n{}", told.join("\n"));
}
