//! Dense convolution without unfolding: sums of a few pixels by two vectors of output channels stay in registers while
//! all taps and input channels pass by. The input is copied once into zero-padded blocks of 16 channels, so that the
//! pixels of a tile lie at constant distances; the weight lies in the order in which it is read.

use super::Level;
use super::geometry::Geometry;
use rayon::prelude::*;

/// Channels in a block of the input.
const BLOCK: usize = 16;

/// Pixels of one row whose sums are in registers together, largest first.
#[cfg(target_arch = "x86_64")]
const AVX512_PIXELS: [usize; 6] = [14, 12, 10, 8, 7, 4];
#[cfg(target_arch = "x86_64")]
const AVX2_PIXELS: [usize; 3] = [6, 5, 4];

/// How a convolution is cut: which kernel, and for how many pixels at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    level: Level,
    /// Output channels of a block of the weight: two vectors.
    lanes: usize,
    pixels: usize,
    /// Output rows in a tile; divides the height.
    rows: usize,
}

impl Plan {
    /// None where unfolding and a product is the better way, or the only one.
    #[cfg(target_arch = "x86_64")]
    pub fn new(level: Level, g: &Geometry) -> Option<Self> {
        let (lanes, sizes) = match level {
            _ if level.is_avx512() => (32, &AVX512_PIXELS[..]),
            _ if level.is_avx2() => (16, &AVX2_PIXELS[..]),
            _ => return None,
        };
        let suits = g.kernel > 1 && g.in_channels.is_multiple_of(BLOCK) && g.in_channels > 0 && g.stride <= 2;
        // A tile that hangs over is moved back and computes some pixels twice.
        let pixels = *sizes
            .iter()
            .filter(|p| **p <= g.out_width)
            .min_by_key(|p| (g.out_width.div_ceil(**p) * **p, usize::MAX - **p))?;
        let threads = rayon::current_num_threads().max(1);
        let most = (g.batch * g.out_height).div_ceil(2 * threads).clamp(1, 16);
        let rows = (1..=most.min(g.out_height)).rev().find(|r| g.out_height.is_multiple_of(*r))?;
        suits.then_some(Self { level, lanes, pixels, rows })
    }

    /// None: these kernels need the vectors of x86-64.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn new(_: Level, _: &Geometry) -> Option<Self> {
        None
    }

    /// Output positions in a tile.
    pub fn positions(&self, g: &Geometry) -> usize {
        self.rows * g.out_width
    }

    /// The weight as `[out block, in block, ky, kx, in, out]`, zero behind the last output channel; `at` gives the
    /// element of an output, an input and a tap.
    pub fn pack(&self, g: &Geometry, at: impl Fn(usize, usize, usize) -> f32 + Sync) -> Vec<f32> {
        let (lanes, taps) = (self.lanes, g.kernel * g.kernel);
        let block = g.in_channels * taps * lanes;
        let mut packed = vec![0f32; g.out_channels.div_ceil(lanes) * block];
        packed.par_chunks_mut(block).enumerate().for_each(|(number, block)| {
            for (n, inputs) in block.chunks_exact_mut(taps * BLOCK * lanes).enumerate() {
                for lane in 0..lanes.min(g.out_channels - number * lanes) {
                    for i in 0..BLOCK {
                        for tap in 0..taps {
                            inputs[(tap * BLOCK + i) * lanes + lane] =
                                at(number * lanes + lane, n * BLOCK + i, tap);
                        }
                    }
                }
            }
        });
        packed
    }

    /// Elements that [`Plan::tile`] wants for its copy of the input.
    pub fn scratch_len(&self, g: &Geometry) -> usize {
        g.in_channels * self.input_rows(g) * input_columns(g)
    }

    fn input_rows(&self, g: &Geometry) -> usize {
        (self.rows - 1) * g.stride + g.kernel
    }

    /// The sums of the output positions from `first`, which begins a row.
    pub fn tile(
        &self,
        g: &Geometry,
        x: &[f32],
        packed: &[f32],
        first: usize,
        scratch: &mut [f32],
        y: &mut [f32],
    ) {
        assert_eq!(y.len(), self.positions(g) * g.out_channels, "tile of a convolution");
        assert_eq!(scratch.len(), self.scratch_len(g), "tile of a convolution");
        let (image, top, _) = g.position(first);
        let image_len = g.height * g.width * g.in_channels;
        copy_blocks(g, &x[image * image_len..(image + 1) * image_len], top, self.input_rows(g), scratch);
        let block = g.in_channels * g.kernel * g.kernel * self.lanes;
        assert_eq!(packed.len(), g.out_channels.div_ceil(self.lanes) * block, "weight of a tile");
        for (number, weight) in packed.chunks_exact(block).enumerate() {
            let channel = number * self.lanes;
            for row in 0..self.rows {
                let mut first = 0;
                while first < g.out_width {
                    let column = first.min(g.out_width - self.pixels);
                    self.pixels_of_row(g, scratch, weight, (row, column), channel, y);
                    first += self.pixels;
                }
            }
        }
    }

    fn pixels_of_row(
        &self,
        g: &Geometry,
        scratch: &[f32],
        weight: &[f32],
        (row, column): (usize, usize),
        channel: usize,
        y: &mut [f32],
    ) {
        let width = input_columns(g) * BLOCK;
        let view = View {
            row: width,
            block: self.input_rows(g) * width,
            blocks: g.in_channels / BLOCK,
            kernel: g.kernel,
            pixels: self.pixels,
            stride: g.stride,
        };
        let start = row * g.stride * width + column * g.stride * BLOCK;
        let out = (row * g.out_width + column) * g.out_channels + channel;
        let lanes = self.lanes.min(g.out_channels - channel);
        sums(self.level, &scratch[start..], weight, view, &mut y[out..], g.out_channels, lanes);
    }
}

