//! What signals do: Ctrl+C and a polite kill stop the job, a second one ends the program, a scheduler's SIGUSR1 stops the
//! job with an exit code of its own.

use super::print::tell;
use super::{PREEMPTED, STOPPED};
use crate::problem::{Problem, Result};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// The exit code of a stop that was asked for; asked between batches.
static STOP: AtomicU8 = AtomicU8::new(GO_ON);
const GO_ON: u8 = 0;
/// How long what has no checkpoint to write may take to notice.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a command needs to end when it is asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stops {
    /// The step under way and a checkpoint, however long they take.
    WithCheckpoint,
    /// Nothing: whatever it was about to write has no name yet.
    Anywhere,
}

/// Lets the first signal stop the job and the second one end the program at once.
///
/// # Errors
/// The system lets nothing be caught.
pub fn stop_on_signals(how: Stops) -> Result<()> {
    let uncaught = |why: String| Problem::other("Ctrl+C cannot be caught", why, "run it in a terminal");
    wait_for_scheduler(how).map_err(uncaught)?;
    ctrlc::set_handler(move || stop(STOPPED, how)).map_err(|e| uncaught(e.to_string()))
}

/// Whether the job should end.
pub fn stop_requested() -> bool {
    STOP.load(Ordering::SeqCst) != GO_ON
}

/// The exit code of a job that was stopped.
pub fn code_of_stop() -> u8 {
    match STOP.load(Ordering::SeqCst) {
        GO_ON => STOPPED,
        code => code,
    }
}

fn stop(code: u8, how: Stops) {
    if STOP.swap(code, Ordering::SeqCst) != GO_ON {
        std::process::exit(i32::from(code));
    }
    match how {
        Stops::WithCheckpoint => tell("\nstopping after this batch; press Ctrl+C again to stop at once"),
        Stops::Anywhere => {
            // Work that asks seldom ends here; a file without its name is cleared by the next call.
            std::thread::spawn(move || {
                std::thread::sleep(PATIENCE);
                std::process::exit(i32::from(code));
            });
        }
    }
}

/// SIGUSR1 is held back from all threads, which are started later, but one that waits for it.
#[cfg(unix)]
fn wait_for_scheduler(how: Stops) -> std::result::Result<(), String> {
    use nix::sys::signal::{SigSet, Signal};
    let mut awaited = SigSet::empty();
    awaited.add(Signal::SIGUSR1);
    awaited.thread_block().map_err(|e| e.to_string())?;
    std::thread::spawn(move || {
        while awaited.wait().is_ok() {
            stop(PREEMPTED, how);
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn wait_for_scheduler(_how: Stops) -> std::result::Result<(), String> {
    Ok(())
}
