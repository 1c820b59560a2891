//! Dropout decided by a hash of (key, position): the same element falls whoever asks, so that nothing
//! is stored for the backward pass.

use super::{CHUNK, Level, multiversion};
use rayon::prelude::*;

/// Sets elements to zero with a probability and scales the others so that the mean stays (Srivastava et
/// al. 2014). Element `i` is decided by a hash of `(key, i)`: no generator state, the same for the same
/// key whatever the number of threads, and decided again in the backward pass. Make a key from all that
/// should matter: seed, step, layer, purpose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Of an element to be set to zero, in 0..1.
    pub probability: f32,
    pub key: u64,
}

/// A 32-bit finaliser with low bias (after Chris Wellons, `lowbias32`).
#[inline(always)]
fn mix(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x7feb_352d);
    h ^= h >> 15;
    h = h.wrapping_mul(0x846c_a68b);
    h ^ (h >> 16)
}

/// What element `start + offset` is multiplied with: 0, or the inverse of the probability to stay.
#[inline(always)]
fn factor(rule: &Rule, start: u64, offset: u32) -> f32 {
    let low = (start as u32).wrapping_add(offset);
    let carry = u32::from(low < offset);
    let high = ((start >> 32) as u32).wrapping_add(carry);
    let h = mix(mix(low ^ rule.key_low) ^ rule.key_high ^ high.wrapping_mul(0x9E37_79B1));
    if h >= rule.threshold { rule.scale } else { 0.0 }
}

/// A [`Dropout`] made ready for the loop.
#[derive(Clone, Copy)]
struct Rule {
    key_low: u32,
    key_high: u32,
    threshold: u32,
    scale: f32,
}

impl Rule {
    fn new(dropout: Dropout) -> Self {
        let p = f64::from(dropout.probability);
        Self {
            key_low: dropout.key as u32,
            key_high: (dropout.key >> 32) as u32,
            threshold: (p * 4_294_967_296.0) as u32,
            scale: (1.0 / (1.0 - p)) as f32,
        }
    }
}

/// `out = dropout(x)`, and `+ residual` where there is one (else it is empty).
#[inline(always)]
fn dropout_body<const FMA: bool>(x: &[f32], residual: &[f32], out: &mut [f32], rule: Rule, start: u64) {
    if residual.is_empty() {
        for (i, (o, x)) in out.iter_mut().zip(x).enumerate() {
            *o = x * factor(&rule, start, i as u32);
        }
    } else {
        for (i, ((o, x), r)) in out.iter_mut().zip(x).zip(residual).enumerate() {
            *o = r + x * factor(&rule, start, i as u32);
        }
    }
}
multiversion! { fn dropout_chunk = dropout_body(x: &[f32], residual: &[f32], out: &mut [f32], rule: Rule, start: u64); }

/// `out[i] = x[i]` with some elements set to zero and the others scaled; `start` is the position of
/// the first element in the whole. Runs in the calling thread.
pub fn dropout_from(level: Level, dropout: Dropout, start: u64, x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "dropout");
    dropout_chunk(level, x, &[], out, Rule::new(dropout), start);
}

/// `out = dropout(x) + residual`, over the pool.
pub fn dropout_add(level: Level, dropout: Dropout, x: &[f32], residual: Option<&[f32]>, out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "dropout");
    let residual = residual.unwrap_or(&[]);
    assert!(residual.is_empty() || residual.len() == x.len(), "dropout and residual");
    let rule = Rule::new(dropout);
    out.par_chunks_mut(CHUNK).enumerate().for_each(|(i, out)| {
        let (start, end) = (i * CHUNK, i * CHUNK + out.len());
        let residual = if residual.is_empty() { residual } else { &residual[start..end] };
        dropout_chunk(level, &x[start..end], residual, out, rule, start as u64);
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_levels_agree, noise};
    use super::*;

    #[test]
    fn levels_agree() {
        let dropout = Dropout { probability: 0.3, key: 77 };
        assert_levels_agree("dropout", |level| {
            let mut out = vec![0f32; 1003];
            dropout_add(level, dropout, &noise(1003, 1), Some(&noise(1003, 2)), &mut out);
            out
        });
    }

    #[test]
    fn a_chunk_in_the_middle_falls_as_in_the_whole() {
        let dropout = Dropout { probability: 0.5, key: u64::MAX - 3 };
        let level = Level::current();
        let x = vec![1f32; 3 * CHUNK + 5];
        let (mut whole, mut part) = (vec![0f32; x.len()], vec![0f32; 100]);
        dropout_add(level, dropout, &x, None, &mut whole);
        dropout_from(level, dropout, CHUNK as u64 - 50, &x[..100], &mut part);
        assert_eq!(part, whole[CHUNK - 50..CHUNK + 50]);
    }

    #[test]
    fn positions_past_32_bits_differ_from_low_ones() {
        let dropout = Dropout { probability: 0.5, key: 5 };
        let x = vec![1f32; 200];
        let at = |start: u64| {
            let mut out = vec![0f32; 200];
            dropout_from(Level::current(), dropout, start, &x, &mut out);
            out
        };
        let across = at((1 << 32) - 100);
        assert_eq!(across[100..], at(1 << 32)[..100]);
        assert_ne!(at(1 << 32), at(0));
    }
}
