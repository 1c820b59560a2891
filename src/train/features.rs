//! Boundary states at the frostline, batch by batch: from the cache, or computed on the way.

use super::cache::{CacheKey, FeatureCache};
use super::trunk::Trunk;
use crate::backbone::{Backbone, Boundary, Dim, WeightFile};
use crate::control::{Control, Fact, WarningKind};
use crate::data::index::Digest;
use crate::network::samples::{Loader, Prepared, Sample};
use crate::problem::{Problem, Result};
use crate::project::{Machine, Plan};
use crate::remedy::Remedy;
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Samples that pass through the trunk together.
pub(super) const TRUNK_BATCH: usize = 16;

/// Gives boundary states of samples.
pub struct Features {
    source: Source,
}

enum Source {
    /// Computed once, then read.
    Cache(Box<FeatureCache>),
    /// Decoded and computed for every batch.
    Direct { loader: Loader, trunk: Trunk },
}

/// Samples that cannot be decoded, with the reason.
pub type Unusable = BTreeMap<usize, Problem>;

impl Features {
    /// Computes what is missing in the cache for the training and validation samples, or, without a cache,
    /// checks that every sample can be decoded. Reports [`Fact::Cache`] and a warning for each unusable sample.
    ///
    /// # Errors
    /// A full disk, a broken weight file, or the user's stop; what was computed stays in the cache.
    pub fn prepare(
        plan: &Plan,
        weights: &WeightFile,
        cache_folder: &Path,
        control: &dyn Control,
    ) -> Result<(Self, Unusable)> {
        let device = &plan.machine.device;
        let loader = Loader::new(&plan.backbone, &plan.backbone.input, device)?;
        let items: Vec<usize> = plan.split.train.iter().chain(&plan.split.validation).copied().collect();
        let (source, unusable) = if plan.uses_cache() {
            let cache =
                FeatureCache::open(cache_folder, &cache_key(plan, weights), row_width(&cut_shape(plan)))?;
            let (cache, unusable) = warm(plan, weights, &loader, cache, &items, control)?;
            (Source::Cache(Box::new(cache)), unusable)
        } else {
            let unusable = find_unusable(plan, &loader, &items, control)?;
            let trunk = Trunk::load(plan.architecture(), weights, plan.frostline, device)?;
            (Source::Direct { loader, trunk }, unusable)
        };
        for problem in unusable.values() {
            let file = problem.path.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
            let what = format!("left out {file}: {}", problem.why);
            control.report(Fact::Warning { what, kind: WarningKind::LeftOut });
        }
        Ok((Self { source }, unusable))
    }

    /// Boundary states of `items` of the plan that this was prepared for, in their order.
    pub fn batch(&self, plan: &Plan, items: &[usize]) -> Result<Boundary> {
        match &self.source {
            Source::Cache(cache) => {
                let digests: Vec<Digest> =
                    items.iter().filter_map(|n| plan.index.items.get(*n)).map(|item| item.digest).collect();
                read_batch(cache, &digests, &cut_shape(plan), &plan.machine.device)
            }
            Source::Direct { loader, trunk } => {
                let prepared = prepare_items(plan, loader, items);
                let prepared: Vec<Prepared> = prepared.into_iter().collect::<Result<_>>()?;
                trunk.forward(loader.boundary(&prepared)?)
            }
        }
    }
}

fn cut_shape(plan: &Plan) -> Vec<Dim> {
    cut_shape_of(&plan.backbone, plan.frostline)
}

/// The shape of a boundary state.
pub(super) fn cut_shape_of(backbone: &Backbone, cut: usize) -> Vec<Dim> {
    backbone.architecture().cuts().get(cut).map(|cut| cut.shape.clone()).unwrap_or_default()
}

/// Values in one row of a boundary state: a token, or a whole image.
pub(super) fn row_width(shape: &[Dim]) -> usize {
    shape.iter().map(|dim| if let Dim::Fixed(n) = dim { *n } else { 1 }).product()
}

fn cache_key<'a>(plan: &'a Plan, weights: &'a WeightFile) -> CacheKey<'a> {
    cache_key_of(&plan.backbone, weights, plan.frostline, &plan.machine)
}

/// What the states at cut number `cut` depend on, besides the sample.
pub(super) fn cache_key_of<'a>(
    backbone: &'a Backbone,
    weights: &'a WeightFile,
    cut: usize,
    machine: &Machine,
) -> CacheKey<'a> {
    CacheKey {
        weights_sha256: weights.sha256(),
        cut: backbone.architecture().cut_name(cut),
        pooling: backbone.architecture().pooling().name(),
        input: backbone.input.key(),
        dtype: "f32",
        kernels: crate::nn::path_name(),
        device: machine.device_name.name(),
        view: 0,
    }
}

fn prepare_items(plan: &Plan, loader: &Loader, items: &[usize]) -> Vec<Result<Prepared>> {
    let samples: Vec<Sample> = items.iter().filter_map(|n| Sample::of(&plan.index, *n)).collect();
    loader.prepare_all(&samples)
}

