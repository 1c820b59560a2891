//! A convolution with the batch norm, the residual and the activation after it, as one op.

use super::activation::Activation;
use super::batch_norm::BatchNorm;
use super::conv::Conv2d;
use super::depthwise::DepthwiseConv2d;
use super::dropout::{Dropout, dropout_add};
use super::kernels::batch_norm::Affine;
use super::kernels::geometry::Geometry;
use super::kernels::{Level, conv_norm, convolution, depthwise, residual};
use super::op::{Saved, Target, floats, input_gradient, is_fast, output, read, tensor, to_vec};
use super::param::{Param, Slot};
use super::residual::add_relu;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// `y = activation(norm(convolution(x)) + residual)`. On the fast path the norm, the sum and the activation are done
/// tile by tile while the sums of the convolution are in the cache; what they cost is hidden, as if the norm were
/// folded into the weight, but nothing is rounded twice and thawed layers gain as well.
#[derive(Clone, Debug)]
pub struct ConvNorm {
    pub convolution: Convolution,
    /// Its activation comes last, after the residual.
    pub norm: BatchNorm,
}

/// Dense, or each channel by itself.
#[derive(Clone, Debug)]
pub enum Convolution {
    Dense(Conv2d),
    Depthwise(DepthwiseConv2d),
}

impl Convolution {
    fn weight(&self) -> &Param {
        match self {
            Self::Dense(conv) => &conv.weight,
            Self::Depthwise(conv) => &conv.weight,
        }
    }

    fn has_bias(&self) -> bool {
        matches!(self, Self::Dense(Conv2d { bias: Some(_), .. }))
    }

    fn geometry(&self, x: &Tensor) -> Result<Geometry> {
        match self {
            Self::Dense(conv) => conv.geometry(x),
            Self::Depthwise(conv) => conv.geometry(x),
        }
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(conv) => conv.forward(x),
            Self::Depthwise(conv) => conv.forward(x),
        }
    }
}

impl ConvNorm {
    /// `[batch, height, width, in]` to `[batch, out_height, out_width, out]`.
    ///
    /// # Errors
    /// Shapes that do not fit, and those of Candle.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.apply(x, None)
    }

    /// The same with the other branch of a residual block, of the shape of the result, added before the activation.
    ///
    /// # Errors
    /// As for [`ConvNorm::forward`].
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.apply(x, Some(residual))
    }

    fn apply(&self, x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        if !self.is_fused(x, residual) {
            return self.apply_in_steps(x, residual);
        }
        let geometry = self.convolution.geometry(x)?;
        let g = &geometry;
        if self.norm.weight.tensor().dims() != [g.out_channels] {
            bail!("a norm {:?} after {} channels", self.norm.weight.tensor().shape(), g.out_channels)
        }
        let dims = [g.batch, g.out_height, g.out_width, g.out_channels];
        if let Some(residual) = residual.filter(|r| r.dims() != dims) {
            bail!("branches of {dims:?} and {:?} cannot be added", residual.shape())
        }
        // What makes the op part of the graph where the input does not: a Var, whose gradient goes to its slot.
        let parameters = [self.convolution.weight(), &self.norm.weight, &self.norm.bias];
        let anchor = parameters.into_iter().find(|p| p.is_trainable()).unwrap_or(parameters[0]);
        let tracked = [Some(x), Some(anchor.tensor()), residual].into_iter().flatten().any(Tensor::track_op);
        let x = x.contiguous()?;
        let op = ConvNormOp {
            geometry,
            is_depthwise: matches!(self.convolution, Convolution::Depthwise(_)),
            affine: self.affine()?,
            weight: self.convolution.weight().contiguous()?,
            keep: tracked,
            sums: Saved::default(),
            slots: parameters.map(Param::slot),
        };
        let anchor = anchor.contiguous()?;
        match residual {
            Some(residual) => x.apply_op3(&anchor, &residual.contiguous()?, op),
            None => x.apply_op2(&anchor, op),
        }
    }

    /// One layer after the other.
    fn apply_in_steps(&self, x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        let sums = self.convolution.forward(x)?;
        let Some(residual) = residual else { return self.norm.forward(&sums) };
        let normed = BatchNorm { activation: Activation::None, ..self.norm.clone() }.forward(&sums)?;
        match self.norm.activation {
            Activation::Relu => add_relu(&normed, residual),
            activation => activation.composed(&dropout_add(&normed, Some(residual), Dropout::NONE)?),
        }
    }

    /// Gradients of parameters leave the op by their slots only. With a residual the slope of the activation must be
    /// told by the result. Statistics of the batch are not known before the last sum.
    fn is_fused(&self, x: &Tensor, residual: Option<&Tensor>) -> bool {
        let parameters = [self.convolution.weight(), &self.norm.weight, &self.norm.bias];
        is_fast(x)
            && !self.convolution.has_bias()
            && !self.norm.running_mean.follows()
            && parameters.iter().all(|p| !p.is_trainable() || p.slot().is_some())
            && (residual.is_none() || matches!(self.norm.activation, Activation::None | Activation::Relu))
    }

    fn affine(&self) -> Result<Affine> {
        let norm = &self.norm;
        let [weight, bias] = [to_vec(norm.weight.tensor())?, to_vec(norm.bias.tensor())?];
        let [mean, variance] = [to_vec(&norm.running_mean.tensor())?, to_vec(&norm.running_var.tensor())?];
        if [bias.len(), mean.len(), variance.len()] != [weight.len(); 3] {
            bail!("a batch norm of {} channels has a bias or statistics of another size", weight.len())
        }
        Ok(Affine::new(&weight, &bias, &mean, &variance, norm.eps, norm.activation))
    }
}

