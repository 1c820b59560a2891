//! Mean and variance of each channel over the rows of a batch, and the gradient that goes through them.

use super::activation::{Curve, with_curve};
use super::batch_norm::Affine;
use super::math::fma;
use super::{Level, multiversion, parts, rows_per_chunk};
use rayon::prelude::*;

/// Mean and sum of squared deviations of the rows of one block, in two passes while it lies in the cache.
#[inline(always)]
fn block_body<const FMA: bool>(x: &[f32], mean: &mut [f32], squares: &mut [f32]) {
    let n = mean.len();
    let squares = &mut squares[..n];
    mean.fill(0.0);
    squares.fill(0.0);
    for x in x.chunks_exact(n) {
        for j in 0..n {
            mean[j] += x[j];
        }
    }
    let share = n as f32 / x.len() as f32;
    for mean in mean.iter_mut() {
        *mean *= share;
    }
    for x in x.chunks_exact(n) {
        for j in 0..n {
            let off = x[j] - mean[j];
            squares[j] = fma::<FMA>(off, off, squares[j]);
        }
    }
}
multiversion! { fn block = block_body(x: &[f32], mean: &mut [f32], squares: &mut [f32]); }

#[inline(always)]
fn input_gradient_body<const FMA: bool>(
    affine: &Affine,
    x: &[f32],
    dy: &[f32],
    slope: &[f32],
    offset: &[f32],
    dx: &mut [f32],
) {
    let n = affine.scale.len();
    let (scale, shift, mean) = (&affine.scale[..n], &affine.shift[..n], &affine.mean[..n]);
    let (slope, offset) = (&slope[..n], &offset[..n]);
    with_curve!(affine.activation, A => {
        let rows = x.chunks_exact(n).zip(dy.chunks_exact(n)).zip(dx.chunks_exact_mut(n));
        for ((x, dy), dx) in rows {
            for j in 0..n {
                let u = fma::<FMA>(x[j], scale[j], shift[j]);
                let g = dy[j] * A::slope::<FMA>(u);
                dx[j] = fma::<FMA>(g, scale[j], fma::<FMA>(x[j] - mean[j], slope[j], offset[j]));
            }
        }
    })
}
multiversion! { fn input_gradient_rows = input_gradient_body(affine: &Affine, x: &[f32], dy: &[f32], slope: &[f32], offset: &[f32], dx: &mut [f32]); }

