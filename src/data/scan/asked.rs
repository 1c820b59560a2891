//! The columns that the user names, found among those of a table.

use std::collections::BTreeSet;
use std::path::Path;

use super::ScanError;
use super::options::{ColumnChoice, ScanOptions};

/// The columns that the user gave a role besides the sample and the label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub joined: Vec<usize>,
    pub part: Option<usize>,
    pub group: Option<usize>,
}

impl Asked {
    /// # Errors
    ///
    /// A column is not there, or is to be two things at once. Only the first table must have those of parts and groups.
    pub fn of(
        path: &Path,
        names: &[String],
        options: &ScanOptions,
        is_decided: bool,
    ) -> Result<Asked, ScanError> {
        let unknown = |asked: &String| ScanError::UnknownColumn {
            path: path.to_owned(),
            asked: asked.clone(),
            available: names.to_vec(),
        };
        let find = |asked: &String| position(names, asked).ok_or_else(|| unknown(asked));
        let aside = |choice_of: &Option<ColumnChoice>| match choice_of.as_ref().and_then(ColumnChoice::column)
        {
            None => Ok(None),
            Some(asked) => match position(names, asked) {
                None if is_decided => Ok(None),
                found => found.map(Some).ok_or_else(|| unknown(asked)),
            },
        };
        let mut joined: Vec<usize> = options.joined_columns.iter().map(find).collect::<Result<_, _>>()?;
        let mut seen = BTreeSet::new();
        joined.retain(|column| seen.insert(*column));
        let asked =
            Asked { joined, part: aside(&options.part_column)?, group: aside(&options.group_column)? };
        asked.refuse_two_roles(path, names, options)?;
        Ok(asked)
    }

    fn refuse_two_roles(
        &self,
        path: &Path,
        names: &[String],
        options: &ScanOptions,
    ) -> Result<(), ScanError> {
        let mut roles: Vec<(usize, &'static str)> = Vec::new();
        let named = |name: &String| position(names, name);
        let text = options.text_column.iter().chain(&options.file_column).filter_map(named);
        roles.extend(text.map(|column| (column, "the sample")));
        let of_joined = self.joined.iter().filter(|column| roles.iter().all(|(taken, _)| taken != *column));
        let of_joined: Vec<usize> = of_joined.copied().collect();
        roles.extend(of_joined.into_iter().map(|column| (column, "a joined text")));
        roles.extend(options.label_columns.iter().filter_map(named).map(|column| (column, "the label")));
        roles.extend(self.part.map(|column| (column, "the part")));
        roles.extend(self.group.map(|column| (column, "the group")));
        let same = roles.iter().enumerate().find_map(|(at, (column, one))| {
            let mut later = roles.iter().skip(at + 1);
            later
                .find(|(other, what)| other == column && what != one)
                .map(|(_, other)| (*column, *one, *other))
        });
        match same {
            None => Ok(()),
            Some((column, one, other)) => {
                let column = names.get(column).map_or("", |name| name.trim()).to_owned();
                Err(ScanError::TwoRoles { path: path.to_owned(), column, one, other })
            }
        }
    }

    /// Those that can be neither the sample nor its label.
    pub fn reserved(&self) -> Vec<usize> {
        self.joined.iter().copied().chain(self.part).chain(self.group).collect()
    }

    /// The first of the texts that are joined.
    pub fn first_joined(&self) -> Option<usize> {
        self.joined.first().copied()
    }
}

/// The column of that name, as it is written or else in any case of letters.
pub(super) fn position(names: &[String], wanted: &str) -> Option<usize> {
    let wanted = wanted.trim();
    let exact = names.iter().position(|name| name.trim() == wanted);
    exact.or_else(|| names.iter().position(|name| name.trim().eq_ignore_ascii_case(wanted)))
}
