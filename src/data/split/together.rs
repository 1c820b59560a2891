//! Which items stay together: equal contents, and samples of one group.

use std::collections::{BTreeMap, HashMap};

use crate::data::index::{Digest, Item};

/// The numbers of the items that stay together, by what orders them in a draw: the digest of the content, or that of
/// the first name of the groups.
///
/// Where equal contents would tie most samples together ("thanks" is said by everyone), groups alone count.
pub(super) fn of(items: &[(usize, &Item)]) -> BTreeMap<Digest, Vec<usize>> {
    let tied = tied(items, true);
    let largest = tied.values().map(Vec::len).max().unwrap_or(0);
    let is_grouped = items.iter().any(|(_, item)| item.group.is_some());
    match is_grouped && largest * 2 > items.len() {
        true => self::tied(items, false),
        false => tied,
    }
}

fn tied(items: &[(usize, &Item)], by_content: bool) -> BTreeMap<Digest, Vec<usize>> {
    let mut ties = Ties((0..items.len()).collect());
    let mut first_of_group: HashMap<&str, usize> = HashMap::new();
    let mut first_of_content: HashMap<Digest, usize> = HashMap::new();
    for (place, (_, item)) in items.iter().enumerate() {
        if let Some(group) = &item.group {
            let first = *first_of_group.entry(group).or_insert(place);
            ties.tie(first, place);
        }
        if by_content || item.group.is_none() {
            let first = *first_of_content.entry(item.digest).or_insert(place);
            ties.tie(first, place);
        }
    }
    let mut members: BTreeMap<usize, Vec<&(usize, &Item)>> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        members.entry(ties.root(place)).or_default().push(item);
    }
    let keyed = members.into_values().filter_map(|members| {
        let group = members.iter().filter_map(|(_, item)| item.group.as_ref()).min();
        let key = match group {
            Some(group) => Digest::of(format!("group {group}").as_bytes()),
            None => members.first()?.1.digest,
        };
        Some((key, members.into_iter().map(|(number, _)| *number).collect()))
    });
    keyed.collect()
}

/// For each place another that it is tied to, in the end the first of all of them.
struct Ties(Vec<usize>);

impl Ties {
    fn root(&mut self, mut place: usize) -> usize {
        while self.0[place] != place {
            self.0[place] = self.0[self.0[place]];
            place = self.0[place];
        }
        place
    }

    fn tie(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other)] = one.min(other);
    }
}
