//! What is shown and what is selected; nothing here changes the recipe.

use crate::data::index::Part;
use crate::session::{Effect, Session};

group! {
    /// Changes what is shown.
    View {
        FilterClass(Option<usize>) => Hidden [View::FilterClass(Some(0)), View::FilterClass(None)],
        FilterPart(Option<Part>) => Hidden [View::FilterPart(Some(Part::Train)), View::FilterPart(None)],
        FilterFindings(bool) => Hidden [View::FilterFindings(true)],
        SelectSample(Option<usize>) => Hidden [View::SelectSample(Some(0))],
        SelectLayer(Option<String>) => Hidden [View::SelectLayer(Some("conv_stem".into()))],
        ExpandLayer { path: String, open: bool } => Hidden [
            View::ExpandLayer { path: "blocks.1".into(), open: true },
        ],
        SearchLayers(String) => Hidden [View::SearchLayers("conv".into())],
        SelectRun(Option<String>) => Hidden [View::SelectRun(Some("0001".into()))],
        SelectCell(Option<(usize, usize)>) => Hidden [View::SelectCell(Some((0, 0)))],
        SetTheme(ThemeChoice) => Offered [
            View::SetTheme(ThemeChoice::System), View::SetTheme(ThemeChoice::Light), View::SetTheme(ThemeChoice::Dark),
        ],
        ToggleInspector => Offered [View::ToggleInspector],
        ToggleLog => Offered [View::ToggleLog],
        ShowPalette(bool) => Hidden [View::ShowPalette(true), View::ShowPalette(false)],
        DismissToast(u64) => Hidden [View::DismissToast(0)],
        Quit => Offered [View::Quit],
        /// After the question: ends even while a run is unsaved.
        QuitAnyway => Hidden [View::QuitAnyway],
        /// After the question: stays.
        StayOpen => Hidden [View::StayOpen],
    }
}

/// Which theme the user wants: the system's, or one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ThemeChoice {
    System,
    Light,
    Dark,
}

impl View {
    pub(super) fn words(&self) -> (String, &'static str) {
        let (text, tooltip) = match self {
            Self::FilterClass(_) => ("Filter by class", "Show the samples of one class"),
            Self::FilterPart(_) => ("Filter by split", "Show what is trained, validated or tested on"),
            Self::FilterFindings(_) => {
                ("Filter by findings", "Show the samples that something is wrong with")
            }
            Self::SelectSample(_) => ("Select a sample", "Show it on the right"),
            Self::SelectLayer(_) => ("Select a layer", "Show its weights on the right"),
            Self::ExpandLayer { .. } => ("Open or close a group of layers", "Show the layers inside"),
            Self::SearchLayers(_) => ("Find a layer", "Show the layers whose names hold these words"),
            Self::SelectRun(_) => ("Select a run", "Show its curves"),
            Self::SelectCell(_) => ("Select a cell", "Show the samples that were answered so"),
            Self::SetTheme(ThemeChoice::System) => {
                ("Theme: as the system", "Follow the system's light or dark")
            }
            Self::SetTheme(ThemeChoice::Light) => ("Theme: light", "Light colours"),
            Self::SetTheme(ThemeChoice::Dark) => ("Theme: dark", "Dark colours"),
            Self::ToggleInspector => ("Show or hide the inspector", "The panel on the right"),
            Self::ToggleLog => ("Show or hide the log", "What happened so far"),
            Self::ShowPalette(_) => ("Commands", "Find any action by name"),
            Self::DismissToast(_) => ("Dismiss the message", "Take it away"),
            Self::Quit => ("Quit", "Close the window"),
            Self::QuitAnyway => ("Stop and quit", "End after this batch; its checkpoint is kept"),
            Self::StayOpen => ("Stay", "Do not quit"),
        };
        (text.to_string(), tooltip)
    }

    pub(super) fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::ToggleInspector => &["Ctrl+I"],
            Self::ToggleLog => &["Ctrl+L"],
            Self::ShowPalette(_) => &["Ctrl+K"],
            Self::Quit => &["Ctrl+Q"],
            Self::FilterClass(_)
            | Self::FilterPart(_)
            | Self::FilterFindings(_)
            | Self::SelectSample(_)
            | Self::SelectLayer(_)
            | Self::ExpandLayer { .. }
            | Self::SearchLayers(_)
            | Self::SelectRun(_)
            | Self::SelectCell(_)
            | Self::SetTheme(_)
            | Self::DismissToast(_)
            | Self::QuitAnyway
            | Self::StayOpen => &[],
        }
    }

    pub(super) fn why_not(&self, session: &Session) -> Option<&'static str> {
        match self {
            Self::ShowPalette(open) => {
                (*open == session.palette_open).then_some("The commands are shown, or hidden, already.")
            }
            Self::FilterClass(_)
            | Self::FilterPart(_)
            | Self::FilterFindings(_)
            | Self::SelectSample(_)
            | Self::SelectLayer(_)
            | Self::ExpandLayer { .. }
            | Self::SearchLayers(_)
            | Self::SelectRun(_)
            | Self::SelectCell(_)
            | Self::SetTheme(_)
            | Self::ToggleInspector
            | Self::ToggleLog
            | Self::DismissToast(_)
            | Self::Quit
            | Self::QuitAnyway
            | Self::StayOpen => None,
        }
    }

    pub(super) fn apply(self, session: &mut Session) -> Vec<Effect> {
        match self {
            Self::FilterClass(class) => session.filter_data(|data| data.class = class),
            Self::FilterPart(part) => session.filter_data(|data| data.part = part),
            Self::FilterFindings(only) => session.filter_data(|data| data.findings_only = only),
            Self::SelectSample(item) => session.in_project(|project| {
                project.data.selected = item.filter(|n| *n < project.index.items.len());
            }),
            Self::SelectLayer(path) => {
                session.in_project(|project| project.layers.selected = path);
                return session.ask_for_filters();
            }
            Self::ExpandLayer { path, open: true } => {
                session.in_project(|project| {
                    project.layers.expanded.insert(path);
                });
            }
            Self::ExpandLayer { path, open: false } => {
                session.in_project(|project| {
                    project.layers.expanded.remove(&path);
                });
            }
            Self::SearchLayers(search) => session.in_project(|project| project.layers.search = search),
            Self::SelectRun(run) => return session.select_run(run),
            Self::SelectCell(cell) => session.select_cell(cell),
            Self::SetTheme(theme) => {
                session.remembered.theme = theme;
                session.keep_memory();
            }
            Self::ToggleInspector => {
                session.remembered.inspector_open = !session.remembered.inspector_open;
                session.keep_memory();
            }
            Self::ToggleLog => session.log_open = !session.log_open,
            Self::ShowPalette(open) => session.palette_open = open,
            Self::DismissToast(id) => session.toasts.retain(|toast| toast.id != id),
            Self::Quit if session.is_training() => session.asks_to_quit = true,
            Self::Quit | Self::QuitAnyway => return vec![Effect::Quit],
            Self::StayOpen => session.asks_to_quit = false,
        }
        Vec::new()
    }
}
