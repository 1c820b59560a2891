//! How a table writes its rows, told from the rows: delimiter, spelling of quotes, lines above the header.

use std::collections::BTreeMap;

use std::path::Path;

use super::columns::{TEXT_NAMES, is_label_name};
use super::forms::is_named;
use super::options::{Separator, Writing};
use super::records::{Dialect, Quoting, Records, Row};
use super::sampled::FILE_NAMES;
use crate::data::facts::extension;

/// Rows that are looked at to tell the dialect.
const PROBED_ROWS: usize = 100;
/// Rows that are longer than that together are not all looked at.
const PROBED_BYTES: usize = 8 << 20;
/// Rows at the beginning that are looked at to tell the columns, and those in each of some places further on: a table
/// may be sorted by its labels.
const FIRST_ROWS: usize = 500;
const PLACES: usize = 20;
const ROWS_OF_A_PLACE: usize = 25;

/// What was told of a table.
pub(super) struct Told {
    /// It begins at the header, or at the first row.
    pub dialect: Dialect,
    /// Lines above that, which hold no row: the line and what stands there.
    pub above: Vec<(u64, &'static str)>,
}

/// How a file writes records, as far as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Commas,
    Tabs,
    /// The text that is made of a sheet: each of its lines is a row.
    Sheet,
}

impl Expected {
    /// `None` for JSON. `path` is the name once it is unpacked.
    pub fn of_name(path: &Path) -> Option<Expected> {
        match extension(path).as_str() {
            "csv" => Some(Expected::Commas),
            "tsv" | "tab" | "txt" => Some(Expected::Tabs),
            "xlsx" | "xlsm" => Some(Expected::Sheet),
            _ => None,
        }
    }
}

/// Tells the dialect of the table `bytes`. What a line `sep=;` says is believed; else the delimiter is what parts most
/// of the first rows into the same number of fields, above one, and the header with them.
pub(super) fn tell(bytes: &[u8], expected: Expected, writing: &Writing) -> Told {
    let writing = match expected {
        // Of a sheet, only the header can be said.
        Expected::Sheet => &Writing { separator: None, ..writing.clone() },
        Expected::Commas | Expected::Tabs => writing,
    };
    match writing.is_found_out() {
        true => find_out(bytes, expected),
        false => as_said(bytes, expected, writing),
    }
}

/// What the user says, the rest found out.
fn as_said(bytes: &[u8], expected: Expected, writing: &Writing) -> Told {
    let found = find_out(bytes, expected);
    let delimiter = writing.separator.map_or(found.dialect.delimiter, Separator::byte);
    let (begin, line) = match writing.header_line {
        Some(line) if expected == Expected::Sheet => begin_of_row(bytes, line.max(1).into()),
        Some(line) => begin_of_line(bytes, line.max(1).into()),
        None => (found.dialect.begin, found.dialect.line),
    };
    let quoting = found.dialect.quoting;
    let quoting = if expected == Expected::Sheet { quoting } else { Quoting::Doubled };
    let dialect = Probe::of(bytes, Dialect { delimiter, begin, line, quoting }).dialect;
    let titles = |line: u64| (1..line).map(|above| (above, "a title above the header")).collect();
    let above = if writing.header_line.is_some() { titles(line) } else { found.above };
    Told { dialect, above }
}

/// Where the line with that number, from 1, begins, or the end, with the number of the line there.
fn begin_of_line(bytes: &[u8], line: u64) -> (usize, u64) {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let begin = std::iter::once(0).chain(ends).zip(1u64..).find(|(_, number)| *number == line);
    begin.unwrap_or((bytes.len(), line))
}

/// The same for the row of a sheet.
fn begin_of_row(bytes: &[u8], row: u64) -> (usize, u64) {
    let sheet = Dialect { quoting: Quoting::Sheet, ..Dialect::from(b',') };
    let mut records = Records::new(bytes, sheet, None);
    loop {
        let from = records.rest();
        match records.next() {
            Some(Row::Record { line, .. } | Row::Broken { line, .. }) if line < row => {}
            Some(_) | None => return (from.begin, from.line),
        }
    }
}

