//! Which column is the text and which the label.

use std::collections::BTreeSet;
use std::path::Path;

use super::{ScanError, ScanOptions};

/// Names that columns of texts usually have, the surest first.
const TEXT_NAMES: [&str; 16] = [
    "text",
    "sentence",
    "review",
    "message",
    "body",
    "content",
    "comment",
    "tweet",
    "utterance",
    "document",
    "question",
    "abstract",
    "description",
    "headline",
    "subject",
    "title",
];

/// Names that columns of labels usually have, the surest first.
const LABEL_NAMES: [&str; 14] = [
    "label",
    "labels",
    "class",
    "category",
    "sentiment",
    "target",
    "intent",
    "tag",
    "topic",
    "label_text",
    "rating",
    "stars",
    "polarity",
    "type",
];

/// The numbers of the text and the label column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    pub text: usize,
    pub label: usize,
}

impl Columns {
    /// Chooses by what the user asked for, then by name, then by content: the text is what is
    /// longest on average, the label what has the fewest values. `rows` are the first rows, which
    /// may be short.
    ///
    /// # Errors
    ///
    /// When a column that was asked for is not there, or none can be told to be the label.
    pub fn choose(
        path: &Path,
        options: &ScanOptions,
        names: &[String],
        rows: &[Vec<String>],
    ) -> Result<Columns, ScanError> {
        let asked = |option: &Option<String>| match option {
            None => Ok(None),
            Some(asked) => position(names, asked).map(Some).ok_or_else(|| {
                let (path, asked) = (path.to_owned(), asked.clone());
                ScanError::UnknownColumn { path, asked, available: names.to_vec() }
            }),
        };
        let unclear =
            |what| ScanError::UnclearColumn { path: path.to_owned(), what, available: names.to_vec() };
        let (asked_text, asked_label) = (asked(&options.text_column)?, asked(&options.label_column)?);
        if asked_text.is_some() && asked_text == asked_label {
            return Err(unclear("label"));
        }
        let named_text =
            asked_text.or_else(|| by_name(names, &TEXT_NAMES).filter(|text| Some(*text) != asked_label));
        let label =
            asked_label.or_else(|| by_name(names, &LABEL_NAMES).filter(|label| Some(*label) != named_text));
        let text = named_text.or_else(|| longest(names.len(), rows, label));
        let text = text.ok_or_else(|| unclear("text"))?;
        let label = label.or_else(|| fewest_values(names.len(), rows, text));
        Ok(Columns { text, label: label.ok_or_else(|| unclear("label"))? })
    }
}

/// Whether the first row of a table names the columns.
pub(super) fn is_header(first: &[String], rest: &[Vec<String>], options: &ScanOptions) -> bool {
    let asked: Vec<&String> = options.text_column.iter().chain(&options.label_column).collect();
    if asked.iter().any(|asked| position(first, asked).is_some()) {
        return true;
    }
    let unnamed = unnamed(first.len());
    if !asked.is_empty() {
        // "column 2" is how a table without names is spoken of.
        return !asked.iter().all(|asked| position(&unnamed, asked).is_some());
    }
    let known = TEXT_NAMES.iter().chain(&LABEL_NAMES);
    if known.into_iter().any(|name| position(first, name).is_some()) {
        return true;
    }
    // Above a column of few values that come again and again, a value of its own is a name.
    let Ok(columns) = Columns::choose(Path::new(""), options, &unnamed, rest) else {
        return false;
    };
    let labels: Vec<&str> =
        rest.iter().filter_map(|row| row.get(columns.label)).map(|label| label.trim()).collect();
    let distinct: BTreeSet<&str> = labels.iter().copied().collect();
    let name = first.get(columns.label).map_or("", |name| name.trim());
    distinct.len() * 2 <= labels.len() && !distinct.contains(name) && name.parse::<f64>().is_err()
}

/// What columns without names are called.
pub(super) fn unnamed(columns: usize) -> Vec<String> {
    (1..=columns).map(|number| format!("column {number}")).collect()
}

