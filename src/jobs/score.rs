//! Answers of a trained model: for labelled samples as scores, for files and texts as labels.

use super::{forget_if_changed, in_pool, scan, scan_named, scan_of};
use crate::control::{Control, Fact};
use crate::data::facts::extension;
use crate::data::index::DatasetIndex;
use crate::data::modality::Modality;
use crate::data::scan::ScanOptions;
use crate::data::target::TargetKind;
use crate::evaluate::{Evaluation, Judged};
use crate::network::samples::Sample;
use crate::predict::Model;
use crate::problem::{Problem, Result};
use crate::project::run::find_samples;
use crate::project::{Machine, Project, Recipe, Run};
use crate::remedy::Remedy;
use crate::task::Answer;
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
            let model = Model::from_export(folder, machine)?;
            match what {
                EvaluateWhat::Data(data) => evaluate_data(&model, data, options, control),
                EvaluateWhat::Validation | EvaluateWhat::Test => Err(Problem::input(
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
    let model = Model::from_run(&run, &super::train::pinned_backbone(project, &recipe)?, machine)?;
    let split = run.split()?;
    let (samples, judged) = match what {
        EvaluateWhat::Data(data) => return evaluate_data(&model, data, options, control),
        EvaluateWhat::Test => (&split.test, Judged::Test),
        EvaluateWhat::Validation => (&split.validation, Judged::Val),
    };
    let index = scan_of(project, &recipe, control)?;
    let items = find_samples(samples, &index)?;
    if items.is_empty() {
        return Err(Problem::input(
            "there are no test samples",
            "this run kept none aside",
            Remedy::KeepTestSamples,
        )
        .at(run.folder()));
    }
    let evaluation = crate::evaluate::evaluate(&model, &index, &items, judged, control)?;
    if evaluation.unusable > 0 {
        forget_if_changed(project, &index, items);
    }
    Ok(evaluation)
}

fn evaluate_data(
    model: &Model,
    data: &Path,
    options: &ScanOptions,
    control: &dyn Control,
) -> Result<Evaluation> {
    let task = model.task();
    let mut options = ScanOptions { target: Some(task.kind().target), ..options.clone() };
    let mut index = match task.kind().target {
        TargetKind::Labels if options.label_columns.is_empty() => {
            scan_named(data, task.names(), &options, control)?
        }
        TargetKind::Numbers if options.label_columns.is_empty() => {
            options.label_columns = task.names().to_vec();
            scan(data, &options, control)?
        }
        TargetKind::Class | TargetKind::Labels | TargetKind::Numbers => scan(data, &options, control)?,
    };
    spell_as(&mut index, task.names());
    let items: Vec<usize> = (0..index.items.len()).collect();
    crate::evaluate::evaluate(model, &index, &items, Judged::Data, control)
}

/// Gives columns of labels or numbers the model's spelling of their names, which may differ in case of letters and white
/// space around them.
fn spell_as(index: &mut DatasetIndex, names: &[String]) {
    if !index.layout.form().gives_names_by_columns() {
        return;
    }
    for class in 0..index.classes.len() {
        let known = names.iter().find(|name| name.trim().eq_ignore_ascii_case(index.name_of(class).trim()));
        let is_known = names.iter().any(|name| name == index.name_of(class));
        if let Some(known) = known.filter(|known| !is_known && !index.classes.contains(known))
            && let Some(class) = index.classes.get_mut(class)
        {
            class.clone_from(known);
        }
    }
}

/// What a model says of one input, or why it says nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    pub input: String,
    #[serde(flatten, default)]
    pub answer: Option<Answer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
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
    fn open(&self, machine: &Machine) -> Result<Model> {
        let (folder, name) = match self {
            Self::Export(export) => return Model::from_export(export, machine),
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
        Model::from_run(&run, &super::train::pinned_backbone(&project, &recipe)?, machine)
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
        let model = model.open(machine)?;
        let mut inputs: Vec<(String, Result<Sample>)> = Vec::new();
        for path in files {
            let found = expand(path, model.modality());
            if found.is_empty() {
                inputs.push((path.display().to_string(), Err(empty_folder(path, model.modality()))));
            }
            for path in found {
                let sample = Sample::from_file(&path, model.modality());
                inputs.push((path.display().to_string(), sample));
            }
        }
        inputs.extend(texts.iter().map(|text| (text.clone(), Ok(Sample::Text(text.clone())))));
        answer(&model, inputs, top, control)
    })
}

fn answer(
    model: &Model,
    inputs: Vec<(String, Result<Sample>)>,
    top: usize,
    control: &dyn Control,
) -> Result<Vec<Prediction>> {
    let good: Vec<Sample> = inputs.iter().filter_map(|(_, sample)| sample.as_ref().ok().cloned()).collect();
    let total = good.len() as u64;
    let mut answers = model
        .outputs(&good, &mut |done| {
            control.report(Fact::progress("answering", done as u64, total));
            !control.stop_requested()
        })?
        .into_iter();
    let predictions = inputs.into_iter().map(|(input, sample)| {
        let output = sample.and_then(|_| {
            answers
                .next()
                .unwrap_or_else(|| Err(Problem::other("an answer is missing", "", "please report this")))
        });
        match output {
            Ok(output) => Prediction { input, answer: Some(model.task().answer(&output, top)), error: None },
            Err(problem) => Prediction {
                input,
                answer: None,
                error: Some(format!("{}: {}; {}", problem.what, problem.why, problem.remedy)),
            },
        }
    });
    Ok(predictions.collect())
}

fn empty_folder(path: &Path, modality: Modality) -> Problem {
    let why = format!("it holds no {}, or cannot be read", modality.facts().files);
    Problem::input("the folder cannot be used", why, "name files, or a folder that holds some").at(path)
}

/// The files in a folder, sorted and searched to its bottom; a file stands for itself.
fn expand(path: &Path, modality: Modality) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_path_buf()];
    }
    let is_wanted = |path: &Path| modality.facts().extensions.contains(&extension(path).as_str());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Silent;

    #[test]
    fn a_model_finds_its_columns_in_other_spellings() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a.csv");
        std::fs::write(&data, "text,Toxic, RUDE ,loud\na,1,0,0\nb,0,1,1\n").unwrap();
        let mut index = scan(&data, &ScanOptions::default(), &Silent).unwrap();
        assert_eq!(index.classes, ["RUDE", "Toxic", "loud"]);
        spell_as(&mut index, &["rude", "toxic"].map(str::to_owned));
        assert_eq!(index.classes, ["rude", "toxic", "loud"]);
        // Labels in cells are what they are.
        std::fs::write(&data, "text,tags\na,X;y\nb,y\nc,X\nd,\n").unwrap();
        let mut index = scan(&data, &ScanOptions::default(), &Silent).unwrap();
        spell_as(&mut index, &["x", "y"].map(str::to_owned));
        assert_eq!(index.classes, ["X", "y"]);
    }
}
