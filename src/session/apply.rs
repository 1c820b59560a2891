//! What each action does.

use super::action::Action;
use super::layers::{preset, range};
use super::open::is_export;
use super::projects;
use super::undo::Merge;
use super::{
    Effect, EvaluationView, JobView, OpenProject, Pending, Purpose, Session, Step, Toast, ToastKind,
};
use crate::backbone::FreezeMask;
use crate::data::split::Split;
use crate::jobs::ModelSource;
use crate::problem::Problem;
use crate::project::plan::split_spec;
use crate::project::recipe::SplitChoice;
use crate::project::{Project, Recipe};
use crate::task::Detail;
use crate::worker::{Command, EvaluateOn};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

impl Session {
    /// Does what the user asked for, as far as it needs no window and no worker; what is left comes back.
    pub fn apply(&mut self, action: Action) -> Vec<Effect> {
        if !matches!(action, Action::DragFrostline { .. } | Action::SetTraining { .. }) {
            self.save_recipe();
        }
        if let Some(why) = self.why_not(&action) {
            self.toast(ToastKind::Note, &action.label().text, why);
            return Vec::new();
        }
        match action {
            Action::Go(step) => {
                self.step = step;
                self.keep_memory();
                self.on_enter(step)
            }
            Action::CloseProject => {
                self.keep_memory();
                self.project = None;
                self.remembered.last_project = None;
                self.keep_memory();
                Vec::new()
            }
            Action::OpenSample(sample) => self.open_sample(sample),
            Action::OpenPath(path) => self.open_path(path),
            Action::ChooseFolder => vec![Effect::PickFolder(Purpose::Open)],
            Action::ChooseFile => vec![Effect::PickFile(Purpose::Open)],
            Action::ChooseLocalModel(choice) if choice.is_file => {
                vec![Effect::PickFile(Purpose::Backbone(choice.keep))]
            }
            Action::ChooseLocalModel(choice) => vec![Effect::PickFolder(Purpose::Backbone(choice.keep))],
            Action::FilterModels(_)
            | Action::SelectModel(_)
            | Action::SearchHub
            | Action::MoreModels
            | Action::LookUpModel(_)
            | Action::AllowPickle(_)
            | Action::DownloadModel(_)
            | Action::PauseDownload(..)
            | Action::CancelDownload(_)
            | Action::VerifyModel(_)
            | Action::RepairModel(_)
            | Action::RemoveModel(_)
            | Action::AddLocalModel(..) => self.apply_models(action),
            Action::ChooseTestSet => vec![Effect::PickFolder(Purpose::TestSet)],
            Action::ChooseTryFiles => vec![Effect::PickFile(Purpose::Try)],
            Action::ChooseExportFolder => vec![Effect::PickFolder(Purpose::Export)],
            Action::Train => self.train(false),
            Action::Resume => self.train(true),
            Action::Pause(paused) => {
                let Some(job) = &mut self.job else { return Vec::new() };
                job.paused = paused;
                vec![Effect::Pause(job.id, paused)]
            }
            Action::Stop => {
                let Some(job) = &mut self.job else { return Vec::new() };
                (job.stopping, job.paused) = (true, false);
                vec![Effect::Stop(job.id)]
            }
            Action::Evaluate(what) => self.evaluate(what),
            Action::TryNewestRun => {
                (self.tries.export, self.tries.predictions) = (None, Vec::new());
                Vec::new()
            }
            Action::TryFiles(files) => self.ask(files, Vec::new()),
            Action::TryText(text) => {
                self.tries.text.clone_from(&text);
                self.ask(Vec::new(), vec![text])
            }
            Action::Export => self.export(),
            Action::Quit if self.is_training() => {
                self.asks_to_quit = true;
                Vec::new()
            }
            Action::Quit | Action::QuitAnyway => vec![Effect::Quit],
            Action::StayOpen => {
                self.asks_to_quit = false;
                Vec::new()
            }
            other => self.apply_view(other),
        }
    }

