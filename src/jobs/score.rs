//! Scores of a trained model on labelled samples.

use super::{forget_if_changed, in_pool, scan, scan_named, scan_of};
use crate::control::Control;
use crate::data::index::DatasetIndex;
use crate::data::scan::ScanOptions;
use crate::data::target::TargetKind;
use crate::evaluate::{Evaluation, Judged};
use crate::hub;
use crate::predict::{Manifest, Model};
use crate::problem::{Problem, Result};
use crate::project::run::find_samples;
use crate::project::{Machine, Project, Run};
use crate::remedy::Remedy;
use crate::train::cached::CachedStates;
use std::path::Path;

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

/// Scores the run `run` of a project (the newest finished one where not named), or an export. `backbone` names the
/// backbone, where it is not to be looked for.
///
/// # Errors
/// `folder` is neither, the samples are not there, or the user stopped.
pub fn evaluate(
    folder: &Path,
    (run, backbone): (Option<&str>, Option<&str>),
    what: EvaluateWhat,
    options: &ScanOptions,
    machine: &Machine,
    control: &dyn Control,
) -> Result<Evaluation> {
    in_pool(machine, || match Project::is_at(folder) {
        true => evaluate_run(&Project::open(folder)?, (run, backbone), what, options, machine, control),
        false => {
            if run.is_some() {
                let (why, remedy) = ("an export holds no runs", "leave --run away, or name a project");
                return Err(Problem::input("there is no such run", why, remedy).at(folder));
            }
            let model = open_export(folder, backbone, machine)?;
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
    (run, backbone): (Option<&str>, Option<&str>),
    what: EvaluateWhat,
    options: &ScanOptions,
    machine: &Machine,
    control: &dyn Control,
) -> Result<Evaluation> {
    let run: Run = project.run(run)?;
    let recipe = run.recipe(&run.record()?)?;
    let backbone = match backbone {
        Some(named) => hub::open(named)?,
        None => super::train::pinned_backbone(project, &recipe)?,
    };
    let model = Model::from_run(&run, &backbone, machine)?;
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
    let weights = backbone.open_pinned_weights(&recipe.backbone.sha256)?;
    let cached = CachedStates::open(&project.cache_folder(), &recipe, &backbone, &weights, machine);
    let mut evaluation = crate::evaluate::evaluate(&model, &index, &items, judged, cached.as_ref(), control)?;
    if judged == Judged::Test {
        evaluation.also_tested = project.note_tested(&run.name())?;
    }
    if evaluation.unusable > 0 {
        forget_if_changed(project, &index, items);
    }
    Ok(evaluation)
}

/// Loads an export on the backbone that is named, and remembers where it lies; else on the one that is found.
pub(super) fn open_export(export: &Path, backbone: Option<&str>, machine: &Machine) -> Result<Model> {
    let Some(named) = backbone else { return Model::from_export(export, machine) };
    let backbone = hub::open(named)?;
    let model = Model::from_export_on(&backbone, export, machine)?;
    if Path::new(named).is_dir() {
        hub::remembered::remember(&backbone, &Manifest::read(export)?.backbone.sha256);
    }
    Ok(model)
}

fn evaluate_data(
    model: &Model,
    data: &Path,
    options: &ScanOptions,
    control: &dyn Control,
) -> Result<Evaluation> {
    let task = model.task();
    let mut options = ScanOptions { target: Some(task.kind().target), ..options.clone() };
    let learnt = model.text_columns();
    if options.text_column.is_none() && options.joined_columns.is_empty() && !learnt.joined.is_empty() {
        // Texts that were joined to be learnt from are joined to be scored.
        options.text_column = learnt.text.clone();
        options.joined_columns = learnt.joined.clone();
    }
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
    crate::evaluate::evaluate(model, &index, &items, Judged::Data, None, control)
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
