//! Depthwise convolution in NHWC, direct: every channel has its own kernel, and channels are the
//! lanes of the vectors. Kernels lie as `[ky, kx, channel]`.

use super::convolution::Tile;
use super::geometry::Geometry;
use super::math::fma;
use super::{Level, add_parts, multiversion, parts};
use rayon::prelude::*;
use std::ops::Range;

/// One position of a kernel over a row of pixels: where the pixel and the tap begin.
type Tap = (usize, usize);

/// `out = sum over taps of source[tap.0..] * weight[tap.1..]`, all channels of one pixel.
#[inline(always)]
fn gather<const FMA: bool>(out: &mut [f32], source: &[f32], weight: &[f32], taps: &[Tap]) {
    let channels = out.len();
    let mut j = 0;
    while j + 32 <= channels {
        block::<FMA, 32>(out, source, weight, taps, j);
        j += 32;
    }
    if j + 16 <= channels {
        block::<FMA, 16>(out, source, weight, taps, j);
        j += 16;
    }
    if j + 8 <= channels {
        block::<FMA, 8>(out, source, weight, taps, j);
        j += 8;
    }
    while j < channels {
        block::<FMA, 1>(out, source, weight, taps, j);
        j += 1;
    }
}

/// The same for `LANES` channels from `j`.
#[inline(always)]
fn block<const FMA: bool, const LANES: usize>(
    out: &mut [f32],
    source: &[f32],
    weight: &[f32],
    taps: &[Tap],
    j: usize,
) {
    let mut total = [0f32; LANES];
    for (s, w) in taps {
        let (s, w) = (&source[s + j..s + j + LANES], &weight[w + j..w + j + LANES]);
        for lane in 0..LANES {
            total[lane] = fma::<FMA>(s[lane], w[lane], total[lane]);
        }
    }
    out[j..j + LANES].copy_from_slice(&total);
}

/// Pixels of a row that are computed together, so that taps and pixels are loaded once for several.
const PIXELS: usize = 4;

/// `LANES` numbers from `at`.
///
/// # Safety
/// `at + LANES <= x.len()`.
#[inline(always)]
unsafe fn lanes<const LANES: usize>(x: &[f32], at: usize) -> &[f32; LANES] {
    debug_assert!(at + LANES <= x.len());
    // SAFETY: the caller promises that the numbers lie inside the slice; arrays need no more alignment
    // than their elements.
    unsafe { &*x.as_ptr().add(at).cast() }
}

/// One row of the output of one image.
#[inline(always)]
fn forward_body<const FMA: bool>(g: &Geometry, image: &[f32], weight: &[f32], oy: usize, out: &mut [f32]) {
    match (g.kernel, g.stride) {
        (3, 1) => forward_sized::<FMA, 3, 1>(g, image, weight, oy, out),
        (3, 2) => forward_sized::<FMA, 3, 2>(g, image, weight, oy, out),
        (5, 1) => forward_sized::<FMA, 5, 1>(g, image, weight, oy, out),
        (5, 2) => forward_sized::<FMA, 5, 2>(g, image, weight, oy, out),
        _ => forward_any::<FMA>(g, image, weight, oy, out, 0..g.out_width),
    }
}
multiversion! { fn forward_row = forward_body(g: &Geometry, image: &[f32], weight: &[f32], oy: usize, out: &mut [f32]); }

/// Kernels that lie wholly inside the row go in tiles, the others one by one.
#[inline(always)]
fn forward_sized<const FMA: bool, const K: usize, const S: usize>(
    g: &Geometry,
    image: &[f32],
    weight: &[f32],
    oy: usize,
    out: &mut [f32],
) {
    let inner = g.inner_columns();
    if inner.len() < PIXELS {
        return forward_any::<FMA>(g, image, weight, oy, out, 0..g.out_width);
    }
    forward_any::<FMA>(g, image, weight, oy, out, 0..inner.start);
    forward_any::<FMA>(g, image, weight, oy, out, inner.end..g.out_width);
    let c = g.in_channels;
    for ox in inner.clone().step_by(PIXELS) {
        // The last tile may cover pixels of the one before: it writes the same numbers again.
        let ox = ox.min(inner.end - PIXELS);
        prefetch_next_rows::<K, S>(g, image, oy, ox);
        let out = &mut out[ox * c..(ox + PIXELS) * c];
        let mut j = 0;
        while j + 16 <= c {
            tile::<FMA, K, S, 16>(g, image, weight, (oy, ox), j, out);
            j += 16;
        }
        if j + 8 <= c {
            tile::<FMA, K, S, 8>(g, image, weight, (oy, ox), j, out);
            j += 8;
        }
        while j < c {
            tile::<FMA, K, S, 1>(g, image, weight, (oy, ox), j, out);
            j += 1;
        }
    }
}

