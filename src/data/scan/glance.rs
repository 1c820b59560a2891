//! A look at a table before it is read: its first rows, what its columns hold, and what each would be taken for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::asked::Asked;
use super::cells::{self, Cell};
use super::columns::{Choice, Columns, Holds};
use super::content;
use super::dialect::Expected;
use super::head::{Head, RecordHead, Wants};
use super::jsonl::{self, Written};
use super::options::{ScanOptions, Separator};
use super::packed::unpacked_name;
use super::places::{Around, Standpoint, folder_of};
use super::records::{Dialect, Records, Row};
use super::roles::Beside;
use super::sampled::Sampled;
use super::table::{Loaded, load};
use super::walk::Tree;
use super::{Label, ScanError, archive, tables};
use crate::control::Control;

/// Rows that are shown.
const ROWS: usize = 10;

/// The most characters of a cell that are shown.
const CELL: usize = 200;

/// What a look at a table shows.
#[derive(Debug, Clone, PartialEq)]
pub struct TableGlance {
    pub file: PathBuf,
    pub columns: Vec<ColumnGlance>,
    /// The first ten.
    pub rows: Vec<GlanceRow>,
    /// Lines above the header, which are passed over.
    pub above: Vec<u64>,
    /// The line that names the columns; `None` where none does.
    pub header_line: Option<u64>,
    /// `None` for JSON and sheets.
    pub separator: Option<Separator>,
    pub encoding: &'static str,
    /// The rows that were looked at, from all over the table.
    pub looked_at: usize,
    /// All rows, where counting them is no work.
    pub total: Option<usize>,
    /// What the label column says in the rows that were looked at, with how often, the most frequent first; nothing for
    /// numbers.
    pub classes: Vec<(String, usize)>,
    pub roles: Roles,
    /// Why it cannot be told what the columns are.
    pub unclear: Option<String>,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnGlance {
    pub name: String,
    /// Rows that have something in it, of those that were looked at.
    pub filled: usize,
    /// Different values among these.
    pub distinct: usize,
    /// Words in a cell, on average.
    pub words: f64,
}

/// A row with the line on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlanceRow {
    pub line: u64,
    pub cells: Vec<String>,
}

/// What the columns are taken for, by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    pub text: Option<usize>,
    pub file: Option<usize>,
    pub labels: Vec<usize>,
    pub part: Option<usize>,
    /// What says which samples belong together; only where it was asked for.
    pub group: Option<usize>,
    /// Columns whose texts are joined, in their order, without the text column; none where it stands alone.
    pub joined: Vec<usize>,
    /// What would be the text or the label if not these.
    pub next_text: Option<usize>,
    pub next_label: Option<usize>,
    /// What would be the part or the group if not these.
    pub next_part: Option<usize>,
    pub next_group: Option<usize>,
    /// A further column of texts, which might be joined.
    pub can_join: Option<usize>,
}

/// Looks at the table at `root`, or at the first of those in it, as `options` say.
///
/// # Errors
///
/// There is no table, it cannot be read, or the user stopped.
pub fn glance(root: &Path, options: &ScanOptions, control: &dyn Control) -> Result<TableGlance, ScanError> {
    let root: &Path = &archive::opened(root, control)?;
    let (file, around) = if root.is_dir() {
        let tree = Tree::walk(root, control)?;
        let first = tables::first(&tree.files).ok_or_else(|| ScanError::NotADataset {
            path: root.to_owned(),
            why: "there is no table in it".to_owned(),
        })?;
        (first, Around::files(root, &tree.files, control))
    } else {
        (PathBuf::from(root.file_name().unwrap_or_default()), Around::folder(folder_of(root), control))
    };
    let full = if root.is_dir() { root.join(&file) } else { root.to_owned() };
    let unreadable = |why: &str| ScanError::Unreadable { path: full.clone(), why: why.to_owned() };
    let Loaded { bytes, .. } = load(&full)?;
    let content = content::decode(&bytes, options.writing.encoding).map_err(|why| unreadable(why.0))?;
    let choice = Choice::asked(options);
    let looked = match Expected::of_name(&unpacked_name(&file)) {
        Some(expected) => of_records(&content.bytes, expected, &choice),
        None => of_objects(&content.bytes),
    };
    let Looked { names, sample, lists, rows, above, header_line, separator, total } =
        looked.ok_or_else(|| unreadable("no row can be read"))?;
    let asked = Asked::of(&full, &names, options, false)?;
    let table = Sampled { names: &names, rows: &sample, lists: &lists, reserved: &[] };
    let from = Standpoint { folder: file.parent().unwrap_or(Path::new("")), part: None };
    let places = around.places(table)?.map(|places| (places, from));
    let (roles, classes, unclear) = match Columns::choose(&full, &choice, table, places) {
        Ok(columns) => {
            let beside = Beside::of(&asked, &choice, table, &columns);
            (roles(&columns, &beside, table), classes(&columns, table), None)
        }
        Err(error) => {
            (Roles { part: table.parts(), ..Roles::default() }, Vec::new(), Some(error.to_string()))
        }
    };
    let columns = (0..names.len()).map(|column| of_column(table, column)).collect();
    let (encoding, looked_at) = (content.encoding, sample.len());
    Ok(TableGlance {
        file,
        columns,
        rows,
        above,
        header_line,
        separator,
        encoding,
        looked_at,
        total,
        classes,
        roles,
        unclear,
    })
}

