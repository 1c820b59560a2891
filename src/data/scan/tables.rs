//! The tables of a dataset: which files are tables, which of several are read, and tables of texts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::columns::{Choice, Holds};
use super::files::LabelledFile;
use super::head::Wants;
use super::known::Memory;
use super::named::NamedFiles;
use super::packed::unpacked_name;
use super::parts::{PartWords, part_of_folder};
use super::places::{Around, folder_of};
use super::table::Reader;
use super::walk::Tree;
use super::{ColumnChoice, Found, Sample, ScanError, ScanOptions, TextColumns};
use crate::control::Control;
use crate::data::facts::extension;
use crate::data::index::{ColumnsBeside, Finding, FindingKind, Layout, Modality, Part};

/// The most tables of one folder that may label files; more are notes beside each file.
const MOST_TABLES: usize = 8;

/// Whether a file name says that it is a table.
pub(super) fn named_like_a_table(path: &Path) -> bool {
    const ENDINGS: [&str; 9] = ["csv", "tsv", "tab", "jsonl", "ndjson", "json", "xlsx", "xlsm", "parquet"];
    ENDINGS.contains(&extension(&unpacked_name(path)).as_str())
}

/// Whether texts that lie beside each other are tables for all that: each is named after a part, as in `train.txt` and
/// `test.txt`.
pub(super) fn are_tables_of_parts(files: &[PathBuf]) -> bool {
    files.len() > 1 && files.iter().all(|path| extension(path) == "txt" && part_of(path).is_some())
}

/// Reads the one table at `root`, and the files that it may name below its folder.
pub(super) fn scan_file(
    root: &Path,
    options: &ScanOptions,
    memory: &mut Memory,
    control: &dyn Control,
) -> Result<Found, ScanError> {
    let name = PathBuf::from(root.file_name().unwrap_or_default());
    let folder = folder_of(root);
    let around = Around::folder(folder, control);
    let mut reader = Reader::new(root.to_owned(), name.clone(), None, &around, control);
    let chosen = reader.read(&Choice::asked(options))?;
    if chosen.holds() == Holds::Files {
        memory.take_stamps(around.stamps());
        return NamedFiles::of_one(name, chosen, reader.files, reader.findings).read(folder, memory, control);
    }
    let parts: BTreeSet<Part> = reader.samples.iter().filter_map(|sample| sample.part).collect();
    let layout = layout(vec![name], chosen, parts.into_iter().collect(), true);
    Ok(Found {
        modality: Modality::Text,
        samples: reader.samples,
        findings: reader.findings,
        layout,
        beside: 0,
    })
}

/// The rows of the table at `path`, whether or not it holds labels: none has one.
pub(super) fn texts(
    path: &Path,
    columns: &TextColumns,
    control: &dyn Control,
) -> Result<(Vec<Sample>, Vec<Finding>), ScanError> {
    let name = PathBuf::from(path.file_name().unwrap_or_default());
    let around = Around::files(path, &[], control);
    let mut reader = Reader::new(path.to_owned(), name, None, &around, control);
    reader.wants = Wants::Texts;
    let TextColumns { text, joined, .. } = columns.clone();
    let (text_column, usual_text) = if columns.must() { (text, None) } else { (None, text) };
    let options = ScanOptions { text_column, joined_columns: joined, ..ScanOptions::default() };
    reader.read(&Choice { usual_text, ..Choice::asked(&options) })?;
    Ok((reader.samples, reader.findings))
}

/// How deep the tables lie that lie highest.
pub(super) fn depth_of_tables(files: &[PathBuf]) -> Option<usize> {
    files.iter().filter(|path| named_like_a_table(path)).map(|path| path.components().count()).min()
}

/// Reads the tables of texts right below `root`, or below the folders that wrap them: those named after parts, or else
/// all of them.
pub(super) fn scan_folder(
    root: &Path,
    tree: Tree,
    options: &ScanOptions,
    control: &dyn Control,
) -> Result<Found, ScanError> {
    let around = Around::files(root, &[], control);
    let all = tree.files.len() as u64;
    let depth = depth_of_tables(&tree.files).unwrap_or(1);
    let level = tree.files.into_iter().filter(|path| path.components().count() == depth);
    let (tables, others): (Vec<PathBuf>, Vec<PathBuf>) = level.partition(|path| named_like_a_table(path));
    let tables = if tables.is_empty() {
        others.into_iter().filter(|path| extension(path) == "txt").collect()
    } else {
        tables
    };
    let beside = all - tables.len() as u64;
    let asked = Choice::asked(options);
    let read = Read::all(root, in_order(tables), &asked, &around, control)?;
    let findings = tree.findings.into_iter().chain(read.findings).collect();
    let samples = read.tables.into_iter().flat_map(|table| table.reader.samples).collect();
    let layout = layout(read.files, read.chosen.unwrap_or_default(), read.parts, false);
    Ok(Found { modality: Modality::Text, samples, findings, layout, beside })
}

