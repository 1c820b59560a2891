//! Dense convolution in NHWC, over tiles of output positions: direct where that is the better way, otherwise as
//! unfolding (im2col) and a product.

use super::geometry::Geometry;
use super::matrix::{Mat, MatMut, Threads, Update, product};
use super::{CHUNK, Level, direct, parts};
use rayon::prelude::*;
use std::borrow::Cow;

/// Output positions in a tile of `positions` in all. Each product packs the weight again, which a large tile makes
/// cheap; there should still be two tiles for each thread, and an unfolded tile should not leave the third-level cache.
fn tile(taps: usize, positions: usize) -> usize {
    const ELEMENTS: usize = 1 << 20;
    let share = positions.div_ceil(2 * rayon::current_num_threads().max(1));
    (ELEMENTS / taps.max(1)).clamp(48, 2048).min(share.max(48))
}

/// The patches under output positions `first..` of the whole batch, one row `[ky, kx, channel]` each;
/// zero outside the image. `columns` is as long as the rows wanted.
fn unfold(g: &Geometry, x: &[f32], first: usize, columns: &mut [f32]) {
    let (c, k) = (g.in_channels, g.kernel);
    let image_len = g.height * g.width * c;
    for (i, patch) in columns.chunks_exact_mut(k * k * c).enumerate() {
        let (image, oy, ox) = g.position(first + i);
        let image = &x[image * image_len..(image + 1) * image_len];
        for (ky, row) in patch.chunks_exact_mut(k * c).enumerate() {
            let Some(y) = g.row(oy, ky) else {
                row.fill(0.0);
                continue;
            };
            let line = &image[y * g.width * c..(y + 1) * g.width * c];
            match g.column(ox, 0) {
                Some(x0) if x0 + k <= g.width => row.copy_from_slice(&line[x0 * c..(x0 + k) * c]),
                _ => {
                    for (kx, cell) in row.chunks_exact_mut(c).enumerate() {
                        match g.column(ox, kx) {
                            Some(x) => cell.copy_from_slice(&line[x * c..(x + 1) * c]),
                            None => cell.fill(0.0),
                        }
                    }
                }
            }
        }
    }
}

/// Adds the patches of output positions `first..last` of one image back to where they came from.
fn fold(g: &Geometry, columns: &[f32], first: usize, image: &mut [f32]) {
    let (c, k) = (g.in_channels, g.kernel);
    for (i, patch) in columns.chunks_exact(k * k * c).enumerate() {
        let (_, oy, ox) = g.position(first + i);
        for (ky, row) in patch.chunks_exact(k * c).enumerate() {
            let Some(y) = g.row(oy, ky) else { continue };
            for (kx, cell) in row.chunks_exact(c).enumerate() {
                let Some(x) = g.column(ox, kx) else { continue };
                let start = (y * g.width + x) * c;
                for (d, s) in image[start..start + c].iter_mut().zip(cell) {
                    *d += s;
                }
            }
        }
    }
}

/// A weight in the order in which one convolution reads it.
pub struct Packed<'a> {
    plan: Option<direct::Plan>,
    values: Cow<'a, [f32]>,
}

impl<'a> Packed<'a> {
    /// From `[out, in, ky, kx]`, the layout of weight files.
    pub fn new(level: Level, g: &Geometry, file: &'a [f32]) -> Self {
        let (c, taps) = (g.in_channels, g.kernel * g.kernel);
        assert_eq!(file.len(), g.out_channels * c * taps, "convolution weight");
        if taps == 1 {
            return Self { plan: None, values: Cow::Borrowed(file) };
        }
        Self::from_fn(level, g, |o, i, tap| file[(o * c + i) * taps + tap])
    }

    /// Of the convolution `turned` that gives the gradient of the input of `g` at stride 1: inputs and outputs change
    /// places, and the kernel is turned around.
    fn turned(level: Level, g: &Geometry, turned: &Geometry, file: &[f32]) -> Self {
        let (c, taps) = (g.in_channels, g.kernel * g.kernel);
        assert_eq!(file.len(), g.out_channels * c * taps, "convolution weight");
        Self::from_fn(level, turned, |o, i, tap| file[(i * c + o) * taps + taps - 1 - tap])
    }

