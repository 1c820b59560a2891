//! Tables of every dialect that Python's csv and pandas write (`goldens/make_tables.py`), and random ones written here.

use std::io::Read;

use proptest::prelude::*;

use super::tests::folder;
use super::*;
use crate::control::Silent;

const DIALECTS: &[u8] = include_bytes!("../goldens/dialects.jsonl.gz");

/// The rows of the table, or what went wrong.
fn read(name: &str, table: &[u8]) -> Result<Vec<(String, String)>, String> {
    let root = folder(&[(name, table)]);
    let index =
        scan(&root.path().join(name), &ScanOptions::default(), &Silent).map_err(|error| error.to_string())?;
    let row = |item: &Item| (item.text.clone().unwrap_or_default(), item.target.words(&index.classes));
    Ok(index.items.iter().map(row).collect())
}

/// Seen to fail: escaped quotes in fields without quotes, and between tabs, kept as they stand.
#[test]
fn what_python_writes_is_read_whole() {
    let mut lines = String::new();
    flate2::read::GzDecoder::new(DIALECTS).read_to_string(&mut lines).unwrap();
    let mut wrong = Vec::new();
    for line in lines.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let digits = case["table"].as_str().unwrap();
        let table: Vec<u8> = (0..digits.len() / 2)
            .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let rows: Vec<(String, String)> = serde_json::from_value(case["rows"].clone()).unwrap();
        if read("a.csv", &table).as_ref() != Ok(&rows) {
            wrong.push(format!("{}\n{:?}\n{:?}", case["name"], read("a.csv", &table), rows));
        }
    }
    assert!(lines.lines().count() > 150);
    assert!(wrong.is_empty(), "{} tables: {}", wrong.len(), wrong[0]);
}

/// A way to write a table.
#[derive(Debug, Clone)]
struct Writer {
    delimiter: u8,
    quotes: csv::QuoteStyle,
    ends: &'static [u8],
    mark: &'static [u8],
    titles: bool,
    wide: bool,
}

fn writers() -> impl Strategy<Value = Writer> {
    let quotes = prop::sample::select(vec![
        csv::QuoteStyle::Necessary,
        csv::QuoteStyle::Always,
        csv::QuoteStyle::NonNumeric,
    ]);
    let ends = prop::sample::select(vec![&b"\n"[..], &b"\r\n"[..]]);
    let mark = prop::sample::select(vec![&b""[..], &b"\xef\xbb\xbf"[..]]);
    (prop::sample::select(b",;\t|".to_vec()), quotes, ends, mark, any::<bool>(), any::<bool>()).prop_map(
        |(delimiter, quotes, ends, mark, titles, wide)| Writer {
            delimiter,
            quotes,
            ends,
            mark,
            titles,
            wide,
        },
    )
}

impl Writer {
    fn write(&self, rows: &[(String, String)]) -> Vec<u8> {
        let end = if self.ends == b"\r\n" { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new()
            .delimiter(self.delimiter)
            .quote_style(self.quotes)
            .terminator(end)
            .from_writer(Vec::new());
        writer.write_record(["number", "text", "label"]).unwrap();
        for (number, (text, label)) in rows.iter().enumerate() {
            writer.write_record([&(number * 7 % 5).to_string(), text, label]).unwrap();
        }
        let table = writer.into_inner().unwrap();
        let title: &[u8] = if self.titles { b"Made on a Monday" } else { b"" };
        let title = if self.titles { [title, self.ends].concat() } else { Vec::new() };
        let all = [self.mark, &title, &table].concat();
        if !self.wide {
            return all;
        }
        let text = String::from_utf8([title, table].concat()).unwrap();
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Sabotage: `content::decode` leaves the mark of UTF-8 where it is and the header is not found.
    #[test]
    fn random_tables_are_read_whole(
        writer in writers(),
        rows in prop::collection::vec(
            ("[a-zé映]{1,6}( [a-zé,;|\"'\t\n#\\\\]{1,6}){1,6} [a-z]{1,5}", prop::sample::select(vec!["joy", "anger", "no mood"])),
            6..30,
        ),
    ) {
        let rows: Vec<(String, String)> = rows.into_iter().map(|(text, label)| (text, label.to_owned())).collect();
        let table = writer.write(&rows);
        prop_assert_eq!(read("a.csv", &table), Ok(rows));
    }
}
