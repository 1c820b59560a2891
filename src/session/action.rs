//! Everything that a user can do, in one enum: the panels, the menu, the shortcuts and the palette emit it.

use super::Step;
use crate::backbone::LeafState;
use crate::data::index::Part;
use crate::hub::local::Keep;
use crate::project::recipe::{SplitChoice, TrainingChoice};
use crate::worker::EvaluateOn;
use std::path::PathBuf;

/// One thing that the user asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Go(Step),
    /// Home: the start screen; the project stays on disk.
    CloseProject,
    OpenSample(SampleName),
    /// A dropped or chosen folder or file: data, a project or an export.
    OpenPath(PathBuf),
    ChooseFolder,
    ChooseFile,
    /// A test set, from a dialog.
    ChooseTestSet,
    /// Files to try, from a dialog.
    ChooseTryFiles,
    ChooseExportFolder,
    FilterClass(Option<usize>),
    FilterPart(Option<Part>),
    FilterFindings(bool),
    SelectSample(Option<usize>),
    SetSplit(SplitChoice),
    ChooseBackbone(String),
    FilterModels(super::models::Filter),
    SelectModel(Option<String>),
    SearchHub,
    /// The next results of the search.
    MoreModels,
    /// Reads a model's page on the Hub.
    LookUpModel(String),
    /// Whether weights in a format that can hold programs may be converted.
    AllowPickle(bool),
    DownloadModel(String),
    PauseDownload(u64, bool),
    CancelDownload(u64),
    VerifyModel(String),
    /// Fetches anew what a check found broken.
    RepairModel(String),
    /// The first time it asks, the second time it removes.
    RemoveModel(String),
    ChooseLocalModel(LocalChoice),
    AddLocalModel(PathBuf, Keep),
    /// Freezes or thaws a layer or subtree.
    SetLayer {
        path: String,
        state: LeafState,
    },
    /// Freezes or thaws all leaves from one path to another, in tree order.
    SetLayerRange {
        from: String,
        to: String,
        state: LeafState,
    },
    Preset(Preset),
    /// Moves the frostline; everything above is thawed. Equal numbers belong to one drag.
    DragFrostline {
        cut: usize,
        drag: u64,
    },
    SelectLayer(Option<String>),
    ExpandLayer {
        path: String,
        open: bool,
    },
    SearchLayers(String),
    /// Also names the field, so that typing in it is one undo step.
    SetTraining {
        training: TrainingChoice,
        field: &'static str,
    },
    SetCache(bool),
    Train,
    Resume,
    Pause(bool),
    Stop,
    SelectRun(Option<String>),
    Evaluate(EvaluateOn),
    SelectCell(Option<(usize, usize)>),
    TryFiles(Vec<PathBuf>),
    /// The newest run answers again, not an export.
    TryNewestRun,
    TryText(String),
    SetExportPath(String),
    Export,
    Undo,
    Redo,
    SetTheme(ThemeChoice),
    ToggleInspector,
    ToggleLog,
    ShowPalette(bool),
    DismissToast(u64),
    Quit,
    /// After the question: ends even while a run is unsaved.
    QuitAnyway,
    /// After the question: stays.
    StayOpen,
}

/// How a backbone that the user has already is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalChoice {
    /// A weight file rather than a folder.
    pub is_file: bool,
    pub keep: Keep,
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

/// A usual choice of frozen layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    HeadOnly,
    LastBlock,
    LastStages,
    Everything,
    NormsOnly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ThemeChoice {
    System,
    Light,
    Dark,
}

/// How an action is shown: in menus, tooltips and the palette.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    pub text: String,
    /// Plain words, with the field's own term.
    pub tooltip: &'static str,
    /// As people write it: `Ctrl+Z`.
    pub shortcut: Option<&'static str>,
}

impl Preset {
    pub const ALL: [Preset; 5] =
        [Self::HeadOnly, Self::LastBlock, Self::LastStages, Self::Everything, Self::NormsOnly];

    /// What the button says.
    pub fn name(self) -> &'static str {
        match self {
            Self::HeadOnly => "Head only",
            Self::LastBlock => "Last block",
            Self::LastStages => "Last two stages",
            Self::Everything => "Everything",
            Self::NormsOnly => "Norms only",
        }
    }

    fn tooltip(self) -> &'static str {
        match self {
            Self::HeadOnly => {
                "Train the new last layer and nothing else (linear probe). Quickest; start here."
            }
            Self::LastBlock => "Thaw the topmost block too",
            Self::LastStages => "Thaw the topmost third of the network (partial fine-tuning)",
            Self::Everything => "Thaw every layer (full fine-tuning). Slowest; needs the most data.",
            Self::NormsOnly => "Thaw the scale and shift of every norm layer and nothing else",
        }
    }
}

