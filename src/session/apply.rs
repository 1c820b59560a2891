//! What actions have in common, and what the larger ones do.

use super::action::{Action, Job};
use super::data_view::DataView;
use super::open::free_beside;
use super::projects;
use super::undo::{Merge, Undo};
use super::{Effect, JobView, Offer, OpenProject, Phase, Session, Step, Toast, ToastKind, Unsaved};
use crate::backbone::FreezeMask;
use crate::data::split::Split;
use crate::jobs::{ModelSource, is_export};
use crate::problem::Problem;
use crate::project::Recipe;
use crate::project::plan::split_spec;
use crate::task::Detail;
use crate::worker::{Aside, Begin, Command, EvaluateOn, Long, Request, Short};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// What a rate counts where the network itself sees the samples, and where only what lies above their cached features does.
pub(super) const SAMPLES: &str = "samples/s";
pub(super) const CACHED: &str = "cached samples/s";

impl Session {
    /// Does what the user asked for, as far as it needs no window and no worker; what is left comes back.
    pub fn apply(&mut self, action: impl Into<Action>) -> Vec<Effect> {
        let action: Action = action.into();
        let goes_on = matches!(&action, Action::Edit(edit) if edit.may_go_on());
        let mut effects = if goes_on { Vec::new() } else { self.save_recipe() };
        match self.why_not(&action) {
            Some(why) => self.toast(ToastKind::Note, &action.label().text, why),
            None => effects.extend(action.apply(self)),
        }
        effects.extend(self.write_memory());
        effects
    }

    /// Changes the open project, if there is one.
    pub(super) fn in_project(&mut self, change: impl FnOnce(&mut OpenProject)) {
        if let Some(project) = &mut self.project {
            change(project);
        }
    }

    /// Changes a filter of the data and applies it.
    pub(super) fn filter_data(&mut self, change: impl FnOnce(&mut DataView)) {
        self.in_project(|project| {
            change(&mut project.data);
            project.data.refresh();
        });
    }

    /// Looks at a run, or at the best; answers and scores of another are taken away.
    pub(super) fn select_run(&mut self, run: Option<String>) -> Vec<Effect> {
        let before = self.judged_name();
        if let Some(project) = &mut self.project {
            project.selected_run = run;
        }
        if self.judged_name() == before {
            return Vec::new();
        }
        if self.tries.export.is_none() {
            self.tries.predictions.clear();
        }
        self.remember_project();
        self.on_enter(self.step)
    }

    pub(super) fn select_cell(&mut self, cell: Option<(usize, usize)>) {
        let Some(view) = self.project.as_mut().and_then(|project| project.evaluation.as_mut()) else {
            return;
        };
        if let Detail::Classes(detail) = &view.evaluation.detail {
            let classes = detail.labels.len();
            view.cell = cell.filter(|(truth, answer)| *truth < classes && *answer < classes);
        }
    }

    /// Changes the recipe as one undo step. What belongs to a longer step, such as a drag, is saved at its end, since
    /// the disk may take longer than a frame.
    pub(super) fn change_recipe(&mut self, recipe: Recipe, merge: Option<Merge>) -> Vec<Effect> {
        let Some(project) = &mut self.project else { return Vec::new() };
        if project.recipe == recipe {
            return Vec::new();
        }
        project.undo.note(&project.recipe, merge);
        project.recipe = recipe;
        self.recipe_changed();
        if merge.is_none() { self.save_recipe() } else { Vec::new() }
    }

    /// Goes to the recipe that `find` gives: the one before or after.
    pub(super) fn step_back(&mut self, find: fn(&mut Undo, &Recipe) -> Option<Recipe>) -> Vec<Effect> {
        let Some(project) = &mut self.project else { return Vec::new() };
        let mut effects = Vec::new();
        if let Some(recipe) = find(&mut project.undo, &project.recipe) {
            project.recipe = recipe;
            self.recipe_changed();
            effects = self.save_recipe();
        }
        effects.extend(self.ask_about_backbone());
        effects
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
        project.unsaved = Unsaved::Changed;
    }

    pub(super) fn choose_backbone(&mut self, id: &str) -> Vec<Effect> {
        let Some(facts) = self.backbones.iter().find(|b| b.id == id).cloned() else { return Vec::new() };
        let Some(project) = &self.project else { return Vec::new() };
        if !facts.suits(project.index.modality) {
            return Vec::new();
        }
        let mut recipe = project.recipe.clone();
        recipe.backbone = projects::choice_of(&facts);
        recipe.freeze.thaw.clear();
        let mut effects = self.change_recipe(recipe, None);
        effects.extend(self.ask_about_backbone());
        effects
    }

