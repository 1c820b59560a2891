//! Recognising class folders, below part folders or not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::LabelledFile;
use super::known::Memory;
use super::parts::part_within;
use super::walk::Tree;
use super::{Found, Label, ScanError, files, tables};
use crate::control::Control;
use crate::data::facts::Beside;
use crate::data::index::{Finding, FindingKind, Layout, Modality, Part, counted, few_counts, portable};
use crate::data::text;

/// Class folders that were recognised, with the files in them.
pub(super) struct ClassFolders {
    modality: Modality,
    files: Vec<LabelledFile>,
    /// By their paths below the top, with each name once.
    folders: BTreeMap<PathBuf, ClassFolder>,
    parts: Vec<Part>,
    findings: Vec<Finding>,
    /// Files outside of the class folders that are no samples.
    beside: u64,
}

struct ClassFolder {
    path: PathBuf,
    label: String,
    part: Option<Part>,
}

/// Class folders in `tree`, or `None` where there are none and tables lie at the top.
pub(super) fn recognise(
    root: &Path,
    tree: &Tree,
    memory: &mut Memory,
) -> Result<Option<ClassFolders>, ScanError> {
    let kinds: Vec<Option<Modality>> =
        tree.files.iter().map(|path| files::kind(root, path, memory)).collect();
    let all = || tree.files.iter().map(PathBuf::as_path).zip(kinds.iter().copied());
    let data: Vec<(&Path, Modality)> = all().filter_map(|(path, kind)| Some((path, kind?))).collect();
    // A read-me beside tables in a folder of their own is no class.
    let are_read_mes = data.iter().all(|(path, _)| text::is_read_me(path));
    if are_read_mes && tables::depth_of_tables(&tree.files).is_some() {
        return Ok(None);
    }
    let top = top_folder(&data);
    let below: Vec<PathBuf> =
        data.iter().filter_map(|(path, _)| path.strip_prefix(&top).ok()).map(once_each).collect();
    if below.iter().all(|path| depth(path) <= 1) {
        // A table beside images describes the images; it is no dataset of texts.
        let tables = tree.files.iter().any(|p| depth(p) == 1 && tables::named_like_a_table(p));
        let are_texts = data.iter().all(|(_, kind)| *kind == Modality::Text);
        if are_texts && (tables || tables::are_tables_of_parts(&below)) {
            return Ok(None);
        }
        return Err(without_folders(root, &top, &data, tree));
    }
    let named = NamedParts::of(&below);
    let parted = match named.shape(&below) {
        Shape::Classes => false,
        Shape::Parts => true,
        Shape::PartsWithoutClasses => {
            let folders = named.0.keys().cloned().collect();
            let table = tree.files.iter().find(|path| tables::named_like_a_table(path)).cloned();
            return Err(ScanError::PartsWithoutClasses { path: root.join(top), folders, table, names: None });
        }
    };
    let folders = class_folders(tree, &top, parted.then_some(&named));
    let level = 1 + usize::from(parted);
    let (mut files, mut strays) = (Vec::new(), Vec::new());
    for (path, kind) in all() {
        let inside = path.strip_prefix(&top).map(once_each).unwrap_or_default();
        // The last name is the file's own.
        let holder =
            Some(inside.components().take(level).collect::<PathBuf>()).filter(|_| depth(&inside) > level);
        match holder.and_then(|holder| folders.get(&holder)) {
            Some(ClassFolder { label, part, .. }) => {
                let (path, label) = (path.to_owned(), Label::Class(label.clone()));
                files.push(LabelledFile { path, label, part: *part, group: None, kind });
            }
            None => strays.push((path, kind)),
        }
    }
    let modality = files::modality(root, &files)?;
    let (findings, unlabelled) = outside(&top, modality, &strays);
    let beside = strays.len() as u64 - unlabelled;
    let parts: BTreeSet<Part> = folders.values().filter_map(|folder| folder.part).collect();
    let parts = parts.into_iter().collect();
    Ok(Some(ClassFolders { modality, files, folders, parts, findings, beside }))
}

impl ClassFolders {
    /// The class that the folders give each file.
    pub fn labels(&self) -> BTreeMap<&Path, &str> {
        self.files.iter().map(|file| (file.path.as_path(), file.label.class())).collect()
    }

    /// The files with what they are labelled as.
    pub fn files(&self) -> &[LabelledFile] {
        &self.files
    }

    /// "2 classes (cat 8, dog 8)".
    pub fn in_words(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for label in self.labels().into_values() {
            *counts.entry(label).or_default() += 1;
        }
        let classes = if counts.len() == 1 { "class" } else { "classes" };
        format!("{} {classes} ({})", counts.len(), few_counts(&counts))
    }

