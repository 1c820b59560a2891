//! The custom op behind a chain of convolutions and norms.

use super::{ConvNorm, Convolution};
use crate::nn::activation::Activation;
use crate::nn::kernels::batch_norm::Affine;
use crate::nn::kernels::fresh::{Fresh, zeros};
use crate::nn::kernels::geometry::Geometry;
use crate::nn::kernels::{Level, conv_norm, convolution, depthwise, residual};
use crate::nn::op::{Argument, Custom, Input, Op, Saved, Target, read, tensor};
use crate::nn::param::{Param, Slot};
use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// [`super::conv_norm_chain`] where all layers can be fused.
pub(super) fn forward(layers: &[&ConvNorm], x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
    let mut links = Vec::with_capacity(layers.len());
    let mut shape = x.shape().clone();
    let mut needed = x.track_op();
    for layer in layers {
        let link = Link::new(layer, &shape, needed)?;
        needed = link.is_needed;
        shape = link.output_shape();
        links.push(link);
    }
    if let Some(residual) = residual.filter(|r| *r.shape() != shape) {
        bail!("branches of {shape:?} and {:?} cannot be added", residual.shape())
    }
    // What makes the op part of the graph where the input does not: a Var, whose gradient goes to its slot.
    let mut parameters = layers.iter().flat_map(|layer| layer.parameters());
    let anchor = match parameters.clone().find(|p| p.is_trainable()).or_else(|| parameters.next()) {
        Some(anchor) => anchor.contiguous()?,
        None => bail!("a chain of no layers"),
    };
    let input = x.contiguous()?;
    match residual {
        Some(residual) if residual.id() == x.id() => {
            input.apply_op2(&anchor, Custom(Chain { links, adds_input: true }))
        }
        Some(residual) => {
            let op = Chain { links, adds_input: false };
            input.apply_op3(&anchor, &residual.contiguous()?, Custom(op))
        }
        None => input.apply_op2(&anchor, Custom(Chain { links, adds_input: false })),
    }
}

/// One layer.
struct Link {
    geometry: Geometry,
    is_depthwise: bool,
    affine: Affine,
    weight: Tensor,
    /// Of the convolution's weight, the norm's weight and its bias.
    slots: [Option<Slot>; 3],
    /// Whether the backward pass comes down to here.
    is_needed: bool,
    /// What the convolution gave, where the backward pass comes.
    sums: Saved,
    /// What the layer gave, where it is needed for the gradient of the weight above and is no tensor of Candle's.
    result: Saved,
}

impl Link {
    /// For an input of this shape; `below` says whether its gradient is wanted.
    fn new(layer: &ConvNorm, input: &Shape, below: bool) -> Result<Self> {
        let geometry = layer.convolution.geometry(input)?;
        if layer.norm.weight.tensor().dims() != [geometry.out_channels] {
            bail!("a norm {:?} after {} channels", layer.norm.weight.tensor().shape(), geometry.out_channels)
        }
        let slots = layer.parameters().map(Param::slot);
        Ok(Self {
            geometry,
            is_depthwise: matches!(layer.convolution, Convolution::Depthwise(_)),
            affine: layer.affine()?,
            weight: layer.convolution.weight().contiguous()?,
            is_needed: below || slots.iter().any(Option::is_some),
            slots,
            sums: Saved::default(),
            result: Saved::default(),
        })
    }

    fn output_shape(&self) -> Shape {
        self.geometry.output_shape()
    }

    fn forward(&self, x: &[f32], residual: &[f32]) -> Result<Vec<f32>> {
        read(&self.weight, |w| Ok(self.run(x, &Packed::new(self.is_depthwise, &self.geometry, w), residual)))
    }

