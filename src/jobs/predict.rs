//! Answers of a trained model for what the user has: files, folders, tables, typed texts.

use super::in_pool;
use super::score::open_export;
use crate::control::{Control, Fact};
use crate::data::facts::Carrier;
use crate::data::scan::{Content, TextColumns, unlabelled};
use crate::network::samples::Sample;
use crate::predict::Model;
use crate::problem::{Problem, Result};
use crate::project::{Machine, Project};
use crate::task::Answer;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a model says of one input, or why it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// A path, or the text that was typed.
    pub input: String,
    /// The line of a table on which its row begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The text of a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
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
    /// An exported head on a backbone that is named: a folder, or a name.
    ExportOn { export: PathBuf, backbone: String },
    /// The best epoch so far of a project's run; the newest run that has one where not named.
    Run { project: PathBuf, run: Option<String> },
}

/// What a model is asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Questions<'q> {
    /// Files are samples, tables have one in each row, folders are searched.
    pub files: &'q [PathBuf],
    pub texts: &'q [String],
    /// The columns of tables that hold the texts; where not given, those that the model learnt from.
    pub text_columns: Option<&'q TextColumns>,
}

impl ModelSource {
    fn open(&self, machine: &Machine) -> Result<Model> {
        let (folder, name) = match self {
            Self::Export(export) => return open_export(export, None, machine),
            Self::ExportOn { export, backbone } => return open_export(export, Some(backbone), machine),
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
        let recipe = run.recipe(&run.record()?)?;
        Model::from_run(&run, &super::train::pinned_backbone(&project, &recipe)?, machine)
    }
}

/// Asks a model; at most `top` labels each. Every input is tried, and what is no sample is named.
///
/// # Errors
/// The model cannot be used, or the user stopped. What is wrong with one input is in its prediction.
pub fn predict(
    model: &ModelSource,
    questions: &Questions,
    top: usize,
    machine: &Machine,
    control: &dyn Control,
) -> Result<Vec<Prediction>> {
    in_pool(machine, || {
        let model = model.open(machine)?;
        let asked = questions.inputs(&model, control)?;
        answer(&model, asked, top, control)
    })
}

/// One input, still without an answer.
type Input = (Prediction, Result<Sample>);

impl Questions<'_> {
    fn inputs(&self, model: &Model, control: &dyn Control) -> Result<Vec<Input>> {
        let modality = model.modality();
        let columns = self.text_columns.unwrap_or(model.text_columns());
        let mut inputs = Vec::new();
        for path in self.files {
            for found in unlabelled(path, modality, columns, control)? {
                let input = found.path.display().to_string();
                let mut asked = Prediction { input, line: found.line, ..Prediction::default() };
                let sample = match found.content {
                    Ok(Content::File) => Sample::from_file(&found.path, modality),
                    Ok(Content::Text(text)) => {
                        asked.text = Some(text.clone());
                        Ok(Sample::Text(text))
                    }
                    Err(finding) => {
                        let what = match modality.facts().carrier {
                            Carrier::Words if found.line.is_some() => "this row cannot be used",
                            Carrier::Words | Carrier::File => "this sample cannot be used",
                        };
                        Err(Problem::input(what, finding.reason, finding.remedy))
                    }
                };
                inputs.push((asked, sample));
            }
        }
        let typed = |text: &String| {
            let sample = match text.trim() {
                "" => Err(Problem::input("this text cannot be used", "it is empty", "give a text")),
                _ => Ok(Sample::Text(text.clone())),
            };
            (Prediction { input: text.clone(), ..Prediction::default() }, sample)
        };
        inputs.extend(self.texts.iter().map(typed));
        Ok(inputs)
    }
}

fn answer(model: &Model, inputs: Vec<Input>, top: usize, control: &dyn Control) -> Result<Vec<Prediction>> {
    let (mut asked, mut samples) = (Vec::with_capacity(inputs.len()), Vec::new());
    for (prediction, sample) in inputs {
        match sample {
            Ok(sample) => {
                samples.push(sample);
                asked.push((prediction, None));
            }
            Err(problem) => asked.push((prediction, Some(problem))),
        }
    }
    let total = samples.len() as u64;
    let mut answers = model
        .outputs(&samples, &mut |done| {
            control.report(Fact::progress("answering", done as u64, total));
            !control.stop_requested()
        })?
        .into_iter();
    let missing = || Err(Problem::other("an answer is missing", "", "please report this"));
    let answered = asked.into_iter().map(|(prediction, problem)| {
        let output = problem.map_or_else(|| answers.next().unwrap_or_else(missing), Err);
        match output {
            Ok(output) => Prediction { answer: Some(model.task().answer(&output, top)), ..prediction },
            Err(problem) => {
                let error = format!("{}: {}; {}", problem.what, problem.why, problem.remedy);
                Prediction { error: Some(error), ..prediction }
            }
        }
    });
    Ok(answered.collect())
}
