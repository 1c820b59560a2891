//! Opening data and projects, and what is kept of them for the next start.

use super::action::SampleName;
use super::data_view::DataView;
use super::projects::{self, RememberedView};
use super::{Asked, Effect, OpenProject, Pending, Session, Step, ToastKind, TriedExport, TryView};
use crate::data::index::DatasetIndex;
use crate::hub::places;
use crate::predict::manifest::{HEAD_FILE, Manifest};
use crate::problem::Problem;
use crate::project::{Project, Recipe};
use crate::worker::Command;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Session {
    pub(super) fn open_sample(&mut self, sample: SampleName) -> Vec<Effect> {
        match projects::asset(sample.path()) {
            Some(path) => self.open_path(path),
            None => {
                let problem = Problem::input(
                    "the bundled sample was not found",
                    format!("looked in {}", places::show(&places::asset_roots())),
                    "set FROSTLINE_ASSETS to the folder `assets` of the source tree",
                );
                self.fail("Nothing was opened", &problem);
                Vec::new()
            }
        }
    }

    /// A project is opened; anything else is taken for data.
    pub(super) fn open_path(&mut self, path: PathBuf) -> Vec<Effect> {
        if self.is_training() {
            let text = "Stop the run first, or wait until it has ended.";
            self.toast(ToastKind::Note, "A run is being trained", text);
            return Vec::new();
        }
        if path.join("recipe.toml").is_file() {
            return self.open_project(&path);
        }
        if is_export(&path) {
            return self.open_export(&path);
        }
        let pending = Pending::NewData;
        self.scan(path, Default::default(), pending)
    }

    /// Lets an exported head answer on Try, with or without a project.
    pub(super) fn open_export(&mut self, folder: &Path) -> Vec<Effect> {
        match Manifest::read(folder) {
            Ok(manifest) => {
                self.tries = TryView {
                    export: Some(TriedExport {
                        folder: folder.to_path_buf(),
                        labels: manifest.labels.len(),
                        takes: manifest.input.modality(),
                    }),
                    ..Default::default()
                };
                self.step = Step::Try;
            }
            Err(problem) => self.fail("The export was not opened", &problem),
        }
        Vec::new()
    }

    fn open_project(&mut self, folder: &Path) -> Vec<Effect> {
        let opened = Project::open(folder).and_then(|project| Ok((project.recipe()?, project)));
        match opened {
            Ok((recipe, project)) => {
                let options = recipe.scan_options();
                let data = project.resolve(&recipe.data.path);
                let pending = Pending::OpenProject { folder: folder.to_path_buf(), recipe: Box::new(recipe) };
                self.scan(data, options, pending)
            }
            Err(problem) => {
                self.fail("The project was not opened", &problem);
                Vec::new()
            }
        }
    }

    fn scan(
        &mut self,
        path: PathBuf,
        options: crate::data::scan::ScanOptions,
        pending: Pending,
    ) -> Vec<Effect> {
        let mut effects = self.forget_opening();
        let mut project = None;
        if let Pending::OpenProject { folder, .. } = &pending {
            project = Some(folder.clone());
        }
        let job = self.new_job(pending);
        self.show_job(job, "Reading the data", false);
        effects.push(Effect::Send(Command::Scan { job, path, options, project }));
        effects
    }

    /// Whatever is being opened: something else was asked for since.
    pub(super) fn forget_opening(&mut self) -> Vec<Effect> {
        let opens = |asked: &Asked| matches!(asked.what, Pending::NewData | Pending::OpenProject { .. });
        let jobs: Vec<_> =
            self.pending.iter().filter(|(_, asked)| opens(asked)).map(|(job, _)| *job).collect();
        self.early_data = None;
        self.pending.retain(|_, asked| !opens(asked));
        jobs.into_iter().map(Effect::Stop).collect()
    }

    /// Makes a project of freshly read data and shows it.
    pub(super) fn project_from(&mut self, index: Arc<DatasetIndex>) -> Result<(), Problem> {
        (crate::task::usual(index.target).check)(&index)?;
        let backbone = projects::suitable(&self.backbones, index.modality).ok_or_else(|| {
            Problem::input(
                "there is no backbone for this data",
                "none on this machine takes it",
                "set FROSTLINE_ASSETS to the folder `assets` of the source tree",
            )
        })?;
        let folder = projects::new_folder(&index.root)?;
        let recipe = projects::recipe_for(&index, &folder, backbone)?;
        Project::create(&folder, &recipe)?;
        self.show_project(folder, recipe, index);
        Ok(())
    }

    /// Shows an open project from its first screen.
    pub(super) fn show_project(&mut self, folder: PathBuf, recipe: Recipe, index: Arc<DatasetIndex>) {
        let title = projects::title(&index);
        let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        self.project = Some(OpenProject {
            export_path: folder.join("exports").join(&name).display().to_string(),
            folder,
            title,
            recipe,
            undo: Default::default(),
            data: DataView::new(&index),
            index,
            split: None,
            split_spec: None,
            is_unsaved: false,
            split_problem: None,
            mask: None,
            layers: Default::default(),
            runs: Vec::new(),
            selected_run: None,
            evaluation: None,
        });
        (self.exported, self.filters) = (None, None);
        self.tries = Default::default();
        self.step = Step::Data;
        self.recall_view();
        self.recipe_changed();
        self.save_recipe();
        self.remember_project();
    }

    /// Shows the project as it was left last.
    fn recall_view(&mut self) {
        let Some(project) = &mut self.project else { return };
        let view = &self.remembered.view;
        if view.project.as_ref() != Some(&project.folder) {
            return;
        }
        self.step = view.step;
        project.data.class = view.class.filter(|class| *class < project.index.classes.len());
        (project.data.part, project.data.findings_only) = (view.part, view.findings_only);
        project.layers.selected.clone_from(&view.layer);
        project.layers.expanded.clone_from(&view.expanded);
    }

    /// Keeps for the next start what the window shows.
    pub fn keep_memory(&mut self) {
        if let Some(project) = &self.project {
            self.remembered.view = RememberedView {
                project: Some(project.folder.clone()),
                step: self.step,
                class: project.data.class,
                part: project.data.part,
                findings_only: project.data.findings_only,
                layer: project.layers.selected.clone(),
                expanded: project.layers.expanded.clone(),
            };
        }
        if let Err(problem) = self.remembered.save() {
            self.log.push(format!("not kept for the next start: {problem}"));
        }
    }
}

/// Whether a folder is an exported head.
pub(super) fn is_export(folder: &Path) -> bool {
    folder.join("manifest.json").is_file() && folder.join(HEAD_FILE).is_file()
}
