//! Ten thousand random things that nobody would do on purpose. Nothing panics, the session stays in order, and
//! undoing everything leads back to the first recipe.

use crate::harness::{Window, in_private_home, pictures, reviews};
use eframe::egui::{self, Event, Key, Modifiers, MouseWheelUnit, PointerButton, Pos2, vec2};
use egui_kittest::kittest::NodeT;
use frostline::backbone::LeafState;
use frostline::control::{Control, EpochRecord, Fact};
use frostline::data::Target;

use frostline::data::index::{DatasetIndex, Modality, Part};
use frostline::data::scan::ScanOptions;
use frostline::evaluate::{Answered, Evaluation, Judged};
use frostline::jobs::{FreshData, Opened, Prediction};
use frostline::optim::{AdamW, OptimiserChoice, Sgd};
use frostline::problem::Problem;
use frostline::project::recipe::{BatchNormChoice, SplitChoice, TrainingChoice};
use frostline::project::settings::Defaults;
use frostline::project::{Project, Recipe, RunRecord};
use frostline::session::{Action, Edit, Job, Open, Preset, SampleName, Step, ThemeChoice, View};
use frostline::task::detail::ClassDetail;
use frostline::task::{Answer, Detail, LabelProbability, TaskChoice};
use frostline::train::estimate::Calibration;
use frostline::worker::{Aside, Command, EvaluateOn, Long, Outcome, Short, StandIn};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const STATES: [LeafState; 2] = [LeafState::Thawed, LeafState::Frozen];
/// With the worker stubbed, and with the real one.
const STUBBED: usize = 9_700;
const REAL: usize = 300;
/// After so many actions everything is undone.
const UNDO_EVERY: usize = 50;
const SEED: u64 = 3;

/// A small generator (splitmix64), so that a seed gives the same actions everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// `FROSTLINE_MONKEY_SEED` chooses other paths.
fn seed() -> u64 {
    std::env::var("FROSTLINE_MONKEY_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(SEED)
}

/// Says which seed it was, where the test ends with a panic.
struct Seed(u64, usize);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("FROSTLINE_MONKEY_SEED={} fails at action {}", self.0, self.1);
        }
    }
}

/// Good and bad things to drop.
struct Things {
    data: Vec<PathBuf>,
    bad: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

fn things(folder: &Path) -> Things {
    let place = |name: &str| folder.join(name);
    pictures(&place("photos"));
    pictures(&place("more photos"));
    reviews(&place("reviews.csv"));
    std::fs::write(place("notes.md"), "# no data").unwrap();
    std::fs::write(place("zero.png"), "").unwrap();
    std::fs::create_dir(place("nothing")).unwrap();
    Things {
        data: vec![place("photos"), place("more photos"), place("reviews.csv")],
        bad: vec![place("notes.md"), place("zero.png"), place("nothing"), place("no such place")],
        files: vec![
            place("photos/red/0.png"),
            place("photos/blue/1.png"),
            place("photos"),
            place("zero.png"),
        ],
    }
}

#[test]
fn with_the_worker_stubbed() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let things = things(folder.path());
        let indices = things
            .data
            .iter()
            .map(|path| {
                let control = frostline::control::Silent;
                (path.clone(), frostline::jobs::scan(path, &ScanOptions::default(), &control).unwrap())
            })
            .collect();
        // The worker's thread panics on purpose: its words would drown those that matter.
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.to_string().contains("on purpose") {
                usual(panic);
            }
        }));
        let mut monkey = Monkey::new(Window::open_with(stub(indices)), things, folder.path());
        monkey.play(STUBBED);
    });
}

#[test]
fn with_the_real_worker() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let things = things(folder.path());
        let mut monkey = Monkey::new(Window::open(), things, folder.path());
        monkey.is_real = true;
        monkey.play(REAL);
        monkey.window.dismiss();
        monkey.window.act(Job::Stop);
        monkey.window.wait("the end of all work", |s| s.job.is_none() && !s.tries.waiting);
    });
}

struct Monkey {
    window: Window,
    things: Things,
    folder: PathBuf,
    dice: Dice,
    seed: Seed,
    is_real: bool,
    /// The open project's data, its folder, and the recipe that it was opened with.
    first: Option<(Arc<DatasetIndex>, PathBuf, Recipe)>,
    /// Projects that were opened, changes that were undone, frames in which a run was trained.
    opened: usize,
    undone: usize,
    trained: usize,
}

