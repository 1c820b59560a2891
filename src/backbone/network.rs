//! How a family puts a network together: parts one above the other, each described once. The layer tree, the cuts and the
//! loading follow from the same list.

use super::layer_tree::{Dim, LayerTree, Module, Node};
use super::pooling::Gather;
use super::{Aliases, Architecture, Boundary, Cut, CutName, InputSize, Pass, Pooling, Segment, TensorSource};
use crate::problem::{Problem, Result};

/// What one segment is made of.
pub trait Part: Send + Sync {
    /// Its layers in the tree, in data-flow order.
    fn leaves(&self) -> Vec<Node>;

    /// What is to be told of the modules around them.
    fn modules(&self) -> Vec<Module> {
        Vec::new()
    }

    /// The same layers with tensors from `source`.
    fn load(&self, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>>;
}

/// The parts of a network below the pooling.
pub struct Body {
    cuts: Vec<Cut>,
    parts: Vec<Box<dyn Part>>,
    modules: Vec<Module>,
}

impl Body {
    /// The lowest part, which takes the samples: boundary states of the shape `input`.
    pub fn new(input: Vec<Dim>, stem: impl Part + 'static) -> Self {
        let mut body = Self { cuts: Vec::new(), parts: Vec::new(), modules: Vec::new() };
        body.push(CutName::Input, input, stem);
        body
    }

    /// A part above the others. The cut below it is called by its `path`; `shape` is that of the boundary state there.
    pub fn add(&mut self, path: &str, shape: Vec<Dim>, part: impl Part + 'static) {
        self.push(CutName::Below(path.to_string()), shape, part);
    }

    /// Tells of a module that holds several parts.
    pub fn tell(&mut self, module: Module) {
        self.modules.push(module);
    }

    /// Lets the uppermost part pool what it gives.
    pub fn pool(self, gather: Gather) -> Pooled {
        let pooling = Pooling::plain(gather);
        Pooled { segment: self.parts.len().saturating_sub(1), pooling, body: self }
    }

    fn push(&mut self, name: CutName, shape: Vec<Dim>, part: impl Part + 'static) {
        self.modules.extend(part.modules());
        self.cuts.push(Cut { name, shape });
        self.parts.push(Box::new(part));
    }
}

/// The parts of a network, one of which pools.
pub struct Pooled {
    body: Body,
    pooling: Pooling,
    /// Number of the segment that ends with the pooling.
    segment: usize,
}

/// What holds for a network as a whole; see [`Architecture`].
pub struct Facts {
    pub input: InputSize,
    /// Length of the feature vector.
    pub features: usize,
    pub dropout: f32,
    pub ignored: &'static [&'static str],
    pub aliases: Aliases,
}

impl Pooled {
    /// A part over pooled features; as [`Body::add`].
    pub fn add(&mut self, path: &str, shape: Vec<Dim>, part: impl Part + 'static) {
        self.body.add(path, shape, part);
    }

    /// The network.
    pub fn build(self, facts: Facts) -> Box<dyn Architecture> {
        let Body { mut cuts, parts, modules } = self.body;
        let features = vec![Dim::Fixed(facts.features)];
        let leaves = parts.iter().map(|part| part.leaves()).collect();
        let tree = LayerTree::nest(leaves, &modules, features.clone(), facts.aliases);
        cuts.push(Cut { name: CutName::Head, shape: features });
        Box::new(Network { tree, cuts, parts, facts, pooling: self.pooling, pooled: self.segment })
    }
}

struct Network {
    tree: LayerTree,
    cuts: Vec<Cut>,
    parts: Vec<Box<dyn Part>>,
    facts: Facts,
    pooling: Pooling,
    pooled: usize,
}

impl Architecture for Network {
    fn tree(&self) -> &LayerTree {
        &self.tree
    }

    fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    fn ignored(&self) -> &[&'static str] {
        self.facts.ignored
    }

    fn input(&self) -> InputSize {
        self.facts.input
    }

    fn pooling(&self) -> Pooling {
        self.pooling
    }

    fn set_pooling(&mut self, pooling: Pooling) {
        self.pooling = pooling;
    }

    fn dropout(&self) -> f32 {
        self.facts.dropout
    }

    fn load_segment(&self, segment: usize, source: &mut dyn TensorSource) -> Result<Box<dyn Segment>> {
        let Some(part) = self.parts.get(segment) else {
            let why = format!("segment {segment} was asked for; the network has {}", self.parts.len());
            return Err(Problem::other("a part of the backbone is missing", why, "please report this"));
        };
        let layers = part.load(source)?;
        if segment == self.pooled {
            return Ok(Box::new(PooledSegment { layers, pooling: self.pooling }));
        }
        Ok(layers)
    }
}

struct PooledSegment {
    layers: Box<dyn Segment>,
    pooling: Pooling,
}

impl Segment for PooledSegment {
    fn forward(&self, below: &Boundary, pass: &Pass) -> candle_core::Result<Boundary> {
        self.pooling.forward(&self.layers.forward(below, pass)?)
    }
}
