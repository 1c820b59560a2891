//! The nested description of a backbone: what the tree view shows, what a freeze mask speaks of,
//! what the optimiser groups, what the exporter writes. Read this file first.

use super::aliases::{Aliases, Naming};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::iter::Peekable;
use std::vec::IntoIter;

/// A backbone as a tree of modules in data-flow order. Leaves hold tensors; a path is the common
/// prefix of the names of the tensors below it (`blocks.5.0.conv_dw`), the root's path is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerTree {
    root: Node,
    leaves: Vec<Leaf>,
    aliases: Aliases,
}

/// One module: a stage, a block or a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Prefix of the tensor names below, without the trailing dot.
    pub path: String,
    pub kind: Kind,
    /// What tells it from others of its kind, for a person: `3×3 /2`, `3 blocks`. May be empty.
    pub detail: String,
    /// Shape of the output without the batch dimension.
    pub output_shape: Vec<Dim>,
    /// Tensors of this very module, named in full. Empty for inner nodes.
    pub tensors: Vec<TensorSpec>,
    pub children: Vec<Node>,
}

/// What is to be told of an inner node; one of which nothing is told is a block.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    pub path: String,
    pub kind: Kind,
    pub detail: String,
    /// Where it is not that of the last layer inside.
    pub output_shape: Option<Vec<Dim>>,
}

impl Module {
    /// A module with the output shape of the last layer inside.
    pub fn new(path: impl Into<String>, kind: Kind, detail: impl Into<String>) -> Self {
        Self { path: path.into(), kind, detail: detail.into(), output_shape: None }
    }
}

/// A leaf layer: the smallest thing that can be frozen or thawed.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    pub path: String,
    pub kind: Kind,
    pub output_shape: Vec<Dim>,
    pub tensors: Vec<TensorSpec>,
    /// Number of the segment (the part between two neighbouring cuts) that runs this layer.
    pub segment: usize,
}

/// One tensor of the weight file.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    /// Full name as in the weight file, aliases removed.
    pub name: String,
    pub shape: Vec<usize>,
    pub role: Role,
}

/// What a tensor is to training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Trainable; weight decay applies.
    Weight,
    /// Trainable; a bias, or the scale or shift of a norm: no weight decay.
    Vector,
    /// A running statistic: never trained, not counted as a parameter.
    Statistic,
}

/// What a module does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Model,
    Stage,
    Block,
    Attention,
    Convolution,
    DepthwiseConvolution,
    Linear,
    Embedding,
    BatchNorm,
    LayerNorm,
}

impl Kind {
    /// Whether the layer normalises: the target of the "norm layers only" preset.
    pub fn is_norm(self) -> bool {
        matches!(self, Self::BatchNorm | Self::LayerNorm)
    }
}

/// One dimension of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dim {
    Fixed(usize),
    /// The number of tokens of a text; differs from sample to sample.
    Tokens,
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(n) => write!(f, "{n}"),
            Self::Tokens => write!(f, "T"),
        }
    }
}

/// A number, or `"T"` for tokens.
impl Serialize for Dim {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(n) => serializer.serialize_u64(*n as u64),
            Self::Tokens => serializer.serialize_str("T"),
        }
    }
}

impl TensorSpec {
    /// The tensor `last` of the layer at `path`.
    pub fn new(path: &str, last: &str, shape: &[usize], role: Role) -> Self {
        Self { name: format!("{path}.{last}"), shape: shape.to_vec(), role }
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the optimiser may change it.
    pub fn is_parameter(&self) -> bool {
        self.role != Role::Statistic
    }
}

impl Node {
    /// An inner node; its shape is its last child's.
    fn inner(path: String, kind: Kind, children: Vec<Node>) -> Self {
        let output_shape = children.last().map(|c| c.output_shape.clone()).unwrap_or_default();
        Self { path, kind, detail: String::new(), output_shape, tensors: Vec::new(), children }
    }

    /// A leaf with its tensors.
    pub fn leaf(path: &str, kind: Kind, output_shape: Vec<Dim>, tensors: impl Into<Vec<TensorSpec>>) -> Self {
        let tensors = tensors.into();
        Self { path: path.into(), kind, detail: String::new(), output_shape, tensors, children: Vec::new() }
    }

    /// Says what tells this node from others of its kind.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Trainable parameters of the subtree.
    pub fn parameters(&self) -> usize {
        let own: usize = self.tensors.iter().filter(|t| t.is_parameter()).map(TensorSpec::elements).sum();
        own + self.children.iter().map(Node::parameters).sum::<usize>()
    }

    /// The last part of the path, as a row of a tree shows it.
    pub fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path)
    }
}

impl LayerTree {
    /// Nests the leaves of all segments (the parts between two neighbouring cuts) by the dots in their paths; leaves of
    /// one module stand together. The root's output has the shape `output_shape`.
    pub fn nest(
        segments: Vec<Vec<Node>>,
        modules: &[Module],
        output_shape: Vec<Dim>,
        aliases: Aliases,
    ) -> Self {
        let numbered = segments.iter().enumerate().flat_map(|(n, nodes)| nodes.iter().map(move |l| (n, l)));
        let leaves = numbered
            .map(|(segment, leaf)| Leaf {
                path: leaf.path.clone(),
                kind: leaf.kind,
                output_shape: leaf.output_shape.clone(),
                tensors: leaf.tensors.clone(),
                segment,
            })
            .collect();
        let nodes: Vec<Node> = segments.into_iter().flatten().collect();
        let modules = modules.iter().map(|module| (module.path.as_str(), module)).collect();
        let children = nest_below("", &mut nodes.into_iter().peekable(), &modules);
        let root = Node { output_shape, ..Node::inner(String::new(), Kind::Model, children) };
        Self { root, leaves, aliases }
    }

