//! Which layers are frozen and which are thawed, and the frostline that follows from it.

use super::layer_tree::{Kind, LayerTree, Leaf, Node, is_at_or_below};
use crate::problem::{Problem, Result};
use crate::remedy::Remedy;
use std::ops::Range;
use wildmatch::WildMatch;

/// The state of every leaf layer, in tree order. Any pattern is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezeMask {
    states: Vec<LeafState>,
}

/// What training does to a leaf layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafState {
    /// Nothing: it stays as pretrained.
    Frozen,
    /// Its own tensors are trained.
    Thawed,
}

impl LeafState {
    /// Whether its own tensors are trained.
    pub fn trains_tensors(self) -> bool {
        match self {
            Self::Frozen => false,
            Self::Thawed => true,
        }
    }

    /// Whether something is trained at this place, so that the backward pass must come down to it.
    pub fn learns(self) -> bool {
        match self {
            Self::Frozen => false,
            Self::Thawed => true,
        }
    }
}

/// The state of a node: its leaves may agree or differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreezeState {
    /// All leaves are in this state.
    All(LeafState),
    Mixed,
}

impl FreezeMask {
    /// Everything frozen: only the head is trained.
    pub fn frozen(tree: &LayerTree) -> Self {
        Self { states: vec![LeafState::Frozen; tree.leaves().len()] }
    }

    /// Thaws the leaves that `is_thawed` says.
    pub fn thawing(tree: &LayerTree, is_thawed: impl Fn(&Leaf) -> bool) -> Self {
        let state = |leaf: &Leaf| if is_thawed(leaf) { LeafState::Thawed } else { LeafState::Frozen };
        Self { states: tree.leaves().iter().map(state).collect() }
    }

    /// Thaws what the patterns name. `*` matches any characters, `?` one; a pattern that matches an
    /// inner node takes its subtree; a leading wrapper of the family's [`Aliases`](super::Aliases) is dropped.
    ///
    /// # Errors
    /// A pattern that matches nothing.
    pub fn from_patterns(tree: &LayerTree, patterns: &[String]) -> Result<Self> {
        let mut mask = Self::frozen(tree);
        for pattern in patterns {
            let paths = matches(tree, pattern);
            if paths.is_empty() {
                return Err(Problem::input(
                    format!("no layer is called {pattern:?}"),
                    "a pattern to thaw must match at least one layer of the backbone",
                    Remedy::NameLayers(top_names(tree)),
                ));
            }
            for path in paths {
                mask.set(tree, path, LeafState::Thawed);
            }
        }
        Ok(mask)
    }

    /// The shortest list of paths that thaws exactly the same leaves; `*` stands for everything.
    pub fn to_patterns(&self, tree: &LayerTree) -> Vec<String> {
        let mut patterns = Vec::new();
        self.collect_patterns(tree, tree.root(), &mut patterns);
        patterns
    }

    /// Puts everything at and below `path` into a state.
    pub fn set(&mut self, tree: &LayerTree, path: &str, state: LeafState) {
        for (own, leaf) in self.states.iter_mut().zip(tree.leaves()) {
            if is_at_or_below(&leaf.path, path) {
                *own = state;
            }
        }
    }

    /// The state of leaf number `leaf` (in tree order).
    pub fn leaf(&self, leaf: usize) -> LeafState {
        self.states.get(leaf).copied().unwrap_or(LeafState::Frozen)
    }

    /// Whether a layer of this kind is thawed.
    pub fn thaws_any(&self, tree: &LayerTree, kind: Kind) -> bool {
        self.states.iter().zip(tree.leaves()).any(|(state, leaf)| state.trains_tensors() && leaf.kind == kind)
    }

    /// The state of the subtree at `path`.
    pub fn state(&self, tree: &LayerTree, path: &str) -> FreezeState {
        let below =
            self.states.iter().zip(tree.leaves()).filter(|(_, leaf)| is_at_or_below(&leaf.path, path));
        state_of(below.map(|(state, _)| *state))
    }

    /// The state of the leaves of these numbers, in tree order.
    pub fn state_of(&self, leaves: Range<usize>) -> FreezeState {
        state_of(self.states.get(leaves).unwrap_or_default().iter().copied())
    }

    /// Thaws every leaf at or above cut number `cut` and freezes every leaf below it.
    pub fn with_frostline(tree: &LayerTree, cut: usize) -> Self {
        Self::thawing(tree, |leaf| leaf.segment >= cut)
    }

    /// Number of the highest cut below which nothing learns; `cuts` is how many cuts there are.
    /// Cut `i` lies below segment `i`, the last cut lies above the last segment.
    pub fn frostline(&self, tree: &LayerTree, cuts: usize) -> usize {
        let learning = self.states.iter().zip(tree.leaves()).filter(|(state, _)| state.learns());
        learning.map(|(_, leaf)| leaf.segment).min().unwrap_or(cuts.saturating_sub(1))
    }

