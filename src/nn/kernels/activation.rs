//! Activations over rows, with the bias that comes before them, and sums over rows.

use super::math::{erf, exp, fma, sigmoid};
use super::{Level, add_parts, multiversion, parts, rows_per_chunk};
use crate::nn::activation::Activation;
use rayon::prelude::*;

/// A function of one variable and its derivative.
pub trait Curve {
    fn value<const FMA: bool>(x: f32) -> f32;
    fn slope<const FMA: bool>(x: f32) -> f32;
}

/// x.
pub struct Identity;
impl Curve for Identity {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        x
    }
    #[inline(always)]
    fn slope<const FMA: bool>(_: f32) -> f32 {
        1.0
    }
}

/// max(x, 0).
pub struct Relu;
impl Curve for Relu {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        // Written so that NaN stays NaN.
        if x <= 0.0 { 0.0 } else { x }
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        if x > 0.0 { 1.0 } else { 0.0 }
    }
}

/// min(max(x, 0), 6).
pub struct Relu6;
impl Curve for Relu6 {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        x.clamp(0.0, 6.0)
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        let above = if x > 0.0 { 1.0 } else { 0.0 };
        if x < 6.0 { above } else { 0.0 }
    }
}

/// x (1 + erf(x / sqrt(2))) / 2 (Hendrycks and Gimpel 2016).
pub struct GeluErf;
impl Curve for GeluErf {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        let half = 0.5 * x;
        fma::<FMA>(half, erf::<FMA>(x * std::f32::consts::FRAC_1_SQRT_2), half)
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        // 1 / sqrt(2 pi): the normal density at 0.
        const DENSITY: f32 = 0.398_942_3;
        let cumulative = fma::<FMA>(0.5, erf::<FMA>(x * std::f32::consts::FRAC_1_SQRT_2), 0.5);
        fma::<FMA>(x * DENSITY, exp::<FMA>(-0.5 * x * x), cumulative)
    }
}

/// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x³))) / 2: GELU approximated, in the same paper.
pub struct GeluTanh;
impl GeluTanh {
    /// sqrt(2 / pi)
    const SCALE: f32 = 0.797_884_6;
    const CUBIC: f32 = 0.044_715;

    /// (1 + tanh(inner)) / 2, which is the logistic function of twice the argument.
    #[inline(always)]
    fn gate<const FMA: bool>(x: f32) -> f32 {
        let inner = Self::SCALE * x * fma::<FMA>(Self::CUBIC * x, x, 1.0);
        sigmoid::<FMA>(2.0 * inner)
    }
}
impl Curve for GeluTanh {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        x * Self::gate::<FMA>(x)
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        let gate = Self::gate::<FMA>(x);
        let inner_slope = Self::SCALE * fma::<FMA>(3.0 * Self::CUBIC * x, x, 1.0);
        // A large argument would make 0 times infinity of it: the gate is flat there.
        let bend = x * 2.0 * gate * (1.0 - gate) * inner_slope;
        gate + if gate < 1.0 { bend } else { 0.0 }
    }
}

/// x / (1 + e^-x) (Hendrycks and Gimpel 2016; swish in Ramachandran et al. 2017).
pub struct Silu;
impl Curve for Silu {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        x * sigmoid::<FMA>(x)
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        let s = sigmoid::<FMA>(x);
        s * fma::<FMA>(x, 1.0 - s, 1.0)
    }
}

/// x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019).
pub struct HardSwish;
impl Curve for HardSwish {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        x * HardSigmoid::value::<FMA>(x)
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        let bend = if x > -3.0 { fma::<FMA>(x, 1.0 / 3.0, 0.5) } else { 0.0 };
        if x < 3.0 { bend } else { 1.0 }
    }
}

/// 1 / (1 + e^-x).
pub struct Sigmoid;
impl Curve for Sigmoid {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        sigmoid::<FMA>(x)
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        let s = sigmoid::<FMA>(x);
        s * (1.0 - s)
    }
}

