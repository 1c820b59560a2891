//! Layers with a fast forward and backward on Candle.
//!
//! A layer is a plain struct: its parameters ([`Param`]: a frozen tensor, or a `Var`) and a few
//! numbers. Its `forward` takes a tensor and gives one that carries gradients, by one of two paths:
//!
//! - **fast**: on the CPU in f32. One Candle custom op per layer, or for a chain of convolutions with
//!   their norms ([`conv_norm_chain`]), runs the loops of [`kernels`] forward and backward. Gradients of parameters go into the [`Slot`]s that the optimiser owns, so that
//!   nothing is allocated or copied for them. What is frozen gets no gradient, an input that is not
//!   tracked gets none either, and nothing is kept for a backward pass that will not come.
//! - **composed**: everywhere else, and on the CPU with `FROSTLINE_COMPOSED=1`. The same layer out of
//!   Candle's own operations, so that CUDA and Metal train too. Slots stay empty then: gradients
//!   arrive in Candle's `GradStore`.
//!
//! The tests compare the two paths with each other, with plain loops and with PyTorch (`goldens/`).
//! Images are `[batch, height, width, channels]` inside this folder; weights keep the layout of weight
//! files. Text is packed: `[tokens, features]`, sequences one after another, no padding.
//!
//! To add a layer: one file here with the struct, `forward` (shape checks, then the two paths) and its
//! `Op` (see `op.rs`), which speaks of slices only. To add a kernel: one file in [`kernels`] with `#[inline(always)]` bodies, instantiated
//! by `multiversion!`, and drivers that split the work; a test there compares the instruction sets,
//! the test of the layer compares the paths. To make a layer faster, change its kernel file only.

/// Raised whenever a kernel changes what comes out of frozen layers: features that were cached, and runs that were trained
/// on them, are not mixed with others.
pub const NUMERICS_VERSION: u32 = 2;

pub mod activation;
pub mod adamw;
pub mod attention;
pub mod avg_pool;
pub mod batch_norm;
pub mod channels_last;
pub mod conv;
pub mod conv_norm;
pub mod depthwise;
pub mod dropout;
pub mod embedding;
#[cfg(test)]
mod goldens;
pub mod kernels;
pub mod layer_norm;
pub mod linear;
pub mod loss;
pub mod max_pool;
mod op;
pub mod param;
pub mod pool;
pub mod residual;
mod select_rows;
pub mod sgd;
mod soft_loss;
pub mod squeeze_excite;
#[cfg(test)]
mod testing;
pub mod update;

pub use activation::Activation;
pub use adamw::{AdamW, adamw_update, adamw_update_composed};
pub use attention::attention;
pub use avg_pool::AvgPool2d;
pub use batch_norm::BatchNorm;
pub use channels_last::channels_last;
pub use conv::{Conv2d, Padding};
pub use conv_norm::{ConvNorm, Convolution, conv_norm_chain};
pub use depthwise::DepthwiseConv2d;
pub use dropout::{Dropout, dropout_add};
pub use embedding::Embedding;
pub use kernels::candle_pool::let_idle_threads_sleep;
pub use kernels::cuda_stream::cuda_device;
pub use kernels::memory::FreedMemoryKept;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use loss::{cross_entropy, softmax_rows};
pub use max_pool::MaxPool2d;
pub use op::{composed, is_fast};
pub use param::{Gradient, Param, Slot, Statistic};
pub use pool::{global_average_pool, mean_tokens};
pub use residual::add_relu;
pub use sgd::{Sgd, sgd_update, sgd_update_composed};
pub use soft_loss::{binary_cross_entropy, soft_cross_entropy, squared_error};
pub use squeeze_excite::SqueezeExcite;
pub use update::{clip_factor, prepare_moment, square_sum, square_sum_composed, update_in_place};

/// What decides the last bits of a result: the instruction set, or `composed`.
pub fn path_name() -> &'static str {
    if composed() { "composed" } else { simd_level() }
}

/// The instruction set that the kernels use, for the run record: `avx512`, `avx2`, `neon` or `plain`.
/// `FROSTLINE_SIMD=off|avx2|avx512` caps it. Products of matrices go through the `gemm` crate, which
/// makes its own choice.
pub fn simd_level() -> &'static str {
    kernels::Level::current().name()
}

#[cfg(test)]
mod tests {
    use super::testing::{values, var};
    use super::*;

    /// Results and gradients of a step through every kind of reduction, in a pool of its own.
    fn step(threads: usize) -> Vec<f32> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let param = |shape: &[usize], seed| {
                let var = var(shape.to_vec(), seed);
                (Param::trainable(&var, None), var)
            };
            let x = var((4, 9, 7, 24), 1);
            let (weight, dw) = param(&[24, 1, 3, 3], 2);
            let y =
                DepthwiseConv2d { weight, stride: 1, padding: Padding::Symmetric(1) }.forward(&x).unwrap();
            let ((weight, w), (bias, b)) = (param(&[24], 3), param(&[24], 4));
            let y = LayerNorm { weight, bias, eps: 1e-5 }.forward(&y).unwrap();
            let y = AvgPool2d { kernel: 3, stride: 1, padding: Padding::Symmetric(1), counts_padding: false }
                .forward(&y)
                .unwrap();
            let ((reduce, r), (expand, e)) = (param(&[6, 24, 1, 1], 7), param(&[24, 6, 1, 1], 8));
            let gate = |weight, activation| Linear { weight, bias: None, activation };
            let (reduce, expand) = (gate(reduce, Activation::HardSwish), gate(expand, Activation::Sigmoid));
            let y = SqueezeExcite { reduce, expand }.forward(&y).unwrap();
            let (weight, conv) = param(&[12, 24, 3, 3], 5);
            let conv2d = Conv2d { weight, bias: None, stride: 2, padding: Padding::TensorFlowSame };
            let y = conv2d.forward(&y).unwrap().flatten(0, 2).unwrap();
            let y = attention(&y, &y, &y, &[30, 50], 3, Dropout { probability: 0.1, key: 9 }).unwrap();
            let (weight, head) = param(&[5, 12], 6);
            let head_layer = Linear { weight, bias: None, activation: Activation::GeluErf };
            let logits = head_layer.forward(&mean_tokens(&y, &[70, 10]).unwrap()).unwrap();
            let loss = cross_entropy(&logits, &[3, 1]).unwrap();
            let store = loss.backward().unwrap();
            let mut all = values(&loss);
            for var in [&x, &dw, &w, &b, &r, &e, &conv, &head] {
                all.extend(values(store.get(var).unwrap()));
            }
            all
        })
    }

    #[test]
    fn a_step_is_the_same_to_the_bit_for_the_same_number_of_threads() {
        for threads in [1, 3] {
            let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            let first = bits(step(threads));
            for _ in 0..5 {
                assert!(bits(step(threads)) == first, "{threads} threads");
            }
        }
        kernels::testing::assert_near(&step(3), &step(1), 1e-4, "3 threads against 1");
    }
}
