//! An export or a run gives answers for files and texts.

pub mod classifier;
pub mod manifest;

pub use classifier::Classifier;
pub use manifest::Manifest;
