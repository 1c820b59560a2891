//! Records of a CSV or TSV file, with line numbers, going on after a broken quote.
//!
//! RFC 4180, read generously: quoted fields may hold delimiters, line breaks and doubled quotes,
//! and may have spaces around them. A quote that is never closed, or is closed in the middle of a
//! field, costs its own line only: reading goes on at the line below. Otherwise one stray quote
//! would swallow all records up to the next one. A quoted field that swallows a line also shows in
//! the number of fields.

/// How the rows of a table are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub delimiter: u8,
    pub quoting: Quoting,
    /// Where the first record begins, and its line, from 1.
    pub begin: usize,
    pub line: u64,
}

/// How a quote is written within quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    /// Twice, as RFC 4180 says.
    Doubled,
    /// `\"`, and a backslash as `\\`; doubled quotes are read as well.
    Backslash,
    /// Twice, in the text that is made of a sheet: there, line breaks within quotes are of no line.
    Sheet,
}

impl From<u8> for Dialect {
    fn from(delimiter: u8) -> Dialect {
        Dialect { delimiter, quoting: Quoting::Doubled, begin: 0, line: 1 }
    }
}

/// The records of one table, in order.
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    delimiter: u8,
    quoting: Quoting,
    /// Fields in a sound record; nothing is checked where this is `None`.
    width: Option<usize>,
    at: usize,
    /// The line that `at` is on, from 1.
    line: u64,
    /// Lines whose quotes were taken for letters.
    literal: usize,
}

/// A record, or what is wrong on a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Row {
    Record { line: u64, fields: Vec<Vec<u8>> },
    Broken { line: u64, why: String },
}