/// The column of that name, as it is written or else in any case of letters.
fn position(names: &[String], wanted: &str) -> Option<usize> {
    let wanted = wanted.trim();
    let exact = names.iter().position(|name| name.trim() == wanted);
    exact.or_else(|| names.iter().position(|name| name.trim().eq_ignore_ascii_case(wanted)))
}

fn by_name(names: &[String], known: &[&str]) -> Option<usize> {
    known.iter().find_map(|known| position(names, known))
}

fn longest(columns: usize, rows: &[Vec<String>], label: Option<usize>) -> Option<usize> {
    let length = |column: usize| -> usize {
        rows.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count()).sum()
    };
    // The first of equals.
    (0..columns)
        .filter(|column| Some(*column) != label)
        .max_by_key(|&column| (length(column), columns - column))
        .filter(|&column| length(column) > 0)
}

fn fewest_values(columns: usize, rows: &[Vec<String>], text: usize) -> Option<usize> {
    let mut others = (0..columns).filter(|column| *column != text);
    if let (Some(only), None) = (others.next(), others.next()) {
        return Some(only);
    }
    let values = |column: usize| -> usize {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.trim());
        cells.filter(|cell| !cell.is_empty()).collect::<BTreeSet<&str>>().len()
    };
    (0..columns)
        .filter(|&column| column != text)
        .filter(|&column| (2..=(rows.len() / 2).max(2)).contains(&values(column)))
        .min_by_key(|&column| values(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Vec<Vec<String>> {
        text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
    }

    fn check(text: &str, header: bool, expected: (usize, usize)) {
        let rows = table(text);
        let options = ScanOptions::default();
        assert_eq!(is_header(&rows[0], &rows[1..], &options), header, "{text}");
        let names = if header { rows[0].clone() } else { unnamed(rows[0].len()) };
        let rows = if header { &rows[1..] } else { &rows[..] };
        let columns = Columns::choose(Path::new("t.csv"), &options, &names, rows).unwrap();
        assert_eq!((columns.text, columns.label), expected, "{text}");
    }

    #[test]
    fn columns_are_found_by_name() {
        check("id,text,label\n1,a,x\n2,b,y", true, (1, 2));
        check("Sentiment,Review\npos,good\nneg,bad", true, (1, 0));
        check("title,body,category\na,b,x\nc,d,y", true, (1, 2));
        check("label,rating\nx,a long text\ny,another text", true, (1, 0));
    }

    #[test]
    fn columns_are_found_by_content() {
        check("good film,pos\nbad film,neg\nfine film,pos\nsad film,neg", false, (0, 1));
        let ids = "1,pos,good film\n2,neg,bad film indeed\n3,pos,fine film\n4,neg,sad film";
        check(ids, false, (2, 1));
        let named = "what,mood\ngood film,pos\nbad film,neg\nfine film,pos\nsad film,neg";
        check(named, true, (0, 1));
        check("good film,1\nbad film,0\nfine film,1\nsad film,0", false, (0, 1));
    }

    #[test]
    fn what_was_asked_for_counts() {
        let names: Vec<String> = ["text", "label", "mood"].map(str::to_owned).to_vec();
        let choose = |text: Option<&str>, label: Option<&str>| {
            let options =
                ScanOptions { text_column: text.map(str::to_owned), label_column: label.map(str::to_owned) };
            Columns::choose(Path::new("t.csv"), &options, &names, &[])
        };
        assert_eq!(choose(None, Some("Mood")).unwrap(), Columns { text: 0, label: 2 });
        assert_eq!(choose(Some("label"), Some("mood")).unwrap(), Columns { text: 1, label: 2 });
        assert!(matches!(choose(Some("txt"), None), Err(ScanError::UnknownColumn { .. })));
        assert!(matches!(choose(Some("text"), Some("text")), Err(ScanError::UnclearColumn { .. })));
    }
}
