//! Layers with a fast forward and backward on Candle.
//!
//! A layer is a plain struct: its parameters ([`Param`]: a frozen tensor, or a `Var`) and a few
//! numbers. Its `forward` takes a tensor and gives one that carries gradients, by one of two paths:
//!
//! - **fast**: on the CPU in f32. One Candle custom op per layer runs the loops of [`kernels`] forward
//!   and backward. Gradients of parameters go into the [`Slot`]s that the optimiser owns, so that
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
//! To add a layer: one file here with the struct, `forward` (shape checks, then the two paths) and the
//! custom op. To add a kernel: one file in [`kernels`] with `#[inline(always)]` bodies, instantiated
//! by `multiversion!`, and drivers that split the work; a test there compares the instruction sets,
//! the test of the layer compares the paths. To make a layer faster, change its kernel file only.

pub mod activation;
pub mod adamw;
pub mod attention;
pub mod batch_norm;
pub mod conv;
pub mod depthwise;
pub mod dropout;
pub mod embedding;
pub mod kernels;
pub mod layer_norm;
pub mod linear;
pub mod loss;
mod op;
pub mod param;
pub mod pool;
#[cfg(test)]
mod goldens;
#[cfg(test)]
mod testing;

pub use activation::Activation;
pub use adamw::{AdamW, adamw_update, adamw_update_composed};
pub use attention::attention;
pub use batch_norm::BatchNorm;
pub use conv::{Conv2d, Padding};
pub use depthwise::DepthwiseConv2d;
pub use dropout::{Dropout, dropout_add};
pub use embedding::Embedding;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use loss::{cross_entropy, softmax_rows};
pub use op::{composed, is_fast};
pub use param::{Gradient, Param, Slot};
pub use pool::{global_average_pool, mean_tokens};

/// The instruction set that the kernels use, for the run record: `avx512`, `avx2`, `neon` or `plain`.
/// `FROSTLINE_SIMD=off|avx2|avx512` caps it. Products of matrices go through the `gemm` crate, which
/// makes its own choice.
pub fn simd_level() -> &'static str {
    kernels::Level::current().name()
}
