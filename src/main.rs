//! The `frostline` program: a window without arguments, a command line with them.

use std::process::ExitCode;

/// Training allocates and frees large buffers all the time; the system's allocator gives them back each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    frostline::nn::let_idle_threads_sleep();
    if std::env::args_os().len() > 1 || !has_display() {
        return frostline::cli::run();
    }
    match frostline::gui::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Whether a window can be shown.
fn has_display() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}