struct ConvNormOp {
    geometry: Geometry,
    is_depthwise: bool,
    affine: Affine,
    weight: Tensor,
    /// Whether a backward pass may come.
    keep: bool,
    /// What the convolution gave.
    sums: Saved,
    /// Of the convolution's weight, the norm's weight and its bias.
    slots: [Option<Slot>; 3],
}

impl ConvNormOp {
    fn forward(&self, x: &[f32], residual: &[f32]) -> Result<(CpuStorage, Shape)> {
        let (g, level, affine) = (&self.geometry, Level::current(), &self.affine);
        let beside = |first: usize, len: usize| residual.get(first..first + len).unwrap_or_default();
        let weight = read(&self.weight, |w| Ok(Packed::new(self.is_depthwise, g, w)))?;
        let chunk = weight.tile_len(g);
        let mut y = vec![0f32; g.output_len()];
        if self.keep {
            let mut sums = vec![0f32; g.output_len()];
            let tiles = sums.par_chunks_mut(chunk).zip(y.par_chunks_mut(chunk));
            weight.run(g, x, tiles, |first, (u, y): (&mut [f32], &mut [f32])| {
                conv_norm::finish_into(level, affine, u, beside(first, u.len()), y);
            });
            self.sums.put(sums);
        } else {
            weight.run(g, x, y.par_chunks_mut(chunk), |first, u: &mut [f32]| {
                conv_norm::finish(level, affine, u, beside(first, u.len()));
            });
        }
        output(y, (g.batch, g.out_height, g.out_width, g.out_channels))
    }

    /// The gradients of the input and of the residual.
    fn backward(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        let dy = dy.contiguous()?;
        let Some(residual) = residual else {
            return Ok([read(&dy, |dy| self.gradients(x, &self.affine, dy))?, None]);
        };
        if self.affine.activation == Activation::None {
            let dx = read(&dy, |dy| self.gradients(x, &self.affine, dy))?;
            return Ok([dx, residual.track_op().then_some(dy)]);
        }
        let mut gradient = vec![0f32; y.elem_count()];
        read(y, |y| {
            read(&dy, |dy| {
                residual::add_relu_gradient(Level::current(), y, dy, &mut gradient);
                Ok(())
            })
        })?;
        let linear = Affine { activation: Activation::None, ..self.affine.clone() };
        let dx = self.gradients(x, &linear, &gradient)?;
        let d_residual = residual.track_op().then(|| tensor(gradient, y.shape())).transpose()?;
        Ok([dx, d_residual])
    }

