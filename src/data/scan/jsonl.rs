//! JSON lines, one object a line, and JSON lists of objects.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::cells::Cell;
use super::json::{Bounded, MAX_DOCUMENT, MAX_OBJECT};
use super::{documents, roles};
use crate::units;

/// What a line holds.
#[derive(Clone)]
pub(super) enum Line {
    Object { line: u64, object: Map<String, Value> },
    Bad { line: u64, why: String },
    NotUtf8 { line: u64 },
}

/// How the objects of a file are written.
pub(super) enum Written<'a> {
    /// In a list over the whole file.
    List(List<'a>),
    /// One object over the whole file stands for them; numbered, for they are no lines.
    Document(Vec<Line>),
    /// One on each line that is not blank.
    Lines(&'a [u8]),
}

impl<'a> Written<'a> {
    /// As the first bytes tell, or else the whole file.
    pub fn of(bytes: &'a [u8]) -> Written<'a> {
        let list = List::of(bytes).map(Written::List);
        list.or_else(|| document(bytes).map(Written::Document)).unwrap_or(Written::Lines(bytes))
    }

    /// How many objects or other lines there are.
    pub fn count(&self) -> usize {
        match self {
            Written::List(list) => list.count,
            Written::Document(objects) => objects.len(),
            Written::Lines(bytes) => lines_of(bytes).count(),
        }
    }

    /// What is wrong where the first thing is no object, for a file that holds none.
    pub fn why_none(self) -> Option<String> {
        self.lines().find_map(|line| match line {
            Line::Bad { why, .. } => Some(why),
            Line::Object { .. } | Line::NotUtf8 { .. } => None,
        })
    }

    /// The objects, each made plain.
    pub fn lines(self) -> Box<dyn Iterator<Item = Line> + 'a> {
        match self {
            Written::List(list) => Box::new(list.map(made_plain)),
            Written::Document(objects) => Box::new(objects.into_iter().map(made_plain)),
            Written::Lines(bytes) => {
                Box::new(lines_of(bytes).map(|(line, text)| made_plain(read(line, text))))
            }
        }
    }

    /// About a thousand objects from the beginning and from all over the file, each made plain.
    pub fn sample(&self) -> Vec<Map<String, Value>> {
        const FIRST: usize = 500;
        const FURTHER: usize = 500;
        let step = (self.count() / FURTHER).max(1);
        let is_sampled = |number: usize| number < FIRST || number.is_multiple_of(step);
        let sampled: Box<dyn Iterator<Item = Line>> = match self {
            Written::List(list) => {
                let list = List { text: Cow::Borrowed(&list.text), ..*list };
                Box::new((0..).zip(list).filter(|(n, _)| is_sampled(*n)).map(|(_, line)| line))
            }
            Written::Document(objects) => {
                Box::new((0..).zip(objects).filter(|(n, _)| is_sampled(*n)).map(|(_, line)| line.clone()))
            }
            Written::Lines(bytes) => {
                let lines = (0..).zip(lines_of(bytes)).filter(|(n, _)| is_sampled(*n));
                Box::new(lines.map(|(_, (line, text))| read(line, text)))
            }
        };
        within_bytes(sampled.filter_map(|line| match made_plain(line) {
            Line::Object { object, .. } => Some(object),
            Line::Bad { .. } | Line::NotUtf8 { .. } => None,
        }))
    }
}

/// The first two, and as many more as are short enough to be looked at.
fn within_bytes(objects: impl Iterator<Item = Map<String, Value>>) -> Vec<Map<String, Value>> {
    const MOST: usize = 32 << 20;
    let (mut kept, mut bytes) = (Vec::new(), 0);
    for object in objects {
        bytes += object.values().map(length).sum::<usize>();
        if bytes > MOST && kept.len() >= 2 {
            break;
        }
        kept.push(object);
    }
    kept
}

/// About how many bytes a value has.
fn length(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(length).sum(),
            Value::Object(object) => object.iter().map(|(key, value)| key.len() + length(value)).sum(),
        }
}

/// The objects that the one object of the whole file stands for.
fn document(bytes: &[u8]) -> Option<Vec<Line>> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.trim_start().starts_with('{'))?;
    // In a file of lines, this is the first line alone.
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Bounded<MAX_DOCUMENT>>();
    let Bounded(first) = values.next()?.or_else(|_| serde_json::from_str(&without_nan(text))).ok()?;
    if values.next().is_some() {
        return None;
    }
    let Some(first) = first else {
        let why = format!("is one object that takes more than {}", units::bytes(MAX_DOCUMENT as u64));
        return Some(vec![Line::Bad { line: 1, why }]);
    };
    let Value::Object(first) = first else { return None };
    let objects = documents::objects(first)?.into_iter().zip(1..);
    Some(objects.map(|(object, line)| Line::Object { line, object }).collect())
}

/// The objects of a list over the whole file, with the lines on which they begin, read one at a time.
pub(super) struct List<'a> {
    text: Cow<'a, str>,
    /// Behind what was read.
    at: usize,
    line: u64,
    /// How many things are in the list.
    count: usize,
}

