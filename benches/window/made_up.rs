//! Data, a backbone and answers that are made up, so that a scene is as large as it has to be.

use frostline::backbone::{CutName, InputSpec, registry};
use frostline::control::{Control, Fact};
use frostline::data::index::INDEX_VERSION;
use frostline::data::{
    DatasetIndex, Digest, Finding, FindingKind, Item, Layout, Modality, Target, TargetKind, TextSpec,
};
use frostline::inspect::{BINS, WeightSummary};
use frostline::jobs::{FreshData, Opened};
use frostline::problem::{Problem, Result};
use frostline::project::reading::Reading;
use frostline::project::run::{Environment, RUN_VERSION};
use frostline::project::{RunRecord, RunState};
use frostline::session::projects;
use frostline::train::estimate::Calibration;
use frostline::worker::{Aside, BackboneFacts, Command, Long, Outcome, StandIn};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

pub const CLASSES: usize = 20;
/// One item in so many has a finding.
const PER_FINDING: usize = 50;
const WORDS: [&str; 12] = [
    "delivery", "was", "late", "but", "the", "support", "answered", "within", "an", "hour", "and", "friendly",
];

/// What the window asks for before a training begins, answered at once; trainings report what `feed` says.
pub fn stand_in(index: DatasetIndex, backbones: Vec<BackboneFacts>, feed: Receiver<Feed>) -> StandIn {
    let (index, feed) = (Arc::new(index), Mutex::new(feed));
    Arc::new(move |command: &Command, control: &dyn Control| {
        let outcome = match command {
            Command::Aside(Aside::ListBackbones) => {
                Outcome::Backbones { backbones: backbones.clone(), problems: Vec::new() }
            }
            Command::Aside(Aside::Open { .. }) => Outcome::Opened(Opened::Data(FreshData {
                index: Arc::clone(&index),
                known: Arc::default(),
                reading: Default::default(),
            })),
            Command::Long(Long::Inspect { backbone, .. }) => {
                let facts = backbones.iter().find(|b| b.id == *backbone)?;
                let layers = facts.tree.leaves().iter().map(|l| (l.path.clone(), summary())).collect();
                Outcome::Inspected { backbone: backbone.clone(), layers }
            }
            Command::Long(Long::Calibrate { backbone, .. }) => {
                let facts = backbones.iter().find(|b| b.id == *backbone)?;
                let calibration = Calibration { segments: vec![1e-4; facts.cuts.len() - 1] };
                Outcome::Calibrated { backbone: backbone.clone(), calibration }
            }
            Command::Long(Long::Runs { project, .. }) => {
                Outcome::Runs { project: project.clone(), runs: Vec::new() }
            }
            Command::Long(Long::Train { .. }) => return Some(follow(&feed, control)),
            _ => return None,
        };
        Some(Ok(outcome))
    })
}

/// What a made-up training does next.
pub enum Feed {
    Report(Vec<Fact>),
    Finish(Box<RunRecord>),
}

fn follow(feed: &Mutex<Receiver<Feed>>, control: &dyn Control) -> Result<Outcome> {
    let feed = feed.lock().expect("no one panicked");
    loop {
        match feed.recv() {
            Ok(Feed::Report(facts)) => facts.into_iter().for_each(|fact| control.report(fact)),
            Ok(Feed::Finish(record)) => return Ok(Outcome::Trained { record }),
            Err(_) => return Err(Problem::stopped("the scene has ended")),
        }
    }
}

/// A way to feed made-up trainings.
pub fn feed() -> (Sender<Feed>, Receiver<Feed>) {
    channel()
}

/// A run that ended well.
pub fn record(run: &str, epochs: Vec<frostline::project::run::EpochRecord>) -> RunRecord {
    RunRecord {
        version: RUN_VERSION,
        run: run.to_string(),
        state: RunState::Finished,
        started: 0,
        environment: Environment {
            frostline: String::new(),
            threads: 1,
            simd: String::new(),
            device: String::new(),
            system: String::new(),
        },
        task: Default::default(),
        classes: Vec::new(),
        frostline: CutName::Head,
        trainable_parameters: 1,
        train_samples: 1,
        validation_samples: 200,
        test_samples: 0,
        dataset: Digest::of(b""),
        best_digest: None,
        recipe: None,
        reading: None,
        best_epoch: Some(1),
        epochs,
        seconds: 60.0,
        warm_seconds: 0.0,
        failure: None,
        failure_kind: None,
    }
}

/// `count` texts in a table.
pub fn texts(root: &Path, count: usize) -> DatasetIndex {
    let item = |number: usize| {
        let words: Vec<&str> = (0..20).map(|n| WORDS[(number * 7 + n * n) % WORDS.len()]).collect();
        let text = format!("Order {number}: {}.", words.join(" "));
        Item {
            path: PathBuf::from("texts.csv"),
            line: Some(number as u64 + 2),
            digest: Digest::of(text.as_bytes()),
            text: Some(text),
            target: Target::Class(number % CLASSES),
            part: None,
            group: None,
        }
    };
    index(root, Modality::Text, (0..count).map(item).collect())
}

