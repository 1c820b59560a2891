//! Depthwise convolution over images in NHWC.

use super::conv::{Padding, composed_taps};
use super::kernels::fresh::zeros;
use super::kernels::{Level, depthwise, geometry::Geometry};
use super::op::{Argument, Custom, Input, Op, is_fast};
use super::param::{Param, Slot};
use candle_core::{Result, Shape, Tensor, bail};

/// A convolution in which every channel has its own square kernel and sees no other channel
/// (Howard et al. 2017, MobileNets). Without a bias: a batch norm follows it.
#[derive(Clone, Debug)]
pub struct DepthwiseConv2d {
    /// `[channels, 1, kernel, kernel]`, the layout of weight files.
    pub weight: Param,
    pub stride: usize,
    pub padding: Padding,
}

impl DepthwiseConv2d {
    /// `[batch, height, width, channels]` to `[batch, out_height, out_width, channels]`.
    ///
    /// # Errors
    /// Shapes that do not fit, a kernel larger than the padded image, and those of Candle.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let geometry = self.geometry(x.shape())?;
        if !is_fast(x) {
            return self.forward_composed(x);
        }
        let op = DepthwiseOp { geometry, slot: self.weight.slot() };
        x.contiguous()?.apply_op2(&self.weight.contiguous()?, Custom(op))
    }

    /// A sum of shifted products.
    pub(super) fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        let g = self.geometry(x.shape())?;
        let taps = g.kernel * g.kernel;
        let weight = self.weight.tensor().reshape((g.in_channels, taps))?.t()?.contiguous()?;
        let mut total: Option<Tensor> = None;
        for (i, pixels) in composed_taps(x, &g)?.iter().enumerate() {
            let product = pixels.reshape(((), g.in_channels))?.broadcast_mul(&weight.narrow(0, i, 1)?)?;
            total = Some(match total {
                Some(total) => (total + product)?,
                None => product,
            });
        }
        match total {
            Some(total) => total.reshape((g.batch, g.out_height, g.out_width, g.in_channels)),
            None => bail!("a depthwise convolution has an empty kernel"),
        }
    }

    /// For images of the shape `x`.
    pub(super) fn geometry(&self, x: &Shape) -> Result<Geometry> {
        let (batch, height, width, channels) = x.dims4()?;
        let (kernels, one, kernel, kernel_width) = self.weight.tensor().dims4()?;
        if kernels != channels || one != 1 || kernel != kernel_width {
            bail!(
                "a depthwise convolution with the weight {:?} was given images {:?}: it needs a square \
                 kernel for each channel",
                self.weight.tensor().shape(),
                x
            )
        }
        Geometry::new([batch, height, width, channels], channels, kernel, self.stride, self.padding)
    }
}

struct DepthwiseOp {
    geometry: Geometry,
    slot: Option<Slot>,
}

impl Op<2> for DepthwiseOp {
    const NAME: &'static str = "depthwise-convolution";

    fn forward(&self, [x, w]: [Input; 2]) -> Result<(Vec<f32>, Shape)> {
        let g = &self.geometry;
        let weight = depthwise::to_tap_order(w.values, g.in_channels);
        let mut y = zeros(g.output_len());
        depthwise::forward(Level::current(), g, x.values, &weight, &mut y);
        Ok((y, g.output_shape()))
    }

    fn backward(&self, [x, w]: [Argument; 2], _: Argument, dy: Argument) -> Result<[Option<Tensor>; 2]> {
        let (g, level) = (&self.geometry, Level::current());
        let d_weight = w.parameter(&self.slot).write(|out| {
            let mut packed = vec![0f32; out.len()];
            depthwise::weight_gradient(level, g, x.values, dy.values, &mut packed);
            depthwise::to_file_order(&packed, out, g.in_channels);
        })?;
        let dx = x.gradient(|out| {
            let weight = depthwise::to_tap_order(w.values, g.in_channels);
            depthwise::input_gradient(level, g, &weight, dy.values, out);
        })?;
        Ok([dx, d_weight])
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::testing::assert_near;
    use super::super::testing::{assert_agree, assert_freezing, assert_slopes, values, var};
    use super::*;
    use proptest::prelude::*;

    /// The definition, one output at a time.
    fn plain(g: &Geometry, x: &[f32], w: &[f32]) -> Vec<f32> {
        let mut y = Vec::new();
        for position in 0..g.positions() {
            let (image, oy, ox) = g.position(position);
            for channel in 0..g.in_channels {
                let mut total = 0.0;
                for ky in 0..g.kernel {
                    for kx in 0..g.kernel {
                        if let (Some(row), Some(column)) = (g.row(oy, ky), g.column(ox, kx)) {
                            let pixel = (image * g.height + row) * g.width + column;
                            let tap = (channel * g.kernel + ky) * g.kernel + kx;
                            total += x[pixel * g.in_channels + channel] * w[tap];
                        }
                    }
                }
                y.push(total);
            }
        }
        y
    }

    fn check(dims: [usize; 4], kernel: usize, stride: usize, padding: Padding) {
        let what = format!("{dims:?}, kernel {kernel}, stride {stride}, {padding:?}");
        let (x, w) = (var(dims.to_vec(), 1), var((dims[3], 1, kernel, kernel), 2));
        let layer = DepthwiseConv2d { weight: Param::trainable(&w, None), stride, padding };
        let Ok(g) = layer.geometry(x.shape()) else {
            assert!(layer.forward(&x).is_err(), "{what}");
            return;
        };
        let expected = plain(&g, &values(&x), &values(&w));
        assert_near(&values(&layer.forward(&x).unwrap()), &expected, 1e-5, &what);
        assert_agree(&what, &[&x, &w], || layer.forward(&x), || layer.forward_composed(&x));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
        #[test]
        fn agrees_with_the_definition(
            (batch, height, width) in (1usize..3, 1usize..12, 1usize..12),
            channels in prop_oneof![1usize..4, Just(8usize), Just(27), Just(48), Just(57)],
            kernel in prop_oneof![Just(1usize), Just(3), Just(4), Just(5), Just(7)],
            stride in 1usize..4,
            padding in prop_oneof![Just(Padding::TensorFlowSame), (0usize..4).prop_map(Padding::Symmetric)],
        ) {
            check([batch, height, width, channels], kernel, stride, padding);
        }
    }

    #[test]
    fn gradients_are_slopes() {
        let (x, w) = (var((2, 5, 4, 3), 1), var((3, 1, 3, 3), 2));
        let weight = Param::trainable(&w, None);
        let layer = DepthwiseConv2d { weight, stride: 2, padding: Padding::Symmetric(1) };
        assert_slopes("depthwise", &[&x, &w], || layer.forward(&x));
    }

    #[test]
    fn only_what_is_asked_for_is_computed() {
        for (kernel, stride) in [(3, 1), (5, 2)] {
            let (x, w) = (var((2, 6, 7, 9), 1), var((9, 1, kernel, kernel), 2));
            assert_freezing("depthwise", &x, &[&w], |x, params| {
                let weight = params[0].clone();
                DepthwiseConv2d { weight, stride, padding: Padding::TensorFlowSame }.forward(x)
            });
        }
    }
}
