//! One table of labelled texts, or of labelled names of files: CSV, TSV, JSON lines or a JSON document.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::asked::{Asked, position};
use super::cells::{self, Cell, VALUE_REMEDY};
use super::columns::{Choice, Columns, Holds};
use super::content::{self, Content};
use super::dialect::Expected;
use super::files::LabelledFile;
use super::head::{Head, RecordHead, Wants};
use super::jsonl::{self, Written};
use super::parts::PartWords;
use super::places::{Around, Place, Places, Standpoint};
use super::records::{Records, Row};
use super::roles::{self, Beside};
use super::sampled::Sampled;
use super::{Label, Sample, ScanError, ScanOptions, packed, parquet, spreadsheet};
use crate::control::{Control, Fact};
use crate::data::facts::extension;
use crate::data::index::{Digest, Finding, FindingKind, Part, portable};
use crate::units::grouped;

/// The most bytes of a table that are read, 2 GiB.
const MAX_BYTES: u64 = 2 << 30;

/// The most rows of next to nothing.
const MOST_CRUMBS: usize = 2_000_000;

/// Reads one table.
pub(super) struct Reader<'a> {
    full_path: PathBuf,
    /// Relative to the root, for items and findings.
    path: PathBuf,
    part: Option<Part>,
    /// What a column says of the row that is read.
    part_of_row: Option<Part>,
    part_words: PartWords,
    group_of_row: Option<String>,
    around: &'a Around<'a>,
    pub wants: Wants,
    control: &'a dyn Control,
    pub samples: Vec<Sample>,
    /// What the rows name, where they name files.
    pub files: Vec<LabelledFile>,
    pub findings: Vec<Finding>,
    /// How many of each kind there were, those that are not told one by one included.
    counts: BTreeMap<FindingKind, u64>,
}

