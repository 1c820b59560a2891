//! One file a family; see `registry`.

pub mod bert;
pub mod efficientnet;
mod inverted_residual;
pub mod mobilenet_v3;
mod nodes;
pub mod resnet;
