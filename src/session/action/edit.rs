//! Changing the recipe: everything here can be undone.

use super::needs_project;
use crate::backbone::{Cut, FreezeMask, LayerTree, LeafState};
use crate::project::Recipe;
use crate::project::recipe::{SplitChoice, TrainingChoice};
pub use crate::session::layers::Preset;
use crate::session::layers::{preset, range};
use crate::session::undo::{Merge, Undo};
use crate::session::{Effect, Session};
use std::sync::Arc;

group! {
    /// Changes the recipe, or takes a change back.
    Edit {
        SetSplit(SplitChoice) => Hidden [Edit::SetSplit(SplitChoice::default())],
        ChooseBackbone(String) => Hidden [Edit::ChooseBackbone("mobilenetv2_100".into())],
        /// Freezes or thaws a layer or subtree.
        SetLayer { path: String, state: LeafState } => Hidden [
            Edit::SetLayer { path: "conv_stem".into(), state: LeafState::Thawed },
        ],
        /// Freezes or thaws all leaves from one path to another, in tree order.
        SetLayerRange { from: String, to: String, state: LeafState } => Hidden [
            Edit::SetLayerRange { from: "blocks.1".into(), to: "blocks.3".into(), state: LeafState::Thawed },
        ],
        /// Moves the frostline; everything above is thawed. Equal numbers belong to one drag.
        DragFrostline { cut: usize, drag: u64 } => Hidden [Edit::DragFrostline { cut: 1, drag: 1 }],
        /// Also names the field, so that typing in it is one undo step.
        SetTraining { training: TrainingChoice, field: &'static str } => Hidden [
            Edit::SetTraining {
                training: TrainingChoice::default(),
                field: "Epochs",
            },
        ],
        SetCache(bool) => Hidden [Edit::SetCache(true)],
        Undo => Offered [Edit::Undo],
        Redo => Offered [Edit::Redo],
        Preset(Preset) => Offered [
            Edit::Preset(Preset::HeadOnly), Edit::Preset(Preset::LastBlock), Edit::Preset(Preset::LastStages),
            Edit::Preset(Preset::Everything), Edit::Preset(Preset::NormsOnly),
        ],
    }
}

impl Edit {
    pub(super) fn words(&self) -> (String, &'static str) {
        let (text, tooltip) = match self {
            Self::SetSplit(_) => {
                ("Split the data", "How many samples are kept aside for validation and test")
            }
            Self::ChooseBackbone(_) => ("Choose the backbone", "The pretrained network to start from"),
            Self::SetLayer { .. } => ("Freeze or thaw", "Whether this layer learns"),
            Self::SetLayerRange { .. } => ("Freeze or thaw these layers", "Whether these layers learn"),
            Self::DragFrostline { .. } => {
                ("Move the frostline", "Everything above it learns, nothing below it changes")
            }
            Self::SetTraining { .. } => ("Change the training", "A setting of the next run"),
            Self::SetCache(_) => ("Keep features on disk", "Compute the frozen layers once a sample"),
            Self::Undo => ("Undo", "Take back the last change of the recipe"),
            Self::Redo => ("Redo", "Make the undone change again"),
            Self::Preset(preset) => {
                return (format!("Layers: {}", preset.name().to_lowercase()), preset.tooltip());
            }
        };
        (text.to_string(), tooltip)
    }