    /// Asks for what the screens show of the chosen backbone and is not known yet.
    pub(super) fn ask_about_backbone(&mut self) -> Vec<Effect> {
        let Some(id) = self.backbone().map(|b| b.id.clone()) else { return Vec::new() };
        let mut effects = Vec::new();
        let is_measured =
            self.has_asked(|c| matches!(c, Command::Long(Long::Calibrate { backbone }) if *backbone == id));
        if !self.calibrations.contains_key(&id) && !is_measured {
            effects.push(self.send(Long::Calibrate { backbone: id.clone() }));
        }
        let is_looked_at =
            self.has_asked(|c| matches!(c, Command::Long(Long::Inspect { backbone }) if *backbone == id));
        if !self.weights.contains_key(&id) && !is_looked_at {
            effects.push(self.send(Long::Inspect { backbone: id }));
        }
        effects.extend(self.ask_for_filters());
        effects
    }

    /// Asks for the filters of the selected layer; one question at a time, however quickly layers are clicked.
    pub(super) fn ask_for_filters(&mut self) -> Vec<Effect> {
        let selected = self.project.as_ref().and_then(|p| p.layers.selected.clone());
        let (Some(layer), Some(backbone)) = (selected, self.backbone()) else { return Vec::new() };
        let leaf = backbone.tree.leaves().iter().find(|l| l.path == layer);
        let has_filters =
            leaf.is_some_and(|l| l.tensors.iter().any(|t| t.shape.len() == 4 && t.shape[2] > 1));
        let is_asked = self.has_asked(|c| matches!(c, Command::Short(Short::Filters { .. })));
        if !has_filters || is_asked || self.filters_of(&layer).is_some() {
            return Vec::new();
        }
        let backbone = backbone.id.clone();
        vec![self.send(Short::Filters { backbone, layer })]
    }

    pub(super) fn on_enter(&mut self, step: Step) -> Vec<Effect> {
        match step {
            Step::Layers => self.ask_about_backbone(),
            Step::Backbone => {
                self.refresh_models();
                self.ask_for_library()
            }
            Step::Evaluate => {
                let can = self.why_not(&Job::Evaluate(EvaluateOn::Validation)).is_none();
                if can && self.evaluation().is_none() {
                    return self.evaluate(EvaluateOn::Validation);
                }
                Vec::new()
            }
            Step::Data | Step::Train | Step::Try | Step::Export => Vec::new(),
        }
    }

    /// Begins a new run of the recipe that is shown, once that is on the disk.
    pub(super) fn train(&mut self) -> Vec<Effect> {
        let Some(project) = &self.project else { return Vec::new() };
        if let Err(why) = project.recipe.check() {
            self.toast(ToastKind::Warning, "The recipe cannot be used", &why);
            return Vec::new();
        }
        let recipe = project.recipe.clone();
        let name = format!("{:04}", self.highest_run() + 1);
        let (mut effects, request) =
            self.begin_training(name, &recipe, Begin::Anew(Box::new(recipe.clone())));
        let Some(write) = self.write_recipe() else { return effects };
        self.waits_for_save = Some((write.job, request));
        effects.push(Effect::Send(write));
        effects
    }

    /// Goes on with the newest run, which keeps the recipe that it began with.
    pub(super) fn resume(&mut self) -> Vec<Effect> {
        let Some(project) = &self.project else { return Vec::new() };
        let Some(run) = project.runs.last() else { return Vec::new() };
        let (name, recipe) = (run.name.clone(), run.recipe.as_ref().unwrap_or(&project.recipe).clone());
        let (mut effects, request) = self.begin_training(name, &recipe, Begin::Resume);
        effects.push(Effect::Send(request));
        effects
    }

    /// Shows a training; its request is not sent yet.
    fn begin_training(&mut self, run: String, recipe: &Recipe, begin: Begin) -> (Vec<Effect>, Request) {
        let effects = self.forget_opening();
        let samples = self.project.as_ref().and_then(|p| p.split.as_ref()).map_or(1, |s| s.train.len());
        let steps = samples.div_ceil(recipe.training.batch_size.max(1)).max(1) as f64;
        let project = self.project.as_ref().map(|p| p.folder.clone()).unwrap_or_default();
        let is_resumed = matches!(begin, Begin::Resume);
        let request = self.request(Long::Train { project, begin }.into());
        if let Some(asked) = self.pending.get_mut(&request.job) {
            asked.run = Some(run.clone());
        }
        self.show_job(request.job, &format!("Run {}", run.trim_start_matches('0')), true);
        let seconds = self.seconds_of_epochs(recipe, is_resumed);
        if let Some(view) = &mut self.job {
            view.length = (recipe.training.epochs.max(1), steps);
            view.epochs_seconds = seconds;
        }
        self.begin_live_run(&run, is_resumed);
        self.step = Step::Train;
        (effects, request)
    }