/// `count` pictures that lie in `root`, a folder a class; each file is a link to one of the bundled pictures.
pub fn pictures(root: &Path, count: usize) -> DatasetIndex {
    let bundled = copies_of_bundled_pictures(root);
    let item = |number: usize| {
        let (class, file) = (number % CLASSES, &bundled[number % bundled.len()]);
        let folder = root.join(class_name(class));
        let suffix = file.extension().and_then(|e| e.to_str()).unwrap_or("png");
        let path = PathBuf::from(class_name(class)).join(format!("{number:06}.{suffix}"));
        if number < CLASSES {
            std::fs::create_dir_all(&folder).expect("a folder");
        }
        std::fs::hard_link(file, root.join(&path)).expect("a link");
        let digest = Digest::of(&number.to_le_bytes());
        Item { path, line: None, text: None, target: Target::Class(class), digest, part: None, group: None }
    };
    index(root, Modality::Image, (0..count).map(item).collect())
}

/// Links need their target on the same disk.
fn copies_of_bundled_pictures(root: &Path) -> Vec<PathBuf> {
    let sample = projects::asset("samples/clip-art").expect("the bundled pictures");
    let folders = std::fs::read_dir(sample).expect("a folder").flatten().filter(|e| e.path().is_dir());
    let files = folders.flat_map(|f| std::fs::read_dir(f.path()).expect("a folder").flatten());
    let mut files: Vec<PathBuf> = files.map(|f| f.path()).collect();
    files.sort();
    let store = root.join(".store");
    std::fs::create_dir_all(&store).expect("a folder");
    let copy = |(number, file): (usize, &PathBuf)| {
        let suffix = file.extension().and_then(|e| e.to_str()).unwrap_or("png");
        let to = store.join(format!("{number}.{suffix}"));
        std::fs::copy(file, &to).expect("a copy");
        to
    };
    files.iter().enumerate().map(copy).collect()
}

fn class_name(class: usize) -> String {
    format!("class {class:02}")
}

fn index(root: &Path, modality: Modality, mut items: Vec<Item>) -> DatasetIndex {
    items.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    let finding = |item: &Item| Finding {
        file: item.path.clone(),
        line: item.line,
        kind: FindingKind::Duplicate,
        reason: "the same content as another sample".to_string(),
        remedy: "remove one of them".to_string(),
    };
    DatasetIndex {
        files: Default::default(),
        unpacked: None,
        version: INDEX_VERSION,
        root: root.to_path_buf(),
        modality,
        target: TargetKind::Class,
        classes: (0..CLASSES).map(class_name).collect(),
        findings: items.iter().step_by(PER_FINDING).map(finding).collect(),
        layout: Layout::Folders {
            modality,
            items: items.len() as u64,
            folders: CLASSES as u64,
            parts: Vec::new(),
        },
        items,
    }
}

/// A BERT of `layers` layers.
pub fn bert(layers: usize) -> BackboneFacts {
    let config = serde_json::json!({
        "model_type": "bert", "vocab_size": 30_522, "hidden_size": 384, "num_hidden_layers": layers,
        "num_attention_heads": 12, "intermediate_size": 1536, "max_position_embeddings": 512,
        "type_vocab_size": 2,
    });
    let (family, network) = registry::describe(&config, Path::new("made up")).expect("a known family");
    let reading = Reading { input: String::new(), pooling: "mean".into(), numerics: 1, modules: None };
    BackboneFacts {
        reading,
        id: "made-up".to_string(),
        name: format!("BERT of {layers} layers"),
        family,
        card: Default::default(),
        input: InputSpec::Text(TextSpec {
            tokenizer_blake3: Digest::of(b""),
            max_tokens: 256,
            letters: Default::default(),
        }),
        tree: Arc::new(network.tree().clone()),
        cuts: network.cuts().into(),
        features: 384,
        dropout: 0.1,
        file_bytes: 1 << 27,
        sha256: "0".repeat(64),
        folder: PathBuf::from("made up"),
        commit: None,
    }
}

/// A result of a search for texts' models.
pub fn found(number: usize) -> frostline::hub::Found {
    frostline::hub::Found {
        id: format!("owner-{}/model-with-a-longer-name-{number}", number % 700),
        kind: Some(Modality::Text),
        family: "BERT".to_string(),
        parameters: Some(1_000_000 * (number as u64 % 400)),
        licence: Some("apache-2.0".to_string()),
        downloads: Some(number as u64),
        supported: !number.is_multiple_of(3),
        reason: number.is_multiple_of(3).then(|| "this version does not know the family".to_string()),
        gated: false,
        languages: vec!["en".to_string()],
    }
}

/// Facts of the bundled network for pictures.
pub fn mobilenet() -> BackboneFacts {
    let (found, _) = frostline::hub::list();
    let takes_images = |b: &&frostline::backbone::Backbone| b.input.suits(Modality::Image);
    let backbone = found.iter().find(takes_images).expect("the bundled backbone");
    BackboneFacts::of(backbone).expect("its files")
}

fn summary() -> WeightSummary {
    let bin = |n: usize| (1000.0 * (-((n as f64 - 24.0) / 8.0).powi(2)).exp()) as u32 + 1;
    WeightSummary {
        count: 147_456,
        mean: 0.0,
        deviation: 0.05,
        smallest: -0.4,
        largest: 0.4,
        near_zero: 0.1,
        silent_channels: (0, 384),
        histogram: std::array::from_fn::<u32, BINS, _>(bin),
    }
}