    /// Writes the gradients of the parameters and gives that of the input.
    fn gradients(&self, x: &Tensor, affine: &Affine, dy: &[f32]) -> Result<Option<Tensor>> {
        let (g, level) = (&self.geometry, Level::current());
        let mut sums = self.sums.take()?;
        let [weight_slot, norm_slot, bias_slot] = &self.slots;
        let wanted = if norm_slot.is_some() || bias_slot.is_some() { affine.scale.len() } else { 0 };
        let (mut d_norm, mut d_bias) = (vec![0f32; wanted], vec![0f32; wanted]);
        conv_norm::backward(level, affine, &mut sums, dy, &mut d_norm, &mut d_bias);
        for (slot, gradient) in [(norm_slot, &d_norm), (bias_slot, &d_bias)] {
            if let Some(slot) = slot {
                Target::Slot(slot).copy(gradient)?;
            }
        }
        let du = &sums[..];
        if let Some(slot) = weight_slot {
            slot.write(|out| {
                read(x, |x| {
                    self.weight_gradient(x, du, out);
                    Ok(())
                })
            })?;
        }
        input_gradient(x, |out| {
            read(&self.weight, |w| {
                if self.is_depthwise {
                    let weight = depthwise::to_tap_order(w, g.in_channels);
                    depthwise::input_gradient(level, g, &weight, du, out);
                } else {
                    convolution::input_gradient(level, g, w, du, out);
                }
                Ok(())
            })
        })
    }

    fn weight_gradient(&self, x: &[f32], du: &[f32], out: &mut [f32]) {
        let g = &self.geometry;
        if self.is_depthwise {
            let mut packed = vec![0f32; out.len()];
            depthwise::weight_gradient(Level::current(), g, x, du, &mut packed);
            depthwise::to_file_order(&packed, out, g.in_channels);
        } else {
            convolution::weight_gradient(g, x, du, out);
        }
    }
}

/// The weight as the kernel of its kind wants it.
enum Packed {
    Dense(convolution::Packed),
    Depthwise(Vec<f32>),
}

impl Packed {
    fn new(is_depthwise: bool, g: &Geometry, file: &[f32]) -> Self {
        match is_depthwise {
            true => Self::Depthwise(depthwise::to_tap_order(file, g.in_channels)),
            false => Self::Dense(convolution::Packed::new(Level::current(), g, file)),
        }
    }

    fn tile_len(&self, g: &Geometry) -> usize {
        match self {
            Self::Dense(weight) => weight.tile_len(g),
            Self::Depthwise(_) => depthwise::row_len(g),
        }
    }

    fn run<T: convolution::Tile>(
        &self,
        g: &Geometry,
        x: &[f32],
        tiles: impl IndexedParallelIterator<Item = T>,
        finish: impl Fn(usize, T) + Sync,
    ) {
        match self {
            Self::Dense(weight) => convolution::forward_tiles(g, x, weight, tiles, finish),
            Self::Depthwise(weight) => {
                depthwise::forward_rows(Level::current(), g, x, weight, tiles, finish);
            }
        }
    }
}

impl CustomOp2 for ConvNormOp {
    fn name(&self) -> &'static str {
        "convolution-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward(floats(x, x_layout)?, &[])
    }

    fn bwd(
        &self,
        x: &Tensor,
        _: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [dx, _] = self.backward(x, None, y, dy)?;
        Ok((dx, None))
    }
}

impl CustomOp3 for ConvNormOp {
    fn name(&self) -> &'static str {
        "convolution-norm-residual"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        _: &CpuStorage,
        _: &Layout,
        r: &CpuStorage,
        r_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward(floats(x, x_layout)?, floats(r, r_layout)?)
    }

    fn bwd(
        &self,
        x: &Tensor,
        _: &Tensor,
        r: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dx, dr] = self.backward(x, Some(r), y, dy)?;
        Ok((dx, None, dr))
    }
}

#[cfg(test)]
mod tests;
