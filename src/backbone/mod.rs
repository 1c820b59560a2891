//! What a pretrained network is.
//!
//! A family (`families/`) turns a `config.json` into an [`Architecture`]: the [`LayerTree`], the cuts at
//! which the network can be parted, and a way to load each segment, the part between two cuts. The
//! [`FreezeMask`] says which leaves are trained; the highest cut with nothing thawed below it is the
//! frostline. Segments below it are the trunk, segments above it the top.
//!
//! A family describes each layer once ([`network`], `families/layers.rs`): tree, cuts and loading follow. A new one is
//! one file and one line in [`families`].

pub mod aliases;
pub mod cut;
pub mod families;
pub mod family;
pub mod layer_tree;
mod mapped;
pub mod mask;
pub mod network;
pub mod pooling;
pub mod processor;
pub mod registry;
pub mod sentence;
pub mod shards;
pub mod spec;
pub mod weights;

pub use aliases::Aliases;
pub use cut::{Cut, CutName};
pub use layer_tree::{Dim, Kind, LayerTree, Leaf, Node, Role, TensorSpec};
pub use mask::{FreezeMask, FreezeState, LeafState};
pub use pooling::Pooling;
pub use spec::{Backbone, InputSize, InputSpec};
pub use weights::WeightFile;

use crate::nn::{Dropout, Param, Statistic};
use crate::problem::Result;
use candle_core::{Device, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// A network without weights: everything that follows from its configuration alone.
pub trait Architecture: Send + Sync {
    /// The layers. Names exactly the tensors of the weight file less the [`Architecture::ignored`] ones.
    fn tree(&self) -> &LayerTree;

    /// The places where the network can be parted, from below the first layer to above the pooling.
    /// Cut `i` lies below segment `i`; there is one more cut than there are segments.
    fn cuts(&self) -> &[Cut];

    /// Prefixes of tensors in the weight file that are not part of the backbone (old classifier, pooler).
    fn ignored(&self) -> &[&'static str];

    /// How samples become the boundary state at the first cut.
    fn input(&self) -> InputSize;

    /// How the last segment turns hidden states into one feature vector.
    fn pooling(&self) -> Pooling;

    /// Lets it turn them otherwise, with as many features.
    fn set_pooling(&mut self, pooling: Pooling);

    /// How many token numbers it knows: the rows of the first table that it looks things up in; `None` for networks of
    /// pictures.
    fn vocabulary(&self) -> Option<usize> {
        let table = self.tree().leaves().iter().find(|leaf| leaf.kind == Kind::Embedding)?;
        table.tensors.first()?.shape.first().copied()
    }

    /// The dropout that the configuration asks for while training; 0 for none.
    fn dropout(&self) -> f32 {
        0.0
    }

    /// Loads segment number `segment` with tensors from `source`.
    fn load_segment(&self, segment: usize, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>>;

    /// The numbers of all segments, in data-flow order.
    fn segments(&self) -> Range<usize> {
        0..self.cuts().len().saturating_sub(1)
    }

    /// The name of cut number `cut`; past the last one that of the last.
    fn cut_name(&self, cut: usize) -> CutName {
        self.cuts().get(cut).map_or(CutName::Head, |cut| cut.name.clone())
    }
}

/// Where a segment gets its tensors: decides for each whether it is frozen or trainable. Everything is frozen where a
/// source says no more than what the tensors are.
pub trait TensorSource {
    /// The tensor of this name and shape, as it is.
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor>;

    /// A trainable or frozen parameter.
    fn param(&mut self, name: &str, shape: &[usize]) -> Result<Param> {
        Ok(Param::frozen(self.tensor(name, shape)?))
    }

    /// A running statistic of a norm: no gradient moves it, but a thawed norm may let it follow the batches.
    fn statistic(&mut self, name: &str, shape: &[usize]) -> Result<Statistic> {
        Ok(Statistic::fixed(self.tensor(name, shape)?))
    }
}

/// The part of a network between two neighbouring cuts.
pub trait Segment: Send + Sync {
    /// Carries a boundary state from the cut below to the cut above.
    fn forward(&self, below: &Boundary, pass: &Pass) -> candle_core::Result<Boundary>;
}

/// What crosses a cut.
///
/// Images: `hidden` is `[batch, 3, height, width]` at the input, `[batch, height, width, channels]`
/// (the order the kernels like) between blocks, `[batch, features]` after pooling.
/// Texts: the tokens of all texts lie one after another without padding; `hidden` is `[tokens]`
/// (u32 ids) at the input, `[tokens, features]` between blocks, `[batch, features]` after pooling.
#[derive(Debug, Clone)]
pub struct Boundary {
    pub hidden: Tensor,
    /// Tokens of each text; `None` for images.
    pub lengths: Option<Arc<[usize]>>,
}

impl Boundary {
    /// Tokens of each text.
    ///
    /// # Errors
    /// It is one of pictures.
    pub fn token_lengths(&self) -> candle_core::Result<&[usize]> {
        match &self.lengths {
            Some(lengths) => Ok(lengths),
            None => candle_core::bail!("a text backbone needs the lengths of the texts"),
        }
    }
}

/// Circumstances of one forward pass.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// Probability of dropping an element in layers that are being trained.
    pub dropout: f32,
    /// Changes with the run's seed and the step; a layer adds its own place to it.
    pub key: u64,
}

impl Pass {
    /// Nothing is dropped.
    pub const INFERENCE: Pass = Pass { dropout: 0.0, key: 0 };

    /// The dropout at one place of the network.
    pub fn dropout_at(&self, place: u64) -> Dropout {
        match self.dropout > 0.0 {
            true => Dropout { probability: self.dropout, key: mix(self.key, place) },
            false => Dropout::NONE,
        }
    }
}

/// Mixes two counters into one well-spread key (SplitMix64's finaliser; Steele, Lea, Flood 2014).
pub fn mix(a: u64, b: u64) -> u64 {
    let mut x = a ^ b.wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A source that gives every tensor of a weight file as it is: all frozen.
pub struct FrozenSource<'w> {
    pub weights: &'w WeightFile,
    pub device: Device,
}

impl TensorSource for FrozenSource<'_> {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.weights.tensor(name, shape, &self.device)
    }
}
