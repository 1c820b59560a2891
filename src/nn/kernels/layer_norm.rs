//! Layer normalisation over rows.

use super::math::{dot, fma, sum};
use super::{Level, add_parts, multiversion, parts, rows_per_chunk};
use rayon::prelude::*;

/// Mean and inverse deviation of each row go to `statistics`, two numbers a row.
#[inline(always)]
fn forward_body<const FMA: bool>(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    eps: f32,
    y: &mut [f32],
    statistics: &mut [f32],
) {
    let n = weight.len();
    let rows = x.chunks_exact(n).zip(y.chunks_exact_mut(n));
    for ((x, y), s) in rows.zip(statistics.chunks_exact_mut(2)) {
        let mean = sum(x) / n as f32;
        // The deviations first: the difference of two large squares would lose digits.
        for (y, x) in y.iter_mut().zip(x) {
            *y = x - mean;
        }
        let variance = dot::<FMA>(y, y) / n as f32;
        let inverse = 1.0 / (variance + eps).sqrt();
        for ((y, w), b) in y.iter_mut().zip(weight).zip(bias) {
            *y = fma::<FMA>(*y * inverse, *w, *b);
        }
        s[0] = mean;
        s[1] = inverse;
    }
}
multiversion! { fn forward_rows = forward_body(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, y: &mut [f32], statistics: &mut [f32]); }

/// `scratch` holds two rows.
#[inline(always)]
fn input_gradient_body<const FMA: bool>(
    x: &[f32],
    weight: &[f32],
    statistics: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    let n = weight.len();
    let (scaled, normal) = scratch.split_at_mut(n);
    let rows = x.chunks_exact(n).zip(dy.chunks_exact(n)).zip(dx.chunks_exact_mut(n));
    for (((x, dy), dx), s) in rows.zip(statistics.chunks_exact(2)) {
        let (mean, inverse) = (s[0], s[1]);
        for j in 0..n {
            normal[j] = (x[j] - mean) * inverse;
            scaled[j] = dy[j] * weight[j];
        }
        let a = sum(scaled) / n as f32;
        let b = dot::<FMA>(scaled, normal) / n as f32;
        for j in 0..n {
            dx[j] = inverse * fma::<FMA>(-b, normal[j], scaled[j] - a);
        }
    }
}
multiversion! { fn input_gradient_rows = input_gradient_body(x: &[f32], weight: &[f32], statistics: &[f32], dy: &[f32], dx: &mut [f32], scratch: &mut [f32]); }

#[inline(always)]
fn parameter_gradient_body<const FMA: bool>(
    x: &[f32],
    statistics: &[f32],
    dy: &[f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
) {
    let n = d_weight.len();
    for ((x, dy), s) in x.chunks_exact(n).zip(dy.chunks_exact(n)).zip(statistics.chunks_exact(2)) {
        let (mean, inverse) = (s[0], s[1]);
        for (((w, b), x), dy) in d_weight.iter_mut().zip(d_bias.iter_mut()).zip(x).zip(dy) {
            *w = fma::<FMA>(*dy, (x - mean) * inverse, *w);
            *b += dy;
        }
    }
}
multiversion! { fn parameter_gradient_rows = parameter_gradient_body(x: &[f32], statistics: &[f32], dy: &[f32], d_weight: &mut [f32], d_bias: &mut [f32]); }

/// `y = (x - mean) / sqrt(variance + eps) * weight + bias` for each row.
pub fn forward(
    level: Level,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    eps: f32,
    y: &mut [f32],
    statistics: &mut [f32],
) {
    let n = weight.len();
    assert!(n > 0 && n == bias.len() && x.len().is_multiple_of(n), "rows of a layer norm");
    assert!(y.len() == x.len() && statistics.len() == x.len() / n * 2, "layer norm");
    let rows = rows_per_chunk(n);
    x.par_chunks(n * rows)
        .zip(y.par_chunks_mut(n * rows))
        .zip(statistics.par_chunks_mut(2 * rows))
        .for_each(|((x, y), s)| forward_rows(level, x, weight, bias, eps, y, s));
}

/// The gradient of the input.
pub fn input_gradient(
    level: Level,
    x: &[f32],
    weight: &[f32],
    statistics: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) {
    let n = weight.len();
    assert!(n > 0 && x.len() == dy.len() && x.len() == dx.len(), "layer norm gradient");
    assert_eq!(statistics.len(), x.len() / n * 2, "layer norm statistics");
    let rows = rows_per_chunk(n);
    x.par_chunks(n * rows)
        .zip(dy.par_chunks(n * rows))
        .zip(dx.par_chunks_mut(n * rows))
        .zip(statistics.par_chunks(2 * rows))
        .for_each_init(
            || vec![0f32; 2 * n],
            |scratch, (((x, dy), dx), s)| input_gradient_rows(level, x, weight, s, dy, dx, scratch),
        );
}

/// The gradients of weight and bias.
pub fn parameter_gradient(
    level: Level,
    x: &[f32],
    statistics: &[f32],
    dy: &[f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
) {
    let n = d_weight.len();
    assert!(n > 0 && n == d_bias.len() && x.len() == dy.len(), "layer norm gradient");
    assert_eq!(statistics.len(), x.len() / n * 2, "layer norm statistics");
    let sums: Vec<(Vec<f32>, Vec<f32>)> = parts(x.len() / n)
        .into_par_iter()
        .map(|rows| {
            let (mut w, mut b) = (vec![0f32; n], vec![0f32; n]);
            let range = rows.start * n..rows.end * n;
            let s = &statistics[2 * rows.start..2 * rows.end];
            parameter_gradient_rows(level, &x[range.clone()], s, &dy[range], &mut w, &mut b);
            (w, b)
        })
        .collect();
    add_parts(d_weight, sums.iter().map(|s| &s.0));
    add_parts(d_bias, sums.iter().map(|s| &s.1));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_levels_agree, noise};
    use super::*;

    #[test]
    fn levels_agree() {
        for (rows, n) in [(1, 1), (3, 5), (9, 70)] {
            let x = noise(rows * n, 1);
            let (w, b, dy) = (noise(n, 2), noise(n, 3), noise(rows * n, 4));
            assert_levels_agree("layer norm", |level| {
                let (mut y, mut s) = (vec![0f32; rows * n], vec![0f32; rows * 2]);
                forward(level, &x, &w, &b, 1e-5, &mut y, &mut s);
                let (mut dx, mut dw, mut db) = (y.clone(), w.clone(), b.clone());
                input_gradient(level, &x, &w, &s, &dy, &mut dx);
                parameter_gradient(level, &x, &s, &dy, &mut dw, &mut db);
                [y, dx, dw, db].concat()
            });
        }
    }
}
