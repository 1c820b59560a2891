//! Small pictures of samples, decoded off the window's thread into a bounded cache.

use super::Wake;
use crate::data::modality::preview;
pub use crate::data::preview::{Preview as Thumbnail, Source};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

/// Longest side of a thumbnail in pixels.
pub const SIDE: usize = 128;
/// Thumbnails kept; at most 64 MB.
const KEPT: usize = 1000;
/// Requests that wait; older ones are of rows that were scrolled past.
const WAITING: usize = 200;

/// Gives thumbnails; asks its threads for those that it lacks.
pub struct Thumbnails {
    wanted: Sender<PathBuf>,
    pending: Receiver<PathBuf>,
    done: Receiver<(PathBuf, Option<Thumbnail>)>,
    asked: HashSet<PathBuf>,
    kept: HashMap<PathBuf, Option<Thumbnail>>,
    order: VecDeque<PathBuf>,
}

impl Thumbnails {
    /// Starts `threads` decoding threads; `wake` is called for each finished thumbnail.
    pub fn start(threads: usize, wake: &Wake) -> Self {
        let (wanted, pending) = unbounded::<PathBuf>();
        let (finished, done) = unbounded();
        for number in 0..threads {
            let (pending, finished, wake) = (pending.clone(), finished.clone(), wake.clone());
            let work = move || {
                super::give_way(super::DECODING_NICENESS);
                for path in &pending {
                    let thumbnail = std::panic::catch_unwind(|| preview(&path, SIDE)).unwrap_or(None);
                    if finished.send((path, thumbnail)).is_err() {
                        return;
                    }
                    wake();
                }
            };
            // Without a thread there are no thumbnails; everything else works.
            let _ = std::thread::Builder::new().name(format!("thumbnail-{number}")).spawn(work);
        }
        Self { wanted, pending, done, asked: HashSet::new(), kept: HashMap::new(), order: VecDeque::new() }
    }

    /// The thumbnail of `path`: `None` while it is being made, `Some(None)` where it cannot be.
    pub fn get(&mut self, path: &Path) -> Option<Option<&Thumbnail>> {
        self.collect();
        if !self.kept.contains_key(path) && self.asked.insert(path.to_path_buf()) {
            while self.pending.len() >= WAITING {
                let Ok(old) = self.pending.try_recv() else { break };
                self.asked.remove(&old);
            }
            let _ = self.wanted.send(path.to_path_buf());
        }
        self.kept.get(path).map(Option::as_ref)
    }

    fn collect(&mut self) {
        while let Ok((path, thumbnail)) = self.done.try_recv() {
            self.asked.remove(&path);
            self.order.push_back(path.clone());
            self.kept.insert(path, thumbnail);
            while self.order.len() > KEPT {
                if let Some(old) = self.order.pop_front() {
                    self.kept.remove(&old);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_said_once() {
        let mut thumbnails = Thumbnails::start(1, &(std::sync::Arc::new(|| {}) as Wake));
        let path = Path::new("no such file.png");
        while thumbnails.get(path).is_none() {
            std::thread::yield_now();
        }
        assert_eq!(thumbnails.get(path), Some(None));
    }
}
