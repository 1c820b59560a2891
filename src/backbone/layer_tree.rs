//! The nested description of a backbone: what the tree view shows, what a freeze mask speaks of,
//! what the optimiser groups, what the exporter writes. Read this file first.

use serde::Serialize;
use std::fmt;

/// A backbone as a tree of modules in data-flow order. Leaves hold tensors; a path is the common
/// prefix of the names of the tensors below it (`blocks.5.0.conv_dw`), the root's path is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerTree {
    root: Node,
    leaves: Vec<Leaf>,
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
    pub fn inner(path: impl Into<String>, kind: Kind, children: Vec<Node>) -> Self {
        let output_shape = children.last().map(|c| c.output_shape.clone()).unwrap_or_default();
        Self { path: path.into(), kind, detail: String::new(), output_shape, tensors: Vec::new(), children }
    }

    /// A leaf; `tensors` are (last part of the name, shape, role).
    pub fn leaf(
        path: impl Into<String>,
        kind: Kind,
        output_shape: Vec<Dim>,
        tensors: &[(&str, &[usize], Role)],
    ) -> Self {
        let path = path.into();
        let tensors = tensors
            .iter()
            .map(|(last, shape, role)| TensorSpec {
                name: format!("{path}.{last}"),
                shape: shape.to_vec(),
                role: *role,
            })
            .collect();
        Self { path, kind, detail: String::new(), output_shape, tensors, children: Vec::new() }
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
    /// A tree whose leaves each belong to the segment (the part between two neighbouring cuts) that
    /// `segment_of` names for their path.
    pub fn new(root: Node, segment_of: impl Fn(&str) -> usize) -> Self {
        let mut leaves = Vec::new();
        collect_leaves(&root, &segment_of, &mut leaves);
        Self { root, leaves }
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

fn collect_leaves(node: &Node, segment_of: &impl Fn(&str) -> usize, leaves: &mut Vec<Leaf>) {
    if node.children.is_empty() {
        leaves.push(Leaf {
            path: node.path.clone(),
            kind: node.kind,
            output_shape: node.output_shape.clone(),
            tensors: node.tensors.clone(),
            segment: segment_of(&node.path),
        });
    }
    for child in &node.children {
        collect_leaves(child, segment_of, leaves);
    }
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

    #[test]
    fn find_walks_down() {
        let leaf = |p: &str| Node::leaf(p, Kind::Linear, vec![], &[("weight", &[2, 3], Role::Weight)]);
        let tree = LayerTree::new(
            Node::inner(
                "",
                Kind::Model,
                vec![leaf("a"), Node::inner("b", Kind::Stage, vec![leaf("b.0"), leaf("b.1")])],
            ),
            |path| usize::from(path != "a"),
        );
        assert_eq!(tree.find("b.1").map(Node::parameters), Some(6));
        assert_eq!(tree.find("b").map(Node::parameters), Some(12));
        assert!(tree.find("b.2").is_none());
        assert_eq!(tree.leaves().iter().map(|l| l.segment).collect::<Vec<_>>(), [0, 1, 1]);
    }
}
