//! The project folder: `recipe.toml`, `runs/`, `cache/`, and a lock so that two programs never train it at once.

use super::files::{relative_path, write_atomically};
use super::{Recipe, Run, RunState, kept_index};
use crate::data::scan::RECIPE_FILE;
use crate::partial;
use crate::problem::{Problem, Result};
use crate::remedy::Remedy;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// A project on disk.
#[derive(Debug, Clone)]
pub struct Project {
    folder: PathBuf,
}

/// Held while a run of the project is being trained; released when dropped or when the process ends.
#[derive(Debug)]
pub struct ProjectLock {
    _file: File,
}

impl Project {
    /// Makes a project in `folder`, which must not exist or hold no more than a call that was killed left of the same
    /// project.
    ///
    /// # Errors
    /// The folder holds something else, or cannot be written.
    pub fn create(folder: &Path, recipe: &Recipe) -> Result<Self> {
        let text = recipe.to_toml()?;
        partial::clear(folder);
        let is_leftover = |entry: std::fs::DirEntry| match entry.file_name().to_str() {
            Some(RECIPE_FILE) => std::fs::read(entry.path()).is_ok_and(|found| found == text.as_bytes()),
            Some(kept_index::FILE) => folder.join(RECIPE_FILE).exists(),
            Some(_) | None => false,
        };
        if !std::fs::read_dir(folder).is_ok_and(|mut entries| entries.all(|e| e.is_ok_and(is_leftover)))
            && folder.is_dir()
        {
            return Err(Problem::input(
                "the project was not made",
                "the folder is not empty",
                "choose a new or an empty folder",
            )
            .at(folder));
        }
        if folder.is_file() {
            return Err(Problem::input(
                "the project was not made",
                "there is a file of this name",
                "choose another name",
            )
            .at(folder));
        }
        let existed = folder.exists();
        std::fs::create_dir_all(folder).map_err(|e| Problem::io("make the project folder", folder, &e))?;
        let project = Self { folder: folder.to_path_buf() };
        if let Err(problem) = write_atomically(&project.recipe_path(), text.as_bytes(), "write the recipe") {
            if !existed {
                // An empty folder that stays behind is taken at the next try.
                let _ = std::fs::remove_dir(folder);
            }
            return Err(problem);
        }
        Ok(project)
    }

    /// Whether a new project can have this name: nothing is there, or what a call left that was killed before it wrote
    /// anything.
    pub fn is_free(folder: &Path) -> bool {
        partial::clear(folder);
        !folder.exists() || std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
    }

    /// Whether `folder` is a project.
    pub fn is_at(folder: &Path) -> bool {
        folder.join(RECIPE_FILE).is_file()
    }

    /// Opens the project in `folder`.
    ///
    /// # Errors
    /// There is no `recipe.toml`.
    pub fn open(folder: &Path) -> Result<Self> {
        if !Self::is_at(folder) {
            let why = if folder.exists() { "it has no recipe.toml" } else { "it does not exist" };
            return Err(Problem::input("this is not a project", why, Remedy::MakeProject).at(folder));
        }
        Ok(Self { folder: folder.to_path_buf() })
    }

    /// Where the project lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the feature caches lie.
    pub fn cache_folder(&self) -> PathBuf {
        self.folder.join("cache")
    }

    /// Where its `recipe.toml` lies.
    pub fn recipe_path(&self) -> PathBuf {
        self.folder.join(RECIPE_FILE)
    }

    /// Reads the recipe.
    pub fn recipe(&self) -> Result<Recipe> {
        Recipe::read(&self.recipe_path())
    }

    /// Replaces the recipe.
    pub fn write_recipe(&self, recipe: &Recipe) -> Result<()> {
        write_atomically(&self.recipe_path(), recipe.to_toml()?.as_bytes(), "write the recipe")
    }

    /// Where a path of the recipe leads: from the project folder, unless it is absolute.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// How a recipe in `folder` names what lies at `path`: relative where that is possible.
    ///
    /// # Errors
    /// There is nothing at `path`.
    pub fn reference(folder: &Path, path: &Path) -> Result<PathBuf> {
        let path =
            std::fs::canonicalize(path).map_err(|e| Problem::io("find what the project needs", path, &e))?;
        let folder =
            std::path::absolute(folder).map_err(|e| Problem::io("find the project folder", folder, &e))?;
        // The folder may not exist yet: resolve the part that does.
        let existing = folder.ancestors().find(|f| f.exists()).unwrap_or(&folder);
        let rest = folder.strip_prefix(existing).unwrap_or(Path::new(""));
        let resolved = std::fs::canonicalize(existing).map(|f| f.join(rest)).unwrap_or(folder.clone());
        Ok(relative_path(&resolved, &path))
    }

