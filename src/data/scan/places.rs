//! The files that the rows of a table name: found by their paths, or by what of a path is known here.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::ScanError;
use super::forms;
use super::known::Stamp;
use super::parts::part_of_folder;
use super::sampled::{Sampled, is_named_like_a_file, without_query};
use super::spelling::composed;
use super::walk::Tree;
use crate::control::Control;
use crate::data::index::{Part, portable};
use crate::data::modality::Modality;

/// The most cells of a column that are looked up to tell whether it names files.
const LOOKED_UP: usize = 200;

/// The files below a folder, by their names.
pub(super) struct Places {
    files: Vec<PathBuf>,
    /// By the whole path, by the last name, and by the last name without its ending; letters composed and small.
    by_path: HashMap<String, usize>,
    by_name: HashMap<String, Vec<usize>>,
    by_stem: HashMap<String, Vec<usize>>,
    /// By the number that the last name is, where it is one with zeros before it.
    by_number: HashMap<u64, Vec<usize>>,
    folders: BTreeSet<String>,
}

/// The folder of a table; the one that the program runs in for a bare name.
pub(super) fn folder_of(table: &Path) -> &Path {
    table.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What lies around a table.
pub(super) struct Around<'a> {
    root: PathBuf,
    control: &'a dyn Control,
    found: OnceCell<Places>,
    stamps: OnceCell<BTreeMap<PathBuf, Stamp>>,
}

impl<'a> Around<'a> {
    /// The files of a folder that was walked.
    pub fn files(root: &Path, files: &[PathBuf], control: &'a dyn Control) -> Around<'a> {
        let found = OnceCell::from(Places::of(files.to_vec()));
        Around { root: root.to_owned(), control, found, stamps: OnceCell::new() }
    }

    /// The files of a folder that is walked only where a table may name some.
    pub fn folder(root: &Path, control: &'a dyn Control) -> Around<'a> {
        Around { root: root.to_owned(), control, found: OnceCell::new(), stamps: OnceCell::new() }
    }

    /// The files, where the table may name some.
    pub fn places(&self, table: Sampled) -> Result<Option<&Places>, ScanError> {
        if self.found.get().is_none() && table.may_name_files() {
            let tree = Tree::walk(&self.root, self.control)?;
            self.stamps.get_or_init(|| tree.stamps);
            return Ok(Some(self.found.get_or_init(|| Places::of(tree.files))));
        }
        Ok(self.known())
    }

    /// What the disk notes of the files, where they were walked here.
    pub fn stamps(&self) -> BTreeMap<PathBuf, Stamp> {
        self.stamps.get().cloned().unwrap_or_default()
    }

    /// The files, where they were looked at.
    pub fn known(&self) -> Option<&Places> {
        self.found.get()
    }
}

/// What a cell names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    Found(&'a Path),
    Missing,
    /// Two of the files that are called so.
    Several(&'a Path, &'a Path),
}

/// Where the table stands that names the files, and what is known of the row's part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standpoint<'a> {
    /// The folder of the table below the root.
    pub folder: &'a Path,
    pub part: Option<Part>,
}

impl Places {
    /// `files` are relative to the root.
    pub fn of(files: Vec<PathBuf>) -> Places {
        let (mut by_path, mut by_name) = (HashMap::new(), HashMap::<String, Vec<usize>>::new());
        let (mut by_stem, mut folders) = (HashMap::<String, Vec<usize>>::new(), BTreeSet::new());
        let mut by_number = HashMap::<u64, Vec<usize>>::new();
        for (number, path) in files.iter().enumerate() {
            let key = key(&portable(path));
            let mut names = key.rsplit('/');
            let name = names.next().unwrap_or_default();
            folders.extend(names.map(str::to_owned));
            if Modality::of_name(path).is_some() {
                by_stem.entry(stem(name).to_owned()).or_default().push(number);
                let padded = Some(stem(name)).filter(|stem| stem.starts_with('0') && is_digits(stem));
                if let Some(value) = padded.and_then(|stem| stem.parse().ok()) {
                    by_number.entry(value).or_default().push(number);
                }
            }
            by_name.entry(name.to_owned()).or_default().push(number);
            by_path.insert(key, number);
        }
        Places { files, by_path, by_name, by_stem, by_number, folders }
    }

