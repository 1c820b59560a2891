use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::index;
use super::*;

/// An index of (class, content, group) items.
fn grouped(items: &[(usize, u32, Option<u32>)]) -> DatasetIndex {
    let plain: Vec<_> = items.iter().map(|(class, content, _)| (*class, *content, None)).collect();
    let mut index = index(&plain);
    for (item, (_, _, group)) in index.items.iter_mut().zip(items) {
        item.group = group.map(|group| group.to_string());
    }
    index
}

fn spec(validation_fraction: f64, test_fraction: f64, seed: u64) -> SplitSpec {
    SplitSpec { validation_fraction, test_fraction, seed }
}

/// The groups with samples in several parts.
fn torn(index: &DatasetIndex, split: &Split) -> usize {
    let mut parts: BTreeMap<&str, BTreeSet<Part>> = BTreeMap::new();
    for part in [Part::Train, Part::Validation, Part::Test] {
        for item in split.part(part).iter().filter_map(|item| index.items.get(*item)) {
            if let Some(group) = &item.group {
                parts.entry(group).or_default().insert(part);
            }
        }
    }
    parts.values().filter(|parts| parts.len() > 1).count()
}

#[test]
fn a_share_is_kept_with_groups_of_unlike_sizes() {
    // 40 patients with 1 to 12 pictures of either class.
    let items: Vec<_> = (0..40u32)
        .flat_map(|group| (0..=group * 7 % 12).map(move |n| ((n % 2) as usize, group * 100 + n, Some(group))))
        .collect();
    let index = grouped(&items);
    for seed in 0..20 {
        let split = Split::new(&index, &spec(0.2, 0.1, seed)).unwrap();
        assert_eq!(torn(&index, &split), 0);
        let share = split.validation.len() as f64 / items.len() as f64;
        assert!((0.12..=0.28).contains(&share), "{share} with seed {seed}");
    }
}

#[test]
fn what_cannot_be_parted_is_said() {
    // All of a class is one patient's.
    let items: Vec<_> = (0..20u32).map(|n| ((n % 2) as usize, n, Some(n % 2))).collect();
    assert_eq!(Split::new(&grouped(&items), &spec(0.2, 0.0, 1)), Err(SplitError::NoGroupToValidate));
}

#[test]
fn a_text_that_everyone_says_does_not_tie_all_groups_together() {
    let items: Vec<_> =
        (0..60u32).map(|n| ((n % 2) as usize, if n % 6 < 2 { 7 } else { n + 100 }, Some(n / 6))).collect();
    let index = grouped(&items);
    let split = Split::new(&index, &spec(0.2, 0.0, 1)).unwrap();
    assert_eq!((torn(&index, &split), split.validation.len()), (0, 12));
}

#[test]
fn one_more_group_moves_few_others() {
    let items = |groups: u32| -> Vec<(usize, u32, Option<u32>)> {
        (0..groups * 4).map(|n| ((n % 2) as usize, n, Some(n / 4))).collect()
    };
    let validated = |groups: u32| {
        let split = Split::new(&grouped(&items(groups)), &spec(0.2, 0.0, 3)).unwrap();
        split.validation.into_iter().collect::<BTreeSet<usize>>()
    };
    assert!(validated(50).symmetric_difference(&validated(51)).count() <= 8);
}

proptest! {
    /// Broken where `together::of` ties by content alone.
    #[test]
    fn groups_are_never_torn_and_every_class_is_trained_on(
        items in prop::collection::vec((0usize..3, 0u32..200, prop::option::weighted(0.8, 0u32..12)), 2..150),
        validation in 0.05f64..0.5, test in 0.0f64..0.4, seed: u64,
    ) {
        let index = grouped(&items);
        let Ok(split) = Split::new(&index, &spec(validation, test, seed)) else {
            return Ok(());
        };
        prop_assert_eq!(torn(&index, &split), 0);
        let mut all = [&split.train[..], &split.validation, &split.test].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..items.len()).collect::<Vec<_>>());
        let trained: BTreeSet<usize> = split.train.iter().map(|item| items[*item].0).collect();
        let classes: BTreeSet<usize> = items.iter().map(|item| item.0).collect();
        prop_assert_eq!(trained, classes);
    }
}
