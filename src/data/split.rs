//! Which items are trained on, which choose the best epoch, and which are kept for the end.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::index::{DatasetIndex, Digest, Item, Part};
use super::target::TargetKind;

/// Item numbers of a [`DatasetIndex`], each list ascending, no item in two lists, none left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    pub train: Vec<usize>,
    pub validation: Vec<usize>,
    pub test: Vec<usize>,
}

/// How to split what the folders leave open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SplitSpec {
    /// The share of each class to validate on, in (0, 1).
    pub validation_fraction: f64,
    /// The share of each class to keep for the end, in [0, 1).
    pub test_fraction: f64,
    pub seed: u64,
}

impl Default for SplitSpec {
    fn default() -> SplitSpec {
        SplitSpec { validation_fraction: 0.2, test_fraction: 0.0, seed: 0 }
    }
}

/// Why there is no split.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SplitError {
    #[error(
        "a validation fraction of {validation} and a test fraction of {test} leave nothing to \
         train on or nothing to validate on; give a validation fraction above 0, a test fraction \
         of at least 0, and a sum below 1"
    )]
    Fractions { validation: f64, test: f64 },
    #[error(
        "nothing is left to train on: no class has an item outside the validation and test \
         folders; add images or texts to a train folder"
    )]
    NothingToTrain,
    #[error("nothing is left to validate on: no class has two different items; add items to each class")]
    NothingToValidate,
}

impl Split {
    /// Splits the items of `index`.
    ///
    /// Parts that the folders give are kept. Where there is no validation (test) folder, a share
    /// of every class is drawn from the other items: stratified by class, to the nearest whole
    /// item, with exact duplicates always on one side. Every class with two different items has
    /// one to train on and one to validate on; a class with a single item is trained on.
    ///
    /// The draw orders contents by a hash of seed and digest, so that neither the order nor the
    /// names of the files play a part, and adding an item moves few of the others.
    ///
    /// # Errors
    ///
    /// When the fractions make no sense or leave nothing to train or validate on.
    pub fn new(index: &DatasetIndex, spec: &SplitSpec) -> Result<Split, SplitError> {
        let given = |part| index.items.iter().any(|item| item.part == Some(part));
        let draws_validation = !given(Part::Validation);
        let draws_test = !given(Part::Test) && spec.test_fraction != 0.0;
        spec.check(draws_validation)?;

        let mut pool = Pool::new(index);
        if draws_test {
            pool.draw(Part::Test, spec.test_fraction, spec.seed, usize::from(draws_validation) + 1);
        }
        if draws_validation {
            pool.draw(Part::Validation, spec.validation_fraction, spec.seed, 1);
            pool.validate_every_class();
        }
        let split = pool.into_split(index);
        if split.train.is_empty() {
            return Err(SplitError::NothingToTrain);
        }
        if split.validation.is_empty() {
            return Err(SplitError::NothingToValidate);
        }
        Ok(split)
    }

    /// The items of one part.
    pub fn part(&self, part: Part) -> &[usize] {
        match part {
            Part::Train => &self.train,
            Part::Validation => &self.validation,
            Part::Test => &self.test,
        }
    }
}

impl SplitSpec {
    fn check(&self, draws_validation: bool) -> Result<(), SplitError> {
        let (validation, test) = (self.validation_fraction, self.test_fraction);
        let validation_holds = !draws_validation || (validation > 0.0 && validation < 1.0);
        let sum = if draws_validation { validation + test } else { test };
        if validation_holds && test >= 0.0 && sum < 1.0 {
            Ok(())
        } else {
            Err(SplitError::Fractions { validation, test })
        }
    }
}

/// Equal contents, which stay together.
struct Group {
    digest: Digest,
    items: Vec<usize>,
    /// The classes of the items: one, unless equal contents are labelled differently.
    labels: BTreeSet<usize>,
    /// The class that most of the items have; the lowest of these.
    class: usize,
    part: Part,
}

/// The items that no folder keeps for validation or test.
struct Pool {
    groups: Vec<Group>,
}

impl Pool {
    fn new(index: &DatasetIndex) -> Pool {
        let mut by_digest: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
        for (number, item) in index.items.iter().enumerate() {
            if matches!(item.part, None | Some(Part::Train)) {
                by_digest.entry(item.digest).or_default().push(number);
            }
        }
        let strata = strata(index);
        let groups = by_digest
            .into_iter()
            .map(|(digest, items)| {
                let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
                for stratum in items.iter().filter_map(|item| strata.get(*item)) {
                    *counts.entry(*stratum).or_default() += 1;
                }
                let most = counts.values().copied().max().unwrap_or(0);
                let class = counts.iter().find(|(_, n)| **n == most).map_or(0, |(class, _)| *class);
                let labels = counts.into_keys().collect();
                Group { digest, items, labels, class, part: Part::Train }
            })
            .collect();
        Pool { groups }
    }