impl Monkey {
    fn new(window: Window, things: Things, folder: &Path) -> Self {
        let seed = seed();
        Self {
            window,
            things,
            folder: folder.to_path_buf(),
            dice: Dice(seed),
            seed: Seed(seed, 0),
            is_real: false,
            first: None,
            opened: 0,
            undone: 0,
            trained: 0,
        }
    }

    fn play(&mut self, actions: usize) {
        /// How much longer it may take to have done enough: how soon the real worker answers is chance.
        const PATIENCE: usize = 10;
        // A monkey that sits on one screen proves nothing.
        let least = (actions / 100).min(50);
        let mut dragged = false;
        for number in 0..actions * PATIENCE {
            if number >= actions && self.done() >= least {
                break;
            }
            self.seed.1 = number;
            self.do_something(&mut dragged);
            self.window.harness.step();
            if self.is_real {
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
            self.check();
            if number % UNDO_EVERY == UNDO_EVERY - 1 {
                self.undo_everything();
            }
        }
        self.undo_everything();
        println!("{} opened, {} undone, {} frames of training", self.opened, self.undone, self.trained);
        assert!(self.done() >= least, "too tame");
    }

    /// What it did least often of all that it must have done.
    fn done(&self) -> usize {
        self.opened.min(self.undone).min(self.trained)
    }

    fn event(&mut self, event: Event) {
        self.window.harness.input_mut().events.push(event);
    }

    fn do_something(&mut self, dragged: &mut bool) {
        match self.dice.below(100) {
            0..40 => self.click(),
            40..55 => self.shortcut(),
            55..60 => {
                let text =
                    self.dice.pick(&["conv", "1", "nan", "-3", "1e9", "é ü", "\u{202e}x", "  ", "0.5"]);
                self.event(Event::Text(text.to_string()));
            }
            60..64 => {
                let delta = vec2(0.0, (self.dice.share() as f32 - 0.5) * 600.0);
                let (unit, phase) = (MouseWheelUnit::Point, egui::TouchPhase::Move);
                let source = egui::MouseWheelSource::Wheel;
                self.event(Event::MouseWheel { unit, delta, modifiers: Modifiers::NONE, phase, source });
            }
            64..70 => {
                // A drag over several frames: pressed in one, let go in a later one.
                let pos = self.anywhere();
                self.event(Event::PointerMoved(pos));
                *dragged = !*dragged;
                self.button(pos, *dragged, Modifiers::NONE);
            }
            70..72 => self.drop_something(),
            _ => {
                let action = self.action();
                let context = self.window.harness.ctx.clone();
                self.window.harness.state_mut().act(&context, action);
            }
        }
    }

    fn anywhere(&mut self) -> Pos2 {
        egui::pos2(self.dice.share() as f32 * 1280.0, self.dice.share() as f32 * 800.0)
    }

    fn button(&mut self, pos: Pos2, pressed: bool, modifiers: Modifiers) {
        self.event(Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers });
    }

    /// Clicks a random widget that has a name, sometimes with a modifier.
    fn click(&mut self) {
        let screen = egui::Rect::from_min_size(Pos2::ZERO, vec2(1280.0, 800.0));
        let nodes = self.window.harness.root().children_recursive();
        let clickable: Vec<Pos2> = nodes
            .filter(|n| n.accesskit_node().data().supports_action(egui::accesskit::Action::Click))
            .map(|n| n.rect().center())
            .filter(|place| screen.contains(*place))
            .collect();
        if clickable.is_empty() {
            return;
        }
        let pos = self.dice.pick(&clickable);
        let modifiers = match self.dice.below(12) {
            0 => Modifiers::SHIFT,
            1 => Modifiers::COMMAND,
            _ => Modifiers::NONE,
        };
        self.event(Event::PointerMoved(pos));
        self.event(Event::ModifiersChanged(modifiers));
        self.button(pos, true, modifiers);
        self.button(pos, false, modifiers);
        self.window.harness.step();
        self.event(Event::ModifiersChanged(Modifiers::NONE));
    }