impl<'a> Reader<'a> {
    /// For the table at `path`, relative to the root, that lies at `full_path` with other files around it.
    pub fn new(
        full_path: PathBuf,
        path: PathBuf,
        part: Option<Part>,
        around: &'a Around<'a>,
        control: &'a dyn Control,
    ) -> Reader<'a> {
        let (samples, files, findings) = (Vec::new(), Vec::new(), Vec::new());
        let wants = Wants::Samples;
        let (part_of_row, group_of_row) = (None, None);
        Reader {
            full_path,
            path,
            part,
            part_of_row,
            part_words: PartWords::Names,
            group_of_row,
            around,
            wants,
            control,
            samples,
            files,
            findings,
            counts: BTreeMap::new(),
        }
    }

    /// Reads all rows, and gives the names of the columns that were chosen and what they were taken for. Where only
    /// rows that hold something else are wanted, none are read.
    pub fn read(&mut self, choice: &Choice) -> Result<Choice, ScanError> {
        let read = self.read_rows(choice);
        for (kind, count) in std::mem::take(&mut self.counts) {
            if let Some(more) = count.checked_sub(MOST_TOLD).filter(|more| *more > 0) {
                let (file, line) = (self.path.clone(), None);
                let reason = format!("{more} more rows are like the {MOST_TOLD} that are told of");
                let remedy = "Mend what these rows have in common.".to_owned();
                self.findings.push(Finding { file, line, kind, reason, remedy });
            }
        }
        read
    }

    fn read_rows(&mut self, choice: &Choice) -> Result<Choice, ScanError> {
        let Loaded { bytes, said } = load(&self.full_path)?;
        let Content { bytes: content, passed_over, .. } =
            match content::decode(&bytes, choice.options.writing.encoding) {
                Ok(content) => content,
                Err(content::NoText(reason)) => {
                    self.find(None, FindingKind::NotUtf8, reason, "Save the table as CSV in UTF-8.");
                    return Ok(choice.clone());
                }
            };
        if content.trim_ascii().is_empty() {
            self.find(None, FindingKind::Empty, "has no rows", "Choose a table with rows.");
            return Ok(choice.clone());
        }
        for what in said {
            self.find(None, FindingKind::PassedOver, &what, "Save what is to be read as a table of its own.");
        }
        for (line, what) in passed_over {
            self.find(line, FindingKind::PassedOver, &what, "Nothing needs to be done: the row is read.");
        }
        let content = content.as_ref();
        match Expected::of_name(&packed::unpacked_name(&self.path)) {
            Some(expected) => self.read_records(content, expected, choice),
            None => self.read_json(content, choice),
        }
    }

    fn read_records(
        &mut self,
        bytes: &[u8],
        expected: Expected,
        choice: &Choice,
    ) -> Result<Choice, ScanError> {
        let Some(Head { names, rows, records, lists }) =
            Head::of_records(bytes, expected, choice, self.wants)
        else {
            self.find(None, FindingKind::BadRow, "has no row that can be read", ROW_REMEDY);
            return Ok(choice.clone());
        };
        let RecordHead { dialect, width, header, above } = records;
        for (line, what) in above {
            let (what, remedy) =
                (format!("{what} is passed over"), "Nothing needs to be done: the rows below are read.");
            self.find(Some(line), FindingKind::PassedOver, &what, remedy);
        }
        let table = Sampled { names: &names, rows: &rows, lists: &lists, reserved: &[] };
        let places = self.around.places(table)?;
        let (columns, beside) = self.choose(choice, table, places)?;
        let chosen = chosen(&names, (&columns, &beside), choice);
        if choice.wanted.is_some_and(|wanted| wanted != columns.holds) {
            return Ok(chosen);
        }

        // Rows are no more than lines, which are counted faster.
        if bytes.iter().filter(|byte| **byte == b'\n').count() > MOST_CRUMBS {
            self.are_no_crumbs(bytes.len(), Records::new(bytes, dialect, Some(width)).count())?;
        }
        let mut records = Records::new(bytes, dialect, Some(width));
        let mut number = 0;
        while let Some(row) = records.next() {
            self.go_on(number, records.position() as u64, bytes.len() as u64)?;
            number += 1;
            match row {
                Row::Record { .. } if header && number == 1 => {}
                Row::Record { line, fields } if header && number == 2 && is_rule(&fields) => {
                    let what = "a line under the header is passed over";
                    self.find(Some(line), FindingKind::PassedOver, what, "Nothing needs to be done.");
                }
                Row::Record { line, fields } => {
                    let cell = |column: Option<usize>| column.and_then(|column| fields.get(column));
                    let text = |cell: &Vec<u8>| String::from_utf8_lossy(cell).into_owned();
                    self.group_of_row = cell(beside.group).map(text).and_then(|cell| roles::group(&cell));
                    if self.is_of_a_part(line, cell(beside.parts).map(text).as_deref()) {
                        self.take_record(line, fields, (&columns, &beside, &chosen), width);
                    }
                }
                Row::Broken { line, why } => {
                    self.find(Some(line), FindingKind::BadRow, &why, ROW_REMEDY);
                }
            }
        }
        Ok(chosen)
    }

    fn take_record(
        &mut self,
        line: u64,
        fields: Vec<Vec<u8>>,
        (columns, beside, chosen): (&Columns, &Beside, &Choice),
        width: usize,
    ) {
        let text_of = |column: &usize| fields.get(*column).map(|field| std::str::from_utf8(field));
        let labels: Option<Result<Vec<Cell>, _>> =
            columns.labels.iter().map(|column| text_of(column).map(|text| text.map(Cell::written))).collect();
        let text: Option<Result<String, _>> = match beside.joined.as_slice() {
            [] => text_of(&columns.sample).map(|text| text.map(str::to_owned)),
            joined => {
                let texts: Option<Result<Vec<&str>, _>> = joined.iter().map(text_of).collect();
                texts.map(|texts| texts.map(|texts| roles::join(texts.into_iter())))
            }
        };
        match (text, labels) {
            (Some(Ok(text)), Some(Ok(labels))) => self.take(line, text, &labels, chosen),
            (Some(_), Some(_)) => self.not_utf8(line),
            (None, _) | (_, None) => {
                let why = format!("{} fields where there should be {width}", fields.len());
                self.find(Some(line), FindingKind::BadRow, &why, ROW_REMEDY);
            }
        }
    }

    fn read_json(&mut self, bytes: &[u8], choice: &Choice) -> Result<Choice, ScanError> {
        let written = Written::of(bytes);
        let Head { names, rows, lists, .. } = Head::of_objects(&written);
        if names.is_empty() {
            let what = match bytes.trim_ascii_start().first() {
                Some(b'[') => "is a JSON list that holds no object, or is broken",
                _ => "has no line that is a JSON object",
            };
            let why = written.why_none().map_or(what.to_owned(), |why| format!("{what}: the first {why}"));
            self.find(None, FindingKind::BadRow, &why, LINES_REMEDY);
            return Ok(choice.clone());
        }
        let table = Sampled { names: &names, rows: &rows, lists: &lists, reserved: &[] };
        let places = self.around.places(table)?;
        let (columns, beside) = self.choose(choice, table, places)?;
        let chosen = chosen(&names, (&columns, &beside), choice);
        if choice.wanted.is_some_and(|wanted| wanted != columns.holds) {
            return Ok(chosen);
        }
        // As this file writes them.
        let key = |column: &usize| names.get(*column).map_or("", String::as_str);
        let text_keys: Vec<&str> = match beside.joined.as_slice() {
            [] => vec![key(&columns.sample)],
            joined => joined.iter().map(key).collect(),
        };
        let label_keys: Vec<&str> = columns.labels.iter().map(key).collect();
        let (parts_key, group_key) = (beside.parts.as_ref().map(key), beside.group.as_ref().map(key));
        let total = written.count();
        self.are_no_crumbs(bytes.len(), total)?;
        for (number, line) in written.lines().enumerate() {
            self.go_on(number, number as u64, total as u64)?;
            match line {
                jsonl::Line::NotUtf8 { line } => self.not_utf8(line),
                jsonl::Line::Bad { line, why } => {
                    self.find(Some(line), FindingKind::BadRow, &why, LINES_REMEDY);
                }
                jsonl::Line::Object { line, mut object } => {
                    let cell = parts_key.map(|key| jsonl::cell(object.get(key)).text().unwrap_or_default());
                    if !self.is_of_a_part(line, cell.as_deref()) {
                        continue;
                    }
                    self.group_of_row = group_key.and_then(|key| jsonl::group(object.get(key)));
                    let labels: Vec<Cell> =
                        label_keys.iter().map(|key| jsonl::cell(object.get(*key))).collect();
                    match jsonl::text(&mut object, &text_keys) {
                        Ok(text) => self.take(line, text, &labels, &chosen),
                        Err(why) => self.find(Some(line), FindingKind::BadRow, &why, VALUE_REMEDY),
                    }
                }
            }
        }
        Ok(chosen)
    }

    fn standpoint(&self) -> Standpoint<'_> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        Standpoint { folder, part: self.part_of_row.or(self.part) }
    }

    fn choose(
        &mut self,
        choice: &Choice,
        table: Sampled,
        places: Option<&Places>,
    ) -> Result<(Columns, Beside), ScanError> {
        let asked = Asked::of(&self.full_path, table.names, &choice.options, choice.is_decided)?;
        if self.wants == Wants::Texts {
            let columns = Columns::text_alone(&self.full_path, choice, table)?;
            let Beside { joined, .. } = Beside::of(&asked, choice, table, &columns);
            return Ok((columns, Beside { joined, ..Beside::default() }));
        }
        let around = places.map(|places| (places, self.standpoint()));
        let columns = Columns::choose(&self.full_path, choice, table, around)?;
        let beside = Beside::of(&asked, choice, table, &columns);
        self.part_words =
            beside.parts.map_or(PartWords::Names, |column| PartWords::of_column(table.name(column)));
        if choice.wanted.is_none_or(|wanted| wanted == columns.holds) {
            for guess in columns.guesses(choice, table) {
                let remedy = "Choose the column if the guess is wrong.";
                self.find(None, FindingKind::GuessedColumn, &guess, remedy);
            }
            for (kind, why, remedy) in beside.said(choice, table, &columns, self.part.is_some()) {
                self.find(None, kind, &why, remedy);
            }
        }
        Ok((columns, beside))
    }

    /// Notes the part that `cell` names, and whether the row is of a part that is used.
    fn is_of_a_part(&mut self, line: u64, cell: Option<&str>) -> bool {
        self.part_of_row = cell.and_then(|cell| self.part_words.part(cell));
        if let (Some(cell), None) = (cell, self.part_of_row) {
            let why = format!("the row is of the part {}, so it is left out", cells::shown(cell));
            let remedy = "Write train, validation or test if it is to be used.";
            self.find(Some(line), FindingKind::OtherPart, &why, remedy);
            return false;
        }
        true
    }

    /// Takes a row that could be read; `cells` are those of the label columns.
    fn take(&mut self, line: u64, text: String, cells: &[Cell], chosen: &Choice) {
        if self.wants == Wants::Samples && cells::is_missing(&text) && chosen.holds() == Holds::Texts {
            let why = format!("the text is {}, which says that it is missing", cells::shown(&text));
            return self.find(Some(line), FindingKind::EmptyText, &why, "Write a text, or remove the row.");
        }
        if text.trim().is_empty() {
            let (why, remedy) = match chosen.holds() {
                Holds::Texts => ("the text is empty", "Write a text, or remove the row."),
                Holds::Files => ("the row names no file", "Name the file, or remove the row."),
            };
            return self.find(Some(line), FindingKind::EmptyText, why, remedy);
        }
        let form = chosen.form.unwrap_or_default();
        let label = match self.wants {
            Wants::Samples => cells::label(form, &chosen.options.label_columns, cells),
            Wants::Texts => Ok(Label::Class(String::new())),
        };
        let label = match label {
            Ok(label) => label,
            Err(refused) => return self.find(Some(line), refused.kind, &refused.why, refused.remedy),
        };
        if chosen.holds() == Holds::Files {
            return self.take_file(line, &text, label);
        }
        let digest = Digest::of(text.as_bytes());
        let (path, part) = (self.path.clone(), self.part.or(self.part_of_row));
        let (line, text, group) = (Some(line), Some(text), self.group_of_row.take());
        self.samples.push(Sample { path, line, text, label, digest, part, group });
    }

    /// Takes a row that names a file.
    fn take_file(&mut self, line: u64, cell: &str, label: Label) {
        let found = self.around.known().map_or(Place::Missing, |places| places.find(cell, self.standpoint()));
        match found {
            Place::Found(path) => {
                let (path, part, group) = (path.to_owned(), self.part_of_row, self.group_of_row.take());
                self.files.push(LabelledFile { path, label, part, group, kind: None });
            }
            Place::Missing => {
                let why = format!("the file {} is not there", cells::shown(cell));
                self.find(Some(line), FindingKind::MissingFile, &why, MISSING_REMEDY);
            }
            Place::Several(one, other) => {
                let (one, other) = (portable(one), portable(other));
                let why = format!("{} may be {one} or {other}", cells::shown(cell));
                self.find(Some(line), FindingKind::MissingFile, &why, "Write the folder before the name.");
            }
        }
    }

    fn not_utf8(&mut self, line: u64) {
        let remedy = "Save the table as CSV in UTF-8, or say its encoding (often windows-1252).";
        self.find(Some(line), FindingKind::NotUtf8, "the row is not UTF-8", remedy);
    }

    fn find(&mut self, line: Option<u64>, kind: FindingKind, reason: &str, remedy: &str) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count > MOST_TOLD {
            return;
        }
        let (file, reason, remedy) = (self.path.clone(), reason.to_owned(), remedy.to_owned());
        self.findings.push(Finding { file, line, kind, reason, remedy });
    }

    /// Refuses millions of rows that hold next to nothing: what is noted of each takes several times its own length.
    fn are_no_crumbs(&self, bytes: usize, rows: usize) -> Result<(), ScanError> {
        /// Bytes of a row on average, from which on any number of rows is read.
        const LEAST_BYTES: usize = 64;
        if rows <= MOST_CRUMBS || bytes / rows >= LEAST_BYTES {
            return Ok(());
        }
        let (rows, most) = (grouped(rows), grouped(MOST_CRUMBS));
        let why = format!(
            "it has {rows} rows, and at most {most} are read where a row has fewer than {LEAST_BYTES} bytes on average"
        );
        let remedy = "Give a part of the table, every tenth row for example.";
        Err(ScanError::Within { path: self.full_path.clone(), why, remedy })
    }

    /// Every so many rows: says how far the reading has come, and asks whether to go on.
    fn go_on(&self, row: usize, done: u64, total: u64) -> Result<(), ScanError> {
        if row.is_multiple_of(4096) {
            if self.control.stop_requested() {
                return Err(ScanError::Stopped { path: self.full_path.clone() });
            }
            self.control.wait_while_paused();
            self.control.report(Fact::progress("reading rows", done, total));
        }
        Ok(())
    }
}