impl Action {
    /// Actions that the palette offers, whatever is selected.
    pub fn palette() -> Vec<Action> {
        let mut actions: Vec<Action> = Step::ALL.into_iter().map(Action::Go).collect();
        actions.extend([
            Action::OpenSample(SampleName::ClipArt),
            Action::OpenSample(SampleName::Sentences),
            Action::ChooseFolder,
            Action::ChooseFile,
            Action::CloseProject,
            Action::Train,
            Action::Resume,
            Action::Pause(true),
            Action::Pause(false),
            Action::Stop,
            Action::Evaluate(EvaluateOn::Validation),
            Action::SearchHub,
            Action::ChooseLocalModel(LocalChoice { is_file: false, keep: Keep::Referenced }),
            Action::ChooseTestSet,
            Action::ChooseTryFiles,
            Action::Export,
            Action::Undo,
            Action::Redo,
            Action::SetTheme(ThemeChoice::System),
            Action::SetTheme(ThemeChoice::Light),
            Action::SetTheme(ThemeChoice::Dark),
            Action::ToggleInspector,
            Action::ToggleLog,
            Action::Quit,
        ]);
        actions.extend(Preset::ALL.map(Action::Preset));
        actions
    }

    /// How it is shown.
    pub fn label(&self) -> Label {
        let label = |text: &str, tooltip, shortcut| Label { text: text.to_string(), tooltip, shortcut };
        match self {
            Action::Go(step) => Label {
                text: format!("Go to {}", step.name()),
                tooltip: step.purpose(),
                shortcut: Some(step.shortcut()),
            },
            Action::OpenSample(SampleName::ClipArt) => {
                label("Open sample: clip art", "Pictures of ten kinds, bundled", None)
            }
            Action::OpenSample(SampleName::Sentences) => {
                label("Open sample: sentences", "Short reviews, positive or negative, bundled", None)
            }
            Action::ChooseFolder => label(
                "Choose a folder…",
                "A folder with one folder for each class, or a project",
                Some("Ctrl+O"),
            ),
            Action::ChooseFile => label(
                "Choose a file…",
                "A CSV, TSV or JSONL file with a text and a label column",
                Some("Ctrl+Shift+O"),
            ),
            Action::CloseProject => {
                label("Close the project", "Back to the start; everything is saved", Some("Ctrl+W"))
            }
            Action::Train => label("Train", "Start a new run with this recipe", Some("Ctrl+Enter")),
            Action::Resume => label("Resume", "Go on with the run that did not finish", None),
            Action::Pause(true) => label("Pause", "Wait after this batch", Some("Ctrl+P")),
            Action::Pause(false) => label("Go on", "Go on with the paused run", Some("Ctrl+P")),
            Action::Stop => label(
                "Stop, keep best",
                "End after this batch; the best epoch and the checkpoint are kept",
                Some("Ctrl+."),
            ),
            Action::Evaluate(_) => {
                label("Evaluate", "Score the newest run on its validation samples", Some("Ctrl+E"))
            }
            Action::ChooseTestSet => label(
                "Choose a test set…",
                "Score on labelled samples that the run has never seen; or drop them here",
                None,
            ),
            Action::SearchHub => label(
                "Search the Hub",
                "Ask the Hugging Face Hub for models that fit the words and filters",
                None,
            ),
            Action::ChooseLocalModel(_) => label(
                "Open a local backbone…",
                "A folder with config.json and model.safetensors, used where it lies",
                None,
            ),
            Action::DownloadModel(_) => {
                label("Download", "Fetch this model; what has arrived is kept when the line breaks", None)
            }
            Action::LookUpModel(_) => {
                label("Look it up on the Hub", "Read its page: size, revision, whether it fits", None)
            }
            Action::VerifyModel(_) => {
                label("Check its files", "Read every byte and compare the digests", None)
            }
            Action::RepairModel(_) => label("Repair", "Check its files and fetch anew what is broken", None),
            Action::RemoveModel(_) => label("Remove", "Delete it from this machine", None),
            Action::ChooseTryFiles => label("Choose files to try…", "Ask the model about files", None),
            Action::TryNewestRun => label("Ask the newest run", "Not the export", None),
            Action::TryFiles(_) | Action::TryText(_) => label("Try", "Ask the model", None),
            Action::Export => {
                label("Export", "Write the trained head, reload it and compare", Some("Ctrl+S"))
            }
            Action::Undo => label("Undo", "Take back the last change of the recipe", Some("Ctrl+Z")),
            Action::Redo => label("Redo", "Make the undone change again", Some("Ctrl+Shift+Z")),
            Action::SetTheme(ThemeChoice::System) => {
                label("Theme: as the system", "Follow the system's light or dark", None)
            }
            Action::SetTheme(ThemeChoice::Light) => label("Theme: light", "Light colours", None),
            Action::SetTheme(ThemeChoice::Dark) => label("Theme: dark", "Dark colours", None),
            Action::ToggleInspector => {
                label("Show or hide the inspector", "The panel on the right", Some("Ctrl+I"))
            }
            Action::ToggleLog => label("Show or hide the log", "What happened so far", Some("Ctrl+L")),
            Action::ShowPalette(_) => label("Commands", "Find any action by name", Some("Ctrl+K")),
            Action::Quit => label("Quit", "Close the window", Some("Ctrl+Q")),
            Action::Preset(preset) => {
                label(&format!("Layers: {}", preset.name().to_lowercase()), preset.tooltip(), None)
            }
            _ => label("", "", None),
        }
    }
}