impl<'a> Records<'a> {
    /// Stands before the first record; `width` is the number of fields in a sound record, unchecked without.
    pub fn new(bytes: &'a [u8], dialect: impl Into<Dialect>, width: Option<usize>) -> Records<'a> {
        let Dialect { delimiter, quoting, begin, line } = dialect.into();
        Records { bytes, delimiter, quoting, width, at: begin, line, literal: 0 }
    }

    /// How far the reading has come, in bytes.
    pub fn position(&self) -> usize {
        self.at
    }

    /// How many lines had quotes that were taken for letters.
    pub fn literal_lines(&self) -> usize {
        self.literal
    }

    /// The dialect of what follows.
    pub fn rest(&self) -> Dialect {
        Dialect { delimiter: self.delimiter, quoting: self.quoting, begin: self.at, line: self.line }
    }

    /// Takes the line at the position as it is, without a meaning of quotes.
    fn literal(&mut self) -> Row {
        let end = self.line_end(self.at);
        let line = self.bytes.get(self.at..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut fields = Fields::default();
        line.split(|byte| *byte == self.delimiter).for_each(|field| fields.take(field));
        let number = self.line;
        self.at = end + 1;
        self.line += 1;
        self.literal += 1;
        match fields.excess {
            Some(why) => Row::Broken { line: number, why },
            None => Row::Record { line: number, fields: fields.kept },
        }
    }

    /// The position of the line break that ends the line of `at`, or of the end of the file.
    fn line_end(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
    }

    /// Goes to the line below the one that holds position `at`, which is on line `line`.
    fn resume_below(&mut self, at: usize, line: u64) {
        self.at = self.line_end(at) + 1;
        self.line = line + 1;
    }

    /// Checks the number of fields of a record that began at the position.
    fn checked(&mut self, mut record: Parsed) -> Row {
        let line = self.line;
        let Some(width) = self.width else {
            return self.accept(record);
        };
        let kept = &mut record.fields.kept;
        while kept.len() > width && kept.last().is_some_and(|f| blank(f)) {
            kept.pop();
        }
        let found = kept.len();
        if let Some(quote) = record.quote.filter(|_| record.breaks > 0 && found != width) {
            if self.delimiter == b'\t' {
                return self.literal();
            }
            let why = format!(
                "the quote opened on line {} runs over {} lines and leaves {found} fields where \
                 there should be {width}",
                quote.line,
                record.breaks + 1
            );
            self.resume_below(quote.at, quote.line);
            return Row::Broken { line: quote.line, why };
        }
        if found > width && record.fields.excess.is_none() {
            let why = format!("{found} fields where there should be {width}");
            self.at = record.end;
            self.line += record.breaks + 1;
            return Row::Broken { line, why };
        }
        self.accept(record)
    }

    fn accept(&mut self, record: Parsed) -> Row {
        let line = self.line;
        self.at = record.end;
        self.line += record.breaks + 1;
        match record.fields.excess {
            Some(why) => Row::Broken { line, why },
            None => Row::Record { line, fields: record.fields.kept },
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        // Blank lines between records mean nothing.
        loop {
            if self.at >= self.bytes.len() {
                return None;
            }
            let end = self.line_end(self.at);
            let line = self.bytes.get(self.at..end).unwrap_or_default();
            if !line.iter().all(|byte| matches!(byte, b' ' | b'\r')) {
                break;
            }
            self.at = end + 1;
            self.line += 1;
        }
        let line = self.line;
        match parse(self.bytes, self.at, line, (self.delimiter, self.quoting)) {
            Ok(record) => Some(self.checked(record)),
            // Tab-separated files are often written without quoting at all.
            Err(_) if self.delimiter == b'\t' => Some(self.literal()),
            Err((quote, why)) => {
                self.resume_below(quote.at, quote.line);
                let why = format!("the quote opened on line {} {why}", quote.line);
                Some(Row::Broken { line: quote.line, why })
            }
        }
    }
}

/// A record as it was read, before its fields are counted.
struct Parsed {
    fields: Fields,
    /// Where the next record begins.
    end: usize,
    /// Line breaks within quotes.
    breaks: u64,
    /// The last quote that was opened and spans lines.
    quote: Option<Quote>,
}

/// The fields of a record as far as they are kept, and what is too much to be.
#[derive(Default)]
struct Fields {
    kept: Vec<Vec<u8>>,
    bytes: usize,
    excess: Option<String>,
}

impl Fields {
    /// Takes a field of `length` bytes, of which at least [`MAX_FIELD`] are in `field` where it has so many.
    fn push(&mut self, field: Vec<u8>, length: usize) {
        if self.excess.is_some() {
            // Its place counts, so that the row is told from one that a stray quote swallowed.
            if self.kept.len() < MAX_FIELDS {
                self.kept.push(Vec::new());
            }
            return;
        }
        self.bytes = self.bytes.saturating_add(length);
        let excess = if length > MAX_FIELD {
            // Its place counts.
            self.kept.push(Vec::new());
            format!("a field has {length} bytes, and at most {MAX_FIELD} are read")
        } else if self.bytes > MAX_ROW {
            self.kept.push(Vec::new());
            format!("the row has more than {MAX_ROW} bytes, and no more are read")
        } else if self.kept.len() >= MAX_FIELDS {
            format!("the row has more than {MAX_FIELDS} fields, and no more are read")
        } else {
            return self.kept.push(field);
        };
        self.excess = Some(excess);
    }

    /// Takes a field as it stands there; what is too much is not copied.
    fn take(&mut self, field: &[u8]) {
        let kept = if field.len() > MAX_FIELD || self.excess.is_some() { &[] } else { field };
        self.push(kept.to_vec(), field.len());
    }
}

/// Where a quote was opened.
#[derive(Clone, Copy)]
struct Quote {
    at: usize,
    line: u64,
}

/// Reads the record at `start`, which is on line `first_line`.
fn parse(
    bytes: &[u8],
    start: usize,
    first_line: u64,
    (delimiter, quoting): (u8, Quoting),
) -> Result<Parsed, (Quote, &'static str)> {
    let byte = |at: usize| bytes.get(at).copied();
    let mut record = Parsed { fields: Fields::default(), end: start, breaks: 0, quote: None };
    let mut at = start;
    loop {
        let begin = past_spaces(bytes, at);
        let field_end = if byte(begin) == Some(b'"') {
            let quote = Quote { at: begin, line: first_line + record.breaks };
            let (field, close) = quoted(bytes, begin + 1, quoting).ok_or((quote, "is never closed"))?;
            let within = bytes.get(begin..close).unwrap_or_default();
            let breaks = match quoting {
                Quoting::Doubled | Quoting::Backslash => within.iter().filter(|byte| **byte == b'\n').count(),
                Quoting::Sheet => 0,
            } as u64;
            if breaks > 0 {
                record.quote = Some(quote);
            }
            record.breaks += breaks;
            record.fields.push(field, within.len());
            let after = past_spaces(bytes, close);
            let ends = match byte(after) {
                None | Some(b'\n') => true,
                Some(b'\r') => matches!(byte(after + 1), None | Some(b'\n')),
                Some(other) => other == delimiter,
            };
            if !ends {
                return Err((quote, "is closed in the middle of a field"));
            }
            after + usize::from(byte(after) == Some(b'\r'))
        } else {
            let rest = bytes.get(at..).unwrap_or_default();
            let length = rest.iter().position(|b| *b == b'\n' || *b == delimiter);
            let end = at + length.unwrap_or(rest.len());
            let field = bytes.get(at..end).unwrap_or_default();
            let last = byte(end) != Some(delimiter);
            let field = if last { field.strip_suffix(b"\r").unwrap_or(field) } else { field };
            match quoting {
                Quoting::Doubled | Quoting::Sheet => record.fields.take(field),
                Quoting::Backslash => record.fields.take(&unescaped(field)),
            }
            end
        };
        record.end = field_end + 1;
        if byte(field_end) != Some(delimiter) {
            return Ok(record);
        }
        at = field_end + 1;
    }
}

/// The most bytes of a field in quotes, those of a text in a file of its own.
const MAX_FIELD: usize = 16 << 20;
/// The most bytes of a row.
const MAX_ROW: usize = 64 << 20;
/// The most fields of a row.
const MAX_FIELDS: usize = 1 << 16;

/// The content of the quoted field at `at`, as much of it as is read, and the position after its closing quote.
fn quoted(bytes: &[u8], mut at: usize, quoting: Quoting) -> Option<(Vec<u8>, usize)> {
    let mut field = Vec::new();
    let mut take = |some: &[u8]| {
        if field.len() <= MAX_FIELD {
            field.extend_from_slice(some);
        }
    };
    loop {
        let rest = bytes.get(at..)?;
        let length = rest.iter().position(|byte| match quoting {
            Quoting::Doubled | Quoting::Sheet => *byte == b'"',
            Quoting::Backslash => matches!(byte, b'"' | b'\\'),
        })?;
        take(rest.get(..length)?);
        at += length;
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'\\'), Some(escaped @ (b'"' | b'\\'))) => {
                take(&[*escaped]);
                at += 2;
            }
            (Some(b'\\'), _) => {
                take(b"\\");
                at += 1;
            }
            (_, Some(b'"')) => {
                take(b"\"");
                at += 2;
            }
            _ => return Some((field, at + 1)),
        }
    }
}