/// Whether a row only draws a line, as databases print it below the names of columns.
fn is_rule(fields: &[Vec<u8>]) -> bool {
    let is_drawn =
        |field: &Vec<u8>| field.iter().all(|byte| matches!(byte, b'-' | b'=' | b'+' | b':' | b' '));
    fields.len() > 1 && fields.iter().all(|field| field.trim_ascii().len() > 1 && is_drawn(field))
}

/// A table as text, and what is said of what of the file that is not.
pub(super) struct Loaded {
    pub bytes: Vec<u8>,
    pub said: Vec<String>,
}

/// The text of a table, unpacked.
pub(super) fn load(path: &Path) -> Result<Loaded, ScanError> {
    let unreadable = |why: String| ScanError::Unreadable { path: path.to_owned(), why };
    let within = |remedy| move |why| ScanError::Within { path: path.to_owned(), why, remedy };
    let about = std::fs::metadata(path).map_err(|e| unreadable(e.to_string()))?;
    if !about.is_file() {
        // A pipe may never answer, a device never end.
        return Err(unreadable("it is no ordinary file".to_owned()));
    }
    let size = about.len();
    if size > MAX_BYTES {
        return Err(unreadable(format!("it has {size} bytes, and at most {MAX_BYTES} are read")));
    }
    let bytes = std::fs::read(path).map_err(|e| unreadable(e.to_string()))?;
    let bytes = packed::unpack(bytes, MAX_BYTES).map_err(within(packed::REMEDY))?;
    let (bytes, said) = match extension(&packed::unpacked_name(path)).as_str() {
        "xlsx" | "xlsm" => spreadsheet::as_csv(&bytes).map_err(within(spreadsheet::REMEDY))?,
        "parquet" => parquet::as_lines(bytes).map_err(within(parquet::REMEDY))?,
        _ => (bytes, Vec::new()),
    };
    Ok(Loaded { bytes, said })
}

