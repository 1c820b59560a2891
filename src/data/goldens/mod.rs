//! Reads the files that `make_resize.py` writes; the formats are described there.

use super::image::Rgb;
use super::image::preprocess::ResizeFilter;

/// A cursor over a golden file.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Stands at the first byte.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// The next `length` bytes.
    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    /// The next u32.
    pub fn number(&mut self) -> usize {
        u32::from_le_bytes(self.bytes(4).try_into().unwrap()) as usize
    }

    /// The next f64.
    pub fn float(&mut self) -> f64 {
        f64::from_le_bytes(self.bytes(8).try_into().unwrap())
    }

    /// The next filter: 0 is bilinear, 1 bicubic.
    pub fn filter(&mut self) -> ResizeFilter {
        [ResizeFilter::Bilinear, ResizeFilter::Bicubic][self.number()]
    }

    /// The next image: width, height, and three bytes for each pixel.
    pub fn image(&mut self) -> Rgb {
        let (width, height) = (self.number(), self.number());
        Rgb { width, height, pixels: self.bytes(width * height * 3).to_vec() }
    }

    /// The next `number` images.
    pub fn images(&mut self, number: usize) -> Vec<Rgb> {
        (0..number).map(|_| self.image()).collect()
    }
}

/// Fails where two images differ by more than `levels` anywhere.
pub(super) fn compare(found: &[u8], expected: &[u8], levels: u8, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let differences = found.iter().zip(expected).map(|(a, b)| a.abs_diff(*b));
    let worst = differences.clone().max().unwrap_or(0);
    let number = differences.filter(|levels| *levels > 0).count();
    assert!(worst <= levels, "{what}: {number} of {} differ, by up to {worst}", found.len());
}
