//! All that a killed run needs to go on as if nothing had happened, in one file that is replaced in one step.

use super::optimiser::Moments;
use super::top::Top;
use crate::backbone::weights::to_f32;
use crate::bounded;
use crate::data::Digest;
use crate::network::tensors::Tensors;
use crate::optim::OptimiserChoice;
use crate::problem::{Problem, Result};
use crate::project::files::write_atomically;
use crate::project::run::{EpochRecord, Run, RunRecord};
use crate::remedy::Remedy;
use candle_core::{Tensor, Var};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// The version that this program writes.
const VERSION: u32 = 2;
/// From this version on a checkpoint carries a digest of itself.
const SEALED_SINCE: u32 = 2;
/// How the digest stands in the header; inside of the progress the marks would be escaped.
const SEAL: &[u8] = b"\"digest\":\"";
/// What stands for the digest while it is computed.
const UNSEALED: [u8; 64] = [b'0'; 64];

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub version: u32,
    /// Whose moments lie beside the weights.
    #[serde(default)]
    pub optimiser: OptimiserChoice,
    /// Epochs completed.
    pub epoch: u32,
    /// Steps made in the epoch that has begun.
    pub steps_in_epoch: usize,
    /// Steps made in all.
    pub step: u64,
    /// Sum of the losses of the samples seen in the epoch that has begun.
    pub loss_sum: f64,
    /// Of these samples, what their task adds up for its first score.
    #[serde(default, alias = "correct_in_epoch", deserialize_with = "one_or_many")]
    pub sums_in_epoch: Vec<f64>,
    pub samples_in_epoch: usize,
    /// Time spent on the epoch that has begun, in sessions before this one.
    #[serde(default)]
    pub seconds_in_epoch: f64,
    pub epochs: Vec<EpochRecord>,
    pub best_epoch: Option<u32>,
    /// Of the file with the tensors of the best epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_digest: Option<Digest>,
    /// Training time so far.
    pub seconds: f64,
    /// Length of the history that belongs to this state.
    pub history_bytes: u64,
}

impl Progress {
    /// Notes in the record of the run where it stands.
    pub fn note(&self, record: &mut RunRecord) {
        record.epochs.clone_from(&self.epochs);
        (record.best_epoch, record.best_digest) = (self.best_epoch, self.best_digest);
        record.seconds = self.seconds;
    }
}

/// Older checkpoints count samples that were answered right, one number.
fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Sums {
        One(f64),
        Many(Vec<f64>),
    }
    Ok(match Sums::deserialize(deserializer)? {
        Sums::One(sum) => vec![sum],
        Sums::Many(sums) => sums,
    })
}

/// Writes the state of `top` and `progress`.
///
/// # Errors
/// A full disk; the checkpoint before is then untouched.
pub fn save(run: &Run, top: &Top, progress: &Progress) -> Result<()> {
    let mut tensors = Tensors::default();
    for parameter in top.optimiser().parameters() {
        tensors.add(format!("weight/{}", parameter.name), parameter.var.as_tensor())?;
        let moments = parameter.moments.to_host(parameter.var.elem_count())?;
        for (moment, values) in top.optimiser().rule().moments().iter().zip(moments) {
            tensors.add_values(format!("{moment}/{}", parameter.name), values);
        }
    }
    for (name, var) in top.statistics() {
        tensors.add(format!("statistic/{name}"), var.as_tensor())?;
    }
    let optimiser = top.optimiser().rule();
    let progress = Progress { version: VERSION, optimiser, ..progress.clone() };
    let state = serde_json::to_string(&progress).map_err(|e| unwritable(&e.to_string()))?;
    let digits = String::from_utf8_lossy(&UNSEALED).into_owned();
    let metadata = HashMap::from([("progress".to_string(), state), ("digest".to_string(), digits)]);
    let bytes = sealed(tensors.serialise(Some(metadata))?)?;
    write_atomically(&run.checkpoint_path(), &bytes, "write the checkpoint")
}

/// Where the run stood at its last checkpoint; `None` where it has none that can be used.
pub fn progress(run: &Run) -> Option<Progress> {
    let bytes =
        bounded::read(&run.checkpoint_path(), bounded::MAX_TENSORS_BYTES, "read the checkpoint").ok()?;
    read_progress(&bytes).ok()
}

/// The progress in the bytes of a checkpoint, or why there is none to rely on.
fn read_progress(bytes: &[u8]) -> std::result::Result<Progress, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let state = header.metadata().as_ref().and_then(|m| m.get("progress"));
    let progress: Progress =
        serde_json::from_str(state.ok_or("it has no record of progress")?).map_err(|e| e.to_string())?;
    if progress.version > VERSION {
        return Err("it was written by a newer Frostline".to_string());
    }
    if progress.version >= SEALED_SINCE && !is_intact(bytes) {
        return Err("it is not what was written: its digest does not agree".to_string());
    }
    Ok(progress)
}

