//! Which column is the text and which the label.

use std::collections::BTreeSet;
use std::path::Path;

use super::asked::{Asked, position};
use super::cells::stands_for_nothing;
use super::forms;
use super::places::{Places, Standpoint};

use super::sampled::{FILE_NAMES, Sampled};
use super::{ScanError, ScanOptions};
use crate::data::modality::Modality;
use crate::data::target::{TargetForm, TargetKind};

/// Names that columns of texts usually have, the surest first.
pub(super) const TEXT_NAMES: [&str; 16] = [
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
const LABEL_NAMES: [&str; 19] = [
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
    "choice",
    "diagnosis",
    "species",
    "breed",
    "emotion",
];

/// What is known of the columns before a table is read: what the user says, and for a further table what the first one
/// showed.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    pub options: ScanOptions,
    pub form: Option<TargetForm>,
    /// The only tables that are of use, where others are passed over.
    pub wanted: Option<Holds>,
    /// The column of the parts and that of the groups, as they are called in the first table.
    pub parts: Option<String>,
    pub group: Option<String>,
    /// Whether an earlier table decided the columns.
    pub is_decided: bool,
    /// What the text is called where a model was trained, which need not be here.
    pub usual_text: Option<String>,
    /// Whether what is sought is not the label but the part, for files that something else labels.
    pub seeks_parts: bool,
}

impl Choice {
    /// Only what the user says.
    pub fn asked(options: &ScanOptions) -> Choice {
        Choice { options: options.clone(), ..Choice::default() }
    }

    /// What the rows of a table whose columns are chosen give.
    pub fn holds(&self) -> Holds {
        match self.options.file_column {
            Some(_) => Holds::Files,
            None => Holds::Texts,
        }
    }
}

/// What a row gives as its sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Holds {
    #[default]
    Texts,
    /// The names of files.
    Files,
}

/// The numbers of the column of the sample and of the label columns, and what they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub sample: usize,
    pub holds: Holds,
    pub labels: Vec<usize>,
    pub form: TargetForm,
}

impl Columns {
    /// Chooses by what the user asked for, then by name, then by content: the sample is a file where the cells of a
    /// column are found among the files `around`, or else a text, what is longest on average; the label is what has
    /// the fewest values; see [`Sampled::labels`].
    ///
    /// # Errors
    ///
    /// When a column that was asked for is not there or cannot be what it is to be, or none can be told to be the
    /// label.
    pub fn choose(
        path: &Path,
        choice: &Choice,
        table: Sampled,
        around: Option<(&Places, Standpoint)>,
    ) -> Result<Columns, ScanError> {
        let names = table.names;
        let asked = Asked::of(path, names, &choice.options, choice.is_decided)?;
        let reserved = asked.reserved();
        let table = Sampled { reserved: &reserved, ..table };
        let find = |asked: &String| {
            position(names, asked).ok_or_else(|| {
                let (path, asked) = (path.to_owned(), asked.clone());
                ScanError::UnknownColumn { path, asked, available: names.to_vec() }
            })
        };
        let unclear =
            |what| ScanError::UnclearColumn { path: path.to_owned(), what, available: names.to_vec() };
        let asked_text = choice.options.text_column.as_ref().map(find).transpose()?;
        let asked_file = choice.options.file_column.as_ref().map(find).transpose()?;
        let asked_labels = asked_labels(path, names, &choice.options.label_columns)?;
        let found_file = || {
            let are_texts = asked_text.is_some() || !choice.options.joined_columns.is_empty();
            let (places, from) = around.filter(|_| !are_texts)?;
            places.column(table, from).filter(|file| !asked_labels.contains(file))
        };
        let file = asked_file.or_else(found_file);
        let named_text = asked_text
            .or(file)
            .or_else(|| filled_by_name(table, &TEXT_NAMES).filter(|text| !asked_labels.contains(text)));
        let target = choice.options.target;
        // Projects from before there were lists have none of them for their class.
        let list_names: &[&str] = if target == Some(TargetKind::Class) { &[] } else { &forms::LIST_NAMES };
        let named_label = filled_by_name(table, &LABEL_NAMES);
        let named_label = named_label.or_else(|| filled_by_name(table, list_names));
        let named_label = named_label.filter(|label| asked_labels.is_empty() && Some(*label) != named_text);
        let labels: Vec<usize> = asked_labels.iter().copied().chain(named_label).collect();
        let text = named_text.or_else(|| text_outside(table, &labels, asked.first_joined()));
        let text = text.ok_or_else(|| unclear("text"))?;
        let (labels, form) = match (choice.form, asked_labels.as_slice()) {
            (_, []) if choice.seeks_parts => {
                (vec![table.parts().ok_or_else(|| unclear("label"))?], TargetForm::Name)
            }
            (_, []) => table.labels(named_label, text, target).ok_or_else(|| {
                unclear(if target == Some(TargetKind::Numbers) { "number" } else { "label" })
            })?,
            (Some(form), _) => (asked_labels, form),
            (None, [one]) => (vec![*one], table.form_of(*one, target)),
            (None, several) => {
                let form = table.common_form(several, target).map_err(|columns| {
                    let columns =
                        columns.into_iter().filter_map(|column| names.get(column).cloned()).collect();
                    ScanError::UnfitColumns { path: path.to_owned(), columns, asked: target }
                })?;
                (asked_labels, form)
            }
        };
        refuse_repeated(path, names, text, &labels)?;
        if asked_text.is_none() && file.is_none() && table.holds_names_of_files(text) {
            let column = names.get(text).map_or("", |name| name.trim()).to_owned();
            return Err(ScanError::NamesOfFiles { path: path.to_owned(), column });
        }
        if named_text.is_none() && asked.joined.is_empty() && !table.reads_like_text(text) {
            let column = names.get(text).map_or("", |name| name.trim()).to_owned();
            return Err(ScanError::NoTexts { path: path.to_owned(), column });
        }
        let holds = file.map_or(Holds::Texts, |_| Holds::Files);
        Ok(Columns { sample: text, holds, labels, form })
    }
}

