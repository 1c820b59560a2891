//! Which runs were scored on the project's own test samples: once one was chosen by them, they flatter.

use super::Project;
use super::sealed::{SEALED_SINCE, read_sealed, write_sealed};
use crate::problem::Result;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `tested.json`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Tested {
    version: u32,
    /// `0001`, `0002`, .. in the order in which they were first scored.
    runs: Vec<String>,
}

impl Project {
    /// The other runs that were scored on the test samples before `run` is; from now on it counts among them.
    ///
    /// # Errors
    /// What was noted is damaged, or the folder cannot be written.
    pub fn note_tested(&self, run: &str) -> Result<Vec<String>> {
        let path = self.tested_path();
        let mut tested = match path.exists() {
            true => read_sealed(&path, "read which runs were tested")?,
            false => Tested::default(),
        };
        let others = tested.runs.iter().filter(|other| *other != run).cloned().collect();
        if !tested.runs.iter().any(|known| known == run) {
            tested.version = SEALED_SINCE;
            tested.runs.push(run.to_string());
            write_sealed(&path, &tested, "note which runs were tested")?;
        }
        Ok(others)
    }

    fn tested_path(&self) -> PathBuf {
        self.folder().join("tested.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Recipe;

    #[test]
    fn the_runs_that_were_tested_before_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = Recipe::parse(include_str!("goldens/recipe-1.toml")).unwrap();
        let project = Project::create(&folder.path().join("project"), &recipe).unwrap();
        let note = |run: &str| project.note_tested(run).unwrap();
        assert_eq!((note("0001"), note("0001")), (vec![], vec![]));
        assert_eq!((note("0002"), note("0001")), (vec!["0001".to_string()], vec!["0002".to_string()]));
        std::fs::write(project.tested_path(), "{\"version\": 2, \"runs\": []}").unwrap();
        assert!(project.note_tested("0001").is_err());
    }
}
