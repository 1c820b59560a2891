//! Recognising class folders, below part folders or not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::walk::Tree;
use super::{Found, ScanError, files, table};
use crate::control::Control;
use crate::data::image::{Format, extension, named_like_an_image};
use crate::data::index::{Finding, FindingKind, Layout, Modality, Part, counted, portable};

/// Class folders that were recognised, with the files in them.
pub(super) struct ClassFolders {
    modality: Modality,
    files: Vec<ClassFile>,
    folders: BTreeMap<PathBuf, ClassFolder>,
    parts: Vec<Part>,
    findings: Vec<Finding>,
}

/// A file in a class folder.
pub(super) struct ClassFile {
    /// Relative to the root.
    pub path: PathBuf,
    pub label: String,
    pub part: Option<Part>,
    pub kind: Kind,
}

struct ClassFolder {
    label: String,
    part: Option<Part>,
}

/// What a file seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Text,
    Other,
}

/// Class folders in `tree`, or `None` where there are none and tables lie at the top.
pub(super) fn recognise(root: &Path, tree: &Tree) -> Result<Option<ClassFolders>, ScanError> {
    let kinds: Vec<Kind> = tree.files.iter().map(|path| kind(root, path)).collect();
    let all = || tree.files.iter().map(PathBuf::as_path).zip(kinds.iter().copied());
    let data: Vec<(&Path, Kind)> = all().filter(|(_, kind)| *kind != Kind::Other).collect();
    let top = top_folder(&data);
    let below: Vec<PathBuf> =
        data.iter().filter_map(|(path, _)| path.strip_prefix(&top).ok()).map(Path::to_owned).collect();
    if below.iter().all(|path| depth(path) <= 1) {
        // A table beside images describes the images; it is no dataset of texts.
        let tables = tree.files.iter().any(|p| depth(p) == 1 && table::named_like_a_table(p));
        if tables && data.iter().all(|(_, kind)| *kind == Kind::Text) {
            return Ok(None);
        }
        return Err(without_folders(root, &top, &data, tree));
    }
    let parted = are_parts(&below);
    let folders = class_folders(tree, &top, parted);
    let level = depth(&top) + 1 + usize::from(parted);
    let (mut files, mut strays) = (Vec::new(), Vec::new());
    for (path, kind) in all() {
        let holder: PathBuf = path.components().take(level).collect();
        match folders.get(&holder) {
            Some(ClassFolder { label, part }) => {
                let (path, label) = (path.to_owned(), label.clone());
                files.push(ClassFile { path, label, part: *part, kind });
            }
            None => strays.push((path, kind)),
        }
    }
    let modality = modality(root, &files)?;
    let findings = outside(&top, modality, &strays);
    let parts: BTreeSet<Part> = folders.values().filter_map(|folder| folder.part).collect();
    let parts = parts.into_iter().collect();
    Ok(Some(ClassFolders { modality, files, folders, parts, findings }))
}

impl ClassFolders {
    /// Reads the files.
    pub fn read(
        self,
        root: &Path,
        mut findings: Vec<Finding>,
        control: &dyn Control,
    ) -> Result<Found, ScanError> {
        let ClassFolders { modality, files, folders, parts, findings: of_layout } = self;
        findings.extend(of_layout);
        let samples = files::read(root, modality, files, &mut findings, control)?;
        let holding: BTreeSet<(&str, Option<Part>)> =
            samples.iter().map(|sample| (sample.label.class(), sample.part)).collect();
        let mut used = 0;
        for (path, folder) in folders {
            if holding.contains(&(folder.label.as_str(), folder.part)) {
                used += 1;
            } else {
                findings.push(empty(path, modality));
            }
        }
        let layout = Layout::Folders { modality, items: 0, folders: used, parts };
        Ok(Found { modality, samples, findings, layout })
    }
}

/// The folder that holds the class or part folders: the root, or what lies below it alone, as
/// unpacking an archive leaves it.
fn top_folder(data: &[(&Path, Kind)]) -> PathBuf {
    let mut top = PathBuf::new();
    loop {
        let below = |path: &Path| path.strip_prefix(&top).map(Path::to_owned).unwrap_or_default();
        let mut first: Option<std::ffi::OsString> = None;
        let mut next: BTreeSet<std::ffi::OsString> = BTreeSet::new();
        for (path, kind) in data {
            let path = below(path);
            let mut names = path.components().map(|name| name.as_os_str().to_owned());
            let (name, second) = (names.next(), names.next());
            // A text at the top is a read-me, not a sample.
            if second.is_none() && *kind == Kind::Text {
                continue;
            }
            if second.is_none() || first.as_ref().is_some_and(|first| Some(first) != name.as_ref()) {
                return top;
            }
            first = name;
            if names.next().is_some() {
                next.extend(second);
            }
        }
        match first {
            Some(first) if next.len() > 1 && Part::from_name(&first.to_string_lossy()).is_none() => {
                top.push(first);
            }
            _ => return top,
        }
    }
}