/// min(max(x + 3, 0), 6) / 6 (Howard et al. 2019).
pub struct HardSigmoid;
impl Curve for HardSigmoid {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        (x + 3.0).clamp(0.0, 6.0) * (1.0 / 6.0)
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        let bend = if x > -3.0 { 1.0 / 6.0 } else { 0.0 };
        if x < 3.0 { bend } else { 0.0 }
    }
}

/// Runs `$body` with the type `$curve` that belongs to an [`Activation`].
macro_rules! with_curve {
    ($activation:expr, $curve:ident => $body:expr) => {{
        use $crate::nn::activation::Activation;
        use $crate::nn::kernels::activation as curves;
        match $activation {
            Activation::None => {
                type $curve = curves::Identity;
                $body
            }
            Activation::Relu => {
                type $curve = curves::Relu;
                $body
            }
            Activation::Relu6 => {
                type $curve = curves::Relu6;
                $body
            }
            Activation::GeluErf => {
                type $curve = curves::GeluErf;
                $body
            }
            Activation::GeluTanh => {
                type $curve = curves::GeluTanh;
                $body
            }
            Activation::Silu => {
                type $curve = curves::Silu;
                $body
            }
            Activation::HardSwish => {
                type $curve = curves::HardSwish;
                $body
            }
            Activation::Sigmoid => {
                type $curve = curves::Sigmoid;
                $body
            }
            Activation::HardSigmoid => {
                type $curve = curves::HardSigmoid;
                $body
            }
        }
    }};
}
pub(crate) use with_curve;

/// `y = activation(y + bias)` in place; rows as long as the bias.
#[inline(always)]
fn bias_activation_body<const FMA: bool>(y: &mut [f32], bias: &[f32], activation: Activation) {
    with_curve!(activation, A => {
        for row in y.chunks_exact_mut(bias.len()) {
            for (y, b) in row.iter_mut().zip(bias) {
                *y = A::value::<FMA>(*y + b);
            }
        }
    })
}
multiversion! { fn bias_activation_rows = bias_activation_body(y: &mut [f32], bias: &[f32], activation: Activation); }

/// `u = u + bias` in place, `y = activation(u)`.
#[inline(always)]
fn bias_activation_keep_body<const FMA: bool>(
    u: &mut [f32],
    bias: &[f32],
    y: &mut [f32],
    activation: Activation,
) {
    with_curve!(activation, A => {
        let n = bias.len();
        for (u, y) in u.chunks_exact_mut(n).zip(y.chunks_exact_mut(n)) {
            for ((u, y), b) in u.iter_mut().zip(y).zip(bias) {
                let x = *u + b;
                *u = x;
                *y = A::value::<FMA>(x);
            }
        }
    })
}
multiversion! { fn bias_activation_keep_rows = bias_activation_keep_body(u: &mut [f32], bias: &[f32], y: &mut [f32], activation: Activation); }

/// `u = gradient * activation'(u)` in place.
#[inline(always)]
fn slope_body<const FMA: bool>(u: &mut [f32], gradient: &[f32], activation: Activation) {
    with_curve!(activation, A => {
        for (u, g) in u.iter_mut().zip(gradient) {
            *u = g * A::slope::<FMA>(*u);
        }
    })
}
multiversion! { fn slope_chunk = slope_body(u: &mut [f32], gradient: &[f32], activation: Activation); }

/// Adds every row of `x` to `total`.
#[inline(always)]
fn column_sum_body<const FMA: bool>(x: &[f32], total: &mut [f32]) {
    for row in x.chunks_exact(total.len()) {
        for (t, x) in total.iter_mut().zip(row) {
            *t += x;
        }
    }
}
multiversion! { fn column_sum_rows = column_sum_body(x: &[f32], total: &mut [f32]); }

