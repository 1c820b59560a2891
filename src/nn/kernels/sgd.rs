//! Stochastic gradient descent with momentum, one pass over weights, gradient and momentum.

use super::{Level, multiversion};
use rayon::prelude::*;

/// The numbers of one update, ready for the loop.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// Factor on the gradient.
    pub factor: f32,
    pub momentum: f32,
    pub weight_decay: f32,
    /// Learning rate.
    pub rate: f32,
}

#[inline(always)]
fn update_body<const FMA: bool>(w: &mut [f32], g: &[f32], m: &mut [f32], u: Update) {
    let n = w.len();
    let (g, m) = (&g[..n], &mut m[..n]);
    for i in 0..n {
        let g = u.factor * g[i] + u.weight_decay * w[i];
        let moved = u.momentum * m[i] + g;
        m[i] = moved;
        w[i] -= u.rate * moved;
    }
}
multiversion! { fn update_chunk = update_body(w: &mut [f32], g: &[f32], m: &mut [f32], u: Update); }

/// Updates a stretch of weights; a long one over the pool.
pub fn update(level: Level, w: &mut [f32], g: &[f32], m: &mut [f32], u: Update) {
    const CHUNK: usize = 1 << 16;
    assert!(w.len() == g.len() && w.len() == m.len(), "SGD");
    if w.len() <= CHUNK {
        return update_chunk(level, w, g, m, u);
    }
    w.par_chunks_mut(CHUNK)
        .zip(g.par_chunks(CHUNK))
        .zip(m.par_chunks_mut(CHUNK))
        .for_each(|((w, g), m)| update_chunk(level, w, g, m, u));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_levels_agree, noise};
    use super::*;

    #[test]
    fn levels_agree() {
        let u = Update { factor: 0.5, momentum: 0.9, weight_decay: 0.1, rate: 0.01 };
        // One chunk in the calling thread, and several over the pool.
        for n in [71, (1 << 17) + 3] {
            assert_levels_agree("SGD", |level| {
                let (mut w, mut m) = (noise(n, 1), noise(n, 2));
                update(level, &mut w, &noise(n, 3), &mut m, u);
                [w, m].concat()
            });
        }
    }
}
