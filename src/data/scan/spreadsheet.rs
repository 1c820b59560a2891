//! Workbooks (`.xlsx`): the first sheet with a table, its cells as a person sees them, as the text of a CSV file.
//!
//! Every field is in quotes, every row of the sheet is one record, and rows without a cell are blank lines: so the
//! number of a record is that of its row in the sheet, whatever line breaks the cells hold.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};

use calamine::{DataRef, ExcelDateTime, Reader, SheetVisible, Xlsx, XlsxCellReader, open_workbook_from_rs};

use super::packed::most_from;
use crate::units;

/// What to do where a workbook cannot be read.
pub(super) const REMEDY: &str = "Save it anew as .xlsx without a password, or save the sheet as CSV.";
/// The most bytes of all parts of a workbook unpacked, as the text of its cells lies in memory: 512 MiB.
const MAX_UNPACKED: u64 = 512 << 20;
/// The most bytes of the text that is made of a sheet, 1 GiB.
const MAX_TEXT: u64 = 1 << 30;
/// The most rows of a sheet, as Excel has them.
const MAX_ROWS: u32 = 1 << 20;
/// The most rows and columns of a table whose first rows are no table: a note.
const LEAST: (usize, usize) = (2, 2);

type Book<'a> = Xlsx<Cursor<&'a [u8]>>;
type Cells<'a, 'b> = XlsxCellReader<'a, Cursor<&'b [u8]>>;

/// The first sheet with a table, as the text of a CSV file, and what is said of the others.
///
/// # Errors
///
/// Why the workbook cannot be read.
pub(super) fn as_csv(bytes: &[u8]) -> Result<(Vec<u8>, Vec<String>), String> {
    if bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err("it is locked with a password, or in the format of an old Excel".to_owned());
    }
    measure(bytes, most_from(bytes.len(), MAX_UNPACKED))?;
    // A decoder's words help nobody.
    let broken = |_: calamine::XlsxError| "it is a workbook that is broken".to_owned();
    let mut book: Book = open_workbook_from_rs(Cursor::new(bytes)).map_err(broken)?;
    let sheets: Vec<(String, bool)> = book
        .sheets_metadata()
        .iter()
        .map(|sheet| (sheet.name.clone(), sheet.visible == SheetVisible::Visible))
        .collect();
    let seen =
        sheets.iter().filter(|(_, visible)| *visible).chain(sheets.iter().filter(|(_, visible)| !*visible));
    let mut first = None;
    for (name, _) in seen {
        // Charts are sheets without cells.
        let Ok(mut cells) = book.worksheet_cells_reader(name) else { continue };
        let Ok(extent) = Extent::of(&mut cells) else { continue };
        let is_table = extent.rows >= LEAST.0 && extent.columns.len() >= LEAST.1;
        if extent.rows > 0 && (is_table || first.is_none()) {
            first = Some((name.clone(), extent));
        }
        if is_table {
            break;
        }
    }
    let Some((name, extent)) = first else {
        return Err("none of its sheets has a cell with something in it".to_owned());
    };
    extent.fits(most_from(bytes.len(), MAX_TEXT))?;
    let mut cells = book.worksheet_cells_reader(&name).map_err(broken)?;
    let text = extent.write(&mut cells)?;
    let others: Vec<String> =
        sheets.iter().filter(|(other, _)| *other != name).map(|(other, _)| format!("“{other}”")).collect();
    let said = match others.as_slice() {
        [] => Vec::new(),
        [other] => vec![format!("the sheet “{name}” is read, the sheet {other} is not")],
        others => vec![format!("the sheet “{name}” is read, the sheets {} are not", others.join(", "))],
    };
    Ok((text, said))
}

/// Refuses what is too large once it is unpacked, which the archive's own figures need not say.
fn measure(bytes: &[u8], limit: u64) -> Result<(), String> {
    let broken = || "it is no workbook, or one that is broken".to_owned();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| broken())?;
    let mut left = limit;
    for number in 0..archive.len() {
        let part = archive.by_index(number).map_err(|_| broken())?;
        let read = std::io::copy(&mut part.take(left + 1), &mut std::io::sink()).map_err(|_| broken())?;
        if read > left {
            let limit = units::bytes(limit);
            return Err(format!("it has more than {limit} unpacked, and no more is read"));
        }
        left -= read;
    }
    Ok(())
}

