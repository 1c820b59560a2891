//! The order in which layers for pictures want their numbers.

use super::kernels::channels_last as kernel;
use super::op::{is_fast, read, tensor};
use candle_core::{Result, Tensor};

/// `[batch, channels, height, width]`, as pictures are loaded, to `[batch, height, width, channels]`.
///
/// # Errors
/// Another number of dimensions, and those of Candle.
pub fn channels_last(x: &Tensor) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    // The copy records nothing for a backward pass.
    if !is_fast(x) || x.track_op() {
        return x.permute((0, 2, 3, 1))?.contiguous();
    }
    let values = read(&x.contiguous()?, |x| Ok(kernel::channels_last(x, channels, height, width)))?;
    tensor(values, (batch, height, width, channels))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{values, var};
    use super::*;

    #[test]
    fn both_ways_agree() {
        for dims in [[1, 1, 1, 1], [2, 3, 5, 7], [3, 3, 40, 33], [2, 4, 0, 3], [0, 3, 2, 2]] {
            let x = var(dims.to_vec(), 1);
            let (fast, tracked) =
                (channels_last(&x.as_detached_tensor()).unwrap(), channels_last(&x).unwrap());
            assert_eq!(fast.dims(), tracked.dims());
            assert_eq!(values(&fast), values(&tracked));
        }
    }
}