/// Asks for the pixels below those of a tile, which the next row of outputs will read. They lie too far
/// apart for the processor to see the pattern by itself.
#[inline(always)]
fn prefetch_next_rows<const K: usize, const S: usize>(g: &Geometry, image: &[f32], oy: usize, ox: usize) {
    const LINE: usize = 16;
    for ky in K..K + S {
        let Some(y) = g.row(oy, ky) else { continue };
        let start = (y * g.width + ox * S - g.left) * g.in_channels;
        for line in image[start..].iter().take(PIXELS * S * g.in_channels).step_by(LINE) {
            prefetch(line);
        }
    }
}

/// A hint without effect on results; nothing where the target has no such instruction.
#[inline(always)]
fn prefetch(_at: &f32) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: the instruction belongs to the baseline of x86-64, reads nothing and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(_at).cast()) }
    }
}

/// `PIXELS` outputs from column `ox`, `LANES` channels from `j`, with their sums in registers.
#[inline(always)]
fn tile<const FMA: bool, const K: usize, const S: usize, const LANES: usize>(
    g: &Geometry,
    image: &[f32],
    weight: &[f32],
    (oy, ox): (usize, usize),
    j: usize,
    out: &mut [f32],
) {
    let c = g.in_channels;
    let x = ox * S - g.left;
    let mut totals = [[0f32; LANES]; PIXELS];
    for ky in 0..K {
        let Some(y) = g.row(oy, ky) else { continue };
        let start = (y * g.width + x) * c + j;
        let pixels = &image[start..start + ((PIXELS - 1) * S + K - 1) * c + LANES];
        let start = ky * K * c + j;
        let taps = &weight[start..start + (K - 1) * c + LANES];
        for kx in 0..K {
            // SAFETY: kx is at most K - 1, which is where the slice ends.
            let tap = unsafe { lanes::<LANES>(taps, kx * c) };
            for (pixel, total) in totals.iter_mut().enumerate() {
                // SAFETY: pixel is at most PIXELS - 1 and kx at most K - 1, where the slice ends.
                let x = unsafe { lanes::<LANES>(pixels, (pixel * S + kx) * c) };
                for lane in 0..LANES {
                    total[lane] = fma::<FMA>(x[lane], tap[lane], total[lane]);
                }
            }
        }
    }
    for (out, total) in out.chunks_exact_mut(c).zip(&totals) {
        out[j..j + LANES].copy_from_slice(total);
    }
}

/// Any kernel, any position: taps that fall outside are left out.
#[inline(always)]
fn forward_any<const FMA: bool>(
    g: &Geometry,
    image: &[f32],
    weight: &[f32],
    oy: usize,
    out: &mut [f32],
    columns: Range<usize>,
) {
    let (c, k) = (g.in_channels, g.kernel);
    let mut taps: Vec<Tap> = Vec::with_capacity(k * k);
    for ox in columns {
        taps.clear();
        for ky in 0..k {
            let Some(y) = g.row(oy, ky) else { continue };
            for kx in 0..k {
                let Some(x) = g.column(ox, kx) else { continue };
                taps.push(((y * g.width + x) * c, (ky * k + kx) * c));
            }
        }
        gather::<FMA>(&mut out[ox * c..(ox + 1) * c], image, weight, &taps);
    }
}

/// One row of the gradient of the input of one image: each pixel collects from the outputs it reached.
#[inline(always)]
fn input_gradient_body<const FMA: bool>(
    g: &Geometry,
    dy_image: &[f32],
    weight: &[f32],
    y: usize,
    dx: &mut [f32],
) {
    let (c, k) = (g.in_channels, g.kernel);
    let mut taps: Vec<Tap> = Vec::with_capacity(k * k);
    for (x, dx) in dx.chunks_exact_mut(c).enumerate() {
        taps.clear();
        for ky in 0..k {
            let Some(oy) = g.output_row(y, ky) else { continue };
            for kx in 0..k {
                let Some(ox) = g.output_column(x, kx) else { continue };
                taps.push(((oy * g.out_width + ox) * c, (ky * k + kx) * c));
            }
        }
        gather::<FMA>(dx, dy_image, weight, &taps);
    }
}
multiversion! { fn input_gradient_row = input_gradient_body(g: &Geometry, dy_image: &[f32], weight: &[f32], y: usize, dx: &mut [f32]); }

