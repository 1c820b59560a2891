use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::data::index::{INDEX_VERSION, Item, Layout, Modality};
use crate::data::target::Target;

/// An index of (class, content, part) items.
pub(super) fn index(items: &[(usize, u32, Option<Part>)]) -> DatasetIndex {
    let classes = items.iter().map(|item| item.0 + 1).max().unwrap_or(0);
    DatasetIndex {
        files: Default::default(),
        unpacked: None,
        version: INDEX_VERSION,
        root: PathBuf::from("/data"),
        modality: Modality::Image,
        target: TargetKind::Class,
        classes: (0..classes).map(|class| format!("class {class}")).collect(),
        items: items
            .iter()
            .enumerate()
            .map(|(number, &(class, content, part))| Item {
                path: PathBuf::from(format!("{class}/{number}.png")),
                line: None,
                text: None,
                target: Target::Class(class),
                digest: Digest::of(&content.to_le_bytes()),
                part,
                group: None,
            })
            .collect(),
        findings: Vec::new(),
        layout: Layout::Folders {
            modality: Modality::Image,
            items: items.len() as u64,
            folders: classes as u64,
            parts: Vec::new(),
        },
    }
}

fn spec(validation_fraction: f64, test_fraction: f64, seed: u64) -> SplitSpec {
    SplitSpec { validation_fraction, test_fraction, seed }
}

#[test]
fn folders_win() {
    let (train, validation, test) = (Some(Part::Train), Some(Part::Validation), Some(Part::Test));
    let items = [(0, 1, train), (1, 2, train), (0, 3, validation), (1, 4, test), (0, 5, test)];
    let split = Split::new(&index(&items), &spec(0.5, 0.5, 1)).unwrap();
    assert_eq!(split, Split { train: vec![0, 1], validation: vec![2], test: vec![3, 4] });
}

#[test]
fn a_train_folder_alone_is_split() {
    let mut items: Vec<_> = (0..10).map(|n| (0, n, Some(Part::Train))).collect();
    items.push((0, 99, Some(Part::Test)));
    let split = Split::new(&index(&items), &spec(0.2, 0.3, 1)).unwrap();
    assert_eq!((split.train.len(), split.validation.len(), split.test), (8, 2, vec![10]));
}

#[test]
fn small_classes_are_served_first() {
    // One item: trained on. Two: one each. Three with a test share: one each.
    let items = [(0, 1), (1, 2), (1, 3), (2, 4), (2, 5), (2, 6)];
    let items: Vec<_> = items.iter().map(|&(class, content)| (class, content, None)).collect();
    let index = index(&items);
    let split = Split::new(&index, &spec(0.1, 0.1, 7)).unwrap();
    let classes = |items: &[usize]| -> Vec<usize> {
        items.iter().filter_map(|&item| index.items[item].target.class()).collect()
    };
    assert_eq!(classes(&split.train), [0, 1, 2]);
    assert_eq!(classes(&split.validation), [1, 2]);
    assert_eq!(classes(&split.test), [2]);
}

#[test]
fn a_class_of_disputed_items_is_validated_too() {
    // Content 1 is labelled 0 and 1; class 1 has content 2 for itself.
    let items = [(0, 1, None), (1, 1, None), (1, 2, None), (0, 3, None)];
    let split = Split::new(&index(&items), &spec(0.2, 0.0, 3)).unwrap();
    for class in 0..2 {
        assert!(split.train.iter().any(|&item| items[item].0 == class));
        assert!(split.validation.iter().any(|&item| items[item].0 == class));
    }
}

#[test]
fn senseless_fractions_are_refused() {
    let items: Vec<_> = (0..10).map(|n| (n as usize % 2, n, None)).collect();
    for (validation, test) in [(0.0, 0.0), (1.0, 0.0), (0.6, 0.4), (-0.1, 0.2), (0.2, -0.1), (f64::NAN, 0.0)]
    {
        let error = Split::new(&index(&items), &spec(validation, test, 0)).unwrap_err();
        assert!(matches!(error, SplitError::Fractions { .. }), "{validation} {test}");
    }
}

#[test]
fn nothing_to_train_or_to_validate_is_said() {
    let only_test = [(0, 1, Some(Part::Test)), (0, 2, Some(Part::Test))];
    let split = Split::new(&index(&only_test), &spec(0.2, 0.0, 0));
    assert_eq!(split, Err(SplitError::NothingToTrain));
    let twins = [(0, 1, None), (0, 1, None)];
    let split = Split::new(&index(&twins), &spec(0.2, 0.0, 0));
    assert_eq!(split, Err(SplitError::NothingToValidate));
}

