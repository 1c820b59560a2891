//! What the levels of a folder are: which names the classes and which the parts, told from its whole shape.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::options::LayoutChoice;
use super::parts::part_within;
use crate::data::index::Part;

/// The levels of class folders, from 0 right below the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub class: usize,
    pub parts: Option<PartLevel>,
    /// Another reading of the same folders.
    pub other: Option<OtherLevel>,
}

/// The level of folders that are parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartLevel {
    pub level: usize,
    pub names: BTreeMap<String, Part>,
}

/// Folders that hold the same folders each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OtherLevel {
    pub layout: LayoutChoice,
    pub outer: BTreeSet<String>,
    pub inner: BTreeSet<String>,
}

/// Why no level names classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shapeless {
    /// Parts that hold samples, and nothing says of which class.
    PartsWithoutClasses(Vec<String>),
    /// Folders that each hold all parts, as the folds of a cross-validation do.
    Repeated(Vec<String>),
}

impl Shape {
    /// Of `files`, relative to the top. Where the folders themselves or those in them may be the classes, what was
    /// `asked` for counts.
    pub fn of(files: &[PathBuf], asked: Option<LayoutChoice>) -> Result<Shape, Shapeless> {
        let folders = Folders::of(files);
        let named = NamedParts::of(&folders);
        match named.are_parts(&folders) {
            Some(true) => return Ok(named.above_classes()),
            Some(false) => return Err(Shapeless::PartsWithoutClasses(named.0.into_keys().collect())),
            None => {}
        }
        if let Some(names) = folders.inner_parts() {
            return folders.around_parts(names, asked);
        }
        let plain = Shape { class: 0, parts: None, other: None };
        let Some((outer, inner)) = folders.alike() else { return Ok(plain) };
        let (outer_count, inner_count) = (are_numbered(&outer), have_one_stem(&inner));
        let are_inner = match asked {
            Some(LayoutChoice::Inner) => true,
            Some(LayoutChoice::Folders) => false,
            Some(LayoutChoice::Table | LayoutChoice::Names) | None => {
                outer_count && (!inner_count || are_codes(&inner))
            }
        };
        if inner_count && !outer_count && !are_inner {
            return Ok(plain);
        }
        let (class, layout) = if are_inner { (1, LayoutChoice::Folders) } else { (0, LayoutChoice::Inner) };
        Ok(Shape { class, other: Some(OtherLevel { layout, outer, inner }), ..plain })
    }

    /// How many folders name a class and its part.
    pub fn depth(&self) -> usize {
        1 + self.parts.as_ref().map_or(self.class, |parts| parts.level.max(self.class))
    }

    /// Whether parts lie within the class folders.
    pub fn parts_are_inside(&self) -> bool {
        self.parts.as_ref().is_some_and(|parts| parts.level > self.class)
    }
}

/// The folders right below the top, and those in them.
struct Folders {
    inside: BTreeMap<String, Inside>,
}

#[derive(Default)]
struct Inside {
    /// Files right in it.
    direct: usize,
    folders: BTreeMap<String, Inner>,
}

/// A folder in one of those.
#[derive(Default)]
struct Inner {
    files: usize,
    /// How many of the files lie in a further folder, and what these are called.
    deeper: usize,
    folders: BTreeSet<String>,
}

impl Folders {
    fn of(files: &[PathBuf]) -> Folders {
        let mut inside: BTreeMap<String, Inside> = BTreeMap::new();
        for file in files {
            let names = names_of(file);
            let Some((outer, rest)) = names.split_first().filter(|(_, rest)| !rest.is_empty()) else {
                continue;
            };
            let outer = inside.entry(outer.clone()).or_default();
            match rest {
                [] | [_] => outer.direct += 1,
                [inner, deeper @ ..] => {
                    let inner = outer.folders.entry(inner.clone()).or_default();
                    inner.files += 1;
                    if let [folder, _, ..] = deeper {
                        inner.deeper += 1;
                        inner.folders.insert(folder.clone());
                    }
                }
            }
        }
        Folders { inside }
    }

    /// The folders in the folders where these are parts: nearly all, and several of them.
    fn inner_parts(&self) -> Option<BTreeMap<String, Part>> {
        let inner = || self.inside.values().flat_map(|outer| &outer.folders);
        let files: usize = inner().map(|(_, inner)| inner.files).sum();
        let named = NamedParts::among(inner().map(|(name, _)| name)).0;
        let in_parts: usize =
            inner().filter(|(name, _)| named.contains_key(*name)).map(|(_, inner)| inner.files).sum();
        let holding =
            self.inside.values().filter(|outer| outer.folders.keys().any(|name| named.contains_key(name)));
        let most = holding.count() * 2 > self.inside.len();
        (self.inside.len() > 1
            && Part::are_several(named.values().copied())
            && most
            && in_parts * 10 >= files * 9)
            .then_some(named)
    }