/// `y = activation(y + bias)` in place, over rows as long as the bias.
pub fn bias_activation(level: Level, y: &mut [f32], bias: &[f32], activation: Activation) {
    assert!(!bias.is_empty() && y.len().is_multiple_of(bias.len()), "rows of a bias");
    y.par_chunks_mut(rows_per_chunk(bias.len()) * bias.len())
        .for_each(|y| bias_activation_rows(level, y, bias, activation));
}

/// The same, keeping the argument of the activation in `u`.
pub fn bias_activation_keep(
    level: Level,
    u: &mut [f32],
    bias: &[f32],
    y: &mut [f32],
    activation: Activation,
) {
    assert!(!bias.is_empty() && u.len().is_multiple_of(bias.len()), "rows of a bias");
    assert_eq!(u.len(), y.len(), "activation and its argument");
    let chunk = rows_per_chunk(bias.len()) * bias.len();
    u.par_chunks_mut(chunk)
        .zip(y.par_chunks_mut(chunk))
        .for_each(|(u, y)| bias_activation_keep_rows(level, u, bias, y, activation));
}

/// Turns the argument of an activation into the gradient of that argument, in place.
pub fn activation_backward(level: Level, u: &mut [f32], gradient: &[f32], activation: Activation) {
    assert_eq!(u.len(), gradient.len(), "activation and its gradient");
    u.par_chunks_mut(super::CHUNK)
        .zip(gradient.par_chunks(super::CHUNK))
        .for_each(|(u, g)| slope_chunk(level, u, g, activation));
}

/// The sum of the rows of `x`: the gradient of a bias.
pub fn column_sum(level: Level, x: &[f32], out: &mut [f32]) {
    let width = out.len();
    assert!(width > 0 && x.len().is_multiple_of(width), "rows of a column sum");
    let sums: Vec<Vec<f32>> = parts(x.len() / width)
        .into_par_iter()
        .map(|rows| {
            let mut total = vec![0f32; width];
            column_sum_rows(level, &x[rows.start * width..rows.end * width], &mut total);
            total
        })
        .collect();
    add_parts(out, sums.iter());
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_levels_agree, assert_near, noise};
    use super::*;

    #[test]
    fn every_level_gives_the_plain_result() {
        let bias = noise(37, 1);
        for activation in Activation::ALL {
            assert_levels_agree("bias and activation", |level| {
                let mut u: Vec<f32> = noise(37 * 11, 2).iter().map(|v| v * 8.0).collect();
                let mut y = vec![0f32; u.len()];
                bias_activation_keep(level, &mut u, &bias, &mut y, activation);
                let mut in_place: Vec<f32> = noise(37 * 11, 2).iter().map(|v| v * 8.0).collect();
                bias_activation(level, &mut in_place, &bias, activation);
                assert_eq!(y, in_place);
                activation_backward(level, &mut u, &noise(37 * 11, 3), activation);
                y.extend(u);
                y
            });
        }
        assert_levels_agree("column sum", |level| {
            let mut total = vec![0f32; 37];
            column_sum(level, &noise(37 * 11, 4), &mut total);
            total
        });
    }

    #[test]
    fn slopes_are_derivatives() {
        for activation in Activation::ALL {
            // Steps around points where no curve has a corner.
            let points: Vec<f32> = (-40..60).map(|i| i as f32 * 0.25 + 0.1).collect();
            let value = |x: f32| with_curve!(activation, A => A::value::<false>(x));
            let step = 1e-2;
            let expected: Vec<f32> =
                points.iter().map(|x| (value(x + step) - value(x - step)) / (2.0 * step)).collect();
            let mut actual = points.clone();
            activation_backward(Level::available()[0], &mut actual, &vec![1.0; points.len()], activation);
            assert_near(&actual, &expected, 1e-3, "slope");
        }
    }

    #[test]
    fn not_a_number_is_not_hidden() {
        for activation in Activation::ALL {
            let value = with_curve!(activation, A => A::value::<false>(f32::NAN));
            assert!(value.is_nan(), "{activation:?}");
        }
    }
}