    /// Actions that change what is shown or the recipe.
    fn apply_view(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::SetTheme(theme) => {
                self.remembered.theme = theme;
                self.keep_memory();
            }
            Action::ToggleInspector => {
                self.remembered.inspector_open = !self.remembered.inspector_open;
                self.keep_memory();
            }
            Action::ToggleLog => self.log_open = !self.log_open,
            Action::ShowPalette(open) => self.palette_open = open,
            Action::DismissToast(id) => self.toasts.retain(|toast| toast.id != id),
            other => return self.apply_project(other),
        }
        Vec::new()
    }

    fn apply_project(&mut self, action: Action) -> Vec<Effect> {
        let layers = self.backbone().map(|b| (Arc::clone(&b.tree), Arc::clone(&b.cuts)));
        let Some(project) = &mut self.project else { return Vec::new() };
        match action {
            Action::FilterClass(class) => project.data.class = class,
            Action::FilterPart(part) => project.data.part = part,
            Action::FilterFindings(only) => project.data.findings_only = only,
            Action::SelectSample(item) => {
                project.data.selected = item.filter(|n| *n < project.index.items.len());
                return Vec::new();
            }
            Action::SelectRun(run) => {
                project.selected_run = run;
                return Vec::new();
            }
            Action::SelectCell(cell) => {
                if let Some(EvaluationView { evaluation, cell: shown, .. }) = &mut project.evaluation
                    && let Detail::Classes(detail) = &evaluation.detail
                {
                    let classes = detail.labels.len();
                    *shown = cell.filter(|(truth, answer)| *truth < classes && *answer < classes);
                }
                return Vec::new();
            }
            Action::ExpandLayer { path, open } => {
                if open {
                    project.layers.expanded.insert(path)
                } else {
                    project.layers.expanded.remove(&path)
                };
                return Vec::new();
            }
            Action::SearchLayers(search) => {
                project.layers.search = search;
                return Vec::new();
            }
            Action::SetExportPath(path) => {
                project.export_path = path;
                return Vec::new();
            }
            Action::SelectLayer(path) => return self.select_layer(path),
            other => {
                let (mut recipe, mut merge) = (project.recipe.clone(), None);
                let mask = project.mask.clone();
                let thawed = match (layers, mask, &other) {
                    (Some((tree, cuts)), Some(mask), action) => thawed_by(action, &tree, &cuts, mask),
                    _ => None,
                };
                match other {
                    Action::SetSplit(split) => {
                        merge = Some(Merge::Field(changed_field(&recipe.split, &split)));
                        recipe.split = split;
                    }
                    Action::SetTraining { training, field } => {
                        recipe.training = training;
                        merge = Some(Merge::Field(field));
                    }
                    Action::SetCache(enabled) => recipe.cache.enabled = enabled,
                    Action::DragFrostline { drag, .. } => merge = Some(Merge::Drag(drag)),
                    Action::ChooseBackbone(id) => return self.choose_backbone(&id),
                    Action::Undo => return self.step_back(true),
                    Action::Redo => return self.step_back(false),
                    _ => {}
                }
                if let Some(thaw) = thawed {
                    recipe.freeze.thaw = thaw;
                }
                self.change_recipe(recipe, merge);
                return Vec::new();
            }
        }
        project.data.refresh();
        Vec::new()
    }

    /// Changes the recipe as one undo step. What belongs to a longer step, such as a drag, is saved at its end, since
    /// the disk may take longer than a frame.
    fn change_recipe(&mut self, recipe: Recipe, merge: Option<Merge>) {
        let Some(project) = &mut self.project else { return };
        if project.recipe == recipe {
            return;
        }
        project.undo.note(&project.recipe, merge);
        project.recipe = recipe;
        self.recipe_changed();
        if merge.is_none() {
            self.save_recipe();
        }
    }

    fn step_back(&mut self, undo: bool) -> Vec<Effect> {
        let Some(project) = &mut self.project else { return Vec::new() };
        let other =
            if undo { project.undo.undo(&project.recipe) } else { project.undo.redo(&project.recipe) };
        if let Some(recipe) = other {
            project.recipe = recipe;
            self.recipe_changed();
            self.save_recipe();
        }
        self.ask_about_backbone()
    }

    /// Derives what follows from the recipe.
    pub(super) fn recipe_changed(&mut self) {
        let tree = self.backbone().map(|b| Arc::clone(&b.tree));
        let Some(project) = &mut self.project else { return };
        project.mask =
            tree.and_then(|tree| FreezeMask::from_patterns(&tree, &project.recipe.freeze.thaw).ok());
        let spec = split_spec(&project.recipe);
        if project.split_spec != Some(spec) {
            project.split_spec = Some(spec);
            match Split::new(&project.index, &spec) {
                Ok(split) => (project.split, project.split_problem) = (Some(split), None),
                Err(why) => (project.split, project.split_problem) = (None, Some(why.to_string())),
            }
            project.data.set_split(project.split.as_ref());
        }
        project.is_unsaved = true;
    }

    /// Saves the recipe where it has changed since and can be used.
    pub fn save_recipe(&mut self) {
        let Some(project) = self.project.as_mut().filter(|p| p.is_unsaved) else { return };
        project.is_unsaved = false;
        if project.recipe.check().is_err() {
            return;
        }
        if let Err(problem) = save_recipe(project) {
            self.fail("The recipe was not saved", &problem);
        }
    }

    fn choose_backbone(&mut self, id: &str) -> Vec<Effect> {
        let Some(facts) = self.backbones.iter().find(|b| b.id == id).cloned() else { return Vec::new() };
        let Some(project) = &self.project else { return Vec::new() };
        if !facts.suits(project.index.modality) {
            return Vec::new();
        }
        let mut recipe = project.recipe.clone();
        recipe.backbone = projects::choice_of(&facts);
        recipe.freeze.thaw.clear();
        self.change_recipe(recipe, None);
        self.ask_about_backbone()
    }

    /// Asks for what the screens show of the chosen backbone and is not known yet.
    pub(super) fn ask_about_backbone(&mut self) -> Vec<Effect> {
        let Some(id) = self.backbone().map(|b| b.id.clone()) else { return Vec::new() };
        let mut effects = Vec::new();
        if !self.calibrations.contains_key(&id) && !self.is_pending(&Pending::Speed(id.clone())) {
            let job = self.new_job(Pending::Speed(id.clone()));
            effects.push(Effect::Send(Command::Calibrate { job, backbone: id.clone() }));
        }
        if !self.weights.contains_key(&id) && !self.is_pending(&Pending::Weights(id.clone())) {
            let job = self.new_job(Pending::Weights(id.clone()));
            effects.push(Effect::Send(Command::Inspect { job, backbone: id }));
        }
        effects
    }

    fn select_layer(&mut self, path: Option<String>) -> Vec<Effect> {
        let Some(project) = &mut self.project else { return Vec::new() };
        project.layers.selected = path;
        self.ask_for_filters()
    }

    /// Asks for the filters of the selected layer; one question at a time, however quickly layers are clicked.
    pub(super) fn ask_for_filters(&mut self) -> Vec<Effect> {
        let selected = self.project.as_ref().and_then(|p| p.layers.selected.clone());
        let (Some(layer), Some(backbone)) = (selected, self.backbone()) else { return Vec::new() };
        let leaf = backbone.tree.leaves().iter().find(|l| l.path == layer);
        let has_filters =
            leaf.is_some_and(|l| l.tensors.iter().any(|t| t.shape.len() == 4 && t.shape[2] > 1));
        let is_known = self.filters.as_ref().is_some_and(|(known, _)| *known == layer);
        if !has_filters || is_known || self.is_pending(&Pending::Filters) {
            return Vec::new();
        }
        let backbone = backbone.id.clone();
        let job = self.new_job(Pending::Filters);
        vec![Effect::Send(Command::Filters { job, backbone, layer })]
    }

    fn on_enter(&mut self, step: Step) -> Vec<Effect> {
        match step {
            Step::Layers => self.ask_about_backbone(),
            Step::Backbone => {
                self.refresh_models();
                self.ask_for_library()
            }
            Step::Evaluate => {
                let newest = self.newest_result().map(|r| r.name.clone());
                let shown = self.project.as_ref().and_then(|p| p.evaluation.as_ref()).map(|e| e.run.clone());
                let is_free = !self.is_pending(&Pending::Evaluation);
                if newest.is_some() && newest != shown && !self.is_training() && is_free {
                    return self.evaluate(EvaluateOn::Validation);
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn train(&mut self, resume: bool) -> Vec<Effect> {
        let Some(project) = &self.project else { return Vec::new() };
        if let Err(why) = project.recipe.check() {
            self.toast(ToastKind::Warning, "The recipe cannot be used", &why);
            return Vec::new();
        }
        let folder = project.folder.clone();
        let unfinished = project.runs.last().filter(|_| resume).map(|r| r.name.clone());
        // A run that goes on keeps the recipe that it began with.
        let recipe = match &unfinished {
            Some(name) => Recipe::read(&folder.join("runs").join(name).join("recipe.toml")).ok(),
            None => None,
        };
        let recipe = recipe.unwrap_or_else(|| project.recipe.clone());
        if !resume && let Err(problem) = save_recipe(project) {
            self.fail("The run was not started", &problem);
            return Vec::new();
        }
        let train = project.split.as_ref().map_or(1, |s| s.train.len());
        let steps = train.div_ceil(recipe.training.batch_size.max(1)).max(1) as f64;
        let name = unfinished.unwrap_or_else(|| format!("{:04}", self.highest_run() + 1));
        let mut effects = self.forget_opening();
        let job = self.new_job(Pending::Training { run: name.clone() });
        self.show_job(job, &format!("Run {}", name.trim_start_matches('0')), true);
        if let Some(view) = &mut self.job {
            view.length = (recipe.training.epochs.max(1), steps);
        }
        self.begin_live_run(&name, resume);
        self.step = Step::Train;
        effects.push(Effect::Send(Command::Train { job, project: folder, resume }));
        effects
    }

    pub(super) fn highest_run(&self) -> u32 {
        let runs = self.project.as_ref().map(|p| p.runs.as_slice()).unwrap_or_default();
        runs.iter().filter_map(|r| r.name.parse().ok()).max().unwrap_or(0)
    }

    fn evaluate(&mut self, what: EvaluateOn) -> Vec<Effect> {
        let run = self.newest_result().map(|r| r.name.clone());
        let Some(project) = self.project.as_ref().map(|p| p.folder.clone()) else { return Vec::new() };
        let job = self.new_job(Pending::Evaluation);
        self.show_job(job, "Evaluating", false);
        vec![Effect::Send(Command::Evaluate { job, project, run, what })]
    }

    fn ask(&mut self, files: Vec<PathBuf>, texts: Vec<String>) -> Vec<Effect> {
        if let [file] = files.as_slice()
            && is_export(file)
        {
            return self.open_export(&file.clone());
        }
        let model = match (&self.tries.export, &self.project) {
            (Some(export), _) => ModelSource::Export(export.folder.clone()),
            (None, Some(project)) => {
                let run = self.newest_result().map(|r| r.name.clone());
                ModelSource::Run { project: project.folder.clone(), run }
            }
            (None, None) => return Vec::new(),
        };
        self.tries.waiting = true;
        let job = self.new_job(Pending::Try);
        vec![Effect::Send(Command::Try { job, model, files, texts })]
    }

    fn export(&mut self) -> Vec<Effect> {
        let run = self.newest_result().map(|r| r.name.clone());
        let Some(project) = &self.project else { return Vec::new() };
        let (folder, out) = (project.folder.clone(), PathBuf::from(project.export_path.trim()));
        if out.as_os_str().is_empty() {
            let problem =
                Problem::input("there is no folder to write to", "the field is empty", "name a new folder");
            self.fail("Nothing was exported", &problem);
            return Vec::new();
        }
        let job = self.new_job(Pending::Export);
        self.show_job(job, "Exporting", false);
        if let Some(view) = &mut self.job {
            view.can_stop = false;
        }
        vec![Effect::Send(Command::Export { job, project: folder, run, out })]
    }

    pub(super) fn show_job(&mut self, id: u64, name: &str, can_pause: bool) {
        // What went wrong before has been read by now.
        self.toasts.retain(|toast| toast.kind != ToastKind::Failure);
        self.job = Some(JobView {
            id,
            name: name.to_string(),
            what: String::new(),
            done: 0.0,
            rate: None,
            seconds_left: None,
            paused: false,
            stopping: false,
            can_pause,
            can_stop: true,
            length: (1, 1.0),
            started: Instant::now(),
            done_at_start: 0.0,
        });
    }

    /// Shows a message.
    pub fn toast(&mut self, kind: ToastKind, title: &str, text: &str) {
        let id = self.new_id();
        self.log.push(format!("{title}: {text}"));
        self.toasts.retain(|t| t.title != title || t.text != text);
        self.toasts.push(Toast {
            id,
            kind,
            title: title.to_string(),
            text: text.to_string(),
            born: Instant::now(),
        });
    }

    /// Shows a failure with its remedy.
    pub fn fail(&mut self, title: &str, problem: &Problem) {
        let path = problem.path.as_ref().map(|p| p.display().to_string());
        let place = path.filter(|p| !problem.why.contains(p)).map(|p| format!(" ({p})")).unwrap_or_default();
        let text = format!(
            "{}{place}: {}.\nTry: {}.",
            capitalised(&problem.what),
            problem.why.trim_end_matches('.'),
            problem.remedy.trim_end_matches('.'),
        );
        self.toast(ToastKind::Failure, title, &text);
    }
}

/// Writes the recipe, where the one on disk is another: so what is trained is what the window shows.
fn save_recipe(project: &OpenProject) -> Result<(), Problem> {
    let on_disk = Project::open(&project.folder)?;
    match on_disk.recipe() {
        Ok(recipe) if recipe == project.recipe => Ok(()),
        _ => on_disk.write_recipe(&project.recipe),
    }
}

/// Which field of the split form a change came from.
fn changed_field(before: &SplitChoice, after: &SplitChoice) -> &'static str {
    if before.validation_fraction != after.validation_fraction {
        return "validation";
    }
    if before.test_fraction != after.test_fraction { "test" } else { "split seed" }
}

/// The patterns to thaw after a layer action; `None` for other actions.
fn thawed_by(
    action: &Action,
    tree: &crate::backbone::LayerTree,
    cuts: &[crate::backbone::Cut],
    mut mask: FreezeMask,
) -> Option<Vec<String>> {
    match action {
        Action::SetLayer { path, state } => mask.set(tree, path, *state),
        Action::SetLayerRange { from, to, state } => {
            for leaf in range(tree, from, to) {
                mask.set(tree, &leaf, *state);
            }
        }
        Action::Preset(chosen) => mask = preset(tree, cuts, *chosen),
        Action::DragFrostline { cut, .. } => mask = FreezeMask::with_frostline(tree, *cut),
        _ => return None,
    }
    Some(mask.to_patterns(tree))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
