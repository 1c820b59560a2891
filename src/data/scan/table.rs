//! Tables of texts and labels: CSV, TSV and JSON lines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::columns::{Columns, is_header, unnamed};
use super::records::{Records, Row};
use super::walk::Tree;
use super::{Found, Sample, ScanError, ScanOptions, jsonl};
use crate::control::{Control, Fact};
use crate::data::image::extension;
use crate::data::index::{Digest, Finding, FindingKind, Layout, Modality, Part};

/// The most bytes of a table that are read, 2 GiB.
const MAX_BYTES: u64 = 2 << 30;

/// Rows that are looked at to tell delimiter, header and columns.
const SAMPLED_ROWS: usize = 1000;

/// Whether a file name says that it is a table.
pub(super) fn named_like_a_table(path: &Path) -> bool {
    matches!(extension(path).as_str(), "csv" | "tsv" | "tab" | "jsonl" | "ndjson" | "json")
}

/// Reads the one table at `root`.
pub(super) fn scan_file(
    root: &Path,
    options: &ScanOptions,
    control: &dyn Control,
) -> Result<Found, ScanError> {
    let name = PathBuf::from(root.file_name().unwrap_or_default());
    let mut reader = Reader::new(root.to_owned(), name.clone(), None, control);
    let chosen = reader.read(options)?;
    Ok(reader.found(vec![name], chosen, Vec::new(), true))
}

/// Reads the tables right below `root`: those named after parts, or else all of them.
pub(super) fn scan_folder(
    root: &Path,
    tree: Tree,
    options: &ScanOptions,
    control: &dyn Control,
) -> Result<Found, ScanError> {
    let tables = tree.files.into_iter().filter(|path| path.components().count() == 1);
    let tables = tables.filter(|path| named_like_a_table(path));
    let mut tables: Vec<(Option<Part>, PathBuf)> = tables.map(|path| (part_of(&path), path)).collect();
    // The training table decides the columns, so it comes first; tables of no part come last.
    tables.sort_by_key(|(part, path)| (part.is_none(), *part, path.clone()));
    let parted = tables.iter().any(|(part, _)| part.is_some());

    let mut whole = Reader::new(root.to_owned(), PathBuf::new(), None, control);
    whole.findings = tree.findings;
    let (mut files, mut parts, mut chosen) = (Vec::new(), Vec::new(), None);
    for (part, path) in tables {
        if parted && part.is_none() {
            whole.findings.push(beside_parts(path));
            continue;
        }
        let mut reader = Reader::new(root.join(&path), path.clone(), part, control);
        match reader.read(chosen.as_ref().unwrap_or(options)) {
            Ok(columns) => {
                chosen.get_or_insert(columns);
                parts.extend(part);
                files.push(path);
            }
            // The first must do; what is wrong with another is its own finding.
            Err(error) if chosen.is_none() || matches!(error, ScanError::Stopped { .. }) => {
                return Err(error);
            }
            Err(error) => reader.findings.push(unusable(path, &error)),
        }
        whole.samples.append(&mut reader.samples);
        whole.findings.append(&mut reader.findings);
    }
    parts.dedup();
    Ok(whole.found(files, chosen.unwrap_or_default(), parts, false))
}

/// Reads one table.
struct Reader<'a> {
    full_path: PathBuf,
    /// Relative to the root, for items and findings.
    path: PathBuf,
    part: Option<Part>,
    control: &'a dyn Control,
    samples: Vec<Sample>,
    findings: Vec<Finding>,
}