    fn shortcut(&mut self) {
        let letters =
            [Key::Z, Key::Y, Key::O, Key::W, Key::K, Key::P, Key::E, Key::S, Key::I, Key::L, Key::Q];
        let others = [Key::Enter, Key::Period, Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5];
        let plain =
            [Key::Tab, Key::Enter, Key::Space, Key::Escape, Key::ArrowUp, Key::ArrowDown, Key::Delete];
        let shift = Modifiers::COMMAND | Modifiers::SHIFT;
        let (key, modifiers) = match self.dice.below(4) {
            0 => (self.dice.pick(&letters), Modifiers::COMMAND),
            1 => (self.dice.pick(&others), Modifiers::COMMAND),
            2 => (self.dice.pick(&plain), Modifiers::NONE),
            _ => (self.dice.pick(&[Key::Z, Key::O, Key::Num6]), self.dice.pick(&[shift, Modifiers::COMMAND])),
        };
        self.event(Event::ModifiersChanged(modifiers));
        for pressed in [true, false] {
            self.event(Event::Key { key, physical_key: None, pressed, repeat: false, modifiers });
        }
        self.window.harness.step();
        self.event(Event::ModifiersChanged(Modifiers::NONE));
    }

    fn drop_something(&mut self) {
        let path = self.something();
        let more = if self.dice.below(4) == 0 { Some(self.something()) } else { None };
        let paths: Vec<&Path> = std::iter::once(path.as_path()).chain(more.as_deref()).collect();
        self.window.drop_all(&paths);
    }

    fn something(&mut self) -> PathBuf {
        match self.dice.below(3) {
            0 => self.dice.pick(&self.things.bad),
            1 => self.dice.pick(&self.things.files),
            _ => self.dice.pick(&self.things.data),
        }
    }

    fn layer(&mut self) -> String {
        let paths: Vec<String> = match self.window.session().backbone() {
            Some(backbone) => backbone.tree.leaves().iter().map(|l| l.path.clone()).collect(),
            None => Vec::new(),
        };
        match self.dice.below(4) {
            0 => self.dice.pick(&["", "blocks.3", "encoder.layer.2", "no.such.layer"]).to_string(),
            _ if paths.is_empty() => "conv_stem".to_string(),
            _ => self.dice.pick(&paths),
        }
    }

    fn split(&mut self) -> SplitChoice {
        let fraction = |dice: &mut Dice| dice.pick(&[0.0, 0.05, 0.2, 0.5, 0.9, -1.0, f64::NAN]);
        SplitChoice {
            validation_fraction: fraction(&mut self.dice),
            test_fraction: fraction(&mut self.dice),
            seed: self.dice.pick(&[0, 1, 7, u64::MAX]),
        }
    }

    fn training(&mut self) -> TrainingChoice {
        let dice = &mut self.dice;
        let mut training = TrainingChoice {
            epochs: if self.is_real { 1 } else { dice.pick(&[1, 2, 10, 10_000, 0, u32::MAX]) },
            batch_size: dice.pick(&[1, 4, 16, 4096, 0, usize::MAX]),
            learning_rate: dice.pick(&[1e-3, 2e-3, 10.0, 0.0, -1.0, f64::NAN, f64::INFINITY]),
            backbone_rate: dice.pick(&[0.1, 1.0, 11.0]),
            weight_decay: dice.pick(&[0.01, 0.0, 2.0]),
            warmup: dice.pick(&[0.1, 0.0, 1.0]),
            dropout: dice.pick(&[0.0, 0.1, 1.5]),
            seed: dice.next() >> 2,
            ..TrainingChoice::suited_to(&Defaults {
                task: Default::default(),
                modality: Modality::Image,
                head_only: true,
                dropout: 0.0,
            })
        };
        let choice = training.seed as usize;
        training.optimiser = [OptimiserChoice::of(&AdamW), OptimiserChoice::of(&Sgd)][choice % 2];
        training.momentum = [0.9, 0.0, 0.5, 1.5][choice / 2 % 4];
        training.clip = [0.0, 1.0, 0.5, f64::NAN][choice / 8 % 4];
        training.batch_norm = [BatchNormChoice::Fixed, BatchNormChoice::Training][choice / 32 % 2];
        training
    }