    pub(super) fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Undo => &["Ctrl+Z"],
            Self::Redo => &["Ctrl+Shift+Z", "Ctrl+Y"],
            Self::SetSplit(_)
            | Self::ChooseBackbone(_)
            | Self::SetLayer { .. }
            | Self::SetLayerRange { .. }
            | Self::DragFrostline { .. }
            | Self::SetTraining { .. }
            | Self::SetCache(_)
            | Self::Preset(_) => &[],
        }
    }

    pub(super) fn why_not(&self, session: &Session) -> Option<&'static str> {
        let undo = session.project.as_ref().map(|project| &project.undo);
        match self {
            Self::SetSplit(_) | Self::ChooseBackbone(_) | Self::Preset(_) => needs_project(session),
            Self::Undo => (!undo.is_some_and(|undo| undo.can_undo())).then_some("Nothing to undo."),
            Self::Redo => (!undo.is_some_and(|undo| undo.can_redo())).then_some("Nothing to redo."),
            // The widgets that emit these are shown with a project only.
            Self::SetLayer { .. }
            | Self::SetLayerRange { .. }
            | Self::DragFrostline { .. }
            | Self::SetTraining { .. }
            | Self::SetCache(_) => None,
        }
    }

    /// Whether it may be one of many in a drag or in typing: the recipe is then saved at the end.
    pub(in crate::session) fn may_go_on(&self) -> bool {
        match self {
            Self::DragFrostline { .. } | Self::SetTraining { .. } => true,
            Self::SetSplit(_)
            | Self::ChooseBackbone(_)
            | Self::SetLayer { .. }
            | Self::SetLayerRange { .. }
            | Self::SetCache(_)
            | Self::Undo
            | Self::Redo
            | Self::Preset(_) => false,
        }
    }

    pub(super) fn apply(self, session: &mut Session) -> Vec<Effect> {
        let Some(project) = &session.project else { return Vec::new() };
        let mut recipe = project.recipe.clone();
        match self {
            Self::SetSplit(split) => {
                let merge = Merge::Field(changed_field(&recipe.split, &split));
                recipe.split = split;
                session.change_recipe(recipe, Some(merge))
            }
            Self::SetTraining { training, field } => {
                recipe.training = training;
                session.change_recipe(recipe, Some(Merge::Field(field)))
            }
            Self::SetCache(enabled) => {
                recipe.cache.enabled = enabled;
                session.change_recipe(recipe, None)
            }
            Self::SetLayer { path, state } => {
                freeze(session, recipe, None, |tree, _, mask| mask.set(tree, &path, state))
            }
            Self::SetLayerRange { from, to, state } => freeze(session, recipe, None, |tree, _, mask| {
                for leaf in range(tree, &from, &to) {
                    mask.set(tree, &leaf, state);
                }
            }),
            Self::Preset(chosen) => {
                freeze(session, recipe, None, |tree, cuts, mask| *mask = preset(tree, cuts, chosen))
            }
            Self::DragFrostline { cut, drag } => {
                let merge = Some(Merge::Drag(drag));
                freeze(session, recipe, merge, |tree, _, mask| *mask = FreezeMask::with_frostline(tree, cut))
            }
            Self::ChooseBackbone(id) => session.choose_backbone(&id),
            Self::Undo => session.step_back(Undo::undo),
            Self::Redo => session.step_back(Undo::redo),
        }
    }
}

/// Changes what is frozen; nothing where the recipe's layers are not those of its backbone.
fn freeze(
    session: &mut Session,
    mut recipe: Recipe,
    merge: Option<Merge>,
    change: impl FnOnce(&LayerTree, &[Cut], &mut FreezeMask),
) -> Vec<Effect> {
    let layers = session.backbone().map(|b| (Arc::clone(&b.tree), Arc::clone(&b.cuts)));
    let mask = session.project.as_ref().and_then(|project| project.mask.clone());
    let (Some((tree, cuts)), Some(mut mask)) = (layers, mask) else { return Vec::new() };
    change(&tree, &cuts, &mut mask);
    recipe.freeze.thaw = mask.to_patterns(&tree);
    session.change_recipe(recipe, merge)
}

/// Which field of the split form a change came from.
fn changed_field(before: &SplitChoice, after: &SplitChoice) -> &'static str {
    if before.validation_fraction != after.validation_fraction {
        return "validation";
    }
    if before.test_fraction != after.test_fraction { "test" } else { "split seed" }
}
