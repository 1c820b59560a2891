//! Recognising class folders, below part folders or not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::LabelledFile;
use super::known::Memory;
use super::options::LayoutChoice;
use super::parts::{is_unlabelled, part_of_folder, part_within};
use super::shape::{OtherLevel, Shape, Shapeless, names_of};
use super::walk::Tree;
use super::{Found, Label, ScanError, files, tables};
use crate::control::Control;
use crate::data::facts::{Beside, Carrier};
use crate::data::index::{Finding, FindingKind, Layout, Modality, Part, counted, few, few_counts, portable};
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
    /// How the same folders may be read otherwise.
    other: Option<LayoutChoice>,
}

struct ClassFolder {
    path: PathBuf,
    label: String,
    part: Option<Part>,
}

/// Class folders in `tree`, or `None` where there are none and tables lie at the top. Where the folders or those in
/// them may be the classes, what was `asked` for counts.
pub(super) fn recognise(
    root: &Path,
    tree: &Tree,
    asked: Option<LayoutChoice>,
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
        let are_words = data.iter().all(|(_, kind)| kind.facts().carrier == Carrier::Words);
        if are_words && (tables || tables::are_tables_of_parts(&below)) {
            return Ok(None);
        }
        return Err(without_folders(root, &top, &data, tree));
    }
    let shape = match Shape::of(&below, asked) {
        Ok(shape) => shape,
        Err(Shapeless::PartsWithoutClasses(folders)) => {
            let table = tree.files.iter().find(|path| tables::named_like_a_table(path)).cloned();
            return Err(ScanError::PartsWithoutClasses { path: root.join(top), folders, table, names: None });
        }
        Err(Shapeless::Repeated(folders)) => {
            return Err(ScanError::RepeatedParts { path: root.join(top), folders });
        }
    };
    let folders = class_folders(tree, &top, &shape, &below);
    let (files, strays) = parted(all(), &top, &shape, &folders);
    let modality = files::modality(root, &files)?;
    let (mut findings, unlabelled) = outside(&top, modality, &strays);
    findings.extend(shape.other.as_ref().map(|other| other_level(&top, other)));
    findings.extend(layers(&top, &folders));
    let beside = strays.len() as u64 - unlabelled;
    let parts: BTreeSet<Part> = folders.values().filter_map(|folder| folder.part).collect();
    let parts = parts.into_iter().collect();
    let other = shape.other.map(|other| other.layout);
    Ok(Some(ClassFolders { modality, files, folders, parts, findings, beside, other }))
}

/// A file and what it seems to be.
type Seen<'a> = (&'a Path, Option<Modality>);

