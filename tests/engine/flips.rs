//! One flipped bit in a file of ours is an error, or changes nothing; it is never another answer.

use crate::invariants::small_plan;
use frostline::backbone::mix;
use frostline::control::{Control, Fact, Silent};
use frostline::data::scan::ScanOptions;
use frostline::hub;
use frostline::jobs::{self, EvaluateWhat, ModelSource, Questions};
use frostline::problem::Problem;
use frostline::project::{Machine, Project};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Flips in each file; `FROSTLINE_FLIPS` asks for more.
fn flips() -> u64 {
    std::env::var("FROSTLINE_FLIPS").ok().and_then(|number| number.parse().ok()).unwrap_or(16)
}

fn machine() -> Machine {
    Machine { threads: 2, ..crate::support::machine() }
}

/// Whether a file that was damaged can be made again.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Then some flips are refused.
    Only,
    /// Then none is.
    MadeAgain,
}

/// Flips bits of `file`, one at a time, and asks again. Seen to fail without the digest of each file.
fn flip(file: &Path, kind: Kind, ask: impl Fn() -> Result<String, Problem>) {
    let whole = std::fs::read(file).unwrap();
    let expected = ask().unwrap();
    let (mut refused, began) = (0, std::time::Instant::now());
    for number in 0..flips() {
        let bit = (mix(whole.len() as u64, number) % (8 * whole.len() as u64)) as usize;
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(file, &bytes).unwrap();
        match ask() {
            Err(_) => refused += 1,
            Ok(answer) => assert_eq!(answer, expected, "bit {bit} of {}", file.display()),
        }
    }
    std::fs::write(file, &whole).unwrap();
    assert_eq!(ask().unwrap(), expected);
    assert_eq!(refused > 0, kind == Kind::Only, "{}: {refused} refused", file.display());
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let same = flips() - refused;
    println!(
        "| {name} | {} | {} | {refused} | {same} | {:.0} s |",
        whole.len(),
        flips(),
        began.elapsed().as_secs_f64()
    );
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_all(&entry.path(), &target),
            false => std::fs::copy(entry.path(), &target).map(|_| ()).unwrap(),
        }
    }
}

struct StopAfter(usize, AtomicUsize);

impl Control for StopAfter {
    fn report(&self, fact: Fact) {
        if let Fact::Step { .. } = fact {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn stop_requested(&self) -> bool {
        self.1.load(Ordering::SeqCst) >= self.0
    }
}

#[test]
fn a_flipped_bit_is_never_another_answer() {
    let (folder, plan) = small_plan(&hub::open("mobilenetv2_100").unwrap(), &[]);
    let project = Project::create(&folder.path().join("project"), &plan.recipe).unwrap();
    let trained = jobs::train(&project, false, &machine(), &Silent).unwrap();
    let evaluate = || {
        let options = ScanOptions::default();
        let what = EvaluateWhat::Validation;
        let found = jobs::evaluate(project.folder(), (None, None), what, &options, &machine(), &Silent)?;
        Ok(format!("{:?} {:?}", found.scores, found.answers))
    };
    let run = trained.run.folder();
    let best = trained.run.best_path(trained.record.best_epoch.unwrap());
    for file in [run.join("run.json"), run.join("split.json"), run.join("recipe.toml"), best] {
        flip(&file, Kind::Only, evaluate);
    }
    // Samples that are younger than three seconds are not remembered.
    let index = project.folder().join("index.json");
    for _ in 0..20 {
        if !index.exists() {
            std::thread::sleep(std::time::Duration::from_millis(500));
            evaluate().unwrap();
        }
    }
    let cache = std::fs::read_dir(project.cache_folder()).unwrap().next().unwrap().unwrap().path();
    for file in [index, cache] {
        flip(&file, Kind::MadeAgain, evaluate);
    }
    let export = folder.path().join("export");
    jobs::export(&project, None, &export, jobs::Carries::Head, &machine(), &Silent).unwrap();
    let sample = plan.index.full_path(&plan.index.items[0]);
    let predict = || {
        let model = ModelSource::Export(export.clone());
        let questions = Questions { files: std::slice::from_ref(&sample), ..Questions::default() };
        let answers = jobs::predict(&model, &questions, 9, &machine(), &Silent)?;
        Ok(format!("{answers:?}"))
    };
    for name in ["manifest.json", "head.safetensors"] {
        flip(&export.join(name), Kind::Only, predict);
    }
}

/// What a training says of itself besides its losses.
#[derive(Default)]
struct Heard(std::sync::Mutex<Vec<String>>);

impl Control for Heard {
    fn report(&self, fact: Fact) {
        if let Fact::Warning { what, .. } = fact {
            self.0.lock().unwrap().push(what);
        }
    }

    fn stop_requested(&self) -> bool {
        false
    }
}

/// A checkpoint, the recipe of a run, and a feature cache, for whoever trains on. A recipe is for people to edit: another
/// rate is not refused, but it is said.
#[test]
fn a_flipped_bit_is_never_another_run() {
    let (folder, plan) = small_plan(&hub::open("mobilenetv2_100").unwrap(), &[]);
    let stopped = Project::create(&folder.path().join("stopped"), &plan.recipe).unwrap();
    jobs::train(&stopped, false, &machine(), &StopAfter(2, AtomicUsize::new(0))).unwrap_err();
    let run = stopped.runs()[0].folder().to_path_buf();
    let number = AtomicUsize::new(0);
    let train = |resume: bool| {
        let again = folder.path().join(format!("again-{}", number.fetch_add(1, Ordering::SeqCst)));
        copy_all(stopped.folder(), &again);
        let heard = Heard::default();
        let trained = jobs::train(&Project::open(&again)?, resume, &machine(), &heard);
        std::fs::remove_dir_all(&again).unwrap();
        let (trained, heard) = (trained?, heard.0.into_inner().unwrap());
        if heard.iter().any(|what| what.contains("recipe of this run was changed")) {
            return Err(Problem::input("it was said", "", ""));
        }
        let losses: Vec<f64> = trained.record.epochs.iter().map(|epoch| epoch.val_loss).collect();
        Ok(format!("{losses:?} {:?}", trained.record.best_digest))
    };
    flip(&run.join("checkpoint.safetensors"), Kind::Only, || train(true));
    flip(&run.join("recipe.toml"), Kind::Only, || train(true));
    let cache = std::fs::read_dir(stopped.cache_folder()).unwrap().next().unwrap().unwrap().path();
    flip(&cache, Kind::MadeAgain, || train(false));
}
