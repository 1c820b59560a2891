//! How data is to be read: what a first look showed, and what the user says of it before it is read, or later.

use super::{Effect, OpenProject, Session, Step, ToastKind};
use crate::data::index::{DatasetIndex, FindingKind, Layout};
use crate::data::scan::readings::{DataGlance, Reading};
use crate::data::scan::{LayoutChoice, ScanOptions};
use crate::jobs::FreshData;
use crate::problem::Problem;
use crate::project::Recipe;
use crate::project::recipe::DataChoice;
use crate::remedy::Remedy;
use crate::task::{TaskChoice, usual};
use crate::units::capitalised;
use crate::worker::{Aside, Command};
use std::path::PathBuf;
use std::sync::Arc;

/// The question how the data at a path is to be read.
#[derive(Debug, Clone)]
pub struct ReadingView {
    pub path: PathBuf,
    /// What the user says so far.
    pub options: ScanOptions,
    /// What it looks like when read so; of what was said before, while the next look is under way.
    pub glance: Option<DataGlance>,
    /// Why it is asked, or why it cannot be read as was said.
    pub problem: Option<String>,
    /// Whether it is being read as was said.
    applies: bool,
}

/// What choosing a reading leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// A project of the data is made.
    NewProject,
    /// The open project, which has no run yet, reads its data so.
    ThisProject,
    /// The open project keeps its runs and what they rest on; another one is made.
    AnotherProject,
}

impl ReadingView {
    /// The way to read the folder that is chosen, said or not.
    pub fn chosen(&self) -> Option<&Reading> {
        let readings = &self.glance.as_ref()?.readings;
        match self.options.layout {
            Some(layout) => readings.iter().find(|reading| reading.layout == layout),
            None => readings.first(),
        }
    }

    /// Whether what is read is a table, whose columns can be chosen.
    pub fn reads_table(&self) -> bool {
        match self.chosen().map(|reading| reading.layout) {
            Some(LayoutChoice::Folders | LayoutChoice::Inner | LayoutChoice::Names) => false,
            Some(LayoutChoice::Table) | None => {
                self.glance.as_ref().is_some_and(|glance| glance.table.is_some())
            }
        }
    }

    /// Whether it is known enough to be read.
    pub fn is_clear(&self) -> bool {
        let Some(glance) = &self.glance else { return false };
        match (&glance.table, self.reads_table()) {
            (Some(table), true) => table.unclear.is_none(),
            (Some(_) | None, _) => !glance.readings.is_empty(),
        }
    }
}

impl OpenProject {
    /// How its data is read, as the recipe says.
    fn reading(&self) -> ScanOptions {
        self.recipe.scan_options()
    }
}

/// What is wrong, in a sentence or two.
pub(super) fn reason(problem: &Problem) -> String {
    let (what, why) = (capitalised(&problem.what), problem.why.trim_end_matches('.'));
    format!("{what}: {why}.")
}

/// Whether its columns can be chosen.
pub fn is_table(layout: &Layout) -> bool {
    match layout {
        Layout::Table { .. } | Layout::NamedFiles { .. } => true,
        Layout::Folders { .. } | Layout::Names { .. } => false,
    }
}

/// Whether the data can be read in another way, as the scan found.
pub fn has_other_readings(index: &DatasetIndex) -> bool {
    index.findings.iter().any(|finding| finding.kind == FindingKind::OtherReading)
}

impl Session {
    /// Asks how the data of the open project is to be read.
    pub(super) fn choose_columns(&mut self) -> Vec<Effect> {
        let Some(project) = &self.project else { return Vec::new() };
        let (path, options) = (project.index.root.clone(), project.reading());
        self.step = Step::Data;
        self.look_at(path, options, None)
    }

    /// Asks how the data at `path` is to be read, which `options` say so far; `why` it is asked.
    pub(super) fn look_at(
        &mut self,
        path: PathBuf,
        options: ScanOptions,
        why: Option<String>,
    ) -> Vec<Effect> {
        let mut effects = self.forget_looks();
        let before = self.reading.take().filter(|view| view.path == path);
        let glance = before.and_then(|view| view.glance);
        self.reading = Some(ReadingView {
            path: path.clone(),
            options: options.clone(),
            glance,
            problem: why,
            applies: false,
        });
        let request = self.request(Aside::Look { path, reading: Box::new(options) }.into());
        self.show_job(request.job, "Looking at the data", false);
        effects.push(Effect::Send(request));
        effects
    }

