use std::io::Write;

use super::*;
use crate::control::Silent;
use crate::data::index::FindingKind;
use crate::data::scan::glance::glance;
use crate::data::scan::tests::folder;
use crate::data::scan::{ScanOptions, scan};

/// Made by `goldens/make_tables.py` with openpyxl, and read with pandas.
const BOOK: &[u8] = include_bytes!("../../goldens/book.xlsx");
const OF_PANDAS: &[u8] = include_bytes!("../../goldens/book_pandas.xlsx");
const ROWS: &str = include_str!("../../goldens/rows.json");

#[test]
fn the_first_sheet_with_a_table_is_read_as_a_person_sees_it() {
    let root = folder(&[("book.xlsx", BOOK)]);
    let path = root.path().join("book.xlsx");
    let index = scan(&path, &ScanOptions::default(), &Silent).unwrap();
    // Rows of the sheet, though cells hold line breaks. Broken where `Quoting::Sheet` counts lines.
    let lines: Vec<u64> = index.items.iter().filter_map(|item| item.line).collect();
    let expected: Vec<u64> = (5..=25).filter(|row| *row != 6).chain(27..=35).collect();
    assert_eq!(lines, expected);
    assert_eq!(index.items[0].text.as_deref(), Some("The \"0\" film, a\nlong one"));
    assert_eq!(index.classes, ["anger", "joy"]);
    let told: Vec<(Option<u64>, &str)> =
        index.findings.iter().map(|finding| (finding.line, finding.reason.as_str())).collect();
    assert!(told.contains(&(Some(6), "the label is missing")), "{told:?}");
    assert!(
        told.iter()
            .any(|(_, why)| why.contains("“Complaints” is read, the sheets “Read me”, “Notes” are not")),
        "{told:?}"
    );
    let seen = glance(&path, &ScanOptions::default(), &Silent).unwrap();
    assert_eq!((seen.header_line, seen.separator, seen.total), (Some(4), None, Some(30)));
    let row = |row: usize| seen.rows[row].cells.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(row(0)[0], "2024-03-01");
    assert_eq!(row(0)[2..], ["joy", "3", "TRUE", "2024-03-01 12:30:00"]);
    assert_eq!((row(1)[3], row(2)[3], row(3)[3]), ("0.3", "12.5", "1000000000000000"));
    let said = ScanOptions {
        writing: crate::data::scan::Writing { header_line: Some(4), ..Default::default() },
        ..Default::default()
    };
    assert_eq!(scan(&path, &said, &Silent).unwrap().items, index.items);
}

#[test]
fn what_pandas_writes_is_read_whole() {
    let root = folder(&[("book.xlsx", OF_PANDAS)]);
    let index = scan(&root.path().join("book.xlsx"), &ScanOptions::default(), &Silent).unwrap();
    let read: Vec<(String, String)> = index
        .items
        .iter()
        .map(|item| (item.text.clone().unwrap(), item.target.words(&index.classes)))
        .collect();
    assert_eq!(read, serde_json::from_str::<Vec<(String, String)>>(ROWS).unwrap());
    assert!(index.findings.iter().all(|finding| finding.kind == FindingKind::GuessedColumn));
}

#[test]
fn what_is_no_workbook_or_too_large_is_refused() {
    let check = |bytes: &[u8], why: &str| {
        let refused = as_csv(bytes).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    };
    check(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "locked with a password");
    check(b"text,label\n", "it is no workbook");
    check(&BOOK[..BOOK.len() / 2], "one that is broken");
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("xl/sharedStrings.xml", zip::write::SimpleFileOptions::default()).unwrap();
    (0..64).for_each(|_| writer.write_all(&[b' '; 1 << 16]).unwrap());
    let bomb = writer.finish().unwrap().into_inner();
    assert!(bomb.len() < 1 << 16);
    assert!(measure(&bomb, 1 << 20).unwrap_err().contains("no more is read"));
    assert!(measure(&bomb, 1 << 22).is_ok());
}

#[test]
fn flipped_bits_never_panic() {
    for place in (0..BOOK.len()).step_by(97) {
        let mut bytes = BOOK.to_vec();
        bytes[place] ^= 0x10;
        let _ = as_csv(&bytes);
    }
}
