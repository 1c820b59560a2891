//! Many cores decode pictures at once; large ones wait for each other, so that the memory that they take together has a
//! limit whatever the number of cores.

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

use super::probe;

/// The most bytes that large pictures take together while they are decoded, 1.5 GiB; a larger one goes alone.
const TOGETHER: u64 = 3 << 29;
/// Pictures of fewer pixels do not count.
const LARGE: u64 = 4_000_000;
/// As decoded, as RGB, and resized on the way.
const BYTES_PER_PIXEL: u64 = 8;

static BUDGET: Budget = Budget { taken: Mutex::new(0), freed: Condvar::new() };

struct Budget {
    taken: Mutex<u64>,
    freed: Condvar,
}

/// Room for one picture, until it is dropped. Whoever holds it must not wait for other threads.
pub struct Room {
    budget: &'static Budget,
    bytes: u64,
}

/// Waits until there is room to decode this picture. What is none needs none.
pub fn room_for(bytes: &[u8], path: &Path) -> Room {
    let pixels = probe(bytes, path).map_or(0, |header| header.width as u64 * header.height as u64);
    BUDGET.room(if pixels < LARGE { 0 } else { pixels * BYTES_PER_PIXEL })
}

impl Budget {
    fn room(&'static self, bytes: u64) -> Room {
        if bytes > 0 {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            while *taken > 0 && *taken + bytes > TOGETHER {
                taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
            }
            *taken += bytes;
        }
        Room { budget: self, bytes }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.bytes > 0 {
            *self.budget.taken.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
            self.budget.freed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Meant to fail where `room` does not wait.
    #[test]
    fn large_pictures_wait_for_each_other_and_all_are_served() {
        static OWN: Budget = Budget { taken: Mutex::new(0), freed: Condvar::new() };
        let (together, most, served) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|threads| {
            for thread in 0..16u64 {
                let (together, most, served) = (&together, &most, &served);
                threads.spawn(move || {
                    for size in [0, TOGETHER / 2, TOGETHER / (3 + thread), 2 * TOGETHER] {
                        let room = OWN.room(size);
                        let counted = size.min(TOGETHER);
                        most.fetch_max(
                            together.fetch_add(counted, Ordering::SeqCst) + counted,
                            Ordering::SeqCst,
                        );
                        std::thread::sleep(std::time::Duration::from_micros(200));
                        together.fetch_sub(counted, Ordering::SeqCst);
                        drop(room);
                        served.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(served.into_inner(), 64);
        assert!(most.into_inner() <= TOGETHER);
    }
}
