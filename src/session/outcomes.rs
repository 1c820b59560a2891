//! What a finished job shows, and what an unfinished one leaves: the view of every command, with the action that
//! asks for it once more, and of every outcome.

use super::action::Model;
use super::layers::thawed_words;
use super::open::free_beside;
use super::projects::Recent;
use super::reading::reason;
use super::runs::{RunView, tell_differences};
use super::{
    Action, Asked, Effect, EvaluationView, Exported, Job, KnownFilters, Offer, Open, Session, Step, ToastKind,
};
use crate::evaluate::Evaluation;
use crate::problem::Problem;
use crate::project::run::FailureKind;
use crate::project::{RunRecord, RunState};
use crate::worker::protocol::RunHistory;
use crate::worker::{
    Aside, BackboneFacts, Begin, Command, Disk, EvaluateOn, HubAsk, JobId, Long, Outcome, Short,
};
use std::path::Path;

/// Samples that a card of the start screen shows.
const CARD_SAMPLES: usize = 3;

/// What a message is called that says that a command failed.
fn title(command: &Command) -> &'static str {
    match command {
        Command::Long(Long::Inspect { .. }) | Command::Short(Short::Filters { .. }) => {
            "The weights were not read"
        }
        Command::Long(Long::Calibrate { .. }) => "The speed was not measured",
        Command::Long(Long::Runs { .. }) => "The runs were not read",
        Command::Long(Long::Train { .. }) => "The run failed",
        Command::Long(Long::Evaluate { .. }) => "Nothing was evaluated",
        Command::Long(Long::Export { .. }) => "Nothing was exported",
        Command::Long(Long::UseDevice { .. }) => "The device stays as it was",
        Command::Short(Short::Try { .. }) => "There is no answer",
        Command::Aside(Aside::ListBackbones) => "The backbones were not found",
        Command::Aside(Aside::Devices) => "The devices were not found",
        Command::Aside(Aside::Open { .. }) | Command::Disk(Disk::Create { .. }) => "Nothing was opened",
        Command::Aside(Aside::Look { .. }) => "The data was not looked at",
        Command::Aside(Aside::Hub(HubAsk::Search { .. } | HubAsk::More { .. })) => "The search did not work",
        Command::Aside(Aside::Hub(HubAsk::Page { .. })) => "The model's page was not read",
        Command::Aside(Aside::Hub(HubAsk::Download { .. })) => "Nothing was downloaded",
        Command::Aside(Aside::Hub(
            HubAsk::Library { .. } | HubAsk::Verify { .. } | HubAsk::Remove { .. } | HubAsk::AddLocal { .. },
        )) => "The backbones stay as they are",
        Command::Disk(Disk::SaveRecipe { .. }) => "The recipe was not saved",
        Command::Disk(Disk::Remember { .. }) => "Nothing is kept for the next start",
    }
}

/// The action that asks for a command once more; none for what nobody asked for.
pub(super) fn again(command: &Command) -> Option<Action> {
    match command {
        Command::Long(long) => of_long(long),
        Command::Short(Short::Try { files, texts, .. }) => Some(match texts.first() {
            Some(text) => Job::TryText(text.clone()).into(),
            None => Job::TryFiles(files.clone()).into(),
        }),
        Command::Aside(Aside::Open { path, reading: None }) => Some(Open::OpenPath(path.clone()).into()),
        Command::Aside(Aside::Open { path, reading: Some(reading) }) => {
            Some(Open::ReadAs { path: path.clone(), reading: reading.clone() }.into())
        }
        Command::Aside(Aside::Look { path, reading }) => {
            Some(Open::LookAt { path: path.clone(), reading: reading.clone() }.into())
        }
        Command::Aside(Aside::Hub(ask)) => of_ask(ask),
        Command::Disk(Disk::SaveRecipe { .. }) => Some(Job::Save.into()),
        Command::Disk(Disk::Create { data, .. }) => Some(Open::OpenPath(data.index.root.clone()).into()),
        Command::Short(Short::Filters { .. })
        | Command::Aside(Aside::ListBackbones | Aside::Devices)
        | Command::Disk(Disk::Remember { .. }) => None,
    }
}

