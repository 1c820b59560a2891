//! Work that is asked for, and what it is to work on.

use super::needs_project;
use crate::project::device::DeviceName;
use crate::session::runs::RunView;
use crate::session::{Effect, JobView, Purpose, Session};
use crate::worker::{Command, EvaluateOn, Long};
use std::path::PathBuf;

group! {
    /// Asks for work, stops it, or says what to work on.
    Job {
        Train => Offered [Job::Train],
        Resume => Offered [Job::Resume],
        /// Lets the training wait, or go on.
        Pause(bool) => Offered [Job::Pause(true), Job::Pause(false)],
        Stop => Offered [Job::Stop],
        Evaluate(EvaluateOn) => Offered [Job::Evaluate(EvaluateOn::Validation)],
        /// A test set, from a dialog.
        ChooseTestSet => Offered [Job::ChooseTestSet],
        /// Files to try, from a dialog.
        ChooseTryFiles => Offered [Job::ChooseTryFiles],
        TryFiles(Vec<PathBuf>) => Hidden [Job::TryFiles(vec!["photo.jpg".into()])],
        TryText(String) => Hidden [Job::TryText("A text.".into())],
        /// The project's run answers again, not an export.
        TryRun => Hidden [Job::TryRun],
        /// Writes the recipe, where that did not work before.
        Save => Hidden [Job::Save],
        Export => Offered [Job::Export],
        ChooseExportFolder => Hidden [Job::ChooseExportFolder],
        SetExportPath(String) => Hidden [Job::SetExportPath("export".into())],
        /// Computes on another device from now on.
        UseDevice(DeviceName) => Hidden [Job::UseDevice(DeviceName::Cpu)],
    }
}

impl Job {
    pub(super) fn words(&self) -> (String, &'static str) {
        let (text, tooltip) = match self {
            Self::Train => ("Train", "Start a new run with this recipe"),
            Self::Resume => ("Resume", "Go on with the run that did not finish"),
            Self::Pause(true) => ("Pause", "Wait after this batch"),
            Self::Pause(false) => ("Go on", "Go on with the paused run"),
            Self::Stop => {
                ("Stop, keep best", "End after this batch; the best epoch and the checkpoint are kept")
            }
            Self::Evaluate(_) => ("Evaluate", "Score the chosen run on its validation samples"),
            Self::ChooseTestSet => (
                "Choose a test set…",
                "Score on labelled samples that the run has never seen; or drop them here",
            ),
            Self::ChooseTryFiles => ("Choose files to try…", "Ask the model about files"),
            Self::TryFiles(_) | Self::TryText(_) => ("Try", "Ask the model"),
            Self::TryRun => ("Ask the chosen run", "Not the export"),
            Self::Save => ("Save the recipe", "Write the recipe of the project to the disk"),
            Self::Export => ("Export", "Write the trained head, reload it and compare"),
            Self::ChooseExportFolder => ("Choose where to export…", "The folder that the export is put into"),
            Self::SetExportPath(_) => ("Set where to export", "The new folder that the export becomes"),
            Self::UseDevice(device) => {
                return (format!("Compute on {}", device.words()), "What trains, evaluates and answers");
            }
        };
        (text.to_string(), tooltip)
    }

