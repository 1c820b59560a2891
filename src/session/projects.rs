//! Projects that the window makes and remembers.

use crate::data::index::{DatasetIndex, Modality, Part};
use crate::data::target::TargetKind;
use crate::hub::places;
use crate::problem::{Problem, Result};
use crate::project::device::DeviceName;
use crate::project::files::read_json;
use crate::project::recipe::BackboneChoice;
use crate::session::Step;
use crate::session::action::{SampleName, ThemeChoice};
use crate::worker::BackboneFacts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Projects that are remembered.
const RECENT: usize = 12;

/// What the window remembers between two starts (`window.json` in Frostline's own folder).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    pub version: u32,
    pub theme: ThemeChoice,
    pub inspector_open: bool,
    pub last_project: Option<PathBuf>,
    pub recent: Vec<Recent>,
    #[serde(default)]
    pub view: RememberedView,
    /// What jobs are done on.
    #[serde(default)]
    pub device: DeviceName,
}

/// How a project was left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RememberedView {
    /// Which one; it applies to no other.
    pub project: Option<PathBuf>,
    pub step: Step,
    pub class: Option<usize>,
    pub part: Option<Part>,
    pub findings_only: bool,
    pub layer: Option<String>,
    pub expanded: BTreeSet<String>,
}

impl Default for RememberedView {
    fn default() -> Self {
        Self {
            project: None,
            step: Step::Data,
            class: None,
            part: None,
            findings_only: false,
            layer: None,
            expanded: BTreeSet::new(),
        }
    }
}

/// One project of the start screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recent {
    pub folder: PathBuf,
    pub name: String,
    /// The last result in a few words.
    pub result: String,
    /// Files whose pictures stand on the card.
    pub pictures: Vec<PathBuf>,
    /// Texts that stand on the card.
    pub texts: Vec<(String, String)>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self {
            version: 1,
            theme: ThemeChoice::System,
            inspector_open: true,
            last_project: None,
            recent: Vec::new(),
            view: RememberedView::default(),
            device: DeviceName::default(),
        }
    }
}

impl Remembered {
    /// What the last window left; the defaults where there is nothing usable.
    pub fn load() -> Self {
        let path = places::home().map(|home| home.join(places::WINDOW_FILE));
        path.and_then(|path| read_json(&path, "read the window's memory").ok()).unwrap_or_default()
    }

    /// As the next window reads it.
    ///
    /// # Errors
    /// It holds a path that is no UTF-8.
    pub fn to_text(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|e| {
            Problem::other("could not keep the window's memory", e.to_string(), "please report this")
        })
    }

    /// Puts a project first.
    pub fn remember(&mut self, recent: Recent) {
        self.last_project = Some(recent.folder.clone());
        self.recent.retain(|r| r.folder != recent.folder);
        self.recent.insert(0, recent);
        self.recent.truncate(RECENT);
    }
}

/// How a recipe names a backbone.
pub fn choice_of(backbone: &BackboneFacts) -> BackboneChoice {
    BackboneChoice {
        id: backbone.id.clone(),
        sha256: backbone.sha256.clone(),
        revision: backbone.commit.clone(),
        folder: None,
        reading: Some(backbone.reading.clone()),
    }
}

/// The first backbone that takes what the data holds.
pub fn suitable(backbones: &[BackboneFacts], modality: Modality) -> Option<&BackboneFacts> {
    backbones.iter().find(|b| b.suits(modality))
}

/// What a person calls a project: the data's name and its number of classes.
pub fn title(index: &DatasetIndex) -> String {
    let name = index.root.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut words = name.replace(['-', '_'], " ");
    if let Some(first) = words.get(..1).map(str::to_uppercase) {
        words.replace_range(..1, &first);
    }
    match (index.target, index.classes.as_slice()) {
        (TargetKind::Class, classes) => format!("{words}, {} classes", classes.len()),
        (TargetKind::Labels, [_]) => format!("{words}, 1 label"),
        (TargetKind::Labels, labels) => format!("{words}, {} labels", labels.len()),
        (TargetKind::Numbers, [column]) => format!("{words}, numbers in {column}"),
        (TargetKind::Numbers, columns) => format!("{words}, {} numbers each", columns.len()),
    }
}

/// A bundled dataset as a card of the start screen.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleCard {
    pub name: SampleName,
    pub title: &'static str,
    pub sentence: &'static str,
    pub pictures: Vec<PathBuf>,
    pub texts: Vec<(String, String)>,
}

/// The bundled datasets that are there.
pub fn sample_cards() -> Vec<SampleCard> {
    let first_of = |class: &str| {
        let mut files: Vec<PathBuf> = std::fs::read_dir(asset(&format!("samples/clip-art/{class}"))?)
            .ok()?
            .flatten()
            .map(|e| e.path())
            .collect();
        files.sort();
        files.into_iter().next()
    };
    let texts = [
        ("The mic is great.", "positive"),
        ("Very disappointed.", "negative"),
        ("Loved this place.", "positive"),
    ];
    let cards = [
        SampleCard {
            name: SampleName::ClipArt,
            title: "Clip art",
            sentence: "492 pictures of ten kinds. Bundled; trains in seconds.",
            pictures: ["bugs", "birds", "mammals"].into_iter().filter_map(first_of).collect(),
            texts: Vec::new(),
        },
        SampleCard {
            name: SampleName::Sentences,
            title: "Sentences",
            sentence: "3,000 reviews, positive or negative. Bundled.",
            pictures: Vec::new(),
            texts: texts.map(|(text, label)| (text.to_string(), label.to_string())).into(),
        },
    ];
    cards.into_iter().filter(|card| asset(card.name.path()).is_some()).collect()
}

/// A bundled file or folder.
pub fn asset(relative: &str) -> Option<PathBuf> {
    places::asset_roots().into_iter().map(|root| root.join(relative)).find(|path| path.exists())
}
