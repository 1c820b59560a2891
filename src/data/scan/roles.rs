//! Columns that are neither the sample nor its label: texts that are joined, what says the part, what groups samples.

use std::collections::BTreeSet;

use super::asked::Asked;
use super::cells::stands_for_nothing;
use super::columns::{Choice, Columns, Holds, TEXT_NAMES};
use super::forms::is_named;
use super::sampled::Sampled;
use crate::data::finding::FindingKind;

/// What columns are called whose values say which samples belong together.
const GROUP_WORDS: [&str; 24] = [
    "customer",
    "client",
    "patient",
    "subject",
    "speaker",
    "user",
    "author",
    "session",
    "participant",
    "person",
    "respondent",
    "student",
    "account",
    "household",
    "member",
    "reviewer",
    "conversation",
    "thread",
    "dialogue",
    "dialog",
    "scene",
    "video",
    "recording",
    "animal",
];

/// What stands behind such a word.
const ENDINGS: [&str; 8] = ["id", "ids", "uuid", "no", "nr", "number", "key", "name"];

/// The columns of a table whose sample and label are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Beside {
    /// The columns whose texts are joined, in their order, the text column among them; none where it stands alone.
    pub joined: Vec<usize>,
    pub parts: Option<usize>,
    pub group: Option<usize>,
}

