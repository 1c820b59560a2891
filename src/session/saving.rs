//! What goes to the disk: the recipe, and what the next start shows. The worker writes it, in order; failures come back
//! as events.

use super::projects::RememberedView;
use super::{Effect, Session, Unsaved};
use crate::worker::{Disk, Request};
use std::path::Path;

impl Session {
    /// Asks to save the recipe where it has changed since and can be used.
    pub fn save_recipe(&mut self) -> Vec<Effect> {
        let Some(project) = self.project.as_mut().filter(|p| p.unsaved == Unsaved::Changed) else {
            return Vec::new();
        };
        project.unsaved = Unsaved::No;
        match project.recipe.check() {
            Ok(()) => self.write_recipe().map(Effect::Send).into_iter().collect(),
            Err(_) => Vec::new(),
        }
    }

    /// Takes note that a recipe could not be written: it is tried again with the next change, and when the window closes.
    pub(super) fn on_recipe_not_written(&mut self, folder: &Path) {
        let project = self.project.as_mut().filter(|p| p.folder == folder && p.unsaved == Unsaved::No);
        if let Some(project) = project {
            project.unsaved = Unsaved::Failed;
        }
    }

    /// Asks to save the recipe whether or not it has changed.
    pub(super) fn save_again(&mut self) -> Vec<Effect> {
        self.in_project(|project| project.unsaved = Unsaved::Changed);
        self.save_recipe()
    }

    /// A request to write the open project's recipe, whether or not it has changed.
    pub(super) fn write_recipe(&mut self) -> Option<Request> {
        let project = self.project.as_ref()?;
        let (project, recipe) = (project.folder.clone(), Box::new(project.recipe.clone()));
        Some(self.request(Disk::SaveRecipe { project, recipe }.into()))
    }

    /// Keeps for the next start what the window shows.
    pub(super) fn keep_memory(&mut self) {
        if let Some(project) = &self.project {
            self.remembered.view = RememberedView {
                project: Some(project.folder.clone()),
                step: self.step,
                class: project.data.class,
                part: project.data.part,
                findings_only: project.data.findings_only,
                layer: project.layers.selected.clone(),
                expanded: project.layers.expanded.clone(),
            };
        }
        self.memory_changed = true;
    }

    /// Asks to write what is to be kept for the next start, where it has changed.
    pub(super) fn write_memory(&mut self) -> Vec<Effect> {
        if !std::mem::take(&mut self.memory_changed) {
            return Vec::new();
        }
        match self.remembered.to_text() {
            Ok(text) => vec![self.send(Disk::Remember { text })],
            Err(problem) => {
                self.log.push(format!("not kept for the next start: {problem}"));
                Vec::new()
            }
        }
    }

    /// What is still to be written when the window closes.
    pub fn last_writes(&mut self) -> Vec<Effect> {
        if let Some(project) = self.project.as_mut().filter(|p| p.unsaved == Unsaved::Failed) {
            project.unsaved = Unsaved::Changed;
        }
        let mut effects = self.save_recipe();
        self.keep_memory();
        effects.extend(self.write_memory());
        effects
    }
}
