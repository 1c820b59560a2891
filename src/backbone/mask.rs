//! Which layers are frozen and which are thawed, and the frostline that follows from it.

use super::layer_tree::{Kind, LayerTree, Leaf, Node, is_at_or_below};
use crate::problem::{Problem, Result};
use std::ops::Range;
use wildmatch::WildMatch;

/// The state of every leaf layer, in tree order. Any pattern is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezeMask {
    thawed: Vec<bool>,
}

/// The state of a node: its leaves may agree or differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreezeState {
    Frozen,
    Thawed,
    Mixed,
}

impl FreezeMask {
    /// Everything frozen: only the head is trained.
    pub fn frozen(tree: &LayerTree) -> Self {
        Self { thawed: vec![false; tree.leaves().len()] }
    }

    /// Thaws the leaves that `is_thawed` says.
    pub fn thawing(tree: &LayerTree, is_thawed: impl Fn(&Leaf) -> bool) -> Self {
        Self { thawed: tree.leaves().iter().map(is_thawed).collect() }
    }

    /// Thaws what the patterns name. `*` matches any characters, `?` one; a pattern that matches an
    /// inner node takes its subtree; a leading `bert.` or `model.` is dropped.
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
                    format!("list the layers with `frostline tree`; the top ones are {}", top_names(tree)),
                ));
            }
            for path in paths {
                mask.set(tree, path, true);
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

    /// Freezes or thaws everything at and below `path`.
    pub fn set(&mut self, tree: &LayerTree, path: &str, thawed: bool) {
        for (state, leaf) in self.thawed.iter_mut().zip(tree.leaves()) {
            if is_at_or_below(&leaf.path, path) {
                *state = thawed;
            }
        }
    }

    /// Whether leaf number `leaf` (in tree order) is trained.
    pub fn is_thawed(&self, leaf: usize) -> bool {
        self.thawed.get(leaf).copied().unwrap_or(false)
    }

    /// Whether a layer of this kind is trained.
    pub fn thaws_any(&self, tree: &LayerTree, kind: Kind) -> bool {
        self.thawed.iter().zip(tree.leaves()).any(|(thawed, leaf)| *thawed && leaf.kind == kind)
    }

    /// The state of the subtree at `path`.
    pub fn state(&self, tree: &LayerTree, path: &str) -> FreezeState {
        let below =
            self.thawed.iter().zip(tree.leaves()).filter(|(_, leaf)| is_at_or_below(&leaf.path, path));
        state_of(below.map(|(thawed, _)| *thawed))
    }

    /// The state of the leaves of these numbers, in tree order.
    pub fn state_of(&self, leaves: Range<usize>) -> FreezeState {
        state_of(self.thawed.get(leaves).unwrap_or_default().iter().copied())
    }

    /// Thaws every leaf at or above cut number `cut` and freezes every leaf below it.
    pub fn with_frostline(tree: &LayerTree, cut: usize) -> Self {
        Self::thawing(tree, |leaf| leaf.segment >= cut)
    }

    /// Number of the highest cut with nothing thawed below it; `cuts` is how many cuts there are.
    /// Cut `i` lies below segment `i`, the last cut lies above the last segment.
    pub fn frostline(&self, tree: &LayerTree, cuts: usize) -> usize {
        let thawed = self.thawed.iter().zip(tree.leaves()).filter(|(thawed, _)| **thawed);
        thawed.map(|(_, leaf)| leaf.segment).min().unwrap_or(cuts.saturating_sub(1))
    }

    /// Parameters of the backbone that are trained.
    pub fn trainable_parameters(&self, tree: &LayerTree) -> usize {
        let thawed = self.thawed.iter().zip(tree.leaves()).filter(|(thawed, _)| **thawed);
        thawed.flat_map(|(_, leaf)| &leaf.tensors).filter(|t| t.is_parameter()).map(|t| t.elements()).sum()
    }

    fn collect_patterns(&self, tree: &LayerTree, node: &Node, patterns: &mut Vec<String>) {
        match self.state(tree, &node.path) {
            FreezeState::Frozen => {}
            FreezeState::Thawed if node.path.is_empty() => patterns.push("*".to_string()),
            FreezeState::Thawed => patterns.push(node.path.clone()),
            FreezeState::Mixed => {
                for child in &node.children {
                    self.collect_patterns(tree, child, patterns);
                }
            }
        }
    }
}

fn state_of(mut thawed: impl Iterator<Item = bool>) -> FreezeState {
    match thawed.next() {
        None => FreezeState::Frozen,
        Some(first) if thawed.any(|other| other != first) => FreezeState::Mixed,
        Some(true) => FreezeState::Thawed,
        Some(false) => FreezeState::Frozen,
    }
}

/// Removes the wrapper that some libraries put before every tensor name.
pub fn without_alias(path: &str) -> &str {
    ["bert.", "model."].iter().find_map(|alias| path.strip_prefix(alias)).unwrap_or(path)
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
    walk(tree.root(), &WildMatch::new(without_alias(pattern)), &mut found);
    found
}

fn top_names(tree: &LayerTree) -> String {
    let names: Vec<&str> = tree.root().children.iter().map(|n| n.path.as_str()).collect();
    names.join(", ")
}
