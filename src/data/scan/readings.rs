//! The ways in which what lies at a path can be read, counted before anything is read for good: what to ask a person where
//! there is more than one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::files::LabelledFile;
use super::glance::{TableGlance, glance};
use super::known::{KnownFiles, Memory};
use super::names::Names;
use super::options::{LayoutChoice, ScanOptions};
use super::walk::Tree;
use super::{Label, ScanError, folders, tables};
use crate::control::Control;
use crate::data::index::Part;

/// What a first look at data shows.
#[derive(Debug, Clone, PartialEq)]
pub struct DataGlance {
    pub root: PathBuf,
    /// The table, or the first of several, where there is one.
    pub table: Option<TableGlance>,
    /// Why no table is shown, where one was named.
    pub no_table: Option<String>,
    /// The readings of a folder, the one first that a scan takes where nothing is said.
    pub readings: Vec<Reading>,
}

/// A way to read a folder, and what it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub layout: LayoutChoice,
    pub samples: usize,
    /// Samples of each class in each part, the parts in order.
    pub parts: Vec<PartCounts>,
}

/// The samples of one part, or of all where there are no parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartCounts {
    pub part: Option<Part>,
    /// In the order of their names.
    pub classes: Vec<(String, usize)>,
}

impl Reading {
    /// Different classes in all parts.
    pub fn classes(&self) -> usize {
        let names = self.parts.iter().flat_map(|part| part.classes.iter().map(|(name, _)| name.as_str()));
        names.collect::<std::collections::BTreeSet<_>>().len()
    }

    fn of(layout: LayoutChoice, files: &[LabelledFile]) -> Self {
        let mut parts: BTreeMap<Option<Part>, BTreeMap<&str, usize>> = BTreeMap::new();
        for file in files {
            let counts = parts.entry(file.part).or_default();
            match &file.label {
                Label::Class(name) => *counts.entry(name).or_default() += 1,
                Label::Labels(names) => {
                    names.iter().for_each(|name| *counts.entry(name).or_default() += 1);
                }
                Label::Numbers(_) => {}
            }
        }
        let named = |counts: BTreeMap<&str, usize>| {
            counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
        };
        let part = |(part, counts)| PartCounts { part, classes: named(counts) };
        Self { layout, samples: files.len(), parts: parts.into_iter().map(part).collect() }
    }
}

/// Looks at the data at `root` as `options` say, and counts what each way to read it would give.
///
/// # Errors
///
/// Nothing lies there that could be data, or the user stopped.
pub fn look(root: &Path, options: &ScanOptions, control: &dyn Control) -> Result<DataGlance, ScanError> {
    let readings = if root.is_dir() { readings(root, options, control)? } else { Vec::new() };
    let (table, no_table) = match glance(root, options, control) {
        Ok(table) => (Some(table), None),
        Err(stopped @ ScanError::Stopped { .. }) => return Err(stopped),
        // A folder may do without.
        Err(ScanError::NotADataset { .. }) if !readings.is_empty() => (None, None),
        Err(error) if !readings.is_empty() => (None, Some(error.to_string())),
        Err(error) => return Err(error),
    };
    Ok(DataGlance { root: root.to_owned(), table, no_table, readings })
}

