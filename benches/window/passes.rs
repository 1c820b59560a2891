//! The start screen, a large layer tree, curves of long runs.

use super::driver::{Random, Window, button, wheel};
use super::made_up::{self, Feed};
use super::measure::{Round, Took, row};
use frostline::backbone::Node;
use frostline::control::Fact;
use frostline::project::RunState;
use frostline::project::run::EpochRecord;
use frostline::session::layers::rows;
use frostline::session::models::Filter;
use frostline::session::projects::{Recent, Remembered, sample_cards};
use frostline::session::runs::RunView;
use frostline::session::{Edit, Job, Model, Open, Step, View};
use std::path::PathBuf;
use std::sync::mpsc::Sender;

const ROUNDS: usize = 5;
const PASSES: usize = 400;
/// Gives 500 rows when everything is open.
const BERT_LAYERS: usize = 38;
/// Of a search.
const RESULTS: usize = 10_000;
const RUNS: usize = 4;
const STEPS_A_RUN: u64 = 100_000;
/// Steps that go through the worker's queue at a time; it holds twice as many.
const CHUNK: u64 = 4000;
/// What a very quick training reports between two frames.
const NEW_STEPS: u64 = 50;

/// Measures [`ROUNDS`] rounds; `time` does one pass and says how long it took and what it painted.
fn measure(scene: &str, mut time: impl FnMut() -> (Took, usize)) {
    let mut triangles = 0;
    let mut round = || {
        let mut times = Round::default();
        for _ in 0..PASSES {
            let (took, painted) = time();
            times.add(took);
            triangles = triangles.max(painted);
        }
        times
    };
    let rounds = (0..ROUNDS).map(|_| round()).collect();
    row(scene, rounds, triangles);
}

/// Two samples, twelve recent projects, the pointer over them.
pub fn start() {
    let pictures = sample_cards().iter().flat_map(|card| card.pictures.clone()).collect::<Vec<PathBuf>>();
    let mut remembered = Remembered::default();
    for number in 0..12 {
        remembered.remember(Recent {
            folder: PathBuf::from(format!("project {number}")),
            name: format!("Project {number}, 10 classes"),
            result: "Run 3: 91.2 %".to_string(),
            pictures: pictures.clone(),
            texts: Vec::new(),
        });
    }
    remembered.last_project = None;
    let text = remembered.to_text().expect("plain paths");
    frostline::jobs::remember(&text).expect("a private home");
    let (_feeder, feed) = made_up::feed();
    let index = made_up::texts(std::path::Path::new("none"), 10);
    let mut window = Window::open(made_up::stand_in(index, vec![made_up::bert(2)], feed));
    let mut random = Random(1);
    measure("Start, 12 recent projects", || {
        let place = egui::pos2(160.0 + 1100.0 * random.share() as f32, 800.0 * random.share() as f32);
        let pass = window.pass(vec![egui::Event::PointerMoved(place)]);
        (pass.took, pass.triangles)
    });
}

/// Ten thousand results of a search, as cards and as a table, scrolled; then words typed into the filter.
pub fn models() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (_feeder, feed) = made_up::feed();
    let index = made_up::texts(root.path(), 1000);
    let mut window = Window::open(made_up::stand_in(index, vec![made_up::bert(2)], feed));
    window.act(Open::OpenPath(root.path().to_path_buf()));
    window.wait("project", |s| s.project.is_some());
    window.session_mut().models.found = (0..RESULTS).map(made_up::found).collect();
    window.act(Open::Go(Step::Backbone));
    let mut random = Random(1);
    for as_table in [false, true] {
        window.act(Model::FilterModels(Filter { as_table, ..Default::default() }));
        assert!(window.session().models.len() >= RESULTS);
        let shape = if as_table { "a table" } else { "cards" };
        measure(&format!("Backbone, {RESULTS} results as {shape}, scrolling"), || {
            let turn = wheel((random.share() as f32 - 0.5) * 100_000.0);
            let pass = window.pass(vec![egui::Event::PointerMoved(egui::pos2(500.0, 500.0)), turn]);
            (pass.took, pass.triangles)
        });
    }
    let mut typed = 0;
    measure(&format!("Backbone, {RESULTS} results, a letter typed into the filter"), || {
        typed += 1;
        let text = "model".chars().take(typed % 6).collect();
        let act = window.act(Model::FilterModels(Filter { text, ..Default::default() }));
        let pass = window.pass(Vec::new());
        (act + pass.took, pass.triangles)
    });
}

