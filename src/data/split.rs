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
    #[error(
        "nothing is left to train on: all rows are in the validation and test tables; add rows to a train table"
    )]
    NoRowToTrain,
    #[error("nothing is left to validate on: no two rows differ in their content; add rows")]
    NoRowToValidate,
    #[error(
        "nothing is left to validate on: samples of one group stay together, and each group holds all that there is of \
         some class; use another column as the group, or none"
    )]
    NoGroupToValidate,
}

impl Split {
    /// Splits the items of `index`.
    ///
    /// Samples of one group (a customer, a patient) are drawn as one and never parted, unless the folders part them.
    ///
    /// Parts that the folders give are kept. Where there is no validation (test) folder, a share
    /// of every class is drawn from the other items: stratified by class, to the nearest whole
    /// item, with exact duplicates always on one side. Every class with two different items has
    /// one to train on and one to validate on; a class with a single item is trained on.
    ///
    /// Samples with several labels are drawn by the rarest that they have, after Sechidis et al. (2011), who serve rare
    /// labels first as well. Every label is trained on; one with two different items is validated on unless each of
    /// them is the last training item of another label. Numbers are drawn evenly over their range: from bins of
    /// equally many, see `NUMBER_BINS`.
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
        let grouped = pool.grouped;
        let split = pool.into_split(index);
        match (index.target, split.train.is_empty(), split.validation.is_empty()) {
            (_, false, true) if grouped => Err(SplitError::NoGroupToValidate),
            (TargetKind::Class, true, _) => Err(SplitError::NothingToTrain),
            (TargetKind::Class, false, true) => Err(SplitError::NothingToValidate),
            (TargetKind::Labels | TargetKind::Numbers, true, _) => Err(SplitError::NoRowToTrain),
            (TargetKind::Labels | TargetKind::Numbers, false, true) => Err(SplitError::NoRowToValidate),
            (_, false, false) => Ok(split),
        }
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

/// Equal contents, or samples of one group, which stay together.
struct Group {
    /// Of the content, or of the group's name.
    digest: Digest,
    items: Vec<usize>,
    /// The classes of the items: one, unless equal contents are labelled differently. Or their labels, without those
    /// that no other content has.
    labels: BTreeSet<usize>,
    /// Labels that no other content has.
    singles: usize,
    /// What it is drawn as: the class that most of the items have, the lowest of these; the rarest label; the bin.
    class: usize,
    part: Part,
}

/// The items that no folder keeps for validation or test.
struct Pool {
    target: TargetKind,
    /// Whether samples are grouped by more than their content.
    grouped: bool,
    groups: Vec<Group>,
    /// Contents of each class or label that are trained on.
    trained: BTreeMap<usize, usize>,
    /// The first number of each group; empty for other targets.
    numbers: Vec<f64>,
}

impl Pool {
    fn new(index: &DatasetIndex) -> Pool {
        let open = |item: &Item| matches!(item.part, None | Some(Part::Train));
        let open: Vec<(usize, &Item)> =
            index.items.iter().enumerate().filter(|(_, item)| open(item)).collect();
        let grouped = open.iter().any(|(_, item)| item.group.is_some());
        let together = together::of(&open);
        let group = |(digest, items): (Digest, Vec<usize>)| {
            let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
            for item in items.iter().filter_map(|item| index.items.get(*item)) {
                for label in item.target.labels() {
                    *counts.entry(*label).or_default() += 1;
                }
            }
            let most = counts.values().copied().max().unwrap_or(0);
            let class = counts.iter().find(|(_, n)| **n == most).map_or(0, |(class, _)| *class);
            let labels = counts.into_keys().collect();
            Group { digest, items, labels, singles: 0, class, part: Part::Train }
        };
        let groups: Vec<Group> = together.into_iter().map(group).collect();
        let number = |group: &Group| {
            let numbers =
                group.items.iter().filter_map(|item| index.items.get(*item)?.target.numbers().first());
            let sum = numbers.clone().sum::<f64>();
            Some(numbers.count()).filter(|count| *count > 0).map(|count| sum / count as f64)
        };
        let numbers = groups.iter().filter_map(number).collect();
        let mut trained = BTreeMap::new();
        for label in groups.iter().flat_map(|group| &group.labels) {
            *trained.entry(*label).or_default() += 1;
        }
        let mut pool = Pool { target: index.target, grouped, groups, trained, numbers };
        pool.serve_rare_labels();
        pool
    }

