//! The data screen with 100,000 samples: scrolled to random places, filtered this way and that.

use super::driver::{Random, Window, wheel};
use super::made_up;
use super::measure::{Round, row};
use frostline::data::{DatasetIndex, Part};
use frostline::session::{Open, View};
use frostline::worker::BackboneFacts;
use std::path::Path;
use std::time::{Duration, Instant};

const ITEMS: usize = 100_000;
const ROUNDS: usize = 4;
const PASSES: usize = 300;
/// A display's frame; the threads that decode thumbnails work on in what a pass leaves of it.
const FRAME: Duration = Duration::from_micros(16_667);
/// In the grid.
const POINTER: egui::Pos2 = egui::pos2(500.0, 400.0);
/// One turn of the wheel, up or down: about a tenth of all rows.
const JUMP: f32 = 150_000.0;

pub fn pictures() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let data = root.path().join("pictures");
    std::fs::create_dir(&data).expect("a folder");
    screens("pictures", &data, made_up::pictures(&data, ITEMS), made_up::mobilenet());
}

pub fn texts() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let data = root.path().join("texts");
    std::fs::create_dir(&data).expect("a folder");
    screens("texts", &data, made_up::texts(&data, ITEMS), made_up::bert(2));
}

fn screens(what: &str, data: &Path, index: DatasetIndex, backbone: BackboneFacts) {
    let (_feeder, feed) = made_up::feed();
    let mut window = Window::open(made_up::stand_in(index, vec![backbone], feed));
    window.act(Open::OpenPath(data.to_path_buf()));
    window.wait("project", |s| s.project.is_some());
    let mut random = Random(1);
    scroll(&format!("Data, {ITEMS} {what}, scrolling"), &mut window, &mut random);
    window.act(View::SelectSample(Some(ITEMS - 1)));
    scroll(&format!("Data, {ITEMS} {what}, scrolling, one selected"), &mut window, &mut random);
    filter(&format!("Data, {ITEMS} {what}, a filter changes"), &mut window, &mut random);
}

fn scroll(scene: &str, window: &mut Window, random: &mut Random) {
    let mut triangles = 0;
    let mut round = || {
        let mut times = Round::default();
        for number in 0..PASSES {
            let started = Instant::now();
            let mut events = vec![egui::Event::PointerMoved(POINTER)];
            if number % 5 == 0 {
                events.push(wheel((random.share() as f32 - 0.5) * 2.0 * JUMP));
            }
            let pass = window.pass(events);
            triangles = triangles.max(pass.triangles);
            times.add(pass.took);
            std::thread::sleep(FRAME.saturating_sub(started.elapsed()));
        }
        times
    };
    let rounds = (0..ROUNDS).map(|_| round()).collect();
    row(scene, rounds, triangles);
}

/// Each time is the change and the pass that shows it.
fn filter(scene: &str, window: &mut Window, random: &mut Random) {
    let mut triangles = 0;
    let mut round = || {
        let mut times = Round::default();
        for _ in 0..PASSES {
            let started = Instant::now();
            let parts = [None, Some(Part::Train), Some(Part::Validation), Some(Part::Test)];
            let change = window.act(match random.below(3) {
                0 => View::FilterClass(Some(random.below(made_up::CLASSES)).filter(|class| *class > 0)),
                1 => View::FilterPart(parts[random.below(parts.len())]),
                _ => View::FilterFindings(random.below(2) == 0),
            });
            let pass = window.pass(vec![egui::Event::PointerMoved(POINTER)]);
            triangles = triangles.max(pass.triangles);
            times.add(change + pass.took);
            std::thread::sleep(FRAME.saturating_sub(started.elapsed()));
        }
        times
    };
    let rounds = (0..ROUNDS).map(|_| round()).collect();
    row(scene, rounds, triangles);
}