impl Columns {
    /// The columns that have a role.
    pub fn taken(&self) -> Vec<usize> {
        self.labels.iter().copied().chain([self.sample]).collect()
    }

    /// Whether the text was named by the user, or is called as texts are.
    pub fn text_is_sure(&self, choice: &Choice, table: Sampled) -> bool {
        let named = |known: &&str| position(table.names, known) == Some(self.sample);
        choice.options.text_column.is_some() || TEXT_NAMES.iter().any(named)
    }

    /// What was guessed from the cells though another column might be meant, in words.
    pub fn guesses(&self, choice: &Choice, table: Sampled) -> Vec<String> {
        let is_named = |column: usize, known: &[&str]| {
            known.iter().any(|known| position(table.names, known) == Some(column))
        };
        let name = |column: usize| table.names.get(column).map_or("", |name| name.trim());
        let guess = |what: &str, taken: usize, other: Option<usize>| {
            let (taken, other) = (name(taken), name(other?));
            Some(format!("the {what} was guessed to be in “{taken}”; it might be in “{other}”"))
        };
        let options = &choice.options;
        let text = match self.holds {
            Holds::Texts if !self.text_is_sure(choice, table) => {
                guess("text", self.sample, table.next_longest(&self.taken()))
            }
            Holds::Texts | Holds::Files => None,
        };
        let label_is_sure = !options.label_columns.is_empty()
            || self
                .labels
                .iter()
                .any(|label| is_named(*label, &LABEL_NAMES) || is_named(*label, &forms::LIST_NAMES));
        let label = match self.labels.as_slice() {
            [label] if !label_is_sure => guess("label", *label, table.next_fewest(&self.taken())),
            _ => None,
        };
        text.into_iter().chain(label).collect()
    }
}

impl Columns {
    /// The text alone, of a table that need not be labelled: what was asked for, or as [`Columns::choose`] finds it.
    ///
    /// # Errors
    ///
    /// When the column that was asked for is not there, or none can be told to be the text.
    pub fn text_alone(path: &Path, choice: &Choice, table: Sampled) -> Result<Columns, ScanError> {
        let names = table.names;
        let asked = match &choice.options.text_column {
            None => None,
            Some(asked) => Some(position(names, asked).ok_or_else(|| ScanError::UnknownColumn {
                path: path.to_owned(),
                asked: asked.clone(),
                available: names.to_vec(),
            })?),
        };
        let usual = || choice.usual_text.as_ref().and_then(|usual| position(names, usual));
        let asked = asked.or_else(usual);
        let roles = Asked::of(path, names, &choice.options, choice.is_decided)?;
        let reserved = roles.reserved();
        let table = Sampled { reserved: &reserved, ..table };
        let label: Vec<usize> = by_name(names, &LABEL_NAMES, &reserved).into_iter().collect();
        let text = asked
            .or_else(|| by_name(names, &TEXT_NAMES, &reserved))
            .or_else(|| text_outside(table, &label, roles.first_joined()));
        let text = text.ok_or_else(|| ScanError::UnclearColumn {
            path: path.to_owned(),
            what: "text",
            available: names.to_vec(),
        })?;
        refuse_repeated(path, names, text, &[])?;
        if asked.is_none() && table.holds_names_of_files(text) {
            let column = names.get(text).map_or("", |name| name.trim()).to_owned();
            return Err(ScanError::NamesOfFiles { path: path.to_owned(), column });
        }
        Ok(Columns { sample: text, holds: Holds::Texts, labels: Vec::new(), form: TargetForm::Name })
    }
}

