//! Undo and redo over the one document that a user edits: the recipe.

use crate::project::Recipe;

/// Steps kept.
const DEPTH: usize = 1000;

/// Earlier and undone states of the recipe.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Undo {
    past: Vec<Recipe>,
    future: Vec<Recipe>,
    /// What the last step was about; a run of equal ones (a drag, typing in one field) is one step.
    last: Option<Merge>,
}

/// Steps that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// One drag of the frostline; the number tells drags apart.
    Drag(u64),
    /// Typing or dragging in one field of a form.
    Field(&'static str),
}

impl Undo {
    /// Notes the state `before` a change.
    pub fn note(&mut self, before: &Recipe, merge: Option<Merge>) {
        if merge.is_none() || merge != self.last {
            self.past.push(before.clone());
            if self.past.len() > DEPTH {
                self.past.remove(0);
            }
        }
        self.future.clear();
        self.last = merge;
    }

    /// The state before the last step.
    pub fn undo(&mut self, now: &Recipe) -> Option<Recipe> {
        let earlier = self.past.pop()?;
        self.future.push(now.clone());
        self.last = None;
        Some(earlier)
    }

    /// The state after the step that was undone last.
    pub fn redo(&mut self, now: &Recipe) -> Option<Recipe> {
        let later = self.future.pop()?;
        self.past.push(now.clone());
        self.last = None;
        Some(later)
    }

    /// Whether there is an earlier state.
    pub fn can_undo(&self) -> bool {
        !self.past.is_empty()
    }

    /// Whether there is an undone state.
    pub fn can_redo(&self) -> bool {
        !self.future.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(epochs: u32) -> Recipe {
        let mut recipe = Recipe::parse(include_str!("../project/goldens/recipe-1.toml")).unwrap();
        recipe.training.epochs = epochs;
        recipe
    }

    #[test]
    fn a_drag_is_one_step() {
        let mut undo = Undo::default();
        for epochs in 1..5 {
            undo.note(&recipe(epochs), Some(Merge::Drag(1)));
        }
        undo.note(&recipe(5), Some(Merge::Drag(2)));
        assert_eq!(undo.undo(&recipe(6)), Some(recipe(5)));
        assert_eq!(undo.undo(&recipe(5)), Some(recipe(1)));
        assert!(!undo.can_undo());
        assert_eq!(undo.redo(&recipe(1)), Some(recipe(5)));
        undo.note(&recipe(5), None);
        assert!(!undo.can_redo());
    }
}
