//! Maxima over windows of images in NHWC; channels are the lanes of the vectors.

use super::geometry::Geometry;
use super::{Level, multiversion};
use rayon::prelude::*;

/// One row of the output of one image. Of not-a-number and a number, not-a-number is the larger.
#[inline(always)]
fn forward_body<const FMA: bool>(g: &Geometry, image: &[f32], oy: usize, out: &mut [f32]) {
    let c = g.in_channels;
    for (ox, out) in out.chunks_exact_mut(c).enumerate() {
        out.fill(f32::NEG_INFINITY);
        for ky in 0..g.kernel {
            let Some(y) = g.row(oy, ky) else { continue };
            for kx in 0..g.kernel {
                let Some(x) = g.column(ox, kx) else { continue };
                let start = (y * g.width + x) * c;
                for (top, x) in out.iter_mut().zip(&image[start..start + c]) {
                    *top = if *x > *top || x.is_nan() { *x } else { *top };
                }
            }
        }
    }
}
multiversion! { fn forward_row = forward_body(g: &Geometry, image: &[f32], oy: usize, out: &mut [f32]); }

/// Adds the gradients of one image to `dx`: each goes to the first pixel of its window that equals the maximum.
/// `rest` holds one pixel.
#[inline(always)]
fn input_gradient_body<const FMA: bool>(
    g: &Geometry,
    image: &[f32],
    y: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    rest: &mut [f32],
) {
    let c = g.in_channels;
    for (position, (top, dy)) in y.chunks_exact(c).zip(dy.chunks_exact(c)).enumerate() {
        let (_, oy, ox) = g.position(position);
        rest.copy_from_slice(dy);
        for ky in 0..g.kernel {
            let Some(row) = g.row(oy, ky) else { continue };
            for kx in 0..g.kernel {
                let Some(column) = g.column(ox, kx) else { continue };
                let start = (row * g.width + column) * c;
                let (x, dx) = (&image[start..start + c], &mut dx[start..start + c]);
                for (((dx, x), top), rest) in dx.iter_mut().zip(x).zip(top).zip(rest.iter_mut()) {
                    let given = if x == top { *rest } else { 0.0 };
                    *dx += given;
                    *rest -= given;
                }
            }
        }
    }
}
multiversion! { fn input_gradient_image = input_gradient_body(g: &Geometry, image: &[f32], y: &[f32], dy: &[f32], dx: &mut [f32], rest: &mut [f32]); }

/// The maximum under each window; what lies outside the image does not count.
pub fn forward(level: Level, g: &Geometry, x: &[f32], y: &mut [f32]) {
    assert!(x.len() == g.input_len() && y.len() == g.output_len(), "max pool");
    let image = g.height * g.width * g.in_channels;
    y.par_chunks_mut(g.out_width * g.in_channels).enumerate().for_each(|(row, out)| {
        let x = &x[row / g.out_height * image..][..image];
        forward_row(level, g, x, row % g.out_height, out);
    });
}

/// The gradient of the input, image by image; `y` is the result of [`forward`].
pub fn input_gradient(level: Level, g: &Geometry, x: &[f32], y: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert!(x.len() == g.input_len() && dx.len() == x.len(), "max pool gradient");
    assert!(y.len() == g.output_len() && dy.len() == y.len(), "max pool gradient");
    let (image, out) = (x.len() / g.batch, y.len() / g.batch);
    dx.par_chunks_mut(image)
        .zip(x.par_chunks(image))
        .zip(y.par_chunks(out).zip(dy.par_chunks(out)))
        .for_each_init(
            || vec![0f32; g.in_channels],
            |rest, ((dx, x), (y, dy))| {
                dx.fill(0.0);
                input_gradient_image(level, g, x, y, dy, dx, rest);
            },
        );
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_levels_agree, noise};
    use super::*;
    use crate::nn::conv::Padding;

    #[test]
    fn levels_agree() {
        for (channels, kernel, stride) in [(1, 2, 2), (7, 3, 2), (48, 3, 1)] {
            let g =
                Geometry::new([2, 9, 6, channels], channels, kernel, stride, Padding::Symmetric(1)).unwrap();
            let (x, dy) = (noise(g.input_len(), 1), noise(g.output_len(), 2));
            assert_levels_agree("max pool", |level| {
                let (mut y, mut dx) = (vec![0f32; g.output_len()], vec![0f32; g.input_len()]);
                forward(level, &g, &x, &mut y);
                input_gradient(level, &g, &x, &y, &dy, &mut dx);
                [y, dx].concat()
            });
        }
    }
}
