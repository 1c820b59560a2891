//! The command line: calls `jobs/` without a window. Results go to stdout, progress and messages to stderr.

#![warn(clippy::indexing_slicing, reason = "what comes from outside is not indexed")]

mod answers;
mod args;
mod commands;
mod control;
mod hub;
mod print;
mod scores;
mod settings;
mod show;
mod signals;

use crate::problem::{Cause, Problem};
use clap::Parser;
use print::tell;
use std::io::Write;
use std::process::ExitCode;

/// Exit codes: done, anything else, wrong use or bad input, the line or the Hub, stopped by the user.
const DONE: u8 = 0;
const FAILED: u8 = 1;
const BAD_INPUT: u8 = 2;
const HUB: u8 = 3;
const STOPPED: u8 = 130;
/// Stopped by a scheduler (SIGUSR1); `EX_TEMPFAIL` of sysexits: the same again goes on.
const PREEMPTED: u8 = 75;

/// Reads the arguments, does what they say and gives the exit code.
pub fn run() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(told) => return ExitCode::from(tell_usage(&told)),
    };
    // The message of a panic is on stderr already; what is left is an exit code that keeps its meaning.
    ExitCode::from(match std::panic::catch_unwind(|| commands::run(arguments.command)) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => explain(&error),
        Err(_) => FAILED,
    })
}

/// Prints help, the version, or what is wrong with the arguments.
fn tell_usage(told: &clap::Error) -> u8 {
    match told.print().and_then(|()| std::io::stdout().flush()) {
        Ok(()) => u8::try_from(told.exit_code()).unwrap_or(BAD_INPUT),
        Err(error) => explain(&print::undelivered(error)),
    }
}

/// Says on stderr what happened and chooses the exit code.
fn explain(error: &anyhow::Error) -> u8 {
    // Whoever reads stdout has gone away: there is nobody to tell.
    if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) {
        return FAILED;
    }
    match error.downcast_ref::<Problem>() {
        Some(problem) => {
            match problem.cause {
                Cause::Stopped => tell(&problem.to_string()),
                _ => tell(&format!("error: {problem}")),
            }
            match problem.cause {
                Cause::Input | Cause::Diverged => BAD_INPUT,
                Cause::Hub => HUB,
                Cause::Stopped => signals::code_of_stop(),
                Cause::Other => FAILED,
            }
        }
        None => {
            tell(&format!("error: {error:#}"));
            FAILED
        }
    }
}