    /// The file that `cell` names: by its path from the table or from the root, or else the one whose path ends so.
    pub fn find(&self, cell: &str, from: Standpoint) -> Place<'_> {
        let Some(named) = named_path(cell) else {
            return Place::Missing;
        };
        match self.find_path(&named, from) {
            Place::Missing => match percent_decoded(&named) {
                Some(decoded) => self.find_path(&decoded, from),
                None => Place::Missing,
            },
            found => found,
        }
    }

    fn find_path(&self, named: &str, from: Standpoint) -> Place<'_> {
        let beside = match from.folder.as_os_str().is_empty() {
            true => None,
            false => Some(format!("{}/{named}", key(&portable(from.folder)))),
        };
        let known = |path: String| self.by_path.get(&steps_taken(&path)).copied();
        if let Some(path) =
            beside.and_then(known).or_else(|| known(named.to_owned())).and_then(|n| self.file(n))
        {
            return Place::Found(path);
        }
        let name = named.rsplit('/').next().unwrap_or_default();
        let without_prefix = upload_prefix(name).map(|rest| (rest, self.by_name.get(rest)));
        let found = (name, self.by_name.get(name));
        let by_stem = (name, self.by_stem.get(name));
        // A spreadsheet took the zeros away, or made a fraction of the number.
        let whole = name.strip_suffix(".0").unwrap_or(name);
        let by_whole = (whole, self.by_stem.get(whole).filter(|_| is_digits(whole)));
        let number = Some(whole).filter(|whole| is_digits(whole)).and_then(|whole| whole.parse::<u64>().ok());
        let by_number = (whole, number.and_then(|number| self.by_number.get(&number)));
        let all = [Some(found), Some(by_stem), without_prefix, Some(by_whole), Some(by_number)];
        let all = all.into_iter().flatten();
        let Some((_, numbers)) = all.filter_map(|(name, numbers)| Some((name, numbers?))).next() else {
            return Place::Missing;
        };
        self.nearest(named, numbers, from)
    }

    /// Of the files of that name: those whose folders agree best with the path that is named, then with the part.
    fn nearest(&self, named: &str, numbers: &[usize], from: Standpoint) -> Place<'_> {
        let folders: Vec<&str> = named.rsplit('/').skip(1).collect();
        // A folder that is there is meant: train/1.jpg is not test/1.jpg.
        let at_least = usize::from(folders.first().is_some_and(|folder| self.folders.contains(*folder)));
        let mut best: BTreeMap<(usize, bool, bool, bool), Vec<&Path>> = BTreeMap::new();
        for path in numbers.iter().filter_map(|number| self.file(*number)) {
            let own = key(&portable(path));
            let own: Vec<&str> = own.rsplit('/').skip(1).collect();
            let same = own.iter().zip(&folders).take_while(|(own, named)| own == named).count();
            if same < at_least {
                continue;
            }
            let parts: Vec<Part> = own.iter().filter_map(|folder| part_of_folder(folder)).collect();
            let of_part = from.part.is_some_and(|part| parts.contains(&part));
            let is_sample = is_named_like_a_file(path);
            best.entry((same, of_part, path.starts_with(from.folder), is_sample)).or_default().push(path);
        }
        match best.pop_last().map(|(_, paths)| paths).as_deref() {
            Some([one]) => Place::Found(one),
            Some([one, other, ..]) => Place::Several(one, other),
            Some([]) | None => Place::Missing,
        }
    }

    /// The column that names files: of those half of whose values at least are files here, one that writes endings or
    /// folders, one that is named like it, one that is not named like a label; then the one that names most. Numbers may be
    /// the names of files by chance.
    pub fn column(&self, table: Sampled, from: Standpoint) -> Option<usize> {
        let named = |column: usize| {
            let mut cells: Vec<&str> = table.cells(column);
            let rows = cells.len();
            cells.sort_unstable();
            cells.dedup();
            let step = cells.len().div_ceil(LOOKED_UP).max(1);
            let some: Vec<&str> = cells.iter().step_by(step).copied().collect();
            let is_there = |cell: &&&str| self.find(cell, from) != Place::Missing;
            let found = some.iter().filter(is_there).count();
            // Numbers that come again and again may be the name of a file by chance.
            let comes_again = cells.len() * 2 < rows && !some.iter().any(|cell| has_ending(cell));
            let writes_paths = some.iter().filter(|cell| has_ending(cell)).count() * 2 >= some.len();
            let name = table.name(column);
            // What counts the rows may be the name of a file by chance.
            let is_counter = forms::is_named(name, &COUNTERS) || forms::count_up(&table.cells(column));
            let rank = (
                (writes_paths, is_named_like_files(name), !forms::ends_like_a_label(name)),
                (!is_counter, forms::is_named(name, &["id"]), found * step),
            );
            (found > 0 && found * 2 >= some.len() && !comes_again).then_some(rank)
        };
        let free = (0..table.names.len()).filter(|column| !table.reserved.contains(column));
        let named = free.filter_map(|column| Some((named(column)?, column)));
        named.max_by_key(|(rank, column)| (*rank, usize::MAX - column)).map(|(_, column)| column)
    }

    fn file(&self, number: usize) -> Option<&Path> {
        self.files.get(number).map(PathBuf::as_path)
    }
}

