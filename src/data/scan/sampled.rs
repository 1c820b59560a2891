//! What the first rows of a table say about its columns.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::cells;
use super::forms::{self, Marks};
use super::parts::PartWords;
use crate::data::facts::{Carrier, extension};
use crate::data::index::{Modality, Part};
use crate::data::target::{TargetForm, TargetKind};

/// Names of columns that say which part a row belongs to.
const PART_NAMES: [&str; 12] = [
    "split",
    "set",
    "fold",
    "part",
    "partition",
    "subset",
    "dataset",
    "usage",
    "kfold",
    "k_fold",
    "cv",
    "cv_fold",
];

/// Names of columns that hold names of files.
pub(super) const FILE_NAMES: [&str; 10] = [
    "image",
    "image_id",
    "image_name",
    "file",
    "file_name",
    "filename",
    "filepath",
    "file_path",
    "image_path",
    "img",
];

/// The first rows of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampled<'a> {
    pub names: &'a [String],
    /// They may be short. JSON lists are empty here.
    pub rows: &'a [Vec<String>],
    /// Columns that hold JSON lists in at least half of the rows that have a value.
    pub lists: &'a [usize],
    /// Columns that the user gave another role than to hold the sample or its label.
    pub reserved: &'a [usize],
}

impl Sampled<'_> {
    /// The label columns where nobody named them.
    ///
    /// Whatever they are taken for: a column that is named like a label. Then several columns of marks in the same
    /// writing; the column with the fewest values, if they come again and again; a column of lists; a column of
    /// measured numbers. Where the kind of target was said, the same if it is of that kind, or else only what can be
    /// that.
    pub fn labels(
        self,
        named: Option<usize>,
        text: usize,
        target: Option<TargetKind>,
    ) -> Option<(Vec<usize>, TargetForm)> {
        let single = |column: usize| (vec![column], self.form_of(column, target));
        let marks = || self.marks(text).map(|columns| (columns, TargetForm::Marks));
        let one_mark = || self.marks(text).filter(|columns| self.marks_one(columns));
        let fewest = || self.fewest_values(text);
        if target != Some(TargetKind::Class) {
            let guess = self.guess(named, text);
            if guess.as_ref().is_some_and(|(_, form)| target.is_none_or(|target| form.kind() == target)) {
                return guess;
            }
        }
        match target {
            None => None,
            // The first guess would be the same column.
            Some(TargetKind::Class) => named
                .map(single)
                .or_else(|| one_mark().map(|columns| (columns, TargetForm::OneMark)))
                .or_else(|| fewest().map(single)),
            Some(TargetKind::Labels) => named
                .filter(|column| self.list_form(*column).is_some())
                .map(single)
                .or_else(marks)
                .or_else(|| self.list(text).or(named).or_else(fewest).map(single)),
            Some(TargetKind::Numbers) => named
                .filter(|column| forms::number_form(&self.cells(*column)).is_some())
                .or_else(|| self.measured(text))
                .or_else(|| only(self.others(text).filter(|column| self.are_numbers(*column))))
                .or_else(|| only(self.others(text)))
                .map(single),
        }
    }

    /// The label columns where nobody said either what they are.
    fn guess(self, named: Option<usize>, text: usize) -> Option<(Vec<usize>, TargetForm)> {
        let single = |column: usize| (vec![column], self.form_of(column, None));
        named
            .map(single)
            .or_else(|| self.marks(text).map(|columns| self.with_marks(columns)))
            .or_else(|| self.fewest_values(text).map(single))
            .or_else(|| self.list(text).map(single))
            .or_else(|| self.measured(text).map(single))
    }

    /// What a single label column is, or how it is to be read as what it shall be.
    pub fn form_of(self, column: usize, target: Option<TargetKind>) -> TargetForm {
        let cells = self.cells(column);
        match target {
            None if self.lists.contains(&column) => TargetForm::JsonList,
            None => forms::form_of(self.name(column), &cells),
            Some(TargetKind::Class) => TargetForm::Name,
            Some(TargetKind::Labels) => self.list_form(column).unwrap_or_else(|| {
                let has = |separator: char| cells.iter().any(|cell| cell.contains(separator));
                match forms::marks_of(&cells) {
                    Some(_) => TargetForm::Marks,
                    None if has('|') && !has(';') => TargetForm::BarList,
                    None if has(',') && !has(';') => TargetForm::CommaList,
                    None => TargetForm::SemicolonList,
                }
            }),
            Some(TargetKind::Numbers) => forms::number_form(&cells).unwrap_or(TargetForm::Numbers),
        }
    }

    /// What several label columns are together, or which of them do not fit.
    pub fn common_form(
        self,
        columns: &[usize],
        target: Option<TargetKind>,
    ) -> Result<TargetForm, Vec<usize>> {
        let unfit = |fits: &dyn Fn(&[&str]) -> bool| -> Vec<usize> {
            columns.iter().copied().filter(|column| !fits(&self.cells(*column))).collect()
        };
        let numbers = || {
            let cells: Vec<&str> = columns.iter().flat_map(|column| self.cells(*column)).collect();
            forms::number_form(&cells).unwrap_or(TargetForm::Numbers)
        };
        match target {
            Some(TargetKind::Class) if self.marks_one(columns) => Ok(TargetForm::OneMark),
            Some(TargetKind::Class) => Err(columns.to_vec()),
            Some(TargetKind::Labels) => Ok(TargetForm::Marks),
            Some(TargetKind::Numbers) => Ok(numbers()),
            None if unfit(&|cells| forms::marks_of(cells).is_some()).is_empty() => {
                Ok(self.with_marks(columns.to_vec()).1)
            }
            None => match unfit(&|cells| forms::number_form(cells).is_some()) {
                unfit if unfit.is_empty() => Ok(numbers()),
                unfit => Err(unfit),
            },
        }
    }

    /// The column that says which part a row belongs to: named so, and with the names of two parts at least in most of
    /// its cells.
    pub fn parts(self) -> Option<usize> {
        (0..self.names.len()).find(|column| self.holds_parts(*column))
    }

    /// Whether a column is called so, and names two parts at least in most of its cells.
    pub fn holds_parts(self, column: usize) -> bool {
        let cells = self.cells(column);
        let words = PartWords::of_column(self.name(column));
        let parts: Vec<Part> = cells.iter().filter_map(|cell| words.part(cell)).collect();
        let is_called_so = match words {
            PartWords::Names => forms::is_named(self.name(column), &PART_NAMES),
            // What holds for more than half of the rows may be another thing that is "valid".
            PartWords::Flag { .. } => {
                parts.iter().filter(|part| **part == Part::Train).count() * 2 >= parts.len()
            }
        };
        is_called_so && Part::are_several(parts.iter().copied()) && parts.len() * 2 > cells.len()
    }

    /// Whether a column says how rows are divided: into parts, or into numbered folds.
    fn divides(self, column: usize) -> bool {
        let are_numbers = || self.cells(column).iter().all(|cell| cell.parse::<f64>().is_ok());
        self.holds_parts(column) || (forms::is_named(self.name(column), &PART_NAMES) && are_numbers())
    }

    /// A column that is named as if it said the part and says something else, with what it says: numbers of folds.
    pub fn other_parts(self) -> Option<(usize, BTreeSet<String>)> {
        /// Folds are few.
        const MOST: usize = 12;
        let values = |column: usize| -> BTreeSet<String> {
            self.cells(column).into_iter().map(str::to_owned).collect()
        };
        let chosen = self.parts();
        let is_another = |column: usize| match self.holds_parts(column) {
            true => chosen != Some(column),
            false => forms::is_named(self.name(column), &PART_NAMES),
        };
        (0..self.names.len())
            .filter(|column| is_another(*column))
            .map(|column| (column, values(column)))
            .find(|(_, values)| (2..=MOST).contains(&values.len()))
    }

    /// Whether some column may name files: one looks like it, or none holds texts of several words.
    pub fn may_name_files(self) -> bool {
        let mut columns = 0..self.names.len();
        columns.clone().any(|column| self.holds_names_of_files(column))
            || !columns.any(|column| self.is_prose(column))
    }

    /// Whether a column names files and is no text: nearly all of its cells end like the name of an image or a
    /// recording, or it is called so and has no cell of several words.
    pub fn holds_names_of_files(self, column: usize) -> bool {
        const ENDINGS: [&str; 8] = ["wav", "mp3", "flac", "ogg", "m4a", "heic", "avif", "jpeg"];
        let cells = self.cells(column);
        let is_name = |cell: &&&str| {
            let path = Path::new(without_query(cell));
            let ending = extension(path);
            is_named_like_a_file(path) || ENDINGS.contains(&ending.as_str())
        };
        let named =
            forms::is_named(self.name(column), &FILE_NAMES) && !cells.iter().any(|cell| cell.contains(' '));
        !cells.is_empty() && (named || cells.iter().filter(is_name).count() * 10 >= cells.len() * 9)
    }

    fn list_form(self, column: usize) -> Option<TargetForm> {
        match self.lists.contains(&column) {
            true => Some(TargetForm::JsonList),
            false => forms::list_form(self.name(column), &self.cells(column)),
        }
    }

    /// Two columns of marks or more, in the writing that most of them have, two of which vary.
    fn marks(self, text: usize) -> Option<Vec<usize>> {
        let mut written: BTreeMap<Marks, Vec<usize>> = BTreeMap::new();
        for column in self.others(text) {
            if let Some(marks) = forms::marks_of(&self.cells(column)) {
                written.entry(marks).or_default().push(column);
            }
        }
        let varying =
            |columns: &[usize]| columns.iter().filter(|column| forms::vary(&self.cells(**column))).count();
        written.into_values().filter(|columns| varying(columns) >= 2).max_by_key(Vec::len)
    }

    /// Columns of marks are classes where each row has one of them, and labels otherwise.
    fn with_marks(self, columns: Vec<usize>) -> (Vec<usize>, TargetForm) {
        let form = if self.marks_one(&columns) { TargetForm::OneMark } else { TargetForm::Marks };
        (columns, form)
    }

    /// Whether each row is marked in one of the columns: too often for chance, and nowhere else.
    fn marks_one(self, columns: &[usize]) -> bool {
        /// Fewer rows may come out so by chance.
        const ENOUGH: usize = 6;
        let marks = |row: &Vec<String>| {
            let cells = columns.iter().filter_map(|column| row.get(*column));
            cells.filter(|cell| cells::mark(cell) == Some(true)).count()
        };
        columns.len() > 1 && self.rows.len() >= ENOUGH && self.rows.iter().all(|row| marks(row) == 1)
    }

    /// The first column of lists; where several hold JSON lists, only a name could tell.
    fn list(self, text: usize) -> Option<usize> {
        let has_lists = |column: &usize| forms::list_form(self.name(*column), &self.cells(*column)).is_some();
        only(self.lists.iter().copied()).or_else(|| self.others(text).find(has_lists))
    }

    /// The column of measured numbers: the first that is named like one, or the only one.
    fn measured(self, text: usize) -> Option<usize> {
        let measured = |column: &usize| {
            self.are_numbers(*column) && forms::are_measured(self.name(*column), &self.cells(*column))
        };
        let is_quantity = |column: &usize| forms::is_named(self.name(*column), &forms::QUANTITY_NAMES);
        let mut named = self.others(text).filter(is_quantity);
        named.find(measured).or_else(|| only(self.others(text).filter(measured)))
    }

    /// Whether a column holds numbers that do not just count the rows.
    fn are_numbers(self, column: usize) -> bool {
        let cells = self.cells(column);
        forms::number_form(&cells).is_some()
            && !is_name_of_identifiers(self.name(column))
            && !forms::count_up(&cells)
    }

    /// Whether a column only tells rows apart.
    fn identifies(self, column: usize) -> bool {
        let cells = self.cells(column);
        let are_different = cells.iter().collect::<BTreeSet<_>>().len() == cells.len();
        forms::count_up(&cells) || (are_different && is_name_of_identifiers(self.name(column)))
    }

    /// Whether a column may hold texts: most of its cells have letters or signs, and they are no codes, which are of
    /// hexadecimal digits or in a column that is called so.
    pub fn reads_like_text(self, column: usize) -> bool {
        /// Shorter ones may be words: `b2b`, `a1`.
        const LEAST_CODE: usize = 8;
        let cells = self.cells(column);
        let count = |is: &dyn Fn(&str) -> bool| cells.iter().filter(|cell| is(cell)).count();
        let with_letters = count(&|cell| cell.contains(|c: char| c.is_alphabetic() || !c.is_ascii()));
        let is_digit = |c: char| c.is_ascii_hexdigit() || c == '-';
        let codes = count(&|cell| {
            cell.len() >= LEAST_CODE
                && cell.contains(|c: char| c.is_ascii_digit())
                && cell.chars().all(is_digit)
        });
        let words = count(&|cell| !cell.contains(char::is_whitespace));
        let are_called_so = is_name_of_identifiers(self.name(column)) && words * 10 >= cells.len() * 9;
        let are_codes = cells.len() > 2 && (codes * 10 >= cells.len() * 9 || are_called_so);
        with_letters * 2 >= cells.len() && !are_codes
    }

    fn others(self, text: usize) -> impl Iterator<Item = usize> {
        (0..self.names.len()).filter(move |column| *column != text && !self.reserved.contains(column))
    }

    /// What a column is called.
    pub fn name(&self, column: usize) -> &str {
        self.names.get(column).map_or("", String::as_str)
    }

    /// The filled cells of a column, without white space around them.
    pub fn cells(&self, column: usize) -> Vec<&str> {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.trim());
        cells.filter(|cell| !cell.is_empty()).collect()
    }

    /// The column with the most letters, the first of equals.
    pub fn longest(self, labels: &[usize]) -> Option<usize> {
        let columns = self.names.len();
        let length = |column: usize| -> usize {
            self.rows.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count()).sum()
        };
        (0..columns)
            .filter(|column| !labels.contains(column) && !self.reserved.contains(column))
            .max_by_key(|&column| (length(column), columns - column))
            .filter(|&column| length(column) > 0)
    }

    /// The only other column, or the one whose few values come again and again.
    fn fewest_values(self, text: usize) -> Option<usize> {
        let may_be = |column: &usize| !self.divides(*column) && !self.identifies(*column);
        only(self.others(text).filter(may_be)).or_else(|| self.few_values(&[text]))
    }

    /// The column outside `taken` whose few values come again and again.
    fn few_values(self, taken: &[usize]) -> Option<usize> {
        let is_free = |column: &usize| !taken.contains(column) && !self.reserved.contains(column);
        let columns = || (0..self.names.len()).filter(is_free);
        let values = |column: usize| self.cells(column).into_iter().collect::<BTreeSet<&str>>().len();
        let fullest = columns().map(|column| self.cells(column).len()).max().unwrap_or(0);
        columns()
            // What most rows leave empty is a remark, where other columns are full.
            .filter(|&column| self.cells(column).len() * 2 > fullest && !self.divides(column))
            .filter(|&column| (2..=(self.rows.len() / 2).max(2)).contains(&values(column)))
            // "airline_sentiment" says what it is.
            .min_by_key(|&column| (!forms::ends_like_a_label(self.name(column)), values(column)))
    }

    /// The next column, outside `taken`, that might be the label.
    pub fn next_fewest(self, taken: &[usize]) -> Option<usize> {
        self.few_values(taken)
    }

    /// The next column, outside `taken`, that might be the text: one that holds several words in most cells.
    pub fn next_longest(self, taken: &[usize]) -> Option<usize> {
        self.longest(taken).filter(|column| self.is_prose(*column))
    }

    /// Whether most cells hold several words.
    pub fn is_prose(self, column: usize) -> bool {
        let cells = self.cells(column);
        cells.iter().filter(|cell| cell.contains(char::is_whitespace)).count() * 2 > cells.len()
    }
}

/// Whether a file is named like a sample that is a file of its own, as images are.
pub(super) fn is_named_like_a_file(path: &Path) -> bool {
    Modality::of_name(path).is_some_and(|modality| modality.facts().carrier == Carrier::File)
}

/// The address of a file without what is asked of its server.
pub(super) fn without_query(cell: &str) -> &str {
    let bare = cell.split(['?', '#']).next().unwrap_or_default();
    if Modality::of_name(Path::new(bare)).is_some() { bare } else { cell }
}

fn is_name_of_identifiers(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    ["id", "index", "uuid", "guid", "key"].contains(&name.as_str())
        || ["_id", " id", "-id"].iter().any(|end| name.ends_with(end))
}

/// The one thing that there is.
fn only<T>(mut things: impl Iterator<Item = T>) -> Option<T> {
    things.next().filter(|_| things.next().is_none())
}
