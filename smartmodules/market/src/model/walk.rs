//! A forest prepared for fast predictions: many rows at a time, one tree after the other.
//!
//! Always true:
//! - a row is fourteen bins, a byte each, and goes left at a split if its bin is at most the split's
//! - a node is four bytes, its children are neighbours, and a leaf's left child is the leaf itself: a walk takes as many
//!   steps as the tree is deep, without a branch, and eight rows walk at once to hide the latency of memory
//! - all rows pass one tree before the next, so the tree stays in the first cache
//! - leaf values are summed as integers: neither the order nor the number of rows changes a result

use super::forest::{EDGES_MAX, Forest, NODES_MAX, Node};
use super::inputs::{INPUTS, Inputs, filled};

/// Rows that walk at once.
const LANES: usize = 8;

/// A row's fourteen bins; with two bytes of padding a row's address is a shift.
type Bins = [u8; 16];

/// As many entries as a node's number can name, so that no index needs a check. Those after a tree's last node belong to
/// the next trees.
type Nodes<T> = [T; NODES_MAX];

/// A forest prepared for fast predictions.
#[derive(Debug, Clone)]
pub struct ForestWalk {
    fill: Inputs,
    /// Each input's edges, filled up with infinity.
    edges: Vec<[f64; EDGES_MAX + 1]>,
    trees: Vec<Tree>,
    /// See [`pack`].
    nodes: Vec<u32>,
    /// Each node's probability in 65535ths, if it is a leaf.
    leaves: Vec<u16>,
}

#[derive(Debug, Clone, Copy)]
struct Tree {
    /// Index of its first node.
    root: usize,
    /// Splits from the root to the deepest leaf.
    depth: u32,
}

impl ForestWalk {
    /// Prepares a forest.
    pub fn new(forest: &Forest) -> Self {
        let edges = forest.edges().iter().map(|edges| {
            let mut all = [f64::INFINITY; EDGES_MAX + 1];
            all[..edges.len()].copy_from_slice(edges);
            all
        });
        let mut walk = Self {
            fill: forest.info.fill,
            edges: edges.collect(),
            trees: Vec::with_capacity(forest.trees().len()),
            nodes: Vec::new(),
            leaves: Vec::new(),
        };
        for tree in forest.trees() {
            walk.push(tree);
        }
        // The last tree, too, needs NODES_MAX entries from its root on.
        let len = walk.trees.last().map_or(0, |tree| tree.root) + NODES_MAX;
        walk.nodes.resize(len, 0);
        walk.leaves.resize(len, 0);
        walk
    }

    /// Appends a tree level by level: the nodes near the root, which every row passes, are close together.
    fn push(&mut self, tree: &[Node]) {
        let right = right_children(tree);
        let root = self.nodes.len();
        let mut depth = 0;
        // Preorder index and level of each node, in the new order.
        let mut order = vec![(0, 0_u32)];
        let mut next = 0;
        while let Some(&(node, level)) = order.get(next) {
            match tree[node] {
                Node::Split { feature, bin } => {
                    self.nodes.push(pack(feature, bin, order.len()));
                    self.leaves.push(0);
                    order.extend([(node + 1, level + 1), (right[node], level + 1)]);
                }
                Node::Leaf { q } => {
                    // No bin is above the last one, so the walk stays at a leaf.
                    self.nodes.push(pack(0, u8::MAX, next));
                    self.leaves.push(q);
                    depth = depth.max(level);
                }
            }
            next += 1;
        }
        self.trees.push(Tree { root, depth });
    }

    /// The probability of a positive label for each row.
    pub fn probabilities(&self, rows: &[Inputs]) -> Vec<f64> {
        let mut bins: Vec<[Bins; LANES]> = vec![Default::default(); rows.len().div_ceil(LANES)];
        for (bins, row) in bins.iter_mut().flatten().zip(rows) {
            *bins = self.bins(row);
        }
        let mut sums = vec![[0_u32; LANES]; bins.len()];
        for tree in &self.trees {
            let nodes: Option<&Nodes<u32>> = self.nodes[tree.root..].first_chunk();
            let leaves: Option<&Nodes<u16>> = self.leaves[tree.root..].first_chunk();
            let (nodes, leaves) = nodes.zip(leaves).expect("every tree has NODES_MAX entries");
            for (bins, sums) in bins.iter().zip(&mut sums) {
                let reached = walk(nodes, tree.depth, bins);
                for (sum, leaf) in sums.iter_mut().zip(reached) {
                    *sum += u32::from(leaves[usize::from(leaf)]);
                }
            }
        }
        let most = f64::from(u16::MAX) * self.trees.len() as f64;
        let sums = sums.iter().flatten().take(rows.len());
        sums.map(|sum| f64::from(*sum) / most).collect()
    }

    /// For each input, the number of edges below it.
    #[inline]
    fn bins(&self, row: &Inputs) -> Bins {
        let row = filled(row, &self.fill);
        let mut bins = Bins::default();
        for (place, edges) in self.edges.iter().enumerate().take(INPUTS.len()) {
            let mut below = 0;
            for step in [128, 64, 32, 16, 8, 4, 2, 1] {
                let edge = edges[(below + step - 1) % edges.len()];
                below += if edge < row[place] { step } else { 0 };
            }
            bins[place] = below as u8;
        }
        bins
    }
}

