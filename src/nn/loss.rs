//! The loss of classification.

use super::kernels::Level;
use super::kernels::attention::softmax_rows as softmax_in_place;
use super::op::{Argument, Custom, Input, Op, Saved, is_fast, tensor};
use candle_core::{D, Result, Shape, Tensor, bail};

/// The mean over the batch of `-log softmax(logits)[label]`, a scalar. `logits` `[batch, classes]`.
///
/// # Errors
/// No samples, as many labels as samples not given, a label past the last class, and those of Candle.
pub fn cross_entropy(logits: &Tensor, labels: &[u32]) -> Result<Tensor> {
    let (batch, classes) = logits.dims2()?;
    if batch == 0 || labels.len() != batch {
        bail!("cross-entropy of {batch} samples with {} labels", labels.len())
    }
    if let Some(label) = labels.iter().find(|l| **l as usize >= classes) {
        bail!("cross-entropy over {classes} classes was given the label {label}")
    }
    if !is_fast(logits) {
        return cross_entropy_composed(logits, labels);
    }
    let op = CrossEntropyOp { labels: labels.to_vec(), keep: logits.track_op(), gradient: Saved::default() };
    logits.contiguous()?.apply_op1(Custom(op))
}

pub(super) fn cross_entropy_composed(logits: &Tensor, labels: &[u32]) -> Result<Tensor> {
    let (batch, classes) = logits.dims2()?;
    let logits = logits.contiguous()?;
    let shifted = logits.broadcast_sub(&logits.detach().max_keepdim(D::Minus1)?)?;
    let log_total = shifted.exp()?.sum(D::Minus1)?.log()?;
    let mut chosen = vec![0f32; batch * classes];
    for (row, label) in chosen.chunks_exact_mut(classes).zip(labels) {
        row[*label as usize] = 1.0;
    }
    let chosen = Tensor::from_vec(chosen, (batch, classes), logits.device())?;
    let picked = shifted.mul(&chosen.to_dtype(logits.dtype())?)?.sum(D::Minus1)?;
    log_total.sub(&picked)?.mean_all()
}

/// The softmax of each row of `[.., classes]`, for answers outside a graph.
pub fn softmax_rows(logits: &[f32], classes: usize) -> Vec<f32> {
    let mut probabilities = logits.to_vec();
    if classes > 0 {
        softmax_in_place(Level::current(), &mut probabilities, classes);
    }
    probabilities
}

struct CrossEntropyOp {
    labels: Vec<u32>,
    keep: bool,
    /// The gradient for a loss of weight 1: (softmax - chosen) / batch.
    gradient: Saved,
}

impl Op<1> for CrossEntropyOp {
    const NAME: &'static str = "cross-entropy";

    fn forward(&self, [logits]: [Input; 1]) -> Result<(Vec<f32>, Shape)> {
        let (_, classes) = logits.shape.dims2()?;
        let mut total = 0f64;
        for (row, label) in logits.values.chunks_exact(classes).zip(&self.labels) {
            let top = row.iter().fold(f32::NEG_INFINITY, |m, v| m.max(*v));
            let sum: f64 = row.iter().map(|v| f64::from(v - top).exp()).sum();
            total += sum.ln() - f64::from(row[*label as usize] - top);
        }
        let batch = self.labels.len();
        if self.keep {
            let mut gradient = softmax_rows(logits.values, classes);
            let scale = 1.0 / batch as f32;
            for (row, label) in gradient.chunks_exact_mut(classes).zip(&self.labels) {
                row[*label as usize] -= 1.0;
                row.iter_mut().for_each(|v| *v *= scale);
            }
            self.gradient.put(gradient);
        }
        Ok((vec![(total / batch as f64) as f32], ().into()))
    }

    fn backward(&self, [logits]: [Argument; 1], _: Argument, d: Argument) -> Result<[Option<Tensor>; 1]> {
        let mut gradient = self.gradient.take()?;
        let weight = d.values.first().copied().unwrap_or(0.0);
        gradient.iter_mut().for_each(|v| *v *= weight);
        Ok([Some(tensor(gradient, logits.tensor.shape())?)])
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::testing::assert_near;
    use super::super::testing::{assert_agree, assert_slopes, values, var};
    use super::*;
    use candle_core::Device;

    #[test]
    fn paths_agree() {
        for (batch, classes) in [(1, 1), (1, 2), (9, 5), (33, 100)] {
            let logits = var((batch, classes), 1);
            let labels: Vec<u32> = (0..batch as u32).map(|i| i * 7 % classes as u32).collect();
            assert_agree(
                &format!("{batch} x {classes}"),
                &[&logits],
                || cross_entropy(&logits, &labels),
                || cross_entropy_composed(&logits, &labels),
            );
            assert_slopes("cross-entropy", &[&logits], || cross_entropy(&logits, &labels));
        }
    }

    #[test]
    fn extreme_logits_stay_finite() {
        let logits = Tensor::new(&[[1000f32, -1000.], [-1000., 1000.]], &Device::Cpu).unwrap();
        let loss = |labels: &[u32]| values(&cross_entropy(&logits, labels).unwrap())[0];
        assert_eq!(loss(&[0, 1]), 0.0);
        assert_eq!(loss(&[1, 0]), 2000.0);
    }

    #[test]
    fn not_a_number_shows_in_the_loss() {
        let logits = Tensor::new(&[[f32::NAN, 0.0]], &Device::Cpu).unwrap();
        assert!(values(&cross_entropy(&logits, &[0]).unwrap())[0].is_nan());
    }

    #[test]
    fn rows_of_probabilities() {
        let p = softmax_rows(&[0.0, 0.0, 0.0, 2f32.ln()], 2);
        assert_near(&p, &[0.5, 0.5, 1.0 / 3.0, 2.0 / 3.0], 1e-6, "softmax");
        assert!(softmax_rows(&[], 3).is_empty());
    }

    #[test]
    fn wrong_labels_are_errors() {
        let logits = var((2, 3), 1);
        assert!(cross_entropy(&logits, &[0]).is_err());
        let error = cross_entropy(&logits, &[0, 3]).unwrap_err().to_string();
        assert!(error.contains("label 3"), "{error}");
    }
}
