//! Which samples meet in which batch: counter-based, so that any step can be found again without replaying
//! the steps before it.

use crate::backbone::mix;

/// Purposes of randomness; each draws from its own stream.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    Order = 1,
    HeadInit = 2,
    Dropout = 3,
}

/// A key for `purpose` at one place of a run.
pub fn key(seed: u64, purpose: Purpose, counter: u64) -> u64 {
    mix(mix(seed, purpose as u64), counter)
}

/// The training samples in the order of epoch number `epoch` (from 1).
pub fn shuffled(items: &[usize], seed: u64, epoch: u32) -> Vec<usize> {
    let epoch_key = key(seed, Purpose::Order, u64::from(epoch));
    let mut keyed: Vec<(u64, usize)> =
        items.iter().enumerate().map(|(n, item)| (mix(epoch_key, n as u64), *item)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, item)| item).collect()
}

/// A uniform number in [0, 1) with 24 random bits.
pub fn uniform(key: u64, counter: u64) -> f32 {
    (mix(key, counter) >> 40) as f32 / (1u32 << 24) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_comes_once_and_the_order_is_the_seeds() {
        let items: Vec<usize> = (10..110).collect();
        let first = shuffled(&items, 7, 1);
        assert_eq!(first, shuffled(&items, 7, 1));
        assert_ne!(first, shuffled(&items, 7, 2));
        assert_ne!(first, shuffled(&items, 8, 1));
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, items);
    }

    #[test]
    fn uniform_numbers_are_uniform() {
        let mean: f32 = (0..10_000).map(|n| uniform(3, n)).sum::<f32>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