/// Adds to `total` (`[ky, kx, channel]`) what one row of outputs of one image contributes.
#[inline(always)]
fn weight_gradient_body<const FMA: bool>(
    g: &Geometry,
    image: &[f32],
    dy_row: &[f32],
    oy: usize,
    total: &mut [f32],
) {
    match (g.kernel, g.stride) {
        (3, 1) => weight_gradient_sized::<FMA, 3, 1>(g, image, dy_row, oy, total),
        (3, 2) => weight_gradient_sized::<FMA, 3, 2>(g, image, dy_row, oy, total),
        (5, 1) => weight_gradient_sized::<FMA, 5, 1>(g, image, dy_row, oy, total),
        (5, 2) => weight_gradient_sized::<FMA, 5, 2>(g, image, dy_row, oy, total),
        _ => weight_gradient_any::<FMA>(g, image, dy_row, oy, total, 0..g.out_width),
    }
}
multiversion! { fn weight_gradient_row = weight_gradient_body(g: &Geometry, image: &[f32], dy_row: &[f32], oy: usize, total: &mut [f32]); }

#[inline(always)]
fn weight_gradient_sized<const FMA: bool, const K: usize, const S: usize>(
    g: &Geometry,
    image: &[f32],
    dy_row: &[f32],
    oy: usize,
    total: &mut [f32],
) {
    let c = g.in_channels;
    // Outputs whose kernel lies wholly inside the row; the others go one by one.
    let inner = g.inner_columns();
    weight_gradient_any::<FMA>(g, image, dy_row, oy, total, 0..inner.start);
    weight_gradient_any::<FMA>(g, image, dy_row, oy, total, inner.end..g.out_width);
    if inner.is_empty() {
        return;
    }
    let dy = &dy_row[inner.start * c..inner.end * c];
    for ky in 0..K {
        let Some(y) = g.row(oy, ky) else { continue };
        let first = inner.start * S - g.left;
        let x_row = &image[(y * g.width + first) * c..(y + 1) * g.width * c];
        let total = &mut total[ky * K * c..(ky + 1) * K * c];
        let mut j = 0;
        while K == 3 && j + 32 <= c {
            sweep::<FMA, K, S, 32>(x_row, dy, total, j, c);
            j += 32;
        }
        while j + 16 <= c {
            sweep::<FMA, K, S, 16>(x_row, dy, total, j, c);
            j += 16;
        }
        if j + 8 <= c {
            sweep::<FMA, K, S, 8>(x_row, dy, total, j, c);
            j += 8;
        }
        while j < c {
            sweep::<FMA, K, S, 1>(x_row, dy, total, j, c);
            j += 1;
        }
    }
}

/// Walks along a row with the sums of `K` taps and `LANES` channels in registers.
#[inline(always)]
fn sweep<const FMA: bool, const K: usize, const S: usize, const LANES: usize>(
    x_row: &[f32],
    dy: &[f32],
    total: &mut [f32],
    j: usize,
    c: usize,
) {
    let outputs = dy.len() / c;
    assert!(outputs > 0 && j + LANES <= c && x_row.len() >= ((outputs - 1) * S + K) * c);
    let mut sums = [[0f32; LANES]; K];
    for ox in 0..outputs {
        // SAFETY: ox is less than the outputs, and j + LANES at most c.
        let dy = unsafe { lanes::<LANES>(dy, ox * c + j) };
        for (kx, sum) in sums.iter_mut().enumerate() {
            // SAFETY: ox * S + kx is less than the pixels of the row, as asserted above.
            let x = unsafe { lanes::<LANES>(x_row, (ox * S + kx) * c + j) };
            for lane in 0..LANES {
                sum[lane] = fma::<FMA>(x[lane], dy[lane], sum[lane]);
            }
        }
    }
    for (kx, sum) in sums.iter().enumerate() {
        for (t, s) in total[kx * c + j..kx * c + j + LANES].iter_mut().zip(sum) {
            *t += s;
        }
    }
}

/// Any kernel, any position: taps that fall outside are left out.
#[inline(always)]
fn weight_gradient_any<const FMA: bool>(
    g: &Geometry,
    image: &[f32],
    dy_row: &[f32],
    oy: usize,
    total: &mut [f32],
    columns: Range<usize>,
) {
    let (c, k) = (g.in_channels, g.kernel);
    for ox in columns {
        let dy = &dy_row[ox * c..(ox + 1) * c];
        for ky in 0..k {
            let Some(y) = g.row(oy, ky) else { continue };
            for kx in 0..k {
                let Some(x) = g.column(ox, kx) else { continue };
                let start = (y * g.width + x) * c;
                let pixel = &image[start..start + c];
                let total = &mut total[(ky * k + kx) * c..(ky * k + kx + 1) * c];
                for ((t, x), d) in total.iter_mut().zip(pixel).zip(dy) {
                    *t = fma::<FMA>(*x, *d, *t);
                }
            }
        }
    }
}

/// `[channel, 1, ky, kx]`, the layout of weight files, to `[ky, kx, channel]`.
pub fn to_tap_order(weight: &[f32], channels: usize) -> Vec<f32> {
    let taps = weight.len() / channels;
    let mut packed = vec![0f32; weight.len()];
    for (channel, w) in weight.chunks_exact(taps).enumerate() {
        for (tap, w) in w.iter().enumerate() {
            packed[tap * channels + channel] = *w;
        }
    }
    packed
}