    /// Any action with arguments good and bad.
    fn action(&mut self) -> Action {
        let cell = (self.dice.below(4), self.dice.below(4));
        match self.dice.below(40) {
            0..4 => Open::Go(self.dice.pick(&Step::ALL)).into(),
            4 => Open::CloseProject.into(),
            5 => Open::OpenPath(self.something()).into(),
            8 if !self.is_real => {
                Open::OpenSample(self.dice.pick(&[SampleName::ClipArt, SampleName::Sentences])).into()
            }
            9 => View::FilterClass(self.dice.pick(&[None, Some(0), Some(1), Some(99)])).into(),
            10 => View::FilterPart(self.dice.pick(&[None, Some(Part::Train), Some(Part::Test)])).into(),
            11 => View::FilterFindings(self.dice.below(2) == 0).into(),
            12 => View::SelectSample(self.dice.pick(&[None, Some(0), Some(15), Some(usize::MAX)])).into(),
            6 | 7 => Edit::Preset(self.dice.pick(&Preset::ALL)).into(),
            13..15 => Edit::SetSplit(self.split()).into(),
            15 => {
                let ids: Vec<String> = self.window.session().backbones.iter().map(|b| b.id.clone()).collect();
                Edit::ChooseBackbone(self.dice.pick(&ids)).into()
            }
            16 => Edit::SetLayer { path: self.layer(), state: self.dice.pick(&STATES) }.into(),
            17 => {
                let (from, to) = (self.layer(), self.layer());
                Edit::SetLayerRange { from, to, state: self.dice.pick(&STATES) }.into()
            }
            18 => Job::Train.into(),
            19..21 => {
                let cut = self.dice.pick(&[0, 1, 3, 5, 8, 1000]);
                Edit::DragFrostline { cut, drag: self.dice.below(3) as u64 }.into()
            }
            21 => View::SelectLayer(self.dice.pick(&[None, Some(String::new())])).into(),
            22 => View::SelectLayer(Some(self.layer())).into(),
            23 => View::ExpandLayer { path: self.layer(), open: self.dice.below(2) == 0 }.into(),
            24 => View::SearchLayers(self.dice.pick(&["", "conv", "zzz", "É"]).to_string()).into(),
            25..27 => {
                Edit::SetTraining { training: self.training(), field: self.dice.pick(&["Epochs", "Seed"]) }
                    .into()
            }
            27 => Edit::SetCache(self.dice.below(2) == 0).into(),
            28 => Job::Train.into(),
            29 => Job::Resume.into(),
            30 => Job::Pause(self.dice.below(2) == 0).into(),
            31 => Job::Stop.into(),
            32 => View::SelectRun(self.dice.pick(&[None, Some("0001".into()), Some("x".into())])).into(),
            33 => Job::Evaluate(match self.dice.below(3) {
                0 => EvaluateOn::Test,
                1 => EvaluateOn::Data(self.something()),
                _ => EvaluateOn::Validation,
            })
            .into(),
            34 => View::SelectCell(self.dice.pick(&[None, Some(cell), Some((usize::MAX, 0))])).into(),
            35 => Job::TryFiles(vec![self.something(), self.something()]).into(),
            36 => Job::TryText(self.dice.pick(&["good", "", "\u{0}", "ö 😀"]).to_string()).into(),
            37 => {
                let name = self.dice.pick(&["out", "a/b", "zero.png", "photos"]);
                Job::SetExportPath(self.folder.join(name).display().to_string()).into()
            }
            38 => Job::Export.into(),
            _ => match self.dice.below(4) {
                0 => View::SetTheme(self.dice.pick(&[ThemeChoice::Light, ThemeChoice::Dark])).into(),
                1 => View::QuitAnyway.into(),
                2 => View::DismissToast(self.window.session().toasts.first().map_or(0, |t| t.id)).into(),
                _ => self.dice.pick(&Action::palette()),
            },
        }
    }

