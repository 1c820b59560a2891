//! Classes in the names of files: `cat.0.jpg`, `n01440764_1.JPEG`, `american_bulldog_100.jpg`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::{self, LabelledFile};
use super::known::Memory;
use super::parts::part_of_folder;
use super::walk::Tree;
use super::{Found, Label, ScanError};
use crate::control::Control;
use crate::data::index::{Finding, FindingKind, Layout, Modality, Part, counted, few_counts, portable};

/// A class that the name of a file begins with.
type Pattern = fn(&str) -> Option<&str>;

/// The surest first: all before the number at the end, all before the first mark.
const PATTERNS: [Pattern; 2] = [before_number, before_mark];

/// Files whose names begin with their classes.
pub(super) struct Names {
    files: Vec<LabelledFile>,
    findings: Vec<Finding>,
    modality: Modality,
    /// How many other files there are.
    beside: u64,
}

impl Names {
    /// The classes in the names of the samples in `tree`, if there are two or more that come again. Folders most of
    /// whose names begin with none are left out.
    pub fn of(root: &Path, tree: &Tree, memory: &mut Memory) -> Option<Names> {
        let kind = |path: &PathBuf| Some((path.clone(), files::kind(root, path, memory)?));
        let data: Vec<(PathBuf, Modality)> = tree.files.iter().filter_map(kind).collect();
        let counts = files::counted_kinds(data.iter().map(|(_, kind)| *kind));
        let (modality, _) = *counts.iter().max_by_key(|(_, count)| *count)?;
        let mut folders: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
        for (path, _) in data.iter().filter(|(_, kind)| *kind == modality) {
            folders.entry(path.parent()?).or_default().push(path);
        }
        let names = PATTERNS.iter().find_map(|pattern| Self::by(*pattern, modality, &folders))?;
        let total: usize = folders.values().map(Vec::len).sum();
        Some(Names { beside: (tree.files.len() - total) as u64, ..names })
    }

    fn by(pattern: Pattern, modality: Modality, folders: &BTreeMap<&Path, Vec<&Path>>) -> Option<Names> {
        let class = |path: &Path| pattern(path.file_stem()?.to_str()?).map(str::to_owned);
        let fits = |paths: &[&Path]| {
            paths.iter().filter(|path| class(path).is_some()).count() * 10 >= paths.len() * 9
        };
        let (fitting, others): (Vec<_>, Vec<_>) = folders.iter().partition(|(_, paths)| fits(paths));
        let total: usize = folders.values().map(Vec::len).sum();
        let fitting_files: usize = fitting.iter().map(|(_, paths)| paths.len()).sum();
        if fitting_files * 2 < total {
            return None;
        }
        let part = |folder: &Path| {
            folder.components().find_map(|name| part_of_folder(&name.as_os_str().to_string_lossy()))
        };
        let parts: BTreeSet<Option<Part>> = fitting.iter().map(|(folder, _)| part(folder)).collect();
        let parted = parts.len() > 1 && !parts.contains(&None);
        let (mut files, mut findings) = (Vec::new(), Vec::new());
        for (folder, paths) in fitting {
            for path in paths {
                match class(path) {
                    Some(label) => files.push(LabelledFile {
                        group: None,
                        path: path.to_path_buf(),
                        label: Label::Class(label),
                        part: part(folder).filter(|_| parted),
                        kind: Some(modality),
                    }),
                    None => findings.push(nameless(path, format!("the name of {} begins", portable(path)))),
                }
            }
        }
        for (folder, paths) in others {
            let (names, begin) = if paths.len() == 1 { ("name", "begins") } else { ("names", "begin") };
            let files = counted(paths.len() as u64, "file");
            let place = portable(folder);
            findings.extend(paths.first().map(|first| {
                nameless(first, format!("the {names} of {files} in the folder {place} {begin}"))
            }));
        }
        let names = Names { files, findings, modality, beside: 0 };
        let counts = names.counts();
        (counts.len() > 1 && counts.values().all(|count| *count > 1)).then_some(names)
    }

    /// The files with what they are labelled as.
    pub fn files(&self) -> &[LabelledFile] {
        &self.files
    }

    /// "cat 5, dog 5".
    pub fn in_words(&self) -> String {
        few_counts(&self.counts())
    }

    fn counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for file in &self.files {
            *counts.entry(file.label.class()).or_default() += 1;
        }
        counts
    }

    /// Reads the files.
    pub fn read(self, root: &Path, memory: &mut Memory, control: &dyn Control) -> Result<Found, ScanError> {
        let Names { files, mut findings, modality, beside } = self;
        let samples = files::read(root, modality, files, &mut findings, memory, control)?;
        let parts: BTreeSet<Part> = samples.iter().filter_map(|sample| sample.part).collect();
        let layout = Layout::Names { modality, items: 0, parts: parts.into_iter().collect() };
        Ok(Found { modality, samples, findings, layout, beside })
    }
}

fn nameless(file: &Path, what: String) -> Finding {
    Finding {
        file: file.to_owned(),
        line: None,
        kind: FindingKind::MissingLabel,
        reason: format!("{what} with no class, so nothing says the label"),
        remedy: "Write the class before the number in the name, or leave it so.".to_owned(),
    }
}

/// What stands before the number at the end: `american_bulldog` of `american_bulldog_100`, `cat` of `cat (12)`.
fn before_number(stem: &str) -> Option<&str> {
    let is_end = |c: char| c.is_ascii_digit() || is_mark(c);
    let class = stem.trim_end_matches(is_end);
    let number = stem.get(class.len()..)?;
    // The digits of n01440764 are its own: the number is what follows the last mark.
    let class = match number.rfind(is_mark) {
        Some(at) if number.get(..at)?.contains(|c: char| c.is_ascii_digit()) && class.len() < 3 => {
            stem.get(..class.len() + at)?.trim_end_matches(is_mark)
        }
        _ => class,
    };
    let has_number = number.contains(|c: char| c.is_ascii_digit());
    (has_number && class.contains(char::is_alphabetic)).then_some(class)
}

/// What stands before the first mark: `cat` of `cat_3fa9c1`.
fn before_mark(stem: &str) -> Option<&str> {
    let (class, rest) = stem.split_once(is_mark)?;
    (class.contains(char::is_alphabetic) && !rest.is_empty()).then_some(class)
}

fn is_mark(c: char) -> bool {
    matches!(c, '.' | '_' | '-' | ' ' | '(' | ')' | '#' | '@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_stand_before_numbers() {
        let check = |stem: &str, expected: Option<&str>| assert_eq!(before_number(stem), expected, "{stem}");
        check("cat.0", Some("cat"));
        check("american_bulldog_100", Some("american_bulldog"));
        check("n01440764_1", Some("n01440764"));
        check("cat (12)", Some("cat"));
        check("cat12", Some("cat"));
        check("cat-2021-05-03", Some("cat"));
        check("cat", None);
        check("1", None);
        check("2021_05", None);
        assert_eq!(before_mark("cat_3fa9c1"), Some("cat"));
        assert_eq!(before_mark("cat"), None);
    }
}
