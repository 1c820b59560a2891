//! `tests/CASES.md`: what people bring, and the tests that hold what comes of it.

use std::collections::BTreeSet;
use std::path::Path;

const TABLE: &str = include_str!("../CASES.md");

/// Sabotage seen to fail: a letter more in the name of a test.
#[test]
fn every_case_has_a_test() {
    let mut tests = BTreeSet::new();
    for folder in ["src", "tests"] {
        names_of_functions(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut tests);
    }
    let rows: Vec<Vec<&str>> =
        TABLE.lines().filter(|line| line.ends_with("` |")).map(|line| line.split(" | ").collect()).collect();
    assert!(rows.len() >= 92, "{} cases", rows.len());
    let mut cases = BTreeSet::new();
    for row in rows {
        let [case, input, expectation, test] = row.as_slice() else { panic!("{row:?}") };
        assert!(cases.insert(*case), "{case} stands twice");
        assert!(!input.trim().is_empty() && !expectation.trim().is_empty(), "{case} says too little");
        let test = test.trim_end_matches(" |").trim_matches('`');
        assert!(tests.contains(test), "{case}: there is no test {test}");
    }
}

fn names_of_functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            names_of_functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let names = text.lines().filter_map(|line| line.trim().strip_prefix("fn ")?.split('(').next());
            found.extend(names.map(str::to_owned));
        }
    }
}
