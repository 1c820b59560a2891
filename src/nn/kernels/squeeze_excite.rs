//! Means of the channels of each image, and a factor for each of its channels, over images in NHWC.

use super::math::fma;
use super::{Level, multiversion, rows_per_chunk};
use rayon::prelude::*;

/// Pixels that are summed before they are added to the others: a picture has thousands, and one long sum in f32 would
/// lose digits.
const RUN: usize = 64;

#[inline(always)]
fn means_body<const FMA: bool>(image: &[f32], means: &mut [f32], run: &mut [f32]) {
    let c = means.len();
    means.fill(0.0);
    for pixels in image.chunks(RUN * c) {
        run.fill(0.0);
        for pixel in pixels.chunks_exact(c) {
            for (r, x) in run.iter_mut().zip(pixel) {
                *r += x;
            }
        }
        for (m, r) in means.iter_mut().zip(run.iter()) {
            *m += r;
        }
    }
    let weight = c as f32 / image.len() as f32;
    means.iter_mut().for_each(|m| *m *= weight);
}
multiversion! { fn means_image = means_body(image: &[f32], means: &mut [f32], run: &mut [f32]); }

#[inline(always)]
fn scale_body<const FMA: bool>(x: &[f32], gate: &[f32], y: &mut [f32]) {
    let c = gate.len();
    for (x, y) in x.chunks_exact(c).zip(y.chunks_exact_mut(c)) {
        for ((y, x), g) in y.iter_mut().zip(x).zip(gate) {
            *y = x * g;
        }
    }
}
multiversion! { fn scale_pixels = scale_body(x: &[f32], gate: &[f32], y: &mut [f32]); }

#[inline(always)]
fn gate_gradient_body<const FMA: bool>(x: &[f32], dy: &[f32], d: &mut [f32], run: &mut [f32]) {
    let c = d.len();
    d.fill(0.0);
    for (x, dy) in x.chunks(RUN * c).zip(dy.chunks(RUN * c)) {
        run.fill(0.0);
        for (x, dy) in x.chunks_exact(c).zip(dy.chunks_exact(c)) {
            for ((r, x), dy) in run.iter_mut().zip(x).zip(dy) {
                *r = fma::<FMA>(*x, *dy, *r);
            }
        }
        for (d, r) in d.iter_mut().zip(run.iter()) {
            *d += r;
        }
    }
}
multiversion! { fn gate_gradient_image = gate_gradient_body(x: &[f32], dy: &[f32], d: &mut [f32], run: &mut [f32]); }

#[inline(always)]
fn input_gradient_body<const FMA: bool>(dy: &[f32], gate: &[f32], share: &[f32], dx: &mut [f32]) {
    let c = gate.len();
    for (dy, dx) in dy.chunks_exact(c).zip(dx.chunks_exact_mut(c)) {
        for (((dx, dy), g), s) in dx.iter_mut().zip(dy).zip(gate).zip(share) {
            *dx = fma::<FMA>(*dy, *g, *s);
        }
    }
}
multiversion! { fn input_gradient_pixels = input_gradient_body(dy: &[f32], gate: &[f32], share: &[f32], dx: &mut [f32]); }

/// The elements of one image of `x`, where every image has `channels` of the `rows` elements.
fn image_len(x: usize, channels: usize, rows: usize) -> usize {
    assert!(channels > 0 && rows.is_multiple_of(channels), "rows of channels");
    let images = rows / channels;
    assert!(images > 0 && x.is_multiple_of(rows) && x > 0, "images of these channels");
    x / images
}

/// `means[image, channel]`, the mean over the pixels.
pub fn means(level: Level, x: &[f32], channels: usize, means: &mut [f32]) {
    let image = image_len(x.len(), channels, means.len());
    x.par_chunks(image)
        .zip(means.par_chunks_mut(channels))
        .for_each_init(|| vec![0f32; channels], |run, (x, means)| means_image(level, x, means, run));
}