    /// Parts within folders: of classes, or around classes where the files lie in several folders in them.
    fn around_parts(
        &self,
        names: BTreeMap<String, Part>,
        asked: Option<LayoutChoice>,
    ) -> Result<Shape, Shapeless> {
        let inner = || self.inside.values().flat_map(|outer| outer.folders.values());
        let (files, deeper): (Vec<usize>, Vec<usize>) =
            inner().map(|inner| (inner.files, inner.deeper)).unzip();
        let folders: BTreeSet<String> = inner().flat_map(|inner| inner.folders.iter().cloned()).collect();
        let outer: BTreeSet<String> = self.inside.keys().cloned().collect();
        let lie_deeper = deeper.iter().sum::<usize>() * 10 >= files.iter().sum::<usize>() * 9;
        let repeats = are_repetitions(&outer);
        // Videos and persons lie in one part each, classes in several.
        let come_again = || most_come_again(inner().flat_map(|inner| &inner.folders));
        let may_be_around = lie_deeper && (repeats || (folders.len() > 1 && come_again()));
        let are_around = match asked {
            Some(LayoutChoice::Inner) => may_be_around,
            Some(LayoutChoice::Folders) => false,
            Some(LayoutChoice::Table | LayoutChoice::Names) | None => {
                may_be_around && (repeats || !have_one_stem(&folders))
            }
        };
        if are_around && repeats {
            return Err(Shapeless::Repeated(outer.into_iter().collect()));
        }
        let (class, layout) = if are_around { (2, LayoutChoice::Folders) } else { (0, LayoutChoice::Inner) };
        let other = may_be_around.then_some(OtherLevel { layout, outer, inner: folders });
        Ok(Shape { class, parts: Some(PartLevel { level: 1, names }), other })
    }

    /// The names of the folders and of those in them, where each holds nearly the same, two at least.
    fn alike(&self) -> Option<(BTreeSet<String>, BTreeSet<String>)> {
        let names = |inside: &Inside| inside.folders.keys().cloned().collect::<BTreeSet<String>>();
        let all: BTreeSet<String> = self.inside.values().flat_map(names).collect();
        let outer: BTreeSet<String> = self.inside.keys().cloned().collect();
        // Of numbered sessions some may lack some.
        let inner = self.inside.values().flat_map(|inside| inside.folders.keys());
        let are_sessions =
            all.len() > 1 && are_numbered(&outer) && !are_numbered(&all) && most_come_again(inner);
        let are_alike = self.inside.values().all(|inside| {
            let own = names(inside);
            let files: usize = inside.folders.values().map(|inner| inner.files).sum();
            let holds_most = own.len() > 1 && own.len() * 2 > all.len();
            // A few files may lie beside.
            (holds_most || are_sessions) && inside.direct * 10 <= files
        });
        (outer.len() > 1 && are_alike).then_some((outer, all))
    }
}

/// The folders right below the top that are named after parts: `train`, or several with one word around it, as in
/// `seg_train` and `seg_test`, `training_set` and `test_set`, `train2017` and `val2017`.
struct NamedParts(BTreeMap<String, Part>);

impl NamedParts {
    fn of(folders: &Folders) -> NamedParts {
        NamedParts::among(folders.inside.keys())
    }

