//! Results on stdout. A reader that went away is an error: what was asked for was not delivered.

use anyhow::Result;
use serde_json::Value;
use std::io::Write;

/// One JSON object on a line.
pub(super) fn print_json(value: &Value) -> Result<()> {
    print_text(&format!("{value}\n"))
}

/// A text as it is.
pub(super) fn print_text(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