    /// What holds after every action.
    fn check(&mut self) {
        let is_dragging = self.window.harness.ctx.input(|i| i.pointer.any_down());
        let session = self.window.session();
        self.trained += usize::from(session.is_training());
        if session.is_training() {
            assert!(session.why_not(&Job::Train).is_some());
        }
        if let Some(job) = &session.job {
            assert!(!job.paused || job.can_pause, "{job:?}");
            assert!(!(job.paused && job.stopping), "{job:?}");
        }
        let Some(project) = &session.project else {
            self.first = None;
            return;
        };
        assert_eq!(project.mask.is_some(), session.backbone().is_some());
        assert_eq!(project.split.is_some(), project.split_problem.is_none());
        let items = project.index.items.len();
        assert!(project.data.selected.is_none_or(|n| n < items));
        assert!(project.data.visible.iter().all(|n| *n < items));
        if let Some(view) = &project.evaluation
            && let Detail::Classes(detail) = &view.evaluation.detail
        {
            let classes = detail.labels.len();
            assert!(view.cell.is_none_or(|(a, b)| a < classes && b < classes));
        }
        if session.is_training() {
            // What is trained was checked; changes since then are of the next run.
            assert!(!project.runs.is_empty());
        }
        assert!(is_dragging || !project.is_unsaved(), "unsaved, and nothing is being dragged");
        if project.recipe.check().is_ok()
            && session.is_saved()
            && let Ok(on_disk) = Project::open(&project.folder).and_then(|p| p.recipe())
        {
            assert_eq!(on_disk, project.recipe);
        }
        let is_new = self.first.as_ref().is_none_or(|(index, folder, _)| {
            !Arc::ptr_eq(index, &project.index) || *folder != project.folder
        });
        if is_new {
            assert!(!project.undo.can_undo(), "a fresh project has nothing to undo");
            self.first = Some((project.index.clone(), project.folder.clone(), project.recipe.clone()));
            self.opened += 1;
        }
    }

    fn undo_everything(&mut self) {
        let context = self.window.harness.ctx.clone();
        let Some(before) = self.window.session().project.as_ref().map(|p| p.recipe.clone()) else { return };
        let mut steps = 0;
        while self.window.session().why_not(&Edit::Undo).is_none() {
            self.window.harness.state_mut().act(&context, Edit::Undo);
            steps += 1;
        }
        self.undone += steps;
        let first = &self.first.as_ref().unwrap().2;
        assert_eq!(self.window.project().recipe, *first, "after {steps} undone steps");
        for _ in 0..steps {
            self.window.harness.state_mut().act(&context, Edit::Redo);
        }
        let again = &self.window.project().recipe;
        // NaN is not equal to itself.
        assert_eq!(format!("{again:?}"), format!("{before:?}"));
        if self.dice.below(2) == 0 {
            while self.window.session().why_not(&Edit::Undo).is_none() {
                self.window.harness.state_mut().act(&context, Edit::Undo);
            }
        }
        self.check();
    }
}

/// Quick outcomes, good, bad and broken.
fn stub(indices: BTreeMap<PathBuf, DatasetIndex>) -> StandIn {
    let calls = AtomicU64::new(seed());
    Arc::new(move |command, control| {
        let mut dice = Dice(calls.fetch_add(0x51_7cc1_b727_220a, Ordering::SeqCst));
        // Only the list of backbones and the disk are real.
        if matches!(command, Command::Aside(Aside::ListBackbones | Aside::Devices) | Command::Disk(_)) {
            return None;
        }
        match dice.below(12) {
            0 => panic!("on purpose"),
            1 => return Some(Err(Problem::other("it broke", "the dice said so", "roll again"))),
            _ => {}
        }
        Some(Ok(match command {
            Command::Aside(Aside::Hub(_)) => {
                return Some(Err(Problem::other("there is no line", "the monkey cut it", "plug it in")));
            }
            Command::Aside(Aside::Open { path, .. }) => match indices.get(path) {
                Some(index) => Outcome::Opened(Opened::Data(FreshData {
                    index: Arc::new(index.clone()),
                    known: Default::default(),
                    reading: Default::default(),
                })),
                // Samples, projects: whatever has a scan of its own.
                None => return None,
            },
            Command::Long(Long::Inspect { backbone, .. }) => {
                Outcome::Inspected { backbone: backbone.clone(), layers: BTreeMap::new() }
            }
            Command::Long(Long::Calibrate { backbone, .. }) => Outcome::Calibrated {
                backbone: backbone.clone(),
                calibration: Calibration { segments: vec![dice.share(); dice.below(30)] },
            },
            Command::Long(Long::Runs { project, .. }) => {
                Outcome::Runs { project: project.clone(), runs: Vec::new() }
            }
            Command::Long(Long::Train { .. }) => return Some(train(&mut dice, control)),
            Command::Long(Long::Evaluate { run, what, .. }) => {
                let evaluation = evaluation(&mut dice);
                Outcome::Evaluated { run: run.clone(), what: what.clone(), evaluation: Box::new(evaluation) }
            }
            Command::Short(Short::Try { files, texts, .. }) => Outcome::Tried {
                predictions: files
                    .iter()
                    .map(|f| f.display().to_string())
                    .chain(texts.iter().cloned())
                    .map(|input| prediction(&mut dice, input))
                    .collect(),
            },
            Command::Long(Long::Export { out, .. }) => {
                Outcome::Exported { out: out.clone(), bytes: dice.next(), labels: 2, thawed: 0, golden: 3 }
            }
            Command::Long(Long::UseDevice { device }) => Outcome::UsesDevice { device: *device, threads: 2 },
            // All else is done for real.
            _ => return None,
        }))
    })
}

