//! What recipes cost on this machine and these samples, before anything is trained.

use super::Session;
use crate::backbone::FreezeMask;
use crate::project::Recipe;
use crate::project::recipe::BatchNormChoice;
use crate::train::estimate::{Estimate, Workload, estimate};
use crate::worker::BackboneFacts;

impl Session {
    /// What the open project's choice of layers costs, or what it would cost with the frostline at `cut`; `None`
    /// for a recipe that cannot be trained.
    pub fn estimate(&self, cut: Option<usize>) -> Option<Estimate> {
        let (project, backbone) = (self.project.as_ref()?, self.backbone()?);
        project.recipe.check().ok()?;
        let mask = match cut {
            Some(cut) => FreezeMask::with_frostline(&backbone.tree, cut),
            None => project.mask.clone()?,
        };
        self.estimate_for(&project.recipe, backbone, &mask)
    }

    /// What a recipe costs on the open project's samples.
    pub(super) fn estimate_for(
        &self,
        recipe: &Recipe,
        backbone: &BackboneFacts,
        mask: &FreezeMask,
    ) -> Option<Estimate> {
        let project = self.project.as_ref()?;
        let (train_samples, validation_samples) =
            project.split.as_ref().map_or((0, 0), |s| (s.train.len(), s.validation.len()));
        let (training, cost) = (&recipe.training, &backbone.input.modality().facts().cost);
        let work = Workload {
            train_samples,
            validation_samples,
            batch_size: training.batch_size.min(train_samples.max(1)),
            epochs: training.epochs,
            classes: project.index.classes.len(),
            moments: training.optimiser.moments().len(),
            modality: backbone.input.modality(),
            tokens: project.data.mean_tokens(backbone.input.size()).unwrap_or(cost.typical_tokens),
            cache_enabled: recipe.cache.enabled,
            norms_follow: training.batch_norm == BatchNormChoice::Training,
        };
        let calibration = self.calibrations.get(&backbone.id);
        Some(estimate(&backbone.tree, &backbone.cuts, backbone.features, mask, calibration, &work))
    }

    /// What the epochs of `recipe` will take, or those that are left of the newest run.
    pub(super) fn seconds_of_epochs(&self, recipe: &Recipe, is_resumed: bool) -> Option<f64> {
        let backbone = self.backbones.iter().find(|backbone| backbone.id == recipe.backbone.id)?;
        self.calibrations.get(&backbone.id)?;
        let mask = FreezeMask::from_patterns(&backbone.tree, &recipe.freeze.thaw).ok()?;
        let estimate = self.estimate_for(recipe, backbone, &mask)?;
        let newest = self.project.as_ref().and_then(|project| project.runs.last());
        let done = newest.filter(|_| is_resumed).map_or(0, |run| run.epochs.len() as u32);
        Some(estimate.epoch_seconds * f64::from(recipe.training.epochs.saturating_sub(done)))
    }
}
