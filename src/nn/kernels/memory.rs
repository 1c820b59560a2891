//! Memory between steps: the next step wants the buffers of the last one.

use std::ffi::{c_int, c_long};
use std::sync::Mutex;

// The allocator is part of every build, in use or not.
use mimalloc as _;

// SAFETY: as mimalloc.h declares them. Both may be called at any time from any thread; a number that is no option is
// passed over.
unsafe extern "C" {
    safe fn mi_option_get(option: c_int) -> c_long;
    safe fn mi_option_set(option: c_int, value: c_long);
    safe fn mi_collect(force: bool);
}

/// Place of `mi_option_purge_delay` in mimalloc.h: milliseconds until freed memory goes back to the system; -1: never.
const PURGE_DELAY: c_int = 15;

/// How many computations run, and the delay before the first of them.
static RUNNING: Mutex<(usize, c_long)> = Mutex::new((0, 0));

/// While this lives, freed memory stays with the program. A training step allocates and frees the same large buffers
/// again and again; had they gone back to the system in between, it would clear every page anew, which took a fifth to
/// a third of a step. Afterwards what is free goes back. Without effect in a program with another allocator.
pub struct FreedMemoryKept(());

impl FreedMemoryKept {
    /// Keeps freed memory from now on; of several guards the last one gives it back.
    #[allow(clippy::new_without_default, reason = "a guard is asked for by name")]
    pub fn new() -> Self {
        let mut running = RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if running.0 == 0 {
            running.1 = mi_option_get(PURGE_DELAY);
            mi_option_set(PURGE_DELAY, -1);
        }
        running.0 += 1;
        Self(())
    }
}

impl Drop for FreedMemoryKept {
    fn drop(&mut self) {
        let mut running = RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        running.0 -= 1;
        if running.0 == 0 {
            mi_option_set(PURGE_DELAY, running.1);
            mi_collect(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_guard_gives_memory_back_again() {
        let before = mi_option_get(PURGE_DELAY);
        // The defaults of both generations of mimalloc: the place in the list is the right one.
        assert!([10, 1000].contains(&before), "{before}");
        let (first, second) = (FreedMemoryKept::new(), FreedMemoryKept::new());
        drop(first);
        assert_eq!(mi_option_get(PURGE_DELAY), -1);
        drop(second);
        assert_eq!(mi_option_get(PURGE_DELAY), before);
    }
}