    /// Takes what the user says instead, and looks again.
    pub(super) fn set_reading(&mut self, options: ScanOptions) -> Vec<Effect> {
        match &self.reading {
            Some(view) if view.options != options => {
                let path = view.path.clone();
                self.look_at(path, options, None)
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// Reads the data as the user says.
    pub(super) fn use_reading(&mut self) -> Vec<Effect> {
        let Some(view) = &mut self.reading else { return Vec::new() };
        let (path, options) = (view.path.clone(), view.options.clone());
        view.applies = true;
        self.open_path(path, Some(Box::new(options)))
    }

    /// Reads the data of the open project anew, with spellings of one class as one.
    pub(super) fn merge_spellings(&mut self) -> Vec<Effect> {
        let Some(project) = &self.project else { return Vec::new() };
        let options = ScanOptions { merge_spellings: true, ..project.reading() };
        let path = project.index.root.clone();
        self.reading = Some(ReadingView { path, options, glance: None, problem: None, applies: true });
        self.use_reading()
    }

    /// The data could not be read as was said: it is asked about again, or left as it is where nothing was seen of it.
    pub(super) fn on_not_read(&mut self) {
        if let Some(view) = self.reading.take_if(|view| view.applies)
            && view.glance.is_some()
        {
            self.reading = Some(ReadingView { applies: false, ..view });
        }
    }

    /// Leaves the question; nothing changes.
    pub(super) fn leave_reading(&mut self) -> Vec<Effect> {
        self.reading = None;
        self.forget_looks()
    }

    /// Whether a failure to open data asks for its columns, and that was not what the user had said of them.
    pub(super) fn asks_for_columns(&self, problem: &Problem) -> bool {
        matches!(&problem.remedy, Remedy::Columns(columns) if columns.can_be_chosen())
            && self.reading.is_none()
    }

    fn forget_looks(&mut self) -> Vec<Effect> {
        let looks = self.jobs_asked(|command| matches!(command, Command::Aside(Aside::Look { .. })));
        self.job.take_if(|job| looks.contains(&job.id));
        self.forget(&looks);
        looks.into_iter().map(Effect::Stop).collect()
    }

    /// Shows what a look showed.
    pub(super) fn on_looked(&mut self, glance: DataGlance) {
        let Some(view) = &mut self.reading else { return };
        // A folder's table may be one that cannot be read.
        view.problem = view.problem.take().or_else(|| glance.no_table.clone());
        view.glance = Some(glance);
    }

    /// Nothing can be seen there: the question is not asked at all, or keeps what was seen before.
    pub(super) fn on_look_failed(&mut self, problem: &Problem) {
        let Some(view) = &mut self.reading else { return };
        if view.glance.is_some() {
            view.problem = Some(reason(problem));
            return;
        }
        let why = self.reading.take().and_then(|view| view.problem);
        match why {
            Some(why) => self.toast(ToastKind::Failure, "Nothing was opened", &why),
            None => self.fail("The data was not looked at", problem, None),
        }
    }

    /// Why the data cannot be read as is said yet.
    pub(super) fn why_not_read(&self) -> Option<&'static str> {
        match &self.reading {
            None => Some("No data is looked at."),
            Some(_) if self.is_training() => Some("A run is being trained."),
            Some(view) if view.glance.is_none() => Some("The data is being looked at."),
            Some(view) if !view.is_clear() => {
                Some("Say first which columns hold the samples and their labels.")
            }
            Some(_) => None,
        }
    }

    /// What choosing the reading that is asked about leads to.
    pub fn consequence(&self) -> Consequence {
        let path = self.reading.as_ref().map(|view| &view.path);
        match &self.project {
            Some(project) if Some(&project.index.root) != path => Consequence::NewProject,
            Some(project) if project.runs.is_empty() => Consequence::ThisProject,
            Some(_) => Consequence::AnotherProject,
            None => Consequence::NewProject,
        }
    }

    /// Data that was read as the user said: of the open project, or of one that is made.
    pub(super) fn take_reading(&mut self, data: FreshData) -> Vec<Effect> {
        let consequence = self.consequence();
        self.reading = None;
        match consequence {
            Consequence::ThisProject => self.read_anew(&data),
            Consequence::NewProject | Consequence::AnotherProject => self.create_project(data),
        }
    }

    /// Whether what was read now is the answer to the question.
    pub(super) fn is_answered_by(&self, data: &FreshData) -> bool {
        self.reading.as_ref().is_some_and(|view| view.applies && view.options == *data.reading)
    }

    /// The open project, which has no runs, reads its data as `data` was read.
    fn read_anew(&mut self, data: &FreshData) -> Vec<Effect> {
        let Some(project) = &mut self.project else { return Vec::new() };
        let index = Arc::clone(&data.index);
        let task = match project.recipe.task {
            task if task.target == index.target => task,
            _ => TaskChoice(usual(index.target)),
        };
        let path = project.recipe.data.path.clone();
        let recipe = Recipe {
            data: DataChoice::new(path, &data.reading, &index.layout),
            task,
            ..project.recipe.clone()
        };
        if let Err(problem) = (task.check)(&index) {
            self.fail("The data is read as before", &problem, None);
            return Vec::new();
        }
        let folder = project.folder.clone();
        let mut effects = self.save_recipe();
        effects.extend(self.show_project(folder, recipe, index));
        effects.extend(self.save_again());
        effects
    }
}
