//! Going somewhere: to a step, to data, to a project.

use super::needs_project;
use crate::data::scan::ScanOptions;
use crate::session::{Effect, Purpose, Session, Step};
use std::path::PathBuf;

group! {
    /// Goes somewhere: to a step, to data, to a project.
    Open {
        Go(Step) => Offered [
            Open::Go(Step::Data), Open::Go(Step::Backbone), Open::Go(Step::Layers), Open::Go(Step::Train),
            Open::Go(Step::Evaluate), Open::Go(Step::Try), Open::Go(Step::Export),
        ],
        OpenSample(SampleName) => Offered [
            Open::OpenSample(SampleName::ClipArt), Open::OpenSample(SampleName::Sentences),
        ],
        ChooseFolder => Offered [Open::ChooseFolder],
        ChooseFile => Offered [Open::ChooseFile],
        /// Another project of the data that is open.
        StartOver => Offered [Open::StartOver],
        /// Home: the start screen; the project stays on disk.
        CloseProject => Offered [Open::CloseProject],
        /// A dropped or chosen folder or file: data, a project or an export.
        OpenPath(PathBuf) => Hidden [Open::OpenPath("photos".into())],
        /// Reads data in the way that the user says.
        ReadAs { path: PathBuf, reading: Box<ScanOptions> } => Hidden [
            Open::ReadAs { path: "photos".into(), reading: Box::default() },
        ],
        /// In the system's file manager.
        ShowFolder(PathBuf) => Hidden [Open::ShowFolder("export".into())],
    }
}

/// A bundled dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleName {
    ClipArt,
    Sentences,
}

impl SampleName {
    /// Where it lies among the assets.
    pub fn path(self) -> &'static str {
        match self {
            Self::ClipArt => "samples/clip-art",
            Self::Sentences => "samples/sentences.csv",
        }
    }
}

impl Open {
    pub(super) fn words(&self) -> (String, &'static str) {
        let (text, tooltip) = match self {
            Self::Go(step) => return (format!("Go to {}", step.name()), step.purpose()),
            Self::OpenSample(SampleName::ClipArt) => {
                ("Open sample: clip art", "Pictures of ten kinds, bundled")
            }
            Self::OpenSample(SampleName::Sentences) => {
                ("Open sample: sentences", "Short reviews, positive or negative, bundled")
            }
            Self::ChooseFolder => {
                ("Choose a folder…", "A folder with one folder for each class, or a project")
            }
            Self::ChooseFile => ("Choose a file…", "A CSV, TSV or JSONL file with a text and a label column"),
            Self::StartOver => {
                ("New project of this data", "Start over with default settings; this project stays on disk")
            }
            Self::CloseProject => ("Close the project", "Back to the start; everything is saved"),
            Self::OpenPath(_) => ("Open", "Data, a project or an exported head"),
            Self::ReadAs { .. } => ("Read it so", "Read the data again in this way"),
            Self::ShowFolder(_) => ("Open folder", "Show it in the system's file manager"),
        };
        (text.to_string(), tooltip)
    }

    pub(super) fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Go(Step::Data) => &["Ctrl+1"],
            Self::Go(Step::Backbone) => &["Ctrl+2"],
            Self::Go(Step::Layers) => &["Ctrl+3"],
            Self::Go(Step::Train) => &["Ctrl+4"],
            Self::Go(Step::Evaluate) => &["Ctrl+5"],
            Self::Go(Step::Try) => &["Ctrl+6"],
            Self::Go(Step::Export) => &["Ctrl+7"],
            Self::ChooseFolder => &["Ctrl+O"],
            Self::ChooseFile => &["Ctrl+Shift+O"],
            Self::CloseProject => &["Ctrl+W"],
            Self::OpenSample(_)
            | Self::OpenPath(_)
            | Self::ReadAs { .. }
            | Self::ShowFolder(_)
            | Self::StartOver => &[],
        }
    }

    pub(super) fn why_not(&self, session: &Session) -> Option<&'static str> {
        match self {
            Self::Go(Step::Try) if session.tries.export.is_some() => None,
            Self::StartOver if session.is_training() => Some("A run is being trained."),
            Self::Go(_) | Self::CloseProject | Self::StartOver => needs_project(session),
            Self::OpenSample(_)
            | Self::OpenPath(_)
            | Self::ReadAs { .. }
            | Self::ShowFolder(_)
            | Self::ChooseFolder
            | Self::ChooseFile => None,
        }
    }

    pub(super) fn apply(self, session: &mut Session) -> Vec<Effect> {
        match self {
            Self::Go(step) => {
                session.step = step;
                session.keep_memory();
                session.on_enter(step)
            }
            Self::OpenSample(sample) => session.open_sample(sample),
            Self::OpenPath(path) => session.open_path(path, None),
            Self::ReadAs { path, reading } => session.open_path(path, Some(reading)),
            Self::ShowFolder(path) => vec![Effect::ShowFolder(path)],
            Self::ChooseFolder => vec![Effect::PickFolder(Purpose::Open)],
            Self::ChooseFile => vec![Effect::PickFile(Purpose::Open)],
            Self::StartOver => session.start_over(),
            Self::CloseProject => {
                session.keep_memory();
                session.project = None;
                session.remembered.last_project = None;
                Vec::new()
            }
        }
    }
}
