//! The `frostline` program.

use std::process::ExitCode;

/// Training allocates and frees large buffers all the time; the system's allocator gives them back each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    frostline::cli::run()
}
