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
        /// Asks how the data that is open is to be read.
        ChooseColumns => Offered [Open::ChooseColumns],
        /// Reads the data that is open anew, with spellings of one class as one.
        MergeSpellings => Hidden [Open::MergeSpellings],
        /// Shows how data would be read as the user says, and asks.
        LookAt { path: PathBuf, reading: Box<ScanOptions> } => Hidden [
            Open::LookAt { path: "photos".into(), reading: Box::default() },
        ],
        /// What the user says instead of how the data is to be read.
        SetReading(Box<ScanOptions>) => Hidden [Open::SetReading(Box::default())],
        /// Reads the data as the user said.
        UseReading => Hidden [Open::UseReading],
        /// Leaves the data as it is.
        LeaveReading => Hidden [Open::LeaveReading],
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
            Self::ChooseColumns => (
                "Choose columns…",
                "What each column of the table is for, how it is written, and other ways to read the folder",
            ),
            Self::MergeSpellings => (
                "Take them as one class",
                "Names of classes that differ in case, spaces or a full stop at the end are one; nothing is changed in your files",
            ),
            Self::LookAt { .. } => ("Choose columns…", "See what lies there, and say what it means"),
            Self::SetReading(_) => ("Read it so", "See what the data looks like when read in this way"),
            Self::UseReading => ("Use these columns", "Read the data as it is shown here"),
            Self::LeaveReading => ("Cancel", "Leave everything as it is"),
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
            | Self::ChooseColumns
            | Self::MergeSpellings
            | Self::LookAt { .. }
            | Self::SetReading(_)
            | Self::UseReading
            | Self::LeaveReading
            | Self::ShowFolder(_)
            | Self::StartOver => &[],
        }
    }

    pub(super) fn why_not(&self, session: &Session) -> Option<&'static str> {
        match self {
            Self::Go(Step::Try) if session.tries.export.is_some() => None,
            Self::StartOver | Self::ChooseColumns | Self::MergeSpellings if session.is_training() => {
                Some("A run is being trained.")
            }
            Self::UseReading => session.why_not_read(),
            Self::Go(_)
            | Self::CloseProject
            | Self::StartOver
            | Self::ChooseColumns
            | Self::MergeSpellings => needs_project(session),
            Self::OpenSample(_)
            | Self::OpenPath(_)
            | Self::ReadAs { .. }
            | Self::LookAt { .. }
            | Self::SetReading(_)
            | Self::LeaveReading
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
            Self::ChooseColumns => session.choose_columns(),
            Self::MergeSpellings => session.merge_spellings(),
            Self::LookAt { path, reading } => session.look_at(path, *reading, None),
            Self::SetReading(reading) => session.set_reading(*reading),
            Self::UseReading => session.use_reading(),
            Self::LeaveReading => session.leave_reading(),
            Self::ShowFolder(path) => vec![Effect::ShowFolder(path)],
            Self::ChooseFolder => vec![Effect::PickFolder(Purpose::Open)],
            Self::ChooseFile => vec![Effect::PickFile(Purpose::Open)],
            Self::StartOver => session.start_over(),
            Self::CloseProject => {
                session.keep_memory();
                session.project = None;
                session.remembered.last_project = None;
                session.reading = None;
                Vec::new()
            }
        }
    }
}
