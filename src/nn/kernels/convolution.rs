//! Convolution as unfolding (im2col) and a product, over tiles of output positions, in NHWC.

use super::geometry::Geometry;
use super::matrix::{Mat, MatMut, Threads, Update, product};
use super::{add_parts, parts};
use rayon::prelude::*;

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

/// `[out, in, ky, kx]`, the layout of weight files, to `[out, ky, kx, in]`, the order of a patch.
pub fn to_patch_order(g: &Geometry, weight: &[f32]) -> Vec<f32> {
    let (c, taps) = (g.in_channels, g.kernel * g.kernel);
    let mut packed = vec![0f32; weight.len()];
    for (w, p) in weight.chunks_exact(c * taps).zip(packed.chunks_exact_mut(c * taps)) {
        for tap in 0..taps {
            for i in 0..c {
                p[tap * c + i] = w[i * taps + tap];
            }
        }
    }
    packed
}

/// The way back from [`to_patch_order`].
pub fn to_file_order(g: &Geometry, packed: &[f32], weight: &mut [f32]) {
    let (c, taps) = (g.in_channels, g.kernel * g.kernel);
    for (w, p) in weight.chunks_exact_mut(c * taps).zip(packed.chunks_exact(c * taps)) {
        for tap in 0..taps {
            for i in 0..c {
                w[i * taps + tap] = p[tap * c + i];
            }
        }
    }
}

/// `y[position, out] = patch(position) . weight[out]`; the weight in patch order.
pub fn forward(g: &Geometry, x: &[f32], packed: &[f32], y: &mut [f32]) {
    let taps = g.kernel * g.kernel * g.in_channels;
    assert!(x.len() == g.input_len() && y.len() == g.output_len(), "convolution");
    assert_eq!(packed.len(), taps * g.out_channels, "convolution weight");
    let weight = Mat::new(packed, g.out_channels, taps).t();
    let tile = tile(taps, g.positions());
    y.par_chunks_mut(tile * g.out_channels).enumerate().for_each_init(
        || vec![0f32; tile * taps],
        |columns, (i, y)| {
            let positions = y.len() / g.out_channels;
            let columns = &mut columns[..positions * taps];
            unfold(g, x, i * tile, columns);
            let y = MatMut::new(y, positions, g.out_channels);
            let patches = Mat::new(columns, positions, taps);
            product(patches, weight, y, 1.0, Update::Overwrite, Threads::One);
        },
    );
}

/// The gradient of the weight, in patch order.
pub fn weight_gradient(g: &Geometry, x: &[f32], dy: &[f32], d_packed: &mut [f32]) {
    let (taps, out) = (g.kernel * g.kernel * g.in_channels, g.out_channels);
    assert!(x.len() == g.input_len() && dy.len() == g.output_len(), "convolution gradient");
    assert_eq!(d_packed.len(), taps * out, "convolution weight");
    let tile = tile(taps, g.positions());
    let sums: Vec<Vec<f32>> = parts(g.positions())
        .into_par_iter()
        .map(|part| {
            let mut total = vec![0f32; taps * out];
            let mut columns = vec![0f32; tile.min(part.len()) * taps];
            for first in part.clone().step_by(tile) {
                let positions = tile.min(part.end - first);
                let columns = &mut columns[..positions * taps];
                unfold(g, x, first, columns);
                let dy = Mat::new(&dy[first * out..(first + positions) * out], positions, out);
                let patches = Mat::new(columns, positions, taps);
                let total = MatMut::new(&mut total, out, taps);
                product(dy.t(), patches, total, 1.0, Update::Add, Threads::One);
            }
            total
        })
        .collect();
    add_parts(d_packed, sums.iter());
}

/// The gradient of the input; the weight in patch order.
pub fn input_gradient(g: &Geometry, packed: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert!(dx.len() == g.input_len() && dy.len() == g.output_len(), "convolution gradient");
    match g.transposed() {
        Some(transposed) => forward(&transposed, dy, &flip(g, packed), dx),
        None => input_gradient_folded(g, packed, dy, dx),
    }
}

/// At stride 1 the gradient is a convolution with the weight turned around: `[in, -ky, -kx, out]`.
fn flip(g: &Geometry, packed: &[f32]) -> Vec<f32> {
    let (c, taps, out) = (g.in_channels, g.kernel * g.kernel, g.out_channels);
    let mut flipped = vec![0f32; packed.len()];
    for o in 0..out {
        for tap in 0..taps {
            for i in 0..c {
                flipped[(i * taps + taps - 1 - tap) * out + o] = packed[(o * taps + tap) * c + i];
            }
        }
    }
    flipped
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