/// The way back from [`to_tap_order`].
pub fn to_file_order(packed: &[f32], weight: &mut [f32], channels: usize) {
    let taps = weight.len() / channels;
    for (channel, w) in weight.chunks_exact_mut(taps).enumerate() {
        for (tap, w) in w.iter_mut().enumerate() {
            *w = packed[tap * channels + channel];
        }
    }
}

fn assert_lengths(g: &Geometry, input: &[f32], weight: &[f32], output: &[f32]) {
    assert_eq!(g.in_channels, g.out_channels, "depthwise channels");
    assert!(input.len() == g.input_len() && output.len() == g.output_len(), "depthwise");
    assert_eq!(weight.len(), g.kernel * g.kernel * g.in_channels, "depthwise weight");
}

/// The convolution; weight in tap order.
pub fn forward(level: Level, g: &Geometry, x: &[f32], weight: &[f32], y: &mut [f32]) {
    assert_lengths(g, x, weight, y);
    forward_rows(level, g, x, weight, y.par_chunks_mut(row_len(g)), |_, _| {});
}

/// Elements of the output in one row of pixels.
pub fn row_len(g: &Geometry) -> usize {
    g.out_width * g.in_channels
}

/// The same, row by row of [`row_len`] elements: `finish` gets each with the number of its first element.
pub fn forward_rows<T: Tile>(
    level: Level,
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    rows: impl IndexedParallelIterator<Item = T>,
    finish: impl Fn(usize, T) + Sync,
) {
    assert!(x.len() == g.input_len() && g.in_channels == g.out_channels, "depthwise");
    assert_eq!(weight.len(), g.kernel * g.kernel * g.in_channels, "depthwise weight");
    let image_len = g.height * g.width * g.in_channels;
    rows.enumerate().with_min_len(4).for_each(|(row, mut out)| {
        let (image, oy) = (row / g.out_height, row % g.out_height);
        let image = &x[image * image_len..(image + 1) * image_len];
        forward_row(level, g, image, weight, oy, out.sums());
        finish(row * row_len(g), out);
    });
}

/// The gradient of the input; weight in tap order.
pub fn input_gradient(level: Level, g: &Geometry, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert_lengths(g, dx, weight, dy);
    if let Some(transposed) = g.transposed() {
        // At stride 1: a convolution of the gradient with the kernels turned around.
        let c = g.in_channels;
        let flipped: Vec<f32> = weight.rchunks_exact(c).flatten().copied().collect();
        return forward(level, &transposed, dy, &flipped, dx);
    }
    let image_len = g.out_height * g.out_width * g.in_channels;
    dx.par_chunks_mut(g.width * g.in_channels).enumerate().with_min_len(4).for_each(|(row, dx)| {
        let (image, y) = (row / g.height, row % g.height);
        let image = &dy[image * image_len..(image + 1) * image_len];
        input_gradient_row(level, g, image, weight, y, dx);
    });
}

/// The gradient of the weight, in tap order.
pub fn weight_gradient(level: Level, g: &Geometry, x: &[f32], dy: &[f32], d_weight: &mut [f32]) {
    assert_lengths(g, x, d_weight, dy);
    let image_len = g.height * g.width * g.in_channels;
    let row_len = g.out_width * g.in_channels;
    let sums: Vec<Vec<f32>> = parts(g.batch * g.out_height)
        .into_par_iter()
        .map(|rows| {
            let mut total = vec![0f32; d_weight.len()];
            for row in rows {
                let (image, oy) = (row / g.out_height, row % g.out_height);
                let image = &x[image * image_len..(image + 1) * image_len];
                let dy_row = &dy[row * row_len..(row + 1) * row_len];
                weight_gradient_row(level, g, image, dy_row, oy, &mut total);
            }
            total
        })
        .collect();
    add_parts(d_weight, sums.iter());
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_levels_agree, noise};
    use super::*;
    use crate::nn::conv::Padding;

    #[test]
    fn levels_agree() {
        for (c, k, stride) in [(1, 3, 1), (7, 5, 2), (60, 3, 2), (33, 5, 1), (20, 7, 3)] {
            let g = Geometry::new([2, 9, 6, c], c, k, stride, Padding::TensorFlowSame).unwrap();
            let (x, w) = (noise(g.input_len(), 1), noise(k * k * c, 2));
            let dy = noise(g.output_len(), 3);
            assert_levels_agree("depthwise", |level| {
                let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
                forward(level, &g, &x, &w, &mut y);
                input_gradient(level, &g, &w, &dy, &mut dx);
                weight_gradient(level, &g, &x, &dy, &mut dw);
                [y, dx, dw].concat()
            });
        }
    }
}
