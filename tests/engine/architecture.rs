//! Dependencies point one way: a folder of `src/` uses only those above it in this list. `ARCHITECTURE.md` explains.
//!
//! Sabotage seen to fail: `use crate::train::top::Top;` in `src/backbone/spec.rs`.

use std::path::{Path, PathBuf};

const ORDER: [&str; 21] = [
    "control", "units", "data", "problem", "nn", "optim", "backbone", "hub", "network", "task", "project",
    "train", "predict", "inspect", "evaluate", "export", "jobs", "worker", "session", "gui", "cli",
];
/// Folders that know no front end.
const ENGINE: usize = 17;

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

/// `train` for `src/train/fit.rs`; `None` for `lib.rs` and `main.rs`.
fn folder_of(path: &Path) -> Option<usize> {
    let relative = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
    ORDER.iter().position(|name| *name == first)
}

/// Folder names after `crate::` in code; what tests and comments say does not count.
fn used(text: &str) -> Vec<String> {
    let code: String = text
        .split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let names = code.split("crate::").skip(1);
    names.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()).collect()
}

#[test]
fn dependencies_point_one_way() {
    for (path, text) in sources() {
        let Some(own) = folder_of(&path) else { continue };
        for name in used(&text) {
            if let Some(other) = ORDER.iter().position(|n| *n == name) {
                assert!(other <= own, "{} uses {name}, which stands below it", path.display());
            }
        }
    }
}

#[test]
fn the_engine_knows_no_front_end() {
    for (path, text) in sources() {
        let Some(own) = folder_of(&path) else { continue };
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let forbidden: &[&str] = match ORDER[own] {
            "gui" => &["candle_core", "candle_nn"],
            "session" | "cli" => &["candle_core", "candle_nn", "egui"],
            "worker" => &["egui"],
            _ if own < ENGINE => {
                &["egui", "println!", "eprintln!", "crossbeam", "std::thread::spawn", "indicatif"]
            }
            _ => &[],
        };
        for word in forbidden {
            assert!(!code.contains(word), "{} mentions {word}", path.display());
        }
    }
}

#[test]
fn unsafe_stays_in_the_kernels_and_the_memory_map() {
    for (path, text) in sources() {
        let may =
            path.components().any(|c| c.as_os_str() == "kernels") || path.ends_with("backbone/mapped.rs");
        assert!(may || !text.contains("unsafe "), "{} is unsafe", path.display());
    }
}

/// Invariant 1, by its letter: freezing is a type, not a flag.
#[test]
fn no_flag_says_frozen() {
    for (path, text) in sources() {
        assert!(!text.contains("frozen: bool"), "{} keeps a flag", path.display());
    }
}