    fn from_fn(level: Level, g: &Geometry, at: impl Fn(usize, usize, usize) -> f32 + Sync) -> Self {
        let plan = direct::Plan::new(level, g);
        let values = match plan {
            Some(plan) => plan.pack(g, at),
            None => patch_order(g, at),
        };
        Self { plan, values: Cow::Owned(values) }
    }

    /// Elements of the output in one tile.
    pub fn tile_len(&self, g: &Geometry) -> usize {
        let positions = match self.plan {
            Some(plan) => plan.positions(g),
            None => tile(g.kernel * g.kernel * g.in_channels, g.positions()),
        };
        positions * g.out_channels
    }
}

/// `[out, ky, kx, in]`: a row is as a patch.
fn patch_order(g: &Geometry, at: impl Fn(usize, usize, usize) -> f32 + Sync) -> Vec<f32> {
    let (c, taps) = (g.in_channels, g.kernel * g.kernel);
    let mut packed = vec![0f32; g.out_channels * c * taps];
    packed.par_chunks_mut(c * taps).with_min_len(16).enumerate().for_each(|(o, row)| {
        for (tap, row) in row.chunks_exact_mut(c).enumerate() {
            for (i, value) in row.iter_mut().enumerate() {
                *value = at(o, i, tap);
            }
        }
    });
    packed
}

/// `[out, ky, kx, in]` to the layout of weight files.
fn to_file_order(g: &Geometry, packed: &[f32], weight: &mut [f32]) {
    let (c, taps) = (g.in_channels, g.kernel * g.kernel);
    let rows = weight.par_chunks_mut(c * taps).zip(packed.par_chunks(c * taps));
    rows.with_min_len(16).for_each(|(w, p)| {
        for (i, w) in w.chunks_exact_mut(taps).enumerate() {
            for (tap, w) in w.iter_mut().enumerate() {
                *w = p[tap * c + i];
            }
        }
    });
}

/// Rows of output positions that are computed together: where the sums of the convolution go, and what else belongs
/// to these rows.
pub trait Tile: Send {
    fn sums(&mut self) -> &mut [f32];
}

impl Tile for &mut [f32] {
    fn sums(&mut self) -> &mut [f32] {
        self
    }
}

impl Tile for (&mut [f32], &mut [f32]) {
    fn sums(&mut self) -> &mut [f32] {
        self.0
    }
}

/// `y[position, out] = patch(position) . weight[out]`.
pub fn forward(g: &Geometry, x: &[f32], weight: &Packed, y: &mut [f32]) {
    assert_eq!(y.len(), g.output_len(), "convolution");
    forward_tiles(g, x, weight, y.par_chunks_mut(weight.tile_len(g)), |_, _| {});
}

/// The same, tile by tile of [`Packed::tile_len`] elements: `finish` gets each with the number of its first element.
pub fn forward_tiles<T: Tile>(
    g: &Geometry,
    x: &[f32],
    weight: &Packed,
    tiles: impl IndexedParallelIterator<Item = T>,
    finish: impl Fn(usize, T) + Sync,
) {
    assert_eq!(x.len(), g.input_len(), "convolution");
    let len = weight.tile_len(g);
    let taps = g.kernel * g.kernel * g.in_channels;
    let scratch = match weight.plan {
        Some(plan) => plan.scratch_len(g),
        None if g.is_pointwise() => 0,
        None => len / g.out_channels * taps,
    };
    tiles.enumerate().for_each_init(
        || vec![0f32; scratch],
        |scratch, (i, mut out)| {
            let (first, sums) = (i * len / g.out_channels, out.sums());
            if let Some(plan) = weight.plan {
                plan.tile(g, x, &weight.values, first, scratch, sums);
            } else {
                let positions = sums.len() / g.out_channels;
                let y = MatMut::new(sums, positions, g.out_channels);
                let patches = patches(g, x, first, positions, scratch);
                let weight = Mat::new(&weight.values, g.out_channels, taps).t();
                product(patches, weight, y, 1.0, Update::Overwrite, Threads::One);
            }
            finish(i * len, out);
        },
    );
}

