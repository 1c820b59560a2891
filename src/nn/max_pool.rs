//! Maxima over windows of images.

use super::conv::{Padding, composed_taps};
use super::kernels::Level;
use super::kernels::fresh::zeros;
use super::kernels::geometry::Geometry;
use super::kernels::max_pool as kernel;
use super::op::{Argument, Custom, Input, Op, is_fast};
use candle_core::{Result, Shape, Tensor, bail};

/// The largest value under a square window, channel by channel. The gradient goes to the first pixel of a
/// window that has it, as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool2d {
    pub kernel: usize,
    pub stride: usize,
    /// What lies outside the image is never the largest.
    pub padding: Padding,
}

impl MaxPool2d {
    /// `[batch, height, width, channels]` to `[batch, out_height, out_width, channels]`.
    ///
    /// # Errors
    /// A window larger than the padded image, padding of more than half a window, and those of Candle.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let geometry = self.geometry(x)?;
        if !is_fast(x) {
            return self.forward_composed(x);
        }
        x.contiguous()?.apply_op1(Custom(MaxPoolOp(geometry)))
    }

    /// A running maximum over the positions of the window, each a picture of its own.
    pub(super) fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        const LOWEST: f64 = -3e38;
        let g = self.geometry(x)?;
        // Positions outside the image are zero in the taps: lower them to where nothing real lies.
        let inside = x.detach().zeros_like()?.affine(1.0, 1.0)?;
        let mut top: Option<Tensor> = None;
        for (tap, inside) in composed_taps(x, &g)?.into_iter().zip(composed_taps(&inside, &g)?) {
            let tap = (tap + inside.affine(-LOWEST, LOWEST)?)?;
            top = Some(match top {
                Some(top) => {
                    let (now, before) = (tap.detach(), top.detach());
                    // Not-a-number differs from itself, and is no larger than anything.
                    let larger = (now.gt(&before)? + now.ne(&now)?)?;
                    larger.where_cond(&tap, &top)?
                }
                None => tap,
            });
        }
        match top {
            Some(top) => Ok(top),
            None => bail!("a max pool over no pixels"),
        }
    }

    fn geometry(&self, x: &Tensor) -> Result<Geometry> {
        let (batch, height, width, channels) = x.dims4()?;
        if let Padding::Symmetric(amount) = self.padding
            && 2 * amount > self.kernel
        {
            bail!("a max pool of size {} with {amount} pixels of padding: at most half", self.kernel)
        }
        Geometry::new([batch, height, width, channels], channels, self.kernel, self.stride, self.padding)
    }
}

struct MaxPoolOp(Geometry);

impl Op<1> for MaxPoolOp {
    const NAME: &'static str = "max-pool";

    fn forward(&self, [x]: [Input; 1]) -> Result<(Vec<f32>, Shape)> {
        let mut y = zeros(self.0.output_len());
        kernel::forward(Level::current(), &self.0, x.values, &mut y);
        Ok((y, self.0.output_shape()))
    }

    fn backward(&self, [x]: [Argument; 1], y: Argument, dy: Argument) -> Result<[Option<Tensor>; 1]> {
        let level = Level::current();
        Ok([x.gradient(|dx| kernel::input_gradient(level, &self.0, x.values, y.values, dy.values, dx))?])
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_agree, assert_slopes, values, var};
    use super::*;
    use candle_core::{Device, Var};
    use proptest::prelude::*;

    /// The definition: the maximum and its first place, for every window of every channel.
    fn plain(g: &Geometry, x: &[f32]) -> (Vec<f32>, Vec<usize>) {
        let (mut tops, mut places) = (Vec::new(), Vec::new());
        for position in 0..g.positions() {
            let (image, oy, ox) = g.position(position);
            for channel in 0..g.in_channels {
                let mut best = (f32::NEG_INFINITY, 0);
                for (ky, kx) in (0..g.kernel).flat_map(|ky| (0..g.kernel).map(move |kx| (ky, kx))) {
                    let (Some(row), Some(column)) = (g.row(oy, ky), g.column(ox, kx)) else { continue };
                    let place = ((image * g.height + row) * g.width + column) * g.in_channels + channel;
                    if x[place] > best.0 {
                        best = (x[place], place);
                    }
                }
                tops.push(best.0);
                places.push(best.1);
            }
        }
        (tops, places)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
        #[test]
        fn agrees_with_the_definition(
            (batch, height, width, channels) in (1usize..3, 1usize..9, 1usize..9, 1usize..20),
            kernel in 1usize..5,
            stride in 1usize..4,
            same in any::<bool>(),
            ties in any::<bool>(),
        ) {
            let padding = if same { Padding::TensorFlowSame } else { Padding::Symmetric(kernel / 2) };
            let pool = MaxPool2d { kernel, stride, padding };
            let x = var((batch, height, width, channels), 1);
            if ties {
                x.set(&(x.as_tensor() * 2.0).unwrap().round().unwrap()).unwrap();
            }
            let Ok(g) = pool.geometry(&x) else {
                prop_assert!(pool.forward(&x).is_err());
                return Ok(());
            };
            let (tops, places) = plain(&g, &values(&x));
            let y = pool.forward(&x).unwrap();
            prop_assert_eq!(values(&y), tops);
            let store = y.sum_all().unwrap().backward().unwrap();
            let mut expected = vec![0f32; g.input_len()];
            places.iter().for_each(|place| expected[*place] += 1.0);
            prop_assert_eq!(values(store.get(&x).unwrap()), expected);
            assert_agree("max pool", &[&x], || pool.forward(&x), || pool.forward_composed(&x));
        }
    }

    #[test]
    fn gradients_are_slopes() {
        let x = var((2, 5, 4, 3), 1);
        let pool = MaxPool2d { kernel: 3, stride: 2, padding: Padding::Symmetric(1) };
        assert_slopes("max pool", &[&x], || pool.forward(&x));
    }

    #[test]
    fn not_a_number_is_not_hidden() {
        let x = Tensor::new(&[1f32, f32::NAN, 2.0], &Device::Cpu).unwrap().reshape((1, 1, 3, 1)).unwrap();
        let pool = MaxPool2d { kernel: 3, stride: 1, padding: Padding::Symmetric(1) };
        let y = values(&pool.forward(&Var::from_tensor(&x).unwrap()).unwrap());
        assert!(y.iter().all(|v| v.is_nan()), "{y:?}");
    }

    #[test]
    fn impossible_windows_are_errors() {
        let x = var((1, 2, 2, 1), 1);
        for (kernel, padding) in [(3, Padding::Symmetric(2)), (4, Padding::Symmetric(0))] {
            assert!(MaxPool2d { kernel, stride: 1, padding }.forward(&x).is_err());
        }
    }
}
