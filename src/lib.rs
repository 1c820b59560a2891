//! Frostline: transfer learning, from a folder of labelled samples to an exported head.

pub mod backbone;
pub mod cli;
pub mod control;
pub mod data;
pub mod evaluate;
pub mod export;
pub mod hub;
pub mod jobs;
pub mod nn;
pub mod predict;
pub mod problem;
pub mod project;
pub mod train;
