//! The label cells of one row -> what the sample is labelled with, or why it cannot be used.

use std::collections::BTreeSet;

use super::Label;
use crate::data::index::FindingKind;
use crate::data::target::TargetForm;

/// The largest number that is learnt: its square and products with weights stay far within what computes. Larger
/// ones are mistakes or stand for “missing”.
const LARGEST: f64 = 1e30;

/// What a row holds in a label column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// JSON null, or no such key.
    Absent,
    Text(String),
    /// What a table writes where nobody knows the value: `NaN`, `NA`, `null`.
    Nothing(String),
    /// A JSON list of strings, numbers, true and false.
    List(Vec<String>),
    /// Another JSON value, in words.
    Other(&'static str),
}

impl Cell {
    /// What stands in a cell of a table of records, where lists may be written as JSON or Python writes them.
    pub fn written(text: &str) -> Cell {
        let text = trimmed(text);
        match list_within(text) {
            _ if is_missing(text) => Cell::Nothing(text.to_owned()),
            Some(parts) => Cell::List(parts),
            None => Cell::Text(text.to_owned()),
        }
    }

    /// What it says, where that is one thing.
    pub fn text(self) -> Option<String> {
        match self {
            Cell::Text(text) | Cell::Nothing(text) => Some(text),
            Cell::List(_) | Cell::Other(_) | Cell::Absent => None,
        }
    }
}

/// Without white space and marks of byte order around it, which joined files leave within.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'))
}

/// Whether pandas, R and spreadsheets take a cell for a missing value. The words are those of pandas' `read_csv`.
pub(super) fn is_missing(cell: &str) -> bool {
    const WORDS: [&str; 18] = [
        "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
        "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
    ];
    let cell = trimmed(cell);
    // Nearly all cells are told by their first letter.
    match cell.as_bytes() {
        [b'#' | b'-' | b'1' | b'<' | b'N' | b'n', ..] if cell.len() <= 8 => WORDS.contains(&cell),
        _ => false,
    }
}