/// An index with these targets; equal contents are equal numbers.
fn index_of(target: TargetKind, names: usize, items: Vec<(u32, Target)>) -> DatasetIndex {
    let items = items.into_iter().enumerate().map(|(number, (content, target))| Item {
        path: PathBuf::from("a.csv"),
        line: Some(number as u64 + 2),
        text: Some(content.to_string()),
        target,
        digest: Digest::of(&content.to_le_bytes()),
        part: None,
        group: None,
    });
    let classes = (0..names).map(|name| format!("{name:03}")).collect();
    DatasetIndex { target, classes, items: items.collect(), ..index(&[]) }
}

fn labelled(items: &[(u32, Vec<usize>)]) -> DatasetIndex {
    let items = items.iter().map(|(content, labels)| (*content, Target::Labels(labels.clone()))).collect();
    index_of(TargetKind::Labels, 8, items)
}

#[test]
fn labels_that_nobody_shares_keep_no_sample_from_validation() {
    let items: Vec<_> = (0..40).map(|n| (n, vec![n as usize + 1])).collect();
    let split = Split::new(&labelled(&items), &spec(0.25, 0.0, 5)).unwrap();
    assert_eq!((split.train.len(), split.validation.len()), (30, 10));
    // Where others can be drawn, they stay.
    let items: Vec<_> = (0..40).map(|n| (n, if n < 5 { vec![0, n as usize + 1] } else { vec![0] })).collect();
    let split = Split::new(&labelled(&items), &spec(0.25, 0.0, 5)).unwrap();
    assert_eq!(split.validation.len(), 10);
    assert!((0..5).all(|item| split.train.contains(&item)));
}

#[test]
fn numbers_are_drawn_evenly_over_their_range() {
    let numbers = |count: u32| {
        let items = (0..count).map(|n| (n, Target::Numbers(vec![f64::from(n * n)]))).collect();
        index_of(TargetKind::Numbers, 1, items)
    };
    let split = Split::new(&numbers(100), &spec(0.2, 0.1, 3)).unwrap();
    for tenth in 0..10 {
        let here = |part: &[usize]| part.iter().filter(|item| **item / 10 == tenth).count();
        assert_eq!((here(&split.train), here(&split.validation), here(&split.test)), (7, 2, 1), "{tenth}");
    }
    // A small table gives its share and no more.
    for (count, validation) in [(2, 1), (4, 1), (10, 2), (12, 2), (20, 4), (33, 6)] {
        let split = Split::new(&numbers(count), &spec(0.2, 0.0, 3)).unwrap();
        assert_eq!(split.validation.len(), validation, "of {count}");
    }
    let one = Split::new(&numbers(1), &spec(0.2, 0.0, 3));
    assert_eq!(one, Err(SplitError::NoRowToValidate));
    assert!(!SplitError::NoRowToValidate.to_string().contains("class"));
}

fn items() -> impl Strategy<Value = Vec<(usize, u32, Option<Part>)>> {
    // 0..60 contents over up to 120 items: duplicates, within and across classes.
    prop::collection::vec((0usize..4, 0u32..60), 2..120)
        .prop_map(|items| items.into_iter().map(|(class, n)| (class, n, None)).collect())
}

fn distinct(items: &[(usize, u32, Option<Part>)], class: usize) -> usize {
    let contents = items.iter().filter(|item| item.0 == class).map(|item| item.1);
    contents.collect::<BTreeSet<u32>>().len()
}

