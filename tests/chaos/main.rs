//! What one may rely on when something ends the program or takes its output away.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod exits;
mod kills;
mod memory;
mod reading;