/// Whether the folders right below the top are parts, with the class folders in them. A class may
/// be called "train" too (among cars and ships): then its neighbours have no names of parts.
fn are_parts(files: &[PathBuf]) -> bool {
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let names: Vec<String> =
            file.components().map(|name| name.as_os_str().to_string_lossy().into_owned()).collect();
        if let [folder, rest @ ..] = names.as_slice()
            && !rest.is_empty()
        {
            let classes = folders.entry(folder.clone()).or_default();
            if let [class, _, ..] = rest {
                classes.insert(class.clone());
            }
        }
    }
    let parts: Vec<&BTreeSet<String>> = folders
        .iter()
        .filter(|(name, _)| Part::from_name(name).is_some())
        .map(|(_, classes)| classes)
        .collect();
    let with_classes = parts.iter().filter(|classes| !classes.is_empty()).count();
    // Beside other folders (unlabelled images, say) two parts must share a class.
    let share =
        parts.iter().enumerate().any(|(number, a)| parts.iter().skip(number + 1).any(|b| !a.is_disjoint(b)));
    with_classes > 0 && (parts.len() == folders.len() || share)
}

/// The class folders by their paths.
fn class_folders(tree: &Tree, top: &Path, parted: bool) -> BTreeMap<PathBuf, ClassFolder> {
    let mut found = BTreeMap::new();
    for path in &tree.folders {
        let Ok(below) = path.strip_prefix(top) else {
            continue;
        };
        let names: Vec<String> =
            below.components().map(|name| name.as_os_str().to_string_lossy().into_owned()).collect();
        let (label, part) = match names.as_slice() {
            [label] if !parted => (label, None),
            [part, label] if parted => match Part::from_name(part) {
                Some(part) => (label, Some(part)),
                None => continue,
            },
            _ => continue,
        };
        found.insert(path.clone(), ClassFolder { label: label.clone(), part });
    }
    found
}

/// What the classes consist of: what there is far more of.
fn modality(root: &Path, files: &[ClassFile]) -> Result<Modality, ScanError> {
    let count = |wanted| files.iter().filter(|file| file.kind == wanted).count() as u64;
    let (images, texts) = (count(Kind::Image), count(Kind::Text));
    if images.min(texts) * 5 >= (images + texts).max(1) {
        return Err(ScanError::Mixed { path: root.to_owned(), images, texts });
    }
    Ok(if texts > images { Modality::Text } else { Modality::Image })
}

fn without_folders(root: &Path, top: &Path, data: &[(&Path, Kind)], tree: &Tree) -> ScanError {
    let count = |wanted| data.iter().filter(|(_, kind)| *kind == wanted).count() as u64;
    let (path, images, texts) = (root.join(top), count(Kind::Image), count(Kind::Text));
    let first = tree.findings.first().map(super::error::in_words);
    match (images, texts) {
        (0, 0) => ScanError::Empty { path: root.to_owned(), first },
        (0, files) => ScanError::Flat { path, files, what: "texts" },
        (files, _) => ScanError::Flat { path, files, what: "images" },
    }
}

/// What a file is by its name, and by its first bytes where the name says nothing.
fn kind(root: &Path, path: &Path) -> Kind {
    if named_like_an_image(path) {
        return Kind::Image;
    }
    match extension(path).as_str() {
        "txt" | "text" => Kind::Text,
        "csv" | "tsv" | "tab" | "jsonl" | "ndjson" | "json" | "md" | "html" | "xml" => Kind::Other,
        _ => match files::first_bytes(&root.join(path)) {
            Some(bytes) if Format::of(&bytes).is_ok() => Kind::Image,
            _ => Kind::Other,
        },
    }
}

fn depth(path: &Path) -> usize {
    path.components().count()
}

/// A finding for each folder that holds samples of no class. A text at the top is a read-me.
fn outside(top: &Path, modality: Modality, strays: &[(&Path, Kind)]) -> Vec<Finding> {
    let mut folders: BTreeMap<&Path, (u64, &Path)> = BTreeMap::new();
    for (path, kind) in strays {
        let folder = path.parent().unwrap_or(Path::new(""));
        let is_sample = match modality {
            Modality::Image => *kind == Kind::Image,
            Modality::Text => *kind == Kind::Text && folder != top && path.starts_with(top),
        };
        if is_sample {
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
    folders.into_iter().map(finding).collect()
}

fn empty(folder: PathBuf, modality: Modality) -> Finding {
    let what = match modality {
        Modality::Image => "image",
        Modality::Text => "text",
    };
    Finding {
        file: folder,
        line: None,
        kind: FindingKind::EmptyFolder,
        reason: format!("the class folder holds no usable {what}"),
        remedy: format!("Put {what}s of the class into it, or remove the folder."),
    }
}