proptest! {
    #[test]
    fn every_item_is_in_one_part_and_duplicates_are_together(
        items in items(), validation in 0.05f64..0.5, test in 0.0f64..0.4, seed: u64,
    ) {
        let Ok(split) = Split::new(&index(&items), &spec(validation, test, seed)) else {
            return Ok(());
        };
        let mut all = [&split.train[..], &split.validation, &split.test].concat();
        for part in [&split.train, &split.validation, &split.test] {
            prop_assert!(part.is_sorted());
        }
        all.sort_unstable();
        prop_assert_eq!(all, (0..items.len()).collect::<Vec<_>>());
        let contents = |part: &[usize]| -> BTreeSet<u32> {
            part.iter().map(|&item| items[item].1).collect()
        };
        let (a, b) = (contents(&split.train), contents(&split.validation));
        let c = contents(&split.test);
        prop_assert!(a.is_disjoint(&b) && a.is_disjoint(&c) && b.is_disjoint(&c));
    }

    #[test]
    fn every_class_is_trained_on_and_validated(
        items in items(), validation in 0.05f64..0.5, test in 0.0f64..0.4, seed: u64,
    ) {
        // Without disputed contents, which can make it impossible: 0..60 split by class.
        let items: Vec<_> = items.iter().map(|&(c, n, p)| (c, n * 4 + c as u32, p)).collect();
        let Ok(split) = Split::new(&index(&items), &spec(validation, test, seed)) else {
            return Ok(());
        };
        for class in 0..4 {
            let has = |part: &[usize]| part.iter().any(|&item| items[item].0 == class);
            let distinct = distinct(&items, class);
            prop_assert_eq!(has(&split.train), distinct > 0);
            prop_assert_eq!(has(&split.validation), distinct > 1);
            prop_assert_eq!(has(&split.test), distinct > 2 && test > 0.0);
        }
    }

    #[test]
    fn distinct_items_are_stratified_to_the_nearest(
        sizes in prop::collection::vec(5usize..60, 1..5),
        validation in 0.1f64..0.5, seed: u64,
    ) {
        let items: Vec<_> = sizes
            .iter()
            .enumerate()
            .flat_map(|(class, &n)| (0..n).map(move |i| (class, (class * 100 + i) as u32, None)))
            .collect();
        let split = Split::new(&index(&items), &spec(validation, 0.0, seed)).unwrap();
        for (class, &size) in sizes.iter().enumerate() {
            let here = split.validation.iter().filter(|&&item| items[item].0 == class).count();
            prop_assert!((here as f64 - validation * size as f64).abs() <= 0.5);
        }
    }

    #[test]
    fn the_order_and_the_names_of_files_play_no_part(
        items in items(), keys in prop::collection::vec(any::<u32>(), 120), seed: u64,
    ) {
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by_key(|&item| keys[item]);
        let permuted: Vec<_> = order.iter().map(|&item| items[item]).collect();
        let spec = spec(0.3, 0.1, seed);
        let contents = |items: &[(usize, u32, Option<Part>)]| {
            Split::new(&index(items), &spec).map(|split| {
                [split.train, split.validation, split.test].map(|part| {
                    let mut part: Vec<_> = part.iter().map(|&i| (items[i].0, items[i].1)).collect();
                    part.sort_unstable();
                    part
                })
            })
        };
        prop_assert_eq!(contents(&items), contents(&permuted));
    }

    #[test]
    fn every_label_is_trained_on_and_validated_where_it_can_be(
        labels in prop::collection::vec(prop::collection::btree_set(0usize..8, 0..4), 2..60),
        validation in 0.05f64..0.5, test in 0.0f64..0.4, seed: u64,
    ) {
        let items: Vec<_> = (0..).zip(labels.iter().map(|l| l.iter().copied().collect())).collect();
        let Ok(split) = Split::new(&labelled(&items), &spec(validation, test, seed)) else {
            return Ok(());
        };
        let of = |part: &[usize], label| part.iter().filter(|item| labels[**item].contains(&label)).count();
        for label in 0..8 {
            let all = labels.iter().filter(|labels| labels.contains(&label)).count();
            if all < 2 {
                continue;
            }
            prop_assert!(of(&split.train, label) > 0);
            // Unless every sample of it is the last one of another label to train on.
            let is_free = |item: &&usize| {
                labels[**item].contains(&label)
                    && labels[**item].iter().all(|other| {
                        of(&split.train, *other) > 1
                            || labels.iter().filter(|labels| labels.contains(other)).count() < 2
                    })
            };
            let validated = of(&split.validation, label) > 0;
            prop_assert!(validated || !split.train.iter().any(|item| is_free(&item)));
        }
    }

    #[test]
    fn numbers_get_their_share_and_no_bin_is_forced(
        numbers in prop::collection::vec(-1e3f64..1e3, 2..200),
        validation in 0.05f64..0.5, seed: u64,
    ) {
        let items = (0..).zip(numbers.iter().map(|n| Target::Numbers(vec![n.round()]))).collect();
        let index = index_of(TargetKind::Numbers, 1, items);
        let split = Split::new(&index, &spec(validation, 0.0, seed)).unwrap();
        let share = validation * numbers.len() as f64;
        // Every bin is rounded on its own.
        let bins = (share as usize).clamp(1, NUMBER_BINS) as f64;
        prop_assert!((split.validation.len() as f64 - share).abs() <= (0.5 * bins).max(1.0) + 1e-9);
    }
}
