//! Scalar functions that compilers turn into vector code: no branches, no library calls.

/// `a * b + c`, fused where the instruction set has it.
#[inline(always)]
pub fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// e^x within about 1 ulp; the argument is clamped to where the result is a normal number, NaN stays
/// NaN. Range reduction and polynomial after Cephes (`expf`, Moshier).
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    // 1.5 * 2^23: adding it rounds to the nearest integer, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.3, 88.3);
    let rounded = fma::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    // ln 2 in two parts, the first short enough to multiply exactly.
    let r = fma::<FMA>(n, -0.693_359_4, x);
    let r = fma::<FMA>(n, 2.121_944_4e-4, r);
    let p = 1.987_569_1e-4;
    let p = fma::<FMA>(p, r, 1.398_2e-3);
    let p = fma::<FMA>(p, r, 8.333_452e-3);
    let p = fma::<FMA>(p, r, 4.166_579_6e-2);
    let p = fma::<FMA>(p, r, 0.166_666_65);
    let p = fma::<FMA>(p, r, 0.5);
    let y = fma::<FMA>(p, r * r, r) + 1.0;
    let exponent = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    f32::from_bits(exponent << 23) * y
}

/// The error function within 1 ulp: a polynomial near 0, one minus the exponential of a polynomial
/// elsewhere (coefficients by Norbert Juffa). Both are computed and one is chosen, which vector code
/// does without a branch.
#[inline(always)]
pub fn erf<const FMA: bool>(x: f32) -> f32 {
    let s = x * x;
    let near = -5.967_617e-4;
    let near = fma::<FMA>(near, s, 4.991_194_2e-3);
    let near = fma::<FMA>(near, s, -2.676_813_5e-2);
    let near = fma::<FMA>(near, s, 0.112_819_925);
    let near = fma::<FMA>(near, s, -0.376_125_34);
    let near = fma::<FMA>(near, s, 0.128_379_17);
    let near = fma::<FMA>(near, x, x);
    // From 4 on the result is 1, and the polynomial is not made for more.
    let t = x.abs().min(4.0);
    let far = fma::<FMA>(-1.728_534_7e-5, t, 3.831_971_3e-4);
    let far = fma::<FMA>(far, t, -3.883_964_4e-3);
    let far = fma::<FMA>(far, t, 2.425_462_2e-2);
    let far = fma::<FMA>(far, t, -0.106_777_88);
    let far = fma::<FMA>(far, t, -0.634_846_7);
    let far = fma::<FMA>(far, t, -0.128_717_51);
    let far = fma::<FMA>(far, t, -t);
    let far = (1.0 - exp::<FMA>(far)).copysign(x);
    if x.abs() > 0.927_734_4 { far } else { near }
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

/// The sum, in 32 interleaved partial sums.
#[inline(always)]
pub fn sum(x: &[f32]) -> f32 {
    let mut partial = [0f32; 32];
    let (blocks, rest) = x.as_chunks::<32>();
    for block in blocks {
        for i in 0..32 {
            partial[i] += block[i];
        }
    }
    partial.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// The scalar product, in 32 interleaved partial sums.
#[inline(always)]
pub fn dot<const FMA: bool>(x: &[f32], y: &[f32]) -> f32 {
    let mut partial = [0f32; 32];
    let (x_blocks, x_rest) = x.as_chunks::<32>();
    let (y_blocks, y_rest) = y.as_chunks::<32>();
    for (a, b) in x_blocks.iter().zip(y_blocks) {
        for i in 0..32 {
            partial[i] = fma::<FMA>(a[i], b[i], partial[i]);
        }
    }
    let rest: f32 = x_rest.iter().zip(y_rest).map(|(a, b)| a * b).sum();
    partial.iter().sum::<f32>() + rest
}

/// The largest element; minus infinity of none.
#[inline(always)]
pub fn largest(x: &[f32]) -> f32 {
    let mut partial = [f32::NEG_INFINITY; 16];
    let (blocks, rest) = x.as_chunks::<16>();
    for block in blocks {
        for i in 0..16 {
            partial[i] = if block[i] > partial[i] { block[i] } else { partial[i] };
        }
    }
    let rest = rest.iter().fold(f32::NEG_INFINITY, |m, v| m.max(*v));
    partial.iter().fold(rest, |m, v| m.max(*v))
}

/// Replaces a row by its softmax.
#[inline(always)]
pub fn softmax_row<const FMA: bool>(row: &mut [f32]) {
    let top = largest(row);
    for v in row.iter_mut() {
        *v = exp::<FMA>(*v - top);
    }
    let scale = 1.0 / sum(row);
    for v in row.iter_mut() {
        *v *= scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// erf by its Maclaurin series, in double precision, for |x| < 4.
    fn erf_exact(x: f64) -> f64 {
        let mut term = x;
        let mut total = x;
        for n in 1..200 {
            term *= -x * x / n as f64;
            total += term / (2 * n + 1) as f64;
        }
        total * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn exp_is_good_to_two_ulp() {
        for i in -8700..8800 {
            let x = i as f32 * 0.01;
            let exact = f64::from(x).exp();
            for y in [exp::<true>(x), exp::<false>(x)] {
                let relative = (f64::from(y) - exact).abs() / exact;
                assert!(relative < 2.0 * f64::from(f32::EPSILON), "exp({x}) = {y}");
            }
        }
        assert!(exp::<false>(f32::NAN).is_nan());
        assert!(exp::<false>(-1000.0) < 1e-37);
        assert!(exp::<false>(1000.0) > 1e38);
    }

    #[test]
    fn erf_is_good_to_1e_7() {
        for i in -3900..3900 {
            let x = i as f32 * 0.001;
            for y in [erf::<true>(x), erf::<false>(x)] {
                let difference = (f64::from(y) - erf_exact(f64::from(x))).abs();
                assert!(difference < 1e-7, "erf({x}) = {y}: off by {difference}");
            }
        }
        assert!((erf::<false>(50.0) - 1.0).abs() < 1e-7);
        assert!(erf::<false>(f32::NAN).is_nan());
    }

    #[test]
    fn rows_of_any_length_reduce_and_normalise() {
        for len in [1usize, 5, 16, 31, 32, 33, 100] {
            let x: Vec<f32> = (0..len).map(|i| (i as f32 * 0.37).sin()).collect();
            let exact: f32 = x.iter().sum();
            assert!((sum(&x) - exact).abs() < 1e-5);
            let exact: f64 = x.iter().map(|v| f64::from(v * v)).sum();
            assert!((f64::from(dot::<false>(&x, &x)) - exact).abs() <= 1e-6 * exact);
            assert_eq!(largest(&x), x.iter().copied().fold(f32::MIN, f32::max));
            let mut row = x.clone();
            softmax_row::<false>(&mut row);
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }
}
