//! Inner loops for the CPU, on plain slices.
//!
//! Every loop that computes, but that of `direct` (intrinsics, where a compiler does not keep enough sums in
//! registers), is written once, as an `#[inline(always)]` function generic over `const FMA: bool`, and
//! instantiated by `multiversion!` for AVX-512, AVX2 with FMA, and the plain instruction set of the target.
//! Which one runs is decided by the [`Level`] that is passed in, once per chunk of work. The plain version
//! never calls `f32::mul_add`, which without the instruction is a slow library call.
//!
//! A kernel file holds the loop bodies first, then the drivers that split the work over the current
//! rayon pool. Splits and the order of sums depend on the shape and the number of threads only, so
//! that a result is the same to the bit for the same thread count and level. Kernels assert the
//! lengths of their slices once, at the top; layers check shapes before and return errors.

pub mod activation;
pub mod adamw;
pub mod attention;
pub mod avg_pool;
pub mod batch_norm;
pub mod batch_statistics;
pub mod candle_pool;
pub mod channels_last;
pub mod conv_norm;
pub mod convolution;
pub mod cuda_stream;
pub mod depthwise;
pub mod direct;
pub mod dropout;
pub mod fresh;
pub mod geometry;
pub mod layer_norm;
pub mod math;
pub mod matrix;
pub mod max_pool;
pub mod memory;
pub mod norm;
pub mod residual;
pub mod sgd;
pub mod squeeze_excite;

use std::ops::Range;
use std::sync::OnceLock;

/// An instruction set that this processor was found to have. It cannot be made by hand, which is what
/// makes the calls in `multiversion!` sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(Instructions);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instructions {
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// Fused multiply-add belongs to the baseline of aarch64, and to no other plain level.
pub const PLAIN_FMA: bool = cfg!(target_arch = "aarch64");

impl Level {
    /// The level in use: the best one of this processor, or the one that `FROSTLINE_SIMD` (`off`,
    /// `avx2`, `avx512`) caps it at. Read once per process.
    pub fn current() -> Level {
        static CURRENT: OnceLock<Level> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let wanted = std::env::var("FROSTLINE_SIMD").unwrap_or_default();
            Level::choose(&wanted, &Level::available())
        })
    }

    /// The levels that can run here, the plain one first, the best one last.
    pub fn available() -> Vec<Level> {
        let mut levels = vec![Level(Instructions::Plain)];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2 {
                levels.push(Level(Instructions::Avx2));
            }
            if avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                levels.push(Level(Instructions::Avx512));
            }
        }
        levels
    }

    /// The best of `available` that `wanted` allows. A level that the processor lacks is not an
    /// error: the next lower one is taken, and the run record names it.
    fn choose(wanted: &str, available: &[Level]) -> Level {
        let cap = match wanted {
            "off" => 1,
            "avx2" => 2,
            _ => available.len(),
        };
        available.iter().copied().take(cap).next_back().unwrap_or(Level(Instructions::Plain))
    }

    /// The name for the run record: `avx512`, `avx2`, `neon` or `plain`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Instructions::Plain if PLAIN_FMA => "neon",
            Instructions::Plain => "plain",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => "avx512",
        }
    }

    #[cfg(target_arch = "x86_64")]
    pub(self) fn is_avx512(self) -> bool {
        self.0 == Instructions::Avx512
    }

    #[cfg(target_arch = "x86_64")]
    pub(self) fn is_avx2(self) -> bool {
        self.0 == Instructions::Avx2
    }
}

