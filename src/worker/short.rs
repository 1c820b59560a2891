//! The short lane: questions that the thread that owns every tensor answers between two batches of a long job.

use super::protocol::Outcome;
use crate::control::Control;
use crate::jobs::{self, ModelSource, Questions};
use crate::problem::Result;
use crate::project::Machine;
use std::path::PathBuf;

/// Labels of an answer that the window shows.
const TOP: usize = 5;

/// What the short lane can be asked for.
#[derive(Debug, Clone)]
pub enum Short {
    /// Pictures of the filters of one convolution.
    Filters { backbone: String, layer: String },
    /// Answers for files and texts.
    Try { model: ModelSource, files: Vec<PathBuf>, texts: Vec<String> },
}

impl Short {
    pub(super) fn work(self, machine: &Machine, control: &dyn Control) -> Result<Outcome> {
        match self {
            Self::Filters { backbone, layer } => {
                let tiles = jobs::filter_tiles(&backbone, &layer)?;
                Ok(Outcome::Filters { backbone, layer, tiles })
            }
            Self::Try { model, files, texts } => {
                let questions = Questions { files: &files, texts: &texts, text_columns: None };
                let predictions = jobs::predict(&model, &questions, TOP, machine, control)?;
                Ok(Outcome::Tried { predictions })
            }
        }
    }
}
