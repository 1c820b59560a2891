//! Means over windows of images in NHWC; channels are the lanes of the vectors.

use super::geometry::Geometry;
use super::math::fma;
use super::{Level, multiversion};
use rayon::prelude::*;

/// One over the pixels that a window is the mean of: all of it where the padding counts, else those inside the image.
fn weight(g: &Geometry, counts_padding: bool, oy: usize, ox: usize) -> f32 {
    let pixels = match counts_padding {
        true => g.kernel * g.kernel,
        false => {
            let rows = (0..g.kernel).filter(|ky| g.row(oy, *ky).is_some()).count();
            rows * (0..g.kernel).filter(|kx| g.column(ox, *kx).is_some()).count()
        }
    };
    1.0 / pixels as f32
}

/// One row of the output of one image.
#[inline(always)]
fn forward_body<const FMA: bool>(
    g: &Geometry,
    counts_padding: bool,
    image: &[f32],
    oy: usize,
    out: &mut [f32],
) {
    let c = g.in_channels;
    for (ox, out) in out.chunks_exact_mut(c).enumerate() {
        out.fill(0.0);
        for ky in 0..g.kernel {
            let Some(y) = g.row(oy, ky) else { continue };
            for kx in 0..g.kernel {
                let Some(x) = g.column(ox, kx) else { continue };
                let start = (y * g.width + x) * c;
                for (total, x) in out.iter_mut().zip(&image[start..start + c]) {
                    *total += x;
                }
            }
        }
        let weight = weight(g, counts_padding, oy, ox);
        out.iter_mut().for_each(|total| *total *= weight);
    }
}
multiversion! { fn forward_row = forward_body(g: &Geometry, counts_padding: bool, image: &[f32], oy: usize, out: &mut [f32]); }

/// Adds the gradients of one image to `dx`: each in equal parts to the pixels of its window.
#[inline(always)]
fn input_gradient_body<const FMA: bool>(g: &Geometry, counts_padding: bool, dy: &[f32], dx: &mut [f32]) {
    let c = g.in_channels;
    for (position, dy) in dy.chunks_exact(c).enumerate() {
        let (_, oy, ox) = g.position(position);
        let weight = weight(g, counts_padding, oy, ox);
        for ky in 0..g.kernel {
            let Some(row) = g.row(oy, ky) else { continue };
            for kx in 0..g.kernel {
                let Some(column) = g.column(ox, kx) else { continue };
                let start = (row * g.width + column) * c;
                for (dx, dy) in dx[start..start + c].iter_mut().zip(dy) {
                    *dx = fma::<FMA>(*dy, weight, *dx);
                }
            }
        }
    }
}
multiversion! { fn input_gradient_image = input_gradient_body(g: &Geometry, counts_padding: bool, dy: &[f32], dx: &mut [f32]); }

/// The mean under each window; what lies outside the image is zero.
pub fn forward(level: Level, g: &Geometry, counts_padding: bool, x: &[f32], y: &mut [f32]) {
    assert!(x.len() == g.input_len() && y.len() == g.output_len(), "average pool");
    let image = g.height * g.width * g.in_channels;
    y.par_chunks_mut(g.out_width * g.in_channels).enumerate().for_each(|(row, out)| {
        let x = &x[row / g.out_height * image..][..image];
        forward_row(level, g, counts_padding, x, row % g.out_height, out);
    });
}

/// The gradient of the input, image by image.
pub fn input_gradient(level: Level, g: &Geometry, counts_padding: bool, dy: &[f32], dx: &mut [f32]) {
    assert!(dx.len() == g.input_len() && dy.len() == g.output_len(), "average pool gradient");
    let (image, out) = (dx.len() / g.batch, dy.len() / g.batch);
    dx.par_chunks_mut(image).zip(dy.par_chunks(out)).for_each(|(dx, dy)| {
        dx.fill(0.0);
        input_gradient_image(level, g, counts_padding, dy, dx);
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_levels_agree, noise};
    use super::*;
    use crate::nn::conv::Padding;

    #[test]
    fn levels_agree() {
        for (channels, kernel, stride, counts_padding) in
            [(1, 2, 2, true), (7, 3, 2, false), (48, 3, 1, true)]
        {
            let g =
                Geometry::new([2, 9, 6, channels], channels, kernel, stride, Padding::Symmetric(1)).unwrap();
            let (x, dy) = (noise(g.input_len(), 1), noise(g.output_len(), 2));
            assert_levels_agree("average pool", |level| {
                let (mut y, mut dx) = (vec![0f32; g.output_len()], vec![0f32; g.input_len()]);
                forward(level, &g, counts_padding, &x, &mut y);
                input_gradient(level, &g, counts_padding, &dy, &mut dx);
                [y, dx].concat()
            });
        }
    }
}
