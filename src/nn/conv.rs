//! Convolution over images in NHWC.

use super::activation::Activation;
use super::kernels::Level;
use super::kernels::activation::{bias_activation, column_sum};
use super::kernels::convolution;
use super::kernels::fresh::zeros;
use super::kernels::geometry::Geometry;
pub use super::kernels::geometry::Padding;
use super::linear::{Slots, linear};
use super::op::{Argument, Custom, Input, Op, is_fast};
use super::param::Param;
use candle_core::{D, Result, Shape, Tensor, bail};

/// A dense convolution with a square kernel. One of size 1 at stride 1 is a product of matrices; others
/// are computed directly where that suits their shape, or unfolded tile by tile and then multiplied.
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// `[out, in, kernel, kernel]`, the layout of weight files.
    pub weight: Param,
    /// `[out]`
    pub bias: Option<Param>,
    pub stride: usize,
    pub padding: Padding,
}

impl Conv2d {
    /// `[batch, height, width, in]` to `[batch, out_height, out_width, out]`.
    ///
    /// # Errors
    /// Shapes that do not fit, a kernel larger than the padded image, and those of Candle.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let geometry = self.geometry(x.shape())?;
        if !is_fast(x) {
            return self.forward_composed(x);
        }
        let x = x.contiguous()?;
        let weight = self.weight.contiguous()?;
        let bias = self.bias.as_ref().map(Param::contiguous).transpose()?;
        let slots = Slots { weight: self.weight.slot(), bias: self.bias.as_ref().and_then(Param::slot) };
        if geometry.is_pointwise() {
            return linear(&x, &weight, bias.as_ref(), Activation::None, slots);
        }
        let op = ConvOp { geometry, slots };
        match &bias {
            Some(bias) => x.apply_op3(&weight, bias, Custom(op)),
            None => x.apply_op2(&weight, Custom(op)),
        }
    }

    pub(super) fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        let g = self.geometry(x.shape())?;
        let taps = g.kernel * g.kernel * g.in_channels;
        let patches = Tensor::cat(&composed_taps(x, &g)?, D::Minus1)?;
        let weight = self.weight.tensor().permute((0, 2, 3, 1))?.contiguous()?;
        let weight = weight.reshape((g.out_channels, taps))?;
        let y = patches.reshape((g.positions(), taps))?.matmul(&weight.t()?)?;
        let y = match &self.bias {
            Some(bias) => y.broadcast_add(bias.tensor())?,
            None => y,
        };
        y.reshape((g.batch, g.out_height, g.out_width, g.out_channels))
    }

    /// For images of the shape `x`.
    pub(super) fn geometry(&self, x: &Shape) -> Result<Geometry> {
        let (batch, height, width, channels) = x.dims4()?;
        let (out, input, kernel, kernel_width) = self.weight.tensor().dims4()?;
        if input != channels || kernel != kernel_width {
            bail!(
                "a convolution with the weight {:?} was given images {:?}: it needs a square kernel \
                 and as many channels",
                self.weight.tensor().shape(),
                x
            )
        }
        if let Some(bias) = &self.bias
            && bias.tensor().dims() != [out]
        {
            bail!("a convolution with {out} outputs has a bias {:?}", bias.tensor().shape())
        }
        Geometry::new([batch, height, width, channels], out, kernel, self.stride, self.padding)
    }
}

