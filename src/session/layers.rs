//! The layer tree as rows ready to paint.

use crate::backbone::layer_tree::is_at_or_below;
use crate::backbone::{Cut, Dim, FreezeMask, FreezeState, Kind, LayerTree, Leaf, Node};
use std::collections::BTreeSet;
use std::ops::Range;

/// One row: a layer, a group, or the frostline between two layers.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    Layer(LayerRow),
    /// The line at cut `cut`.
    Frostline {
        cut: usize,
        name: String,
        shape: String,
    },
    /// The new last layer; it always learns.
    Head {
        classes: usize,
        parameters: usize,
    },
}

/// One layer or group.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRow {
    pub path: String,
    /// Last part of the path, except where that would be a bare number.
    pub name: String,
    pub depth: usize,
    pub state: FreezeState,
    pub kind: String,
    pub shape: String,
    pub parameters: usize,
    /// `Some(open)` for groups.
    pub open: Option<bool>,
    /// Cut just below this row where there is one: the frostline can be dropped here.
    pub cut: Option<usize>,
    /// Numbers of the leaves at or below it, in tree order.
    pub leaves: Range<usize>,
}

/// What the user has opened and looked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LayersView {
    pub expanded: BTreeSet<String>,
    pub selected: Option<String>,
    pub search: String,
}

/// Rows from the input to the pooling, with the frostline in its place. A search opens what it finds.
pub fn rows(tree: &LayerTree, cuts: &[Cut], mask: &FreezeMask, view: &LayersView) -> Vec<Row> {
    let search = view.search.trim().to_lowercase();
    let mut walk = Walk { leaves: tree.leaves(), mask, view, search, rows: Vec::new() };
    let mut next = 0;
    for child in &tree.root().children {
        next = walk.add(child, 0, next);
    }
    place_frostline(tree, cuts, mask.frostline(tree, cuts.len()), walk.rows)
}

/// A walk over the tree that knows the leaves by their numbers: rows are made anew in every frame.
struct Walk<'t> {
    leaves: &'t [Leaf],
    mask: &'t FreezeMask,
    view: &'t LayersView,
    search: String,
    rows: Vec<Row>,
}

impl Walk<'_> {
    /// Adds the rows of `node`, whose first leaf has the number `first`; returns the number after its last one's.
    fn add(&mut self, node: &Node, depth: usize, first: usize) -> usize {
        let leaves = first..first + leaf_count(node);
        if !self.search.is_empty() && !contains(node, &self.search) {
            return leaves.end;
        }
        // A group with one child that only repeats it is passed through: `blocks` says nothing of its own.
        let is_shown = !matches!(node.path.as_str(), "blocks" | "encoder" | "encoder.layer");
        let is_open = !self.search.is_empty() || self.view.expanded.contains(&node.path);
        if is_shown {
            self.rows.push(Row::Layer(LayerRow {
                name: short_name(node),
                depth,
                state: self.mask.state_of(leaves.clone()),
                kind: kind_name(node),
                shape: shape(&node.output_shape),
                parameters: node.parameters(),
                open: (!node.children.is_empty()).then_some(is_open),
                cut: cut_below(self.leaves, first),
                leaves: leaves.clone(),
                path: node.path.clone(),
            }));
        }
        if is_open || !is_shown {
            let mut next = first;
            for child in &node.children {
                next = self.add(child, depth + usize::from(is_shown), next);
            }
        }
        leaves.end
    }
}

fn leaf_count(node: &Node) -> usize {
    if node.children.is_empty() { 1 } else { node.children.iter().map(leaf_count).sum() }
}

/// The number of the cut just below a node: where its first leaf begins a segment.
fn cut_below(leaves: &[Leaf], first: usize) -> Option<usize> {
    let segment = leaves.get(first)?.segment;
    (first == 0 || leaves[first - 1].segment < segment).then_some(segment)
}

/// Inserts the line before the first row whose leaves lie above it; at the top end where none does.
fn place_frostline(tree: &LayerTree, cuts: &[Cut], frostline: usize, rows: Vec<Row>) -> Vec<Row> {
    let Some(cut) = cuts.get(frostline) else { return rows };
    let line = Row::Frostline { cut: frostline, name: cut.name.to_string(), shape: shape(&cut.shape) };
    let lies_above = |row: &Row| match row {
        // An open group holds the line inside, so only its first leaf decides; a closed one needs its last.
        Row::Layer(row) => tree.leaves().get(row.leaves.start).is_some_and(|leaf| leaf.segment >= frostline),
        Row::Frostline { .. } | Row::Head { .. } => false,
    };
    let place = rows.iter().position(lies_above).unwrap_or(rows.len());
    let mut rows = rows;
    rows.insert(place, line);
    rows
}