    fn run(&self, x: &[f32], weight: &Packed, residual: &[f32]) -> Vec<f32> {
        let (g, level, affine) = (&self.geometry, Level::current(), &self.affine);
        let beside = |first: usize, len: usize| residual.get(first..first + len).unwrap_or_default();
        let chunk = weight.tile_len(g);
        let mut y = Fresh::new(g.output_len());
        if self.is_needed {
            let mut sums = Fresh::new(g.output_len());
            let tiles = sums.tiles(chunk).zip(y.tiles(chunk));
            weight.run(g, x, tiles, |first, (u, y): (&mut [f32], &mut [f32])| {
                conv_norm::finish_into(level, affine, u, beside(first, u.len()), y);
            });
            self.sums.put(sums.finish());
        } else {
            weight.run(g, x, y.tiles(chunk), |first, u: &mut [f32]| {
                conv_norm::finish(level, affine, u, beside(first, u.len()));
            });
        }
        y.finish()
    }

    /// From the gradient `dy` of what stands before the activation, or after it where `affine` has none: writes the
    /// gradients of the parameters and gives that of the convolution's sums.
    fn parameter_gradients(&self, affine: &Affine, x: &[f32], dy: &[f32]) -> Result<Vec<f32>> {
        let mut sums = self.sums.take()?;
        let [weight_slot, norm_slot, bias_slot] = &self.slots;
        let wanted = if norm_slot.is_some() || bias_slot.is_some() { affine.scale.len() } else { 0 };
        let (mut d_norm, mut d_bias) = (vec![0f32; wanted], vec![0f32; wanted]);
        conv_norm::backward(Level::current(), affine, &mut sums, dy, &mut d_norm, &mut d_bias);
        for (slot, gradient) in [(norm_slot, &d_norm), (bias_slot, &d_bias)] {
            if let Some(slot) = slot {
                Target::Slot(slot).copy(gradient)?;
            }
        }
        if let Some(slot) = weight_slot {
            slot.write(|out| self.weight_gradient(x, &sums, out))?;
        }
        Ok(sums)
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

    /// From the gradient of the convolution's sums.
    fn input_gradient(&self, du: &[f32], dx: &mut [f32]) -> Result<()> {
        let (g, level) = (&self.geometry, Level::current());
        read(&self.weight, |w| {
            if self.is_depthwise {
                let weight = depthwise::to_tap_order(w, g.in_channels);
                depthwise::input_gradient(level, g, &weight, du, dx);
            } else {
                convolution::input_gradient(level, g, w, du, dx);
            }
            Ok(())
        })
    }
}

struct Chain {
    links: Vec<Link>,
    /// Whether the input is the other branch.
    adds_input: bool,
}

impl Chain {
    fn forward(&self, x: &[f32], residual: &[f32]) -> Result<(Vec<f32>, Shape)> {
        let Some((last, below)) = self.links.split_last() else { bail!("a chain of no layers") };
        let mut inner: Option<Vec<f32>> = None;
        for (n, link) in below.iter().enumerate() {
            let y = link.forward(inner.as_deref().unwrap_or(x), &[])?;
            self.keep(n, inner.replace(y));
        }
        let y = last.forward(inner.as_deref().unwrap_or(x), residual)?;
        self.keep(below.len(), inner);
        Ok((y, last.output_shape()))
    }

    /// Keeps the input of layer `n` where the gradient of its weight will want it.
    fn keep(&self, n: usize, input: Option<Vec<f32>>) {
        if let (Some(input), Some(below)) = (input, n.checked_sub(1))
            && self.links[n].slots[0].is_some()
        {
            self.links[below].result.put(input);
        }
    }

