//! The files below a root: sorted, without what systems hide in folders, safe with links in loops.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::ScanError;
use super::known::Stamp;
use crate::control::Control;
use crate::data::index::{Finding, FindingKind, counted};

/// All files below a root.
pub(super) struct Tree {
    /// Relative to the root, sorted.
    pub files: Vec<PathBuf>,
    /// Relative to the root, sorted, without the root itself.
    pub folders: BTreeSet<PathBuf>,
    /// Folders that could not be opened.
    pub findings: Vec<Finding>,
    /// What the disk notes of the files, where it does.
    pub stamps: BTreeMap<PathBuf, Stamp>,
    /// Files that were passed over with a finding of their own: neither file nor folder, or without a name that can
    /// be written.
    pub refused: u64,
    /// Files of systems and tools.
    pub litter: u64,
}

impl Tree {
    /// Lists what lies below `root`, a folder.
    pub fn walk(root: &Path, control: &dyn Control) -> Result<Tree, ScanError> {
        let mut tree = Tree {
            files: Vec::new(),
            folders: BTreeSet::new(),
            findings: Vec::new(),
            stamps: BTreeMap::new(),
            refused: 0,
            litter: 0,
        };
        let mut seen = BTreeSet::new();
        // Links come last: what lies here has its own name.
        let (mut open, mut links) = (vec![PathBuf::new()], Vec::new());
        while let Some((folder, is_link)) =
            open.pop().map(|folder| (folder, false)).or_else(|| links.pop().map(|folder| (folder, true)))
        {
            if control.stop_requested() {
                return Err(ScanError::Stopped { path: root.to_owned() });
            }
            // A link may lead back up, or to a folder that was read under another name.
            let real = std::fs::canonicalize(root.join(&folder));
            if let Ok(real) = real
                && !seen.insert(real.clone())
            {
                let holder = root.join(folder.parent().unwrap_or(Path::new("")));
                let is_loop = std::fs::canonicalize(holder).is_ok_and(|holder| holder.starts_with(&real));
                tree.findings.extend((is_link && !is_loop).then(|| read_elsewhere(folder)));
                continue;
            }
            if is_link {
                tree.folders.insert(folder.clone());
            }
            match list(&root.join(&folder)) {
                Ok(Listed { names, passed_over, special, litter }) => {
                    tree.litter += litter;
                    tree.refused += special.len() as u64;
                    tree.findings.extend(special.into_iter().map(|name| no_file(folder.join(name))));
                    tree.findings.extend(
                        passed_over.into_iter().map(|(name, files)| dotted(folder.join(name), files)),
                    );
                    for (name, is_folder, stamp) in names {
                        let path = folder.join(&name);
                        if name.to_str().is_none() {
                            tree.findings.push(nameless(&path));
                            tree.refused += if is_folder { files_below(&root.join(&path)) } else { 1 };
                        } else if is_folder && is_ours(&root.join(&path)) {
                            // Kept among the data, it would become a class.
                            tree.litter += files_below(&root.join(&path));
                        } else if is_folder && root.join(&path).is_symlink() {
                            links.push(path);
                        } else if is_folder {
                            tree.folders.insert(path.clone());
                            open.push(path);
                        } else {
                            tree.stamps.extend(stamp.map(|stamp| (path.clone(), stamp)));
                            tree.files.push(path);
                        }
                    }
                }
                Err(why) if folder.as_os_str().is_empty() => {
                    let why = why.to_string();
                    return Err(ScanError::Unreadable { path: root.to_owned(), why });
                }
                Err(why) => tree.findings.push(Finding {
                    file: folder,
                    line: None,
                    kind: FindingKind::Unreadable,
                    reason: format!("the folder cannot be opened: {why}"),
                    remedy: "Check that you may read it.".to_owned(),
                }),
            }
        }
        tree.files.sort_unstable();
        Ok(tree)
    }
}

/// The file that makes a folder a project.
pub const RECIPE_FILE: &str = "recipe.toml";
/// Says what an exported head is.
pub const MANIFEST_FILE: &str = "manifest.json";
/// Its tensors; both files together make a folder an exported head.
pub const HEAD_FILE: &str = "head.safetensors";

/// Whether a folder is a project or an export of Frostline's.
fn is_ours(folder: &Path) -> bool {
    let holds = |name: &str| folder.join(name).is_file();
    holds(RECIPE_FILE) || (holds(MANIFEST_FILE) && holds(HEAD_FILE))
}

/// An index names its files in JSON, which has no bytes but UTF-8.
fn nameless(path: &Path) -> Finding {
    Finding {
        file: PathBuf::from(path.to_string_lossy().into_owned()),
        line: None,
        kind: FindingKind::NotUtf8,
        reason: "the name is not UTF-8".to_owned(),
        remedy: "Give it a name of common letters.".to_owned(),
    }
}