/// What is told of the columns: the kind, why, and what can be done.
pub(super) type Said = (FindingKind, String, &'static str);

impl Beside {
    /// What was asked for, and the parts where nothing is said of them. `part` is that of the whole table.
    pub fn of(asked: &Asked, choice: &Choice, table: Sampled, columns: &Columns) -> Beside {
        let joined = match (columns.holds, asked.joined.as_slice()) {
            (Holds::Files, _) | (Holds::Texts, []) => Vec::new(),
            (Holds::Texts, listed) if listed.contains(&columns.sample) => listed.to_vec(),
            (Holds::Texts, listed) => {
                let all: BTreeSet<usize> = listed.iter().copied().chain([columns.sample]).collect();
                all.into_iter().collect()
            }
        };
        // The text alone is not joined to anything.
        let joined = if joined.len() > 1 { joined } else { Vec::new() };
        let taken: Vec<usize> = columns.taken().into_iter().chain(asked.reserved()).collect();
        let parts = match choice.options.part_column {
            Some(_) => asked.part,
            None => table.parts().filter(|column| !taken.contains(column)),
        };
        Beside { joined, parts, group: asked.group }
    }

    /// The columns that have a role.
    pub fn all(&self, columns: &Columns) -> Vec<usize> {
        let beside = self.joined.iter().copied().chain(self.parts).chain(self.group);
        columns.taken().into_iter().chain(beside).collect()
    }

    /// What would be the column of the parts if not the one that is: another that holds parts, or is called so.
    pub fn next_parts(&self, table: Sampled, columns: &Columns) -> Option<usize> {
        let taken = self.all(columns);
        let is_free = |column: &usize| !taken.contains(column);
        let mut all = 0..table.names.len();
        all.find(|column| is_free(column) && table.holds_parts(*column))
            .or_else(|| table.other_parts().map(|(column, _)| column).filter(is_free))
    }

    /// A column that looks as if it said which samples belong together: called so, with values that come again and are
    /// more than a few.
    pub fn next_group(&self, table: Sampled, columns: &Columns) -> Option<usize> {
        /// Fewer may be classes.
        const FEWEST: usize = 5;
        let taken = self.all(columns);
        (0..table.names.len())
            .filter(|column| !taken.contains(column) && names_groups(table.name(*column)))
            .find(|column| {
                let cells = table.cells(*column);
                let distinct = cells.iter().collect::<BTreeSet<_>>().len();
                // One in fifty comes again even in rows from all over a long table.
                let comes_again = distinct * 50 <= cells.len() * 49;
                distinct >= FEWEST
                    && comes_again
                    && cells.len() * 2 > table.rows.len()
                    && mean_words(&cells) < 4.0
            })
    }

    /// A further column of texts that might be joined to the text.
    pub fn next_joined(&self, table: Sampled, columns: &Columns) -> Option<usize> {
        if columns.holds == Holds::Files {
            return None;
        }
        let holds_texts = |column: &usize| {
            let cells = table.cells(*column);
            let (all, letters) = cells
                .iter()
                .flat_map(|cell| cell.chars())
                .filter(|c| !c.is_whitespace())
                .fold((0, 0), |(all, letters), c| (all + 1, letters + usize::from(c.is_alphabetic())));
            let is_called_so = is_named(table.name(*column), &TEXT_NAMES);
            table.is_prose(*column) && letters * 2 > all && (is_called_so || mean_words(&cells) >= 4.0)
        };
        let mut taken = self.all(columns);
        while let Some(column) = table.next_longest(&taken) {
            if holds_texts(&column) {
                return Some(column);
            }
            taken.push(column);
        }
        None
    }

    /// What is to be told of these columns and of those that might be used. `parted` is whether the table is a part.
    pub fn said(&self, choice: &Choice, table: Sampled, columns: &Columns, parted: bool) -> Vec<Said> {
        let options = &choice.options;
        let quoted = |column: usize| format!("“{}”", table.name(column).trim());
        let mut said = Vec::new();
        if options.part_column.is_none() && self.parts.is_none() {
            let others = table.other_parts().filter(|(column, _)| !self.all(columns).contains(column));
            said.extend(others.map(|(column, values)| {
                let values: Vec<String> = values.into_iter().collect();
                let why = format!(
                    "the column {} ({}) does not say the parts and is not used",
                    quoted(column),
                    values.join(", ")
                );
                let remedy = "Write train, validation and test into it if the rows are to be divided so.";
                (FindingKind::OtherPart, why, remedy)
            }));
        }
        if choice.is_decided {
            said.extend(self.lacking(choice, parted));
            return said;
        }
        if columns.holds == Holds::Files && !options.joined_columns.is_empty() {
            let why = "no texts are joined, since the rows name files".to_owned();
            said.push((FindingKind::PassedOver, why, "Leave the joined columns away."));
        }
        if options.group_column.is_none()
            && let Some(column) = self.next_group(table, columns)
        {
            let values = table.cells(column).into_iter().collect::<BTreeSet<_>>().len();
            let why = format!(
                "the column {} ({values} values in {} rows that were looked at) may say which samples belong together, \
                 and is not used",
                quoted(column),
                table.cells(column).len()
            );
            said.push((FindingKind::OfferedColumn, why, GROUP_REMEDY));
        }
        if options.text_column.is_none()
            && self.joined.is_empty()
            && columns.text_is_sure(choice, table)
            && let Some(column) = self.next_joined(table, columns)
        {
            let why = format!("the column {} holds text too and is not read", quoted(column));
            let remedy = "Join it to the text if both are to be read.";
            said.push((FindingKind::OfferedColumn, why, remedy));
        }
        said
    }

    /// What a further table lacks that the first one has.
    fn lacking(&self, choice: &Choice, parted: bool) -> Vec<Said> {
        let lacks = |what: &str, name: &Option<String>, found: Option<usize>| match (name, found) {
            (Some(name), None) => {
                Some(format!("there is no column “{name}” here, so its rows are of no {what}"))
            }
            (None, _) | (Some(_), Some(_)) => None,
        };
        let parts = lacks("part", &choice.parts, self.parts).filter(|_| !parted);
        let group = lacks("group", &choice.group, self.group);
        let remedy = "Add the column, or keep the table elsewhere.";
        parts.into_iter().chain(group).map(|why| (FindingKind::OtherPart, why, remedy)).collect()
    }
}

const GROUP_REMEDY: &str = "Choose it as the group if samples with the same value are alike (of one customer, one \
                            patient): then they stay in one part, and scores tell of new ones.";

/// The texts of a row, joined with a blank line between; what is empty is left out.
pub(super) fn join<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let filled: Vec<&str> = texts.filter(|text| !text.trim().is_empty()).collect();
    filled.join("\n\n")
}

/// The group that a cell names.
pub(super) fn group(cell: &str) -> Option<String> {
    Some(cell.trim()).filter(|cell| !stands_for_nothing(cell)).map(str::to_owned)
}

fn mean_words(cells: &[&str]) -> f64 {
    let words: usize = cells.iter().map(|cell| cell.split_whitespace().count()).sum();
    words as f64 / cells.len().max(1) as f64
}

/// `customer`, `customer_id`, `patientID`, `Speaker No`, `userid`.
fn names_groups(name: &str) -> bool {
    let mut words: Vec<String> = Vec::new();
    let mut was_small = false;
    for c in name.trim().chars() {
        if !c.is_alphanumeric() {
            words.push(String::new());
        } else if (c.is_uppercase() && was_small) || words.is_empty() {
            words.push(c.to_lowercase().collect());
        } else if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        was_small = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    if words.len() > 1 && words.last().is_some_and(|last| is_named(last, &ENDINGS)) {
        words.pop();
    }
    words.last().is_some_and(|last| {
        is_named(last, &GROUP_WORDS)
            || last.strip_suffix("id").is_some_and(|word| is_named(word, &GROUP_WORDS))
    })
}

#[cfg(test)]
mod tests;