impl Forest {
    /// The probability of a positive label for each row. For repeated calls keep a [`ForestWalk`].
    pub fn probabilities(&self, rows: &[Inputs]) -> Vec<f64> {
        ForestWalk::new(self).probabilities(rows)
    }
}

/// A node in 32 bits, from the highest: 16 for the left child, 8 for the bin, 8 for the input.
fn pack(feature: u8, bin: u8, left: usize) -> u32 {
    // A node's number is below NODES_MAX.
    (left as u32) << 16 | u32::from(bin) << 8 | u32::from(feature)
}

/// The leaves that eight rows reach.
#[inline]
fn walk(nodes: &Nodes<u32>, depth: u32, rows: &[Bins; LANES]) -> [u16; LANES] {
    let mut at = [0_u16; LANES];
    for _ in 0..depth {
        for (at, row) in at.iter_mut().zip(rows) {
            let node = nodes[usize::from(*at)];
            let bin = u32::from(row[(node % 16) as usize]);
            // The sign of the difference: 1 if the row's bin is above the split's.
            let right = ((node >> 8 & 0xff).wrapping_sub(bin)) >> 31;
            *at = ((node >> 16) + right) as u16;
        }
    }
    at
}

/// For each split, the preorder index of its right child.
fn right_children(tree: &[Node]) -> Vec<usize> {
    let mut right = vec![0; tree.len()];
    // Roots of subtrees whose parent is still to come, the leftmost last.
    let mut orphans = Vec::new();
    for (place, node) in tree.iter().enumerate().rev() {
        if let Node::Split { .. } = node {
            let left = orphans.pop();
            debug_assert_eq!(left, Some(place + 1));
            let orphan = orphans.pop();
            right[place] = orphan.expect("a checked forest misses no node");
        }
        orphans.push(place);
    }
    right
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{forest, input};
    use super::*;

    /// The definition, word for word.
    fn naive(forest: &Forest, row: &Inputs) -> f64 {
        let leaf = |tree: &Vec<Node>| {
            let mut nodes = tree.iter();
            loop {
                match *nodes.next().unwrap() {
                    Node::Leaf { q } => return u64::from(q),
                    Node::Split { feature, bin } => {
                        let (feature, bin) = (usize::from(feature), usize::from(bin));
                        let input = match row[feature].is_nan() {
                            true => forest.info.fill[feature],
                            false => row[feature],
                        };
                        if input > forest.edges()[feature][bin] {
                            // Past the left subtree.
                            let mut due = 1;
                            while due > 0 {
                                match nodes.next().unwrap() {
                                    Node::Split { .. } => due += 1,
                                    Node::Leaf { .. } => due -= 1,
                                }
                            }
                        }
                    }
                }
            }
        };
        let sum: u64 = forest.trees().iter().map(leaf).sum();
        sum as f64 / (65_535.0 * forest.trees().len() as f64)
    }

    proptest! {
        #![proptest_config(crate::property::cases(500))]

        #[test]
        fn probabilities_are_those_of_the_definition(
            forest in forest(),
            rows in prop::collection::vec(prop::array::uniform14(input()), 0..20),
        ) {
            let together = forest.probabilities(&rows);
            let walk = ForestWalk::new(&forest);
            prop_assert_eq!(together.len(), rows.len());
            for (row, together) in rows.iter().zip(together) {
                prop_assert_eq!(together.to_bits(), naive(&forest, row).to_bits());
                prop_assert_eq!(walk.probabilities(&[*row]), [together]);
            }
        }
    }

    #[test]
    fn all_255_edges_are_compared() {
        let edges: Vec<f64> = (0..255).map(f64::from).collect();
        let forest = Forest::new(
            super::super::samples::info("anomaly_ahead"),
            std::array::from_fn(|_| edges.clone()),
            vec![vec![Node::Leaf { q: 1 }]],
        );
        let walk = ForestWalk::new(&forest.unwrap());
        for bin in 0..=255 {
            // On an edge is not above it.
            for input in [f64::from(bin), f64::from(bin) - 0.5] {
                assert_eq!(
                    walk.bins(&[input; INPUTS.len()])[..INPUTS.len()],
                    [bin; INPUTS.len()],
                    "{input}"
                );
            }
        }
        assert_eq!(
            walk.bins(&[-1e300; INPUTS.len()])[..INPUTS.len()],
            [0; INPUTS.len()]
        );
        assert_eq!(
            walk.bins(&[1e300; INPUTS.len()])[..INPUTS.len()],
            [255; INPUTS.len()]
        );
    }

    #[test]
    fn the_deepest_tree_is_walked() {
        let (split, leaf) = (Node::Split { feature: 0, bin: 0 }, Node::Leaf { q: 1 });
        let splits = NODES_MAX / 2 - 1;
        let chain = std::iter::repeat_n([split, leaf], splits).flatten();
        let tree: Vec<_> = chain.chain([Node::Leaf { q: 65_535 }]).collect();
        let edges = std::array::from_fn(|_| vec![0.0]);
        let info = super::super::samples::info("anomaly_ahead");
        let forest = Forest::new(info, edges, vec![tree]).unwrap();
        assert_eq!(forest.probabilities(&[[1.0; INPUTS.len()]]), [1.0]);
    }
}