/// Findings of one kind in one table that are told one by one; the rest is a number.
const MOST_TOLD: u64 = 1000;
const ROW_REMEDY: &str = "Put texts that hold quotes, commas or line breaks in double quotes, and \
                          write a quote within them twice.";
const MISSING_REMEDY: &str = "Put the file beside the table or into a folder beside it, or remove the row.";
const LINES_REMEDY: &str = "Write one JSON object on each line, with a text and a label.";

/// What was chosen, by name. A label column that was asked for, by the user or by an earlier table, keeps the spelling
/// of the question: it names the label, and tables that spell it otherwise mean the same.
fn chosen(names: &[String], (columns, beside): (&Columns, &Beside), choice: &Choice) -> Choice {
    let name = |column: &usize| names.get(*column).map(|name| name.trim().to_owned());
    let label = |column: &usize| {
        let mut asked = choice.options.label_columns.iter();
        let asked = asked.find(|asked| position(names, asked) == Some(*column));
        asked.map(|asked| asked.trim().to_owned()).or_else(|| name(column))
    };
    let sample = name(&columns.sample);
    let (text_column, file_column) = match columns.holds {
        Holds::Texts => (sample, None),
        Holds::Files => (None, sample),
    };
    let options = ScanOptions {
        layout: choice.options.layout,
        writing: choice.options.writing.clone(),
        text_column,
        file_column,
        label_columns: columns.labels.iter().filter_map(label).collect(),
        joined_columns: beside.joined.iter().filter_map(name).collect(),
        part_column: choice.options.part_column.clone(),
        group_column: choice.options.group_column.clone(),
        target: Some(columns.form.kind()),
        merge_spellings: choice.options.merge_spellings,
    };
    let (parts, group) = (beside.parts.as_ref().and_then(name), beside.group.as_ref().and_then(name));
    let (form, wanted, usual_text) = (Some(columns.form), choice.wanted, None);
    let seeks_parts = choice.seeks_parts;
    Choice { options, form, wanted, parts, group, is_decided: true, usual_text, seeks_parts }
}
