//! Files that tables name and label.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::columns::Choice;
use super::files::{self, LabelledFile};
use super::known::Memory;
use super::parts::part_of_folder;
use super::{Found, Label, ScanError};
use crate::control::Control;
use crate::data::index::{
    ColumnsBeside, Finding, FindingKind, Layout, Modality, Part, counted, few_counts, portable,
};

/// What tables say of files.
pub(super) struct NamedFiles {
    tables: Vec<PathBuf>,
    chosen: Choice,
    files: Vec<LabelledFile>,
    findings: Vec<Finding>,
    is_root: bool,
}

impl NamedFiles {
    /// Of one table, which is the whole dataset.
    pub fn of_one(
        table: PathBuf,
        chosen: Choice,
        files: Vec<LabelledFile>,
        findings: Vec<Finding>,
    ) -> NamedFiles {
        let mut named = NamedFiles { tables: vec![table], chosen, files, findings, is_root: true };
        named.drop_repeated();
        named.part_by_folders();
        named
    }

    /// Of the tables of a folder; `None` where they name no file that is there.
    pub fn of_several(
        tables: Vec<PathBuf>,
        chosen: Choice,
        read: Vec<(Option<Part>, Vec<LabelledFile>)>,
        findings: Vec<Finding>,
    ) -> Option<NamedFiles> {
        // One table that is called "train" has no other part beside it: its rows are all there is.
        let parted = read.iter().filter_map(|(part, _)| *part).collect::<BTreeSet<_>>().len() > 1;
        let mut files = Vec::new();
        for (part, named) in read {
            let part = part.filter(|_| parted);
            files.extend(named.into_iter().map(|file| LabelledFile { part: file.part.or(part), ..file }));
        }
        let mut named = NamedFiles { tables, chosen, files, findings, is_root: false };
        named.drop_repeated();
        named.part_by_folders();
        (!named.files.is_empty()).then_some(named)
    }

