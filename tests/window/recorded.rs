//! What runs of the bundled sample gave on one machine, kept so that the pictures are the same on every machine.

use frostline::control::{Control, Fact, Silent};
use frostline::evaluate::{Answered, Evaluation, intervals};
use frostline::jobs::{self, EvaluateWhat, ModelSource, NewProject, Prediction, Questions};
use frostline::problem::Problem;
use frostline::project::Machine;
use frostline::project::settings::{self, Value};
use frostline::task::{Detail, LossChoice, TaskRecord};
use frostline::train::estimate::Calibration;
use frostline::worker::protocol::RunHistory;
use frostline::worker::{Command, Long, Outcome, Short, StandIn};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Epochs of the last run that are shown as if it were still being trained.
const LIVE_EPOCHS: usize = 12;
/// Pictures that are tried, from the sample itself.
const TRIED: [&str; 3] = ["birds", "bugs", "mammals"];

/// The text that is tried.
pub const TRIED_TEXT: &str = "The phone gets hot and the battery dies by noon.";

/// The record: `tests/window/recorded.json`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Recorded {
    runs: Vec<RunHistory>,
    evaluation: Evaluation,
    /// Of the evaluation, with paths below the sample's folder.
    answers: Vec<Answered>,
    predictions: Vec<Prediction>,
    text_predictions: Vec<Prediction>,
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/samples/clip-art")
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/window/recorded.json")
}

impl Recorded {
    /// Reads the record; trains and writes it anew where `FROSTLINE_RECORD` is set.
    pub fn load() -> Self {
        if std::env::var_os("FROSTLINE_RECORD").is_some() {
            let recorded = Self::train();
            std::fs::write(file(), serde_json::to_string(&recorded).unwrap() + "\n").unwrap();
        }
        serde_json::from_slice(&std::fs::read(file()).unwrap()).unwrap()
    }

    pub fn live_epochs(&self) -> usize {
        LIVE_EPOCHS
    }

    /// The cell of the confusion matrix with the most mistakes.
    pub fn worst_cell(&self) -> Option<(usize, usize)> {
        let Detail::Classes(detail) = &self.evaluation.detail else { return None };
        let cells = detail.confusion.iter().enumerate();
        let all = cells.flat_map(|(truth, row)| row.iter().enumerate().map(move |(p, n)| (*n, (truth, p))));
        all.filter(|(_, (truth, predicted))| truth != predicted).max().map(|(_, cell)| cell)
    }

    pub fn tried_files(&self) -> Vec<PathBuf> {
        self.predictions.iter().map(|p| sample().join(&p.input)).collect()
    }

    /// Answers what depends on the machine from the record, leaves the rest to the worker. The first training is the
    /// last run of the record; it goes on until it is stopped.
    pub fn stand_in(&self) -> StandIn {
        let (recorded, trained) = (self.clone(), AtomicBool::new(false));
        Arc::new(move |command, control| match command {
            Command::Long(Long::Calibrate { backbone, .. }) => {
                // Typical of a laptop: what matters is that it is the same everywhere.
                let segments = vec![if backbone.contains("MiniLM") { 2e-5 } else { 6e-4 }; 32];
                let calibration = Calibration { segments };
                Some(Ok(Outcome::Calibrated { backbone: backbone.clone(), calibration }))
            }
            Command::Long(Long::Runs { project, .. }) => {
                let known = recorded.runs.len() - usize::from(!trained.load(Ordering::SeqCst));
                let is_texts = project.to_string_lossy().contains("sentences");
                let runs = recorded.runs[..if is_texts { 1 } else { known }].to_vec();
                Some(Ok(Outcome::Runs { project: project.clone(), runs }))
            }
            Command::Long(Long::Train { .. }) => {
                let stopped = recorded.play(control);
                trained.store(true, Ordering::SeqCst);
                Some(Err(stopped))
            }
            Command::Long(Long::Evaluate { run, what, .. }) => {
                let mut evaluation = recorded.evaluation.clone();
                evaluation.answers.clone_from(&recorded.answers);
                for answer in &mut evaluation.answers {
                    answer.path = sample().join(&answer.path);
                }
                let Detail::Classes(detail) = &evaluation.detail else { return None };
                let task = TaskRecord::default().open(detail.labels.clone(), &LossChoice::default()).ok()?;
                evaluation.intervals =
                    intervals::intervals(task.as_ref(), &evaluation.scores, &evaluation.answers, &Silent)
                        .unwrap_or_default();
                Some(Ok(Outcome::Evaluated {
                    run: run.clone(),
                    what: what.clone(),
                    evaluation: Box::new(evaluation),
                }))
            }
            Command::Short(Short::Try { texts, .. }) => {
                let mut predictions =
                    if texts.is_empty() { &recorded.predictions } else { &recorded.text_predictions }.clone();
                for prediction in predictions.iter_mut().filter(|_| texts.is_empty()) {
                    prediction.input = sample().join(&prediction.input).display().to_string();
                }
                Some(Ok(Outcome::Tried { predictions }))
            }
            // All else is done for real.
            _ => None,
        })
    }

