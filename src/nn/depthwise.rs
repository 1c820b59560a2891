//! Depthwise convolution over images in NHWC.

use super::conv::{Padding, composed_taps};
use super::kernels::{Level, depthwise, geometry::Geometry};
use super::op::{Target, floats, input_gradient, is_fast, output, read};
use super::param::{Param, Slot};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

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
        let geometry = self.geometry(x)?;
        if !is_fast(x) {
            return self.forward_composed(x);
        }
        let op = DepthwiseOp { geometry, slot: self.weight.slot() };
        x.contiguous()?.apply_op2(&self.weight.contiguous()?, op)
    }

    /// A sum of shifted products.
    pub(super) fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        let g = self.geometry(x)?;
        let taps = g.kernel * g.kernel;
        let weight = self.weight.tensor().reshape((g.in_channels, taps))?.t()?.contiguous()?;
        let mut total: Option<Tensor> = None;
        for (i, pixels) in composed_taps(x, &g)?.iter().enumerate() {
            let product = pixels.broadcast_mul(&weight.narrow(0, i, 1)?.flatten_all()?)?;
            total = Some(match total {
                Some(total) => (total + product)?,
                None => product,
            });
        }
        match total {
            Some(total) => Ok(total),
            None => bail!("a depthwise convolution has an empty kernel"),
        }
    }

    fn geometry(&self, x: &Tensor) -> Result<Geometry> {
        let (batch, height, width, channels) = x.dims4()?;
        let (kernels, one, kernel, kernel_width) = self.weight.tensor().dims4()?;
        if kernels != channels || one != 1 || kernel != kernel_width {
            bail!(
                "a depthwise convolution with the weight {:?} was given images {:?}: it needs a square \
                 kernel for each channel",
                self.weight.tensor().shape(),
                x.shape()
            )
        }
        Geometry::new([batch, height, width, channels], channels, kernel, self.stride, self.padding)
    }
}

struct DepthwiseOp {
    geometry: Geometry,
    slot: Option<Slot>,
}

impl CustomOp2 for DepthwiseOp {
    fn name(&self) -> &'static str {
        "depthwise-convolution"
    }

    fn cpu_fwd(&self, x: &CpuStorage, x_layout: &Layout, w: &CpuStorage, w_layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let g = &self.geometry;
        let weight = depthwise::to_tap_order(floats(w, w_layout)?, g.in_channels);
        let mut y = vec![0f32; g.output_len()];
        depthwise::forward(Level::current(), g, floats(x, x_layout)?, &weight, &mut y);
        output(y, (g.batch, g.out_height, g.out_width, g.out_channels))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (g, level) = (&self.geometry, Level::current());
        read(&dy.contiguous()?, |dy| {
            let d_weight = Target::of(w, &self.slot).write(|out| {
                let mut packed = vec![0f32; out.len()];
                read(x, |x| {
                    depthwise::weight_gradient(level, g, x, dy, &mut packed);
                    Ok(())
                })?;
                depthwise::to_file_order(&packed, out, g.in_channels);
                Ok(())
            })?;
            let dx = input_gradient(x, |out| {
                let weight = read(w, |w| Ok(depthwise::to_tap_order(w, g.in_channels)))?;
                depthwise::input_gradient(level, g, &weight, dy, out);
                Ok(())
            })?;
            Ok((dx, d_weight))
        })
    }
}