/// Everything open, over data of 100,000 texts: scrolled, then the line dragged.
pub fn layers() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (_feeder, feed) = made_up::feed();
    let index = made_up::texts(root.path(), 100_000);
    let mut window = Window::open(made_up::stand_in(index, vec![made_up::bert(BERT_LAYERS)], feed));
    window.act(Open::OpenPath(root.path().to_path_buf()));
    window.wait("project", |s| s.project.is_some());
    window.act(Open::Go(Step::Layers));
    let tree = window.session().backbones[0].tree.clone();
    for path in inner_paths(tree.root()) {
        window.act(View::ExpandLayer { path, open: true });
    }
    window.wait("weights", |s| !s.weights.is_empty() && !s.calibrations.is_empty());
    let count = count_rows(&window);
    let mut random = Random(1);
    let pointer = egui::pos2(500.0, 500.0);
    measure(&format!("Layers, {count} rows, scrolling"), || {
        let events =
            vec![egui::Event::PointerMoved(pointer), wheel((random.share() as f32 - 0.5) * 16_000.0)];
        let pass = window.pass(events);
        (pass.took, pass.triangles)
    });
    let leaf = tree.leaves()[40].path.clone();
    window.act(View::SelectLayer(Some(leaf)));
    let name = format!("Layers, {count} rows, the frostline dragged");
    // Above the embeddings, where it is in sight when the tree is scrolled to its beginning.
    window.act(Edit::DragFrostline { cut: 1, drag: 1 });
    let line = find_line(&mut window);
    window.pass(vec![egui::Event::PointerMoved(line), button(line, true)]);
    let mut cuts = Vec::new();
    measure(&name, || {
        let place = egui::pos2(line.x, 330.0 + 420.0 * random.share() as f32);
        let pass = window.pass(vec![egui::Event::PointerMoved(place)]);
        cuts.push(frostline(&window));
        (pass.took, pass.triangles)
    });
    let moves = cuts.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert!(moves > 1, "the line was not dragged");
}

fn inner_paths(node: &Node) -> Vec<String> {
    let own = (!node.children.is_empty()).then(|| node.path.clone());
    own.into_iter().chain(node.children.iter().flat_map(inner_paths)).collect()
}

fn count_rows(window: &Window) -> usize {
    let session = window.session();
    let (Some(project), Some(backbone)) = (&session.project, session.backbone()) else { return 0 };
    let mask = project.mask.as_ref().expect("a mask");
    rows(&backbone.tree, &backbone.cuts, mask, &project.layers).len()
}

fn frostline(window: &Window) -> Option<usize> {
    window.session().estimate(None).map(|estimate| estimate.frostline)
}