struct Looked {
    names: Vec<String>,
    sample: Vec<Vec<String>>,
    lists: Vec<usize>,
    rows: Vec<GlanceRow>,
    above: Vec<u64>,
    header_line: Option<u64>,
    separator: Option<Separator>,
    total: Option<usize>,
}

fn of_records(bytes: &[u8], expected: Expected, choice: &Choice) -> Option<Looked> {
    let Head { names, rows: sample, lists, records } =
        Head::of_records(bytes, expected, choice, Wants::Samples)?;
    let RecordHead { dialect, width, header, above } = records;
    let all = Records::new(bytes, dialect, Some(width)).filter_map(|row| match row {
        Row::Record { line, fields } => Some((line, fields)),
        Row::Broken { .. } => None,
    });
    let mut all = all.take(ROWS + usize::from(header));
    let header_line = if header { all.next().map(|(line, _)| line) } else { None };
    let shown = |field: Vec<u8>| cut(&String::from_utf8_lossy(&field));
    let rows = all
        .map(|(line, fields)| GlanceRow { line, cells: fields.into_iter().map(shown).collect() })
        .collect();
    let separator = Separator::ALL.into_iter().find(|separator| separator.byte() == dialect.delimiter);
    let separator = separator.filter(|_| expected != Expected::Sheet);
    let above = above.into_iter().map(|(line, _)| line).collect();
    let total = count_records(bytes, dialect, width).map(|all| all.saturating_sub(usize::from(header)));
    Some(Looked { names, sample, lists, rows, above, header_line, separator, total })
}

/// The rows of a table, the header among them; `None` where they would have to be parsed and are too many for a look.
fn count_records(bytes: &[u8], dialect: Dialect, width: usize) -> Option<usize> {
    /// Parsed in a fraction of a second.
    const MOST: usize = 32 << 20;
    let rest = bytes.get(dialect.begin..).unwrap_or_default();
    if !rest.contains(&b'"') {
        return Some(rest.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count());
    }
    (rest.len() <= MOST).then(|| Records::new(bytes, dialect, Some(width)).count())
}

fn of_objects(bytes: &[u8]) -> Option<Looked> {
    let written = Written::of(bytes);
    let Head { names, rows: sample, lists, .. } = Head::of_objects(&written);
    let total = Some(written.count());
    let shown = |value: Option<&serde_json::Value>| match value {
        None | Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => cut(text),
        Some(other) => cut(&other.to_string()),
    };
    let rows = written.lines().filter_map(|line| match line {
        jsonl::Line::Object { line, object } => {
            Some(GlanceRow { line, cells: names.iter().map(|name| shown(object.get(name))).collect() })
        }
        jsonl::Line::Bad { .. } | jsonl::Line::NotUtf8 { .. } => None,
    });
    let rows: Vec<GlanceRow> = rows.take(ROWS).collect();
    let (above, header_line, separator) = (Vec::new(), None, None);
    (!names.is_empty()).then_some(Looked { names, sample, lists, rows, above, header_line, separator, total })
}

fn roles(columns: &Columns, beside: &Beside, table: Sampled) -> Roles {
    let (text, file) = match columns.holds {
        Holds::Texts => (Some(columns.sample), None),
        Holds::Files => (None, Some(columns.sample)),
    };
    let taken = beside.all(columns);
    Roles {
        text,
        file,
        labels: columns.labels.clone(),
        part: beside.parts,
        group: beside.group,
        joined: beside.joined.iter().copied().filter(|column| *column != columns.sample).collect(),
        next_text: table.next_longest(&taken),
        next_label: table.next_fewest(&taken),
        next_part: beside.next_parts(table, columns),
        next_group: beside.next_group(table, columns),
        can_join: beside.next_joined(table, columns),
    }
}