/// The strings of a list as JSON or Python writes it: `["a", "b"]`, `['a', 'b']`, `['a' 'b']` of numpy.
fn list_within(text: &str) -> Option<Vec<String>> {
    let within = text.strip_prefix('[')?.strip_suffix(']')?.trim();
    let (mut parts, mut rest) = (Vec::new(), within);
    while let Some(quote) = rest.chars().next() {
        if !matches!(quote, '"' | '\'') {
            return None;
        }
        let (mut part, mut letters) = (String::new(), rest.char_indices().skip(1));
        let end = loop {
            match letters.next()? {
                (_, '\\') => part.push(letters.next()?.1),
                (at, letter) if letter == quote => break at + letter.len_utf8(),
                (_, letter) => part.push(letter),
            }
        };
        parts.push(part);
        rest = rest.get(end..)?.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    (!parts.is_empty() || within.is_empty()).then_some(parts)
}

/// Why a row is left out.
#[derive(Debug)]
pub(super) struct Refused {
    pub kind: FindingKind,
    pub why: String,
    pub remedy: &'static str,
}

impl Refused {
    fn missing(what: &str) -> Refused {
        let why = format!("the {what} is missing");
        Refused { kind: FindingKind::MissingLabel, why, remedy: "Label the row, or remove it." }
    }

    fn placeholder(column: &str, found: &str) -> Refused {
        let why = format!("“{column}” is {}, which says that the label is missing", shown(found));
        Refused { kind: FindingKind::MissingLabel, why, remedy: PLACEHOLDER_REMEDY }
    }

    fn bad(why: String, remedy: &'static str) -> Refused {
        Refused { kind: FindingKind::BadTarget, why, remedy }
    }

    fn value(column: &str, found: &str) -> Refused {
        let why = format!("“{column}” is {found} where a label should be");
        Refused { kind: FindingKind::BadRow, why, remedy: VALUE_REMEDY }
    }
}

pub(super) const VALUE_REMEDY: &str = "Give the text as a string and the label as a string or a number.";
const PLACEHOLDER_REMEDY: &str = "Label the row, or remove it. If the word is the name of a class, write it otherwise (“no”, “none of these”).";
const NUMBER_REMEDY: &str = "Write a plain number, such as 1234.5, or remove the row.";
const ONE_MARK_REMEDY: &str = "Mark one class with 1 and all others with 0, or remove the row.";
const MARK_REMEDY: &str = "Write 1 where the label applies and 0 where it does not, or remove the row.";

/// Reads `cells`, those of the columns `names`, as `form` says. There is at least one of each.
pub(super) fn label(form: TargetForm, names: &[String], cells: &[Cell]) -> Result<Label, Refused> {
    let (Some(name), Some(cell)) = (names.first(), cells.first()) else {
        return Err(Refused::missing("label"));
    };
    match form {
        TargetForm::Name => class(name, cell),
        TargetForm::SemicolonList => labels(name, cell, Some(';')),
        TargetForm::BarList => labels(name, cell, Some('|')),
        TargetForm::CommaList => labels(name, cell, Some(',')),
        TargetForm::JsonList => labels(name, cell, None),
        TargetForm::Marks => marked(names, cells).map(Label::Labels),
        TargetForm::OneMark => {
            let mut classes = marked(names, cells)?.into_iter();
            match (classes.next(), classes.next()) {
                (Some(class), None) => Ok(Label::Class(class)),
                (Some(one), Some(other)) => {
                    let why = format!("“{one}” and “{other}” are both marked where one class should be");
                    Err(Refused::bad(why, ONE_MARK_REMEDY))
                }
                (None, _) => Err(Refused::bad("no class is marked".to_owned(), ONE_MARK_REMEDY)),
            }
        }
        TargetForm::Numbers | TargetForm::DecimalCommas => {
            all_absent(cells, "number")?;
            let numbers = names.iter().zip(cells).map(|(name, cell)| number_in(name, cell, form));
            numbers.collect::<Result<_, _>>().map(Label::Numbers)
        }
    }
}

/// The columns that are marked.
fn marked(names: &[String], cells: &[Cell]) -> Result<BTreeSet<String>, Refused> {
    all_absent(cells, "label")?;
    let mut marked = BTreeSet::new();
    for (name, cell) in names.iter().zip(cells) {
        if is_marked(name, cell)? {
            marked.insert(name.clone());
        }
    }
    Ok(marked)
}

fn class(name: &str, cell: &Cell) -> Result<Label, Refused> {
    match cell {
        Cell::Text(text) if !trimmed(text).is_empty() => Ok(Label::Class(trimmed(text).to_owned())),
        Cell::Nothing(word) => Err(Refused::placeholder(name, word)),
        Cell::Text(_) | Cell::Absent => Err(Refused::missing("label")),
        Cell::List(parts) => match parts.as_slice() {
            [one] if !one.trim().is_empty() => Ok(Label::Class(one.trim().to_owned())),
            _ => Err(Refused::value(name, "a list, not of one label,")),
        },
        Cell::Other(kind) => Err(Refused::value(name, kind)),
    }
}

/// An empty cell or list is a sample without any label. Where JSON has no value at all, or the cell says that it holds
/// none, nobody has labelled it.
fn labels(name: &str, cell: &Cell, separator: Option<char>) -> Result<Label, Refused> {
    let trimmed = |parts: &mut dyn Iterator<Item = &str>| {
        let parts = parts.map(str::trim).filter(|part| !part.is_empty());
        Ok(Label::Labels(parts.map(str::to_owned).collect()))
    };
    match (cell, separator) {
        (Cell::Text(text), _) if !text.trim().is_empty() && stands_for_nothing(text) => {
            Err(Refused::placeholder(name, text))
        }
        (Cell::Nothing(word), _) => Err(Refused::placeholder(name, word)),
        (Cell::Text(text), Some(separator)) => trimmed(&mut text.split(separator)),
        (Cell::Text(text), None) => trimmed(&mut std::iter::once(text.as_str())),
        (Cell::List(parts), _) => trimmed(&mut parts.iter().map(String::as_str)),
        (Cell::Absent, _) => Err(Refused::missing("label")),
        (Cell::Other(kind), _) => Err(Refused::value(name, kind)),
    }
}

/// A row with nothing in any of its label columns was not labelled.
fn all_absent(cells: &[Cell], what: &str) -> Result<(), Refused> {
    let is_absent = |cell: &Cell| match cell {
        Cell::Absent => true,
        Cell::Text(text) => text.trim().is_empty(),
        Cell::Nothing(_) | Cell::List(_) | Cell::Other(_) => false,
    };
    match cells.iter().all(is_absent) {
        true => Err(Refused::missing(what)),
        false => Ok(()),
    }
}

fn is_marked(name: &str, cell: &Cell) -> Result<bool, Refused> {
    let refused =
        |found: String| Refused::bad(format!("“{name}” is {found} where 1 or 0 should be"), MARK_REMEDY);
    match cell {
        Cell::Text(text) if text.trim().is_empty() => Err(refused("empty".to_owned())),
        Cell::Text(text) => mark(text).ok_or_else(|| refused(shown(text))),
        Cell::Nothing(word) => Err(refused(shown(word))),
        Cell::Absent => Err(refused("empty".to_owned())),
        Cell::List(_) => Err(refused("a list".to_owned())),
        Cell::Other(kind) => Err(refused((*kind).to_owned())),
    }
}

fn number_in(name: &str, cell: &Cell, form: TargetForm) -> Result<f64, Refused> {
    let refused =
        |found: &str| Refused::bad(format!("“{name}” is {found} where a number should be"), NUMBER_REMEDY);
    match cell {
        Cell::Text(text) if text.trim().is_empty() => Err(refused("empty")),
        Cell::Text(text) => number(text, form).map_err(|fault| fault.refused(name, text)),
        Cell::Nothing(word) => Err(refused(&shown(word))),
        Cell::Absent => Err(refused("empty")),
        Cell::List(_) => Err(refused("a list")),
        Cell::Other(kind) => Err(refused(kind)),
    }
}

/// What is wrong with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberFault {
    NoNumber,
    /// Separators, which may stand before a fraction or between thousands.
    Separators,
    TooLarge,
}

