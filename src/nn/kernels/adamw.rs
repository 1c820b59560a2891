//! AdamW, one pass over weights, gradient and moments.

use super::{Level, multiversion};
use rayon::prelude::*;

/// The numbers of one update, ready for the loop.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// Factor on the gradient.
    pub factor: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub one_minus_beta1: f32,
    pub one_minus_beta2: f32,
    /// 1 - lr * weight decay
    pub decay: f32,
    /// lr / (1 - beta1^step)
    pub rate: f32,
    /// 1 / sqrt(1 - beta2^step)
    pub correction: f32,
    pub eps: f32,
}

#[inline(always)]
fn update_body<const FMA: bool>(w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], u: Update) {
    let n = w.len();
    let (g, m, v) = (&g[..n], &mut m[..n], &mut v[..n]);
    for i in 0..n {
        let g = u.factor * g[i];
        let first = u.beta1 * m[i] + u.one_minus_beta1 * g;
        let second = u.beta2 * v[i] + u.one_minus_beta2 * g * g;
        m[i] = first;
        v[i] = second;
        w[i] = w[i] * u.decay - u.rate * first / (second.sqrt() * u.correction + u.eps);
    }
}
multiversion! { fn update_chunk = update_body(w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], u: Update); }

/// Updates a stretch of weights; a long one over the pool.
pub fn update(level: Level, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], u: Update) {
    const CHUNK: usize = 1 << 16;
    assert!(w.len() == g.len() && w.len() == m.len() && w.len() == v.len(), "AdamW");
    if w.len() <= CHUNK {
        return update_chunk(level, w, g, m, v, u);
    }
    w.par_chunks_mut(CHUNK)
        .zip(g.par_chunks(CHUNK))
        .zip(m.par_chunks_mut(CHUNK))
        .zip(v.par_chunks_mut(CHUNK))
        .for_each(|(((w, g), m), v)| update_chunk(level, w, g, m, v, u));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_levels_agree, noise};
    use super::*;

    #[test]
    fn levels_agree() {
        let u = Update {
            factor: 0.5,
            beta1: 0.9,
            beta2: 0.999,
            one_minus_beta1: 0.1,
            one_minus_beta2: 0.001,
            decay: 0.99,
            rate: 0.01,
            correction: 31.6,
            eps: 1e-8,
        };
        assert_levels_agree("AdamW", |level| {
            let (mut w, mut m) = (noise(71, 1), noise(71, 2));
            let mut v: Vec<f32> = noise(71, 3).iter().map(|v| v * v).collect();
            update(level, &mut w, &noise(71, 4), &mut m, &mut v, u);
            [w, m, v].concat()
        });
    }
}
