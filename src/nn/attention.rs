//! Scaled dot-product attention over packed sequences.

use super::dropout::Dropout;
use super::kernels::Level;
use super::kernels::attention::{self as kernel, Batch};
use super::kernels::fresh::zeros;
use super::op::{Argument, Custom, Input, Op, Saved, is_fast, tensor};
use super::select_rows::SelectRows;
use candle_core::{D, Device, Result, Shape, Tensor, bail};

/// `dropout(softmax(q k^T / sqrt(size))) v` inside each sequence and head (Vaswani et al. 2017).
/// `q`, `k`, `v` and the result are `[tokens, heads * size]`: the tokens of all sequences one after
/// another without padding, `lengths` tokens each. Dropout falls on the probabilities.
///
/// # Errors
/// Shapes that differ, lengths that do not add up to the tokens or are zero, features that do not part
/// evenly into heads, a probability outside 0..1, and those of Candle.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    lengths: &[usize],
    heads: usize,
    dropout: Dropout,
) -> Result<Tensor> {
    let batch = batch(q, k, v, lengths, heads, dropout)?;
    if !is_fast(q) {
        return attention_composed(q, k, v, &batch);
    }
    let keep = q.track_op() || k.track_op() || v.track_op();
    let op = AttentionOp { batch, keep, probabilities: Saved::default() };
    q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, Custom(op))
}

fn batch(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    lengths: &[usize],
    heads: usize,
    dropout: Dropout,
) -> Result<Batch> {
    dropout.check()?;
    let (tokens, width) = q.dims2()?;
    if k.shape() != q.shape() || v.shape() != q.shape() {
        bail!(
            "attention over queries {:?}, keys {:?} and values {:?}: the shapes must be the same",
            q.shape(),
            k.shape(),
            v.shape()
        )
    }
    if heads == 0 || width == 0 || width % heads != 0 {
        bail!("attention: {width} features do not part evenly into {heads} heads")
    }
    check_lengths(lengths, tokens)?;
    Ok(Batch { lengths: lengths.to_vec(), heads, size: width / heads, dropout })
}

/// Fails unless the lengths are positive and add up to the tokens.
pub(super) fn check_lengths(lengths: &[usize], tokens: usize) -> Result<()> {
    let total: usize = lengths.iter().sum();
    if lengths.contains(&0) || total != tokens {
        bail!(
            "{} sequences of {total} tokens in all were announced and {tokens} tokens given; every \
             sequence needs at least one token",
            lengths.len()
        )
    }
    Ok(())
}

/// Out of Candle's own operations: sequences are padded to the longest, and padded keys masked.
pub(super) fn attention_composed(q: &Tensor, k: &Tensor, v: &Tensor, batch: &Batch) -> Result<Tensor> {
    let longest = batch.lengths.iter().copied().max().unwrap_or(0);
    let (count, device) = (batch.lengths.len(), q.device());
    let padding = Padded::new(&batch.lengths, longest);
    let rows = Tensor::new(&padding.rows[..], device)?;
    let places = Tensor::new(&padding.places[..], device)?;
    let split = |x: &Tensor| -> Result<Tensor> {
        SelectRows { rows: rows.clone(), back: places.clone() }
            .of(x)?
            .reshape((count, longest, batch.heads, batch.size))?
            .transpose(1, 2)?
            .contiguous()
    };
    let scale = 1.0 / (batch.size as f64).sqrt();
    let scores = (split(q)?.matmul(&split(k)?.t()?.contiguous()?)? * scale)?;
    let mask = Tensor::from_vec(padding.mask, (count, 1, 1, longest), &Device::Cpu)?;
    let scores = scores.broadcast_add(&mask.to_device(device)?.to_dtype(q.dtype())?)?;
    let top = scores.detach().contiguous()?.max_keepdim(D::Minus1)?;
    let weights = scores.broadcast_sub(&top)?.exp()?;
    let p = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
    let p = if batch.dropout.is_none() {
        p
    } else {
        p.mul(&padded_factors(batch, longest)?.to_device(device)?.to_dtype(q.dtype())?)?
    };
    let out = p.matmul(&split(v)?)?.transpose(1, 2)?.contiguous()?;
    let out = out.reshape((count * longest, batch.heads * batch.size))?;
    SelectRows { rows: places.clone(), back: rows.clone() }.of(&out)
}

/// How packed rows and padded rows correspond.
struct Padded {
    /// For each padded row the packed row that it shows; `u32::MAX` where it is padding.
    rows: Vec<u32>,
    /// For each packed row its padded place.
    places: Vec<u32>,
    /// Added to the scores of a key: 0, or very negative for padding.
    mask: Vec<f32>,
}

impl Padded {
    fn new(lengths: &[usize], longest: usize) -> Self {
        let mut padded = Self { rows: Vec::new(), places: Vec::new(), mask: Vec::new() };
        let mut row = 0;
        for length in lengths {
            for token in 0..longest {
                if token < *length {
                    padded.places.push(padded.rows.len() as u32);
                    padded.rows.push(row);
                    padded.mask.push(0.0);
                    row += 1;
                } else {
                    padded.rows.push(u32::MAX);
                    padded.mask.push(-1e30);
                }
            }
        }
        padded
    }
}