/// The label columns that were asked for, each once.
fn asked_labels(path: &Path, names: &[String], asked: &[String]) -> Result<Vec<usize>, ScanError> {
    let mut found: Vec<(usize, &str)> = Vec::new();
    for asked in asked {
        let column = position(names, asked);
        let earlier = found.iter().find(|(earlier, _)| Some(*earlier) == column);
        match (column, earlier) {
            (Some(_), Some((_, same))) if *same == asked.trim() => {}
            (Some(column), None) => found.push((column, asked.trim())),
            // Of two names that differ in case, the table has one.
            (Some(_), Some(_)) | (None, _) => {
                let (path, asked) = (path.to_owned(), asked.clone());
                return Err(ScanError::UnknownColumn { path, asked, available: names.to_vec() });
            }
        }
    }
    Ok(found.into_iter().map(|(column, _)| column).collect())
}

/// Columns are spoken of by name, in a recipe as in a label of a column of marks: a name that two columns have must not
/// stand for the second, nor for one of several labels.
fn refuse_repeated(path: &Path, names: &[String], text: usize, labels: &[usize]) -> Result<(), ScanError> {
    let name = |column: &usize| names.get(*column).map_or("", |name| name.trim());
    let is_second = |column: &&usize| position(names, name(column)) != Some(**column);
    let is_shared = |column: &&usize| names.iter().filter(|other| other.trim() == name(column)).count() > 1;
    let mut chosen = labels.iter().chain([&text]);
    let of_several = || labels.iter().filter(|_| labels.len() > 1).find(is_shared);
    match chosen.find(is_second).or_else(of_several) {
        Some(column) => {
            Err(ScanError::RepeatedColumn { path: path.to_owned(), name: name(column).to_owned() })
        }
        None => Ok(()),
    }
}

/// Whether the first row of a table names the columns.
pub(super) fn is_header(first: &[String], rest: &[Vec<String>], choice: &Choice) -> bool {
    let options = &choice.options;
    let asked: Vec<&String> = options.columns().collect();
    if asked.iter().chain(&choice.usual_text.as_ref()).any(|asked| position(first, asked).is_some()) {
        return true;
    }
    let unnamed = unnamed(first.len());
    if !asked.is_empty() {
        // "column 2" is how a table without names is spoken of.
        return !asked.iter().all(|asked| position(&unnamed, asked).is_some());
    }
    // The names of files stand below a header.
    if first.iter().any(|name| Modality::of_name(Path::new(name.trim())).is_some()) {
        return false;
    }
    // As pandas names columns that have no names.
    let counts =
        |from: usize| first.iter().skip(from).enumerate().all(|(at, name)| name.trim() == at.to_string());
    let is_counted =
        counts(0) || (first.len() > 2 && first.first().is_some_and(|name| name.is_empty()) && counts(1));
    if first.len() > 1
        && is_counted
        && rest.iter().any(|row| row.iter().any(|cell| cell.contains(char::is_alphabetic)))
    {
        return true;
    }
    let known = TEXT_NAMES.iter().chain(&LABEL_NAMES).chain(&forms::LIST_NAMES);
    if known.into_iter().any(|name| position(first, name).is_some()) {
        return true;
    }
    let named = Sampled { names: first, rows: rest, lists: &[], reserved: &[] };
    let names_files = |column: usize| {
        forms::is_named(named.name(column), &FILE_NAMES) && named.holds_names_of_files(column)
    };
    if named.parts().is_some() || (0..first.len()).any(names_files) {
        return true;
    }
    let table = Sampled { names: &unnamed, ..named };
    let name = |column: usize| first.get(column).map_or("", |name| name.trim());
    let cells = |column: usize| rest.iter().filter_map(move |row| row.get(column)).map(|cell| cell.trim());
    match Columns::choose(Path::new(""), choice, table, None) {
        Ok(Columns { labels, form, .. }) => {
            labels.first().is_some_and(|label| stands_above(name(*label), form, cells(*label)))
        }
        // Numbers below words tell as much where no column can be told to be the label.
        Err(_) => (0..first.len()).any(|column| {
            let cells: Vec<&str> = cells(column).filter(|cell| !cell.is_empty()).collect();
            forms::number_form(&cells).is_some()
                && stands_above(name(column), TargetForm::Numbers, [].into_iter())
        }),
    }
}

