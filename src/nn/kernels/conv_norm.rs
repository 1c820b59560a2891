//! What follows a convolution, tile by tile while its sums are in the cache: batch norm with fixed statistics, the
//! other branch of a residual block, and the activation. And the way back through them in one pass.

use super::activation::{Curve, with_curve};
use super::batch_norm::Affine;
use super::math::fma;
use super::{Level, add_parts, multiversion, parts};
use rayon::prelude::*;

/// `u = activation(scale * u + shift + residual)` in place; an empty residual is none.
#[inline(always)]
fn finish_body<const FMA: bool>(affine: &Affine, u: &mut [f32], residual: &[f32]) {
    let n = affine.scale.len();
    let (scale, shift) = (&affine.scale[..n], &affine.shift[..n]);
    with_curve!(affine.activation, A => {
        if residual.is_empty() {
            for u in u.chunks_exact_mut(n) {
                for j in 0..n {
                    u[j] = A::value::<FMA>(fma::<FMA>(u[j], scale[j], shift[j]));
                }
            }
        } else {
            for (u, r) in u.chunks_exact_mut(n).zip(residual.chunks_exact(n)) {
                for j in 0..n {
                    u[j] = A::value::<FMA>(fma::<FMA>(u[j], scale[j], shift[j]) + r[j]);
                }
            }
        }
    })
}
multiversion! { pub fn finish = finish_body(affine: &Affine, u: &mut [f32], residual: &[f32]); }

/// The same into `y`; `u` is kept for the backward pass.
#[inline(always)]
fn finish_into_body<const FMA: bool>(affine: &Affine, u: &[f32], residual: &[f32], y: &mut [f32]) {
    let n = affine.scale.len();
    let (scale, shift) = (&affine.scale[..n], &affine.shift[..n]);
    with_curve!(affine.activation, A => {
        if residual.is_empty() {
            for (u, y) in u.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
                for j in 0..n {
                    y[j] = A::value::<FMA>(fma::<FMA>(u[j], scale[j], shift[j]));
                }
            }
        } else {
            for ((u, y), r) in u.chunks_exact(n).zip(y.chunks_exact_mut(n)).zip(residual.chunks_exact(n)) {
                for j in 0..n {
                    y[j] = A::value::<FMA>(fma::<FMA>(u[j], scale[j], shift[j]) + r[j]);
                }
            }
        }
    })
}
multiversion! { pub fn finish_into = finish_into_body(affine: &Affine, u: &[f32], residual: &[f32], y: &mut [f32]); }

/// Rows of the backward pass: `u` becomes its own gradient, and the sums for weight (not yet divided by the deviation)
/// and bias grow.
#[inline(always)]
fn backward_body<const FMA: bool>(
    affine: &Affine,
    u: &mut [f32],
    dy: &[f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
) {
    let n = affine.scale.len();
    let (scale, shift, mean) = (&affine.scale[..n], &affine.shift[..n], &affine.mean[..n]);
    with_curve!(affine.activation, A => {
        if d_bias.is_empty() {
            for (u, dy) in u.chunks_exact_mut(n).zip(dy.chunks_exact(n)) {
                for j in 0..n {
                    u[j] = dy[j] * A::slope::<FMA>(fma::<FMA>(u[j], scale[j], shift[j])) * scale[j];
                }
            }
        } else {
            let (d_weight, d_bias) = (&mut d_weight[..n], &mut d_bias[..n]);
            for (u, dy) in u.chunks_exact_mut(n).zip(dy.chunks_exact(n)) {
                for j in 0..n {
                    let g = dy[j] * A::slope::<FMA>(fma::<FMA>(u[j], scale[j], shift[j]));
                    d_weight[j] = fma::<FMA>(g, u[j] - mean[j], d_weight[j]);
                    d_bias[j] += g;
                    u[j] = g * scale[j];
                }
            }
        }
    })
}
multiversion! { fn backward_rows = backward_body(affine: &Affine, u: &mut [f32], dy: &[f32], d_weight: &mut [f32], d_bias: &mut [f32]); }

/// The gradients of what stands before the activation: of the sums of the convolution, in place of them in `u`, and,
/// where they are wanted (not empty), of the norm's weight and bias.
pub fn backward(
    level: Level,
    affine: &Affine,
    u: &mut [f32],
    dy: &[f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
) {
    let n = affine.scale.len();
    assert!(n > 0 && u.len() == dy.len() && u.len().is_multiple_of(n), "rows of a norm");
    assert!(d_weight.len() == d_bias.len() && [0, n].contains(&d_bias.len()), "gradient of a norm");
    let wanted = d_bias.len();
    let mut rest = u;
    let mut shares = Vec::new();
    for rows in parts(dy.len() / n) {
        let (share, after) = rest.split_at_mut(rows.len() * n);
        shares.push((share, &dy[rows.start * n..rows.end * n]));
        rest = after;
    }
    let sums: Vec<(Vec<f32>, Vec<f32>)> = shares
        .into_par_iter()
        .map(|(u, dy)| {
            let (mut w, mut b) = (vec![0f32; wanted], vec![0f32; wanted]);
            backward_rows(level, affine, u, dy, &mut w, &mut b);
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
    use crate::nn::activation::Activation;

    #[test]
    fn levels_agree() {
        for n in [1, 7, 48] {
            let (u, residual, dy) = (noise(9 * n, 1), noise(9 * n, 7), noise(9 * n, 6));
            let variance: Vec<f32> = noise(n, 5).iter().map(|v| v.abs() + 0.1).collect();
            let affine =
                Affine::new(&noise(n, 2), &noise(n, 3), &noise(n, 4), &variance, 1e-5, Activation::Silu);
            for residual in [&residual[..], &[]] {
                assert_levels_agree("norm after a convolution", |level| {
                    let (mut y, mut placed, mut du) = (vec![0f32; 9 * n], u.clone(), u.clone());
                    let (mut dw, mut db) = (vec![0f32; n], vec![0f32; n]);
                    finish(level, &affine, &mut placed, residual);
                    finish_into(level, &affine, &u, residual, &mut y);
                    assert_eq!(placed, y);
                    backward(level, &affine, &mut du, &dy, &mut dw, &mut db);
                    let mut alone = u.clone();
                    backward(level, &affine, &mut alone, &dy, &mut [], &mut []);
                    assert_eq!(alone, du);
                    [y, du, dw, db].concat()
                });
            }
        }
    }
}
