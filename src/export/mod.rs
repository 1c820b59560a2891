//! Writes what others load: a trained head with all that it needs, reloaded and compared before it gets its name.

#![warn(clippy::indexing_slicing, reason = "what comes from outside is not indexed")]

mod golden;

use crate::backbone::Backbone;
use crate::control::Control;
use crate::data::Digest;
use crate::network::head::{HEAD_BIAS, HEAD_WEIGHT};
use crate::network::tensors::load_trained;
use crate::partial::PartialFolder;
use crate::predict::manifest::{
    BackboneRef, Golden, HEAD_FILE, MANIFEST_FILE, MANIFEST_FORMAT, MANIFEST_VERSION, RunScores,
};
use crate::predict::model::BACKBONE_FOLDER;
use crate::predict::{Manifest, Model};
use crate::problem::{Problem, Result};
use crate::project::files::write_atomically;
use crate::project::reading::Reading;
use crate::project::run::RunRecord;
use crate::project::sealed::write_sealed;
use crate::project::{Machine, Recipe, Run};
use std::path::Path;

/// Largest difference between the logits before and after the reload, relative to the largest logit.
const TOLERANCE: f32 = 1e-5;

/// Whether the backbone lies in the export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// The head alone; the backbone is found on the machine that uses it.
    Head,
    /// The backbone's files too, so that the export works anywhere.
    Backbone,
}

/// Exports the head of the best epoch of `run` to the new folder `out`.
///
/// # Errors
/// `out` exists and is not empty, cannot be written, or the reloaded export answers differently: then nothing
/// of it stays.
pub fn export_head(
    run: &Run,
    backbone: &Backbone,
    carries: Carries,
    machine: &Machine,
    out: &Path,
    control: &dyn Control,
) -> Result<Manifest> {
    if out.exists() && !std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none()) {
        return Err(Problem::input(
            "the export was not written",
            "there is something of this name already",
            "choose a new folder",
        )
        .at(out));
    }
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let fail = |e: std::io::Error| Problem::io("write the export", out, &e);
    std::fs::create_dir_all(parent).map_err(fail)?;
    let partial = PartialFolder::new_in(parent).map_err(fail)?;
    let manifest = write_files(run, backbone, machine, partial.path())?;
    let go_on = || match control.stop_requested() {
        true => Err(Problem::stopped("nothing was exported")),
        false => Ok(()),
    };
    go_on()?;
    match carries {
        Carries::Head => compare(partial.path(), backbone, &manifest, machine)?,
        Carries::Backbone => {
            let folder = partial.path().join(BACKBONE_FOLDER);
            backbone.copy_to(&folder)?;
            compare(partial.path(), &Backbone::open(&folder)?, &manifest, machine)?;
        }
    }
    go_on()?;
    if out.exists() {
        std::fs::remove_dir(out).map_err(fail)?;
    }
    partial.rename(out).map_err(fail)?;
    Ok(manifest)
}

fn write_files(run: &Run, backbone: &Backbone, machine: &Machine, folder: &Path) -> Result<Manifest> {
    let record = run.record()?;
    let recipe = run.recipe(&record)?;
    let backbone = &Reading::restore(record.reading.as_ref(), backbone)?;
    let model = Model::from_run(run, backbone, machine)?;
    let best = record.best_epoch.unwrap_or_default();
    let source = run.best_path(best);
    let head = folder.join(HEAD_FILE);
    let bytes = fs_err::read(&source).map_err(|e| Problem::io("read the best epoch", &source, &e))?;
    write_atomically(&head, &bytes, "write the export")?;
    let thawed = trained_names(&head, record.best_digest)?;
    let samples = golden::write_inputs(folder, model.modality())?;
    let paths: Vec<_> = samples.iter().map(|input| input.sample(folder)).collect();
    let logits = model.outputs(&paths, &mut |_| true)?;
    let golden: Vec<Golden> = samples
        .into_iter()
        .zip(logits)
        .map(|(input, logits)| Ok(Golden { input, logits: logits? }))
        .collect::<Result<_>>()?;
    let mut manifest = describe(&record, recipe, backbone, golden, best, thawed);
    manifest.head_digest = Some(Digest::of(&bytes));
    write_sealed(&folder.join(MANIFEST_FILE), &manifest, "write the export")?;
    Ok(manifest)
}

fn describe(
    record: &RunRecord,
    mut recipe: Recipe,
    backbone: &Backbone,
    golden: Vec<Golden>,
    best: u32,
    thawed: Vec<String>,
) -> Manifest {
    // Where the data lies is nobody's business but the user's.
    recipe.data.path = recipe.data.path.file_name().map(Into::into).unwrap_or_default();
    // The backbone is found by its hash, wherever the export goes.
    recipe.backbone.folder = None;
    Manifest {
        format: MANIFEST_FORMAT.to_string(),
        version: MANIFEST_VERSION,
        written_by: format!("frostline {}", env!("CARGO_PKG_VERSION")),
        task: record.task.clone(),
        labels: record.classes.clone(),
        backbone: BackboneRef {
            id: backbone.id.clone(),
            family: backbone.family.to_string(),
            revision: backbone.card.revision.clone(),
            licence: backbone.card.licence.clone(),
            sha256: recipe.backbone.sha256.clone(),
        },
        frostline: record.frostline.clone(),
        pooling: backbone.architecture().pooling().name().to_string(),
        features: backbone.feature_size(),
        input: backbone.input.clone(),
        thawed,
        head_digest: None,
        reading: Some(Reading::like(record.reading.as_ref(), backbone)),
        scores: RunScores {
            run: record.run.clone(),
            best_epoch: best,
            validation_samples: record.validation_samples,
            validation: record.best().map(|epoch| epoch.val.clone()).unwrap_or_default(),
            chosen_on_validation: true,
        },
        recipe,
        golden,
    }
}

/// Names of the trained tensors besides the head's.
fn trained_names(file: &Path, pinned: Option<Digest>) -> Result<Vec<String>> {
    let tensors = load_trained(file, pinned, &candle_core::Device::Cpu)?;
    Ok(tensors.into_keys().filter(|name| name != HEAD_WEIGHT && name != HEAD_BIAS).collect())
}

/// Reloads what was written and asks it for the golden inputs.
fn compare(folder: &Path, backbone: &Backbone, manifest: &Manifest, machine: &Machine) -> Result<()> {
    let reloaded = Model::from_export_on(backbone, folder, machine)?;
    let samples: Vec<_> = manifest.golden.iter().map(|g| g.input.sample(folder)).collect();
    for (golden, answer) in manifest.golden.iter().zip(reloaded.outputs(&samples, &mut |_| true)?) {
        let answer = answer?;
        let largest = golden.logits.iter().fold(1e-6f32, |a, b| a.max(b.abs()));
        let difference = golden.logits.iter().zip(&answer).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        if difference.is_nan() || difference > TOLERANCE * largest {
            let why = format!("the reloaded export differs by {difference} on a golden input");
            return Err(Problem::other("the export was not written", why, "please report this"));
        }
    }
    Ok(())
}
