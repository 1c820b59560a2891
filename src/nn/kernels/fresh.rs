//! Large buffers that are about to be overwritten.

use rayon::prelude::*;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Elements below which threads are not worth waking.
const SMALL: usize = 64 * 1024;

/// A buffer whose zeros are written by the threads that compute with it, tile by tile, while a tile is in the cache of
/// the core that is about to overwrite it. Zeros written beforehand by one thread took a tenth to a fifth of a training
/// step on two cores.
pub struct Fresh {
    values: Vec<MaybeUninit<f32>>,
    /// Elements of the tiles that were handed out since they were last asked for.
    written: AtomicUsize,
}

impl Fresh {
    /// Room for `len` numbers of which none is written yet.
    pub fn new(len: usize) -> Self {
        let mut values = Vec::with_capacity(len);
        // SAFETY: the capacity is there, and an element that may be uninitialised needs no value.
        unsafe { values.set_len(len) };
        Self { values, written: AtomicUsize::new(0) }
    }

    /// Tiles of `len` elements, the last one perhaps shorter, each all zeros when its turn comes.
    ///
    /// # Panics
    /// Where `len` is 0.
    pub fn tiles(&mut self, len: usize) -> impl IndexedParallelIterator<Item = &mut [f32]> {
        *self.written.get_mut() = 0;
        let written = &self.written;
        self.values.par_chunks_mut(len).map(move |tile| {
            written.fetch_add(tile.len(), Ordering::Relaxed);
            tile.fill(MaybeUninit::new(0.0));
            // SAFETY: all of them were just written.
            unsafe { tile.assume_init_mut() }
        })
    }

    /// The numbers, once every tile was used.
    ///
    /// # Panics
    /// Where a tile was left out: a mistake of the caller that would show memory that nobody wrote.
    pub fn finish(mut self) -> Vec<f32> {
        // Rayon has joined the threads, so that their writing happened before this.
        assert_eq!(*self.written.get_mut(), self.values.len(), "every tile is used");
        let mut values = std::mem::ManuallyDrop::new(self.values);
        let (data, len, capacity) = (values.as_mut_ptr(), values.len(), values.capacity());
        // SAFETY: the parts of a vector that is not dropped, of an element of the same layout. The tiles of one asking
        // are disjoint, and as many elements were filled as there are: all of them.
        unsafe { Vec::from_raw_parts(data.cast::<f32>(), len, capacity) }
    }
}

/// `len` zeros, written by all threads.
pub fn zeros(len: usize) -> Vec<f32> {
    if len < SMALL {
        return vec![0.0; len];
    }
    let mut fresh = Fresh::new(len);
    fresh.tiles(SMALL / 4).for_each(|_| {});
    fresh.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_zeros_and_keep_what_is_written() {
        for (len, tile) in [(0, 1), (1, 1), (10, 3), (10, 100), (SMALL + 5, 1000)] {
            let mut fresh = Fresh::new(len);
            fresh.tiles(tile).enumerate().for_each(|(i, values)| {
                assert!(values.iter().all(|v| *v == 0.0));
                values.fill(i as f32 + 1.0);
            });
            let expected: Vec<f32> = (0..len).map(|i| (i / tile) as f32 + 1.0).collect();
            assert_eq!(fresh.finish(), expected);
            assert_eq!(zeros(len), vec![0.0; len]);
        }
    }

    #[test]
    #[should_panic(expected = "every tile is used")]
    fn a_tile_that_was_left_out_is_seen() {
        let mut fresh = Fresh::new(10);
        fresh.tiles(4).take(2).for_each(|_| {});
        fresh.finish();
    }

    #[test]
    #[should_panic(expected = "every tile is used")]
    fn half_of_them_twice_is_not_all_of_them() {
        let mut fresh = Fresh::new(10);
        fresh.tiles(5).take(1).for_each(|_| {});
        fresh.tiles(5).take(1).for_each(|_| {});
        fresh.finish();
    }
}
