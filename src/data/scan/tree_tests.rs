//! Random folders of parts, classes, wrappings and litter: the classes are found as they were made.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::control::Silent;

/// How a folder is made.
#[derive(Debug, Clone)]
struct Made {
    /// Folders above all.
    wrapped: Vec<&'static str>,
    /// Names of the part folders; none where classes lie right below.
    parts: Vec<(&'static str, Part)>,
    /// A part within a folder of its own name, as archives unpack.
    twice: bool,
    /// The parts lie in the class folders.
    inside: bool,
    classes: Vec<&'static str>,
    /// Files of each class in each part, and how deep they lie below the class.
    files: Vec<(usize, usize)>,
    litter: Vec<&'static str>,
    images: bool,
}

const CLASSES: [&str; 12] =
    ["cat", "dog", "no cat", "été", "n01440764", "0", "1", "C", "c++", "Über", "training shoes", "x.y"];
const PARTED: [&[(&str, Part)]; 12] = [
    &[],
    &[("train", Part::Train), ("test", Part::Test)],
    &[("Train", Part::Train), ("Validation", Part::Validation), ("Test", Part::Test)],
    &[("seg_train", Part::Train), ("seg_test", Part::Test)],
    &[("train2017", Part::Train), ("val2017", Part::Validation)],
    &[("training_set", Part::Train), ("test_set", Part::Test)],
    &[("train", Part::Train), ("val", Part::Validation), ("test", Part::Test)],
    &[("1_train", Part::Train), ("2_val", Part::Validation), ("3_test", Part::Test)],
    &[("Entrenamiento", Part::Train), ("Prueba", Part::Test)],
    &[("trainval", Part::Train), ("holdout", Part::Test)],
    &[("learning_set", Part::Train), ("evaluation_set", Part::Validation)],
    &[("训练集", Part::Train), ("测试集", Part::Test)],
];
const LITTER: [&str; 8] = [
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "._x.jpg",
    ".git/config",
    "@eaDir/a.jpg",
    "__MACOSX/._a",
    "README.md",
];

fn made() -> impl Strategy<Value = Made> {
    let classes = prop::sample::subsequence(CLASSES.to_vec(), 2..6);
    let wrapped = prop::sample::select(vec![vec![], vec!["data"], vec!["archive", "photos"], vec!["a b"]]);
    let litter = prop::sample::subsequence(LITTER.to_vec(), 0..8);
    let files = prop::collection::vec((1usize..4, 0usize..3), 18);
    let parted = prop::sample::select(PARTED.to_vec());
    (wrapped, parted, any::<bool>(), classes, files, litter, any::<[bool; 2]>()).prop_map(
        |(wrapped, parts, twice, classes, files, litter, [images, inside])| Made {
            wrapped,
            parts: parts.to_vec(),
            twice,
            inside,
            classes,
            files,
            litter,
            images,
        },
    )
}

/// Makes the files, and gives the samples of each class and part.
fn write(root: &Path, made: &Made) -> BTreeMap<(String, Option<Part>), usize> {
    let top = made.wrapped.iter().fold(root.to_owned(), |path, name| path.join(name));
    let parts: Vec<Option<(&str, Part)>> = match made.parts.as_slice() {
        [] => vec![None],
        parts => parts.iter().copied().map(Some).collect(),
    };
    let (mut expected, mut number) = (BTreeMap::new(), 0u32);
    for (at, part) in parts.iter().enumerate() {
        let folder = match part {
            None => top.clone(),
            Some((name, _)) if made.twice => top.join(name).join(name),
            Some((name, _)) => top.join(name),
        };
        for (place, class) in made.classes.iter().enumerate() {
            let folder = match part {
                Some((name, _)) if made.inside => top.join(class).join(name),
                Some(_) | None => folder.join(class),
            };
            let (files, depth) = made.files[(at * made.classes.len() + place) % made.files.len()];
            let inside = (0..depth).fold(folder, |path, level| path.join(format!("set {level}")));
            std::fs::create_dir_all(&inside).unwrap();
            for _ in 0..files {
                number += 1;
                if made.images {
                    let pixel = image::Rgb([number as u8, (number >> 8) as u8, 7]);
                    image::RgbImage::from_pixel(4, 4, pixel)
                        .save(inside.join(format!("{number}.png")))
                        .unwrap();
                } else {
                    std::fs::write(inside.join(format!("{number}.txt")), format!("words of {number}"))
                        .unwrap();
                }
            }
            *expected.entry(((*class).to_owned(), part.map(|(_, part)| part))).or_default() += files;
        }
    }
    for litter in &made.litter {
        let path = top.join(litter);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
    expected
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    /// Seen to fail: `folders::top_folder` goes below one wrapping only.
    #[test]
    fn classes_are_found_as_they_were_made(made in made()) {
        let folder = tempfile::tempdir().unwrap();
        let expected = write(folder.path(), &made);
        let index = scan(folder.path(), &ScanOptions::default(), &Silent).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let mut found: BTreeMap<(String, Option<Part>), usize> = BTreeMap::new();
        for item in &index.items {
            *found.entry((item.target.words(&index.classes), item.part)).or_default() += 1;
        }
        prop_assert_eq!(&found, &expected);
        let classes: BTreeSet<&str> = made.classes.iter().copied().collect();
        prop_assert_eq!(index.classes.iter().map(String::as_str).collect::<BTreeSet<_>>(), classes);
        prop_assert_eq!(index.files.used as usize, expected.values().sum::<usize>());
    }
}