/// A pipe may never answer, a device never end.
fn no_file(path: PathBuf) -> Finding {
    Finding {
        file: PathBuf::from(path.to_string_lossy().into_owned()),
        line: None,
        kind: FindingKind::NotData,
        reason: "is no ordinary file (a pipe, a socket or a device), so it is never opened".to_owned(),
        remedy: "Move it out of the data, or put a file in its place.".to_owned(),
    }
}

/// A link to a folder that is part of the data anyway.
fn read_elsewhere(link: PathBuf) -> Finding {
    Finding {
        file: link,
        line: None,
        kind: FindingKind::PassedOver,
        reason: "the folder is a link to one that is read already, so it is passed over".to_owned(),
        remedy: "Nothing needs to be done. To read it twice, copy the folder.".to_owned(),
    }
}

/// A folder whose name begins with a dot may be a class that is called so.
fn dotted(folder: PathBuf, files: usize) -> Finding {
    let files = counted(files as u64, "file");
    Finding {
        file: folder,
        line: None,
        kind: FindingKind::NotData,
        reason: format!("the folder is passed over, since its name begins with a dot; it holds {files}"),
        remedy: "If it is a class, give it a name without the dot at its beginning.".to_owned(),
    }
}

/// What is in a folder.
struct Listed {
    /// In order, whether each is a folder, and the stamps of files.
    names: Vec<(OsString, bool, Option<Stamp>)>,
    /// Folders that are hidden and that no system or tool is known to make, with the number of files in them.
    passed_over: Vec<(OsString, usize)>,
    /// Pipes, sockets, devices.
    special: Vec<OsString>,
    /// Files that are hidden, and those in hidden folders.
    litter: u64,
}

/// The content of a folder. Links are followed; what is neither file nor folder is passed over.
fn list(folder: &Path) -> std::io::Result<Listed> {
    let (mut names, mut passed_over, mut special, mut litter) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if hidden(&entry.file_name().to_string_lossy()) {
            let files = files_in_unknown(&entry);
            passed_over.extend((files > 0).then(|| (entry.file_name(), files)));
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            litter += if is_folder { files_below(&entry.path()) } else { 1 };
            continue;
        }
        match std::fs::metadata(entry.path()) {
            Ok(about) if about.is_dir() => names.push((entry.file_name(), true, None)),
            Ok(about) if about.is_file() => names.push((entry.file_name(), false, Stamp::of(&about))),
            // A dead link is reported when it is read.
            Err(_) => names.push((entry.file_name(), false, None)),
            Ok(_) => special.push(entry.file_name()),
        }
    }
    // Links in loops are resolved to the first name that leads there, so the order matters.
    names.sort_unstable_by(|a, b| (&b.0, b.1).cmp(&(&a.0, a.1)));
    passed_over.sort_unstable();
    special.sort_unstable();
    Ok(Listed { names, passed_over, special, litter })
}

/// How many files lie below a folder that is passed over; links in it are not followed.
fn files_below(folder: &Path) -> u64 {
    let (mut found, mut open) = (0, vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            } else {
                found += 1;
            }
        }
    }
    found
}

/// The visible files in a hidden folder, none where a system or a tool is known to have made it.
fn files_in_unknown(entry: &std::fs::DirEntry) -> usize {
    const OF_TOOLS: [&str; 14] = [
        ".git",
        ".svn",
        ".hg",
        ".ipynb_checkpoints",
        ".cache",
        ".idea",
        ".vscode",
        ".venv",
        ".dvc",
        ".apdisk",
        ".appledouble",
        ".spotlight-v100",
        ".fseventsd",
        ".thumbnails",
    ];
    let name = entry.file_name().to_string_lossy().to_lowercase();
    let is_known = !name.starts_with('.') || name.starts_with(".trash") || OF_TOOLS.contains(&name.as_str());
    if is_known || !entry.path().is_dir() {
        return 0;
    }
    let inside = std::fs::read_dir(entry.path()).into_iter().flatten().flatten();
    inside.filter(|entry| !hidden(&entry.file_name().to_string_lossy()) && entry.path().is_file()).count()
}

fn hidden(name: &str) -> bool {
    const OF_SYSTEMS: [&str; 6] =
        ["Thumbs.db", "desktop.ini", "__MACOSX", "$RECYCLE.BIN", "@eaDir", "#recycle"];
    // Office programs note so who has a file open.
    name.starts_with('.')
        || name.starts_with("~$")
        || OF_SYSTEMS.iter().any(|hidden| hidden.eq_ignore_ascii_case(name))
}