/// As [`tell`], where nothing is said.
fn find_out(bytes: &[u8], expected: Expected) -> Told {
    if expected == Expected::Sheet {
        let sheet = Dialect { quoting: Quoting::Sheet, ..Dialect::from(b',') };
        return Probe::of(bytes, sheet).below_titles();
    }
    if let Some((delimiter, begin)) = separator_line(bytes) {
        let said = Dialect { delimiter, quoting: Quoting::Doubled, begin, line: 2 };
        let above = vec![(1, "the line that names the separator")];
        return Told { dialect: Probe::of(bytes, said).dialect, above };
    }
    let candidates = if expected == Expected::Tabs { *b"\t,;|^~" } else { *b",;\t|^~" };
    let mut probes = candidates.into_iter().map(|delimiter| Probe::of(bytes, Dialect::from(delimiter)));
    let first = probes.next().unwrap_or_else(|| Probe::of(bytes, Dialect::from(b',')));
    // Of equals, the one that is expected.
    let best = probes.fold(first, |best, next| if next.agreement() > best.agreement() { next } else { best });
    best.below_titles()
}

/// The delimiter that the first line names, as spreadsheets write it, and where the next line begins.
fn separator_line(bytes: &[u8]) -> Option<(u8, usize)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = bytes.get(..end)?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] => Some((*delimiter, end + 1)),
        _ => None,
    }
}

/// The first rows as one dialect reads them.
struct Probe {
    dialect: Dialect,
    /// What begins with each row, its line (blank ones may stand before it) and its fields.
    rows: Vec<(Dialect, u64, Vec<String>)>,
    broken: usize,
    width: usize,
}

impl Probe {
    /// Reads with quotes that are doubled within quotes, or written `\"` where that breaks fewer rows.
    fn of(bytes: &[u8], dialect: Dialect) -> Probe {
        let doubled = Probe::read(bytes, dialect);
        if doubled.broken == 0 || dialect.quoting == Quoting::Sheet {
            return doubled;
        }
        let escaped = Probe::read(bytes, Dialect { quoting: Quoting::Backslash, ..dialect });
        if escaped.broken < doubled.broken { escaped } else { doubled }
    }

    fn read(bytes: &[u8], dialect: Dialect) -> Probe {
        let mut records = Records::new(bytes, dialect, None);
        let (mut rows, mut broken) = (Vec::new(), 0);
        let is_much = |records: &Records| records.position().saturating_sub(dialect.begin) > PROBED_BYTES;
        while rows.len() + broken < PROBED_ROWS && (rows.len() < 2 || !is_much(&records)) {
            let from = records.rest();
            match records.next() {
                Some(Row::Record { line, fields }) => rows.push((from, line, as_text(fields))),
                Some(Row::Broken { .. }) => broken += 1,
                None => break,
            }
        }
        let width = usual_width(rows.iter().map(|(_, _, fields)| fields.len()));
        // Quotes that mean nothing between tabs may be escaped ones.
        let broken = broken + records.literal_lines();
        Probe { dialect, rows, broken, width }
    }

    /// How well the rows agree: whether the header does with most of them, how many of a hundred they are, and how many:
    /// what cuts texts at their line breaks makes more rows.
    fn agreement(&self) -> (bool, usize, usize) {
        if self.width < 2 {
            return (false, 0, 0);
        }
        let agreeing = self.rows.iter().filter(|(_, _, fields)| fields.len() == self.width).count();
        let titles = self.titles();
        let header = self.rows.get(titles).is_some_and(|(_, _, fields)| {
            // R writes no name above the names of the rows.
            fields.len() == self.width || (self.width > 2 && fields.len() + 1 == self.width)
        });
        let in_hundred = agreeing * 100 / self.rows.len().max(1);
        (header && agreeing * 2 >= self.rows.len(), in_hundred, agreeing)
    }

    /// How many rows stand above the header: those with one filled field or a mark of a comment above the first full row,
    /// or else what is above the first row that names columns as texts and labels are usually called.
    fn titles(&self) -> usize {
        /// What stands above a header is short.
        const MOST: usize = 20;
        let filled = |fields: &[String]| fields.iter().filter(|field| !field.trim().is_empty()).count();
        let is_full = |fields: &[String]| fields.len() == self.width && filled(fields) == self.width;
        let is_comment = |fields: &[String]| {
            let first = fields.first().map_or("", |first| first.trim_start());
            first.starts_with('#') && first.len() > 1
        };
        let is_title = |fields: &[String]| {
            fields.len() == 1
                || is_comment(fields)
                || (self.width > 2 && fields.len() == self.width && filled(fields) <= 1)
        };
        let fields = || self.rows.iter().map(|(_, _, fields)| fields.as_slice());
        let below_titles = fields()
            .position(is_full)
            .filter(|first| self.width > 1 && *first <= MOST && fields().take(*first).all(is_title));
        let first = below_titles.unwrap_or(0);
        // A remark may have as many commas as there are columns.
        let remarks = fields().skip(first).take(MOST).take_while(|fields| is_remark(fields)).count();
        let named =
            fields().take(MOST).position(|fields| fields.len() == self.width && names_columns(fields));
        // Without a header, texts may begin so.
        let header_follows = fields().nth(first + remarks).is_some_and(names_columns);
        named.unwrap_or(if header_follows { first + remarks } else { first })
    }

