//! JSON lines: one object a line.

use serde_json::{Map, Value};

use super::cells::Cell;

/// What a line holds.
pub(super) enum Line {
    Object { line: u64, object: Map<String, Value> },
    Bad { line: u64, why: String },
    NotUtf8 { line: u64 },
}

/// The lines of `bytes` that are not blank. Nesting is bounded by serde_json (128 deep).
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = Line> {
    let numbered = bytes.split(|byte| *byte == b'\n').zip(1u64..);
    numbered.filter(|(text, _)| !text.trim_ascii().is_empty()).map(|(text, line)| {
        let Ok(text) = std::str::from_utf8(text) else {
            return Line::NotUtf8 { line };
        };
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(object)) => Line::Object { line, object },
            Ok(other) => {
                let why = format!("is {} where a JSON object should be", kind(&other));
                Line::Bad { line, why }
            }
            Err(error) => {
                // The place that serde_json adds speaks of line 1, which is this line.
                let why = error.to_string();
                let why = why.split(" at line ").next().unwrap_or_default().to_owned();
                Line::Bad { line, why: format!("is no JSON object: {why} (character {})", error.column()) }
            }
        }
    })
}

/// The value as a cell of a table: a string, a number, true or false, or a list of such.
pub(super) fn cell(value: Option<&Value>) -> Cell {
    match value {
        None | Some(Value::Null) => Cell::Absent,
        Some(Value::Array(values)) => {
            let parts: Option<Vec<String>> = values.iter().map(scalar).collect();
            parts.map_or(Cell::Other("a list of lists or objects"), Cell::List)
        }
        Some(value) => scalar(value).map_or(Cell::Other(kind(value)), Cell::Text),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(answer) => Some(answer.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// "a list", "a number".
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