fn train(dice: &mut Dice, control: &dyn Control) -> Result<Outcome, Problem> {
    let text = include_str!("../../src/project/goldens/run-1.json");
    let mut record: RunRecord = serde_json::from_str(text).unwrap();
    record.run = format!("{:04}", 1 + dice.below(3));
    let number = |dice: &mut Dice| match dice.below(10) {
        0 => dice.pick(&[f64::NAN, f64::INFINITY, -1.0, 1e300]),
        _ => dice.share(),
    };
    for epoch in 1..=dice.below(6) as u32 {
        for step in 1..=dice.below(8) as u64 {
            control.wait_while_paused();
            if control.stop_requested() {
                return Err(Problem::stopped("the run keeps its checkpoint"));
            }
            control.report(Fact::progress("computing", step, dice.below(9) as u64));
            control.report(Fact::Step { epoch, step, loss: number(dice), lr: number(dice) });
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        control.report(Fact::Epoch(EpochRecord {
            epoch,
            train_loss: number(dice),
            train: [("accuracy", 0.5)].into_iter().collect(),
            val_loss: number(dice),
            val: [("accuracy", number(dice)), ("macro_f1", number(dice))].into_iter().collect(),
            seconds: number(dice),
            samples_per_second: number(dice),
        }));
    }
    Ok(Outcome::Trained { record: Box::new(record) })
}

fn evaluation(dice: &mut Dice) -> Evaluation {
    let classes = 1 + dice.below(3);
    let mut confusion = vec![vec![0; classes]; classes];
    let answers: Vec<Answered> = (0..dice.below(20))
        .map(|number| {
            let (truth, predicted) = (dice.below(classes), dice.below(classes));
            confusion[truth][predicted] += 1;
            let text = (number % 2 == 0).then(|| "a text".to_string());
            let confidence = dice.share() as f32;
            Answered {
                path: format!("{number}.png").into(),
                text,
                truth: Target::Class(truth),
                predicted: Target::Class(predicted),
                confidence: Some(confidence),
                error: if truth == predicted { 0.0 } else { f64::from(confidence) },
                output: Vec::new(),
            }
        })
        .collect();
    Evaluation {
        coverage: Default::default(),
        task: TaskChoice::default(),
        split: Judged::Val,
        samples: answers.len() as u64,
        scores: [("accuracy", dice.share()), ("macro_f1", dice.share())].into_iter().collect(),
        detail: Detail::Classes(ClassDetail {
            per_class: Vec::new(),
            confusion,
            labels: (0..classes).map(|n| format!("class {n}")).collect(),
            largest_class_accuracy: dice.share(),
        }),
        chosen_on_these_samples: dice.below(2) == 0,
        also_tested: Vec::new(),
        unusable: 0,
        intervals: Vec::new(),
        answers,
    }
}

fn prediction(dice: &mut Dice, input: String) -> Prediction {
    match dice.below(3) {
        0 => Prediction { input, error: Some("it cannot be read".into()), ..Prediction::default() },
        _ => {
            let label = |probability: f32| LabelProbability { label: "red".into(), probability };
            let answer = Answer::Classes { labels: vec![label(0.9), label(f32::NAN)] };
            Prediction { input, answer: Some(answer), ..Prediction::default() }
        }
    }
}
