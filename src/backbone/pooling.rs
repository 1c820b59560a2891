//! How hidden states become one feature vector for each sample.

use super::Boundary;
use crate::nn::{global_average_pool, mean_tokens};
use candle_core::{DType, Tensor};

/// What is taken of the hidden states, and what becomes of its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pooling {
    pub gather: Gather,
    pub scale: Scale,
}

/// What is taken of the hidden states of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gather {
    /// The mean over the pixels: `[batch, height, width, channels]` to `[batch, channels]`.
    GlobalAverage,
    /// The mean over the tokens of each text: `[tokens, features]` to `[batch, features]`.
    MeanTokens,
    /// The largest value of each feature over the tokens of each text.
    MaxTokens,
    /// The first token of each text: `[CLS]`.
    FirstToken,
    LastToken,
}

/// What becomes of the feature vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    AsItIs,
    /// Its Euclidean norm becomes 1, as with a `Normalize` module of sentence-transformers.
    UnitLength,
}

impl Pooling {
    /// The feature vector as it is gathered.
    pub const fn plain(gather: Gather) -> Self {
        Self { gather, scale: Scale::AsItIs }
    }

    /// All that texts can be pooled with.
    pub fn of_tokens() -> impl Iterator<Item = Self> {
        let gathers = [Gather::MeanTokens, Gather::MaxTokens, Gather::FirstToken, Gather::LastToken];
        let scales = [Scale::AsItIs, Scale::UnitLength];
        gathers.into_iter().flat_map(move |gather| scales.map(|scale| Self { gather, scale }))
    }

    /// As cache keys, records and manifests have it.
    pub fn name(self) -> &'static str {
        match (self.gather, self.scale) {
            (Gather::GlobalAverage, Scale::AsItIs) => "global_average",
            (Gather::MeanTokens, Scale::AsItIs) => "mean_tokens",
            (Gather::MaxTokens, Scale::AsItIs) => "max_tokens",
            (Gather::FirstToken, Scale::AsItIs) => "first_token",
            (Gather::LastToken, Scale::AsItIs) => "last_token",
            (Gather::GlobalAverage, Scale::UnitLength) => "global_average, normalised",
            (Gather::MeanTokens, Scale::UnitLength) => "mean_tokens, normalised",
            (Gather::MaxTokens, Scale::UnitLength) => "max_tokens, normalised",
            (Gather::FirstToken, Scale::UnitLength) => "first_token, normalised",
            (Gather::LastToken, Scale::UnitLength) => "last_token, normalised",
        }
    }

    /// From the hidden states of the uppermost part to features.
    pub(super) fn forward(self, state: &Boundary) -> candle_core::Result<Boundary> {
        let hidden = match self.gather {
            Gather::GlobalAverage => global_average_pool(&state.hidden)?,
            Gather::MeanTokens => mean_tokens(&state.hidden, state.token_lengths()?)?,
            Gather::MaxTokens => largest(&state.hidden, state.token_lengths()?)?,
            Gather::FirstToken => rows(state, |start, _| start)?,
            Gather::LastToken => rows(state, |start, length| (start + length).saturating_sub(1))?,
        };
        let hidden = match self.scale {
            Scale::AsItIs => hidden,
            Scale::UnitLength => unit_length(&hidden)?,
        };
        Ok(Boundary { hidden, lengths: None })
    }
}

/// One token of each text; `which` gets where the text starts and how long it is.
fn rows(state: &Boundary, which: impl Fn(usize, usize) -> usize) -> candle_core::Result<Tensor> {
    let mut start = 0;
    let mut chosen = Vec::new();
    for length in state.token_lengths()? {
        chosen.push(which(start, *length) as u32);
        start += length;
    }
    let count = chosen.len();
    state.hidden.contiguous()?.index_select(&Tensor::from_vec(chosen, count, state.hidden.device())?, 0)
}

