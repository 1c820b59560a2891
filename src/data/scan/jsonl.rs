//! JSON lines: one object a line.

use serde_json::{Map, Value};

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

/// The value as a label, where it can be one: a string, a number, true or false. Nothing for null
/// and white space.
pub(super) fn label(value: Option<&Value>) -> Result<Option<String>, &'static str> {
    let label = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(label)) => label.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(answer)) => answer.to_string(),
        Some(other) => return Err(kind(other)),
    };
    Ok(Some(label).filter(|label| !label.is_empty()))
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
