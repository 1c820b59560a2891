//! The engine against references and against its own invariants. Each invariant's test names the one-line
//! sabotage under which it was seen to fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod architecture;
mod brought;
mod cached;
mod cases;
mod curves;
mod features;
mod flips;
mod gradients;
mod invariants;
mod support;
mod training;
mod words;
