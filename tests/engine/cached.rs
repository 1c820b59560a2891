//! Answers from cached features are those of the whole network.

use frostline::control::{Control, Fact, Progress};
use frostline::evaluate::Evaluation;
use frostline::jobs::{self, EvaluateWhat, NewProject};
use frostline::project::{Machine, Project};
use std::path::Path;
use std::sync::Mutex;

/// Remembers how many samples went through the whole network.
#[derive(Default)]
struct Counter(Mutex<Vec<u64>>);

impl Control for Counter {
    fn report(&self, fact: Fact) {
        if let Fact::Progress(Progress::Work { what, done, .. }) = fact
            && what == "answering"
        {
            self.0.lock().unwrap().push(done);
        }
    }
}

fn pictures(folder: &Path) {
    for (class, colour) in [("red", [220, 30, 30]), ("blue", [30, 30, 220])] {
        std::fs::create_dir_all(folder.join(class)).unwrap();
        for number in 0..12u8 {
            let [r, g, b] = colour;
            let pixel = image::Rgb([r / 2 + 5 * number, g + 3 * number, b - number]);
            let path = folder.join(class).join(format!("{number}.png"));
            image::RgbImage::from_pixel(40, 30, pixel).save(path).unwrap();
        }
    }
}

fn evaluate(project: &Project, what: EvaluateWhat) -> (Evaluation, Vec<u64>) {
    let counter = Counter::default();
    let found =
        jobs::evaluate(project.folder(), (None, None), what, &Default::default(), &Machine::cpu(), &counter)
            .unwrap();
    (found, counter.0.into_inner().unwrap())
}

#[test]
fn what_is_cached_is_not_computed_again_for_scores() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    pictures(&data);
    let new = NewProject {
        data,
        backbone: "mobilenetv2_100".into(),
        folder: folder.path().join("project"),
        thaw: vec!["conv_head".into()],
        ..Default::default()
    };
    let (project, _) = jobs::create(&new, &frostline::control::Silent).unwrap();
    let mut recipe = project.recipe().unwrap();
    (recipe.training.epochs, recipe.split.test_fraction) = (1, 0.2);
    project.write_recipe(&recipe).unwrap();
    let trained = jobs::train(&project, false, &Machine::cpu(), &frostline::control::Silent).unwrap();
    let (quick, computed) = evaluate(&project, EvaluateWhat::Validation);
    assert_eq!(computed, [0; 0], "nothing went through the frozen layers");
    assert_eq!(quick.scores.get("accuracy"), trained.record.best().unwrap().val.get("accuracy"));
    // Test samples are not cached by a training.
    let (test, computed) = evaluate(&project, EvaluateWhat::Test);
    assert_eq!(computed.last(), Some(&test.samples));
    std::fs::remove_dir_all(project.cache_folder()).unwrap();
    let (whole, computed) = evaluate(&project, EvaluateWhat::Validation);
    assert_eq!(computed.last(), Some(&whole.samples));
    assert!(!project.cache_folder().exists(), "scores leave no cache behind");
    assert_eq!(quick.scores, whole.scores);
    for (a, b) in quick.answers.iter().zip(&whole.answers) {
        assert_eq!((&a.path, &a.truth), (&b.path, &b.truth));
        assert!(a.output.iter().zip(&b.output).all(|(a, b)| (a - b).abs() < 1e-4), "{a:?} {b:?}");
    }
}

/// Meant to fail where the outputs above cached states are taken as they are.
#[test]
fn an_answer_that_is_no_number_is_an_error_from_the_cache_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    pictures(&data);
    let new = NewProject {
        data,
        backbone: "mobilenetv2_100".into(),
        folder: folder.path().join("project"),
        ..Default::default()
    };
    let (project, _) = jobs::create(&new, &frostline::control::Silent).unwrap();
    let mut recipe = project.recipe().unwrap();
    recipe.training.epochs = 1;
    project.write_recipe(&recipe).unwrap();
    let trained = jobs::train(&project, false, &Machine::cpu(), &frostline::control::Silent).unwrap();
    let (run, mut record) = (trained.run, trained.record);
    let best = run.best_path(record.best_epoch.unwrap());
    let tensors = candle_core::safetensors::load(&best, &candle_core::Device::Cpu).unwrap();
    let huge =
        tensors.into_iter().map(|(name, tensor)| (name, (tensor.ones_like().unwrap() * 3e38).unwrap()));
    candle_core::safetensors::save(&huge.collect(), &best).unwrap();
    record.best_digest = Some(frostline::data::Digest::of(&std::fs::read(&best).unwrap()));
    run.write_record(&record).unwrap();
    let what = EvaluateWhat::Validation;
    let silent = frostline::control::Silent;
    let ended =
        jobs::evaluate(project.folder(), (None, None), what, &Default::default(), &Machine::cpu(), &silent);
    assert!(ended.is_err(), "{:?}", ended.map(|found| found.scores));
}