/// The same of a table that need not be labelled: besides, one word without a space above texts of several words names
/// them, where no cell beside it is a number.
pub(super) fn is_header_of_texts(first: &[String], rest: &[Vec<String>], choice: &Choice) -> bool {
    let unnamed = unnamed(first.len());
    let table = Sampled { names: &unnamed, rows: rest, lists: &[], reserved: &[] };
    let stands_above_texts = |text: usize| {
        let cells: Vec<&str> = rest.iter().filter_map(|row| row.get(text)).map(|cell| cell.trim()).collect();
        let of_words = cells.iter().filter(|cell| cell.contains(' ')).count();
        let name = first.get(text).map_or("", |name| name.trim());
        !name.is_empty() && !name.contains(' ') && of_words * 5 >= cells.len().max(1) * 4
    };
    let is_number = |cell: &String| cell.trim().parse::<f64>().is_ok();
    let named = || !first.iter().any(is_number) && table.longest(&[]).is_some_and(stands_above_texts);
    is_header(first, rest, choice) || (choice.options.text_column.is_none() && named())
}

/// Whether `first` names the column: above few values that come again and again, a value of its own is a name, and so
/// is what is no number above numbers and no mark above marks.
fn stands_above<'a>(first: &str, form: TargetForm, cells: impl Iterator<Item = &'a str>) -> bool {
    let labels: Vec<&str> = match form {
        TargetForm::Name | TargetForm::JsonList => cells.collect(),
        TargetForm::SemicolonList => cells.flat_map(|cell| cell.split(';')).map(str::trim).collect(),
        TargetForm::BarList => cells.flat_map(|cell| cell.split('|')).map(str::trim).collect(),
        TargetForm::CommaList => cells.flat_map(|cell| cell.split(',')).map(str::trim).collect(),
        TargetForm::Marks | TargetForm::OneMark => {
            return forms::marks_of(&[first]).is_none() && !stands_for_nothing(first);
        }
        TargetForm::Numbers | TargetForm::DecimalCommas => {
            return forms::number_form(&[first]).is_none() && !stands_for_nothing(first);
        }
    };
    let distinct: BTreeSet<&str> = labels.iter().copied().collect();
    let parts = first.split([';', '|']).map(str::trim);
    distinct.len() * 2 <= labels.len()
        && !parts.chain([first]).any(|part| distinct.contains(part))
        && first.parse::<f64>().is_err()
}

/// What columns without names are called.
pub(super) fn unnamed(columns: usize) -> Vec<String> {
    (1..=columns).map(|number| format!("column {number}")).collect()
}

/// Whether a column is named as labels usually are.
pub(super) fn is_label_name(name: &str) -> bool {
    forms::is_named(name, &LABEL_NAMES)
}

fn by_name(names: &[String], known: &[&str], reserved: &[usize]) -> Option<usize> {
    known.iter().find_map(|known| position(names, known).filter(|column| !reserved.contains(column)))
}

/// The first of these names whose column is filled: one that has next to nothing in it does not beat one of the others
/// that does, nor, where it has nothing at all, whatever the columns hold.
fn filled_by_name(table: Sampled, known: &[&str]) -> Option<usize> {
    let named = known.iter().filter_map(|known| by_name(table.names, &[known], table.reserved));
    let filled: Vec<(usize, usize)> = named.map(|column| (column, table.cells(column).len())).collect();
    let fullest = filled.iter().map(|(_, filled)| *filled).max()?;
    // Without rows, names are all that there is.
    let is_enough = |filled: usize| filled * 4 >= fullest && (filled > 0 || table.rows.is_empty());
    filled.into_iter().find(|(_, filled)| is_enough(*filled)).map(|(column, _)| column)
}

/// The column with the most letters; where texts are joined it must be one of texts, or else is the first of those.
fn text_outside(table: Sampled, labels: &[usize], joined: Option<usize>) -> Option<usize> {
    let longest = table.longest(labels);
    match joined {
        None => longest,
        Some(joined) => longest.filter(|column| table.is_prose(*column)).or(Some(joined)),
    }
}

#[cfg(test)]
mod tests;