impl<'a> Reader<'a> {
    fn new(full_path: PathBuf, path: PathBuf, part: Option<Part>, control: &'a dyn Control) -> Reader<'a> {
        let (samples, findings) = (Vec::new(), Vec::new());
        Reader { full_path, path, part, control, samples, findings }
    }

    /// Reads all rows, and gives the names of the columns that were chosen.
    fn read(&mut self, options: &ScanOptions) -> Result<ScanOptions, ScanError> {
        let unreadable = |why: String| ScanError::Unreadable { path: self.full_path.clone(), why };
        let size = std::fs::metadata(&self.full_path).map_err(|e| unreadable(e.to_string()))?.len();
        if size > MAX_BYTES {
            return Err(unreadable(format!("it has {size} bytes, and at most {MAX_BYTES} are read")));
        }
        let bytes = std::fs::read(&self.full_path).map_err(|e| unreadable(e.to_string()))?;
        let content = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        if content.trim_ascii().is_empty() {
            self.find(None, FindingKind::Empty, "has no rows", "Choose a table with rows.");
            return Ok(options.clone());
        }
        // Wide characters of UTF-16 have a zero in every other byte; so have many other formats.
        let start = &content[..content.len().min(4096)];
        if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") || start.contains(&0) {
            let reason = "is not UTF-8 but UTF-16 or no text at all";
            self.find(None, FindingKind::NotUtf8, reason, "Save the table as CSV in UTF-8.");
            return Ok(options.clone());
        }
        match extension(&self.path).as_str() {
            "csv" | "tsv" | "tab" => self.read_records(content, options),
            _ => self.read_json(content, options),
        }
    }

    fn read_records(&mut self, bytes: &[u8], options: &ScanOptions) -> Result<ScanOptions, ScanError> {
        let delimiter = delimiter(bytes, extension(&self.path) != "csv");
        let sample = sample(bytes, delimiter, SAMPLED_ROWS);
        let Some((first, rest)) = sample.split_first() else {
            self.find(None, FindingKind::BadRow, "has no row that can be read", ROW_REMEDY);
            return Ok(options.clone());
        };
        let header = is_header(first, rest, options);
        // Texts with commas that nobody quoted make rows wider: then most of the rows decide.
        let width = if header { first.len() } else { usual_width(&sample) };
        let names = if header { first.clone() } else { unnamed(width) };
        let rows: Vec<Vec<String>> = if header { rest } else { &sample[..] }
            .iter()
            .filter(|row| row.len() == width)
            .cloned()
            .collect();
        let columns = Columns::choose(&self.full_path, options, &names, &rows)?;

        let mut records = Records::new(bytes, delimiter, Some(width));
        let mut number = 0;
        while let Some(row) = records.next() {
            self.go_on(number, records.position() as u64, bytes.len() as u64)?;
            number += 1;
            match row {
                Row::Record { .. } if header && number == 1 => {}
                Row::Record { line, fields } => self.take_record(line, fields, columns, width),
                Row::Broken { line, why } => {
                    self.find(Some(line), FindingKind::BadRow, &why, ROW_REMEDY);
                }
            }
        }
        Ok(chosen(&names, columns))
    }

    fn take_record(&mut self, line: u64, fields: Vec<Vec<u8>>, columns: Columns, width: usize) {
        let found = fields.len();
        let mut fields: BTreeMap<usize, Vec<u8>> = fields.into_iter().enumerate().collect();
        let (Some(text), Some(label)) = (fields.remove(&columns.text), fields.remove(&columns.label)) else {
            let why = format!("{found} fields where there should be {width}");
            return self.find(Some(line), FindingKind::BadRow, &why, ROW_REMEDY);
        };
        match (String::from_utf8(text), String::from_utf8(label)) {
            (Ok(text), Ok(label)) => {
                self.take(line, text, Some(label.trim().to_owned()).filter(|l| !l.is_empty()));
            }
            _ => self.not_utf8(line),
        }
    }