fn of_long(command: &Long) -> Option<Action> {
    Some(match command {
        Long::Train { begin: Begin::Anew(_), .. } => Job::Train.into(),
        Long::Train { begin: Begin::Resume, .. } => Job::Resume.into(),
        Long::Evaluate { what, .. } => Job::Evaluate(what.clone()).into(),
        Long::Export { .. } => Job::Export.into(),
        Long::UseDevice { device } => Job::UseDevice(*device).into(),
        Long::Inspect { .. } | Long::Calibrate { .. } | Long::Runs { .. } => return None,
    })
}

fn of_ask(ask: &HubAsk) -> Option<Action> {
    let action = match ask {
        HubAsk::Search { .. } => Model::SearchHub,
        HubAsk::More { .. } => Model::MoreModels,
        HubAsk::Page { id, .. } => Model::LookUpModel(id.clone()),
        HubAsk::Download { id, .. } => Model::DownloadModel(id.clone()),
        HubAsk::Verify { id: Some(id), repair: false } => Model::VerifyModel(id.clone()),
        HubAsk::Verify { id: Some(id), repair: true } => Model::RepairModel(id.clone()),
        HubAsk::Remove { id } => Model::RemoveModel(id.clone()),
        HubAsk::AddLocal { path, keep } => Model::AddLocalModel(path.clone(), *keep),
        HubAsk::Library { .. } | HubAsk::Verify { id: None, .. } => return None,
    };
    Some(action.into())
}

fn is_try(command: &Command) -> bool {
    matches!(command, Command::Short(Short::Try { .. }))
}

impl Session {
    /// Says that a job failed, and takes back what was shown of it.
    pub(super) fn on_failed(&mut self, job: JobId, asked: &Asked, problem: &Problem) -> Vec<Effect> {
        if let Some(training) = self.give_up_training(job) {
            self.fail("The run was not started", problem, Some(&training.command));
            self.forget_live_run(&training);
            return self.on_unfinished(asked, RunState::Failed, problem);
        }
        match &asked.command {
            // Nothing that a person must mend now.
            Command::Disk(Disk::Remember { .. }) => {
                self.log.push(format!("not kept for the next start: {problem}"));
            }
            Command::Aside(Aside::Look { .. }) => self.on_look_failed(problem),
            Command::Aside(Aside::Open { path, reading }) if self.asks_for_columns(problem) => {
                let options = reading.as_deref().cloned().unwrap_or_default();
                return self.look_at(path.clone(), options, Some(reason(problem)));
            }
            Command::Long(_) | Command::Short(_) | Command::Aside(_) | Command::Disk(_) => {
                self.fail(title(&asked.command), problem, Some(&asked.command));
            }
        }
        self.on_unfinished(asked, RunState::Failed, problem)
    }

    /// Takes back what was shown of a job that ended before it was done.
    pub(super) fn on_unfinished(&mut self, asked: &Asked, state: RunState, problem: &Problem) -> Vec<Effect> {
        match &asked.command {
            Command::Short(Short::Try { .. }) => self.tries.waiting = self.has_asked(is_try),
            Command::Aside(Aside::ListBackbones) => return self.take_early_data(),
            Command::Long(Long::UseDevice { .. }) => self.on_device_refused(),
            Command::Aside(Aside::Open { .. }) => self.on_not_read(),
            Command::Disk(Disk::SaveRecipe { project, .. }) => self.on_recipe_not_written(project),
            Command::Long(Long::Train { .. }) => {
                let words = if state == RunState::Failed { "failed" } else { "stopped" };
                if let Some(run) = self.run_of(asked) {
                    let status = format!("Run {} {words} {}", run.number(), run.after_words());
                    run.state = state;
                    run.failure = (state == RunState::Failed).then(|| problem.to_string());
                    run.failure_kind = (state == RunState::Failed).then(|| FailureKind::of(problem));
                    self.status = status;
                }
                // The disk knows best what is left of it.
                return self.read_runs();
            }
            Command::Long(
                Long::Inspect { .. }
                | Long::Calibrate { .. }
                | Long::Runs { .. }
                | Long::Evaluate { .. }
                | Long::Export { .. },
            )
            | Command::Short(Short::Filters { .. })
            | Command::Aside(Aside::Devices | Aside::Look { .. } | Aside::Hub(_))
            | Command::Disk(Disk::Create { .. } | Disk::Remember { .. }) => {}
        }
        Vec::new()
    }