/// What tables say of files.
pub(super) enum Naming {
    Files(Box<NamedFiles>),
    /// No table names files that are here; one seems to name others.
    Nothing(Option<Finding>),
}

impl Naming {
    /// What the tables label, where they do.
    pub fn files(self) -> Option<NamedFiles> {
        match self {
            Naming::Files(named) => Some(*named),
            Naming::Nothing(_) => None,
        }
    }
}

/// The tables below `root` that name files and label them, where there are any.
pub(super) fn naming_files(
    root: &Path,
    tree: &Tree,
    options: &ScanOptions,
    control: &dyn Control,
) -> Result<Naming, ScanError> {
    let (near, files) = near(tree);
    if near.is_empty() || files.is_empty() {
        return Ok(Naming::Nothing(None));
    }
    let around = Around::files(root, &files, control);
    let wanted = Choice { wanted: Some(Holds::Files), ..Choice::asked(options) };
    let read = match Read::all(root, in_order(near), &wanted, &around, control) {
        Ok(read) => read,
        Err(stopped @ ScanError::Stopped { .. }) => return Err(stopped),
        // Only what the user names must be there.
        Err(error) if options.file_column.is_some() => return Err(error),
        Err(error) => return Ok(Naming::Nothing(names_others(root, &error))),
    };
    let Some(chosen) = read.chosen else { return Ok(Naming::Nothing(None)) };
    let files = read.tables.into_iter().map(|table| (table.part, table.reader.files)).collect();
    let named = NamedFiles::of_several(read.files, chosen, files, read.findings);
    Ok(named.map_or(Naming::Nothing(None), |named| Naming::Files(Box::new(named))))
}

/// A table that seems to name files of which hardly one is here: what it says is not used.
fn names_others(root: &Path, error: &ScanError) -> Option<Finding> {
    let ScanError::NamesOfFiles { path, column } = error else { return None };
    let file = path.strip_prefix(root).unwrap_or(path).to_owned();
    Some(Finding {
        file,
        line: None,
        kind: FindingKind::PassedOver,
        reason: format!(
            "the column “{column}” seems to name files, and less than half of them are here, so the table is not used"
        ),
        remedy: "Write the names as the files have them, or move the table away if it is of something else."
            .to_owned(),
    })
}

/// What a table says of the parts of files that something else labels.
pub(super) struct PartsOfFiles {
    pub table: PathBuf,
    pub parts: BTreeMap<PathBuf, Part>,
}

/// The parts that a table gives files without labelling them, where one does.
pub(super) fn parts_of_files(
    root: &Path,
    tree: &Tree,
    options: &ScanOptions,
    control: &dyn Control,
) -> Result<Option<PartsOfFiles>, ScanError> {
    let (tables, files) = near(tree);
    if tables.is_empty() || options.part_column == Some(ColumnChoice::Unused) {
        return Ok(None);
    }
    let around = Around::files(root, &files, control);
    let (file_column, writing) = (options.file_column.clone(), options.writing.clone());
    let options = ScanOptions { file_column, writing, ..ScanOptions::default() };
    let choice = Choice { wanted: Some(Holds::Files), seeks_parts: true, ..Choice::asked(&options) };
    for path in tables {
        let mut reader = Reader::new(root.join(&path), path.clone(), None, &around, control);
        let words = match reader.read(&choice) {
            Ok(chosen) => chosen.options.label_columns.first().map(|column| PartWords::of_column(column)),
            Err(stopped @ ScanError::Stopped { .. }) => return Err(stopped),
            // It says something else.
            Err(_) => None,
        };
        let part = |file: LabelledFile| Some((file.path, words?.part(file.label.class())?));
        let parts: BTreeMap<PathBuf, Part> = reader.files.into_iter().filter_map(part).collect();
        if Part::are_several(parts.values().copied()) {
            return Ok(Some(PartsOfFiles { table: path, parts }));
        }
    }
    Ok(None)
}

/// The tables that may label files, and all other files.
fn near(tree: &Tree) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (tables, files): (Vec<PathBuf>, Vec<PathBuf>) =
        tree.files.iter().cloned().partition(|path| named_like_a_table(path));
    let folder = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
    let beside = |path: &Path| tables.iter().filter(|other| other.parent() == path.parent()).count();
    let near = tables.iter().filter(|path| folder(path).components().count() <= 2);
    (near.filter(|path| beside(path) <= MOST_TABLES).cloned().collect(), files)
}

