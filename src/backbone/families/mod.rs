//! One file a family; see `registry`.

pub mod bert;
pub mod efficientnet;
mod nodes;
pub mod resnet;
