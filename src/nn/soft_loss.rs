//! Losses whose targets are not single classes, composed of Candle's operations: a head has few outputs, so they cost
//! next to nothing beside the network.

use candle_core::{D, Result, Tensor, bail};

/// The cross-entropy of smoothed (Szegedy et al. 2016) and weighted labels, as PyTorch's `CrossEntropyLoss` with
/// `label_smoothing` and `weight`: a sum over the batch, divided by the sum of the weights of its labels. `logits`
/// `[batch, classes]`, `weights` `[classes]`; a scalar.
///
/// # Errors
/// No samples, as many labels as samples not given, a label past the last class, and those of Candle.
pub fn soft_cross_entropy(
    logits: &Tensor,
    labels: &[u32],
    smoothing: f32,
    weights: Option<&[f32]>,
) -> Result<Tensor> {
    let (batch, classes) = logits.dims2()?;
    let has_weights = weights.is_none_or(|weights| weights.len() == classes);
    if batch == 0 || labels.len() != batch || labels.iter().any(|l| *l as usize >= classes) || !has_weights {
        bail!("a cross-entropy of {batch} samples over {classes} classes with the labels {labels:?}")
    }
    let weight = |class: usize| weights.and_then(|w| w.get(class)).copied().unwrap_or(1.0);
    let mut wanted = vec![0f32; batch * classes];
    let mut total = 0f64;
    for (row, label) in wanted.chunks_exact_mut(classes).zip(labels) {
        let label = *label as usize;
        for (class, value) in row.iter_mut().enumerate() {
            let share = smoothing / classes as f32 + if class == label { 1.0 - smoothing } else { 0.0 };
            *value = share * weight(class);
        }
        total += f64::from(weight(label));
    }
    let wanted = Tensor::from_vec(wanted, (batch, classes), logits.device())?.to_dtype(logits.dtype())?;
    let shifted = logits.broadcast_sub(&logits.detach().max_keepdim(D::Minus1)?)?;
    let log_total = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let log_probabilities = shifted.broadcast_sub(&log_total)?;
    log_probabilities.mul(&wanted)?.sum_all()? * (-1.0 / total.max(f64::MIN_POSITIVE))
}

/// The binary cross-entropy of logits, as PyTorch's `BCEWithLogitsLoss` with `pos_weight`: the mean over the batch and
/// the labels. `logits` `[batch, labels]`, `wanted` `[batch * labels]` between 0 and 1, `positive` `[labels]`; a scalar.
///
/// # Errors
/// Sizes that do not fit, and those of Candle.
pub fn binary_cross_entropy(logits: &Tensor, wanted: Vec<f32>, positive: Option<&[f32]>) -> Result<Tensor> {
    let (batch, labels) = logits.dims2()?;
    if batch * labels == 0 || positive.is_some_and(|weights| weights.len() != labels) {
        bail!("a binary cross-entropy of {batch} samples over {labels} labels")
    }
    let wanted = Tensor::from_vec(wanted, (batch, labels), logits.device())?.to_dtype(logits.dtype())?;
    // log(1 + exp(-x)) without overflow, and without a kink that a gradient would meet: m + log(exp(-m) + exp(-x - m)).
    let most = logits.detach().neg()?.relu()?;
    let softplus = ((most.neg()?.exp()? + (logits.neg()? - &most)?.exp()?)?.log()? + &most)?;
    let factor = match positive {
        None => softplus,
        Some(weights) => {
            let more: Vec<f32> = weights.iter().map(|weight| weight - 1.0).collect();
            let more = Tensor::from_vec(more, (1, labels), logits.device())?.to_dtype(logits.dtype())?;
            ((wanted.broadcast_mul(&more)? + 1.0)? * softplus)?
        }
    };
    // (1 - y) x + (1 + (p - 1) y) log(1 + exp(-x)).
    ((wanted.affine(-1.0, 1.0)? * logits)? + factor)?.mean_all()
}

/// The squared error, as PyTorch's `MSELoss`: the mean over the batch and the columns. `output` `[batch, columns]`,
/// `wanted` `[batch * columns]`; a scalar.
///
/// # Errors
/// Sizes that do not fit, and those of Candle.
pub fn squared_error(output: &Tensor, wanted: Vec<f32>) -> Result<Tensor> {
    let (batch, columns) = output.dims2()?;
    if batch * columns == 0 {
        bail!("a squared error of {batch} samples over {columns} columns")
    }
    let wanted = Tensor::from_vec(wanted, (batch, columns), output.device())?.to_dtype(output.dtype())?;
    output.sub(&wanted)?.sqr()?.mean_all()
}