/// The files in class folders, and all others.
fn parted<'a>(
    all: impl Iterator<Item = Seen<'a>>,
    top: &Path,
    shape: &Shape,
    folders: &BTreeMap<PathBuf, ClassFolder>,
) -> (Vec<LabelledFile>, Vec<Seen<'a>>) {
    let (mut files, mut strays) = (Vec::new(), Vec::new());
    for (path, kind) in all {
        let inside = path.strip_prefix(top).map(once_each).unwrap_or_default();
        // The last name is the file's own.
        let within = |level: usize| {
            let holder: PathBuf = inside.components().take(level).collect();
            folders.get(&holder).filter(|_| depth(&inside) > level)
        };
        let directly = || within(1 + shape.class).filter(|_| shape.parts_are_inside());
        match within(shape.depth()).or_else(directly) {
            Some(ClassFolder { label, part, .. }) => {
                let (path, label) = (path.to_owned(), Label::Class(label.clone()));
                files.push(LabelledFile { path, label, part: *part, group: None, kind });
            }
            None => strays.push((path, kind)),
        }
    }
    (files, strays)
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

    /// How the same folders may be read otherwise.
    pub fn other(&self) -> Option<LayoutChoice> {
        self.other
    }

    /// With one more thing that is told.
    pub fn with(mut self, finding: Option<Finding>) -> ClassFolders {
        self.findings.extend(finding);
        self
    }

    /// How they are read.
    pub fn layout(&self) -> LayoutChoice {
        match self.other {
            Some(LayoutChoice::Folders) => LayoutChoice::Inner,
            Some(LayoutChoice::Inner | LayoutChoice::Table | LayoutChoice::Names) | None => {
                LayoutChoice::Folders
            }
        }
    }

    /// Whether they are read as `asked`: only folders that hold the same ones can be read so that those are the classes.
    pub fn are(&self, asked: LayoutChoice) -> bool {
        asked != LayoutChoice::Inner || self.other == Some(LayoutChoice::Folders)
    }

    /// Takes what `parts` say of the files where folders say nothing of parts; what they do not name stays out, with a
    /// finding for all of it. Where they name less than half of the files, they are of something else.
    pub fn part_by(mut self, table: &Path, parts: &BTreeMap<PathBuf, Part>) -> ClassFolders {
        let known = self.files.iter().filter(|file| parts.contains_key(&file.path)).count();
        if !self.parts.is_empty() || known * 2 < self.files.len() || known == 0 {
            return self;
        }
        let (named, others): (Vec<LabelledFile>, Vec<LabelledFile>) =
            self.files.into_iter().partition(|file| parts.contains_key(&file.path));
        let part = |file: LabelledFile| LabelledFile { part: parts.get(&file.path).copied(), ..file };
        self.files = named.into_iter().map(part).collect();
        self.parts =
            self.files.iter().filter_map(|file| file.part).collect::<BTreeSet<_>>().into_iter().collect();
        self.findings.push(parted_by(table, &self.parts));
        self.findings.extend(others.first().map(|first| of_no_part(table, &first.path, others.len() as u64)));
        self
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
        let ClassFolders { modality, files, folders, parts, findings: of_layout, beside, .. } = self;
        findings.extend(of_layout);
        let samples = files::read(root, modality, files, &mut findings, memory, control)?;
        let holding: BTreeSet<&Path> = samples.iter().flat_map(|sample| sample.path.ancestors()).collect();
        let mut used = 0;
        for folder in folders.into_values() {
            if holding.contains(folder.path.as_path()) {
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
        let is_part = |name: &std::ffi::OsString| part_of_folder(&name.to_string_lossy()).is_some();
        // With more words in its name it wraps a dataset of tests or trainings.
        let is_bare = |(before, _, after): (String, Part, String)| before.is_empty() && after.is_empty();
        if part_within(&only.to_string_lossy()).is_some_and(is_bare) {
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

/// The path without names that stand right below the same name, as unpacking leaves them: `seg_train/seg_train`.
fn once_each(path: &Path) -> PathBuf {
    let mut names: Vec<_> = path.components().collect();
    let file = names.pop();
    names.dedup();
    names.into_iter().chain(file).collect()
}

/// The class folders, by their paths below the top; `files` are the samples below it.
fn class_folders(
    tree: &Tree,
    top: &Path,
    shape: &Shape,
    files: &[PathBuf],
) -> BTreeMap<PathBuf, ClassFolder> {
    // Beside folders of parts within a class, files that lie right in it are what is learnt from.
    let with_files: BTreeSet<&Path> = match shape.parts_are_inside() {
        true => files
            .iter()
            .filter(|file| depth(file) == 2 + shape.class)
            .filter_map(|file| file.parent())
            .collect(),
        false => BTreeSet::new(),
    };
    let mut found = BTreeMap::new();
    for path in &tree.folders {
        let Ok(below) = path.strip_prefix(top) else {
            continue;
        };
        let mut names = names_of(below);
        names.dedup();
        let Some(label) = names.get(shape.class) else { continue };
        let holder: PathBuf = names.iter().collect();
        let part = match &shape.parts {
            None => None,
            Some(parts) => match names.get(parts.level).map(|name| parts.names.get(name)) {
                Some(Some(part)) => Some(*part),
                None if with_files.contains(holder.as_path()) => Some(Part::Train),
                Some(None) | None => continue,
            },
        };
        let is_whole = names.len() == shape.depth() || with_files.contains(holder.as_path());
        if is_whole && !is_unlabelled(label) {
            let (label, path) = (label.clone(), path.clone());
            found.entry(holder).or_insert(ClassFolder { path, label, part });
        }
    }
    found
}

fn without_folders(root: &Path, top: &Path, data: &[(&Path, Modality)], tree: &Tree) -> ScanError {
    match files::counted_kinds(data.iter().map(|(_, kind)| *kind)).first() {
        Some((modality, files)) => {
            ScanError::Flat { path: root.join(top), files: *files, what: modality.facts().many, names: None }
        }
        None => {
            let first = tree.findings.first().map(super::error::First::of);
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

fn other_level(top: &Path, other: &OtherLevel) -> Finding {
    let list = |names: &BTreeSet<String>| few(names.iter().cloned(), ", ");
    let (outer, inner) = (list(&other.outer), list(&other.inner));
    let (taken, remedy) = match other.layout {
        LayoutChoice::Inner => {
            (&outer, "If the folders inside are the classes, choose “inner” as the layout.")
        }
        LayoutChoice::Folders | LayoutChoice::Table | LayoutChoice::Names => {
            (&inner, "If the folders around them are the classes, choose “folders” as the layout.")
        }
    };
    Finding {
        file: top.to_owned(),
        line: None,
        kind: FindingKind::OtherReading,
        reason: format!(
            "the folders {outer} hold the same folders, {inner}; {taken} are taken for the classes"
        ),
        remedy: remedy.to_owned(),
    }
}

/// Folders that are called like what belongs to the same pictures, not like classes.
fn layers(top: &Path, folders: &BTreeMap<PathBuf, ClassFolder>) -> Option<Finding> {
    const NAMES: [&str; 18] = [
        "image",
        "img",
        "mask",
        "label",
        "annotation",
        "groundtruth",
        "gt",
        "segmentation",
        "seg",
        "bbox",
        "boundingbox",
        "jpegimage",
        "rgb",
        "depth",
        "trimap",
        "keypoint",
        "sourceimage",
        "picture",
    ];
    let labels: BTreeSet<&str> = folders.values().map(|folder| folder.label.as_str()).collect();
    let is_layer = |label: &&str| {
        let plain: String = label.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
        NAMES.contains(&plain.strip_suffix("es").unwrap_or(&plain))
            || NAMES.contains(&plain.trim_end_matches('s'))
    };
    (labels.len() > 1 && labels.iter().all(is_layer)).then(|| Finding {
        file: top.to_owned(),
        line: None,
        kind: FindingKind::OtherReading,
        reason: format!(
            "the folders {} are called like pictures and what is drawn over them, and are taken for classes",
            few(labels.iter().map(|label| (*label).to_owned()), ", ")
        ),
        remedy: "Nothing is found inside an image. If one of the folders holds the pictures, give a table with their names \
                 and labels, or a folder for each class."
            .to_owned(),
    })
}

fn parted_by(table: &Path, parts: &[Part]) -> Finding {
    let parts: Vec<&str> = parts.iter().map(|part| part.name()).collect();
    Finding {
        file: table.to_owned(),
        line: None,
        kind: FindingKind::Assumed,
        reason: format!(
            "the table says which file is of which part ({}), the folders of which class",
            parts.join(", ")
        ),
        remedy: "Nothing needs to be done. If the parts are not to be used, move the table away.".to_owned(),
    }
}

fn of_no_part(table: &Path, first: &Path, number: u64) -> Finding {
    let (files, are) = (counted(number, "file"), if number == 1 { "is" } else { "are" });
    Finding {
        file: first.to_owned(),
        line: None,
        kind: FindingKind::OtherPart,
        reason: format!("{files} {are} named in no row of {}, so nothing says the part", portable(table)),
        remedy: "Add a row for each file that shall be used, or move the table away.".to_owned(),
    }
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