    /// Moves a share of every class from train to `part`, leaving at least `keep` contents of the
    /// class, and taking at least one where that is possible.
    fn draw(&mut self, part: Part, fraction: f64, seed: u64, keep: usize) {
        // A share of all the items, of which a test draw may already have taken some.
        let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
        for group in &self.groups {
            *sizes.entry(group.class).or_default() += group.items.len();
        }
        for (class, size) in sizes {
            let mut open: Vec<usize> = (0..self.groups.len())
                .filter(|&g| self.groups[g].class == class && self.groups[g].part == Part::Train)
                .collect();
            open.sort_by_key(|&g| draw_key(seed, part, self.groups[g].digest));
            let target = ((fraction * size as f64).round() as usize).max(1);
            let most = open.len().saturating_sub(keep);
            let mut taken = (0, 0);
            for g in open {
                let group = &mut self.groups[g];
                // The first is taken whatever its size: a class needs one.
                let fits = taken.0 == 0 || taken.1 + group.items.len() <= target;
                if taken.0 < most && taken.1 < target && fits {
                    group.part = part;
                    taken = (taken.0 + 1, taken.1 + group.items.len());
                }
            }
        }
    }

    /// Contents with several labels count for one class only when drawn; this finds a validation
    /// item for the other classes, where no class loses its last training item by it.
    fn validate_every_class(&mut self) {
        let labels: BTreeSet<usize> =
            self.groups.iter().flat_map(|group| group.labels.iter().copied()).collect();
        for label in labels {
            let has = |group: &Group, part| group.part == part && group.labels.contains(&label);
            if self.groups.iter().any(|group| has(group, Part::Validation)) {
                continue;
            }
            let training = |wanted: usize| {
                let holds = |g: &&Group| g.part == Part::Train && g.labels.contains(&wanted);
                self.groups.iter().filter(holds).count()
            };
            let free = self.groups.iter().position(|group| {
                has(group, Part::Train) && group.labels.iter().all(|&other| training(other) > 1)
            });
            if let Some(group) = free.and_then(|free| self.groups.get_mut(free)) {
                group.part = Part::Validation;
            }
        }
    }

    fn into_split(self, index: &DatasetIndex) -> Split {
        let mut parts: Vec<Part> = index.items.iter().map(|item| item.part.unwrap_or(Part::Train)).collect();
        for group in &self.groups {
            for &item in &group.items {
                parts[item] = group.part;
            }
        }
        let of = |part| (0..parts.len()).filter(|&item| parts[item] == part).collect();
        Split { train: of(Part::Train), validation: of(Part::Validation), test: of(Part::Test) }
    }
}

/// Bins of equally many numbers that are drawn from alike.
const NUMBER_BINS: usize = 10;

/// What each item is drawn as: its class; of labels the rarest that it has (after Sechidis et al. 2011, who also serve
/// rare labels first); of numbers the tenth of all samples that its first one falls into.
fn strata(index: &DatasetIndex) -> Vec<usize> {
    match index.target {
        TargetKind::Class => index.items.iter().map(|item| item.target.class().unwrap_or(0)).collect(),
        TargetKind::Labels => {
            let counts = index.counts();
            let rarest = |item: &Item| {
                let labels = item.target.labels().iter().copied();
                // Samples without any label are drawn by themselves.
                labels.min_by_key(|label| (counts.get(*label), *label)).unwrap_or(counts.len())
            };
            index.items.iter().map(rarest).collect()
        }
        TargetKind::Numbers => {
            let first = |item: &Item| item.target.numbers().first().copied().unwrap_or(0.0);
            let mut sorted: Vec<f64> = index.items.iter().map(first).collect();
            sorted.sort_by(f64::total_cmp);
            let rank = |item| sorted.partition_point(|other| other.total_cmp(&first(item)).is_lt());
            index.items.iter().map(|item| rank(item) * NUMBER_BINS / sorted.len().max(1)).collect()
        }
    }
}

fn draw_key(seed: u64, part: Part, digest: Digest) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"frostline split ").update(part.name().as_bytes());
    hasher.update(&seed.to_le_bytes()).update(&digest.0);
    Digest(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::data::index::{INDEX_VERSION, Layout, Modality};
    use crate::data::target::Target;

    /// An index of (class, content, part) items.
    fn index(items: &[(usize, u32, Option<Part>)]) -> DatasetIndex {
        let classes = items.iter().map(|item| item.0 + 1).max().unwrap_or(0);
        DatasetIndex {
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
        for (validation, test) in
            [(0.0, 0.0), (1.0, 0.0), (0.6, 0.4), (-0.1, 0.2), (0.2, -0.1), (f64::NAN, 0.0)]
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
    }
}
