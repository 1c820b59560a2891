//! Where the windows of a convolution lie.

use candle_core::{Result, Shape, bail};
use std::ops::Range;

/// Zeros around an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// The same number of pixels on each side.
    Symmetric(usize),
    /// TensorFlow's 'SAME': the output has `ceil(input / stride)` pixels, and where the padding is odd
    /// the larger half comes after.
    TensorFlowSame,
}

impl Padding {
    /// Pixels (before, after) along one side.
    pub fn amounts(self, input: usize, kernel: usize, stride: usize) -> (usize, usize) {
        match self {
            Padding::Symmetric(amount) => (amount, amount),
            Padding::TensorFlowSame => {
                let outputs = input.div_ceil(stride.max(1));
                let needed = outputs.saturating_sub(1) * stride + kernel;
                let total = needed.saturating_sub(input);
                (total / 2, total - total / 2)
            }
        }
    }
}

/// The sizes of one convolution over a batch of images `[batch, height, width, channels]` with a
/// square kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    pub kernel: usize,
    pub stride: usize,
    /// Rows of padding above the image.
    pub top: usize,
    /// Columns of padding to the left of it.
    pub left: usize,
    pub out_height: usize,
    pub out_width: usize,
}

impl Geometry {
    /// Fails where a size is zero, or the kernel is larger than the padded image.
    pub fn new(
        [batch, height, width, in_channels]: [usize; 4],
        out_channels: usize,
        kernel: usize,
        stride: usize,
        padding: Padding,
    ) -> Result<Self> {
        let sizes = [batch, height, width, in_channels, out_channels, kernel, stride];
        if sizes.contains(&0) {
            bail!(
                "a convolution of images [{batch}, {height}, {width}, {in_channels}] with {out_channels} \
                 kernels of size {kernel} at stride {stride}: no size may be zero"
            )
        }
        let (top, out_height) = output_size(height, kernel, stride, padding)?;
        let (left, out_width) = output_size(width, kernel, stride, padding)?;
        Ok(Self {
            batch,
            height,
            width,
            in_channels,
            out_channels,
            kernel,
            stride,
            top,
            left,
            out_height,
            out_width,
        })
    }

    /// Whether each output is made of the one pixel at its place.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && (self.out_height, self.out_width) == (self.height, self.width)
    }

    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        self.batch * self.height * self.width * self.in_channels
    }

    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        self.positions() * self.out_channels
    }

    /// `[batch, out_height, out_width, out_channels]`.
    pub fn output_shape(&self) -> Shape {
        (self.batch, self.out_height, self.out_width, self.out_channels).into()
    }

    /// Pixels of the output, over the whole batch.
    pub fn positions(&self) -> usize {
        self.batch * self.out_height * self.out_width
    }

    /// Image, row and column of a pixel of the output.
    pub fn position(&self, index: usize) -> (usize, usize, usize) {
        let row = index / self.out_width;
        (row / self.out_height, row % self.out_height, index % self.out_width)
    }

    /// The input row under row `ky` of the kernel at output row `oy`; none in the padding.
    #[inline(always)]
    pub fn row(&self, oy: usize, ky: usize) -> Option<usize> {
        (oy * self.stride + ky).checked_sub(self.top).filter(|y| *y < self.height)
    }

    /// The input column under column `kx` of the kernel at output column `ox`; none in the padding.
    #[inline(always)]
    pub fn column(&self, ox: usize, kx: usize) -> Option<usize> {
        (ox * self.stride + kx).checked_sub(self.left).filter(|x| *x < self.width)
    }

    /// The output row at which input row `y` lies under row `ky` of the kernel, if there is one.
    #[inline(always)]
    pub fn output_row(&self, y: usize, ky: usize) -> Option<usize> {
        inverse(y + self.top, ky, self.stride, self.out_height)
    }

    /// The output column at which input column `x` lies under column `kx` of the kernel.
    #[inline(always)]
    pub fn output_column(&self, x: usize, kx: usize) -> Option<usize> {
        inverse(x + self.left, kx, self.stride, self.out_width)
    }

    /// Output columns whose whole kernel lies inside the image.
    pub fn inner_columns(&self) -> Range<usize> {
        let start = self.left.div_ceil(self.stride);
        let end = match (self.width + self.left).checked_sub(self.kernel) {
            Some(last) => (last / self.stride + 1).min(self.out_width),
            None => 0,
        };
        start.min(end)..end
    }

    /// At stride 1: the convolution that carries the gradient of the output back to the input, with
    /// the kernel turned around. None at other strides, or where the padding exceeds the kernel.
    pub fn transposed(&self) -> Option<Self> {
        let top = (self.kernel - 1).checked_sub(self.top)?;
        let left = (self.kernel - 1).checked_sub(self.left)?;
        (self.stride == 1).then_some(Self {
            height: self.out_height,
            width: self.out_width,
            in_channels: self.out_channels,
            out_channels: self.in_channels,
            top,
            left,
            out_height: self.height,
            out_width: self.width,
            ..*self
        })
    }
}

/// Padding before, and the size of the output, along one side.
fn output_size(input: usize, kernel: usize, stride: usize, padding: Padding) -> Result<(usize, usize)> {
    let (before, after) = padding.amounts(input, kernel, stride);
    match (input + before + after).checked_sub(kernel) {
        Some(room) => Ok((before, room / stride + 1)),
        None => bail!(
            "a kernel of size {kernel} does not fit into {input} pixels with {before} + {after} of padding"
        ),
    }
}

fn inverse(padded: usize, tap: usize, stride: usize, outputs: usize) -> Option<usize> {
    let distance = padded.checked_sub(tap)?;
    let output = distance / stride;
    (distance.is_multiple_of(stride) && output < outputs).then_some(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_columns_are_those_with_every_tap() {
        for width in 1..9 {
            for (kernel, stride) in [(1, 1), (3, 1), (3, 2), (5, 1), (5, 2), (5, 3)] {
                for padding in [Padding::Symmetric(kernel / 2), Padding::TensorFlowSame] {
                    let g = Geometry::new([1, 5, width, 1], 1, kernel, stride, padding).unwrap();
                    let whole = |ox: usize| (0..kernel).all(|kx| g.column(ox, kx).is_some());
                    for ox in 0..g.out_width {
                        assert_eq!(g.inner_columns().contains(&ox), whole(ox), "{g:?} {ox}");
                    }
                }
            }
        }
    }

    #[test]
    fn columns_and_output_columns_are_inverse() {
        let g = Geometry::new([1, 8, 7, 1], 1, 3, 2, Padding::TensorFlowSame).unwrap();
        for kx in 0..3 {
            for ox in 0..g.out_width {
                if let Some(x) = g.column(ox, kx) {
                    assert_eq!(g.output_column(x, kx), Some(ox));
                }
            }
        }
    }

    #[test]
    fn impossible_sizes_are_errors() {
        assert!(Geometry::new([1, 0, 3, 1], 1, 3, 1, Padding::Symmetric(1)).is_err());
        assert!(Geometry::new([1, 3, 3, 1], 1, 3, 0, Padding::Symmetric(1)).is_err());
        assert!(Geometry::new([1, 2, 9, 1], 1, 5, 1, Padding::Symmetric(1)).is_err());
    }
}