/// For each position of the kernel the pixels under it, `[batch, out_height, out_width, in]`, out of
/// Candle's own operations. Candle's convolution is not used: its backward pass takes the output
/// padding from the height alone, which fails for images that are not square.
pub(super) fn composed_taps(x: &Tensor, g: &Geometry) -> Result<Vec<Tensor>> {
    // Each tap reads whole strides, of which the first pixel is kept: pad as far as the last one reads.
    let (rows, columns) = (g.out_height * g.stride, g.out_width * g.stride);
    let pad = |x: &Tensor, dim: usize, size: usize, before: usize, reach: usize| -> Result<Tensor> {
        x.pad_with_zeros(dim, before, (reach + g.kernel - 1).saturating_sub(before + size))
    };
    let x = pad(&x.contiguous()?, 1, g.height, g.top, rows)?;
    let x = pad(&x, 2, g.width, g.left, columns)?.contiguous()?;
    let mut taps = Vec::with_capacity(g.kernel * g.kernel);
    for ky in 0..g.kernel {
        let band = x.narrow(1, ky, rows)?;
        for kx in 0..g.kernel {
            let tap = band.narrow(2, kx, columns)?.contiguous()?;
            let (s, c) = (g.stride, g.in_channels);
            let tap = tap.reshape(vec![g.batch, g.out_height, s, g.out_width, s, c])?;
            let tap = tap.narrow(2, 0, 1)?.narrow(4, 0, 1)?.contiguous()?;
            taps.push(tap.reshape((g.batch, g.out_height, g.out_width, c))?);
        }
    }
    Ok(taps)
}

struct ConvOp {
    geometry: Geometry,
    slots: Slots,
}

impl ConvOp {
    fn forward(&self, x: &[f32], w: &[f32], bias: Option<&[f32]>) -> (Vec<f32>, Shape) {
        let g = &self.geometry;
        let mut y = zeros(g.output_len());
        let weight = convolution::Packed::new(Level::current(), g, w);
        convolution::forward(g, x, &weight, &mut y);
        if let Some(bias) = bias {
            bias_activation(Level::current(), &mut y, bias, Activation::None);
        }
        (y, g.output_shape())
    }

    /// The gradients of input, weight and bias.
    fn backward(
        &self,
        x: Argument,
        w: Argument,
        bias: Option<Argument>,
        dy: &[f32],
    ) -> Result<[Option<Tensor>; 3]> {
        let g = &self.geometry;
        let d_bias = match bias {
            Some(bias) => {
                bias.parameter(&self.slots.bias).write(|out| column_sum(Level::current(), dy, out))?
            }
            None => None,
        };
        let d_weight = w
            .parameter(&self.slots.weight)
            .write(|out| convolution::weight_gradient(g, x.values, dy, out))?;
        let dx = x.gradient(|out| convolution::input_gradient(Level::current(), g, w.values, dy, out))?;
        Ok([dx, d_weight, d_bias])
    }
}

impl Op<3> for ConvOp {
    const NAME: &'static str = "convolution";

    fn forward(&self, [x, w, bias]: [Input; 3]) -> Result<(Vec<f32>, Shape)> {
        Ok(self.forward(x.values, w.values, Some(bias.values)))
    }

    fn backward(
        &self,
        [x, w, bias]: [Argument; 3],
        _: Argument,
        dy: Argument,
    ) -> Result<[Option<Tensor>; 3]> {
        self.backward(x, w, Some(bias), dy.values)
    }
}

impl Op<2> for ConvOp {
    const NAME: &'static str = "convolution";

    fn forward(&self, [x, w]: [Input; 2]) -> Result<(Vec<f32>, Shape)> {
        Ok(self.forward(x.values, w.values, None))
    }