    pub(super) fn on_outcome(&mut self, asked: Asked, outcome: Outcome) -> Vec<Effect> {
        match outcome {
            Outcome::Backbones { backbones, problems } => self.on_backbones(backbones, problems),
            Outcome::Devices(devices) => {
                self.on_devices(devices);
                Vec::new()
            }
            Outcome::UsesDevice { device, threads } => self.on_uses_device(device, threads),
            Outcome::Opened(opened) => {
                self.tell_known_project(&asked.command, &opened);
                self.on_opened(opened)
            }
            Outcome::Looked(glance) => {
                self.on_looked(*glance);
                Vec::new()
            }
            Outcome::Created { folder, recipe, index } => self.show_project(folder, *recipe, index),
            Outcome::Saved => Vec::new(),
            Outcome::Inspected { backbone, layers } => {
                self.weights.insert(backbone, layers);
                Vec::new()
            }
            Outcome::Filters { backbone, layer, tiles } => {
                self.filters = Some(KnownFilters { backbone, layer, tiles });
                self.ask_for_filters()
            }
            Outcome::Calibrated { backbone, calibration } => {
                self.calibrations.insert(backbone, calibration);
                Vec::new()
            }
            Outcome::Runs { project, runs } => {
                self.on_runs(&project, runs);
                Vec::new()
            }
            Outcome::Trained { record } => self.on_trained(&asked, *record),
            Outcome::Evaluated { .. } | Outcome::Exported { .. } if !self.is_open(&asked) => Vec::new(),
            Outcome::Evaluated { run, what, evaluation } => {
                self.on_evaluated(run.unwrap_or_default(), what, *evaluation);
                Vec::new()
            }
            Outcome::Tried { predictions } => {
                self.tries.waiting = self.has_asked(is_try);
                if self.is_open(&asked) {
                    self.tries.predictions = predictions;
                }
                Vec::new()
            }
            Outcome::Hub(answer) => self.on_hub_answer(answer),
            Outcome::Exported { out, bytes, labels, thawed, golden } => {
                self.status = format!("Exported {}", crate::units::bytes(bytes));
                self.tell_exported(&out);
                if let Some(project) = &mut self.project {
                    project.export_path = free_beside(&out).display().to_string();
                }
                if let Command::Long(Long::Export { run: Some(run), .. }) = asked.command {
                    self.exported = Some(Exported { run, out, bytes, labels, thawed, golden });
                }
                Vec::new()
            }
        }
    }

    /// Says where an export lies; the step itself says it, too.
    fn tell_exported(&mut self, out: &Path) {
        if self.step == Step::Export {
            return;
        }
        let offer = Offer { text: "Open folder".into(), action: Open::ShowFolder(out.to_path_buf()).into() };
        self.toast_with(ToastKind::Note, "Exported and checked", &out.display().to_string(), Some(offer));
    }

    fn on_backbones(&mut self, backbones: Vec<BackboneFacts>, problems: Vec<Problem>) -> Vec<Effect> {
        for problem in problems {
            self.log.push(format!("backbone left out: {problem}"));
        }
        let count = backbones.len();
        self.status = format!("{count} backbone{} on this machine", if count == 1 { "" } else { "s" });
        self.backbones = backbones;
        self.refresh_models();
        if self.project.is_some() {
            self.recipe_changed();
        }
        let mut effects = self.ask_about_backbone();
        effects.extend(self.take_early_data());
        effects
    }

    fn on_runs(&mut self, project: &Path, runs: Vec<RunHistory>) {
        let training = self.is_training();
        if let Some(open) = self.project.as_mut().filter(|p| p.folder == project) {
            // A run that began meanwhile is not on disk yet, or not with all its steps.
            let live: Vec<RunView> =
                open.runs.drain(..).filter(|run| run.state == RunState::Running && training).collect();
            open.runs = runs.into_iter().map(RunView::of).collect();
            open.runs.retain(|run| live.iter().all(|l| l.name != run.name));
            open.runs.extend(live);
        }
        self.tell_differences();
        self.remember_project();
    }

    fn on_trained(&mut self, asked: &Asked, record: RunRecord) -> Vec<Effect> {
        self.status = format!("Run {} finished", record.run.trim_start_matches('0'));
        let Some(run) = self.run_of(asked) else { return Vec::new() };
        run.finish(&record);
        if let Some(project) = &mut self.project
            && project.selected_run == asked.run
        {
            // Another program may have taken the number meanwhile.
            project.selected_run = Some(record.run);
        }
        self.remember_project();
        self.read_runs()
    }