fn contains(node: &Node, search: &str) -> bool {
    node.path.to_lowercase().contains(search)
        || kind_name(node).to_lowercase().contains(search)
        || node.children.iter().any(|child| contains(child, search))
}

/// `blocks.5` rather than `5`; `conv_dw` for a leaf.
fn short_name(node: &Node) -> String {
    match node.name().parse::<usize>() {
        Ok(_) => node.path.strip_prefix("encoder.").unwrap_or(&node.path).to_string(),
        Err(_) => node.name().to_string(),
    }
}

/// `Conv 3×3 /2`, `3 blocks`, `Batch norm`.
pub fn kind_name(node: &Node) -> String {
    let kind = match node.kind {
        Kind::Convolution => "Conv",
        Kind::DepthwiseConvolution => "Depthwise",
        Kind::Linear => "Linear",
        Kind::Embedding => "Embedding",
        Kind::BatchNorm => "Batch norm",
        Kind::LayerNorm => "Layer norm",
        Kind::Attention => "Attention",
        Kind::Model | Kind::Stage | Kind::Block => "",
    };
    match (kind, node.detail.as_str()) {
        ("", "") => format!("{} layers", node.children.len()),
        ("", detail) => crate::units::capitalised(detail),
        (kind, "") => kind.to_string(),
        (kind, detail) => format!("{kind} {detail}"),
    }
}

/// `96×14×14`, `T×384`.
pub fn shape(dims: &[Dim]) -> String {
    dims.iter().map(Dim::to_string).collect::<Vec<_>>().join("×")
}

/// What patterns thaw, in a few words: the name of a preset where one fits, else the layers.
pub fn thawed_words(tree: &LayerTree, cuts: &[Cut], thaw: &[String]) -> String {
    let mask = FreezeMask::from_patterns(tree, thaw).ok();
    let fits = |chosen: &Preset| mask.as_ref() == Some(&preset(tree, cuts, *chosen));
    match (Preset::ALL.into_iter().find(fits), thaw) {
        (Some(found), _) => found.name().to_lowercase(),
        (None, []) => "unknown layers".to_string(),
        (None, [one]) => format!("{one} thawed"),
        (None, [first, rest @ ..]) => format!("{first} and {} more thawed", rest.len()),
    }
}

/// A usual choice of frozen layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    HeadOnly,
    LastBlock,
    LastStages,
    Everything,
    NormsOnly,
}

impl Preset {
    /// Every preset, as the buttons stand.
    pub const ALL: [Preset; 5] =
        [Self::HeadOnly, Self::LastBlock, Self::LastStages, Self::Everything, Self::NormsOnly];

    /// What the button says.
    pub fn name(self) -> &'static str {
        match self {
            Self::HeadOnly => "Head only",
            Self::LastBlock => "Last block",
            Self::LastStages => "Last two stages",
            Self::Everything => "Everything",
            Self::NormsOnly => "Norms only",
        }
    }

    /// What it does, with the field's own term.
    pub(super) fn tooltip(self) -> &'static str {
        match self {
            Self::HeadOnly => {
                "Train the new last layer and nothing else (linear probe). Quickest; start here."
            }
            Self::LastBlock => "Thaw the topmost block too",
            Self::LastStages => "Thaw the topmost third of the network (partial fine-tuning)",
            Self::Everything => "Thaw every layer (full fine-tuning). Slowest; needs the most data.",
            Self::NormsOnly => "Thaw the scale and shift of every norm layer and nothing else",
        }
    }
}

/// The mask of a preset.
pub fn preset(tree: &LayerTree, cuts: &[Cut], preset: Preset) -> FreezeMask {
    let last = cuts.len().saturating_sub(1);
    match preset {
        Preset::HeadOnly => FreezeMask::frozen(tree),
        Preset::LastBlock => FreezeMask::with_frostline(tree, last.saturating_sub(1)),
        Preset::LastStages => FreezeMask::with_frostline(tree, last_stages_cut(tree, last)),
        Preset::Everything => FreezeMask::with_frostline(tree, 0),
        Preset::NormsOnly => FreezeMask::thawing(tree, |leaf| leaf.kind.is_norm()),
    }
}

/// The cut below the last but one stage of numbered blocks; for a plain stack of layers, below its last two.
fn last_stages_cut(tree: &LayerTree, last: usize) -> usize {
    let mut starts: Vec<usize> = Vec::new();
    let mut stage = String::new();
    for leaf in tree.leaves() {
        let parts: Vec<&str> = leaf.path.split('.').collect();
        let own = match parts.as_slice() {
            ["encoder", "layer", number, ..] => format!("layer.{number}"),
            [first, number, ..] if number.parse::<usize>().is_ok() => format!("{first}.{number}"),
            _ => continue,
        };
        if own != stage {
            stage = own;
            starts.push(leaf.segment);
        }
    }
    starts.get(starts.len().wrapping_sub(2)).copied().unwrap_or(last.saturating_sub(1))
}