    fn backward(&self, [x, w]: [Argument; 2], _: Argument, dy: Argument) -> Result<[Option<Tensor>; 2]> {
        let [dx, dw, _] = self.backward(x, w, None, dy.values)?;
        Ok([dx, dw])
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::testing::assert_near;
    use super::super::testing::{assert_agree, assert_freezing, assert_slopes, values, var};
    use super::*;
    use candle_core::Var;
    use proptest::prelude::*;

    fn layer(weight: &Var, bias: Option<&Var>, stride: usize, padding: Padding) -> Conv2d {
        Conv2d {
            weight: Param::trainable(weight, None),
            bias: bias.map(|b| Param::trainable(b, None)),
            stride,
            padding,
        }
    }

    /// The definition, one output at a time.
    fn plain(g: &Geometry, x: &[f32], w: &[f32], bias: &[f32]) -> Vec<f32> {
        let mut y = Vec::new();
        for position in 0..g.positions() {
            let (image, oy, ox) = g.position(position);
            for (o, bias) in bias.iter().enumerate() {
                let mut total = *bias;
                for ky in 0..g.kernel {
                    for kx in 0..g.kernel {
                        let (Some(row), Some(column)) = (g.row(oy, ky), g.column(ox, kx)) else {
                            continue;
                        };
                        for i in 0..g.in_channels {
                            let pixel = (image * g.height + row) * g.width + column;
                            let tap = ((o * g.in_channels + i) * g.kernel + ky) * g.kernel + kx;
                            total += x[pixel * g.in_channels + i] * w[tap];
                        }
                    }
                }
                y.push(total);
            }
        }
        y
    }

    fn check(dims: [usize; 4], out: usize, kernel: usize, stride: usize, padding: Padding) {
        let what = format!("{dims:?} to {out}, kernel {kernel}, stride {stride}, {padding:?}");
        let x = var(dims.to_vec(), 1);
        let (w, b) = (var((out, dims[3], kernel, kernel), 2), var(out, 3));
        let layer = layer(&w, Some(&b), stride, padding);
        let Ok(g) = layer.geometry(x.shape()) else {
            assert!(layer.forward(&x).is_err(), "{what}");
            return;
        };
        let expected = plain(&g, &values(&x), &values(&w), &values(&b));
        assert_near(&values(&layer.forward(&x).unwrap()), &expected, 1e-5, &what);
        assert_agree(&what, &[&x, &w, &b], || layer.forward(&x), || layer.forward_composed(&x));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
        #[test]
        fn agrees_with_the_definition(
            (batch, height, width) in (1usize..3, 1usize..9, 1usize..9),
            (input, out) in (1usize..5, 1usize..5),
            kernel in prop_oneof![Just(1usize), Just(2), Just(3), Just(5)],
            stride in 1usize..4,
            padding in prop_oneof![Just(Padding::TensorFlowSame), (0usize..4).prop_map(Padding::Symmetric)],
        ) {
            check([batch, height, width, input], out, kernel, stride, padding);
        }
    }

    #[test]
    fn many_tiles() {
        check([3, 21, 19, 40], 9, 3, 1, Padding::Symmetric(1));
        check([3, 41, 39, 20], 9, 3, 2, Padding::TensorFlowSame);
    }

    #[test]
    fn gradients_are_slopes() {
        let (x, w, b) = (var((2, 5, 4, 2), 1), var((3, 2, 3, 3), 2), var(3, 3));
        let layer = layer(&w, Some(&b), 2, Padding::TensorFlowSame);
        assert_slopes("convolution", &[&x, &w, &b], || layer.forward(&x));
    }

    #[test]
    fn only_what_is_asked_for_is_computed() {
        for (kernel, stride) in [(1, 1), (3, 1), (3, 2)] {
            let (x, w, b) = (var((2, 4, 3, 3), 1), var((5, 3, kernel, kernel), 2), var(5, 3));
            assert_freezing("convolution", &x, &[&w, &b], |x, params| {
                let (weight, bias) = (params[0].clone(), Some(params[1].clone()));
                Conv2d { weight, bias, stride, padding: Padding::TensorFlowSame }.forward(x)
            });
        }
    }

    #[test]
    fn same_padding_puts_the_odd_pixel_after() {
        assert_eq!(Padding::TensorFlowSame.amounts(224, 3, 2), (0, 1));
        assert_eq!(Padding::TensorFlowSame.amounts(7, 3, 2), (1, 1));
        assert_eq!(Padding::TensorFlowSame.amounts(14, 5, 2), (1, 2));
        assert_eq!(Padding::TensorFlowSame.amounts(5, 1, 3), (0, 0));
        assert_eq!(Padding::Symmetric(2).amounts(9, 5, 1), (2, 2));
    }
}