fn readings(root: &Path, options: &ScanOptions, control: &dyn Control) -> Result<Vec<Reading>, ScanError> {
    let tree = Tree::walk(root, control)?;
    let nothing = KnownFiles::default();
    let mut memory = Memory::new(&nothing);
    let named = match tables::naming_files(root, &tree, options, control) {
        Err(stopped @ ScanError::Stopped { .. }) => return Err(stopped),
        // What is wrong with the table is said beside it.
        named => named.ok().and_then(tables::Naming::files),
    };
    // Nor do folders and names that give no classes say any more here.
    let folders = folders::recognise(root, &tree, None, &mut memory).ok().flatten();
    let other = folders.as_ref().and_then(folders::ClassFolders::other);
    let other = other.and_then(|other| {
        let folders = folders::recognise(root, &tree, Some(other), &mut memory).ok().flatten()?;
        Some(Reading::of(other, folders.files()))
    });
    let names = Names::of(root, &tree, &mut memory);
    let agrees = named.as_ref().zip(folders.as_ref()).is_some_and(|(named, folders)| {
        named.agrees(&folders.labels()) || named.is_beside(&folders.labels())
    });
    let mut all: Vec<Reading> = Vec::new();
    let table = named.as_ref().map(|named| Reading::of(LayoutChoice::Table, named.files()));
    let folders = folders.as_ref().map(|folders| Reading::of(folders.layout(), folders.files()));
    // As a scan finds out: a table counts where the folders say something else.
    all.extend(if agrees { [folders, table] } else { [table, folders] }.into_iter().flatten());
    all.extend(other);
    all.extend(names.as_ref().map(|names| Reading::of(LayoutChoice::Names, names.files())));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Silent;
    use crate::data::scan::tests::{folder, png};

    fn words(reading: &Reading) -> (LayoutChoice, usize, String) {
        let part = |part: &PartCounts| {
            let counts: Vec<String> = part.classes.iter().map(|(name, n)| format!("{name} {n}")).collect();
            format!("{}: {}", part.part.map_or("all", Part::name), counts.join(", "))
        };
        let parts: Vec<String> = reading.parts.iter().map(part).collect();
        (reading.layout, reading.classes(), parts.join("; "))
    }

    /// Meant to fail with the readings in a fixed order.
    #[test]
    fn a_folder_that_can_be_read_in_two_ways_shows_both_with_their_counts() {
        let pictures: Vec<(String, Vec<u8>)> = ["a", "b", "c", "d"]
            .iter()
            .enumerate()
            .map(|(n, name)| (format!("{}/{name}.png", ["left", "right"][n % 2]), png(n as u8)))
            .collect();
        let table =
            "file,label\nleft/a.png,cat\nright/b.png,cat\nleft/c.png,dog\nright/d.png,dog\n".to_string();
        let files = |table: &str| {
            let mut files = pictures.clone();
            files.push(("labels.csv".to_string(), table.as_bytes().to_vec()));
            files
        };
        let made = |table: &str| {
            let files = files(table);
            let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
            folder(&files)
        };
        let root = made(&table);
        let look = look(root.path(), &ScanOptions::default(), &Silent).unwrap();
        let told: Vec<_> = look.readings.iter().map(words).collect();
        assert_eq!(
            told,
            [
                (LayoutChoice::Table, 2, "all: cat 2, dog 2".to_string()),
                (LayoutChoice::Folders, 2, "all: left 2, right 2".to_string())
            ]
        );
        assert_eq!(look.table.map(|table| table.columns.len()), Some(2));
        // Where both say the same, the folders come first, as a scan takes them.
        let root =
            made("file,label\nleft/a.png,left\nright/b.png,right\nleft/c.png,left\nright/d.png,right\n");
        let look = super::look(root.path(), &ScanOptions::default(), &Silent).unwrap();
        assert_eq!(look.readings.first().map(|reading| reading.layout), Some(LayoutChoice::Folders));
    }

    #[test]
    fn a_look_at_a_table_or_at_nothing() {
        let root = folder(&[("a.csv", b"text,label\na b c,x\nd e f,y\n"), ("b.bin", b"\0\x01")]);
        let table = look(&root.path().join("a.csv"), &ScanOptions::default(), &Silent).unwrap();
        assert_eq!((table.readings.len(), table.table.map(|table| table.rows.len())), (0, Some(2)));
        assert!(look(&root.path().join("none"), &ScanOptions::default(), &Silent).is_err());
        assert!(look(&root.path().join("b.bin"), &ScanOptions::default(), &Silent).is_err());
    }
}