/// Runs the trunk over every sample that the cache lacks.
fn warm(
    plan: &Plan,
    weights: &WeightFile,
    loader: &Loader,
    mut cache: FeatureCache,
    items: &[usize],
    control: &dyn Control,
) -> Result<(FeatureCache, Unusable)> {
    let started = Instant::now();
    tracing::debug!(cache = %cache.path().display(), cut = plan.frostline, "feature cache opened");
    let (missing, followers) = missing_items(plan, &cache, items);
    let (mut unusable, mut computed) = (Unusable::new(), 0);
    let trunk = match missing.is_empty() {
        true => None,
        false => Some(Trunk::load(plan.architecture(), weights, plan.frostline, &plan.machine.device)?),
    };
    let groups: Vec<&[usize]> = missing.chunks(TRUNK_BATCH).collect();
    let mut ready = groups.first().map(|group| prepare_items(plan, loader, group));
    for (number, group) in groups.iter().enumerate() {
        control.wait_while_paused();
        if control.stop_requested() {
            return Err(Problem::stopped(Remedy::TrainAgain("what was computed so far is kept")));
        }
        let (done, total) = ((number * TRUNK_BATCH) as u64, missing.len() as u64);
        control.report(Fact::progress("computing the frozen layers", done, total));
        let results = ready.take().unwrap_or_default();
        let (good, prepared) = keep_usable(group, results, &mut unusable);
        // The next samples are decoded while these pass through the trunk.
        let next = groups.get(number + 1);
        let (ahead, rows) = rayon::join(
            || next.map(|group| prepare_items(plan, loader, group)),
            || match (&trunk, prepared.is_empty()) {
                (Some(trunk), false) => split_rows(plan, &good, &trunk.forward(loader.boundary(&prepared)?)?),
                _ => Ok(Vec::new()),
            },
        );
        ready = ahead;
        let rows = rows?;
        computed += rows.len() as u64;
        cache.append(&rows)?;
    }
    for (item, digest) in followers {
        if let Some(leader) = unusable.iter().find(|(n, _)| plan.index.items[**n].digest == digest) {
            unusable.insert(item, leader.1.clone());
        }
    }
    control.report(Fact::Cache {
        items: (items.len() - unusable.len()) as u64,
        computed,
        bytes: cache.bytes(),
        seconds: started.elapsed().as_secs_f64(),
    });
    Ok((cache, unusable))
}

/// The items that could be prepared, and what they became.
fn keep_usable(
    items: &[usize],
    results: Vec<Result<Prepared>>,
    unusable: &mut Unusable,
) -> (Vec<usize>, Vec<Prepared>) {
    let (mut good, mut prepared) = (Vec::new(), Vec::new());
    for (item, result) in items.iter().zip(results) {
        match result {
            Ok(sample) => {
                good.push(*item);
                prepared.push(sample);
            }
            Err(problem) => {
                unusable.insert(*item, problem);
            }
        }
    }
    (good, prepared)
}

/// Items to compute, one for each content, and the other items with the same content.
fn missing_items(plan: &Plan, cache: &FeatureCache, items: &[usize]) -> (Vec<usize>, Vec<(usize, Digest)>) {
    let (mut seen, mut missing, mut followers) = (std::collections::HashSet::new(), Vec::new(), Vec::new());
    for item in items {
        let Some(digest) = plan.index.items.get(*item).map(|i| i.digest) else { continue };
        match (cache.contains(&digest), seen.insert(digest)) {
            (true, _) => {}
            (false, true) => missing.push(*item),
            (false, false) => followers.push((*item, digest)),
        }
    }
    (missing, followers)
}

/// The rows of each sample of a boundary state.
fn split_rows(plan: &Plan, items: &[usize], state: &Boundary) -> Result<Vec<(Digest, Vec<f32>)>> {
    let values = state.hidden.flatten_all()?.to_device(&Device::Cpu)?.to_vec1::<f32>()?;
    let width = row_width(&cut_shape(plan));
    let (mut rows, mut start) = (Vec::with_capacity(items.len()), 0);
    for (number, item) in items.iter().enumerate() {
        let count = state.lengths.as_ref().map_or(1, |lengths| lengths[number]) * width;
        rows.push((plan.index.items[*item].digest, values[start..start + count].to_vec()));
        start += count;
    }
    Ok(rows)
}

pub(super) fn read_batch(
    cache: &FeatureCache,
    digests: &[Digest],
    shape: &[Dim],
    device: &Device,
) -> Result<Boundary> {
    let mut values = Vec::new();
    for digest in digests {
        values.extend(cache.read(digest)?);
    }
    let lengths = || digests.iter().map(|d| cache.rows(d)).collect::<Vec<_>>();
    let batch = digests.len();
    let (shape, lengths) = match shape {
        [Dim::Fixed(c), Dim::Fixed(h), Dim::Fixed(w)] => (vec![batch, *h, *w, *c], None),
        [Dim::Tokens, Dim::Fixed(f)] => (vec![lengths().iter().sum(), *f], Some(lengths().into())),
        _ => (vec![batch, row_width(shape)], None),
    };
    Ok(Boundary { hidden: Tensor::from_vec(values, shape, device)?, lengths })
}

/// Decodes every sample once to find those that cannot be used.
fn find_unusable(plan: &Plan, loader: &Loader, items: &[usize], control: &dyn Control) -> Result<Unusable> {
    let mut unusable = Unusable::new();
    for (number, group) in items.chunks(4 * TRUNK_BATCH).enumerate() {
        if control.stop_requested() {
            return Err(Problem::stopped(Remedy::TrainAgain("nothing was trained yet")));
        }
        let (done, total) = ((number * 4 * TRUNK_BATCH) as u64, items.len() as u64);
        control.report(Fact::progress("checking the samples", done, total));
        for (item, result) in group.iter().zip(prepare_items(plan, loader, group)) {
            if let Err(problem) = result {
                unusable.insert(*item, problem);
            }
        }
    }
    Ok(unusable)
}
