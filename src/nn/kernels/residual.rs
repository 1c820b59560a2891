//! Sums of two branches and the ReLU after them.

use super::{CHUNK, Level, multiversion};
use rayon::prelude::*;

#[inline(always)]
fn forward_body<const FMA: bool>(a: &[f32], b: &[f32], y: &mut [f32]) {
    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
        let sum = a + b;
        // Written so that NaN stays NaN.
        *y = if sum <= 0.0 { 0.0 } else { sum };
    }
}
multiversion! { fn forward_chunk = forward_body(a: &[f32], b: &[f32], y: &mut [f32]); }

#[inline(always)]
fn gradient_body<const FMA: bool>(y: &[f32], dy: &[f32], d: &mut [f32]) {
    for ((d, y), dy) in d.iter_mut().zip(y).zip(dy) {
        *d = if *y > 0.0 { *dy } else { 0.0 };
    }
}
multiversion! { fn gradient_chunk = gradient_body(y: &[f32], dy: &[f32], d: &mut [f32]); }

#[inline(always)]
fn add_body<const FMA: bool>(a: &[f32], total: &mut [f32]) {
    for (total, a) in total.iter_mut().zip(a) {
        *total += a;
    }
}
multiversion! { fn add_chunk = add_body(a: &[f32], total: &mut [f32]); }

/// `total += a`.
pub fn add(level: Level, a: &[f32], total: &mut [f32]) {
    assert_eq!(a.len(), total.len(), "sum of branches");
    total.par_chunks_mut(CHUNK).zip(a.par_chunks(CHUNK)).for_each(|(total, a)| add_chunk(level, a, total));
}

/// `y = max(a + b, 0)`.
pub fn add_relu(level: Level, a: &[f32], b: &[f32], y: &mut [f32]) {
    assert!(a.len() == b.len() && a.len() == y.len(), "sum of branches");
    y.par_chunks_mut(CHUNK)
        .zip(a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK)))
        .for_each(|(y, (a, b))| forward_chunk(level, a, b, y));
}

/// The gradient of either branch, from the result.
pub fn add_relu_gradient(level: Level, y: &[f32], dy: &[f32], d: &mut [f32]) {
    assert!(y.len() == dy.len() && y.len() == d.len(), "sum of branches");
    d.par_chunks_mut(CHUNK)
        .zip(y.par_chunks(CHUNK).zip(dy.par_chunks(CHUNK)))
        .for_each(|(d, (y, dy))| gradient_chunk(level, y, dy, d));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_levels_agree, noise};
    use super::*;

    #[test]
    fn levels_agree() {
        assert_levels_agree("sum of branches", |level| {
            let (mut y, mut d) = (vec![0f32; 1003], vec![0f32; 1003]);
            add_relu(level, &noise(1003, 1), &noise(1003, 2), &mut y);
            add_relu_gradient(level, &y, &noise(1003, 3), &mut d);
            add(level, &y, &mut d);
            [y, d].concat()
        });
    }
}