    /// Reads the files.
    pub fn read(
        self,
        root: &Path,
        mut findings: Vec<Finding>,
        memory: &mut Memory,
        control: &dyn Control,
    ) -> Result<Found, ScanError> {
        let ClassFolders { modality, files, folders, parts, findings: of_layout, beside } = self;
        findings.extend(of_layout);
        let samples = files::read(root, modality, files, &mut findings, memory, control)?;
        let holding: BTreeSet<(&str, Option<Part>)> =
            samples.iter().map(|sample| (sample.label.class(), sample.part)).collect();
        let mut used = 0;
        for folder in folders.into_values() {
            if holding.contains(&(folder.label.as_str(), folder.part)) {
                used += 1;
            } else {
                findings.push(empty(folder.path, modality));
            }
        }
        let layout = Layout::Folders { modality, items: 0, folders: used, parts };
        Ok(Found { modality, samples, findings, layout, beside })
    }
}

/// The folder that holds the class or part folders: the root, or what lies below folders that hold nothing else, as
/// unpacking an archive leaves them.
fn top_folder(data: &[(&Path, Modality)]) -> PathBuf {
    let (mut top, mut open) = (PathBuf::new(), PathBuf::new());
    while let Some(Level { only, below }) = Level::of(data, &open) {
        let is_part = |name: &std::ffi::OsString| Part::from_name(&name.to_string_lossy()).is_some();
        if is_part(&only) {
            break;
        }
        open.push(only);
        // Where one folder is all that lies in it, that may be a wrapping too, or the one class there is.
        if below.len() > 1 || below.iter().any(is_part) {
            top.clone_from(&open);
        }
    }
    top
}

/// A folder in which all samples lie in one folder.
struct Level {
    only: std::ffi::OsString,
    /// The folders in that.
    below: BTreeSet<std::ffi::OsString>,
}

impl Level {
    fn of(data: &[(&Path, Modality)], folder: &Path) -> Option<Level> {
        let mut only: Option<std::ffi::OsString> = None;
        let mut below = BTreeSet::new();
        for (path, kind) in data {
            let mut names =
                path.strip_prefix(folder).ok()?.components().map(|name| name.as_os_str().to_owned());
            let (name, second) = (names.next(), names.next());
            if second.is_none() && kind.facts().beside == Beside::ReadMe {
                continue;
            }
            if second.is_none() || only.as_ref().is_some_and(|only| Some(only) != name.as_ref()) {
                return None;
            }
            only = name;
            if names.next().is_some() {
                below.extend(second);
            }
        }
        Some(Level { only: only?, below })
    }
}

/// What the folders right below the top are.
enum Shape {
    Classes,
    /// Parts, with the class folders in them.
    Parts,
    /// Parts that hold samples, and nothing says of which class.
    PartsWithoutClasses,
}

/// The folders right below the top that are named after parts: `train`, or several with one word around it, as in
/// `seg_train` and `seg_test`, `training_set` and `test_set`, `train2017` and `val2017`.
struct NamedParts(BTreeMap<String, Part>);

impl NamedParts {
    fn of(files: &[PathBuf]) -> NamedParts {
        let names: BTreeSet<String> = files
            .iter()
            .filter(|file| depth(file) > 1)
            .filter_map(|file| names_of(file).into_iter().next())
            .collect();
        let mut around: BTreeMap<(String, String), Vec<(&String, Part)>> = BTreeMap::new();
        for name in &names {
            if let Some((before, part, after)) = part_within(name) {
                around.entry((before, after)).or_default().push((name, part));
            }
        }
        let several =
            |parts: &[(&String, Part)]| parts.iter().map(|(_, part)| part).collect::<BTreeSet<_>>().len() > 1;
        let named = around.into_iter().filter(|((before, after), parts)| {
            let is_bare = before.is_empty() && after.is_empty();
            is_bare || several(parts)
        });
        let found = named.flat_map(|(_, parts)| parts).map(|(name, part)| (name.clone(), part));
        NamedParts(found.collect())
    }

