//! The window without a display: real session, real worker, bundled weights.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod access;
mod flows;
mod harness;
mod hostile;
mod judging;
mod layout;
mod monkey;
mod raster;
mod reading;
mod recorded;
mod remedies;
mod runs;
mod saving;
mod snapshots;
mod tasks;