    fn read_json(&mut self, bytes: &[u8], options: &ScanOptions) -> Result<ScanOptions, ScanError> {
        let (names, rows) = json_sample(bytes);
        if names.is_empty() {
            let why = match bytes.trim_ascii_start().first() {
                Some(b'[') => "is one JSON list, not an object on each line",
                _ => "has no line that is a JSON object",
            };
            self.find(None, FindingKind::BadRow, why, LINES_REMEDY);
            return Ok(options.clone());
        }
        let columns = Columns::choose(&self.full_path, options, &names, &rows)?;
        let chosen = chosen(&names, columns);
        let key = |column: &Option<String>| column.clone().unwrap_or_default();
        let (text_key, label_key) = (key(&chosen.text_column), key(&chosen.label_column));
        let total = bytes.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        for (number, line) in jsonl::lines(bytes).enumerate() {
            self.go_on(number, number as u64, total)?;
            match line {
                jsonl::Line::NotUtf8 { line } => self.not_utf8(line),
                jsonl::Line::Bad { line, why } => {
                    self.find(Some(line), FindingKind::BadRow, &why, LINES_REMEDY);
                }
                jsonl::Line::Object { line, mut object } => {
                    let label = jsonl::label(object.get(&label_key));
                    match (object.remove(&text_key), label) {
                        (Some(serde_json::Value::String(text)), Ok(label)) => {
                            self.take(line, text, label);
                        }
                        (Some(serde_json::Value::String(_)), Err(kind)) => {
                            let why = format!("“{label_key}” is {kind} where a label should be");
                            self.find(Some(line), FindingKind::BadRow, &why, VALUE_REMEDY);
                        }
                        (Some(other), _) => {
                            let kind = jsonl::kind(&other);
                            let why = format!("“{text_key}” is {kind} where a string should be");
                            self.find(Some(line), FindingKind::BadRow, &why, VALUE_REMEDY);
                        }
                        (None, _) => {
                            let why = format!("there is no “{text_key}”");
                            self.find(Some(line), FindingKind::BadRow, &why, VALUE_REMEDY);
                        }
                    }
                }
            }
        }
        Ok(chosen)
    }

    /// Takes a row that could be read.
    fn take(&mut self, line: u64, text: String, label: Option<String>) {
        if text.trim().is_empty() {
            let why = "the text is empty";
            return self.find(Some(line), FindingKind::EmptyText, why, "Write a text, or remove the row.");
        }
        let Some(label) = label else {
            let why = "the label is missing";
            return self.find(Some(line), FindingKind::MissingLabel, why, "Label the row, or remove it.");
        };
        let digest = Digest::of(text.as_bytes());
        let (path, part) = (self.path.clone(), self.part);
        self.samples.push(Sample { path, line: Some(line), text: Some(text), label, digest, part });
    }

    fn not_utf8(&mut self, line: u64) {
        let remedy = "Save the table as CSV in UTF-8.";
        self.find(Some(line), FindingKind::NotUtf8, "the row is not UTF-8", remedy);
    }

    fn find(&mut self, line: Option<u64>, kind: FindingKind, reason: &str, remedy: &str) {
        let (file, reason, remedy) = (self.path.clone(), reason.to_owned(), remedy.to_owned());
        self.findings.push(Finding { file, line, kind, reason, remedy });
    }

    /// Every so many rows: says how far the reading has come, and asks whether to go on.
    fn go_on(&self, row: usize, done: u64, total: u64) -> Result<(), ScanError> {
        if row.is_multiple_of(4096) {
            if self.control.stop_requested() {
                return Err(ScanError::Stopped { path: self.full_path.clone() });
            }
            self.control.wait_while_paused();
            self.control.report(Fact::Progress { what: "reading rows", done, total });
        }
        Ok(())
    }

    fn found(self, files: Vec<PathBuf>, chosen: ScanOptions, parts: Vec<Part>, is_root: bool) -> Found {
        let layout = Layout::Table {
            files,
            rows: 0,
            text_column: chosen.text_column.unwrap_or_default(),
            label_column: chosen.label_column.unwrap_or_default(),
            parts,
            is_root,
        };
        Found { modality: Modality::Text, samples: self.samples, findings: self.findings, layout }
    }
}

