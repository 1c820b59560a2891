//! The engine against references and against its own invariants. Each invariant's test names the one-line
//! sabotage under which it was seen to fail.

mod architecture;
mod curves;
mod features;
mod gradients;
mod invariants;
mod support;
mod training;