/// What columns are called that only count the rows.
const COUNTERS: [&str; 7] = ["", "index", "unnamed: 0", "row", "no", "nr", "number"];

/// Whether a column is called as columns with names of files are.
fn is_named_like_files(name: &str) -> bool {
    const WORDS: [&str; 9] =
        ["file", "filename", "filepath", "image", "img", "path", "picture", "photo", "imagepath"];
    let name: String = name.to_lowercase().split(|c: char| !c.is_alphanumeric()).collect();
    let name = name.strip_suffix("name").or(name.strip_suffix("id")).unwrap_or(&name);
    WORDS.contains(&name)
}

/// Letters composed and small, so that names that differ in their writing alone are the same.
fn key(path: &str) -> String {
    composed(path).to_lowercase()
}

/// The path that a cell holds, with `/` between its names: out of an address, a query of Label Studio, a Windows path.
fn named_path(cell: &str) -> Option<String> {
    let cell = cell.trim();
    let cell = cell.split_once("?d=").map_or(cell, |(_, path)| path);
    let cell = match cell.split_once("://") {
        Some((_, path)) => path.split(['?', '#']).next().unwrap_or_default(),
        None => without_query(cell),
    };
    let path = key(&cell.replace('\\', "/"));
    let path = steps_taken(path.trim_start_matches('/'));
    (!path.is_empty()).then_some(path)
}

/// The path without `.` and with `..` taken; what leads out of the root is kept and found nowhere.
fn steps_taken(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names.join("/")
}

/// The path with letters for `%20` and the like, as addresses write them; `None` where there are none.
fn percent_decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok().filter(|decoded| decoded != path).map(|decoded| key(&decoded))
}