    fn on_evaluated(&mut self, run: String, what: EvaluateOn, evaluation: Evaluation) {
        let Some(project) = &mut self.project else { return };
        self.status = format!("Run {} evaluated", run.trim_start_matches('0'));
        let chief = evaluation.task.chief();
        let score = chief.of(&evaluation.scores).map(|value| chief.format(value)).unwrap_or_default();
        self.log.push(format!(
            "run {run}: {} {score} on {} samples",
            chief.words.to_lowercase(),
            evaluation.samples
        ));
        project.evaluation = Some(EvaluationView { what, run, evaluation, cell: None });
    }

    /// Asks for the runs of the open project.
    pub(super) fn read_runs(&mut self) -> Vec<Effect> {
        let Some(project) = self.project.as_ref().map(|p| p.folder.clone()) else { return Vec::new() };
        vec![self.send(Long::Runs { project })]
    }

    pub(super) fn begin_live_run(&mut self, name: &str, resume: bool) {
        let frostline = self.project.as_ref().zip(self.backbone()).and_then(|(project, backbone)| {
            let cut = project.mask.as_ref()?.frostline(&backbone.tree, backbone.cuts.len());
            Some(backbone.cuts.get(cut)?.name.clone())
        });
        let Some(project) = &mut self.project else { return };
        let (validation, test) =
            project.split.as_ref().map_or((0, 0), |s| (s.validation.len(), s.test.len()));
        match project.runs.last_mut().filter(|_| resume) {
            Some(run) => run.state = RunState::Running,
            None => {
                let run = RunView::live(name, frostline, validation, &project.recipe.task);
                project.runs.push(RunView {
                    recipe: Some(project.recipe.clone()),
                    test_samples: test,
                    ..run
                });
            }
        }
        project.selected_run = Some(name.to_string());
        self.exported = None;
        self.tell_differences();
    }

    /// Takes a run off the screen that never began.
    fn forget_live_run(&mut self, asked: &Asked) {
        let is_open = self.is_open(asked);
        let Some(project) = self.project.as_mut().filter(|_| is_open) else { return };
        project.runs.retain(|run| asked.run.as_ref() != Some(&run.name));
        project.selected_run = project.runs.last().map(|run| run.name.clone());
    }

    fn tell_differences(&mut self) {
        let backbones = &self.backbones;
        let Some(project) = &mut self.project else { return };
        tell_differences(&mut project.runs, |recipe| {
            match backbones.iter().find(|b| b.id == recipe.backbone.id) {
                Some(backbone) => thawed_words(&backbone.tree, &backbone.cuts, &recipe.freeze.thaw),
                None => recipe.freeze.thaw.join(", "),
            }
        });
    }

    pub(super) fn remember_project(&mut self) {
        let Some(project) = &self.project else { return };
        let unfinished = |run: &RunView| match run.state {
            RunState::Running => format!("Run {} has begun", run.number()),
            RunState::Stopped => format!("Run {} stopped {}", run.number(), run.after_words()),
            RunState::Failed | RunState::Finished => {
                format!("Run {} failed {}", run.number(), run.after_words())
            }
        };
        let result = match (self.judged_run(), project.runs.last()) {
            (Some(run), _) => {
                format!("Run {}: {}", run.number(), run.chief.format(run.best_score.unwrap_or(0.0)))
            }
            (None, Some(run)) => unfinished(run),
            (None, None) => "Not trained yet".to_string(),
        };
        let every = (project.index.items.len() / CARD_SAMPLES).max(1);
        let samples: Vec<_> = project.index.items.iter().step_by(every).take(CARD_SAMPLES).collect();
        let recent = Recent {
            folder: project.folder.clone(),
            name: project.title.clone(),
            result,
            pictures: samples
                .iter()
                .filter(|i| i.text.is_none())
                .map(|i| project.index.full_path(i))
                .collect(),
            texts: samples
                .iter()
                .filter_map(|i| Some((i.text.clone()?, i.target.words(&project.index.classes))))
                .collect(),
        };
        self.remembered.remember(recent);
        self.keep_memory();
    }

    /// The step that comes next, for the link at the foot of the window.
    pub fn next_step(&self) -> Option<Step> {
        let position = Step::ALL.iter().position(|s| *s == self.step)?;
        Step::ALL.get(position + 1).copied()
    }
}
