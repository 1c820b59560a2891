//! Outputs of a model for samples of a scan: from features that are cached where there are some, else from the sample.

use crate::control::{Control, Fact};
use crate::data::index::{DatasetIndex, Digest};
use crate::network::samples::Sample;
use crate::predict::Model;
use crate::predict::model::finite;
use crate::problem::{Problem, Result};
use crate::train::cached::CachedStates;

/// Samples that are answered together.
const BATCH: usize = 32;

/// What the head gives for each of `items`, in their order, or why it gives nothing. Progress counts what goes through the
/// whole network alone.
///
/// # Errors
/// The user stopped, or a computation failed.
pub(super) fn outputs(
    model: &Model,
    index: &DatasetIndex,
    items: &[usize],
    cached: Option<&CachedStates>,
    control: &dyn Control,
) -> Result<Vec<Result<Vec<f32>>>> {
    let stopped = || Problem::stopped("the answers are not kept");
    let digest = |item: &usize| index.items.get(*item).map(|item| item.digest);
    let is_cached =
        |item: &usize| cached.zip(digest(item)).is_some_and(|(states, digest)| states.contains(&digest));
    let (known, others): (Vec<usize>, Vec<usize>) = items.iter().copied().partition(is_cached);
    let mut of_known = Vec::with_capacity(known.len());
    for group in known.chunks(BATCH) {
        if control.stop_requested() {
            return Err(stopped());
        }
        let digests: Vec<Digest> = group.iter().filter_map(digest).collect();
        if let Some(states) = cached {
            of_known
                .extend(model.outputs_above(states.cut(), states.batch(&digests)?)?.into_iter().map(finite));
        }
    }
    let samples: Vec<Sample> = others.iter().filter_map(|item| Sample::of(index, *item)).collect();
    let total = samples.len() as u64;
    let of_others = model.outputs(&samples, &mut |done| {
        control.report(Fact::progress("answering", done as u64, total));
        !control.stop_requested()
    })?;
    let (mut of_known, mut of_others) = (of_known.into_iter(), of_others.into_iter());
    let next = |item: &usize| if is_cached(item) { of_known.next() } else { of_others.next() };
    Ok(items.iter().map_while(next).collect())
}