/// The dropout factors of the packed probabilities at their padded places:
/// `[sequences, heads, longest, longest]`.
fn padded_factors(batch: &Batch, longest: usize) -> Result<Tensor> {
    let packed = batch.dropout.factors(batch.probabilities());
    let mut factors = vec![0f32; batch.lengths.len() * batch.heads * longest * longest];
    let mut rest = &packed[..];
    for (matrix, length) in factors
        .chunks_exact_mut(longest * longest)
        .zip(batch.lengths.iter().flat_map(|l| std::iter::repeat_n(*l, batch.heads)))
    {
        for row in matrix.chunks_exact_mut(longest).take(length) {
            let (values, after) = rest.split_at(length);
            row[..length].copy_from_slice(values);
            rest = after;
        }
    }
    tensor(factors, (batch.lengths.len(), batch.heads, longest, longest))
}

struct AttentionOp {
    batch: Batch,
    keep: bool,
    probabilities: Saved,
}

impl Op<3> for AttentionOp {
    const NAME: &'static str = "attention";

    fn forward(&self, qkv: [Input; 3]) -> Result<(Vec<f32>, Shape)> {
        let shape = qkv[0].shape.clone();
        let qkv = qkv.map(|input| input.values);
        let mut out = zeros(qkv[0].len());
        if self.keep {
            let mut probabilities = zeros(self.batch.probabilities());
            kernel::forward(Level::current(), &self.batch, qkv, &mut out, Some(&mut probabilities));
            self.probabilities.put(probabilities);
        } else {
            kernel::forward(Level::current(), &self.batch, qkv, &mut out, None);
        }
        Ok((out, shape))
    }

    fn backward(&self, qkv: [Argument; 3], _: Argument, d_out: Argument) -> Result<[Option<Tensor>; 3]> {
        let p = self.probabilities.take()?;
        let [q, k, v] = qkv;
        let [mut dq, mut dk, mut dv] = qkv.map(|x| zeros(x.values.len()));
        let gradients = [&mut dq[..], &mut dk[..], &mut dv[..]];
        let qkv = qkv.map(|x| x.values);
        kernel::backward(Level::current(), &self.batch, qkv, &p, d_out.values, gradients);
        // The three share most of the work, so they are computed together and given where wanted.
        Ok([q.give(dq)?, k.give(dk)?, v.give(dv)?])
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_agree, assert_slopes, values, var};
    use super::*;
    use candle_core::Var;
    use proptest::prelude::*;

    fn qkv(tokens: usize, width: usize) -> [Var; 3] {
        [1, 2, 3].map(|seed| var((tokens, width), seed))
    }

    fn check(lengths: &[usize], heads: usize, size: usize, dropout: Dropout) {
        let [q, k, v] = qkv(lengths.iter().sum(), heads * size);
        assert_agree(
            &format!("{lengths:?}, {heads} heads of {size}, {dropout:?}"),
            &[&q, &k, &v],
            || attention(&q, &k, &v, lengths, heads, dropout),
            || attention_composed(&q, &k, &v, &batch(&q, &k, &v, lengths, heads, dropout)?),
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]
        #[test]
        fn paths_agree(
            lengths in proptest::collection::vec(1usize..20, 1..5),
            heads in 1usize..4,
            size in 1usize..9,
            probability in prop_oneof![Just(0f32), Just(0.3)],
        ) {
            check(&lengths, heads, size, Dropout { probability, key: 11 });
        }
    }

    #[test]
    fn gradients_are_slopes() {
        let [q, k, v] = qkv(6, 4);
        for probability in [0.0, 0.4] {
            let dropout = Dropout { probability, key: 5 };
            assert_slopes("attention", &[&q, &k, &v], || attention(&q, &k, &v, &[2, 4], 2, dropout));
        }
    }

    #[test]
    fn sequences_do_not_see_each_other() {
        let [q, k, v] = qkv(5, 4);
        let together = attention(&q, &k, &v, &[2, 3], 2, Dropout::NONE).unwrap();
        let rows = |x: &Tensor| x.narrow(0, 2, 3).unwrap();
        let alone = attention(&rows(&q), &rows(&k), &rows(&v), &[3], 2, Dropout::NONE).unwrap();
        assert_eq!(values(&rows(&together)), values(&alone));
    }

    #[test]
    fn only_tracked_inputs_get_gradients() {
        let [q, k, v] = qkv(4, 2);
        let (q, k) = (q.as_detached_tensor(), k.as_detached_tensor());
        let out = attention(&q, &k, &v, &[4], 1, Dropout::NONE).unwrap();
        let store = out.sum_all().unwrap().backward().unwrap();
        assert!(store.get(&q).is_none() && store.get(&k).is_none() && store.get(&v).is_some());
        let v = v.as_detached_tensor();
        assert!(!attention(&q, &k, &v, &[4], 1, Dropout::NONE).unwrap().track_op());
    }

    #[test]
    fn wrong_arguments_are_errors() {
        let [q, k, v] = qkv(4, 6);
        for (lengths, heads) in [(&[3usize][..], 2), (&[4, 0], 2), (&[4], 4), (&[4], 0)] {
            assert!(attention(&q, &k, &v, lengths, heads, Dropout::NONE).is_err());
        }
        assert!(attention(&q, &k, &var((4, 3), 1), &[4], 1, Dropout::NONE).is_err());
    }
}