    /// What other programs call the tensors.
    pub fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    /// How a file with the tensors `names` calls those of this network.
    ///
    /// # Errors
    /// In words: several networks in the file would do.
    pub fn naming<'n>(&self, names: impl Iterator<Item = &'n str> + Clone) -> Result<Naming, String> {
        let wanted = self.tensors().map(|tensor| tensor.name.as_str()).collect();
        let first = self.tensors().next().map_or("", |tensor| &tensor.name);
        Naming::find(&self.aliases, &wanted, first, names)
    }

    /// The whole backbone.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The leaves in data-flow order; a freeze mask has one state for each.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// All tensors of the weight file, in data-flow order.
    pub fn tensors(&self) -> impl Iterator<Item = &TensorSpec> {
        self.leaves.iter().flat_map(|leaf| &leaf.tensors)
    }

    /// The node at `path`, if there is one.
    pub fn find(&self, path: &str) -> Option<&Node> {
        let mut node = &self.root;
        while node.path != path {
            node = node.children.iter().find(|c| is_at_or_below(path, &c.path))?;
        }
        Some(node)
    }
}

/// Takes the leaves below `parent` off the front of `rest`.
fn nest_below(
    parent: &str,
    rest: &mut Peekable<IntoIter<Node>>,
    modules: &HashMap<&str, &Module>,
) -> Vec<Node> {
    let start = if parent.is_empty() { 0 } else { parent.len() + 1 };
    let mut children = Vec::new();
    while let Some(leaf) = rest.peek().filter(|leaf| is_at_or_below(&leaf.path, parent)) {
        match leaf.path.get(start..).and_then(|own| own.find('.')) {
            None => children.extend(rest.next()),
            Some(end) => {
                let path = leaf.path[..start + end].to_string();
                let inside = nest_below(&path, rest, modules);
                children.push(inner_node(path, inside, modules));
            }
        }
    }
    children
}

fn inner_node(path: String, children: Vec<Node>, modules: &HashMap<&str, &Module>) -> Node {
    let Some(module) = modules.get(path.as_str()) else { return Node::inner(path, Kind::Block, children) };
    let mut node = Node::inner(path, module.kind, children).with_detail(module.detail.clone());
    if let Some(shape) = &module.output_shape {
        node.output_shape = shape.clone();
    }
    node
}

/// Whether `path` is `ancestor` or lies below it. Everything lies below the root's empty path.
pub fn is_at_or_below(path: &str, ancestor: &str) -> bool {
    match path.strip_prefix(ancestor) {
        Some(rest) => ancestor.is_empty() || rest.is_empty() || rest.starts_with('.'),
        None => false,
    }
}

/// One node as `tree --json` prints it; `parameters` totals the subtree.
impl Serialize for Node {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut node = serializer.serialize_struct("Node", 5)?;
        node.serialize_field("path", &self.path)?;
        node.serialize_field("kind", &self.kind)?;
        node.serialize_field("output_shape", &self.output_shape)?;
        node.serialize_field("parameters", &self.parameters())?;
        node.serialize_field("children", &self.children)?;
        node.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_nest_at_dots_only() {
        assert!(is_at_or_below("blocks.1.0", "blocks.1"));
        assert!(is_at_or_below("blocks.1", "blocks.1"));
        assert!(is_at_or_below("blocks.1", ""));
        assert!(!is_at_or_below("blocks.10", "blocks.1"));
        assert!(!is_at_or_below("blocks", "blocks.1"));
    }

    fn leaf(path: &str) -> Node {
        Node::leaf(path, Kind::Linear, vec![], [TensorSpec::new(path, "weight", &[2, 3], Role::Weight)])
    }

    #[test]
    fn leaves_nest_by_their_paths() {
        let segments =
            vec![vec![leaf("a")], vec![leaf("b.0"), leaf("b.1.x"), leaf("b.1.y")], vec![leaf("c")]];
        let told =
            Module { output_shape: Some(vec![Dim::Tokens]), ..Module::new("b", Kind::Stage, "2 layers") };
        let tree = LayerTree::nest(segments, &[told], vec![Dim::Fixed(7)], Aliases::default());
        assert_eq!(tree.leaves().iter().map(|l| l.segment).collect::<Vec<_>>(), [0, 1, 1, 1, 2]);
        let names = |node: &Node| node.children.iter().map(|n| n.path.clone()).collect::<Vec<_>>();
        assert_eq!(names(tree.root()), ["a", "b", "c"]);
        assert_eq!(tree.root().output_shape, [Dim::Fixed(7)]);
        let stage = tree.find("b").unwrap();
        assert_eq!(
            (stage.kind, stage.detail.as_str(), names(stage)),
            (Kind::Stage, "2 layers", vec!["b.0".into(), "b.1".into()])
        );
        assert_eq!(stage.output_shape, [Dim::Tokens]);
        assert_eq!(
            tree.find("b.1").map(|n| (n.kind, names(n))),
            Some((Kind::Block, vec!["b.1.x".into(), "b.1.y".into()]))
        );
    }

    #[test]
    fn find_walks_down() {
        let segments = vec![vec![leaf("a")], vec![leaf("b.0"), leaf("b.1")]];
        let tree = LayerTree::nest(segments, &[], vec![], Aliases::default());
        assert_eq!(tree.find("b.1").map(Node::parameters), Some(6));
        assert_eq!(tree.find("b").map(Node::parameters), Some(12));
        assert!(tree.find("b.2").is_none());
    }
}
