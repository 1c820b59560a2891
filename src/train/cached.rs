//! Features that a training has left, for whoever asks the same network about the same samples.

use super::cache::FeatureCache;
use super::features::{cache_key_of, cut_shape_of, read_batch, row_width};
use crate::backbone::{Backbone, Boundary, CutName, Dim, FreezeMask, WeightFile};
use crate::data::index::Digest;
use crate::problem::Result;
use crate::project::{Machine, Recipe};
use candle_core::Device;
use std::path::Path;

/// Boundary states at the frostline of a recipe, as far as they are on the disk. Nothing is written.
pub struct CachedStates {
    cache: FeatureCache,
    shape: Vec<Dim>,
    cut: usize,
    device: Device,
}

impl CachedStates {
    /// What is cached in `folder` for `recipe` on `backbone`; `None` where nothing is, or nothing can be.
    pub fn open(
        folder: &Path,
        recipe: &Recipe,
        backbone: &Backbone,
        weights: &WeightFile,
        machine: &Machine,
    ) -> Option<Self> {
        let architecture = backbone.architecture();
        let mask = FreezeMask::from_patterns(architecture.tree(), &recipe.freeze.thaw).ok()?;
        let cut = mask.frostline(architecture.tree(), architecture.cuts().len());
        if !recipe.cache.enabled || architecture.cut_name(cut) == CutName::Input {
            return None;
        }
        let shape = cut_shape_of(backbone, cut);
        let key = cache_key_of(backbone, weights, cut, machine);
        let cache = FeatureCache::open_to_read(folder, &key, row_width(&shape))?;
        Some(Self { cache, shape, cut, device: machine.device.clone() })
    }

    /// The cut at which the states lie.
    pub fn cut(&self) -> usize {
        self.cut
    }

    /// Whether the state of this sample is here.
    pub fn contains(&self, sample: &Digest) -> bool {
        self.cache.contains(sample)
    }

    /// States of `samples`, all of which are here, in their order.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn batch(&self, samples: &[Digest]) -> Result<Boundary> {
        read_batch(&self.cache, samples, &self.shape, &self.device)
    }
}