fn input_columns(g: &Geometry) -> usize {
    (g.out_width - 1) * g.stride + g.kernel
}

/// What is read of the copy of the input.
#[derive(Clone, Copy)]
struct View {
    /// Elements from a row to the next.
    row: usize,
    /// Elements from a block of channels to the next.
    block: usize,
    blocks: usize,
    kernel: usize,
    pixels: usize,
    stride: usize,
}

/// The rows of one image that the output rows from `top` need, as `[block, row, column, channel]` with their padding.
fn copy_blocks(g: &Geometry, image: &[f32], top: usize, rows: usize, scratch: &mut [f32]) {
    let (c, columns) = (g.in_channels, input_columns(g));
    for row in 0..rows {
        let y = (top * g.stride + row).checked_sub(g.top).filter(|y| *y < g.height);
        for column in 0..columns {
            let x = column.checked_sub(g.left).filter(|x| *x < g.width);
            let pixel = match (y, x) {
                (Some(y), Some(x)) => &image[(y * g.width + x) * c..(y * g.width + x + 1) * c],
                _ => &[],
            };
            for block in 0..c / BLOCK {
                let start = ((block * rows + row) * columns + column) * BLOCK;
                let cell = &mut scratch[start..start + BLOCK];
                match pixel.get(block * BLOCK..(block + 1) * BLOCK) {
                    Some(values) => cell.copy_from_slice(values),
                    None => cell.fill(0.0),
                }
            }
        }
    }
}

