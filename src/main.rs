//! The `frostline` program.
fn main() {}