/// The patches under some output positions, one row each: the pixels themselves where the kernel is one pixel.
fn patches<'a>(
    g: &Geometry,
    x: &'a [f32],
    first: usize,
    positions: usize,
    columns: &'a mut [f32],
) -> Mat<'a> {
    let taps = g.kernel * g.kernel * g.in_channels;
    if g.is_pointwise() {
        return Mat::new(&x[first * taps..(first + positions) * taps], positions, taps);
    }
    let columns = &mut columns[..positions * taps];
    unfold(g, x, first, columns);
    Mat::new(columns, positions, taps)
}

/// The gradient of the weight, in the layout of weight files.
pub fn weight_gradient(g: &Geometry, x: &[f32], dy: &[f32], d_weight: &mut [f32]) {
    let (taps, out) = (g.kernel * g.kernel * g.in_channels, g.out_channels);
    assert!(x.len() == g.input_len() && dy.len() == g.output_len(), "convolution gradient");
    assert_eq!(d_weight.len(), taps * out, "convolution weight");
    let tile = tile(taps, g.positions());
    let mut sums: Vec<Vec<f32>> = parts(g.positions())
        .into_par_iter()
        .map(|part| {
            let mut total = vec![0f32; taps * out];
            let scratch = if g.is_pointwise() { 0 } else { tile.min(part.len()) * taps };
            let mut columns = vec![0f32; scratch];
            for first in part.clone().step_by(tile) {
                let positions = tile.min(part.end - first);
                let patches = patches(g, x, first, positions, &mut columns);
                let dy = Mat::new(&dy[first * out..(first + positions) * out], positions, out);
                let total = MatMut::new(&mut total, out, taps);
                product(dy.t(), patches, total, 1.0, Update::Add, Threads::One);
            }
            total
        })
        .collect();
    if let Some((first, others)) = sums.split_first_mut() {
        first.par_chunks_mut(CHUNK).enumerate().for_each(|(i, first)| {
            for other in others.iter() {
                first.iter_mut().zip(&other[i * CHUNK..]).for_each(|(a, b)| *a += b);
            }
        });
        match g.is_pointwise() {
            true => d_weight.copy_from_slice(first),
            false => to_file_order(g, first, d_weight),
        }
    }
}

/// The gradient of the input; the weight in the layout of weight files.
pub fn input_gradient(level: Level, g: &Geometry, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert!(dx.len() == g.input_len() && dy.len() == g.output_len(), "convolution gradient");
    if g.is_pointwise() {
        let (rows, taps, out) = (g.positions(), g.in_channels, g.out_channels);
        let (dy, weight) = (Mat::new(dy, rows, out), Mat::new(weight, out, taps));
        let dx = MatMut::new(dx, rows, taps);
        return product(dy, weight, dx, 1.0, Update::Overwrite, Threads::Pool);
    }
    match g.transposed() {
        Some(turned) => {
            let weight = Packed::turned(level, g, &turned, weight);
            forward(&turned, dy, &weight, dx);
        }
        None => {
            let (c, taps) = (g.in_channels, g.kernel * g.kernel);
            let packed = patch_order(g, |o, i, tap| weight[(o * c + i) * taps + tap]);
            input_gradient_folded(g, &packed, dy, dx);
        }
    }
}

/// Any stride: the gradient of each patch by a product, then added up, image by image.
fn input_gradient_folded(g: &Geometry, packed: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (taps, out) = (g.kernel * g.kernel * g.in_channels, g.out_channels);
    let per_image = g.out_height * g.out_width;
    let weight = Mat::new(packed, out, taps);
    let tile = tile(taps, per_image);
    dx.par_chunks_mut(g.height * g.width * g.in_channels).enumerate().for_each_init(
        || vec![0f32; tile * taps],
        |columns, (image, dx)| {
            dx.fill(0.0);
            for start in (0..per_image).step_by(tile) {
                let first = image * per_image + start;
                let positions = tile.min(per_image - start);
                let columns = &mut columns[..positions * taps];
                let dy = Mat::new(&dy[first * out..(first + positions) * out], positions, out);
                let patches = MatMut::new(columns, positions, taps);
                product(dy, weight, patches, 1.0, Update::Overwrite, Threads::One);
                fold(g, columns, first, dx);
            }
        },
    );
}
