//! Means over pixels and over tokens.

use super::attention::check_lengths;
use super::op::{Argument, Custom, Input, Op, is_fast};
use candle_core::{Device, Result, Shape, Tensor, bail};

/// The mean over all pixels: `[batch, height, width, channels]` to `[batch, channels]`.
///
/// # Errors
/// Images without pixels, and those of Candle.
pub fn global_average_pool(x: &Tensor) -> Result<Tensor> {
    let (batch, height, width, channels) = x.dims4()?;
    if height * width == 0 {
        bail!("the mean over the pixels of {:?}: there are none", x.shape())
    }
    if !is_fast(x) {
        return x.mean((1, 2));
    }
    let op = MeanOp { lengths: vec![height * width; batch], width: channels };
    x.contiguous()?.apply_op1(Custom(op))
}

/// The mean over the tokens of each sequence: `[tokens, features]` to `[batch, features]`, where
/// `lengths` says how many tokens each of the `batch` sequences has.
///
/// # Errors
/// Lengths that do not add up to the tokens or are zero, and those of Candle.
pub fn mean_tokens(x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let (tokens, features) = x.dims2()?;
    check_lengths(lengths, tokens)?;
    if !is_fast(x) {
        return mean_tokens_composed(x, lengths);
    }
    let op = MeanOp { lengths: lengths.to_vec(), width: features };
    x.contiguous()?.apply_op1(Custom(op))
}

/// A product with the matrix `[batch, tokens]` of the weights of the means.
pub(super) fn mean_tokens_composed(x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let tokens = x.dim(0)?;
    let mut weights = vec![0f32; lengths.len() * tokens];
    let mut start = 0;
    for (row, length) in weights.chunks_exact_mut(tokens.max(1)).zip(lengths) {
        row[start..start + length].fill(1.0 / *length as f32);
        start += length;
    }
    let weights = Tensor::from_vec(weights, (lengths.len(), tokens), &Device::Cpu)?;
    weights.to_device(x.device())?.to_dtype(x.dtype())?.matmul(&x.contiguous()?)
}

/// Means over groups of rows, one after another.
struct MeanOp {
    /// Rows in each group.
    lengths: Vec<usize>,
    width: usize,
}

impl Op<1> for MeanOp {
    const NAME: &'static str = "mean";

    fn forward(&self, [x]: [Input; 1]) -> Result<(Vec<f32>, Shape)> {
        let mut rest = x.values;
        let mut means = vec![0f32; self.lengths.len() * self.width];
        for (mean, length) in means.chunks_exact_mut(self.width.max(1)).zip(&self.lengths) {
            let (group, after) = rest.split_at(length * self.width);
            rest = after;
            for row in group.chunks_exact(self.width) {
                for (m, x) in mean.iter_mut().zip(row) {
                    *m += x;
                }
            }
            let scale = 1.0 / *length as f32;
            mean.iter_mut().for_each(|m| *m *= scale);
        }
        Ok((means, (self.lengths.len(), self.width).into()))
    }

    fn backward(&self, [x]: [Argument; 1], _: Argument, d: Argument) -> Result<[Option<Tensor>; 1]> {
        let dx = x.gradient(|mut rest| {
            for (d, length) in d.values.chunks_exact(self.width.max(1)).zip(&self.lengths) {
                let (group, after) = std::mem::take(&mut rest).split_at_mut(length * self.width);
                rest = after;
                let scale = 1.0 / *length as f32;
                for row in group.chunks_exact_mut(self.width) {
                    for (x, d) in row.iter_mut().zip(d) {
                        *x = d * scale;
                    }
                }
            }
        })?;
        Ok([dx])
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_agree, assert_slopes, values, var};
    use super::*;

    #[test]
    fn paths_agree() {
        for dims in [[1, 1, 1, 1], [2, 3, 5, 4]] {
            let x = var(dims.to_vec(), 1);
            assert_agree("pixels", &[&x], || global_average_pool(&x), || x.mean((1, 2)));
            assert_slopes("pixels", &[&x], || global_average_pool(&x));
        }
        let x = var((7, 3), 1);
        let lengths = [2, 1, 4];
        assert_agree("tokens", &[&x], || mean_tokens(&x, &lengths), || mean_tokens_composed(&x, &lengths));
        assert_slopes("tokens", &[&x], || mean_tokens(&x, &lengths));
    }

    #[test]
    fn means_are_of_each_sequence() {
        let x = Tensor::new(&[[1f32], [3.], [10.]], &Device::Cpu).unwrap();
        assert_eq!(values(&mean_tokens(&x, &[2, 1]).unwrap()), [2.0, 10.0]);
        for lengths in [&[2usize][..], &[3, 0], &[4]] {
            assert!(mean_tokens(&x, lengths).is_err());
        }
    }
}
