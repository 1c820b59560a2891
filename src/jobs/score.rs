//! Answers of a trained model: for labelled samples as scores, for files and texts as labels.

use super::{in_pool, scan, scan_of};
use crate::control::{Control, Fact};
use crate::data::image::Format;
use crate::data::scan::ScanOptions;
use crate::evaluate::Evaluation;
use crate::predict::Classifier;
use crate::problem::{Problem, Result};
use crate::project::run::{SampleRef, SplitRecord, find_samples};
use crate::project::{Machine, Project, Recipe, Run};
use crate::train::samples::Sample;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Which samples to evaluate on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluateWhat<'a> {
    /// The run's own validation samples.
    Validation,
    /// The run's own test samples.
    Test,
    /// All samples of other data.
    Data(&'a Path),
}

/// Scores the run `run` of a project (the newest finished one where not named), or an export.
///
/// # Errors
/// `folder` is neither, the samples are not there, or the user stopped.
pub fn evaluate(
    folder: &Path,
    run: Option<&str>,
    what: EvaluateWhat,
    options: &ScanOptions,
    machine: &Machine,
    control: &dyn Control,
) -> Result<Evaluation> {
    in_pool(machine, || match Project::is_at(folder) {
        true => evaluate_run(&Project::open(folder)?, run, what, options, machine, control),
        false => {
            if run.is_some() {
                let (why, remedy) = ("an export holds no runs", "leave --run away, or name a project");
                return Err(Problem::input("there is no such run", why, remedy).at(folder));
            }
            let classifier = Classifier::from_export(folder, machine)?;
            match what {
                EvaluateWhat::Data(data) => evaluate_data(&classifier, data, options, control),
                _ => Err(Problem::input(
                    "an export holds no samples",
                    "only a project knows its split",
                    "name labelled samples with --data",
                )
                .at(folder)),
            }
        }
    })
}

fn evaluate_run(
    project: &Project,
    run: Option<&str>,
    what: EvaluateWhat,
    options: &ScanOptions,
    machine: &Machine,
    control: &dyn Control,
) -> Result<Evaluation> {
    let run: Run = project.run(run)?;
    let recipe = Recipe::read(&run.recipe_path())?;
    let classifier = Classifier::from_run(&run, &super::train::pinned_backbone(project, &recipe)?, machine)?;
    // The best epoch was chosen by the validation samples.
    let (of_split, name, chosen_here): (fn(SplitRecord) -> Vec<SampleRef>, _, _) = match what {
        EvaluateWhat::Data(data) => return evaluate_data(&classifier, data, options, control),
        EvaluateWhat::Test => (|split| split.test, "test", false),
        EvaluateWhat::Validation => (|split| split.validation, "val", true),
    };
    let index = scan_of(project, &recipe, control)?;
    let items = find_samples(&of_split(run.split()?), &index)?;
    if items.is_empty() {
        let remedy = "make a project with --test-fraction, add a test folder to the data, or name other samples with --data";
        return Err(
            Problem::input("there are no test samples", "this run kept none aside", remedy).at(run.folder())
        );
    }
    crate::evaluate::evaluate(&classifier, &index, &items, name, chosen_here, control)
}

fn evaluate_data(
    classifier: &Classifier,
    data: &Path,
    options: &ScanOptions,
    control: &dyn Control,
) -> Result<Evaluation> {
    let index = scan(data, options, control)?;
    let items: Vec<usize> = (0..index.items.len()).collect();
    crate::evaluate::evaluate(classifier, &index, &items, "data", false, control)
}

/// What a model says of one input: labels with probabilities, the likeliest first, or why it says nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    pub input: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<LabelProbability>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelProbability {
    pub label: String,
    pub probability: f32,
}

/// Which trained model answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// An exported head.
    Export(PathBuf),
    /// The best epoch so far of a project's run; the newest run that has one where not named.
    Run { project: PathBuf, run: Option<String> },
}

