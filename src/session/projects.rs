//! Projects that the window makes and remembers.

use crate::data::index::{DatasetIndex, Modality, Part};
use crate::data::target::TargetKind;
use crate::hub::places;
use crate::problem::{Problem, Result};
use crate::project::files::{read_json, write_json};
use crate::project::recipe::{BackboneChoice, DataChoice};
use crate::project::settings::Defaults;
use crate::project::{Project, Recipe};
use crate::session::Step;
use crate::session::action::{SampleName, ThemeChoice};
use crate::task::{TaskChoice, usual};
use crate::worker::BackboneFacts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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
        }
    }
}

impl Remembered {
    /// What the last window left; the defaults where there is nothing usable.
    pub fn load() -> Self {
        let path = places::home().map(|home| home.join("window.json"));
        path.and_then(|path| read_json(&path, "read the window's memory").ok()).unwrap_or_default()
    }

    /// Writes it for the next window.
    ///
    /// # Errors
    /// Frostline's own folder cannot be written.
    pub fn save(&self) -> Result<()> {
        let Some(home) = places::home() else { return Ok(()) };
        std::fs::create_dir_all(&home).map_err(|e| Problem::io("make Frostline's folder", &home, &e))?;
        write_json(&home.join("window.json"), self, "keep the window's memory")
    }

    /// Puts a project first.
    pub fn remember(&mut self, recent: Recent) {
        self.last_project = Some(recent.folder.clone());
        self.recent.retain(|r| r.folder != recent.folder);
        self.recent.insert(0, recent);
        self.recent.truncate(RECENT);
    }
}

/// A recipe that suits `index` and a backbone, for a project in `folder`.
///
/// # Errors
/// The data is gone.
pub fn recipe_for(index: &DatasetIndex, folder: &Path, backbone: &BackboneFacts) -> Result<Recipe> {
    let defaults = Defaults {
        task: TaskChoice(usual(index.target)),
        modality: index.modality,
        head_only: true,
        dropout: backbone.dropout,
    };
    Ok(Recipe {
        data: DataChoice {
            path: Project::reference(folder, &index.root)?,
            text_column: None,
            label_columns: Vec::new(),
        },
        backbone: choice_of(backbone),
        ..Recipe::suited_to(&defaults)
    })
}

/// How a recipe names a backbone.
pub fn choice_of(backbone: &BackboneFacts) -> BackboneChoice {
    BackboneChoice {
        id: backbone.id.clone(),
        sha256: backbone.sha256.clone(),
        revision: backbone.commit.clone(),
        folder: None,
    }
}

/// The first backbone that takes what the data holds.
pub fn suitable(backbones: &[BackboneFacts], modality: Modality) -> Option<&BackboneFacts> {
    backbones.iter().find(|b| b.suits(modality))
}

/// A folder for a new project named after its data, in Frostline's own folder.
///
/// # Errors
/// The system names no place for application data.
pub fn new_folder(data: &Path) -> Result<PathBuf> {
    let home = places::home().ok_or_else(|| {
        Problem::input(
            "there is no place for projects",
            "the system names no folder for them",
            "set FROSTLINE_HOME",
        )
    })?;
    let name = data.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_else(|| "project".into());
    let projects = home.join("projects");
    let free = |number: &u32| {
        let suffix = if *number == 1 { String::new() } else { format!("-{number}") };
        let folder = projects.join(format!("{name}{suffix}"));
        (!folder.exists()).then_some(folder)
    };
    (1..10_000).find_map(|n| free(&n)).ok_or_else(|| {
        Problem::input("there is no free project name", "10,000 projects have this name", "remove some")
            .at(&projects)
    })
}

/// What a person calls a project: the data's name and its number of classes or labels, or its numbers.
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
