//! Frostline: transfer learning, from a folder of labelled samples to an exported head.
//!
//! # The one idea
//! A backbone is a stack of layers; some are frozen, some thawed. Below the lowest thawed layer, the
//! *frostline*, nothing changes during training: it is computed once for each sample and cached. Freezing
//! decides what is trained, what is cached, how much memory it takes and how long it lasts.
//!
//! # The path of the data
//! ```text
//! data::scan(root) -> DatasetIndex          files on disk become labelled samples and findings
//! project::Plan::new(recipe, index, ..)     the user's choices, checked: mask, frostline, split
//! train::Features::prepare(plan, ..)        the trunk runs once a sample; boundary states go to the cache
//! train::Top::init(plan, weights)           the layers above the frostline, and a new head
//! train::fit(plan, features, top, ..)       the loop: steps, validation, checkpoint, best epoch
//! export::export_head(run, ..)              written, reloaded, compared, renamed
//! predict::Model::from_export(..)      answers for files and texts
//! ```
//! [`jobs`] has one function for each thing that a front end can ask for, and calls these in this order; start
//! reading at [`jobs::train`]. Modules below stand in the order in which they may use each other: each uses only
//! those above it (`tests/engine/architecture.rs` holds them to it).

pub mod bounded;
pub mod control;
pub mod data;
pub mod partial;
pub mod problem;
pub mod remedy;
pub mod units;

pub mod nn;
pub mod optim;

pub mod backbone;
pub mod home;
pub mod hub;
pub mod network;

pub mod task;

pub mod project;
pub mod train;

pub mod predict;

pub mod inspect;

pub mod evaluate;
pub mod export;

pub mod jobs;

pub mod worker;

pub mod session;

pub mod gui;

pub mod cli;
