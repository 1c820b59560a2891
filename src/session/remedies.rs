//! What a failure offers as a button: its remedy where that is something the window can do, or else the same once more.

use super::action::{Edit, Model};
use super::outcomes::again;
use super::{Action, Job, Open, Session, Step};
use crate::data::scan::{LayoutChoice, ScanOptions};
use crate::problem::{Cause, Problem};
use crate::project::device::DeviceName;
use crate::remedy::{HubRemedy, Remedy};
use crate::worker::{Aside, Command, Disk};

/// A button on a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    pub text: String,
    pub action: Action,
}

impl Session {
    /// What `problem` offers, which came of `command` where one was asked for.
    pub(super) fn offer(&self, command: Option<&Command>, problem: &Problem) -> Option<Offer> {
        let once_more = || command.and_then(again).map(|action| offer("Try again", action));
        match &problem.remedy {
            Remedy::Words(_) if problem.cause == Cause::Hub => once_more(),
            Remedy::Words(_) => command.filter(|command| opens(command)).map(|_| other_data()),
            Remedy::Again(_) | Remedy::MakeRoom | Remedy::FewerThreads => once_more(),
            Remedy::Columns(columns) if columns.can_be_chosen() => {
                command.and_then(choose_columns).or_else(once_more)
            }
            Remedy::Columns(_) => once_more(),
            Remedy::FindData | Remedy::MakeProject => Some(other_data()),
            Remedy::ReadNames(_) => command.and_then(read_names),
            Remedy::OtherTask => Some(offer("New project of this data", Open::StartOver)),
            Remedy::OtherBackbone => Some(go(Step::Backbone)),
            Remedy::NameLayers(_) => Some(go(Step::Layers)),
            Remedy::LookAtData => Some(go(Step::Data)),
            Remedy::TrainFirst => Some(go(Step::Train)),
            Remedy::NewRun | Remedy::NewRunUnless(_) => Some(offer("Train a new run", Job::Train)),
            Remedy::TrainAgain(_) => Some(offer("Train", Job::Train)),
            Remedy::Resume { .. } => Some(offer("Resume", Job::Resume)),
            Remedy::LowerLearningRate => self.lower_rate(),
            Remedy::KeepTestSamples => Some(offer("Choose a test set…", Job::ChooseTestSet)),
            Remedy::OtherDevice(_) if self.device == DeviceName::Cpu => None,
            Remedy::OtherDevice(_) => Some(offer("Use the processor", Job::UseDevice(DeviceName::Cpu))),
            Remedy::Hub(hub) => of_hub(hub),
        }
    }

    /// A third of the learning rate, in two digits.
    fn lower_rate(&self) -> Option<Offer> {
        let mut training = self.project.as_ref()?.recipe.training.clone();
        training.learning_rate = format!("{:.1e}", training.learning_rate / 3.0).parse().ok()?;
        let text = format!("Lower the rate to {:e}", training.learning_rate);
        Some(offer(&text, Edit::SetTraining { training, field: "Learning rate" }))
    }
}

fn offer(text: &str, action: impl Into<Action>) -> Offer {
    Offer { text: text.to_string(), action: action.into() }
}

fn go(step: Step) -> Offer {
    offer(&format!("Go to {}", step.name()), Open::Go(step))
}

fn other_data() -> Offer {
    offer("Choose a folder…", Open::ChooseFolder)
}

/// The same data once more, with its classes in the names of the files.
fn read_names(command: &Command) -> Option<Offer> {
    let Command::Aside(Aside::Open { path, reading }) = command else { return None };
    let reading =
        ScanOptions { layout: Some(LayoutChoice::Names), ..reading.as_deref().cloned().unwrap_or_default() };
    let action = Open::ReadAs { path: path.clone(), reading: Box::new(reading) };
    Some(offer("Take the classes from the names", action))
}

/// The same data, with its columns to be chosen.
fn choose_columns(command: &Command) -> Option<Offer> {
    let (path, reading) = match command {
        Command::Aside(Aside::Open { path, reading }) => (path, reading.clone().unwrap_or_default()),
        Command::Disk(Disk::Create { data, .. }) => (&data.index.root, data.reading.clone()),
        Command::Long(_) | Command::Short(_) | Command::Aside(_) | Command::Disk(_) => return None,
    };
    Some(offer("Choose columns…", Open::LookAt { path: path.clone(), reading }))
}

fn opens(command: &Command) -> bool {
    matches!(command, Command::Aside(Aside::Open { .. }) | Command::Disk(Disk::Create { .. }))
}

fn of_hub(remedy: &HubRemedy) -> Option<Offer> {
    match remedy {
        HubRemedy::Download { id, .. } | HubRemedy::DownloadCommit { id, .. } => {
            Some(offer("Download it", Model::DownloadModel(id.clone())))
        }
        HubRemedy::Complete | HubRemedy::AnotherModel | HubRemedy::OneOfThese => Some(go(Step::Backbone)),
        // What is meant must be typed, or is decided on the model's own page.
        HubRemedy::CheckName
        | HubRemedy::NameRevision { .. }
        | HubRemedy::GiveFolder
        | HubRemedy::TrustPickle
        | HubRemedy::OneDownloaded => None,
    }
}