impl<'a> List<'a> {
    /// `None` where the file is no list, or a broken one. Lines that are lists of their own are no such list.
    fn of(bytes: &'a [u8]) -> Option<List<'a>> {
        if !bytes.trim_ascii_start().starts_with(b"[") {
            return None;
        }
        let text = without_nan(std::str::from_utf8(bytes).ok()?);
        let within = text.trim_start().strip_prefix('[')?;
        let at = text.len() - within.len();
        let line = 1 + breaks(text.get(..at)?);
        let mut list = List { text, at, line, count: 0 };
        let mut count = 0;
        let end = loop {
            match list.step() {
                Step::Line(_) => count += 1,
                Step::End(end) => break Some(end),
                Step::Broken => break None,
            }
        };
        let is_whole = list.text.get(end?..)?.trim().is_empty();
        is_whole.then_some(List { at, line, count, ..list })
    }

    fn step(&mut self) -> Step {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let next = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        let begin = self.at + rest.len() - next.len();
        let line = self.line + breaks(self.text.get(self.at..begin).unwrap_or_default());
        if next.starts_with(']') {
            return Step::End(begin + 1);
        }
        let mut values = serde_json::Deserializer::from_str(next).into_iter::<Bounded<MAX_OBJECT>>();
        let Some(Ok(Bounded(value))) = values.next() else {
            return Step::Broken;
        };
        self.at = begin + values.byte_offset();
        self.line = line + breaks(self.text.get(begin..self.at).unwrap_or_default());
        Step::Line(line_of(line, value))
    }
}

/// What stands next in a list.
enum Step {
    Line(Line),
    /// The position behind its bracket.
    End(usize),
    Broken,
}

impl Iterator for List<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        match self.step() {
            Step::Line(line) => Some(line),
            Step::End(_) | Step::Broken => None,
        }
    }
}

fn breaks(text: &str) -> u64 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u64
}

/// The lines that are not blank, with their numbers.
fn lines_of(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let numbered = (1u64..).zip(bytes.split(|byte| *byte == b'\n'));
    numbered.filter(|(_, text)| !text.trim_ascii().is_empty())
}

fn read(line: u64, text: &[u8]) -> Line {
    if text.len() > MAX_OBJECT {
        return line_of(line, None);
    }
    let Ok(text) = std::str::from_utf8(text) else {
        return Line::NotUtf8 { line };
    };
    let read = serde_json::from_str::<Bounded<MAX_OBJECT>>(text);
    // Only what is broken is looked at again.
    match read.or_else(|error| serde_json::from_str(&without_nan(text)).map_err(|_| error)) {
        Ok(Bounded(value)) => line_of(line, value),
        Err(error) => {
            // The place that serde_json adds speaks of line 1, which is this line.
            let why = error.to_string();
            let why = why.split(" at line ").next().unwrap_or_default().to_owned();
            Line::Bad { line, why: format!("is no JSON object: {why} (character {})", error.column()) }
        }
    }
}

/// What was read on a line; `None` where it was too much.
fn line_of(line: u64, value: Option<Value>) -> Line {
    let why = match value {
        Some(Value::Object(object)) => return Line::Object { line, object },
        Some(other) => format!("is {} where a JSON object should be", kind(&other)),
        None => format!("takes more than {}, and no more is read", units::bytes(MAX_OBJECT as u64)),
    };
    Line::Bad { line, why }
}

fn made_plain(line: Line) -> Line {
    match line {
        Line::Object { line, object } => Line::Object { line, object: documents::plain(object) },
        other @ (Line::Bad { .. } | Line::NotUtf8 { .. }) => other,
    }
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
        let lines: Vec<String> = Written::of(text.as_bytes())
            .lines()
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
    fn one_object_has_a_limit_and_the_next_is_read() {
        let long = format!("{{\"a\": \"{}\"}}", "x".repeat(MAX_OBJECT));
        let why = "takes more than 33.6 MB, and no more is read";
        check(&format!("{long}\n{{\"a\": 1}}"), &[&format!("1!{why}"), "2:{\"a\":1}"]);
        check(&format!("[{long},\n{{\"a\": 1}}]"), &[&format!("1!{why}"), "2:{\"a\":1}"]);
        // As cheap to write as it is dear to hold.
        let many = format!("{{\"a\": [{}0]}}", "{},".repeat(MAX_OBJECT / 16));
        check(&format!("{many}\n{{\"a\": 1}}"), &[&format!("1!{why}"), "2:{\"a\":1}"]);
        let document = format!("{{\"a\": [{}0]}}", "{},".repeat(MAX_DOCUMENT / 16));
        check(&document, &["1!is one object that takes more than 134 MB"]);
    }

    #[test]
    fn objects_are_sampled_from_all_over_the_file() {
        let object = |n: usize| format!("{{\"n\": {n}}}");
        let all: Vec<String> = (0..100_000).map(object).collect();
        for text in
            [all.join("\n"), format!("[{}]", all.join(",\n")), format!("{{\"x\": [{}]}}", all.join(","))]
        {
            let sampled = Written::of(text.as_bytes()).sample();
            let sampled: Vec<u64> = sampled.iter().filter_map(|object| object.get("n")?.as_u64()).collect();
            assert!((900..1100).contains(&sampled.len()), "{}", sampled.len());
            assert_eq!(sampled.get(..3), Some(&[0, 1, 2][..]));
            assert!(sampled.last().is_some_and(|last| *last > 99_000), "{:?}", sampled.last());
        }
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
