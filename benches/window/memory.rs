//! Resident memory over 500 epochs: made-up facts first, then a real training of a head.

use super::driver::{Random, Window};
use super::made_up::{self, Feed};
use super::measure::{median, resident_mb};
use frostline::control::Fact;
use frostline::project::run::EpochRecord;
use frostline::session::{Edit, Job, Open, Session, Step};
use std::sync::Arc;
use std::time::Duration;

const EPOCHS: u32 = 500;
const STEPS_AN_EPOCH: u64 = 50;

/// Facts of 500 epochs of 50 steps, three passes an epoch.
pub fn facts() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (feeder, feed) = made_up::feed();
    let index = made_up::texts(root.path(), 1000);
    let mut window = Window::open(made_up::stand_in(index, vec![made_up::bert(2)], feed));
    window.act(Open::OpenPath(root.path().to_path_buf()));
    window.wait("project", |s| s.project.is_some());
    begin(&mut window);
    let mut random = Random(1);
    let mut noted = Vec::new();
    for epoch in 1..=EPOCHS {
        let first = u64::from(epoch - 1) * STEPS_AN_EPOCH;
        let step = |n: u64| Fact::Step { epoch, step: first + n, loss: 0.5, lr: 1e-3 };
        let mut facts: Vec<Fact> = (1..=STEPS_AN_EPOCH).map(step).collect();
        facts.push(Fact::Epoch(EpochRecord {
            epoch,
            train_loss: 0.5,
            train: [("accuracy", 0.9)].into_iter().collect(),
            val_loss: 0.5 + 0.1 * random.share(),
            val: [("accuracy", 0.8 + 0.1 * random.share()), ("macro_f1", 0.8)].into_iter().collect(),
            seconds: 0.1,
            samples_per_second: 8000.0,
        }));
        feeder.send(Feed::Report(facts)).expect("the worker listens");
        while epochs_done(window.session()) < epoch {
            passes(&mut window, &mut random, 1);
        }
        passes(&mut window, &mut random, 3);
        noted.push((epoch, resident_mb()));
    }
    tell("made-up facts", &noted);
}

/// A head trained for 500 epochs on sixteen pictures, drawn 50 times a second.
pub fn training() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let data = root.path().join("pictures");
    for (class, colour) in [("red", [220, 30, 30]), ("blue", [30, 30, 220])] {
        std::fs::create_dir_all(data.join(class)).expect("a folder");
        for number in 0..8u8 {
            let [r, g, b] = colour;
            let picture =
                image::RgbImage::from_pixel(64, 48, image::Rgb([r - number, g + number, b - number]));
            picture.save(data.join(class).join(format!("{number}.png"))).expect("a picture");
        }
    }
    let mut window = Window::open(Arc::new(|_, _| None));
    window.act(Open::OpenPath(data));
    window.wait("project", |s| s.project.is_some());
    begin(&mut window);
    let mut random = Random(1);
    let (mut noted, mut seen) = (Vec::new(), 0);
    while window.session().is_training() {
        passes(&mut window, &mut random, 1);
        std::thread::sleep(Duration::from_millis(20));
        let done = epochs_done(window.session());
        if done > seen {
            noted.push((done, resident_mb()));
        }
        seen = done;
    }
    assert_eq!(epochs_done(window.session()), EPOCHS, "{:?}", window.session().log);
    tell("a real training of a head", &noted);
}

fn begin(window: &mut Window) {
    let mut training = window.session().project.as_ref().expect("a project").recipe.training.clone();
    training.epochs = EPOCHS;
    window.act(Edit::SetTraining { training, field: "Epochs" });
    window.act(Job::Train);
    window.act(Open::Go(Step::Train));
}

fn epochs_done(session: &Session) -> u32 {
    let run = session.project.as_ref().and_then(|p| p.runs.last());
    run.map_or(0, |run| run.val_loss.len() as u32)
}

fn passes(window: &mut Window, random: &mut Random, count: usize) {
    for _ in 0..count {
        let place = egui::pos2(160.0 + 700.0 * random.share() as f32, 100.0 + 300.0 * random.share() as f32);
        window.pass(vec![egui::Event::PointerMoved(place)]);
    }
}

/// The middle of the ten epochs that end with each hundredth: the allocator gives memory back in its own time.
fn tell(what: &str, noted: &[(u32, f64)]) {
    let around = |epoch: u32| {
        let near = noted.iter().filter(|(at, _)| (epoch - 9..=epoch).contains(at));
        median(near.map(|(_, mb)| *mb).collect())
    };
    let shown: Vec<String> =
        (1..=EPOCHS / 100).map(|n| format!("{}: {:.1} MB", n * 100, around(n * 100))).collect();
    println!(
        "- {what}, resident after epoch {}; 500 against 100: {:+.1} %",
        shown.join(", "),
        100.0 * (around(EPOCHS) / around(100) - 1.0)
    );
}