/// The first of the tables among `files` in the order in which they are read.
pub(super) fn first(files: &[PathBuf]) -> Option<PathBuf> {
    let tables: Vec<PathBuf> = files.iter().filter(|path| named_like_a_table(path)).cloned().collect();
    in_order(tables).into_iter().next().map(|(_, path)| path)
}

/// A table that is to be read.
pub(super) struct Table<'a> {
    pub part: Option<Part>,
    pub reader: Reader<'a>,
}

/// The tables that were read.
pub(super) struct Read<'a> {
    pub tables: Vec<Table<'a>>,
    pub files: Vec<PathBuf>,
    pub parts: Vec<Part>,
    pub chosen: Option<Choice>,
    pub findings: Vec<Finding>,
}

impl<'a> Read<'a> {
    /// Reads the tables that hold what is wanted; the first of them decides the columns.
    fn all(
        root: &Path,
        tables: Vec<(Option<Part>, PathBuf)>,
        asked: &Choice,
        around: &'a Around<'a>,
        control: &'a dyn Control,
    ) -> Result<Read<'a>, ScanError> {
        let (files, parts, findings) = (Vec::new(), Vec::new(), Vec::new());
        let mut read = Read { tables: Vec::new(), files, parts, chosen: None, findings };
        let (mut parted, mut first_error) = (false, None);
        for (part, path) in tables {
            if parted && part.is_none() {
                read.findings.push(beside_parts(path));
                continue;
            }
            let mut reader = Reader::new(root.join(&path), path.clone(), part, around, control);
            match reader.read(read.chosen.as_ref().unwrap_or(asked)) {
                Ok(columns) if asked.wanted.is_some_and(|wanted| wanted != columns.holds()) => continue,
                Ok(columns) => {
                    read.chosen.get_or_insert(columns);
                    read.parts.extend(part);
                    read.files.push(path);
                    parted |= part.is_some();
                }
                Err(error @ ScanError::Stopped { .. }) => return Err(error),
                // The first table of texts must do; what is wrong with another is its own finding.
                Err(error) if read.chosen.is_none() && asked.wanted.is_none() => return Err(error),
                Err(error) if read.chosen.is_none() => {
                    first_error.get_or_insert(error);
                    continue;
                }
                Err(error) => reader.findings.push(unusable(path, &error)),
            }
            read.findings.append(&mut reader.findings);
            read.tables.push(Table { part, reader });
        }
        read.parts.dedup();
        match first_error {
            Some(error) if read.chosen.is_none() => Err(error),
            _ => Ok(read),
        }
    }
}

/// The training table decides the columns, so it comes first; tables of no part come last, and what is handed in after
/// them.
fn in_order(tables: Vec<PathBuf>) -> Vec<(Option<Part>, PathBuf)> {
    let mut tables: Vec<(Option<Part>, PathBuf)> =
        tables.into_iter().map(|path| (part_of(&path), path)).collect();
    let is_answer = |path: &Path| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        stem.contains("submission")
    };
    tables.sort_by_key(|(part, path)| (part.is_none(), *part, is_answer(path), path.clone()));
    tables
}

fn layout(files: Vec<PathBuf>, chosen: Choice, parts: Vec<Part>, is_root: bool) -> Layout {
    Layout::Table {
        files,
        rows: 0,
        text_column: chosen.options.text_column.unwrap_or_default(),
        label_columns: chosen.options.label_columns,
        form: chosen.form.unwrap_or_default(),
        beside: ColumnsBeside {
            joined: chosen.options.joined_columns,
            part: chosen.parts,
            group: chosen.group,
        },
        parts,
        is_root,
    }
}

/// The part that a table is named after (`train.csv`, `reviews_test.tsv`, `dev-0001.jsonl`), or else its folder.
fn part_of(path: &Path) -> Option<Part> {
    let path = &unpacked_name(path);
    let stem = path.file_stem()?.to_string_lossy().into_owned();
    let words: Vec<&str> = stem.split(['-', '_', '.', ' ']).collect();
    let named = Part::from_name(words.first()?).or_else(|| Part::from_name(words.last()?));
    let folder = || part_of_folder(&path.parent()?.file_name()?.to_string_lossy());
    named.or_else(folder)
}

fn beside_parts(file: PathBuf) -> Finding {
    Finding {
        file,
        line: None,
        kind: FindingKind::NotData,
        reason: "it lies beside tables named train, validation or test, so it is left out".to_owned(),
        remedy: "Give its own path to read it alone.".to_owned(),
    }
}

fn unusable(file: PathBuf, error: &ScanError) -> Finding {
    let kind = match error {
        ScanError::Unreadable { .. } | ScanError::Within { .. } => FindingKind::Unreadable,
        _ => FindingKind::MissingLabel,
    };
    Finding { file, line: None, kind, reason: error.to_string(), remedy: error.remedy().in_window() }
}