/// Scrolls to the beginning of the tree; egui spreads a turn of the wheel over some time.
fn find_line(window: &mut Window) -> egui::Pos2 {
    for _ in 0..40 {
        window.pass(vec![egui::Event::PointerMoved(egui::pos2(500.0, 500.0)), wheel(10_000.0)]);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    window.place_of("Frostline at")
}

/// Four runs of 100,000 steps that came through the worker's queue; the last goes on while it is drawn.
pub fn train() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (feeder, feed) = made_up::feed();
    let index = made_up::texts(root.path(), 1000);
    let mut window = Window::open(made_up::stand_in(index, vec![made_up::bert(2)], feed));
    window.act(Open::OpenPath(root.path().to_path_buf()));
    window.wait("project", |s| s.project.is_some());
    window.act(Open::Go(Step::Train));
    let mut random = Random(1);
    // As the session kept them: what it reads again from the disk after each run is empty here.
    let mut finished: Vec<RunView> = Vec::new();
    for number in 1..=RUNS {
        window.act(Job::Train);
        let epochs = feed_run(&mut window, &feeder, &mut random);
        if number < RUNS {
            finished.extend(runs(&window).last().cloned().map(|run| RunView {
                name: format!("{number:04}"),
                state: RunState::Finished,
                ..run
            }));
            let record = made_up::record(&format!("{number:04}"), epochs);
            feeder.send(Feed::Finish(Box::new(record))).expect("the worker listens");
            window.wait("the run's end", |s| !s.is_training());
        }
    }
    if let Some(project) = &mut window.session_mut().project {
        project.runs.splice(0..0, finished);
    }
    let kept: Vec<String> = runs(&window).map(|run| run.train_loss.len().to_string()).collect();
    let mut step = STEPS_A_RUN;
    let mut live = |scene: &str, window: &mut Window| {
        measure(scene, || {
            let facts = (0..NEW_STEPS).map(|n| step_fact(step + n + 1, &mut random)).collect();
            step += NEW_STEPS;
            feeder.send(Feed::Report(facts)).expect("the worker listens");
            let place =
                egui::pos2(200.0 + 700.0 * random.share() as f32, 100.0 + 300.0 * random.share() as f32);
            let pass = window.pass(vec![egui::Event::PointerMoved(place)]);
            (pass.took, pass.triangles)
        });
    };
    let name = format!("Train, {RUNS} runs of {STEPS_A_RUN} steps ({} kept)", kept.join(", "));
    live(&format!("{name}, one live"), &mut window);
    let place = window.place_of("Log");
    window.click(place);
    live(&format!("{name}, one live, log axis"), &mut window);
}

fn runs(window: &Window) -> impl Iterator<Item = &RunView> {
    window.session().project.iter().flat_map(|p| &p.runs)
}

/// Reports the steps of one run in pieces that the queue holds, so that none is lost.
fn feed_run(window: &mut Window, feeder: &Sender<Feed>, random: &mut Random) -> Vec<EpochRecord> {
    let mut epochs = Vec::new();
    for first in (0..STEPS_A_RUN).step_by(CHUNK as usize) {
        let steps = first + 1..=first + CHUNK;
        let mut facts: Vec<Fact> = steps.map(|step| step_fact(step, random)).collect();
        // 800 texts in batches of 16.
        for epoch in first / 50 + 1..=(first + CHUNK) / 50 {
            let loss = 0.4 + 0.1 * random.share() + 1.0 / epoch as f64;
            let record = EpochRecord {
                epoch: epoch as u32,
                train_loss: loss,
                train: [("accuracy", 0.9)].into_iter().collect(),
                val_loss: loss,
                val: [("accuracy", 0.8 + 0.1 * random.share()), ("macro_f1", 0.8)].into_iter().collect(),
                seconds: 0.1,
                samples_per_second: 8000.0,
            };
            facts.push(Fact::Epoch(record.clone()));
            epochs.push(record);
        }
        feeder.send(Feed::Report(facts)).expect("the worker listens");
        let last = f64::from(epochs.len() as u32);
        let arrived = |s: &frostline::session::Session| {
            let run = s.project.as_ref().and_then(|p| p.runs.last());
            run.is_some_and(|r| {
                r.val_loss.len() as f64 >= last && r.train_loss.last().is_some_and(|p| p[0] >= last - 1e-9)
            })
        };
        window.wait("the steps", arrived);
    }
    epochs
}

fn step_fact(step: u64, random: &mut Random) -> Fact {
    let loss = 0.3 + 0.2 * random.share() + 2.0 / (1.0 + step as f64 / 1000.0);
    Fact::Step { epoch: (step / 50) as u32 + 1, step, loss, lr: 1e-3 }
}