    /// The gradients of the input and of a residual that is another tensor.
    fn backward(
        &self,
        x: Argument,
        residual: Option<Argument>,
        y: Argument,
        dy: Argument,
    ) -> Result<[Option<Tensor>; 2]> {
        let Some(last) = self.links.last() else { bail!("a chain of no layers") };
        let has_residual = self.adds_input || residual.is_some();
        let by_result = has_residual && last.affine.activation != Activation::None;
        // What both branches get.
        let d_sum = if by_result { relu_gradient(y, dy)? } else { dy.tensor.clone() };
        let affine = match by_result {
            true => &Affine { activation: Activation::None, ..last.affine.clone() },
            false => &last.affine,
        };
        let dx = read(&d_sum, |d_sum| {
            let mut dx = self.descend(x, affine, d_sum)?;
            if let (Some(dx), true) = (&mut dx, self.adds_input) {
                residual::add(Level::current(), d_sum, dx);
            }
            dx.map(|dx| tensor(dx, x.tensor.shape())).transpose()
        })?;
        let is_tracked = residual.is_some_and(|residual| residual.is_tracked());
        Ok([dx, is_tracked.then_some(d_sum)])
    }

    /// From the last layer, whose norm is `affine`, down to the lowest that wants a gradient.
    fn descend(&self, x: Argument, affine: &Affine, dy: &[f32]) -> Result<Option<Vec<f32>>> {
        let mut above: Option<Vec<f32>> = None;
        let top = self.links.len() - 1;
        if !self.links[top].is_needed {
            return Ok(None);
        }
        for (n, link) in self.links.iter().enumerate().rev() {
            // Dropped before the gradient of the input is made.
            let given = above.take();
            let dy = given.as_deref().unwrap_or(dy);
            let affine = if n == top { affine } else { &link.affine };
            let Some(below) = n.checked_sub(1).map(|below| &self.links[below]) else {
                let du = link.parameter_gradients(affine, x.values, dy)?;
                if !x.is_tracked() {
                    return Ok(None);
                }
                drop(given);
                let mut dx = zeros(link.geometry.input_len());
                link.input_gradient(&du, &mut dx)?;
                return Ok(Some(dx));
            };
            let x = if link.slots[0].is_some() { below.result.take()? } else { Vec::new() };
            let du = link.parameter_gradients(affine, &x, dy)?;
            if !below.is_needed {
                return Ok(None);
            }
            drop(given);
            // Nothing reads the input any more: its memory takes the gradient.
            let mut dx = if x.is_empty() { zeros(link.geometry.input_len()) } else { x };
            link.input_gradient(&du, &mut dx)?;
            above = Some(dx);
        }
        Ok(None)
    }
}

/// The gradient before a ReLU, from its result.
fn relu_gradient(y: Argument, dy: Argument) -> Result<Tensor> {
    let mut gradient = zeros(y.values.len());
    residual::add_relu_gradient(Level::current(), y.values, dy.values, &mut gradient);
    tensor(gradient, y.tensor.shape())
}

/// The weight as the kernel of its kind wants it.
enum Packed<'a> {
    Dense(convolution::Packed<'a>),
    Depthwise(Vec<f32>),
}

impl<'a> Packed<'a> {
    fn new(is_depthwise: bool, g: &Geometry, file: &'a [f32]) -> Self {
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

impl Op<2> for Chain {
    const NAME: &'static str = "convolutions-norms";

    fn forward(&self, [x, _anchor]: [Input; 2]) -> Result<(Vec<f32>, Shape)> {
        self.forward(x.values, if self.adds_input { x.values } else { &[] })
    }

    fn backward(
        &self,
        [x, _anchor]: [Argument; 2],
        y: Argument,
        dy: Argument,
    ) -> Result<[Option<Tensor>; 2]> {
        let [dx, _] = self.backward(x, None, y, dy)?;
        Ok([dx, None])
    }
}

impl Op<3> for Chain {
    const NAME: &'static str = "convolutions-norms-residual";

    fn forward(&self, [x, _anchor, residual]: [Input; 3]) -> Result<(Vec<f32>, Shape)> {
        self.forward(x.values, residual.values)
    }

    fn backward(
        &self,
        [x, _anchor, residual]: [Argument; 3],
        y: Argument,
        dy: Argument,
    ) -> Result<[Option<Tensor>; 3]> {
        let [dx, dr] = self.backward(x, Some(residual), y, dy)?;
        Ok([dx, None, dr])
    }
}