/// Restores the state of `top`; `None` where the run has no checkpoint yet.
///
/// # Errors
/// The checkpoint is damaged or belongs to another recipe.
pub fn load(run: &Run, top: &mut Top) -> Result<Option<Progress>> {
    let path = run.checkpoint_path();
    if !path.exists() {
        return Ok(None);
    }
    let bytes = bounded::read(&path, bounded::MAX_TENSORS_BYTES, "read the checkpoint")?;
    let damaged = |why: &str| Problem::input("the checkpoint cannot be used", why, Remedy::NewRun).at(&path);
    let progress = read_progress(&bytes).map_err(|why| damaged(&why))?;
    let rule = top.optimiser().rule();
    if progress.optimiser != rule {
        let (was, now) = (progress.optimiser.name(), rule.name());
        return Err(damaged(&format!("it was written by {was}, and the recipe trains with {now}")));
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(&e.to_string()))?;
    let values = |name: String| -> Result<Vec<f32>> {
        let view = file.tensor(&name).map_err(|e| damaged(&e.to_string()))?;
        to_f32(view.dtype(), view.data()).ok_or_else(|| damaged("a tensor has an unknown type"))
    };
    let set = |var: &Var, name: &str, values: Vec<f32>| -> Result<()> {
        if values.len() != var.elem_count() {
            return Err(damaged(&format!("{name} has another size")));
        }
        Ok(var.set(&Tensor::from_vec(values, var.shape(), var.device())?)?)
    };
    let kept = file.names().into_iter().filter(|name| name.starts_with("statistic/")).count();
    if kept != top.statistics().len() {
        let why = format!(
            "it keeps {kept} statistics of batch norms, and with the recipe (training.batch_norm, freeze) {} follow \
             the batches",
            top.statistics().len()
        );
        return Err(damaged(&why));
    }
    for (name, var) in top.statistics() {
        set(var, name, values(format!("statistic/{name}"))?)?;
    }
    for parameter in top.optimiser_mut().parameters_mut() {
        set(&parameter.var, &parameter.name, values(format!("weight/{}", parameter.name))?)?;
        let moments = rule.moments().iter().map(|moment| values(format!("{moment}/{}", parameter.name)));
        parameter.moments = Moments::from_host(&parameter.var, moments.collect::<Result<_>>()?)?;
    }
    top.optimiser_mut().set_step_count(progress.step);
    Ok(Some(progress))
}

/// Puts the digest of a checkpoint into its header.
fn sealed(mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let digest = Digest::of(&bytes).to_string();
    let place = digest_place(&bytes).and_then(|place| bytes.get_mut(place));
    place
        .ok_or_else(|| unwritable("its header has no place for a digest"))?
        .copy_from_slice(digest.as_bytes());
    Ok(bytes)
}

/// Whether a checkpoint is what was written, to the bit.
fn is_intact(bytes: &[u8]) -> bool {
    let Some(place) = digest_place(bytes) else { return false };
    let mut plain = bytes.to_vec();
    let Some(digits) = plain.get_mut(place) else { return false };
    let written = digits.to_vec();
    digits.copy_from_slice(&UNSEALED);
    Digest::of(&plain).to_string().as_bytes() == written
}

/// Where the digits of the digest stand.
fn digest_place(bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    let length = u64::from_le_bytes(bytes.first_chunk::<8>().copied()?);
    let header = bytes.get(8..8usize.checked_add(usize::try_from(length).ok()?)?)?;
    let at = 8 + header.windows(SEAL.len()).position(|window| window == SEAL)? + SEAL.len();
    Some(at..at + UNSEALED.len())
}

/// Writes what training changed alone, parameters and statistics, of the best epoch; gives the digest of the file.
pub fn save_trained(path: &Path, top: &Top, doing: &str) -> Result<Digest> {
    let mut tensors = Tensors::default();
    for parameter in top.optimiser().parameters() {
        tensors.add(parameter.name.clone(), parameter.var.as_tensor())?;
    }
    for (name, var) in top.statistics() {
        tensors.add(name.clone(), var.as_tensor())?;
    }
    let bytes = tensors.serialise(None)?;
    write_atomically(path, &bytes, doing)?;
    Ok(Digest::of(&bytes))
}

fn unwritable(why: &str) -> Problem {
    Problem::other("the trained tensors could not be written", why, "please report this")
}