/// Makes the kernel of one instruction set: `y[p * pitch + lane] = sum of input[p, ..] * weight[.., lane]`.
#[cfg(target_arch = "x86_64")]
macro_rules! sums_kernel {
    ($name:ident, $features:literal, $vector:ty, $width:literal, $zero:ident, $load:ident, $all:ident, $fma:ident, $store:ident) => {
        /// # Safety
        /// The instruction set is there; `input` reaches as far as the last pixel of the last tap of the last block,
        /// `weight` holds `blocks * kernel * kernel * BLOCK` pairs of vectors, `y` as many rows as there are pixels.
        #[target_feature(enable = $features)]
        unsafe fn $name<const PIXELS: usize, const STRIDE: usize>(
            input: &[f32],
            weight: &[f32],
            view: View,
            y: &mut [f32],
            pitch: usize,
            lanes: usize,
        ) {
            use std::arch::x86_64::*;
            let mut sums: [[$vector; 2]; PIXELS] = [[$zero(); 2]; PIXELS];
            let mut w = weight.as_ptr();
            for block in 0..view.blocks {
                for ky in 0..view.kernel {
                    for kx in 0..view.kernel {
                        let start = block * view.block + ky * view.row + kx * BLOCK;
                        debug_assert!(start + (PIXELS - 1) * STRIDE * BLOCK + BLOCK <= input.len());
                        // SAFETY: inside `input` and `weight`, as the caller promises.
                        unsafe {
                            let x = input.as_ptr().add(start);
                            for i in 0..BLOCK {
                                let (first, second) = ($load(w), $load(w.add($width)));
                                for p in 0..PIXELS {
                                    let value = $all(*x.add(p * STRIDE * BLOCK + i));
                                    sums[p][0] = $fma(value, first, sums[p][0]);
                                    sums[p][1] = $fma(value, second, sums[p][1]);
                                }
                                w = w.add(2 * $width);
                            }
                        }
                    }
                }
            }
            let mut row = [0f32; 2 * $width];
            for (p, pair) in sums.iter().enumerate() {
                // SAFETY: the row holds two vectors.
                unsafe {
                    $store(row.as_mut_ptr(), pair[0]);
                    $store(row.as_mut_ptr().add($width), pair[1]);
                }
                y[p * pitch..p * pitch + lanes].copy_from_slice(&row[..lanes]);
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
sums_kernel!(
    sums_avx512,
    "avx512f",
    __m512,
    16,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_storeu_ps
);
#[cfg(target_arch = "x86_64")]
sums_kernel!(
    sums_avx2,
    "avx2,fma",
    __m256,
    8,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_storeu_ps
);

#[cfg(target_arch = "x86_64")]
fn sums(level: Level, input: &[f32], weight: &[f32], view: View, y: &mut [f32], pitch: usize, lanes: usize) {
    let vectors = view.blocks * view.kernel * view.kernel * BLOCK;
    let width = if level.is_avx512() { 32 } else { 16 };
    let last = (view.blocks - 1) * view.block
        + (view.kernel - 1) * (view.row + BLOCK)
        + ((view.pixels - 1) * view.stride + 1) * BLOCK;
    assert!(last <= input.len() && vectors * width == weight.len() && lanes <= width, "direct convolution");
    macro_rules! call {
        ($kernel:ident: $($pixels:literal)*) => {
            match (view.pixels, view.stride) {
                $(
                    // SAFETY: the level was detected; sizes were checked above.
                    ($pixels, 1) => unsafe { $kernel::<$pixels, 1>(input, weight, view, y, pitch, lanes) },
                    // SAFETY: as above.
                    ($pixels, 2) => unsafe { $kernel::<$pixels, 2>(input, weight, view, y, pitch, lanes) },
                )*
                _ => unreachable!("a plan has no such tile"),
            }
        };
    }
    if level.is_avx512() {
        call!(sums_avx512: 14 12 10 8 7 4);
    } else if level.is_avx2() {
        call!(sums_avx2: 6 5 4);
    } else {
        unreachable!("there is no plan for this level");
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn sums(_: Level, _: &[f32], _: &[f32], _: View, _: &mut [f32], _: usize, _: usize) {
    unreachable!("there is no plan for this processor");
}

#[cfg(test)]
mod tests {
    use super::super::convolution::{Packed, forward};
    use super::super::testing::{assert_near, noise};
    use super::*;
    use crate::nn::conv::Padding;
    use proptest::prelude::*;

    /// Every level against the plain one, which unfolds.
    fn check(dims: [usize; 4], out: usize, kernel: usize, stride: usize, padding: Padding) -> usize {
        let Ok(g) = Geometry::new(dims, out, kernel, stride, padding) else { return 0 };
        let (x, w) = (noise(g.input_len(), 1), noise(out * dims[3] * kernel * kernel, 2));
        let run = |level| {
            let mut y = vec![f32::NAN; g.output_len()];
            forward(&g, &x, &Packed::new(level, &g, &w), &mut y);
            y
        };
        let levels = Level::available();
        let plain = run(levels[0]);
        assert_eq!(Plan::new(levels[0], &g), None);
        for level in &levels {
            assert_near(&run(*level), &plain, 1e-5, &format!("{g:?} at {}", level.name()));
        }
        levels.iter().filter(|level| Plan::new(**level, &g).is_some()).count()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
        #[test]
        fn levels_agree(
            (batch, height, width) in (1usize..3, 1usize..20, 1usize..33),
            (blocks, out) in (1usize..4, 1usize..70),
            kernel in 2usize..6,
            stride in 1usize..3,
            padding in prop_oneof![Just(Padding::TensorFlowSame), (0usize..4).prop_map(Padding::Symmetric)],
        ) {
            check([batch, height, width, blocks * BLOCK], out, kernel, stride, padding);
        }
    }

    #[test]
    fn usual_layers_take_this_way() {
        let levels = Level::available().len() - 1;
        for (side, channels, stride) in
            [(56, 16, 1), (28, 32, 2), (14, 48, 1), (7, 64, 1), (13, 16, 1), (5, 16, 2)]
        {
            let used = check([1, side, side, channels], channels, 3, stride, Padding::Symmetric(1));
            // Two output columns are too few for a tile.
            let expected = if side.div_ceil(stride) < 4 { 0 } else { levels };
            assert_eq!(used, expected, "{side}");
        }
        assert_eq!(check([1, 20, 20, 3], 16, 3, 1, Padding::Symmetric(1)), 0, "three channels");
    }
}