    fn below_titles(self) -> Told {
        let titles = self.titles();
        let above = self.rows.iter().take(titles).map(|(_, line, _)| (*line, "a title above the header"));
        let above = above.collect();
        let dialect = self.rows.get(titles).filter(|_| titles > 0).map_or(self.dialect, |(from, _, _)| *from);
        Told { dialect, above }
    }
}

/// Whether a full row is a remark above the header: a header with a mark before its first name goes on in one word.
fn is_remark(fields: &[String]) -> bool {
    let first = fields.first().map_or("", |first| first.trim());
    first.strip_prefix('#').is_some_and(|rest| rest.trim().contains(' ')) && !names_columns(fields)
}

/// Whether a row holds a name that columns of texts have and one of labels, or of files.
fn names_columns(fields: &[String]) -> bool {
    let any = |is: &dyn Fn(&str) -> bool| fields.iter().any(|field| is(field.trim()));
    let sample = any(&|field| is_named(field, &TEXT_NAMES) || is_named(field, &FILE_NAMES));
    sample && any(&is_label_name)
}

/// Rows as text from the beginning and from places all over the table, broken ones left out.
pub(super) fn sample(bytes: &[u8], dialect: Dialect) -> Vec<Vec<String>> {
    let mut records = Records::new(bytes, dialect, None);
    let mut rows = Vec::new();
    for _ in 0..FIRST_ROWS {
        let is_much = records.position().saturating_sub(dialect.begin) > PROBED_BYTES;
        match records.next().filter(|_| rows.len() < 2 || !is_much) {
            Some(row) => rows.extend(as_record(row)),
            None => break,
        }
    }
    let read = records.position();
    let width = usual_width(rows.iter().map(Vec::len));
    let mut outside = Outside { bytes, quoting: dialect.quoting, at: dialect.begin, quoted: false };
    for place in 1..=PLACES {
        let at = dialect.begin + bytes.len().saturating_sub(dialect.begin) / (PLACES + 1) * place;
        if at < read {
            continue;
        }
        let Some(begin) = outside.next_row(at) else {
            break;
        };
        let further = Records::new(bytes, Dialect { begin, ..dialect }, None).take(ROWS_OF_A_PLACE);
        rows.extend(further.filter_map(as_record).filter(|row| row.len() == width));
    }
    rows
}

/// Finds beginnings of rows by counting quotes: within a quoted field an odd number stands before.
struct Outside<'a> {
    bytes: &'a [u8],
    quoting: Quoting,
    at: usize,
    quoted: bool,
}

impl Outside<'_> {
    /// The first beginning of a row behind `wanted`.
    fn next_row(&mut self, wanted: usize) -> Option<usize> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            match (byte, self.quoting) {
                (b'"', _) => self.quoted = !self.quoted,
                (b'\\', Quoting::Backslash) => self.at += 1,
                (b'\n', _) if !self.quoted && self.at > wanted => return Some(self.at),
                _ => {}
            }
        }
    }
}

fn as_record(row: Row) -> Option<Vec<String>> {
    match row {
        Row::Record { fields, .. } => Some(as_text(fields)),
        Row::Broken { .. } => None,
    }
}

fn as_text(fields: Vec<Vec<u8>>) -> Vec<String> {
    fields.into_iter().map(|field| String::from_utf8_lossy(&field).into_owned()).collect()
}

/// The most frequent number of fields; the larger of equally frequent ones.
pub(super) fn usual_width(widths: impl Iterator<Item = usize>) -> usize {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for width in widths {
        *counts.entry(width).or_default() += 1;
    }
    counts.into_iter().max_by_key(|&(width, rows)| (rows, width)).map_or(1, |(width, _)| width)
}

