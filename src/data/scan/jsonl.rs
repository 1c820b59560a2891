//! JSON lines, one object a line, and JSON lists of objects.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::cells::Cell;
use super::{documents, roles};

/// What a line holds.
pub(super) enum Line {
    Object { line: u64, object: Map<String, Value> },
    Bad { line: u64, why: String },
    NotUtf8 { line: u64 },
}

/// The objects of `bytes`: those of one list or document, or those on the lines that are not blank, each made plain.
/// Nesting is bounded by serde_json (128 deep).
pub(super) fn lines(bytes: &[u8]) -> Box<dyn Iterator<Item = Line> + '_> {
    let plain = |line: Line| match line {
        Line::Object { line, object } => Line::Object { line, object: documents::plain(object) },
        other => other,
    };
    match list(bytes).or_else(|| document(bytes)) {
        Some(objects) => Box::new(objects.into_iter().map(plain)),
        None => Box::new(lines_of(bytes).map(plain)),
    }
}

/// How many objects there are, where counting them is no work: those of a list or document, or the lines that are not
/// blank.
pub(super) fn count(bytes: &[u8]) -> Option<usize> {
    /// Parsed in a fraction of a second.
    const MOST: usize = 32 << 20;
    let is_one_value =
        list(bytes.get(..bytes.len().min(MOST))?).or_else(|| document(bytes.get(..bytes.len().min(MOST))?));
    match is_one_value {
        Some(objects) if bytes.len() <= MOST => Some(objects.len()),
        Some(_) => None,
        None if bytes.trim_ascii_start().starts_with(b"[") => None,
        None => Some(bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count()),
    }
}

/// The objects that the one object of the whole file stands for, numbered: they are no lines.
fn document(bytes: &[u8]) -> Option<Vec<Line>> {
    let text = std::str::from_utf8(bytes).ok()?;
    // In a file of lines, this is the first line alone.
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let first = values.next()?.or_else(|_| serde_json::from_str(&without_nan(text))).ok()?;
    if values.next().is_some() {
        return None;
    }
    let objects = documents::objects(first.as_object()?)?.into_iter().zip(1..);
    Some(objects.map(|(object, line)| Line::Object { line, object }).collect())
}

/// The objects of a list over the whole file, with the lines on which they begin. Lines that are lists of their own
/// are no such list.
fn list(bytes: &[u8]) -> Option<Vec<Line>> {
    if !bytes.trim_ascii_start().starts_with(b"[") {
        return None;
    }
    let text = without_nan(std::str::from_utf8(bytes).ok()?);
    let within = text.trim_start().strip_prefix('[')?;
    let (mut rest, mut line, mut objects) = (within, 1 + breaks(&text, within), Vec::new());
    loop {
        let next = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        line += breaks(rest, next);
        if let Some(end) = next.strip_prefix(']') {
            return Some(objects).filter(|_| end.trim().is_empty());
        }
        let mut values = serde_json::Deserializer::from_str(next).into_iter::<Value>();
        let value = values.next()?.ok()?;
        let length = values.byte_offset();
        objects.push(match value {
            Value::Object(object) => Line::Object { line, object },
            other => Line::Bad { line, why: format!("is {} where a JSON object should be", kind(&other)) },
        });
        let after = next.get(length..)?;
        line += breaks(next, after);
        rest = after;
    }
}

/// Line breaks between the beginning of `whole` and its end `rest`.
fn breaks(whole: &str, rest: &str) -> u64 {
    let before = whole.get(..whole.len() - rest.len()).unwrap_or_default();
    before.bytes().filter(|byte| *byte == b'\n').count() as u64
}