    /// A class may be called "train" too (among cars and ships): then its neighbours have no names of parts.
    fn shape(&self, files: &[PathBuf]) -> Shape {
        let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for file in files {
            if let [folder, rest @ ..] = names_of(file).as_slice()
                && !rest.is_empty()
            {
                let classes = folders.entry(folder.clone()).or_default();
                if let [class, _, ..] = rest {
                    classes.insert(class.clone());
                }
            }
        }
        let parts: Vec<&BTreeSet<String>> = self.0.keys().filter_map(|name| folders.get(name)).collect();
        let with_classes = parts.iter().filter(|classes| !classes.is_empty()).count();
        // Beside other folders (unlabelled images, say) two parts must share a class.
        let share = parts
            .iter()
            .enumerate()
            .any(|(number, a)| parts.iter().skip(number + 1).any(|b| !a.is_disjoint(b)));
        let all = parts.len() == folders.len();
        if with_classes > 0 && (all || share) {
            Shape::Parts
        } else if with_classes == 0 && all && self.are_parts_alone() {
            Shape::PartsWithoutClasses
        } else {
            Shape::Classes
        }
    }

    /// Folders that are all called "train1", "train2" may be kinds of trains.
    fn are_parts_alone(&self) -> bool {
        let parts: BTreeSet<Part> = self.0.values().copied().collect();
        parts.contains(&Part::Train) && (parts.len() > 1 || self.0.len() == 1)
    }
}

/// The path without names that stand right below the same name, as unpacking leaves them: `seg_train/seg_train`.
fn once_each(path: &Path) -> PathBuf {
    let mut names: Vec<_> = path.components().collect();
    let file = names.pop();
    names.dedup();
    names.into_iter().chain(file).collect()
}

fn names_of(path: &Path) -> Vec<String> {
    path.components().map(|name| name.as_os_str().to_string_lossy().into_owned()).collect()
}

/// The class folders, by their paths below the top.
fn class_folders(tree: &Tree, top: &Path, parts: Option<&NamedParts>) -> BTreeMap<PathBuf, ClassFolder> {
    let mut found = BTreeMap::new();
    for path in &tree.folders {
        let Ok(below) = path.strip_prefix(top) else {
            continue;
        };
        let mut names = names_of(below);
        names.dedup();
        let (label, part) = match (names.as_slice(), parts) {
            ([label], None) => (label, None),
            ([part, label], Some(parts)) => match parts.0.get(part) {
                Some(part) => (label, Some(*part)),
                None => continue,
            },
            (_, None | Some(_)) => continue,
        };
        let (label, path) = (label.clone(), path.clone());
        found.entry(names.iter().collect()).or_insert(ClassFolder { path, label, part });
    }
    found
}

fn without_folders(root: &Path, top: &Path, data: &[(&Path, Modality)], tree: &Tree) -> ScanError {
    match files::counted_kinds(data.iter().map(|(_, kind)| *kind)).first() {
        Some((modality, files)) => {
            ScanError::Flat { path: root.join(top), files: *files, what: modality.facts().many, names: None }
        }
        None => {
            let first = tree.findings.first().map(super::error::in_words);
            ScanError::Empty { path: root.to_owned(), first }
        }
    }
}

fn depth(path: &Path) -> usize {
    path.components().count()
}

/// A finding for each folder that holds samples of no class, and how many these are.
fn outside(top: &Path, modality: Modality, strays: &[(&Path, Option<Modality>)]) -> (Vec<Finding>, u64) {
    let mut folders: BTreeMap<&Path, (u64, &Path)> = BTreeMap::new();
    for (path, kind) in strays {
        let folder = path.parent().unwrap_or(Path::new(""));
        let is_read_me = match modality.facts().beside {
            Beside::Sample => false,
            Beside::ReadMe => folder == top || !path.starts_with(top),
        };
        if *kind == Some(modality) && !is_read_me {
            folders.entry(folder).or_insert((0, path)).0 += 1;
        }
    }
    let finding = |(folder, (number, first)): (&Path, (u64, &Path))| {
        let place = match portable(folder) {
            place if place.is_empty() => "the top folder".to_owned(),
            place => format!("the folder {place}"),
        };
        let (it, lies) = if number == 1 { ("it", "lies") } else { ("them", "lie") };
        let files = counted(number, "file");
        Finding {
            file: first.to_owned(),
            line: None,
            kind: FindingKind::MissingLabel,
            reason: format!("{files} in {place} {lies} in no class folder"),
            remedy: format!("Move {it} into a folder named after the class."),
        }
    };
    let number = folders.values().map(|(number, _)| number).sum();
    (folders.into_iter().map(finding).collect(), number)
}

fn empty(folder: PathBuf, modality: Modality) -> Finding {
    let (what, many) = (modality.facts().name, modality.facts().many);
    Finding {
        file: folder,
        line: None,
        kind: FindingKind::EmptyFolder,
        reason: format!("the class folder holds no usable {what}"),
        remedy: format!("Put {many} of the class into it, or remove the folder."),
    }
}
