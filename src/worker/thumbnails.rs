//! Small pictures of samples, decoded off the window's thread into a bounded cache.

use super::Wake;
use crate::data::image::decode;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

/// Longest side of a thumbnail in pixels.
pub const SIDE: usize = 128;
/// Thumbnails kept; at most 64 MB.
const KEPT: usize = 1000;
/// Requests that wait; older ones are of rows that were scrolled past.
const WAITING: usize = 200;

/// One decoded thumbnail: `[height, width]` pixels of RGBA.
#[derive(Debug, Clone, PartialEq)]
pub struct Thumbnail {
    pub width: usize,
    pub height: usize,
    pub rgba: Vec<u8>,
    pub source: Source,
}

/// The file that a thumbnail was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    pub width: usize,
    pub height: usize,
    pub bytes: u64,
}

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
                    let thumbnail = std::panic::catch_unwind(|| make(&path)).unwrap_or(None);
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

/// Decodes and shrinks by averaging whole blocks, then nearest: quick and good enough at this size.
fn make(path: &Path) -> Option<Thumbnail> {
    let bytes = std::fs::metadata(path).ok()?.len();
    let picture = decode(path).ok()?;
    let longest = picture.width.max(picture.height).max(1);
    let scale = (longest as f64 / SIDE as f64).max(1.0);
    let (width, height) =
        (((picture.width as f64 / scale) as usize).max(1), ((picture.height as f64 / scale) as usize).max(1));
    let mut rgba = Vec::with_capacity(width * height * 4);
    for y in 0..height {
        let rows = span(y, scale, picture.height);
        for x in 0..width {
            let columns = span(x, scale, picture.width);
            let mut sum = [0u32; 3];
            for row in rows.clone() {
                for column in columns.clone() {
                    let at = 3 * (row * picture.width + column);
                    for (channel, total) in sum.iter_mut().enumerate() {
                        *total += u32::from(picture.pixels[at + channel]);
                    }
                }
            }
            let count = (rows.len() * columns.len()).max(1) as u32;
            rgba.extend(sum.map(|total| (total / count) as u8));
            rgba.push(255);
        }
    }
    let source = Source { width: picture.width, height: picture.height, bytes };
    Some(Thumbnail { width, height, rgba, source })
}

fn span(at: usize, scale: f64, limit: usize) -> std::ops::Range<usize> {
    let start = ((at as f64 * scale) as usize).min(limit - 1);
    let end = (((at + 1) as f64 * scale) as usize).clamp(start + 1, limit);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_becomes_small_and_keeps_its_shape() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wide.png");
        image::RgbImage::from_pixel(640, 320, image::Rgb([10, 200, 30])).save(&path).unwrap();
        let thumbnail = make(&path).unwrap();
        assert_eq!((thumbnail.width, thumbnail.height), (128, 64));
        assert_eq!((thumbnail.source.width, thumbnail.source.height), (640, 320));
        assert_eq!(&thumbnail.rgba[..4], [10, 200, 30, 255]);
    }

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
