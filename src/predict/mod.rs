//! An export or a run gives answers for files and texts.

#![warn(clippy::indexing_slicing, reason = "what comes from outside is not indexed")]

pub mod manifest;
pub mod model;

pub use manifest::Manifest;
pub use model::Model;
