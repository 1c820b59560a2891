//! Which run counts in Evaluate, Try and Export: the one that is looked at, or else the best.

use super::runs::RunView;
use super::{EvaluationView, Exported, Session};
use crate::backbone::FreezeMask;
use crate::train::estimate::Estimate;
use crate::worker::BackboneFacts;

impl Session {
    /// Runs that have a result, the newest first.
    pub fn results(&self) -> impl Iterator<Item = &RunView> {
        let runs = self.project.as_ref().map(|project| project.runs.as_slice()).unwrap_or_default();
        runs.iter().rev().filter(|run| run.best_epoch.is_some())
    }

    /// The run with the best score, of equals the newest.
    pub fn best_result(&self) -> Option<&RunView> {
        let score = |run: &RunView| run.best_score.filter(|score| score.is_finite());
        self.results().reduce(|best, run| match (score(best), score(run)) {
            (Some(known), Some(own)) if run.chief.gain(own, known) > 0.0 => run,
            (None, Some(_)) => run,
            (Some(_) | None, _) => best,
        })
    }

    /// The run that is looked at where it has a result, or else the best.
    pub fn judged_run(&self) -> Option<&RunView> {
        let looked_at = self.project.as_ref().and_then(|project| project.selected_run.as_deref());
        self.results().find(|run| Some(run.name.as_str()) == looked_at).or_else(|| self.best_result())
    }

    /// The evaluation of the run that counts.
    pub fn evaluation(&self) -> Option<&EvaluationView> {
        let run = self.judged_run()?;
        self.project.as_ref()?.evaluation.as_ref().filter(|evaluation| evaluation.run == run.name)
    }

    /// The export of the run that counts.
    pub fn export_of_run(&self) -> Option<&Exported> {
        let run = self.judged_run()?;
        self.exported.as_ref().filter(|exported| exported.run == run.name)
    }

    /// The backbone that a run was trained with, where it is still on this machine.
    pub fn backbone_of(&self, run: &RunView) -> Option<&BackboneFacts> {
        let id = &run.recipe.as_ref()?.backbone.id;
        self.backbones.iter().find(|backbone| backbone.id == *id)
    }

    /// What a run costs by the recipe that it was trained with.
    pub fn estimate_of(&self, run: &RunView) -> Option<Estimate> {
        let (recipe, backbone) = (run.recipe.as_ref()?, self.backbone_of(run)?);
        let mask = FreezeMask::from_patterns(&backbone.tree, &recipe.freeze.thaw).ok()?;
        self.estimate_for(recipe, backbone, &mask)
    }

    /// The run that counts, by its name in the worker's words.
    pub(super) fn judged_name(&self) -> Option<String> {
        self.judged_run().map(|run| run.name.clone())
    }
}