impl NumberFault {
    fn refused(self, name: &str, text: &str) -> Refused {
        let text = shown(text);
        match self {
            NumberFault::NoNumber => {
                Refused::bad(format!("“{name}” is {text} where a number should be"), NUMBER_REMEDY)
            }
            NumberFault::Separators => Refused::bad(
                format!("“{name}” is {text}: what its separators mean cannot be told"),
                "Write numbers without separators of thousands, and the whole column with a point before the fraction \
                 (1234.5) or the whole column with a comma (1234,5).",
            ),
            NumberFault::TooLarge => Refused::bad(
                format!("“{name}” is {text}, which is too large to be learnt (at most {LARGEST:e})"),
                "Correct the number, give it in larger units, or remove the row.",
            ),
        }
    }
}

/// The number that `text` is, as programs write it or with a decimal comma.
pub(super) fn number(text: &str, form: TargetForm) -> Result<f64, NumberFault> {
    let text = text.trim();
    let is_made_of =
        |text: &str, marks: &[u8]| text.bytes().all(|byte| byte.is_ascii_digit() || marks.contains(&byte));
    let has_digits = text.bytes().any(|byte| byte.is_ascii_digit());
    let plain = match form {
        // Where commas stand before fractions, 1.234 is probably a thousand and more.
        TargetForm::DecimalCommas if text.contains('.') && has_digits && is_made_of(text, b"+-.,eE") => {
            return Err(NumberFault::Separators);
        }
        TargetForm::DecimalCommas => text.replacen(',', ".", 1),
        TargetForm::Numbers
        | TargetForm::Name
        | TargetForm::SemicolonList
        | TargetForm::BarList
        | TargetForm::CommaList
        | TargetForm::JsonList
        | TargetForm::Marks
        | TargetForm::OneMark => text.to_owned(),
    };
    // "nan" and "infinity" are numbers to Rust.
    let value = if is_made_of(&plain, b"+-.eE") { plain.parse::<f64>().ok() } else { None };
    match value {
        Some(value) if value.abs() <= LARGEST => Ok(value),
        Some(_) => Err(NumberFault::TooLarge),
        None if is_made_of(&plain, b"+-.,") && plain.contains(',') => Err(NumberFault::Separators),
        None => Err(NumberFault::NoNumber),
    }
}

/// What 1 or 0, true or false, yes or no says.
pub(super) fn mark(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "1.0" | "true" | "yes" => Some(true),
        "0" | "0.0" | "false" | "no" => Some(false),
        _ => None,
    }
}

/// The text in quotes, cut where it is long.
pub(super) fn shown(text: &str) -> String {
    /// Enough to find it by.
    const SHOWN: usize = 40;
    let text = text.trim();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("“{}…”", text.get(..end).unwrap_or_default()),
        None => format!("“{text}”"),
    }
}