impl ModelSource {
    fn open(&self, machine: &Machine) -> Result<Classifier> {
        let (folder, name) = match self {
            Self::Export(export) => return Classifier::from_export(export, machine),
            Self::Run { project, run } => (project, run),
        };
        let project = Project::open(folder)?;
        let newest = || {
            let runs = project.runs().into_iter().rev();
            runs.into_iter().find(|run| run.record().is_ok_and(|r| r.best_epoch.is_some()))
        };
        let run = match name.as_deref().map_or_else(newest, |name| project.run(Some(name)).ok()) {
            Some(run) => run,
            None => project.run(name.as_deref())?,
        };
        let recipe = Recipe::read(&run.recipe_path())?;
        Classifier::from_run(&run, &super::train::pinned_backbone(&project, &recipe)?, machine)
    }
}

/// Asks a model for files (folders are searched) and texts; at most `top` labels each. Every input is tried.
///
/// # Errors
/// The model cannot be used, or the user stopped. What is wrong with one input is in its prediction.
pub fn predict(
    model: &ModelSource,
    files: &[PathBuf],
    texts: &[String],
    top: usize,
    machine: &Machine,
    control: &dyn Control,
) -> Result<Vec<Prediction>> {
    in_pool(machine, || {
        let classifier = model.open(machine)?;
        let mut inputs: Vec<(String, Result<Sample>)> = Vec::new();
        for path in files {
            let found = expand(path, classifier.takes_text());
            if found.is_empty() {
                inputs.push((path.display().to_string(), Err(empty_folder(path, classifier.takes_text()))));
            }
            for path in found {
                let sample = Sample::from_file(&path, classifier.takes_text());
                inputs.push((path.display().to_string(), sample));
            }
        }
        inputs.extend(texts.iter().map(|text| (text.clone(), Ok(Sample::Text(text.clone())))));
        answer(&classifier, inputs, top, control)
    })
}

fn answer(
    classifier: &Classifier,
    inputs: Vec<(String, Result<Sample>)>,
    top: usize,
    control: &dyn Control,
) -> Result<Vec<Prediction>> {
    let good: Vec<Sample> = inputs.iter().filter_map(|(_, sample)| sample.as_ref().ok().cloned()).collect();
    let total = good.len() as u64;
    let mut answers = classifier
        .logits(&good, &mut |done| {
            control.report(Fact::Progress { what: "answering", done: done as u64, total });
            !control.stop_requested()
        })?
        .into_iter();
    let predictions = inputs.into_iter().map(|(input, sample)| {
        let logits = sample.and_then(|_| {
            answers
                .next()
                .unwrap_or_else(|| Err(Problem::other("an answer is missing", "", "please report this")))
        });
        match logits {
            Ok(logits) => {
                Prediction { input, labels: Some(ranked(classifier.labels(), &logits, top)), error: None }
            }
            Err(problem) => Prediction {
                input,
                labels: None,
                error: Some(format!("{}: {}; {}", problem.what, problem.why, problem.remedy)),
            },
        }
    });
    Ok(predictions.collect())
}

/// The likeliest labels first; equals in the order of the labels.
fn ranked(labels: &[String], logits: &[f32], top: usize) -> Vec<LabelProbability> {
    let probabilities = Classifier::probabilities(logits);
    let mut ranked: Vec<LabelProbability> = labels
        .iter()
        .zip(probabilities)
        .map(|(label, probability)| LabelProbability { label: label.clone(), probability })
        .collect();
    ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    ranked.truncate(top);
    ranked
}

fn empty_folder(path: &Path, as_text: bool) -> Problem {
    let why = if as_text {
        "it holds no texts (.txt), or cannot be read"
    } else {
        "it holds no images, or cannot be read"
    };
    Problem::input("the folder cannot be used", why, "name files, or a folder that holds some").at(path)
}

/// The files in a folder, sorted and searched to its bottom; a file stands for itself.
fn expand(path: &Path, as_text: bool) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_path_buf()];
    }
    let is_wanted = |path: &Path| match as_text {
        true => path.extension().is_some_and(|e| e.eq_ignore_ascii_case("txt")),
        false => Format::ALL.iter().any(|format| format.fits_name(path)),
    };
    let (mut found, mut folders) = (Vec::new(), vec![path.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                // What systems hide in folders is no sample, as in a scan.
                _ if entry.file_name().to_string_lossy().starts_with('.') => {}
                Ok(kind) if kind.is_dir() => folders.push(path),
                _ if is_wanted(&path) => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}
