//! Means over windows of images.

use super::conv::{Padding, composed_taps};
use super::kernels::Level;
use super::kernels::avg_pool as kernel;
use super::kernels::fresh::zeros;
use super::kernels::geometry::Geometry;
use super::op::{Argument, Custom, Input, Op, is_fast};
use candle_core::{Result, Shape, Tensor, bail};

/// The mean under a square window, channel by channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPool2d {
    pub kernel: usize,
    pub stride: usize,
    /// With a window and a stride of 2 and no padding counted, [`Padding::TensorFlowSame`] gives what PyTorch's
    /// `ceil_mode` does.
    pub padding: Padding,
    /// Whether a window that reaches over the edge is divided by all of its pixels, or by those inside the image
    /// (PyTorch's `count_include_pad`).
    pub counts_padding: bool,
}

impl AvgPool2d {
    /// `[batch, height, width, channels]` to `[batch, out_height, out_width, channels]`.
    ///
    /// # Errors
    /// A window larger than the padded image, padding of more than half a window, and those of Candle.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let geometry = self.geometry(x)?;
        if !is_fast(x) {
            return self.forward_composed(x);
        }
        x.contiguous()?.apply_op1(Custom(AvgPoolOp { geometry, counts_padding: self.counts_padding }))
    }

    /// The sum over the positions of the window, each a picture of its own, by the sum of as many pictures of ones.
    pub(super) fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        let g = self.geometry(x)?;
        let total = sum(composed_taps(x, &g)?)?;
        if self.counts_padding {
            return total.affine(1.0 / (g.kernel * g.kernel) as f64, 0.0);
        }
        let ones = x.detach().zeros_like()?.affine(1.0, 1.0)?;
        total.div(&sum(composed_taps(&ones, &g)?)?)
    }

    fn geometry(&self, x: &Tensor) -> Result<Geometry> {
        let (batch, height, width, channels) = x.dims4()?;
        if let Padding::Symmetric(amount) = self.padding
            && 2 * amount > self.kernel
        {
            bail!("an average pool of size {} with {amount} pixels of padding: at most half", self.kernel)
        }
        Geometry::new([batch, height, width, channels], channels, self.kernel, self.stride, self.padding)
    }
}

fn sum(taps: Vec<Tensor>) -> Result<Tensor> {
    let mut taps = taps.into_iter();
    let Some(first) = taps.next() else { bail!("an average pool over no pixels") };
    taps.try_fold(first, |total, tap| total + tap)
}

struct AvgPoolOp {
    geometry: Geometry,
    counts_padding: bool,
}

impl Op<1> for AvgPoolOp {
    const NAME: &'static str = "average-pool";

    fn forward(&self, [x]: [Input; 1]) -> Result<(Vec<f32>, Shape)> {
        let g = &self.geometry;
        let mut y = zeros(g.output_len());
        kernel::forward(Level::current(), g, self.counts_padding, x.values, &mut y);
        Ok((y, g.output_shape()))
    }

    fn backward(&self, [x]: [Argument; 1], _: Argument, dy: Argument) -> Result<[Option<Tensor>; 1]> {
        let (level, g) = (Level::current(), &self.geometry);
        Ok([x.gradient(|dx| kernel::input_gradient(level, g, self.counts_padding, dy.values, dx))?])
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::testing::assert_near;
    use super::super::testing::{assert_agree, assert_slopes, values, var};
    use super::*;
    use proptest::prelude::*;

    /// The definition, one output at a time.
    fn plain(g: &Geometry, counts_padding: bool, x: &[f32]) -> Vec<f32> {
        let mut y = Vec::new();
        for position in 0..g.positions() {
            let (image, oy, ox) = g.position(position);
            for channel in 0..g.in_channels {
                let mut inside = Vec::new();
                for (ky, kx) in (0..g.kernel).flat_map(|ky| (0..g.kernel).map(move |kx| (ky, kx))) {
                    let (Some(row), Some(column)) = (g.row(oy, ky), g.column(ox, kx)) else { continue };
                    inside.push(x[((image * g.height + row) * g.width + column) * g.in_channels + channel]);
                }
                let pixels = if counts_padding { g.kernel * g.kernel } else { inside.len() };
                y.push(inside.iter().sum::<f32>() / pixels as f32);
            }
        }
        y
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
        #[test]
        fn agrees_with_the_definition(
            (batch, height, width, channels) in (1usize..3, 1usize..9, 1usize..9, 1usize..20),
            kernel in 1usize..5,
            stride in 1usize..4,
            same in any::<bool>(),
            counts_padding in any::<bool>(),
        ) {
            let padding = if same { Padding::TensorFlowSame } else { Padding::Symmetric(kernel / 2) };
            let pool = AvgPool2d { kernel, stride, padding, counts_padding };
            let x = var((batch, height, width, channels), 1);
            let Ok(g) = pool.geometry(&x) else {
                prop_assert!(pool.forward(&x).is_err());
                return Ok(());
            };
            let expected = plain(&g, counts_padding, &values(&x));
            assert_near(&values(&pool.forward(&x).unwrap()), &expected, 1e-5, "average pool");
            assert_agree("average pool", &[&x], || pool.forward(&x), || pool.forward_composed(&x));
        }
    }

    #[test]
    fn gradients_are_slopes() {
        let x = var((2, 5, 4, 3), 1);
        for counts_padding in [false, true] {
            let pool = AvgPool2d { kernel: 3, stride: 2, padding: Padding::Symmetric(1), counts_padding };
            assert_slopes("average pool", &[&x], || pool.forward(&x));
        }
    }

    #[test]
    fn an_input_that_is_not_tracked_records_nothing() {
        let pool =
            AvgPool2d { kernel: 2, stride: 2, padding: Padding::TensorFlowSame, counts_padding: false };
        let x = var((1, 3, 3, 2), 1);
        assert!(pool.forward(&x).unwrap().track_op());
        assert!(!pool.forward(&x.as_detached_tensor()).unwrap().track_op());
    }

    #[test]
    fn impossible_windows_are_errors() {
        let x = var((1, 2, 2, 1), 1);
        for (kernel, padding) in [(3, Padding::Symmetric(2)), (4, Padding::Symmetric(0))] {
            assert!(AvgPool2d { kernel, stride: 1, padding, counts_padding: true }.forward(&x).is_err());
        }
    }
}