fn lines_of(bytes: &[u8]) -> impl Iterator<Item = Line> {
    let numbered = bytes.split(|byte| *byte == b'\n').zip(1u64..);
    numbered.filter(|(text, _)| !text.trim_ascii().is_empty()).map(|(text, line)| {
        let Ok(text) = std::str::from_utf8(text) else {
            return Line::NotUtf8 { line };
        };
        let read = serde_json::from_str::<Value>(text);
        // Only what is broken is looked at again.
        match read.or_else(|error| serde_json::from_str(&without_nan(text)).map_err(|_| error)) {
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

/// `NaN` and infinities, which Python writes and JSON does not know, as values that say nothing and are as long.
fn without_nan(text: &str) -> Cow<'_, str> {
    const WORDS: [(&str, &str); 3] = [("NaN", "\"\" "), ("-Infinity", "null     "), ("Infinity", "null    ")];
    if !WORDS.iter().any(|(word, _)| text.contains(word)) {
        return Cow::Borrowed(text);
    }
    let (mut plain, mut rest, mut quoted) = (String::with_capacity(text.len()), text, false);
    while let Some(first) = rest.chars().next() {
        let word = WORDS.iter().filter(|_| !quoted).find(|(word, _)| rest.starts_with(word));
        let (taken, written) = match (word, first) {
            (Some((word, nothing)), _) => (word.len(), *nothing),
            (None, '\\') if quoted => {
                let length = 1 + rest.chars().nth(1).map_or(0, char::len_utf8);
                (length, rest.get(..length).unwrap_or_default())
            }
            (None, _) => {
                quoted ^= first == '"';
                (first.len_utf8(), rest.get(..first.len_utf8()).unwrap_or_default())
            }
        };
        plain.push_str(written);
        rest = rest.get(taken..).unwrap_or_default();
    }
    Cow::Owned(plain)
}

/// The value as a cell of a table: a string, a number, true or false, or a list of such.
pub(super) fn cell(value: Option<&Value>) -> Cell {
    match value {
        None | Some(Value::Null) => Cell::Absent,
        Some(Value::Array(values)) => {
            let parts: Option<Vec<String>> = values.iter().map(scalar).collect();
            parts.map_or(Cell::Other("a list of lists or objects"), Cell::List)
        }
        // Several choices, as Label Studio writes them in its short form.
        Some(Value::Object(choices)) if choices.len() == 1 && choices.contains_key("choices") => {
            cell(choices.get("choices"))
        }
        Some(value) => scalar(value).map_or(Cell::Other(kind(value)), Cell::Text),
    }
}

/// The text below `keys`, joined where they are several: then some may be empty or not there.
///
/// # Errors
///
/// What is there instead.
pub(super) fn text(object: &mut Map<String, Value>, keys: &[&str]) -> Result<String, String> {
    let mut take = |key: &str| match object.remove(key) {
        Some(Value::String(text)) => Ok(text),
        None | Some(Value::Null) if keys.len() > 1 => Ok(String::new()),
        None => Err(format!("there is no “{key}”")),
        Some(other) => Err(format!("“{key}” is {} where a string should be", kind(&other))),
    };
    match keys {
        [key] => take(key),
        several => {
            let texts: Vec<String> = several.iter().map(|key| take(key)).collect::<Result<_, _>>()?;
            Ok(roles::join(texts.iter().map(String::as_str)))
        }
    }
}

/// The group that a value names.
pub(super) fn group(value: Option<&Value>) -> Option<String> {
    roles::group(&scalar(value?)?)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As "line:keys" or "line!why".
    fn check(text: &str, expected: &[&str]) {
        let lines: Vec<String> = lines(text.as_bytes())
            .map(|line| match line {
                Line::Object { line, object } => format!("{line}:{}", Value::Object(object)),
                Line::Bad { line, why } => format!("{line}!{why}"),
                Line::NotUtf8 { line } => format!("{line}!not UTF-8"),
            })
            .collect();
        assert_eq!(lines, expected, "{text}");
    }

    #[test]
    fn a_list_is_read_as_its_objects() {
        check(
            "[{\"a\": 1},\n {\"a\":\n 2}\n,3]\n",
            &["1:{\"a\":1}", "2:{\"a\":2}", "4!is a number where a JSON object should be"],
        );
        check("\n[\n{\"a\": NaN}\n]", &["3:{\"a\":\"\"}"]);
        // Broken, or lists on lines: each line is told.
        let bad = "is a list where a JSON object should be";
        check("[1]\n{\"a\":1}\n[2]", &[&format!("1!{bad}"), "2:{\"a\":1}", &format!("3!{bad}")]);
    }

    #[test]
    fn numbers_that_json_does_not_know_say_nothing() {
        check(
            "{\"a\": NaN, \"b\": [-Infinity, Infinity], \"c\": \"NaN \\\" NaN\"}",
            &["1:{\"a\":\"\",\"b\":[null,null],\"c\":\"NaN \\\" NaN\"}"],
        );
        check("{\"a\": NaNs}", &["1!is no JSON object: expected value (character 7)"]);
    }
}
