//! What a first look at a table shows: the names of its columns, and rows from all over it.

use super::cells::Cell;
use super::columns::{Choice, TEXT_NAMES, is_header, is_header_of_texts, is_label_name, unnamed};
use super::dialect::{self, Expected};
use super::forms::is_named;
use super::jsonl::{self, Written};
use super::records::Dialect;

/// The most keys that are columns.
const MOST_NAMES: usize = 1000;

/// What is read of each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    Samples,
    /// Labels need not be there.
    Texts,
}

/// What a first look shows; `R` is how records are written.
pub(super) struct Head<R> {
    pub names: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// Columns that hold JSON lists.
    pub lists: Vec<usize>,
    pub records: R,
}

/// How records are written.
pub(super) struct RecordHead {
    pub dialect: Dialect,
    pub width: usize,
    /// Whether the first row names the columns.
    pub header: bool,
    /// Lines above that, and what stands there.
    pub above: Vec<(u64, &'static str)>,
}

impl Head<RecordHead> {
    /// `None` where no row can be read.
    pub fn of_records(bytes: &[u8], expected: Expected, choice: &Choice, wants: Wants) -> Option<Self> {
        let writing = &choice.options.writing;
        let told = dialect::tell(bytes, expected, writing);
        let mut sample = dialect::sample(bytes, told.dialect);
        let (first, rest) = sample.split_first_mut()?;
        if dialect::is_short_header(first, rest) {
            first.insert(0, "row".to_owned());
        }
        let header = match (writing.header_line, wants) {
            (Some(line), _) => line != 0,
            (None, Wants::Samples) => is_header(first, rest, choice),
            (None, Wants::Texts) => is_header_of_texts(first, rest, choice),
        };
        // Texts with commas that nobody quoted make rows wider: then most of the rows decide.
        let width = if header { first.len() } else { dialect::usual_width(sample.iter().map(Vec::len)) };
        let names = if header { sample.remove(0) } else { unnamed(width) };
        let mut rows: Vec<Vec<String>> = sample.into_iter().filter(|row| row.len() == width).collect();
        let lists = unwrap_lists(&names, &mut rows);
        let records = RecordHead { dialect: told.dialect, width, header, above: told.above };
        Some(Head { names, rows, lists, records })
    }
}

/// Takes single labels out of the lists in which they are written, and gives the columns of lists of several.
fn unwrap_lists(names: &[String], rows: &mut [Vec<String>]) -> Vec<usize> {
    let mut lists = Vec::new();
    // A text may be written as the list of its words.
    for (column, name) in names.iter().enumerate().filter(|(_, name)| !is_named(name, &TEXT_NAMES)) {
        let cells: Vec<Cell> =
            rows.iter().filter_map(|row| row.get(column)).map(|cell| Cell::written(cell)).collect();
        let is_list = |cell: &&Cell| matches!(cell, Cell::List(_));
        let is_filled = |cell: &&Cell| !matches!(cell, Cell::Text(text) if text.is_empty());
        let number = cells.iter().filter(is_list).count();
        if number == 0 || number * 2 < cells.iter().filter(is_filled).count() {
            continue;
        }
        let is_several = |cell: &Cell| matches!(cell, Cell::List(parts) if parts.len() != 1);
        if !is_label_name(name) || cells.iter().any(is_several) {
            lists.push(column);
        }
        for (row, cell) in rows.iter_mut().zip(cells) {
            if let (Cell::List(parts), Some(field)) = (cell, row.get_mut(column)) {
                *field = if parts.len() == 1 { parts.concat() } else { String::new() };
            }
        }
    }
    lists
}

impl Head<()> {
    /// Of JSON objects; there are no names where there is no object.
    pub fn of_objects(written: &Written) -> Self {
        let (names, rows, lists) = sample_of_objects(written);
        Head { names, rows, lists, records: () }
    }
}

/// The keys of objects from all over the file, in the order in which they come up, their values as text, and the numbers of the
/// keys whose values are mostly lists.
fn sample_of_objects(written: &Written) -> (Vec<String>, Vec<Vec<String>>, Vec<usize>) {
    let mut names: Vec<String> = Vec::new();
    let objects = written.sample();
    for name in objects.iter().flat_map(serde_json::Map::keys) {
        if names.len() < MOST_NAMES && !names.contains(name) {
            names.push(name.clone());
        }
    }
    let text = |value: Option<&serde_json::Value>| match (value, jsonl::cell(value)) {
        (Some(serde_json::Value::String(text)), _) => text.clone(),
        (_, Cell::Text(text) | Cell::Nothing(text)) => text,
        (_, Cell::Absent | Cell::List(_) | Cell::Other(_)) => String::new(),
    };
    // Lists with one label in each are a way to write the label.
    let cell_of = |object: &serde_json::Map<String, serde_json::Value>, name: &String| {
        let value = object.get(name);
        match jsonl::cell(value) {
            Cell::List(mut one) if one.len() == 1 && is_label_name(name) => one.pop().unwrap_or_default(),
            _ => text(value),
        }
    };
    let rows =
        objects.iter().map(|object| names.iter().map(|name| cell_of(object, name)).collect()).collect();
    let has_lists = |name: &String| {
        let cells: Vec<Cell> = objects.iter().map(|object| jsonl::cell(object.get(name))).collect();
        let lists = cells.iter().filter(|cell| matches!(cell, Cell::List(_))).count();
        let is_several = |cell: &Cell| matches!(cell, Cell::List(parts) if parts.len() != 1);
        let are_labels = !is_label_name(name) || cells.iter().any(is_several);
        are_labels && lists * 2 >= cells.iter().filter(|cell| **cell != Cell::Absent).count()
    };
    let lists = (0..names.len()).filter(|column| names.get(*column).is_some_and(has_lists)).collect();
    (names, rows, lists)
}
