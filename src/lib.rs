//! Frostline: transfer learning, from a folder of labelled samples to an exported head.

pub mod control;
pub mod data;
pub mod nn;