    pub(super) fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Train => &["Ctrl+Enter"],
            Self::Pause(_) => &["Ctrl+P"],
            Self::Stop => &["Ctrl+."],
            Self::Evaluate(_) => &["Ctrl+E"],
            Self::Export => &["Ctrl+S"],
            Self::Resume
            | Self::Save
            | Self::ChooseTestSet
            | Self::ChooseTryFiles
            | Self::TryFiles(_)
            | Self::TryText(_)
            | Self::TryRun
            | Self::ChooseExportFolder
            | Self::SetExportPath(_)
            | Self::UseDevice(_) => &[],
        }
    }

    pub(super) fn why_not(&self, session: &Session) -> Option<&'static str> {
        let is_asked = |meant: fn(&Command) -> bool| session.has_asked(meant);
        match self {
            Self::Train => why_not_train(session),
            Self::Resume => why_not_resume(session),
            Self::Pause(paused) => why_not_pause(session.job.as_ref(), *paused),
            Self::Stop => why_not_stop(session.job.as_ref()),
            Self::Evaluate(_) => why_not_judge(session).or_else(|| {
                is_asked(|c| matches!(c, Command::Long(Long::Evaluate { .. })))
                    .then_some("It is being evaluated.")
            }),
            Self::Export => why_not_judge(session).or_else(|| {
                is_asked(|c| matches!(c, Command::Long(Long::Export { .. })))
                    .then_some("It is being exported.")
            }),
            Self::Save => needs_project(session),
            Self::ChooseTestSet => why_not_judge(session),
            Self::ChooseTryFiles | Self::TryFiles(_) | Self::TryText(_) => match session.tries.export {
                Some(_) => None,
                None => needs_result(session),
            },
            Self::TryRun | Self::ChooseExportFolder | Self::SetExportPath(_) => None,
            Self::UseDevice(device) => session.why_not_device(*device),
        }
    }

    pub(super) fn apply(self, session: &mut Session) -> Vec<Effect> {
        match self {
            Self::Train => session.train(),
            Self::Resume => session.resume(),
            Self::Pause(paused) => {
                let Some(job) = &mut session.job else { return Vec::new() };
                job.paused = paused;
                vec![Effect::Pause(job.id, paused)]
            }
            Self::Stop => {
                let Some(job) = &mut session.job else { return Vec::new() };
                (job.stopping, job.paused) = (true, false);
                vec![Effect::Stop(job.id)]
            }
            Self::Evaluate(what) => session.evaluate(what),
            Self::ChooseTestSet => vec![Effect::PickFolder(Purpose::TestSet)],
            Self::ChooseTryFiles => vec![Effect::PickFile(Purpose::Try)],
            Self::TryFiles(files) => session.ask(files, Vec::new()),
            Self::TryText(text) => {
                session.tries.text.clone_from(&text);
                session.ask(Vec::new(), vec![text])
            }
            Self::TryRun => {
                (session.tries.export, session.tries.predictions) = (None, Vec::new());
                Vec::new()
            }
            Self::Save => session.save_again(),
            Self::Export => session.export(),
            Self::ChooseExportFolder => vec![Effect::PickFolder(Purpose::Export)],
            Self::SetExportPath(path) => {
                if let Some(project) = &mut session.project {
                    project.export_path = path;
                }
                Vec::new()
            }
            Self::UseDevice(device) => session.use_device(device),
        }
    }
}

fn why_not_train(session: &Session) -> Option<&'static str> {
    let cannot_split = session.project.as_ref().is_some_and(|project| project.split.is_none());
    needs_project(session)
        .or_else(|| session.is_training().then_some("A run is being trained."))
        .or_else(|| cannot_split.then_some("The data cannot be split; see Data."))
        .or_else(|| session.backbone().is_none().then_some("Choose a backbone first."))
}

fn why_not_resume(session: &Session) -> Option<&'static str> {
    let can_resume = |run: &RunView| run.state != crate::project::RunState::Finished;
    let newest = session.project.as_ref().and_then(|project| project.runs.last());
    needs_project(session).or_else(|| session.is_training().then_some("A run is being trained.")).or_else(
        || (!newest.is_some_and(can_resume)).then_some("The newest run has finished, or there is none."),
    )
}

/// Why the job of the job bar cannot be told anything.
fn why_not_tell(job: Option<&JobView>) -> Option<&'static str> {
    match job {
        None => Some("Nothing runs."),
        Some(job) if job.stopping => Some("It is stopping already."),
        Some(_) => None,
    }
}

fn why_not_pause(job: Option<&JobView>, paused: bool) -> Option<&'static str> {
    why_not_tell(job).or(match job {
        Some(job) if !job.can_pause => Some("Only a training can wait."),
        Some(job) if job.paused && paused => Some("It waits already."),
        Some(job) if !job.paused && !paused => Some("It does not wait."),
        Some(_) | None => None,
    })
}

fn why_not_stop(job: Option<&JobView>) -> Option<&'static str> {
    let cannot = job.is_some_and(|job| !job.can_stop);
    why_not_tell(job).or_else(|| cannot.then_some("This cannot be stopped; it ends soon."))
}

fn needs_result(session: &Session) -> Option<&'static str> {
    session.judged_run().is_none().then_some("Train first; there is no result yet.")
}

/// Why no result can be scored or exported.
fn why_not_judge(session: &Session) -> Option<&'static str> {
    let words = "A run is being trained. Stop it first, or wait until it has ended.";
    needs_result(session).or_else(|| session.is_training().then_some(words))
}