/// What the label columns say in the rows that were looked at.
fn classes(columns: &Columns, table: Sampled) -> Vec<(String, usize)> {
    let names: Vec<String> =
        columns.labels.iter().map(|column| table.name(*column).trim().to_owned()).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in table.rows {
        let cell = |column: &usize| Cell::written(row.get(*column).map_or("", String::as_str));
        let cells: Vec<Cell> = columns.labels.iter().map(cell).collect();
        match cells::label(columns.form, &names, &cells) {
            Ok(Label::Class(class)) => *counts.entry(class).or_default() += 1,
            Ok(Label::Labels(labels)) => {
                labels.into_iter().for_each(|label| *counts.entry(label).or_default() += 1);
            }
            Ok(Label::Numbers(_)) | Err(_) => {}
        }
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

fn of_column(table: Sampled, column: usize) -> ColumnGlance {
    let cells = table.cells(column);
    let words: usize = cells.iter().map(|cell| cell.split_whitespace().count()).sum();
    ColumnGlance {
        name: table.names.get(column).map_or("", |name| name.trim()).to_owned(),
        filled: cells.len(),
        distinct: cells.iter().collect::<BTreeSet<_>>().len(),
        words: words as f64 / cells.len().max(1) as f64,
    }
}

fn cut(text: &str) -> String {
    text.chars().take(CELL).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Silent;
    use crate::data::scan::Writing;
    use crate::data::scan::tests::folder;

    fn look(name: &str, text: &str, options: &ScanOptions) -> TableGlance {
        let root = folder(&[(name, text.as_bytes())]);
        glance(&root.path().join(name), options, &Silent).unwrap()
    }

    fn tickets() -> String {
        let row = |n: u32| {
            let (team, fold) =
                (["billing", "delivery"][n as usize % 2], ["train", "test"][n as usize / 2 % 2]);
            format!("{n};Card {n} declined;My card {n} was refused at the till, twice;{team};{fold}\n")
        };
        let rows: String = (1..=40).map(row).collect();
        format!("Export of all tickets\n\nid;subject;message;team;fold\n{rows}")
    }

    #[test]
    fn the_first_rows_and_what_the_columns_are_taken_for_are_shown() {
        let glance = look("tickets.csv", &tickets(), &ScanOptions::default());
        assert_eq!(glance.above, [1]);
        assert_eq!((glance.header_line, glance.separator), (Some(3), Some(Separator::Semicolon)));
        assert_eq!((glance.rows.len(), glance.rows[0].line), (10, 4));
        assert_eq!(glance.rows[0].cells[1], "Card 1 declined");
        let roles = &glance.roles;
        assert_eq!((roles.text, roles.labels.as_slice(), roles.part), (Some(2), &[3][..], Some(4)));
        assert_eq!(roles.next_text, Some(1));
        assert_eq!((glance.columns[3].filled, glance.columns[3].distinct), (40, 2));
    }

    #[test]
    fn what_columns_might_be_used_for_and_how_much_there_is_is_shown() {
        let glance = look("tickets.csv", &tickets(), &ScanOptions::default());
        assert_eq!((glance.total, glance.looked_at), (Some(40), 40));
        assert_eq!(glance.classes, [("billing".to_owned(), 20), ("delivery".to_owned(), 20)]);
        let roles = &glance.roles;
        assert_eq!(
            (roles.can_join, roles.next_part, roles.group, roles.next_group),
            (Some(1), None, None, None)
        );
        let named = |name: &str| Some(crate::data::scan::ColumnChoice::Column(name.to_owned()));
        let options = ScanOptions {
            joined_columns: vec!["subject".into()],
            part_column: Some(crate::data::scan::ColumnChoice::Unused),
            group_column: named("id"),
            ..Default::default()
        };
        let glance = look("tickets.csv", &tickets(), &options);
        let roles = &glance.roles;
        assert_eq!((roles.text, roles.joined.as_slice(), roles.can_join), (Some(2), &[1][..], None));
        assert_eq!((roles.part, roles.next_part, roles.group), (None, Some(4), Some(0)));
        let users: String = (0..40).map(|n| format!("\"words of\n{n}\",u{},{}\n", n % 7, n % 2)).collect();
        let glance = look("a.csv", &format!("text,user,label\n{users}"), &ScanOptions::default());
        assert_eq!((glance.total, glance.roles.next_group), (Some(40), Some(1)));
        let lines = "{\"text\":\"a b\",\"label\":1}\n\n{\"text\":\"c d\",\"label\":0}";
        assert_eq!(look("a.jsonl", lines, &ScanOptions::default()).total, Some(2));
        let list = format!("[{}]", lines.replace("\n\n", ",\n"));
        assert_eq!(look("a.json", &list, &ScanOptions::default()).total, Some(2));
    }

    #[test]
    fn what_is_said_of_the_writing_counts() {
        let writing =
            Writing { separator: Some(Separator::Comma), header_line: Some(0), ..Writing::default() };
        let glance = look("a.csv", "one,two\nthree,four\n", &ScanOptions { writing, ..Default::default() });
        assert_eq!((glance.header_line, glance.rows.len()), (None, 2));
        let glance = look(
            "a.jsonl",
            "{\"text\":\"a b\",\"label\":1}\n{\"text\":\"c d\",\"label\":0}",
            &Default::default(),
        );
        assert_eq!(
            (glance.separator, glance.rows[1].cells.as_slice()),
            (None, &["c d".to_owned(), "0".to_owned()][..])
        );
        // Where nothing can be told, that is said, and the rows are shown all the same.
        let unclear = look("a.csv", "alpha,beta,gamma\nx y,z w,u v\np q,r s,t t\n", &ScanOptions::default());
        assert!(unclear.unclear.is_some() || !unclear.roles.labels.is_empty());
        assert!(!unclear.rows.is_empty());
    }
}