/// The largest value of each feature; the gradient goes to the one token that it is of.
fn largest(hidden: &Tensor, lengths: &[usize]) -> candle_core::Result<Tensor> {
    let mut start = 0;
    let mut texts = Vec::with_capacity(lengths.len());
    for length in lengths {
        let tokens = hidden.narrow(0, start, *length)?.contiguous()?;
        let which = tokens.detach().argmax_keepdim(0)?;
        texts.push(tokens.gather(&which, 0)?);
        start += length;
    }
    Tensor::cat(&texts, 0)
}

/// As `torch.nn.functional.normalize`: a vector of nothing but zeros stays one.
fn unit_length(features: &Tensor) -> candle_core::Result<Tensor> {
    /// The square of PyTorch's smallest norm, 1e-12.
    const SMALLEST: f64 = 1e-24;
    let squares = features.to_dtype(DType::F32)?.sqr()?.sum_keepdim(1)?;
    features.broadcast_div(&squares.maximum(SMALLEST)?.sqrt()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    /// Two texts, of three tokens and of one.
    fn state(tokens: &Tensor) -> Boundary {
        Boundary { hidden: tokens.clone(), lengths: Some(vec![3, 1].into()) }
    }

    fn pooled(gather: Gather, scale: Scale) -> Vec<Vec<f32>> {
        let tokens = [[1f32, -5.0], [3.0, 4.0], [2.0, -1.0], [0.0, 0.0]];
        let tokens = Tensor::new(&tokens, &Device::Cpu).unwrap();
        Pooling { gather, scale }.forward(&state(&tokens)).unwrap().hidden.to_vec2().unwrap()
    }

    #[test]
    fn each_pooling_takes_what_it_says() {
        let check = |gather, expected: [[f32; 2]; 2]| assert_eq!(pooled(gather, Scale::AsItIs), expected);
        check(Gather::FirstToken, [[1.0, -5.0], [0.0, 0.0]]);
        check(Gather::LastToken, [[2.0, -1.0], [0.0, 0.0]]);
        check(Gather::MaxTokens, [[3.0, 4.0], [0.0, 0.0]]);
        assert_eq!(pooled(Gather::MaxTokens, Scale::UnitLength), [[0.6, 0.8], [0.0, 0.0]]);
    }

    #[test]
    fn gradients_go_to_the_tokens_that_were_taken() {
        let tokens = [[1f32, -5.0], [3.0, 4.0], [2.0, -1.0], [0.5, 0.0]];
        let gradient = |gather, scale| {
            let tokens = Var::new(&tokens, &Device::Cpu).unwrap();
            let features = Pooling { gather, scale }.forward(&state(tokens.as_tensor())).unwrap().hidden;
            let weights = Tensor::new(&[[1f32, 10.0], [100.0, 1000.0]], &Device::Cpu).unwrap();
            let loss = (features * weights).unwrap().sum_all().unwrap();
            loss.backward().unwrap().get(&tokens).unwrap().to_vec2::<f32>().unwrap()
        };
        let none = vec![0.0, 0.0];
        let (one, other) = (vec![1.0, 10.0], vec![100.0, 1000.0]);
        let check = |gather, rows: [&Vec<f32>; 4]| {
            assert_eq!(gradient(gather, Scale::AsItIs), rows.map(Clone::clone).to_vec());
        };
        check(Gather::FirstToken, [&one, &none, &none, &other]);
        check(Gather::LastToken, [&none, &none, &one, &other]);
        check(Gather::MaxTokens, [&none, &one, &none, &other]);
        // Of x / |x|: (w - (w x) x / |x|²) / |x|, for x = (3, 4) and w = (1, 10).
        let unit = gradient(Gather::MaxTokens, Scale::UnitLength);
        let expected = [(1.0 - 43.0 * 3.0 / 25.0) / 5.0, (10.0 - 43.0 * 4.0 / 25.0) / 5.0];
        assert!(unit[1].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{unit:?}");
    }
}