    pub(super) fn highest_run(&self) -> u32 {
        let runs = self.project.as_ref().map(|p| p.runs.as_slice()).unwrap_or_default();
        runs.iter().filter_map(|r| r.name.parse().ok()).max().unwrap_or(0)
    }

    pub(super) fn evaluate(&mut self, what: EvaluateOn) -> Vec<Effect> {
        let run = self.judged_name();
        let Some(project) = self.project.as_ref().map(|p| p.folder.clone()) else { return Vec::new() };
        let request = self.request(Long::Evaluate { project, run, what }.into());
        self.show_job(request.job, "Evaluating", false);
        vec![Effect::Send(request)]
    }

    pub(super) fn ask(&mut self, files: Vec<PathBuf>, texts: Vec<String>) -> Vec<Effect> {
        if let [file] = files.as_slice()
            && is_export(file)
        {
            return vec![self.send(Aside::Open { path: file.clone(), reading: None })];
        }
        let model = match (&self.tries.export, &self.project) {
            (Some(export), _) => ModelSource::Export(export.folder.clone()),
            (None, Some(project)) => {
                let run = self.judged_name();
                ModelSource::Run { project: project.folder.clone(), run }
            }
            (None, None) => return Vec::new(),
        };
        self.tries.waiting = true;
        vec![self.send(Short::Try { model, files, texts })]
    }

    pub(super) fn export(&mut self) -> Vec<Effect> {
        let run = self.judged_name();
        let Some(project) = &self.project else { return Vec::new() };
        let (project, out) = (project.folder.clone(), PathBuf::from(project.export_path.trim()));
        if out.as_os_str().is_empty() {
            let problem =
                Problem::input("there is no folder to write to", "the field is empty", "name a new folder");
            self.fail("Nothing was exported", &problem, None);
            return Vec::new();
        }
        // An export never takes the place of another.
        let out = if is_export(&out) { free_beside(&out) } else { out };
        let request = self.request(Long::Export { project, run, out }.into());
        self.show_job(request.job, "Exporting", false);
        if let Some(view) = &mut self.job {
            view.can_stop = false;
        }
        vec![Effect::Send(request)]
    }

    pub(super) fn show_job(&mut self, id: u64, name: &str, can_pause: bool) {
        // What went wrong before has been read by now.
        self.toasts.retain(|toast| toast.kind != ToastKind::Failure);
        self.job = Some(JobView {
            id,
            name: name.to_string(),
            phase: Phase::Starting,
            done: 0.0,
            count: None,
            rate: None,
            rate_words: SAMPLES,
            seconds_left: None,
            paused: false,
            stopping: false,
            can_pause,
            can_stop: true,
            length: (1, 1.0),
            epochs_seconds: None,
            started: Instant::now(),
            done_at_start: 0.0,
        });
    }

    /// Shows a message.
    pub fn toast(&mut self, kind: ToastKind, title: &str, text: &str) {
        self.toast_with(kind, title, text, None);
    }

    /// Shows a message with a button.
    pub(super) fn toast_with(&mut self, kind: ToastKind, title: &str, text: &str, offer: Option<Offer>) {
        let id = self.new_id();
        self.log.push(format!("{title}: {text}"));
        self.toasts.retain(|t| t.title != title || t.text != text);
        self.toasts.push(Toast {
            id,
            kind,
            title: title.to_string(),
            text: text.to_string(),
            offer,
            born: Instant::now(),
        });
    }

    /// Shows a failure of `command`, where one was asked for, with its remedy.
    pub fn fail(&mut self, title: &str, problem: &Problem, command: Option<&Command>) {
        let path = problem.path.as_ref().map(|p| p.display().to_string());
        let place = path.filter(|p| !problem.why.contains(p)).map(|p| format!(" ({p})")).unwrap_or_default();
        let text = format!(
            "{}{place}: {}.\nTry: {}.",
            crate::units::capitalised(&problem.what),
            problem.why.trim_end_matches('.'),
            problem.remedy.in_window().trim_end_matches('.'),
        );
        let offer = self.offer(command, problem);
        self.toast_with(ToastKind::Failure, title, &text, offer);
    }
}
