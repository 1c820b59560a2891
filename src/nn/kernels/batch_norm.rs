//! Batch normalisation with fixed statistics and the activation after it, over rows of channels.

use super::activation::{Curve, with_curve};
use super::math::fma;
use super::{Level, add_parts, multiversion, parts, rows_per_chunk};
use crate::nn::activation::Activation;
use rayon::prelude::*;

/// The layer as one affine map per channel, `u = scale * x + shift`, with what its gradients need.
#[derive(Clone, Debug)]
pub struct Affine {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
    pub mean: Vec<f32>,
    /// 1 / sqrt(variance + eps)
    pub inverse: Vec<f32>,
    pub activation: Activation,
}

impl Affine {
    /// `scale = weight / sqrt(variance + eps)`, `shift = bias - mean * scale`.
    pub fn new(
        weight: &[f32],
        bias: &[f32],
        mean: &[f32],
        variance: &[f32],
        eps: f64,
        activation: Activation,
    ) -> Self {
        let inverse: Vec<f32> =
            variance.iter().map(|v| (1.0 / (f64::from(*v) + eps).sqrt()) as f32).collect();
        let scale: Vec<f32> = weight.iter().zip(&inverse).map(|(w, i)| w * i).collect();
        let shift = bias.iter().zip(mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        Self { scale, shift, mean: mean.to_vec(), inverse, activation }
    }
}

#[inline(always)]
fn forward_body<const FMA: bool>(affine: &Affine, x: &[f32], y: &mut [f32]) {
    let n = affine.scale.len();
    let (scale, shift) = (&affine.scale[..n], &affine.shift[..n]);
    with_curve!(affine.activation, A => {
        for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
            for j in 0..n {
                y[j] = A::value::<FMA>(fma::<FMA>(x[j], scale[j], shift[j]));
            }
        }
    })
}
multiversion! { fn forward_rows = forward_body(affine: &Affine, x: &[f32], y: &mut [f32]); }

#[inline(always)]
fn input_gradient_body<const FMA: bool>(affine: &Affine, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    let n = affine.scale.len();
    let (scale, shift) = (&affine.scale[..n], &affine.shift[..n]);
    with_curve!(affine.activation, A => {
        let rows = x.chunks_exact(n).zip(dy.chunks_exact(n)).zip(dx.chunks_exact_mut(n));
        for ((x, dy), dx) in rows {
            for j in 0..n {
                let u = fma::<FMA>(x[j], scale[j], shift[j]);
                dx[j] = dy[j] * A::slope::<FMA>(u) * scale[j];
            }
        }
    })
}
multiversion! { fn input_gradient_rows = input_gradient_body(affine: &Affine, x: &[f32], dy: &[f32], dx: &mut [f32]); }

/// Adds to `d_weight` the products with the centred input (not yet divided by the deviation).
#[inline(always)]
fn parameter_gradient_body<const FMA: bool>(
    affine: &Affine,
    x: &[f32],
    dy: &[f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
) {
    let n = affine.scale.len();
    let (scale, shift, mean) = (&affine.scale[..n], &affine.shift[..n], &affine.mean[..n]);
    let (d_weight, d_bias) = (&mut d_weight[..n], &mut d_bias[..n]);
    with_curve!(affine.activation, A => {
        for (x, dy) in x.chunks_exact(n).zip(dy.chunks_exact(n)) {
            for j in 0..n {
                let u = fma::<FMA>(x[j], scale[j], shift[j]);
                let g = dy[j] * A::slope::<FMA>(u);
                d_weight[j] = fma::<FMA>(g, x[j] - mean[j], d_weight[j]);
                d_bias[j] += g;
            }
        }
    })
}
multiversion! { fn parameter_gradient_rows = parameter_gradient_body(affine: &Affine, x: &[f32], dy: &[f32], d_weight: &mut [f32], d_bias: &mut [f32]); }

/// `y = activation(scale * x + shift)`.
pub fn forward(level: Level, affine: &Affine, x: &[f32], y: &mut [f32]) {
    let n = affine.scale.len();
    assert!(n > 0 && x.len().is_multiple_of(n) && x.len() == y.len(), "rows of a batch norm");
    let chunk = rows_per_chunk(n) * n;
    x.par_chunks(chunk).zip(y.par_chunks_mut(chunk)).for_each(|(x, y)| forward_rows(level, affine, x, y));
}

/// The gradient of the input; the argument of the activation is computed again.
pub fn input_gradient(level: Level, affine: &Affine, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    let n = affine.scale.len();
    assert!(x.len() == dy.len() && x.len() == dx.len(), "batch norm gradient");
    let chunk = rows_per_chunk(n) * n;
    x.par_chunks(chunk)
        .zip(dy.par_chunks(chunk))
        .zip(dx.par_chunks_mut(chunk))
        .for_each(|((x, dy), dx)| input_gradient_rows(level, affine, x, dy, dx));
}

/// The gradients of weight and bias.
pub fn parameter_gradient(
    level: Level,
    affine: &Affine,
    x: &[f32],
    dy: &[f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
) {
    let n = affine.scale.len();
    assert!(x.len() == dy.len() && d_weight.len() == n && d_bias.len() == n, "batch norm gradient");
    let sums: Vec<(Vec<f32>, Vec<f32>)> = parts(x.len() / n)
        .into_par_iter()
        .map(|rows| {
            let (mut w, mut b) = (vec![0f32; n], vec![0f32; n]);
            let range = rows.start * n..rows.end * n;
            parameter_gradient_rows(level, affine, &x[range.clone()], &dy[range], &mut w, &mut b);
            (w, b)
        })
        .collect();
    add_parts(d_weight, sums.iter().map(|s| &s.0));
    add_parts(d_bias, sums.iter().map(|s| &s.1));
    for (w, inverse) in d_weight.iter_mut().zip(&affine.inverse) {
        *w *= inverse;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_levels_agree, noise};
    use super::*;

    #[test]
    fn levels_agree() {
        for n in [1, 7, 48] {
            let x = noise(9 * n, 1);
            let variance: Vec<f32> = noise(n, 5).iter().map(|v| v.abs() + 0.1).collect();
            let affine =
                Affine::new(&noise(n, 2), &noise(n, 3), &noise(n, 4), &variance, 1e-5, Activation::Silu);
            assert_levels_agree("batch norm", |level| {
                let (mut y, mut dx) = (vec![0f32; 9 * n], vec![0f32; 9 * n]);
                let (mut dw, mut db) = (vec![0f32; n], vec![0f32; n]);
                let dy = noise(9 * n, 6);
                forward(level, &affine, &x, &mut y);
                input_gradient(level, &affine, &x, &dy, &mut dx);
                parameter_gradient(level, &affine, &x, &dy, &mut dw, &mut db);
                [y, dx, dw, db].concat()
            });
        }
    }
}