    /// Draws contents with several labels as the rarest that they share with others. What no other content has cannot
    /// be both trained on and validated; it must not keep its content from being drawn, or rare labels would leave
    /// nothing to validate on.
    fn serve_rare_labels(&mut self) {
        if self.target != TargetKind::Labels {
            return;
        }
        let contents = &self.trained;
        for group in &mut self.groups {
            let all = group.labels.len();
            group.labels.retain(|label| contents.get(label).is_some_and(|contents| *contents > 1));
            group.singles = all - group.labels.len();
            let rarest = group.labels.iter().min_by_key(|label| contents.get(label));
            // Those without any label are drawn among themselves.
            group.class = rarest.copied().unwrap_or(usize::MAX);
        }
    }

    /// Puts contents with numbers into bins, from each of which `fraction` takes one or more.
    fn bin_numbers(&mut self, fraction: f64) {
        let mut order: Vec<(f64, usize)> = self.numbers.iter().copied().zip(0..).collect();
        // Groups are in the order of their digests, which decides between equal numbers.
        order.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let bins = ((fraction * order.len() as f64) as usize).clamp(1, NUMBER_BINS);
        for (place, (_, group)) in order.iter().enumerate() {
            self.groups[*group].class = place * bins / order.len();
        }
    }

    /// Moves a share of every class from train to `part`, leaving at least `keep` contents of the
    /// class, and taking at least one where that is possible.
    fn draw(&mut self, part: Part, fraction: f64, seed: u64, keep: usize) {
        self.bin_numbers(fraction);
        // A share of all the items, of which a test draw may already have taken some.
        let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
        for group in &self.groups {
            *sizes.entry(group.class).or_default() += group.items.len();
        }
        for (class, size) in sizes {
            let mut open: Vec<usize> = (0..self.groups.len())
                .filter(|&g| self.groups[g].class == class && self.groups[g].part == Part::Train)
                .collect();
            open.sort_by_key(|&g| (self.groups[g].singles, draw_key(seed, part, self.groups[g].digest)));
            let target = ((fraction * size as f64).round() as usize).max(1);
            let most = open.len().saturating_sub(keep);
            let mut taken = (0, 0);
            for &g in &open {
                let items = self.groups[g].items.len();
                // The first is taken whatever its size: a class needs one. Of groups, that may be far too large.
                let fits = (taken.0 == 0 && !self.grouped) || taken.1 + items <= target;
                if taken.0 < most && taken.1 < target && fits && self.may_leave(g, keep) {
                    self.move_to(part, g);
                    taken = (taken.0 + 1, taken.1 + items);
                }
            }
            let smallest = open.into_iter().filter(|g| self.may_leave(*g, keep));
            if taken.0 == 0
                && most > 0
                && self.grouped
                && let Some(g) = smallest.min_by_key(|g| self.groups[*g].items.len())
            {
                self.move_to(part, g);
            }
        }
    }

    /// Whether group `number` may leave the training part with `keep` contents left there of each of its labels. Of
    /// classes the draw itself keeps that many.
    fn may_leave(&self, number: usize, keep: usize) -> bool {
        match self.target {
            TargetKind::Class if !self.grouped => true,
            TargetKind::Numbers => true,
            TargetKind::Class | TargetKind::Labels => {
                self.groups[number].labels.iter().all(|label| self.training(*label) > keep)
            }
        }
    }

    /// Contents of a class or label that are trained on.
    fn training(&self, label: usize) -> usize {
        self.trained.get(&label).copied().unwrap_or(0)
    }

    fn move_to(&mut self, part: Part, number: usize) {
        let group = &mut self.groups[number];
        group.part = part;
        for label in &group.labels {
            if let Some(trained) = self.trained.get_mut(label) {
                *trained -= 1;
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
            let is_free = |group: &Group| {
                has(group, Part::Train) && group.labels.iter().all(|&other| self.training(other) > 1)
            };
            let free = self.groups.iter().enumerate().filter(|(_, group)| is_free(group));
            let cost = |group: &Group| (group.singles, if self.grouped { group.items.len() } else { 0 });
            if let Some((free, _)) = free.min_by_key(|(_, group)| cost(group)) {
                self.move_to(Part::Validation, free);
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

/// The most bins of equally many numbers that are drawn from alike; fewer where a bin would be so small that the one
/// content that is drawn at least were too large a share of it.
const NUMBER_BINS: usize = 10;

fn draw_key(seed: u64, part: Part, digest: Digest) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"frostline split ").update(part.name().as_bytes());
    hasher.update(&seed.to_le_bytes()).update(&digest.0);
    Digest(*hasher.finalize().as_bytes())
}

mod together;

#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod tests;
