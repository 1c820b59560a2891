//! Opening data, projects and exports.

use super::action::SampleName;
use super::data_view::DataView;
use super::projects;
use super::reading::has_other_readings;
use super::{Effect, OpenProject, Session, Step, ToastKind, TriedExport, TryView, Unsaved};
use crate::data::index::DatasetIndex;
use crate::data::scan::ScanOptions;
use crate::hub::places;
use crate::jobs::{FreshData, Opened};
use crate::predict::Manifest;
use crate::problem::Problem;
use crate::project::Recipe;
use crate::worker::{Aside, Command, Disk};
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Session {
    pub(super) fn open_sample(&mut self, sample: SampleName) -> Vec<Effect> {
        match projects::asset(sample.path()) {
            Some(path) => self.open_path(path, None),
            None => {
                let problem = Problem::input(
                    "the bundled sample was not found",
                    format!("looked in {}", places::show(&places::asset_roots())),
                    "set FROSTLINE_ASSETS to the folder `assets` of the source tree",
                );
                self.fail("Nothing was opened", &problem, None);
                Vec::new()
            }
        }
    }

    /// Asks what lies at a path: a project, an export, or data; data alone where its `reading` is said.
    pub(super) fn open_path(&mut self, path: PathBuf, reading: Option<Box<ScanOptions>>) -> Vec<Effect> {
        if self.is_training() {
            let text = "Stop the run first, or wait until it has ended.";
            self.toast(ToastKind::Note, "A run is being trained", text);
            return Vec::new();
        }
        let mut effects = self.forget_opening();
        let request = self.request(Aside::Open { path, reading }.into());
        self.show_job(request.job, "Reading the data", false);
        // What lies there may be a project whose recipe is still on its way to the disk.
        let saves = self.jobs_asked(|command| matches!(command, Command::Disk(Disk::SaveRecipe { .. })));
        match saves.into_iter().max() {
            Some(save) => self.waits_for_save = Some((save, request)),
            None => effects.push(Effect::Send(request)),
        }
        effects
    }

    /// Whatever is being opened: something else was asked for since.
    pub(super) fn forget_opening(&mut self) -> Vec<Effect> {
        let jobs = self.jobs_asked(|command| {
            matches!(command, Command::Aside(Aside::Open { .. }) | Command::Disk(Disk::Create { .. }))
        });
        self.early_data = None;
        self.waits_for_save.take_if(|(_, request)| jobs.contains(&request.job));
        self.forget(&jobs);
        jobs.into_iter().map(Effect::Stop).collect()
    }

    /// Takes note of what lies at a path that was to be opened.
    pub(super) fn on_opened(&mut self, opened: Opened) -> Vec<Effect> {
        match opened {
            Opened::Project { folder, recipe, index } => self.show_project(folder, *recipe, index),
            Opened::Export { folder, manifest } => {
                self.show_export(folder, &manifest);
                Vec::new()
            }
            Opened::Data(data) if self.is_answered_by(&data) => self.take_reading(data),
            Opened::Data(data) if has_other_readings(&data.index) && data.reading.layout.is_none() => {
                self.look_at(data.index.root.clone(), *data.reading, None)
            }
            Opened::Data(data) if self.lists_backbones() => {
                self.early_data = Some(data);
                Vec::new()
            }
            Opened::Data(data) => self.create_project(data),
        }
    }

    /// Says that data was asked for and its project is opened.
    pub(super) fn tell_known_project(&mut self, asked: &Command, opened: &Opened) {
        if let (Command::Aside(Aside::Open { path, .. }), Opened::Project { folder, .. }) = (asked, opened)
            && path != folder
        {
            let text = "Its project was opened, with its runs. To start over choose “New project of this data” among the commands.";
            self.toast(ToastKind::Note, "This data is known", text);
        }
    }

    /// Asks for another project of the data that is open.
    pub(super) fn start_over(&mut self) -> Vec<Effect> {
        let Some(project) = &self.project else { return Vec::new() };
        let index = Arc::clone(&project.index);
        let reading = Box::new(ScanOptions { target: None, ..project.recipe.scan_options() });
        self.create_project(FreshData { index, known: Arc::default(), reading })
    }

    fn lists_backbones(&self) -> bool {
        self.has_asked(|command| matches!(command, Command::Aside(Aside::ListBackbones)))
    }

    /// Data that was dropped before the backbones were known.
    pub(super) fn take_early_data(&mut self) -> Vec<Effect> {
        self.early_data.take().map_or_else(Vec::new, |data| self.create_project(data))
    }

    /// Lets an exported head answer on Try, with or without a project.
    fn show_export(&mut self, folder: PathBuf, manifest: &Manifest) {
        let export = TriedExport { folder, labels: manifest.labels.len(), takes: manifest.input.modality() };
        self.tries = TryView { export: Some(export), ..Default::default() };
        self.step = Step::Try;
    }

    /// Asks for a project of freshly read data.
    pub(super) fn create_project(&mut self, data: FreshData) -> Vec<Effect> {
        let found = projects::suitable(&self.backbones, data.index.modality);
        let Some((backbone, dropout)) = found.map(|facts| (projects::choice_of(facts), facts.dropout)) else {
            let problem = Problem::input(
                "there is no backbone for this data",
                "none on this machine takes it",
                "set FROSTLINE_ASSETS to the folder `assets` of the source tree",
            );
            self.fail("Nothing was opened", &problem, None);
            return Vec::new();
        };
        vec![self.send(Disk::Create { data, backbone, dropout })]
    }

    /// Shows an open project from its first screen.
    pub(super) fn show_project(
        &mut self,
        folder: PathBuf,
        recipe: Recipe,
        index: Arc<DatasetIndex>,
    ) -> Vec<Effect> {
        // Of the project before.
        let mut effects = self.save_recipe();
        let (title, layout) = (projects::title(&index), index.layout.to_string());
        let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        self.project = Some(OpenProject {
            export_path: free_beside(&folder.join("exports").join(&name)).display().to_string(),
            folder,
            title,
            recipe,
            undo: Default::default(),
            data: DataView::new(&index),
            index,
            split: None,
            split_spec: None,
            unsaved: Unsaved::No,
            split_problem: None,
            mask: None,
            layers: Default::default(),
            runs: Vec::new(),
            selected_run: None,
            evaluation: None,
        });
        (self.exported, self.filters, self.reading) = (None, None, None);
        self.tries = Default::default();
        self.step = Step::Data;
        self.recall_view();
        self.recipe_changed();
        effects.extend(self.save_recipe());
        self.remember_project();
        self.status = layout;
        effects.extend(self.ask_about_backbone());
        effects.extend(self.read_runs());
        effects
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
}

/// `path`, or the next name beside it that is free: an export never takes the place of another.
pub fn free_beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Behind `birds-2` comes `birds-3`.
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let stem = name
        .rsplit_once('-')
        .filter(|(stem, number)| is_number(number) && path.with_file_name(stem).exists());
    let stem = stem.map_or(name.as_ref(), |(stem, _)| stem);
    let numbered = |number: u32| path.with_file_name(format!("{stem}-{number}"));
    let mut names = std::iter::once(path.to_path_buf()).chain((2..10_000).map(numbered));
    names.find(|path| !path.exists()).unwrap_or_else(|| path.to_path_buf())
}