    /// Reports the facts of the last run, then waits to be stopped.
    fn play(&self, control: &dyn Control) -> Problem {
        let run = self.runs.last().unwrap();
        let training = &run.recipe.as_ref().unwrap().training;
        let per_epoch = run.record.train_samples.div_ceil(training.batch_size) as f64;
        let lr = training.learning_rate;
        let mut steps = run.step_losses.iter().peekable();
        for epoch in run.record.epochs.iter().take(LIVE_EPOCHS) {
            while let Some([at, loss]) = steps.next_if(|step| step[0] <= f64::from(epoch.epoch)) {
                let step = (at * per_epoch).round() as u64;
                control.report(Fact::Step { epoch: epoch.epoch, step, loss: *loss, lr });
            }
            control.report(Fact::Epoch(epoch.clone()));
        }
        while !control.stop_requested() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Problem::stopped("the checkpoint is kept")
    }

    /// Trains three runs of the sample with the real engine and asks the last one.
    fn train() -> Self {
        let home = tempfile::tempdir().unwrap();
        let machine = Machine { threads: 2, ..Machine::cpu() };
        let folder = home.path().join("clip-art");
        let new = NewProject {
            data: sample(),
            backbone: "mobilenetv2_100".into(),
            folder: folder.clone(),
            ..Default::default()
        };
        let (project, _) = jobs::create(&new, &Silent).unwrap();
        let mut runs = Vec::new();
        let stages = ["blocks.5", "blocks.6", "conv_head", "bn2"];
        for (thawed, epochs) in [(&[][..], 20), (&stages[2..], 12), (&stages[..], 20)] {
            let mut recipe = project.recipe().unwrap();
            recipe.freeze.thaw = thawed.iter().map(|path| (*path).to_string()).collect();
            recipe.training.epochs = epochs;
            project.write_recipe(&recipe).unwrap();
            jobs::train(&project, false, &machine, &Silent).unwrap();
            let mut history = RunHistory::read(project.runs().last().unwrap()).unwrap();
            // A folder of this machine says nothing.
            history.recipe.as_mut().unwrap().data.path = "assets/samples/clip-art".into();
            runs.push(history);
        }
        let evaluation = jobs::evaluate(
            &folder,
            (None, None),
            EvaluateWhat::Validation,
            &Default::default(),
            &machine,
            &Silent,
        )
        .unwrap();
        let mut answers = evaluation.answers.clone();
        for answer in &mut answers {
            answer.path = answer.path.strip_prefix(sample()).unwrap().to_path_buf();
        }
        let files: Vec<PathBuf> = TRIED.iter().map(|class| first_file(&sample().join(class))).collect();
        let model = ModelSource::Run { project: folder, run: None };
        let mut predictions =
            jobs::predict(&model, &Questions { files: &files, ..Questions::default() }, 5, &machine, &Silent)
                .unwrap();
        for prediction in &mut predictions {
            let inside = Path::new(&prediction.input).strip_prefix(sample()).unwrap();
            prediction.input = inside.display().to_string();
        }
        Self { runs, evaluation, answers, predictions, text_predictions: ask_texts(home.path(), &machine) }
    }
}

fn first_file(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.min().unwrap()
}

/// A head over the sentences, and what it says of two of them.
fn ask_texts(home: &Path, machine: &Machine) -> Vec<Prediction> {
    let folder = home.join("sentences");
    let new = NewProject {
        data: sample().with_file_name("sentences.csv"),
        backbone: "all-MiniLM-L6-v2".into(),
        folder: folder.clone(),
        settings: vec![(settings::named("training.epochs").unwrap(), Value::Integer(3))],
        ..Default::default()
    };
    let (project, _) = jobs::create(&new, &Silent).unwrap();
    jobs::train(&project, false, machine, &Silent).unwrap();
    let model = ModelSource::Run { project: folder, run: None };
    let texts = [TRIED_TEXT.to_string()];
    jobs::predict(&model, &Questions { texts: &texts, ..Questions::default() }, 5, machine, &Silent).unwrap()
}