    /// Parameters of the backbone that are trained.
    pub fn trainable_parameters(&self, tree: &LayerTree) -> usize {
        let thawed = self.states.iter().zip(tree.leaves()).filter(|(state, _)| state.trains_tensors());
        thawed.flat_map(|(_, leaf)| &leaf.tensors).filter(|t| t.is_parameter()).map(|t| t.elements()).sum()
    }

    fn collect_patterns(&self, tree: &LayerTree, node: &Node, patterns: &mut Vec<String>) {
        match self.state(tree, &node.path) {
            FreezeState::All(LeafState::Frozen) => {}
            FreezeState::All(LeafState::Thawed) if node.path.is_empty() => patterns.push("*".to_string()),
            FreezeState::All(LeafState::Thawed) => patterns.push(node.path.clone()),
            FreezeState::Mixed => {
                for child in &node.children {
                    self.collect_patterns(tree, child, patterns);
                }
            }
        }
    }
}

fn state_of(mut states: impl Iterator<Item = LeafState>) -> FreezeState {
    match states.next() {
        None => FreezeState::All(LeafState::Frozen),
        Some(first) if states.any(|other| other != first) => FreezeState::Mixed,
        Some(first) => FreezeState::All(first),
    }
}

fn matches<'t>(tree: &'t LayerTree, pattern: &str) -> Vec<&'t str> {
    fn walk<'t>(node: &'t Node, matcher: &WildMatch, found: &mut Vec<&'t str>) {
        if !node.path.is_empty() && matcher.matches(&node.path) {
            found.push(&node.path);
        }
        for child in &node.children {
            walk(child, matcher, found);
        }
    }
    let mut found = Vec::new();
    walk(tree.root(), &WildMatch::new(tree.aliases().unwrapped(pattern)), &mut found);
    found
}

fn top_names(tree: &LayerTree) -> String {
    let names: Vec<&str> = tree.root().children.iter().map(|n| n.path.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::layer_tree::{Role, TensorSpec};
    use super::*;
    use crate::backbone::Aliases;

    fn tree() -> LayerTree {
        let leaf = |path: &str, kind| {
            Node::leaf(path, kind, vec![], [TensorSpec::new(path, "weight", &[2, 3], Role::Weight)])
        };
        let segments = vec![
            vec![leaf("stem", Kind::Convolution)],
            vec![leaf("block.0.conv", Kind::Convolution), leaf("block.0.norm", Kind::BatchNorm)],
            vec![leaf("block.1.conv", Kind::Convolution)],
        ];
        let aliases = Aliases { wrappers: &["net."], ..Aliases::NONE };
        LayerTree::nest(segments, &[], vec![], aliases)
    }

    #[test]
    fn patterns_thaw_what_they_name_with_or_without_the_wrapper() {
        let tree = tree();
        let check = |patterns: &[&str], shortest: &[&str], frostline: usize| {
            let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_string()).collect();
            let mask = FreezeMask::from_patterns(&tree, &patterns).unwrap();
            assert_eq!(mask.to_patterns(&tree), shortest);
            assert_eq!(mask.frostline(&tree, 4), frostline, "{patterns:?}");
        };
        check(&[], &[], 3);
        check(&["block.1.conv"], &["block.1"], 2);
        check(&["net.block.0"], &["block.0"], 1);
        check(&["*.norm"], &["block.0.norm"], 1);
        check(&["stem", "block"], &["*"], 0);
        assert!(FreezeMask::from_patterns(&tree, &["bert.block".to_string()]).is_err());
    }

    #[test]
    fn a_node_is_mixed_where_its_leaves_differ() {
        let tree = tree();
        let mut mask = FreezeMask::frozen(&tree);
        mask.set(&tree, "block.0.norm", LeafState::Thawed);
        assert_eq!(mask.state(&tree, "block.0"), FreezeState::Mixed);
        assert_eq!(mask.state(&tree, "block.0.norm"), FreezeState::All(LeafState::Thawed));
        assert_eq!(mask.state(&tree, "block.1"), FreezeState::All(LeafState::Frozen));
        assert_eq!(mask.state_of(1..3), FreezeState::Mixed);
        assert_eq!((mask.leaf(2), mask.leaf(99)), (LeafState::Thawed, LeafState::Frozen));
        assert_eq!(mask.trainable_parameters(&tree), 6);
        mask.set(&tree, "", LeafState::Frozen);
        assert_eq!(mask, FreezeMask::frozen(&tree));
    }
}