/// What tables write where they know nothing.
pub(super) fn stands_for_nothing(cell: &str) -> bool {
    let cell = cell.trim().to_ascii_lowercase();
    matches!(cell.as_str(), "" | "na" | "n/a" | "nan" | "null" | "none" | "nil" | "-" | "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_to_the_bit_or_refused() {
        let check = |text: &str, expected: Result<f64, NumberFault>| {
            assert_eq!(number(text, TargetForm::Numbers), expected, "{text}");
        };
        check("3", Ok(3.0));
        check(" -1234.5 ", Ok(-1234.5));
        check("0.1", Ok(0.1));
        check("+.5", Ok(0.5));
        check("1e-3", Ok(0.001));
        check("1e30", Ok(1e30));
        check("1.1e30", Err(NumberFault::TooLarge));
        check("-1e400", Err(NumberFault::TooLarge));
        for word in ["nan", "NaN", "inf", "-Infinity", "NA", "null", "12 €", "1 234", "--1", "", "e", "1e"]
        {
            check(word, Err(NumberFault::NoNumber));
        }
        for comma in ["3,5", "1,234.5", "1.234,5", "1,234,567"] {
            check(comma, Err(NumberFault::Separators));
        }
    }

    #[test]
    fn decimal_commas_are_read_where_they_are_expected() {
        let check = |text: &str, expected: Result<f64, NumberFault>| {
            assert_eq!(number(text, TargetForm::DecimalCommas), expected, "{text}");
        };
        check("3,5", Ok(3.5));
        check("-0,25", Ok(-0.25));
        check("12", Ok(12.0));
        for point in ["1.234,5", "1,234,567", "1.234", "-2.5", "1.5e3", ".5"] {
            check(point, Err(NumberFault::Separators));
        }
        check("e.", Err(NumberFault::NoNumber));
        check("drei", Err(NumberFault::NoNumber));
    }

    #[test]
    fn cells_that_say_nothing_and_lists_are_told() {
        let check = |text: &str, expected: Cell| assert_eq!(Cell::written(text), expected, "{text}");
        let list = |parts: &[&str]| Cell::List(parts.iter().map(|part| part.to_string()).collect());
        check(" NaN ", Cell::Nothing("NaN".to_owned()));
        check("NA", Cell::Nothing("NA".to_owned()));
        check("none", Cell::Text("none".to_owned()));
        check("\u{feff}pos", Cell::Text("pos".to_owned()));
        check("['pos']", list(&["pos"]));
        check("[\"a\", \"it's\"]", list(&["a", "it's"]));
        check("['a' 'b']", list(&["a", "b"]));
        check("[]", list(&[]));
        check("['a\\'b']", list(&["a'b"]));
        for plain in ["[a]", "['a", "[1, 2]", "['a'] b", "[", "pos"] {
            check(plain, Cell::Text(plain.to_owned()));
        }
    }

    #[test]
    fn marks_are_one_and_zero_in_several_writings() {
        for (text, expected) in [("1", Some(true)), ("FALSE", Some(false)), (" yes", Some(true)), ("2", None)]
        {
            assert_eq!(mark(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_cell_is_said() {
        let names = ["price".to_owned(), "tax".to_owned()];
        let check = |form: TargetForm, cells: &[&str], kind: FindingKind, why: &str| {
            let cells: Vec<Cell> = cells.iter().map(|cell| Cell::Text(cell.to_string())).collect();
            let names = &names[..cells.len()];
            let Err(refused) = label(form, names, &cells) else { panic!("{cells:?}") };
            assert_eq!((refused.kind, refused.why.as_str()), (kind, why));
        };
        let (bad, missing) = (FindingKind::BadTarget, FindingKind::MissingLabel);
        check(TargetForm::Numbers, &["cheap"], bad, "“price” is “cheap” where a number should be");
        check(TargetForm::Numbers, &["1", ""], bad, "“tax” is empty where a number should be");
        check(TargetForm::Numbers, &["", " "], missing, "the number is missing");
        check(
            TargetForm::Numbers,
            &["1,5"],
            bad,
            "“price” is “1,5”: what its separators mean cannot be told",
        );
        let large = "“price” is “1e31”, which is too large to be learnt (at most 1e30)";
        check(TargetForm::Numbers, &["1e31"], bad, large);
        check(TargetForm::Marks, &["1", "2"], bad, "“tax” is “2” where 1 or 0 should be");
        check(TargetForm::Marks, &["1", ""], bad, "“tax” is empty where 1 or 0 should be");
        check(TargetForm::Name, &[" "], missing, "the label is missing");
    }

    #[test]
    fn lists_are_trimmed_and_said_once() {
        let read = |form: TargetForm, cell: Cell| match label(form, &["tags".to_owned()], &[cell]) {
            Ok(Label::Labels(labels)) => labels.into_iter().collect::<Vec<_>>(),
            _ => panic!("no labels"),
        };
        let text = |text: &str| Cell::Text(text.to_owned());
        assert_eq!(read(TargetForm::SemicolonList, text(" b ; a;;b; ")), ["a", "b"]);
        assert_eq!(read(TargetForm::BarList, text("a|b;c")), ["a", "b;c"]);
        assert_eq!(read(TargetForm::BarList, text(" ")), Vec::<String>::new());
        assert_eq!(read(TargetForm::JsonList, text("a;b")), ["a;b"]);
        assert_eq!(read(TargetForm::JsonList, Cell::List(vec!["b".into(), " a".into()])), ["a", "b"]);
        for nothing in [Cell::Absent, text("NA"), text(" null "), text("None")] {
            for form in [TargetForm::JsonList, TargetForm::SemicolonList, TargetForm::BarList] {
                let read = label(form, &["tags".to_owned()], std::slice::from_ref(&nothing));
                assert!(matches!(read, Err(Refused { kind: FindingKind::MissingLabel, .. })), "{nothing:?}");
            }
        }
    }
}
