//! An export or a run gives answers for files and texts.

pub mod manifest;
pub mod model;

pub use manifest::Manifest;
pub use model::Model;
