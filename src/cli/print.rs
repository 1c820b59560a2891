//! Results on stdout. A reader that went away is an error: what was asked for was not delivered.

use super::show;
use crate::problem::Problem;
use anyhow::Result;
use serde_json::Value;
use std::io::{self, Write};

/// Writes a line to stderr. A reader that went away must not end a training, so nobody hears of a failure.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{}", show::printable(line));
}

/// One JSON object on a line.
pub(super) fn print_json(value: &Value) -> Result<()> {
    print_text(&format!("{value}\n"))
}

/// A text as it is.
pub(super) fn print_text(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(undelivered)
}

/// Why a result did not reach whoever reads stdout.
pub(super) fn undelivered(error: io::Error) -> anyhow::Error {
    match error.kind() {
        // There is nobody to tell.
        io::ErrorKind::BrokenPipe => error.into(),
        _ => Problem::other(
            "the results could not be written to the standard output",
            error.to_string(),
            "make room where the output goes, or send it elsewhere, then ask again",
        )
        .into(),
    }
}
