//! Convolutions, each with the batch norm and the activation after it, one above the other and perhaps in a residual
//! block, as one op.

mod op;

use super::activation::Activation;
use super::batch_norm::BatchNorm;
use super::conv::Conv2d;
use super::depthwise::DepthwiseConv2d;
use super::dropout::{Dropout, dropout_add};
use super::kernels::batch_norm::Affine;
use super::kernels::geometry::Geometry;
use super::op::{is_fast, to_vec};
use super::param::Param;
use super::residual::add_relu;
use candle_core::{Result, Shape, Tensor, bail};

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

    fn geometry(&self, x: &Shape) -> Result<Geometry> {
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
        conv_norm_chain(&[self], x, None)
    }

    /// One layer after the other.
    fn forward_in_steps(&self, x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        let sums = self.convolution.forward(x)?;
        let Some(residual) = residual else { return self.norm.forward(&sums) };
        let normed = BatchNorm { activation: Activation::None, ..self.norm.clone() }.forward(&sums)?;
        match self.norm.activation {
            Activation::Relu => add_relu(&normed, residual),
            activation => activation.composed(&dropout_add(&normed, Some(residual), Dropout::NONE)?),
        }
    }

    fn parameters(&self) -> [&Param; 3] {
        [self.convolution.weight(), &self.norm.weight, &self.norm.bias]
    }

    /// Gradients of parameters leave the op by their slots only. Statistics of the batch are not known before the last
    /// sum.
    fn can_be_fused(&self) -> bool {
        !self.convolution.has_bias()
            && !self.norm.running_mean.follows()
            && self.parameters().iter().all(|p| !p.is_trainable() || p.slot().is_some())
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

/// Layers one above the other: `[batch, height, width, in]` to `[batch, out_height, out_width, out]`. The other branch
/// of a residual block, of the shape of the result, is added before the last activation; it may be `x` itself.
///
/// On the fast path all of them are one op. What lies between two layers never becomes a tensor, which spares Candle's
/// `GradStore` a buffer of zeros and a sum for each. An activation that was kept lends its memory to its gradient.
///
/// # Errors
/// Shapes that do not fit, no layers, and those of Candle.
pub fn conv_norm_chain(layers: &[&ConvNorm], x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
    let Some((last, below)) = layers.split_last() else { bail!("a chain of no layers") };
    if is_fused(layers, x, residual) {
        return op::forward(layers, x, residual);
    }
    let inner = below.iter().try_fold(x.clone(), |x, layer| layer.forward(&x))?;
    match is_fused(&[last], &inner, residual) {
        true => op::forward(&[last], &inner, residual),
        false => last.forward_in_steps(&inner, residual),
    }
}

/// With a residual the slope of the last activation must be told by the result.
fn is_fused(layers: &[&ConvNorm], x: &Tensor, residual: Option<&Tensor>) -> bool {
    let by_result = |layer: &&ConvNorm| matches!(layer.norm.activation, Activation::None | Activation::Relu);
    is_fast(x)
        && layers.iter().all(|layer| layer.can_be_fused())
        && (residual.is_none() || layers.last().is_some_and(by_result))
}

#[cfg(test)]
mod tests;
