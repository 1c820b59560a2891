//! Which of its readings a folder has: class folders, a table that names files, names that begin with classes, tables of
//! texts.

use std::path::Path;

use super::folders::{self, ClassFolders};
use super::known::Memory;
use super::named::NamedFiles;
use super::names::Names;
use super::options::LayoutChoice;
use super::tables::{Naming, PartsOfFiles};
use super::walk::Tree;
use super::{Found, ScanError, ScanOptions, tables};
use crate::control::Control;
use crate::data::index::{Finding, FindingKind};
use crate::data::target::TargetKind;

/// Reads the folder `root`, whose files are those of `tree`.
pub(super) fn read(
    root: &Path,
    tree: Tree,
    options: &ScanOptions,
    memory: &mut Memory,
    control: &dyn Control,
) -> Result<Found, ScanError> {
    match options.layout {
        Some(asked @ (LayoutChoice::Folders | LayoutChoice::Inner)) => {
            match folders::recognise(root, &tree, Some(asked), memory)?.filter(|folders| folders.are(asked)) {
                Some(folders) => read_folders(root, folders, tree, options, memory, control),
                None => Err(ScanError::NoSuchLayout { path: root.to_owned(), asked }),
            }
        }
        Some(LayoutChoice::Names) => match Names::of(root, &tree, memory) {
            Some(names) => names.read(root, memory, control),
            None => Err(ScanError::NoSuchLayout { path: root.to_owned(), asked: LayoutChoice::Names }),
        },
        Some(LayoutChoice::Table) => match tables::naming_files(root, &tree, options, control)?.files() {
            Some(named) => read_named(root, named, tree, memory, control),
            None => tables::scan_folder(root, tree, options, control),
        },
        None => find_out(root, tree, options, memory, control),
    }
}

/// A table that names files was made to label them, so it counts where the folders say something else; that is then
/// said, since class folders may have a table beside them too.
fn find_out(
    root: &Path,
    tree: Tree,
    options: &ScanOptions,
    memory: &mut Memory,
    control: &dyn Control,
) -> Result<Found, ScanError> {
    // What is said of texts is said of no files.
    let are_texts = options.text_column.is_some() || !options.joined_columns.is_empty();
    let naming =
        if are_texts { Naming::Nothing(None) } else { tables::naming_files(root, &tree, options, control)? };
    let (named, passed_over) = match naming {
        Naming::Files(named) => (Some(*named), None),
        Naming::Nothing(passed_over) => (None, passed_over),
    };
    let folders = folders::recognise(root, &tree, None, memory);
    match (named, folders) {
        (Some(named), Ok(Some(folders))) if named.agrees(&folders.labels()) => {
            let folders = folders.part_by(named.table(), &named.parts());
            read_folders(root, folders, tree, options, memory, control)
        }
        (Some(named), Ok(Some(folders))) if named.is_beside(&folders.labels()) => {
            let told = Some(not_used(&named, &folders));
            read_folders(root, folders.with(told), tree, options, memory, control)
        }
        (Some(mut named), Ok(Some(folders))) => {
            named.add(other_reading(&named, &folders));
            read_named(root, named, tree, memory, control)
        }
        (Some(named), Ok(None) | Err(_)) => read_named(root, named, tree, memory, control),
        (None, Ok(Some(folders))) => {
            let folders = match tables::parts_of_files(root, &tree, options, control)? {
                Some(PartsOfFiles { table, parts }) => folders.part_by(&table, &parts),
                None => folders.with(passed_over),
            };
            read_folders(root, folders, tree, options, memory, control)
        }
        (None, Ok(None)) => tables::scan_folder(root, tree, options, control),
        (None, Err(error)) => Err(error.with_names(|| Some(Names::of(root, &tree, memory)?.in_words()))),
    }
}

fn read_folders(
    root: &Path,
    folders: ClassFolders,
    tree: Tree,
    options: &ScanOptions,
    memory: &mut Memory,
    control: &dyn Control,
) -> Result<Found, ScanError> {
    let path = || root.to_owned();
    if let Some(asked) = options.columns().next() {
        return Err(ScanError::UnknownColumn { path: path(), asked: asked.clone(), available: Vec::new() });
    }
    if let Some(asked) = options.target.filter(|target| *target != TargetKind::Class) {
        return Err(ScanError::FoldersAreClasses { path: path(), asked });
    }
    folders.read(root, tree.findings, memory, control)
}

fn read_named(
    root: &Path,
    mut named: NamedFiles,
    tree: Tree,
    memory: &mut Memory,
    control: &dyn Control,
) -> Result<Found, ScanError> {
    let beside = named.tell_unnamed(root, &tree.files, memory);
    let mut found = named.read(root, memory, control)?;
    found.findings.extend(tree.findings);
    Ok(Found { beside, ..found })
}

fn not_used(named: &NamedFiles, folders: &ClassFolders) -> Finding {
    Finding {
        file: named.table().to_owned(),
        line: None,
        kind: FindingKind::OtherReading,
        reason: format!(
            "the table names {}, which are few of the files or hardly come again, and is not used; the folders give {}",
            named.in_words(),
            folders.in_words()
        ),
        remedy: "If the table says the classes, choose “table” as the layout.".to_owned(),
    }
}

fn other_reading(named: &NamedFiles, folders: &ClassFolders) -> Finding {
    Finding {
        file: named.table().to_owned(),
        line: None,
        kind: FindingKind::OtherReading,
        reason: format!(
            "the table labels {}; the folders would give {}, and are not taken for classes",
            named.in_words(),
            folders.in_words()
        ),
        remedy: "If the folders are the classes, choose “folders” as the layout, or move the table away."
            .to_owned(),
    }
}