/// A field without quotes in a table whose quotes are escaped: Python escapes them there as well.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    loop {
        match rest {
            [b'\\', escaped @ (b'"' | b'\\'), after @ ..] => {
                plain.push(*escaped);
                rest = after;
            }
            [byte, after @ ..] => {
                plain.push(*byte);
                rest = after;
            }
            [] => return plain,
        }
    }
}

fn past_spaces(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len())
}

fn blank(field: &[u8]) -> bool {
    field.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rows as "line|field|field" or "line!why".
    fn check(text: &str, dialect: impl Into<Dialect>, width: Option<usize>, expected: &[&str]) {
        let rows: Vec<String> = Records::new(text.as_bytes(), dialect, width)
            .map(|row| match row {
                Row::Record { line, fields } => {
                    let fields: Vec<_> = fields.iter().map(|f| String::from_utf8_lossy(f)).collect();
                    format!("{line}|{}", fields.join("|"))
                }
                Row::Broken { line, why } => format!("{line}!{why}"),
            })
            .collect();
        assert_eq!(rows, expected, "{text:?}");
    }

    #[test]
    fn sound_records() {
        check("a,b\nc,d\n", b',', Some(2), &["1|a|b", "2|c|d"]);
        check("a,b\r\nc,d", b',', Some(2), &["1|a|b", "2|c|d"]);
        check("\n\na,b\n \r\nc,\n", b',', Some(2), &["3|a|b", "5|c|"]);
        check("\"a,\"\"x\"\"\",b\n", b',', Some(2), &["1|a,\"x\"|b"]);
        check("\"a\nb\",c\nd,e\n", b',', Some(2), &["1|a\nb|c", "3|d|e"]);
        check(" \"a\" , \"b\" \r\nc,d", b',', Some(2), &["1|a|b", "2|c|d"]);
        check("5\" pipe,b\n", b',', Some(2), &["1|5\" pipe|b"]);
        check("a;b,c\n", b';', None, &["1|a|b,c"]);
        check("a,b,,\nc\n", b',', Some(2), &["1|a|b", "2|c"]);
        check("", b',', None, &[]);
    }

    #[test]
    fn a_broken_quote_costs_its_own_line() {
        let never = "2!the quote opened on line 2 is never closed";
        check("a,1\n\"b,2\nc,3\nd,4\n", b',', Some(2), &["1|a|1", never, "3|c|3", "4|d|4"]);
        let middle = "2!the quote opened on line 2 is closed in the middle of a field";
        check("a,1\n\"b,2\n\"c\",3\n", b',', Some(2), &["1|a|1", middle, "3|c|3"]);
        check("a,1\n\"b \"x\" y\",2\nc,3\n", b',', Some(2), &["1|a|1", middle, "3|c|3"]);
        // It opens on the second line of a record.
        let later = "2!the quote opened on line 2 is never closed";
        check("\"a\nb\",\"c\nd,1\n", b',', Some(2), &[later, "3|d|1"]);
        let swallowed = "1!the quote opened on line 1 runs over 2 lines and leaves 1 fields where \
                         there should be 2";
        check("\"a,1\nb,2\"\nc,3\n", b',', Some(2), &[swallowed, "2|b|2\"", "3|c|3"]);
    }

    #[test]
    fn too_many_fields_cost_the_line() {
        let why = "2!3 fields where there should be 2";
        check("a,1\nb, c,2\nd,3", b',', Some(2), &["1|a|1", why, "3|d|3"]);
    }

    #[test]
    fn quotes_with_backslashes() {
        let dialect = Dialect { quoting: Quoting::Backslash, ..Dialect::from(b',') };
        check("\"a \\\"b\\\", c\",1\n\"d\\\\\",2\n", dialect, Some(2), &["1|a \"b\", c|1", "2|d\\|2"]);
        check(
            "a \\\"b\\\",\"c, \\\"d\\\"\"\nC:\\\\x,C:\\y\n",
            dialect,
            Some(2),
            &["1|a \"b\"|c, \"d\"", "2|C:\\x|C:\\y"],
        );
        check("\"a \"\"b\"\"\",1\n\"e\\n\",2\n", dialect, Some(2), &["1|a \"b\"|1", "2|e\\n|2"]);
    }

    #[test]
    fn a_long_quoted_field_is_one_field() {
        let text = |bytes: usize| format!("\"{}\n\",1\nb,2\n", "long words\n".repeat(bytes / 11));
        let rows = |text: String| Records::new(text.as_bytes(), b',', Some(2)).collect::<Vec<Row>>();
        let read = rows(text(3 << 20));
        assert!(matches!(&read[..], [Row::Record { .. }, Row::Record { .. }]));
        let read = rows(text(17 << 20));
        assert!(matches!(&read[..], [Row::Broken { line: 1, .. }, Row::Record { .. }]));
    }

    #[test]
    fn tabs_need_no_quoting() {
        check("\"a\t1\n\"b\"\t2\n", b'\t', Some(2), &["1|\"a|1", "2|b|2"]);
        check("\"a\nb\"\t1\n", b'\t', Some(2), &["1|a\nb|1"]);
    }

    proptest! {
        #[test]
        fn any_bytes_end_and_lines_ascend(
            text in prop::collection::vec(prop::sample::select(b"ab\",;\n\r\t \xff".to_vec()), 0..200),
            width in prop::option::of(1usize..4),
        ) {
            let mut last = 0;
            for row in Records::new(&text, b',', width) {
                let (Row::Record { line, .. } | Row::Broken { line, .. }) = row;
                prop_assert!(line > last);
                last = line;
            }
        }

        #[test]
        fn what_is_written_is_read(
            rows in prop::collection::vec(prop::collection::vec("[ -~\n]{0,12}", 2), 1..8),
        ) {
            let mut writer = csv::WriterBuilder::new()
                .quote_style(csv::QuoteStyle::Always)
                .from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = writer.into_inner().unwrap();
            let read: Vec<Vec<String>> = Records::new(&text, b',', Some(2))
                .map(|row| match row {
                    Row::Record { fields, .. } => {
                        fields.into_iter().map(|f| String::from_utf8(f).unwrap()).collect()
                    }
                    Row::Broken { why, .. } => vec![why],
                })
                .collect();
            prop_assert_eq!(read, rows);
        }
    }
}