/// Instantiates a loop body for every level: `multiversion! { fn name = body(argument: Type, ..); }`
/// makes `fn name(level: Level, argument: Type, ..)` out of `fn body<const FMA: bool>(argument: Type, ..)`.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident = $body:ident($($arg:ident : $ty:ty),* $(,)?) $(-> $ret:ty)?;) => {
        $(#[$meta])*
        #[allow(
            clippy::too_many_arguments,
            reason = "a struct around slices and sizes would hide what is read and what is written"
        )]
        $vis fn $name(level: $crate::nn::kernels::Level, $($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                #[allow(clippy::too_many_arguments, reason = "as above")]
                fn avx512($($arg: $ty),*) $(-> $ret)? {
                    $body::<true>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments, reason = "as above")]
                fn avx2($($arg: $ty),*) $(-> $ret)? {
                    $body::<true>($($arg),*)
                }
                if level.is_avx512() {
                    // SAFETY: a level says AVX-512 only where every one of these features was detected.
                    return unsafe { avx512($($arg),*) };
                }
                if level.is_avx2() {
                    // SAFETY: a level says AVX2 only where AVX2 and FMA were detected.
                    return unsafe { avx2($($arg),*) };
                }
            }
            let _ = level;
            $body::<{ $crate::nn::kernels::PLAIN_FMA }>($($arg),*)
        }
    };
}
pub(crate) use multiversion;

/// Elements in a chunk of element-wise work: large enough to hide the cost of a task, small enough for
/// the second-level cache.
pub const CHUNK: usize = 16 * 1024;

/// How many rows of `width` elements make a chunk.
pub fn rows_per_chunk(width: usize) -> usize {
    (CHUNK / width.max(1)).max(1)
}

/// `0..total` in one part for each thread of the current pool, the same parts every time. Reductions
/// sum inside the parts and then over the parts in order.
pub fn parts(total: usize) -> Vec<Range<usize>> {
    let threads = rayon::current_num_threads().clamp(1, total.max(1));
    (0..threads).map(|i| i * total / threads..(i + 1) * total / threads).collect()
}

/// Adds the parts of a reduction, in order, into `out`.
pub fn add_parts<'a>(out: &mut [f32], parts: impl Iterator<Item = &'a Vec<f32>>) {
    out.fill(0.0);
    for part in parts {
        for (o, p) in out.iter_mut().zip(part) {
            *o += p;
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! What the tests of kernels and layers share.

    use super::Level;

    /// Numbers in -1..1, the same for the same seed.
    pub fn noise(len: usize, seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        (0..len)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
            })
            .collect()
    }

    /// Asserts that the norm of the difference is under `tolerance` times the norm of `expected`.
    #[track_caller]
    pub fn assert_near(actual: &[f32], expected: &[f32], tolerance: f64, what: &str) {
        assert_eq!(actual.len(), expected.len(), "{what}: length");
        let square = |x: f64| x * x;
        let difference: f64 =
            actual.iter().zip(expected).map(|(a, e)| square(f64::from(*a) - f64::from(*e))).sum();
        let norm: f64 = expected.iter().map(|e| square(f64::from(*e))).sum();
        assert!(
            difference.sqrt() <= tolerance * norm.sqrt() + 1e-7,
            "{what}: difference {} of norm {}",
            difference.sqrt(),
            norm.sqrt()
        );
    }

    /// Runs a kernel at every level of this machine and compares it with the plain one.
    #[track_caller]
    pub fn assert_levels_agree(what: &str, kernel: impl Fn(Level) -> Vec<f32>) {
        let levels = Level::available();
        let plain = kernel(levels[0]);
        for level in &levels[1..] {
            assert_near(&kernel(*level), &plain, 1e-5, &format!("{what} at {}", level.name()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_caps_the_level() {
        let available = Level::available();
        assert_eq!(Level::choose("off", &available), available[0]);
        assert_eq!(Level::choose("", &available), available[available.len() - 1]);
        assert_eq!(Level::choose("avx512", &available[..1]), available[0]);
        if available.len() > 1 {
            assert_eq!(Level::choose("avx2", &available).name(), "avx2");
        }
    }

    #[test]
    fn parts_cover_everything_once() {
        for total in [0, 1, 2, 7, 100] {
            let parts = parts(total);
            assert_eq!(parts.iter().map(|p| p.len()).sum::<usize>(), total);
            assert!(parts.windows(2).all(|w| w[0].end == w[1].start));
        }
    }
}