/// Whether `first` is a header as R writes it: one name fewer than the `rows` have fields, since their names, each
/// another and without spaces, have none.
pub(super) fn is_short_header(first: &[String], rows: &[Vec<String>]) -> bool {
    let width = first.len() + 1;
    let wide: Vec<&Vec<String>> = rows.iter().filter(|row| row.len() == width).collect();
    let cells = |column: usize| wide.iter().filter_map(move |row| row.get(column)).map(|cell| cell.trim());
    let names: std::collections::BTreeSet<&str> = cells(0).collect();
    first.len() > 1
        && wide.len() > 1
        && wide.len() * 5 >= rows.len() * 4
        && names.len() == wide.len()
        && names.iter().all(|name| !name.is_empty() && !name.contains(char::is_whitespace))
        && cells(width - 1).any(|cell| !cell.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> (char, Quoting, u64, usize) {
        let told = tell(text.as_bytes(), Expected::Commas, &Writing::default());
        let Dialect { delimiter, quoting, line, .. } = told.dialect;
        (char::from(delimiter), quoting, line, told.above.len())
    }

    #[test]
    fn delimiters_are_told() {
        let check = |text: &str, delimiter: char| assert_eq!(told(text).0, delimiter, "{text}");
        check("text,label\na,b\nc,d\n", ',');
        check("text;label\na, b, c;b\nc;d\n", ';');
        check("text|label\nwell, yes|pos\nno, never|neg\nso, so, so|pos\n", '|');
        check("text\tlabel\na|b\tx\nc|d\ty\n", '\t');
        check("text^label\nwell, yes^pos\nno, never^neg\nso, so, so^pos\n", '^');
        // A delimiter that cuts quoted texts at their line breaks makes more rows.
        check("number\ttext\tlabel\n0\t\"a ; b\n ; c\"\tx\n1\t\"d ; e\n ; f\"\ty\n2\tg ; h\tx\n", '\t');
        // Lists of labels are no columns.
        check("text,tags\ngood,a|b\nbad,c|d\n", ',');
        check("only\nwords\nhere\n", ',');
    }

    #[test]
    fn a_separator_line_is_believed() {
        assert_eq!(told("sep=;\r\ntext;label\r\na,b;c\r\n"), (';', Quoting::Doubled, 2, 1));
        assert_eq!(told("\"sep=|\"\ntext|label\n"), ('|', Quoting::Doubled, 2, 1));
        assert_eq!(told("separator,label\na,b\n"), (',', Quoting::Doubled, 1, 0));
    }

    #[test]
    fn quotes_with_backslashes_are_told_from_doubled_ones() {
        let escaped = "text,label\n\"he said \\\"no\\\" again\",a\n\"fine\",b\n";
        assert_eq!(told(escaped).1, Quoting::Backslash);
        assert_eq!(told("text,label\n\"C:\\\",a\n\"he said \"\"no\"\"\",b\n").1, Quoting::Doubled);
    }

    #[test]
    fn titles_above_the_header_are_passed_over() {
        assert_eq!(told("Survey of 2021\n\ntext,label,date\na,b,c\nd,e,f\n"), (',', Quoting::Doubled, 2, 1));
        assert_eq!(told("Report, 2020\nid,text,label\n1,b,c\n2,e,f\n"), (',', Quoting::Doubled, 2, 1));
        assert_eq!(
            told("Survey,of,2020\nall,new,ones\nid,text,label\n1,b,c\n"),
            (',', Quoting::Doubled, 3, 2)
        );
        let commented = "# made by us, in May\n# all of it\nid,text,label\n1,b,c\n2,e,f\n";
        assert_eq!(told(commented), (',', Quoting::Doubled, 3, 2));
        assert_eq!(told("#id,text,label\n1,b,c\n2,e,f\n"), (',', Quoting::Doubled, 1, 0));
        assert_eq!(told("Survey,,\ntext,label,date\na,b,c\nd,,f\n"), (',', Quoting::Doubled, 2, 1));
        // A row without a label is no title.
        assert_eq!(told("a,\nb,x\nc,y\n"), (',', Quoting::Doubled, 1, 0));
    }

    #[test]
    fn rows_are_sampled_all_over_the_table() {
        let row = |number: usize| {
            let label = if number < 2900 { "early" } else { "late" };
            format!("\"words\nof, number {number}\",{label}\n")
        };
        let text: String = (0..3000).map(row).collect();
        let rows = sample(text.as_bytes(), Dialect::from(b','));
        assert!(rows.iter().all(|row| row.len() == 2 && row[0].starts_with("words\nof")), "in quotes");
        assert_eq!(rows.iter().filter(|row| row[1] == "late").count(), 0, "the last place is before them");
        let text: String = (0..3000).map(|number| row(number + 400)).collect();
        let rows = sample(text.as_bytes(), Dialect::from(b','));
        assert!(rows.iter().any(|row| row[1] == "late"));
    }
}