/// Mean and sum of squared deviations of the rows so far, in f64.
struct Sums {
    rows: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Sums {
    fn new(channels: usize) -> Self {
        Self { rows: 0.0, mean: vec![0.0; channels], squares: vec![0.0; channels] }
    }

    /// Joins the sums of other rows to these (Chan, Golub, LeVeque 1979).
    fn join(&mut self, rows: f64, others: impl Iterator<Item = (f64, f64)>) {
        let total = self.rows + rows;
        let (share, weight) = (rows / total, self.rows * rows / total);
        for ((mean, squares), (other_mean, other_squares)) in
            self.mean.iter_mut().zip(&mut self.squares).zip(others)
        {
            let apart = other_mean - *mean;
            *mean += apart * share;
            *squares += other_squares + apart * apart * weight;
        }
        self.rows = total;
    }
}

/// Mean and biased variance of each of `n` channels over the rows of `x`, of which there is at least one. One pass
/// over memory.
pub fn mean_and_variance(level: Level, n: usize, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
    assert!(n > 0 && !x.is_empty() && x.len().is_multiple_of(n), "rows of a batch norm");
    let part_sums: Vec<Sums> = parts(x.len() / n)
        .into_par_iter()
        .map(|rows| {
            let mut sums = Sums::new(n);
            let (mut mean, mut squares) = (vec![0f32; n], vec![0f32; n]);
            for x in x[rows.start * n..rows.end * n].chunks(rows_per_chunk(n) * n) {
                block(level, x, &mut mean, &mut squares);
                let block_sums = mean.iter().zip(&squares).map(|(m, s)| (f64::from(*m), f64::from(*s)));
                sums.join((x.len() / n) as f64, block_sums);
            }
            sums
        })
        .collect();
    let mut all = Sums::new(n);
    for part in part_sums {
        all.join(part.rows, part.mean.into_iter().zip(part.squares));
    }
    let variance = all.squares.iter().map(|s| (s / all.rows) as f32).collect();
    (all.mean.iter().map(|m| *m as f32).collect(), variance)
}

/// The gradient of the input of a batch norm whose statistics are those of `x` itself, from the gradients of weight
/// and bias.
pub fn input_gradient(
    level: Level,
    affine: &Affine,
    x: &[f32],
    dy: &[f32],
    d_weight: &[f32],
    d_bias: &[f32],
    dx: &mut [f32],
) {
    let n = affine.scale.len();
    assert!(x.len() == dy.len() && x.len() == dx.len(), "batch norm gradient");
    assert!(d_weight.len() == n && d_bias.len() == n, "batch norm gradient");
    let share = n as f32 / x.len() as f32;
    let per_row = affine.scale.iter().map(|scale| -scale * share);
    let offset: Vec<f32> = per_row.clone().zip(d_bias).map(|(s, d)| s * d).collect();
    let slope: Vec<f32> =
        per_row.zip(d_weight).zip(&affine.inverse).map(|((s, d), inverse)| s * d * inverse).collect();
    let chunk = rows_per_chunk(n) * n;
    x.par_chunks(chunk)
        .zip(dy.par_chunks(chunk))
        .zip(dx.par_chunks_mut(chunk))
        .for_each(|((x, dy), dx)| input_gradient_rows(level, affine, x, dy, &slope, &offset, dx));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_levels_agree, assert_near, noise};
    use super::*;
    use crate::nn::activation::Activation;

    /// In f64, in two passes.
    fn plain(n: usize, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let rows = x.len() / n;
        let mean = |value: &dyn Fn(f64, usize) -> f64| -> Vec<f64> {
            (0..n)
                .map(|j| {
                    x.iter().skip(j).step_by(n).map(|v| value(f64::from(*v), j)).sum::<f64>() / rows as f64
                })
                .collect()
        };
        let means = mean(&|v, _| v);
        let variances = mean(&|v, j| (v - means[j]).powi(2));
        let single = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect();
        (single(means), single(variances))
    }

    #[test]
    fn statistics_are_right_also_far_from_zero() {
        for (rows, n) in [(1, 1), (1, 5), (2, 3), (999, 7), (40_000, 1), (3000, 48), (30, 1280)] {
            for (offset, tolerance) in [(0.0, 1e-5), (1000.0, 1e-3)] {
                let x: Vec<f32> = noise(rows * n, 1).into_iter().map(|v| v * 3.0 + offset).collect();
                for threads in [1, 3] {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    let (mean, variance) = pool.install(|| mean_and_variance(Level::current(), n, &x));
                    let expected = plain(n, &x);
                    let what = format!("{rows} rows of {n} around {offset}");
                    assert_near(&mean, &expected.0, 1e-5, &format!("mean, {what}"));
                    assert_near(&variance, &expected.1, tolerance, &format!("variance, {what}"));
                }
            }
        }
    }

    #[test]
    fn levels_agree() {
        for n in [1, 7, 48] {
            let x = noise(9 * n, 1);
            assert_levels_agree("batch statistics", |level| {
                let (mean, variance) = mean_and_variance(level, n, &x);
                let affine =
                    Affine::new(&noise(n, 2), &noise(n, 3), &mean, &variance, 1e-5, Activation::Silu);
                let (dy, dw, db) = (noise(9 * n, 4), noise(n, 5), noise(n, 6));
                let mut dx = vec![0f32; 9 * n];
                input_gradient(level, &affine, &x, &dy, &dw, &db, &mut dx);
                [mean, variance, dx].concat()
            });
        }
    }
}