    /// All runs, oldest first.
    pub fn runs(&self) -> Vec<Run> {
        let folders = crate::hub::subfolders(&self.folder.join("runs"));
        let mut folders: Vec<PathBuf> = folders.filter(|f| f.join("run.json").is_file()).collect();
        // By number: 10000 comes after 9999. What is no number is no run.
        let number = |f: &PathBuf| f.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<u32>().ok());
        folders.retain(|f| number(f).is_some());
        folders.sort_by_key(number);
        folders.into_iter().map(Run::at).collect()
    }

    /// The run called `name`, or the newest finished one.
    ///
    /// # Errors
    /// There is none.
    pub fn run(&self, name: Option<&str>) -> Result<Run> {
        let runs = self.runs();
        let found = match name {
            Some(name) => runs.iter().find(|run| run.name() == name).cloned(),
            None => runs
                .iter()
                .rev()
                .find(|run| run.record().is_ok_and(|r| r.state == RunState::Finished))
                .cloned(),
        };
        found.ok_or_else(|| {
            let names: Vec<String> = runs.iter().map(Run::name).collect();
            let (what, why) = match (name, names.is_empty()) {
                (_, true) => (
                    "there is no run yet".to_string(),
                    "nothing has been trained in this project".to_string(),
                ),
                (Some(name), false) => {
                    (format!("there is no run {name}"), format!("the runs are {}", names.join(", ")))
                }
                (None, false) => {
                    ("there is no finished run".to_string(), format!("the runs are {}", names.join(", ")))
                }
            };
            Problem::input(what, why, Remedy::TrainFirst).at(&self.folder)
        })
    }

    /// The newest run, if it did not finish.
    ///
    /// # Errors
    /// Its record is damaged.
    pub fn unfinished_run(&self) -> Result<Option<Run>> {
        let Some(newest) = self.runs().pop() else { return Ok(None) };
        let state = newest.record()?.state;
        Ok((state != RunState::Finished).then_some(newest))
    }

    /// Makes the folder of the next run.
    pub fn new_run(&self) -> Result<Run> {
        let runs = self.folder.join("runs");
        std::fs::create_dir_all(&runs).map_err(|e| Problem::io("make the folder for runs", &runs, &e))?;
        let highest = crate::hub::subfolders(&runs)
            .filter_map(|f| f.file_name()?.to_str()?.parse::<u32>().ok())
            .max()
            .unwrap_or(0);
        let folder = runs.join(format!("{:04}", highest + 1));
        std::fs::create_dir(&folder).map_err(|e| Problem::io("make the folder of the run", &folder, &e))?;
        Ok(Run::at(folder))
    }

    /// Claims the project for training.
    ///
    /// # Errors
    /// Another program trains it, or the folder cannot be written.
    pub fn lock(&self) -> Result<ProjectLock> {
        let path = self.folder.join(".lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|e| Problem::io("claim the project", &path, &e))?;
        match file.try_lock() {
            Ok(()) => Ok(ProjectLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Problem::input(
                "the project is in use",
                "another program is training it",
                "wait until it has ended, or stop it, then try again",
            )
            .at(&self.folder)),
            Err(TryLockError::Error(e)) => Err(Problem::io("claim the project", &path, &e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_exclusive() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project { folder: folder.path().to_path_buf() };
        let lock = project.lock().unwrap();
        assert!(project.lock().unwrap_err().what.contains("in use"));
        drop(lock);
        project.lock().unwrap();
    }

    #[test]
    fn a_full_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let recipe = Recipe::parse(include_str!("goldens/recipe-1.toml")).unwrap();
        assert!(Project::create(folder.path(), &recipe).unwrap_err().why.contains("not empty"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Meant to fail where any file counts as a leftover.
    #[test]
    fn a_project_is_made_over_its_own_leftovers_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = Recipe::parse(include_str!("goldens/recipe-1.toml")).unwrap();
        let make = |recipe: &Recipe| Project::create(folder.path(), recipe).map(|project| project.folder);
        std::fs::write(folder.path().join(".partial-aB3dE9"), "vers").unwrap();
        assert!(Project::is_free(folder.path()));
        make(&recipe).unwrap();
        std::fs::write(folder.path().join(".partial-aB3dE9"), "vers").unwrap();
        std::fs::write(folder.path().join(kept_index::FILE), "{}").unwrap();
        assert!(!Project::is_free(folder.path()));
        make(&recipe).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        let mut other = recipe.clone();
        other.training.epochs += 1;
        assert!(make(&other).unwrap_err().why.contains("not empty"));
        std::fs::create_dir(folder.path().join("runs")).unwrap();
        assert!(make(&recipe).unwrap_err().why.contains("not empty"));
    }

    #[test]
    fn runs_are_numbered() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project { folder: folder.path().to_path_buf() };
        assert_eq!(project.new_run().unwrap().name(), "0001");
        assert_eq!(project.new_run().unwrap().name(), "0002");
        assert!(project.run(None).unwrap_err().what.contains("no run"));
    }
}