    fn among<'a>(names: impl Iterator<Item = &'a String>) -> NamedParts {
        let mut around: BTreeMap<(String, String), Vec<(&String, Part)>> = BTreeMap::new();
        for name in names {
            if let Some((before, part, after)) = part_within(name) {
                around.entry((before, after)).or_default().push((name, part));
            }
        }
        let named = around.into_iter().filter(|((before, after), parts)| {
            let is_bare = before.is_empty() && after.is_empty();
            is_bare || Part::are_several(parts.iter().map(|(_, part)| *part))
        });
        let found = named.flat_map(|(_, parts)| parts).map(|(name, part)| (name.clone(), part));
        NamedParts(found.collect())
    }

    /// Whether they are parts, with class folders in them or without. A class may be called "train" too (among cars
    /// and ships): then its neighbours have no names of parts.
    fn are_parts(&self, folders: &Folders) -> Option<bool> {
        let parts: Vec<&Inside> = self.0.keys().filter_map(|name| folders.inside.get(name)).collect();
        let with_classes = parts.iter().filter(|inside| !inside.folders.is_empty()).count();
        // Beside other folders (unlabelled images, say) two parts must share a class.
        let mut seen = BTreeSet::new();
        let share = parts.iter().flat_map(|inside| inside.folders.keys()).any(|name| !seen.insert(name));
        // Or one has classes for folders that are its neighbours too, copies or what is left of them.
        let is_neighbour = |name: &String| folders.inside.contains_key(name) && !self.0.contains_key(name);
        let beside = parts.iter().any(|inside| {
            inside.folders.len() > 1 && inside.direct == 0 && inside.folders.keys().all(is_neighbour)
        });
        let all = parts.len() == folders.inside.len();
        if with_classes > 0 && (all || share || beside) {
            Some(true)
        } else if with_classes == 0 && all && self.are_parts_alone() {
            Some(false)
        } else {
            None
        }
    }

    fn above_classes(self) -> Shape {
        Shape { class: 1, parts: Some(PartLevel { level: 0, names: self.0 }), other: None }
    }

    /// Folders that are all called "train1", "train2" may be kinds of trains.
    fn are_parts_alone(&self) -> bool {
        let parts: BTreeSet<Part> = self.0.values().copied().collect();
        parts.contains(&Part::Train) && (parts.len() > 1 || self.0.len() == 1)
    }
}

/// Whether names differ by a number or a letter only, as those of folds, years and sites do: `fold1`, `2019`, `site B`.
/// Numbers from 0 or 1 up may be codes of classes, and what is called otherwise may be kinds (`boeing 737`).
fn are_numbered(names: &BTreeSet<String>) -> bool {
    const GROUPS: [&str; 46] = [
        "",
        "x",
        "fold",
        "kfold",
        "cv",
        "split",
        "rep",
        "repeat",
        "run",
        "seed",
        "trial",
        "round",
        "site",
        "session",
        "patient",
        "subject",
        "participant",
        "volunteer",
        "person",
        "speaker",
        "user",
        "part",
        "batch",
        "set",
        "day",
        "week",
        "month",
        "year",
        "camera",
        "cam",
        "group",
        "visit",
        "plot",
        "field",
        "slide",
        "case",
        "scan",
        "series",
        "sequence",
        "hospital",
        "center",
        "centre",
        "lab",
        "device",
        "animal",
        "station",
    ];
    let stems: Option<BTreeSet<String>> = names.iter().map(|name| stem(name)).collect();
    let is_group = |stem: &String| {
        GROUPS.contains(&stem.as_str()) || stem.rsplit(' ').next().is_some_and(|last| GROUPS.contains(&last))
    };
    stems.is_some_and(|stems| stems.len() == 1 && stems.iter().all(is_group)) && !are_codes(names)
}

/// Whether half of the names at least are there twice.
fn most_come_again<'a>(names: impl Iterator<Item = &'a String>) -> bool {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts.values().filter(|count| **count > 1).count() * 2 >= counts.len()
}

/// Whether names are numbers from 0 or 1 up.
fn are_codes(names: &BTreeSet<String>) -> bool {
    let numbers: Option<BTreeSet<usize>> = names.iter().map(|name| name.parse().ok()).collect();
    numbers.is_some_and(|numbers| {
        numbers.iter().enumerate().all(|(at, number)| *number == at || *number == at + 1)
    })
}

/// Whether names differ by a number or a letter only, whatever they are called.
fn have_one_stem(names: &BTreeSet<String>) -> bool {
    let stems: Option<BTreeSet<String>> = names.iter().map(|name| stem(name)).collect();
    stems.is_some_and(|stems| stems.len() == 1)
}

/// Whether such names are those of folds or of repeated runs.
fn are_repetitions(names: &BTreeSet<String>) -> bool {
    const WORDS: [&str; 12] = [
        "fold",
        "folds",
        "kfold",
        "cv",
        "split",
        "rep",
        "repeat",
        "repetition",
        "run",
        "seed",
        "trial",
        "fold no",
    ];
    are_numbered(names)
        && names.first().and_then(|name| stem(name)).is_some_and(|stem| WORDS.contains(&stem.as_str()))
}

/// A name in small letters without the number at its end or beginning, or the single letter that is its last word.
fn stem(name: &str) -> Option<String> {
    let plain = name.to_lowercase();
    let is_mark = |c: char| !c.is_alphanumeric();
    let bare = plain.trim_matches(|c: char| c.is_numeric() || is_mark(c));
    if bare.len() < plain.trim_matches(is_mark).len() {
        return Some(bare.to_owned());
    }
    let (rest, last) = plain.rsplit_once(is_mark)?;
    (last.chars().count() == 1 && !rest.is_empty()).then(|| rest.to_owned())
}

