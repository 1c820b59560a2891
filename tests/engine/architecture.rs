//! Dependencies point one way: a folder of `src/` uses only those above it in this list. `ARCHITECTURE.md` explains.
//!
//! Sabotage seen to fail: `use crate::train::top::Top;` in `src/backbone/spec.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const ORDER: [&str; 25] = [
    "control", "units", "home", "remedy", "data", "problem", "bounded", "partial", "nn", "optim", "backbone",
    "hub", "network", "task", "project", "train", "predict", "inspect", "evaluate", "export", "jobs",
    "worker", "session", "gui", "cli",
];
/// Folders that know no front end.
const ENGINE: usize = 21;

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

/// Not rustc's `missing_docs`: that asks for every field and variant too (about 875 more), and there a comment would
/// mostly repeat the name.
#[test]
fn every_public_item_says_what_it_is() {
    for (path, text) in sources() {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let (mut is_described, mut in_attribute) = (false, false);
        for (number, line) in code.lines().map(str::trim).enumerate() {
            let place = format!("{}, line {}", path.display(), number + 1);
            assert!(is_described || !is_public_item(line), "{place}: no `///` above: {line}");
            // Attributes, of one line or several, may stand between the comment and the item.
            let is_attribute = in_attribute || line.starts_with("#[");
            in_attribute = is_attribute && !line.ends_with(']');
            // In a macro `$(#[..])*` is the comment that stands where it is called.
            let is_comment = line.starts_with("///") || line.starts_with("$(#[");
            is_described = is_comment || (is_described && is_attribute);
        }
    }
}

/// Whether an item begins on this line that is public without a limit such as `pub(super)`.
fn is_public_item(line: &str) -> bool {
    let kinds = ["fn", "struct", "enum", "trait", "const", "type", "static", "unsafe", "async", "extern"];
    let word = line.strip_prefix("pub ").and_then(|rest| rest.split_whitespace().next());
    word.is_some_and(|word| kinds.contains(&word))
}

/// The longest file and function; the aim is 400 and 60 lines.
const MOST_LINES: usize = 500;
const MOST_LINES_OF_A_FUNCTION: usize = 80;

/// Sabotage seen to fail: 20 blank lines inside `train::fit::fit`.
#[test]
fn files_and_functions_are_short_enough_to_be_read() {
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() <= MOST_LINES, "{} has {} lines", path.display(), lines.len());
        for (number, line) in lines.iter().enumerate() {
            let Some((indent, name)) = function(line) else { continue };
            // As rustfmt writes it, the brace that ends a function stands where the function begins.
            let end = format!("{indent}}}");
            let length = lines[number..].iter().position(|line| *line == end).map_or(1, |at| at + 1);
            let place = format!("{}, line {}", path.display(), number + 1);
            assert!(length <= MOST_LINES_OF_A_FUNCTION, "{place}: {name} has {length} lines");
        }
    }
}

/// Indent and name, where a function with a body begins on this line.
fn function(line: &str) -> Option<(&str, &str)> {
    let code = line.trim_start();
    let indent = &line[..line.len() - code.len()];
    let is_declared_only = code.ends_with(';');
    let name = code.split_once("fn ")?;
    let is_function = name
        .0
        .split_whitespace()
        .all(|word| matches!(word, "pub" | "const" | "unsafe" | "extern") || word.starts_with("pub("));
    let end = name.1.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (is_function && !is_declared_only).then_some((indent, &name.1[..end]))
}

/// Inside a folder the files point one way too. A folder counts for all that it holds.
///
/// Sabotage seen to fail: `use super::registry::Family;` in `src/backbone/families/bert.rs` and the like.
#[test]
fn files_of_a_folder_do_not_use_each_other_in_circles() {
    let modules: BTreeMap<Vec<String>, String> =
        sources().into_iter().filter_map(|(path, text)| Some((module_of(&path)?, text))).collect();
    let mut uses: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (module, text) in &modules {
        for mut used in references(module, text) {
            while !used.is_empty() && !modules.contains_key(&used) {
                used.pop();
            }
            // The first place where both paths part: there one neighbour uses the other.
            let shared = module.iter().zip(&used).take_while(|(a, b)| a == b).count();
            if shared > 0 && shared < module.len() && shared < used.len() {
                uses.entry(module[..=shared].to_vec()).or_default().insert(used[..=shared].to_vec());
            }
        }
    }
    for start in uses.keys() {
        let mut way = vec![start.clone()];
        assert!(!leads_back(start, start, &uses, &mut way, &mut BTreeSet::new()), "a circle: {way:?}");
    }
}

/// `["train", "fit"]` for `src/train/fit.rs`; `None` for `lib.rs`, `main.rs` and what only tests use.
fn module_of(path: &Path) -> Option<Vec<String>> {
    let relative = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).ok()?;
    let mut names: Vec<String> = relative
        .with_extension("")
        .components()
        .map(|name| name.as_os_str().to_string_lossy().into_owned())
        .collect();
    names.pop_if(|last| last == "mod");
    let is_test = |name: &String| name.ends_with("tests") || name == "goldens" || name == "testing";
    (names != ["lib"] && names != ["main"] && !names.iter().any(is_test)).then_some(names)
}

/// Every path that the code of `module` names from `crate` or `super` on, without what is for tests alone.
fn references(module: &[String], text: &str) -> Vec<Vec<String>> {
    let code: String = text
        .split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut found = Vec::new();
    for (from, base) in [("crate::", &[][..]), ("super::", &module[..module.len() - 1])] {
        for (at, _) in code.match_indices(from) {
            let is_word = code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
            if !is_word {
                expand(&mut base.to_vec(), &code[at + from.len()..], &mut found);
            }
        }
    }
    found
}

/// Follows `a::b::{c, d::e}` from `base` on.
fn expand(base: &mut Vec<String>, rest: &str, found: &mut Vec<Vec<String>>) {
    if let Some(group) = rest.strip_prefix('{') {
        let (mut depth, mut start) = (0, 0);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    expand(&mut base.clone(), group[start..at].trim_start(), found);
                    start = at + 1;
                    if c == '}' {
                        return;
                    }
                }
                _ => {}
            }
        }
        return;
    }
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    match name {
        "super" => drop(base.pop()),
        "self" | "" => {}
        name => base.push(name.to_string()),
    }
    match after.strip_prefix("::") {
        Some(more) => expand(base, more, found),
        None => found.push(base.clone()),
    }
}

fn leads_back(
    start: &Vec<String>,
    from: &Vec<String>,
    uses: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
    way: &mut Vec<Vec<String>>,
    seen: &mut BTreeSet<Vec<String>>,
) -> bool {
    for next in uses.get(from).into_iter().flatten() {
        way.push(next.clone());
        if next == start || (seen.insert(next.clone()) && leads_back(start, next, uses, way, seen)) {
            return true;
        }
        way.pop();
    }
    false
}
