//! The sum of squares, for the norm of a gradient.

use super::{Level, multiversion};
use rayon::prelude::*;

/// Sums that are carried side by side: enough for the widest registers.
const LANES: usize = 16;

/// In f64: a square of an f32 is exact there, so fused or not the sum is the same.
#[inline(always)]
fn sum_of_squares_body<const FMA: bool>(x: &[f32]) -> f64 {
    let mut sums = [0f64; LANES];
    let mut chunks = x.chunks_exact(LANES);
    for chunk in &mut chunks {
        for j in 0..LANES {
            let value = f64::from(chunk[j]);
            sums[j] += value * value;
        }
    }
    for (sum, value) in sums.iter_mut().zip(chunks.remainder()) {
        *sum += f64::from(*value) * f64::from(*value);
    }
    sums.iter().sum()
}
multiversion! { fn sum_of_squares_chunk = sum_of_squares_body(x: &[f32]) -> f64; }

/// The sum of the squares, over the pool. The same to the bit at every level and for any number of threads.
pub fn sum_of_squares(level: Level, x: &[f32]) -> f64 {
    const CHUNK: usize = 1 << 16;
    if x.len() <= CHUNK {
        return sum_of_squares_chunk(level, x);
    }
    let sums: Vec<f64> = x.par_chunks(CHUNK).map(|x| sum_of_squares_chunk(level, x)).collect();
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::*;

    #[test]
    fn sums_are_right_and_the_same_everywhere() {
        for n in [0, 1, 15, 16, 17, (1 << 17) + 5] {
            let x = noise(n, 1);
            let plain: f64 = x.iter().map(|v| f64::from(*v).powi(2)).sum();
            for level in Level::available() {
                for threads in [1, 3] {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    let sum = pool.install(|| sum_of_squares(level, &x));
                    assert!((sum - plain).abs() <= 1e-12 * plain, "{n}: {sum} for {plain}");
                    assert_eq!(sum.to_bits(), sum_of_squares(Level::available()[0], &x).to_bits());
                }
            }
        }
        // No square of a finite f32 overflows.
        assert!(sum_of_squares(Level::current(), &[f32::MAX; 3]).is_finite());
        assert!(sum_of_squares(Level::current(), &[1.0, f32::NAN]).is_nan());
    }
}