const ROW_REMEDY: &str = "Put texts that hold quotes, commas or line breaks in double quotes, and \
                          write a quote within them twice.";
const LINES_REMEDY: &str = "Write one JSON object on each line, with a text and a label.";
const VALUE_REMEDY: &str = "Give the text as a string and the label as a string or a number.";

fn chosen(names: &[String], columns: Columns) -> ScanOptions {
    let name = |column: usize| names.get(column).cloned();
    ScanOptions { text_column: name(columns.text), label_column: name(columns.label) }
}

/// The first rows as text, broken ones left out.
fn sample(bytes: &[u8], delimiter: u8, rows: usize) -> Vec<Vec<String>> {
    let fields = Records::new(bytes, delimiter, None).take(rows).filter_map(|row| match row {
        Row::Record { fields, .. } => Some(fields),
        Row::Broken { .. } => None,
    });
    let text = |field: Vec<u8>| String::from_utf8_lossy(&field).into_owned();
    fields.map(|fields| fields.into_iter().map(text).collect()).collect()
}

/// The byte that parts the fields of most of the first rows into the same number, above one.
fn delimiter(bytes: &[u8], tabs_expected: bool) -> u8 {
    let candidates = if tabs_expected { *b"\t,;" } else { *b",;\t" };
    let agreement = |delimiter: u8| {
        let rows = sample(bytes, delimiter, 100);
        let width = usual_width(&rows);
        if width < 2 { 0 } else { rows.iter().filter(|row| row.len() == width).count() }
    };
    let mut best = (candidates[0], agreement(candidates[0]));
    for &candidate in &candidates[1..] {
        let rows = agreement(candidate);
        if rows > best.1 {
            best = (candidate, rows);
        }
    }
    best.0
}

/// The most frequent number of fields; the larger of equally frequent ones.
fn usual_width(rows: &[Vec<String>]) -> usize {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(row.len()).or_default() += 1;
    }
    counts.into_iter().max_by_key(|&(width, rows)| (rows, width)).map_or(1, |(width, _)| width)
}

/// The keys of the first objects, in the order in which they come up, and their values as text.
fn json_sample(bytes: &[u8]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut names: Vec<String> = Vec::new();
    let mut objects = Vec::new();
    for line in jsonl::lines(bytes).take(SAMPLED_ROWS) {
        if let jsonl::Line::Object { object, .. } = line {
            for name in object.keys() {
                if !names.contains(name) && names.len() < 1000 {
                    names.push(name.clone());
                }
            }
            objects.push(object);
        }
    }
    let text = |value: Option<&serde_json::Value>| match value {
        Some(serde_json::Value::String(text)) => text.clone(),
        value => jsonl::label(value).ok().flatten().unwrap_or_default(),
    };
    let rows =
        objects.iter().map(|object| names.iter().map(|name| text(object.get(name))).collect()).collect();
    (names, rows)
}

/// The part that a table is named after: `train.csv`, `reviews_test.tsv`, `dev-0001.jsonl`.
fn part_of(path: &Path) -> Option<Part> {
    let stem = path.file_stem()?.to_string_lossy().into_owned();
    let words: Vec<&str> = stem.split(['-', '_', '.', ' ']).collect();
    Part::from_name(words.first()?).or_else(|| Part::from_name(words.last()?))
}

fn beside_parts(file: PathBuf) -> Finding {
    Finding {
        file,
        line: None,
        kind: FindingKind::NotData,
        reason: "it lies beside tables named train, validation or test, so it is left out".to_owned(),
        remedy: "Give its own path to read it alone.".to_owned(),
    }
}

fn unusable(file: PathBuf, error: &ScanError) -> Finding {
    let kind = match error {
        ScanError::Unreadable { .. } => FindingKind::Unreadable,
        _ => FindingKind::MissingLabel,
    };
    Finding { file, line: None, kind, reason: error.to_string(), remedy: error.remedy() }
}