pub(super) fn names_of(path: &Path) -> Vec<String> {
    path.components().map(|name| name.as_os_str().to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(files: &[&str], asked: Option<LayoutChoice>) -> Result<(usize, Option<usize>), Shapeless> {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        Shape::of(&files, asked).map(|shape| (shape.class, shape.parts.map(|parts| parts.level)))
    }

    /// Meant to fail with the part and the class at fixed levels.
    #[test]
    fn levels_of_classes_and_parts_are_told() {
        let check = |files: &[&str], class: usize, part: Option<usize>| {
            assert_eq!(shape(files, None), Ok((class, part)), "{files:?}");
        };
        check(&["cat/1", "dog/2"], 0, None);
        check(&["train/cat/1", "test/cat/2"], 1, Some(0));
        check(&["1_train/cat/1", "2_val/cat/2", "3_test/dog/2"], 1, Some(0));
        check(&["Entrenamiento/cat/1", "Prueba/cat/2"], 1, Some(0));
        check(&["learning_set/cat/1", "evaluation_set/cat/2"], 1, Some(0));
        check(&["trainval/cat/1", "holdout/cat/2"], 1, Some(0));
        check(&["cat/train/1", "cat/test/2", "dog/train/3", "dog/test/4"], 0, Some(1));
        check(&["cat/1", "cat/test/2", "dog/3", "dog/test/4", "dog/val/5"], 0, Some(1));
        check(&["a/train/cat/1", "a/test/cat/2", "b/train/dog/3", "b/test/cat/4"], 2, Some(1));
        check(&["cat/train/1/1", "cat/test/2/2", "dog/train/1/3", "dog/test/2/4"], 0, Some(1));
        check(&["walk/train/anna/1", "walk/test/bert/2", "run/train/carl/3", "run/test/dora/4"], 0, Some(1));
        check(&["run/train 1/1", "run/train 2/2", "walk/test track/3", "walk/train 1/4"], 0, None);
        check(&["boeing737/front/1", "boeing737/side/2", "boeing747/front/3", "boeing747/side/4"], 0, None);
        check(&["fold1/cat/1", "fold1/dog/2", "fold2/cat/3", "fold2/dog/4"], 1, None);
        check(&["2019/cat/1", "2019/dog/2", "2020/cat/3", "2020/dog/4"], 1, None);
        check(&["site A/cat/1", "site A/dog/2", "site B/cat/3", "site B/dog/4"], 1, None);
        check(&["session 1/cat/1", "session 1/dog/2", "session 2/cat/3"], 1, None);
        check(&["100x/benign/1", "100x/ill/2", "200x/benign/3", "200x/ill/4"], 1, None);
        check(&["0/left/1", "0/right/2", "1/left/3", "1/right/4"], 0, None);
        check(&["class 1/left/1", "class 1/right/2", "class 2/left/3", "class 2/right/4"], 0, None);
        check(&["10253/0/1", "10253/1/2", "8863/0/3", "8863/1/4", "9041/0/5", "9041/1/6"], 1, None);
        check(&["0/anna/1", "1/anna/2", "2/bert/3"], 0, None);
        check(&["male/glad/1", "male/sad/2", "female/glad/3", "female/sad/4"], 0, None);
        check(&["train/cat/1", "train/dog/2", "cat/3", "dog/4"], 1, Some(0));
        // A kind of vehicle.
        check(&["train/red/1", "train/blue/2", "car/3", "ship/4"], 0, None);
        check(&["oak/summer/1", "oak/winter/2", "elm/summer/3", "elm/spring/2"], 0, None);
    }

    #[test]
    fn what_is_asked_for_counts_where_two_levels_may_be_the_classes() {
        let files = ["fold1/cat/1", "fold1/dog/2", "fold2/cat/3", "fold2/dog/4"];
        assert_eq!(shape(&files, Some(LayoutChoice::Folders)), Ok((0, None)));
        let files = ["male/glad/1", "male/sad/2", "female/glad/3", "female/sad/4"];
        assert_eq!(shape(&files, Some(LayoutChoice::Inner)), Ok((1, None)));
        assert_eq!(shape(&["cat/1", "dog/2"], Some(LayoutChoice::Inner)), Ok((0, None)));
    }

    #[test]
    fn folds_with_parts_in_each_are_no_dataset() {
        let files = ["fold1/train/cat/1", "fold1/test/cat/2", "fold2/train/cat/3", "fold2/test/cat/4"];
        assert!(matches!(shape(&files, None), Err(Shapeless::Repeated(folds)) if folds.len() == 2));
    }
}