/// Where a sheet has cells with something in them.
struct Extent {
    rows: usize,
    columns: Vec<u32>,
    /// Bytes of all cells.
    text: usize,
}

impl Extent {
    fn of(cells: &mut Cells) -> Result<Extent, String> {
        let (mut columns, mut last, mut rows, mut text) = (BTreeSet::new(), None, 0, 0usize);
        while let Some(cell) = cells.next_cell().map_err(|error| error.to_string())? {
            let seen = as_seen(cell.get_value());
            if seen.trim().is_empty() {
                continue;
            }
            text = text.saturating_add(seen.len());
            let (row, column) = cell.get_position();
            columns.insert(column);
            if last != Some(row) {
                rows += 1;
                last = Some(row);
            }
        }
        Ok(Extent { rows, columns: columns.into_iter().collect(), text })
    }

    /// Refuses more than `most` bytes: of the cells, and of what stands around each field of each row.
    fn fits(&self, most: u64) -> Result<(), String> {
        if self.bytes() as u64 <= most {
            return Ok(());
        }
        Err(format!("the text of its cells has more than {}, and no more is read", units::bytes(most)))
    }

    /// About how many bytes are written.
    fn bytes(&self) -> usize {
        const AROUND: usize = 3;
        self.text.saturating_add(self.rows.saturating_mul(self.columns.len()).saturating_mul(AROUND))
    }

    /// The rows of the sheet from its first on, with the columns that hold something.
    fn write(&self, cells: &mut Cells) -> Result<Vec<u8>, String> {
        let mut text = Vec::with_capacity(self.bytes());
        let mut row = Vec::new();
        let mut at = 0;
        while let Some(cell) = cells.next_cell().map_err(|_| "a sheet is broken".to_owned())? {
            let (number, column) = cell.get_position();
            if number < at {
                return Err("the rows of a sheet are not in their order".to_owned());
            }
            if number >= MAX_ROWS {
                return Err(format!(
                    "a sheet has a row of a number above {}",
                    units::grouped(MAX_ROWS as usize)
                ));
            }
            while at < number {
                end_row(&mut row, self.columns.len(), &mut text);
                at += 1;
            }
            if let Ok(place) = self.columns.binary_search(&column) {
                row.resize(self.columns.len(), String::new());
                if let Some(field) = row.get_mut(place) {
                    *field = as_seen(cell.get_value());
                }
            }
        }
        end_row(&mut row, self.columns.len(), &mut text);
        Ok(text)
    }
}

/// Writes a row and makes room for the next one. A row with nothing in it is a blank line.
fn end_row(row: &mut Vec<String>, width: usize, text: &mut Vec<u8>) {
    let is_blank = row.iter().all(|field| field.trim().is_empty());
    if !is_blank {
        for (number, field) in row.iter().take(width).enumerate() {
            if number > 0 {
                text.push(b',');
            }
            text.push(b'"');
            text.extend_from_slice(field.replace('"', "\"\"").as_bytes());
            text.push(b'"');
        }
    }
    text.push(b'\n');
    row.clear();
}

/// A cell as a person sees it, but for formats of numbers; errors and missing values are empty, as pandas reads them.
fn as_seen(value: &DataRef) -> String {
    match value {
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number_as_seen(*number),
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(answer) => if *answer { "TRUE" } else { "FALSE" }.to_owned(),
        DataRef::DateTime(moment) => moment_as_seen(moment),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.replace('T', " "),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

/// Fifteen digits, as spreadsheets have them: 0.3 for 0.1 + 0.2.
fn number_as_seen(number: f64) -> String {
    let rounded = format!("{number:.14e}").parse::<f64>().unwrap_or(number);
    format!("{rounded}")
}

fn moment_as_seen(moment: &ExcelDateTime) -> String {
    if moment.is_duration() {
        let seconds = (moment.as_f64() * 86_400.0).round() as i64;
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        return format!("{hours}:{minutes:02}:{seconds:02}");
    }
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    let time = format!("{hour:02}:{minute:02}:{second:02}");
    match (moment.as_f64() < 1.0, time.as_str()) {
        (true, time) => time.to_owned(),
        (false, "00:00:00") => date,
        (false, time) => format!("{date} {time}"),
    }
}

#[cfg(test)]
mod tests;
