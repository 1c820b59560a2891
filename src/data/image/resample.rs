//! Pillow's antialiased resize of eight-bit RGB, to the bit.
//!
//! Networks were trained on images that Pillow resized. A resize that is off by one level here and
//! there (fast_image_resize: one value in six, bilinear) moves features by more than the tolerance
//! of this project, so this one follows Pillow's arithmetic (`src/libImaging/Resample.c`): weights in
//! fixed point with 22 fractional bits, rows first, rounded to eight bits, then columns.

use serde::{Deserialize, Serialize};

use super::Rgb;

/// The interpolation of a resize, antialiased where it shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResizeFilter {
    Bilinear,
    /// Keys' cubic with a = -0.5.
    Bicubic,
}

/// The part of a resized axis that is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// The length of the whole resized axis.
    pub full: usize,
    pub start: usize,
    pub len: usize,
}

/// Resizes `image` to `across.full` x `down.full` and gives the pixels of the window,
/// `[down.len, across.len, 3]`.
pub(super) fn resize(image: &Rgb, across: Window, down: Window, filter: ResizeFilter) -> Vec<u8> {
    let columns = Weights::new(image.width, across, filter);
    let rows = Weights::new(image.height, down, filter);
    // Only the source rows that the second pass will look at.
    let first = rows.taps.iter().map(|tap| tap.start).min().unwrap_or(0);
    let last = rows.taps.iter().map(|tap| tap.start + tap.len).max().unwrap_or(0);

    let mut narrow = Vec::with_capacity((last - first) * across.len * 3);
    for line in image.pixels.chunks_exact(image.width * 3).take(last).skip(first) {
        let (pixels, _) = line.as_chunks::<3>();
        for tap in &columns.taps {
            let (mut red, mut green, mut blue) = (HALF, HALF, HALF);
            let source = &pixels[tap.start..tap.start + tap.len];
            for (pixel, &weight) in source.iter().zip(columns.of(tap)) {
                red += i32::from(pixel[0]) * weight;
                green += i32::from(pixel[1]) * weight;
                blue += i32::from(pixel[2]) * weight;
            }
            narrow.extend([red, green, blue].map(level));
        }
    }

    let stride = across.len * 3;
    let mut resized = Vec::with_capacity(down.len * stride);
    let mut sums = vec![HALF; stride];
    for tap in &rows.taps {
        sums.fill(HALF);
        let start = (tap.start - first) * stride;
        let lines = narrow[start..start + tap.len * stride].chunks_exact(stride);
        for (line, &weight) in lines.zip(rows.of(tap)) {
            for (sum, &value) in sums.iter_mut().zip(line) {
                *sum += i32::from(value) * weight;
            }
        }
        resized.extend(sums.iter().map(|&sum| level(sum)));
    }
    resized
}

/// Fractional bits of the weights: 32 less eight for the value and two for overshoot.
const PRECISION: u32 = 22;
const HALF: i32 = 1 << (PRECISION - 1);

fn level(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// For each position of a window: the source positions that flow into it, and by how much.
struct Weights {
    taps: Vec<Tap>,
    values: Vec<i32>,
}

struct Tap {
    /// The first source position, and how many there are.
    start: usize,
    len: usize,
    /// Where the weights of this tap begin.
    at: usize,
}

impl Weights {
    fn new(source: usize, window: Window, filter: ResizeFilter) -> Weights {
        let mut weights = Weights { taps: Vec::with_capacity(window.len), values: Vec::new() };
        if source == window.full {
            // Pillow leaves an axis alone that keeps its length.
            for (at, start) in (window.start..window.start + window.len).enumerate() {
                weights.taps.push(Tap { start, len: 1, at });
                weights.values.push(1 << PRECISION);
            }
            return weights;
        }
        let scale = source as f64 / window.full as f64;
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        for position in window.start..window.start + window.len {
            let centre = (position as f64 + 0.5) * scale;
            // Casts cut towards zero and stop at zero, as in C with the check that follows there.
            let start = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(source);
            let raw: Vec<f64> =
                (start..end).map(|x| filter.weight((x as f64 - centre + 0.5) * (1.0 / stretch))).collect();
            let mut sum = 0.0;
            for weight in &raw {
                sum += weight;
            }
            weights.taps.push(Tap { start, len: end - start, at: weights.values.len() });
            weights.values.extend(raw.iter().map(|&weight| {
                let share = if sum != 0.0 { weight / sum } else { weight };
                let scaled = share * f64::from(1 << PRECISION);
                (if share < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
            }));
        }
        weights
    }

    fn of(&self, tap: &Tap) -> &[i32] {
        &self.values[tap.at..tap.at + tap.len]
    }
}

impl ResizeFilter {
    /// Half the width of the kernel, in source pixels when enlarging.
    fn support(self) -> f64 {
        match self {
            ResizeFilter::Bilinear => 1.0,
            ResizeFilter::Bicubic => 2.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let x = x.abs();
        match self {
            ResizeFilter::Bilinear if x < 1.0 => 1.0 - x,
            ResizeFilter::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            ResizeFilter::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        }
    }
}

/// The free parameter of the cubic kernel.
const A: f64 = -0.5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::goldens::{Reader, compare};

    #[test]
    fn resizes_are_pillows_to_the_bit() {
        let mut file = Reader::new(include_bytes!("../goldens/resize.bin"));
        let sources = file.images(2);
        for case in 0..file.number() {
            let source = &sources[file.number()];
            let filter = file.filter();
            let expected = file.image();
            let whole = |full| Window { full, start: 0, len: full };
            let (across, down) = (whole(expected.width), whole(expected.height));
            let what = format!("case {case}: {} x {}, {filter:?}", across.full, down.full);
            compare(&resize(source, across, down, filter), &expected.pixels, 0, &what);
        }
    }

    #[test]
    fn a_window_is_a_part_of_the_whole() {
        let source = Reader::new(include_bytes!("../goldens/resize.bin")).image();
        let whole = |full| Window { full, start: 0, len: full };
        let filter = ResizeFilter::Bicubic;
        let all = resize(&source, whole(20), whole(15), filter);
        let across = Window { full: 20, start: 3, len: 10 };
        let down = Window { full: 15, start: 5, len: 7 };
        let part = resize(&source, across, down, filter);
        for row in 0..7 {
            let at = ((row + 5) * 20 + 3) * 3;
            assert_eq!(part[row * 30..(row + 1) * 30], all[at..at + 30]);
        }
    }
}