    /// The file that labels the others, or the first of several.
    pub fn table(&self) -> &Path {
        self.tables.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// The files with what they are labelled as.
    pub fn files(&self) -> &[LabelledFile] {
        &self.files
    }

    /// "16 files (cat 8, dog 8)".
    pub fn in_words(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for file in &self.files {
            match &file.label {
                Label::Class(name) => *counts.entry(name).or_default() += 1,
                Label::Labels(names) => {
                    names.iter().for_each(|name| *counts.entry(name).or_default() += 1);
                }
                Label::Numbers(_) => {}
            }
        }
        let files = counted(self.files.len() as u64, "file");
        match few_counts(&counts) {
            counts if counts.is_empty() => files,
            counts => format!("{files} ({counts})"),
        }
    }

    /// Whether the folders say the same: each label goes with one folder's class, and each class with one label.
    pub fn agrees(&self, folders: &BTreeMap<&Path, &str>) -> bool {
        let (mut class_of, mut label_of) = (BTreeMap::new(), BTreeMap::new());
        self.files.iter().all(|file| match (&file.label, folders.get(file.path.as_path())) {
            (Label::Class(label), Some(class)) => {
                class_of.entry(label.as_str()).or_insert(*class) == class
                    && *label_of.entry(*class).or_insert(label.as_str()) == label.as_str()
            }
            // What the folders do not know may be a sample beside them.
            (Label::Class(_), None) => true,
            (Label::Labels(_) | Label::Numbers(_), _) => false,
        })
    }

    /// Whether the table notes something beside what `folders` label: it names less than half of the files and of those in
    /// the one folder that it names any of, or gives nearly every file a class of its own.
    pub fn is_beside(&self, folders: &BTreeMap<&Path, &str>) -> bool {
        let of_classes: BTreeSet<&str> =
            self.files.iter().filter_map(|file| folders.get(file.path.as_path()).copied()).collect();
        // Pictures in one folder beside others may be what the table labels.
        let in_one = folders.values().filter(|class| of_classes.contains(*class)).count();
        let is_few = |all: usize| self.files.len() * 2 < all;
        let names_few = is_few(folders.len()) && (of_classes.len() > 1 || is_few(in_one));
        let distinct: BTreeSet<&str> = self.files.iter().map(|file| file.label.class()).collect();
        let is_class = |file: &LabelledFile| matches!(file.label, Label::Class(_));
        let hardly_come_again = self.files.len() > 4
            && distinct.len() * 10 > self.files.len() * 9
            && self.files.iter().all(is_class);
        names_few || hardly_come_again
    }

    /// The part of each file that the table gives one.
    pub fn parts(&self) -> BTreeMap<PathBuf, Part> {
        self.files.iter().filter_map(|file| Some((file.path.clone(), file.part?))).collect()
    }

    /// Notes something about the whole.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Notes the samples among `all` the files of a folder that no row names; gives the number of files that are
    /// neither these nor named.
    pub fn tell_unnamed(&mut self, root: &Path, all: &[PathBuf], memory: &mut Memory) -> u64 {
        let named: BTreeSet<&Path> = self.files.iter().map(|file| file.path.as_path()).collect();
        let mut kinds = named.iter().filter_map(|path| Modality::of_name(path));
        let modality = kinds.next().unwrap_or(Modality::Image);
        let mut folders: BTreeMap<&Path, (u64, &Path)> = BTreeMap::new();
        for path in all.iter().map(PathBuf::as_path).filter(|path| !named.contains(path)) {
            if files::kind(root, path, memory) == Some(modality) {
                folders.entry(path.parent().unwrap_or(Path::new(""))).or_insert((0, path)).0 += 1;
            }
        }
        let finding = |(folder, (number, first)): (&Path, (u64, &Path))| {
            let place = match portable(folder) {
                place if place.is_empty() => "the top folder".to_owned(),
                place => format!("the folder {place}"),
            };
            let (files, are) = (counted(number, "file"), if number == 1 { "is" } else { "are" });
            Finding {
                file: first.to_owned(),
                line: None,
                kind: FindingKind::MissingLabel,
                reason: format!("{files} in {place} {are} named in no row, so nothing says the label"),
                remedy: "Add a row for each file that shall be used.".to_owned(),
            }
        };
        let unnamed: u64 = folders.values().map(|(number, _)| number).sum();
        let beside = (all.len() as u64).saturating_sub(named.len() as u64 + unnamed);
        let findings: Vec<Finding> = folders.into_iter().map(finding).collect();
        self.findings.extend(findings);
        beside
    }

    /// Reads the files, which lie below `base`.
    pub fn read(self, base: &Path, memory: &mut Memory, control: &dyn Control) -> Result<Found, ScanError> {
        let NamedFiles { tables, chosen, mut files, mut findings, is_root } = self;
        for file in &mut files {
            file.kind = files::kind(base, &file.path, memory);
        }
        let modality = files::modality(base, &files)?;
        let samples = files::read(base, modality, files, &mut findings, memory, control)?;
        let parts: BTreeSet<Part> = samples.iter().filter_map(|sample| sample.part).collect();
        let layout = Layout::NamedFiles {
            modality,
            tables,
            items: 0,
            file_column: chosen.options.file_column.unwrap_or_default(),
            label_columns: chosen.options.label_columns,
            form: chosen.form.unwrap_or_default(),
            beside: ColumnsBeside { joined: Vec::new(), part: chosen.parts, group: chosen.group },
            parts: parts.into_iter().collect(),
            is_root,
        };
        Ok(Found { modality, samples, findings, layout, beside: 0 })
    }

    /// Keeps one row of those that say the same of a file, as tables with a row for each box or rater have it.
    fn drop_repeated(&mut self) {
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        let before = self.files.len();
        let mut kept: Vec<LabelledFile> = Vec::with_capacity(before);
        for file in std::mem::take(&mut self.files) {
            let mut earlier = kept.iter().rev().take_while(|kept| kept.path == file.path);
            if !earlier.any(|kept| kept.label == file.label) {
                kept.push(file);
            }
        }
        self.files = kept;
        let repeated = before - self.files.len();
        if repeated > 0 {
            let rows = counted(repeated as u64, "row");
            let (names, says) = if repeated == 1 { ("names", "says") } else { ("name", "say") };
            self.add(Finding {
                file: self.table().to_owned(),
                line: None,
                kind: FindingKind::PassedOver,
                reason: format!("{rows} {names} a file once more and {says} the same of it, so one counts"),
                remedy: "Nothing needs to be done.".to_owned(),
            });
        }
    }

    /// Where no table says the part, the folders of the files do if they are named after several parts.
    fn part_by_folders(&mut self) {
        if self.files.iter().any(|file| file.part.is_some()) {
            return;
        }
        let part = |file: &LabelledFile| {
            let mut folders = file.path.parent()?.components();
            folders.find_map(|folder| part_of_folder(&folder.as_os_str().to_string_lossy()))
        };
        let parts: Vec<Option<Part>> = self.files.iter().map(part).collect();
        if parts.iter().flatten().collect::<BTreeSet<_>>().len() > 1 && !parts.contains(&None) {
            self.files.iter_mut().zip(parts).for_each(|(file, part)| file.part = part);
        }
    }
}
