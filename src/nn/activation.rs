//! The function after a layer.

use candle_core::{Result, Tensor};

/// What a linear layer or a batch norm applies to its result, element by element. Fused with the layer
/// on the fast path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    #[default]
    None,
    /// max(x, 0); the slope at 0 is 0, as in PyTorch.
    Relu,
    /// min(max(x, 0), 6); the slope at 0 and at 6 is 0, as in PyTorch.
    Relu6,
    /// x times the normal distribution function, exactly (Hendrycks and Gimpel 2016): BERT, ViT.
    GeluErf,
    /// The same with tanh in place of erf: the approximation in that paper.
    GeluTanh,
    /// x / (1 + e^-x), also called swish.
    Silu,
    /// x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019): MobileNetV3; the slope at -3 is 0, at 3 it is 1, as in
    /// PyTorch.
    HardSwish,
    /// 1 / (1 + e^-x): a gate.
    Sigmoid,
    /// min(max(x + 3, 0), 6) / 6: the same of straight lines; the slope at -3 and at 3 is 0, as in PyTorch.
    HardSigmoid,
}

impl Activation {
    /// Every activation, none included.
    pub const ALL: [Activation; 9] = [
        Activation::None,
        Activation::Relu,
        Activation::Relu6,
        Activation::GeluErf,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::HardSwish,
        Activation::Sigmoid,
        Activation::HardSigmoid,
    ];

    /// Whether the slope can be told from the result alone, so that the argument need not be kept.
    pub(super) fn slope_is_known_from_result(self) -> bool {
        matches!(self, Activation::Relu | Activation::Relu6)
    }

    /// Out of Candle's own operations; any shape and device.
    pub(super) fn composed(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Activation::None => Ok(x.clone()),
            Activation::Relu => x.mul(&step(x, 0.0)?),
            Activation::Relu6 => {
                // Candle's own clamp has a slope at the corners.
                let above = x.detach().ge(6.0)?.to_dtype(x.dtype())?;
                let inside = step(x, 0.0)?.sub(&above)?;
                x.mul(&inside)? + above.affine(6.0, 0.0)?
            }
            Activation::GeluErf => x.gelu_erf(),
            Activation::GeluTanh => x.gelu(),
            Activation::Silu => x.silu(),
            Activation::HardSwish => x.mul(&hard_sigmoid(x)?),
            // Without an exponential that overflows far from 0.
            Activation::Sigmoid => x.affine(0.5, 0.0)?.tanh()?.affine(0.5, 0.5),
            Activation::HardSigmoid => hard_sigmoid(x),
        }
    }
}

fn hard_sigmoid(x: &Tensor) -> Result<Tensor> {
    let above = x.detach().ge(3.0)?.to_dtype(x.dtype())?;
    let inside = step(x, -3.0)?.sub(&above)?;
    x.affine(1.0 / 6.0, 0.5)?.mul(&inside)? + above
}

/// 1 where x > `at`, else 0; a constant for the backward pass.
fn step(x: &Tensor, at: f64) -> Result<Tensor> {
    // Of one dimension: on a GPU each dimension over which Candle spreads a number takes its time.
    x.detach().flatten_all()?.gt(at)?.to_dtype(x.dtype())?.reshape(x.shape())
}