fn is_digits(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name that an upload to Label Studio had before it was given eight hexadecimal digits.
fn upload_prefix(name: &str) -> Option<&str> {
    let (digits, rest) = name.split_once('-')?;
    (digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(rest)
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn has_ending(cell: &str) -> bool {
    Modality::of_name(Path::new(without_query(cell))).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[&str], folder: &str, part: Option<Part>, cell: &str, expected: &[&str]) {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let from = Standpoint { folder: Path::new(folder), part };
        let places = Places::of(files);
        let found = match places.find(cell, from) {
            Place::Found(path) => vec![portable(path)],
            Place::Missing => Vec::new(),
            Place::Several(one, other) => vec![portable(one), portable(other)],
        };
        assert_eq!(found, expected, "{cell}");
    }

    #[test]
    fn files_are_found_by_what_is_known_of_their_paths() {
        let files = ["images/Café 1.JPG", "images/2.png", "train/3.jpg", "test/3.jpg", "a/4.txt", "a/4.jpg"];
        let here = |cell: &str, expected: &[&str]| check(&files, "", None, cell, expected);
        here("images/2.png", &["images/2.png"]);
        here("2.png", &["images/2.png"]);
        here("2", &["images/2.png"]);
        here("./images//2.png", &["images/2.png"]);
        here("images\\2.png", &["images/2.png"]);
        here("CAFE\u{301} 1.jpg", &["images/Café 1.JPG"]);
        here("/content/drive/photos/2.png", &["images/2.png"]);
        here("https://example.org/x/2.png?size=3", &["images/2.png"]);
        here("/data/local-files/?d=images/2.png", &["images/2.png"]);
        here("/data/upload/7/0a1b2c3d-2.png", &["images/2.png"]);
        here("4", &["a/4.jpg"]);
        // What is not there, or may be two.
        here("5.png", &[]);
        here("../images/2.png", &["images/2.png"]);
        here("", &[]);
        here("3.jpg", &["train/3.jpg", "test/3.jpg"]);
        here("/x/train/3.jpg", &["train/3.jpg"]);
        here("train/2.png", &[]);
    }

    /// Meant to fail with the first column where the numbers of the files alone count.
    #[test]
    fn numbers_that_are_names_by_chance_name_no_files() {
        let files: Vec<PathBuf> = (0..8).map(|n| PathBuf::from(format!("im/{n}.png"))).collect();
        let places = Places::of(files);
        let check = |names: [&str; 3], row: &dyn Fn(usize) -> [String; 3], expected: usize| {
            let names = names.map(str::to_owned);
            let rows: Vec<Vec<String>> = (0..8).map(|n| row(n).to_vec()).collect();
            let table = Sampled { names: &names, rows: &rows, lists: &[], reserved: &[] };
            let from = Standpoint { folder: Path::new(""), part: None };
            assert_eq!(places.column(table, from), Some(expected), "{names:?}");
        };
        let of = |id: usize, file: String| [id.to_string(), file, "cat".to_owned()];
        check(["id", "file_name", "label"], &|n| of(7 - n, format!("{n}.png")), 1);
        check(
            ["annotation_id", "image", "choice"],
            &|n| of(7 - n, format!("/data/upload/1/0a1b2c3d-{n}.png")),
            1,
        );
        check(["age", "filename", "label"], &|n| of(7 - n, n.to_string()), 1);
        check(["label", "id", "x"], &|n| of(7 - n, n.to_string()), 1);
        check(
            ["mask", "image", "label"],
            &|n| of(0, format!("im/{n}.png")).map(|cell| cell.replace("cat", "x")),
            1,
        );
        check(["id", "words", "label"], &|n| of(n, "a fine day".to_owned()), 0);
    }

    #[test]
    fn the_table_says_where_to_look_first() {
        let files = ["train/3.jpg", "test/3.jpg", "x_train/8.jpg", "x_test/8.jpg"];
        check(&files, "test", None, "3.jpg", &["test/3.jpg"]);
        check(&files, "test", None, "../train/3.jpg", &["train/3.jpg"]);
        check(&files, "", Some(Part::Train), "3", &["train/3.jpg"]);
        check(&files, "", Some(Part::Test), "8.jpg", &["x_test/8.jpg"]);
    }
}