/// All leaves from one row's first to another row's last, in tree order whichever comes first.
pub fn range(tree: &LayerTree, from: &str, to: &str) -> Vec<String> {
    let position = |path: &str| {
        let inside = |leaf: &&crate::backbone::Leaf| is_at_or_below(&leaf.path, path);
        let count = tree.leaves().iter().filter(inside).count();
        tree.leaves()
            .iter()
            .position(|l| is_at_or_below(&l.path, path))
            .map(|first| (first, first + count.max(1) - 1))
    };
    let (Some(a), Some(b)) = (position(from), position(to)) else { return Vec::new() };
    let leaves = &tree.leaves()[a.0.min(b.0)..=a.1.max(b.1)];
    leaves.iter().map(|leaf| leaf.path.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(config: serde_json::Value) -> Box<dyn crate::backbone::Architecture> {
        crate::backbone::registry::describe(&config, std::path::Path::new("x")).unwrap().1
    }

    fn mobilenet() -> Box<dyn crate::backbone::Architecture> {
        network(serde_json::json!({"architecture": "mobilenetv2_100"}))
    }

    fn names(rows: &[Row]) -> Vec<String> {
        let name = |row: &Row| match row {
            Row::Layer(row) => row.name.clone(),
            Row::Frostline { .. } => "~".to_string(),
            Row::Head { .. } => "head".to_string(),
        };
        rows.iter().map(name).collect()
    }

    #[test]
    fn the_frostline_stands_where_the_thawed_layers_begin() {
        let net = mobilenet();
        let (tree, cuts) = (net.tree(), net.cuts());
        let check = |chosen: Preset, before: &str| {
            let rows = rows(tree, cuts, &preset(tree, cuts, chosen), &LayersView::default());
            let names = names(&rows);
            let line = names.iter().position(|n| n == "~").unwrap();
            assert_eq!(names.get(line + 1).map_or("", String::as_str), before, "{chosen:?}: {names:?}");
        };
        check(Preset::HeadOnly, "");
        check(Preset::LastBlock, "conv_head");
        check(Preset::LastStages, "blocks.5");
        check(Preset::Everything, "conv_stem");
    }

    #[test]
    fn an_open_group_shows_its_layers_and_a_search_finds() {
        let net = mobilenet();
        let (tree, cuts) = (net.tree(), net.cuts());
        let mask = FreezeMask::frozen(tree);
        let mut view = LayersView::default();
        let closed = rows(tree, cuts, &mask, &view).len();
        view.expanded.insert("blocks.0".into());
        assert_eq!(rows(tree, cuts, &mask, &view).len(), closed + 1);
        view.search = "conv_stem".into();
        assert_eq!(names(&rows(tree, cuts, &mask, &view)), ["conv_stem", "~"]);
    }

    #[test]
    fn thawed_layers_are_named() {
        let net = mobilenet();
        let (tree, cuts) = (net.tree(), net.cuts());
        let check = |thaw: &[&str], expected: &str| {
            let thaw: Vec<String> = thaw.iter().map(|t| (*t).to_string()).collect();
            assert_eq!(thawed_words(tree, cuts, &thaw), expected);
        };
        check(&[], "head only");
        check(&["blocks.5", "blocks.6", "conv_head", "bn2"], "last two stages");
        check(&["blocks.1"], "blocks.1 thawed");
        check(&["blocks.1", "conv_stem"], "blocks.1 and 1 more thawed");
    }

    #[test]
    fn a_range_is_the_same_both_ways() {
        let net = mobilenet();
        let tree = net.tree();
        let forth = range(tree, "blocks.6", "conv_head");
        assert_eq!(forth, range(tree, "conv_head", "blocks.6"));
        assert_eq!(forth.len(), 7);
        assert!(range(tree, "no", "conv_head").is_empty());
    }

    #[test]
    fn presets_of_a_transformer() {
        let net = network(serde_json::json!({
            "model_type": "bert", "vocab_size": 50, "hidden_size": 8, "num_hidden_layers": 4, "num_attention_heads": 2,
            "intermediate_size": 16, "max_position_embeddings": 16, "type_vocab_size": 2,
        }));
        let (tree, cuts) = (net.tree(), net.cuts());
        let frostline = |p: Preset| preset(tree, cuts, p).frostline(tree, cuts.len());
        assert_eq!(cuts[frostline(Preset::LastStages)].name.to_string(), "encoder.layer.2");
        assert_eq!(cuts[frostline(Preset::LastBlock)].name.to_string(), "encoder.layer.3");
        assert_eq!(frostline(Preset::NormsOnly), 0);
    }
}