/// `y = x * gate[image, channel]`.
pub fn scale(level: Level, x: &[f32], gate: &[f32], channels: usize, y: &mut [f32]) {
    let image = image_len(x.len(), channels, gate.len());
    assert_eq!(x.len(), y.len(), "images and scaled images");
    let chunk = rows_per_chunk(channels) * channels;
    x.par_chunks(image).zip(y.par_chunks_mut(image)).zip(gate.par_chunks(channels)).for_each(
        |((x, y), gate)| {
            x.par_chunks(chunk)
                .zip(y.par_chunks_mut(chunk))
                .for_each(|(x, y)| scale_pixels(level, x, gate, y));
        },
    );
}

/// The gradient of the gate of [`scale`].
pub fn gate_gradient(level: Level, x: &[f32], dy: &[f32], channels: usize, d_gate: &mut [f32]) {
    let image = image_len(x.len(), channels, d_gate.len());
    assert_eq!(x.len(), dy.len(), "images and their gradient");
    x.par_chunks(image).zip(dy.par_chunks(image)).zip(d_gate.par_chunks_mut(channels)).for_each_init(
        || vec![0f32; channels],
        |run, ((x, dy), d)| gate_gradient_image(level, x, dy, d, run),
    );
}

/// The gradient of the images through [`scale`] and [`means`] together: each pixel has its own part through the
/// product, and an equal share of the gradient of the mean.
pub fn input_gradient(
    level: Level,
    dy: &[f32],
    gate: &[f32],
    d_means: &[f32],
    channels: usize,
    dx: &mut [f32],
) {
    let image = image_len(dy.len(), channels, gate.len());
    assert!(gate.len() == d_means.len() && dy.len() == dx.len(), "gradient of images");
    let weight = channels as f32 / image as f32;
    let shares: Vec<f32> = d_means.iter().map(|d| d * weight).collect();
    let chunk = rows_per_chunk(channels) * channels;
    dy.par_chunks(image)
        .zip(dx.par_chunks_mut(image))
        .zip(gate.par_chunks(channels).zip(shares.par_chunks(channels)))
        .for_each(|((dy, dx), (gate, share))| {
            dy.par_chunks(chunk)
                .zip(dx.par_chunks_mut(chunk))
                .for_each(|(dy, dx)| input_gradient_pixels(level, dy, gate, share, dx));
        });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_levels_agree, assert_near, noise};
    use super::*;

    #[test]
    fn levels_agree() {
        for (batch, pixels, channels) in [(1, 1, 1), (2, 9, 7), (3, 70, 48)] {
            let (x, dy) = (noise(batch * pixels * channels, 1), noise(batch * pixels * channels, 2));
            let (gate, d_means) = (noise(batch * channels, 3), noise(batch * channels, 4));
            assert_levels_agree("squeeze and excite", |level| {
                let (mut mean, mut d_gate) = (vec![0f32; gate.len()], vec![0f32; gate.len()]);
                let (mut y, mut dx) = (vec![0f32; x.len()], vec![0f32; x.len()]);
                means(level, &x, channels, &mut mean);
                scale(level, &x, &gate, channels, &mut y);
                gate_gradient(level, &x, &dy, channels, &mut d_gate);
                input_gradient(level, &dy, &gate, &d_means, channels, &mut dx);
                [mean, y, d_gate, dx].concat()
            });
        }
    }

    #[test]
    fn means_of_large_images_keep_their_digits() {
        let x: Vec<f32> = noise(50_000, 1).iter().map(|v| v + 4.0).collect();
        let exact = x.iter().map(|v| f64::from(*v)).sum::<f64>() / x.len() as f64;
        let mut mean = [0f32];
        means(Level::available()[0], &x, 1, &mut mean);
        assert_near(&mean, &[exact as f32], 1e-6, "mean");
    }
}
