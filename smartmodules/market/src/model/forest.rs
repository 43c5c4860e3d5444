//! A forest of decision trees over binned inputs, as it is trained and stored.

use super::error::ModelError;
use super::info::ModelInfo;
use super::inputs::INPUTS;

const MODEL: &str = "forest";

/// The most edges an input may have: a bin's number fits a byte.
pub const EDGES_MAX: usize = 255;
/// The most nodes a tree may have: a node's number fits two bytes.
pub const NODES_MAX: usize = 1 << 16;
/// The most trees a forest may have: the sum of their predictions fits four bytes.
pub const TREES_MAX: usize = 1 << 16;

/// A node of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A row goes left if its `feature` is at most edge number `bin` of that feature, else right.
    Split {
        /// Index of the input.
        feature: u8,
        /// Index of the edge.
        bin: u8,
    },
    /// A prediction: the probability `q` / 65535.
    Leaf {
        /// The probability in 65535ths.
        q: u16,
    },
}

/// The trees, and the edges they share. The forest's probability is the mean of its trees'.
#[derive(Debug, Clone, PartialEq)]
pub struct Forest {
    /// Where it comes from.
    pub info: ModelInfo,
    edges: [Vec<f64>; INPUTS.len()],
    trees: Vec<Vec<Node>>,
}

impl Forest {
    /// A forest from each input's edges, ascending, and each tree's nodes in preorder: a split, its left subtree, its right
    /// subtree.
    ///
    /// # Errors
    ///
    /// When there is no tree, one of the limits is exceeded, or a node refers to an edge that does not exist.
    pub fn new(
        info: ModelInfo,
        edges: [Vec<f64>; INPUTS.len()],
        trees: Vec<Vec<Node>>,
    ) -> Result<Self, ModelError> {
        info.check(MODEL)?;
        let unsound = |what: String| ModelError::Unsound { model: MODEL, what };
        for (edges, name) in edges.iter().zip(INPUTS) {
            if edges.len() > EDGES_MAX {
                return Err(unsound(format!(
                    "has more than {EDGES_MAX} edges of {name}"
                )));
            }
            if !edges.is_sorted_by(|a, b| a < b) || edges.iter().any(|edge| !edge.is_finite()) {
                return Err(unsound(format!("has edges of {name} that do not ascend")));
            }
        }
        if trees.is_empty() || trees.len() > TREES_MAX {
            return Err(unsound(format!(
                "has {} trees, not 1 to {TREES_MAX}",
                trees.len()
            )));
        }
        for (number, tree) in trees.iter().enumerate() {
            check_tree(tree, &edges)
                .map_err(|what| unsound(format!("has in tree {number} {what}")))?;
        }
        Ok(Self { info, edges, trees })
    }

    /// Each input's edges.
    pub fn edges(&self) -> &[Vec<f64>; INPUTS.len()] {
        &self.edges
    }

    /// Each tree's nodes, in preorder.
    pub fn trees(&self) -> &[Vec<Node>] {
        &self.trees
    }
}

fn check_tree(tree: &[Node], edges: &[Vec<f64>; INPUTS.len()]) -> Result<(), &'static str> {
    if tree.len() > NODES_MAX {
        return Err("more than 65536 nodes");
    }
    // Subtrees still to come.
    let mut due = 1_usize;
    for node in tree {
        if due == 0 {
            return Err("nodes after its end");
        }
        match *node {
            Node::Leaf { .. } => due -= 1,
            Node::Split { feature, bin } => {
                let edges = edges
                    .get(usize::from(feature))
                    .ok_or("a split on an input that does not exist")?;
                if usize::from(bin) >= edges.len() {
                    return Err("a split at an edge that does not exist");
                }
                due += 1;
            }
        }
    }
    match due {
        0 => Ok(()),
        _ => Err("a node that is missing"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::info;
    use super::*;

    fn edges(edges: &[f64]) -> [Vec<f64>; INPUTS.len()] {
        std::array::from_fn(|_| edges.to_vec())
    }

    #[test]
    fn an_invalid_forest_is_refused() {
        let leaf = Node::Leaf { q: 1 };
        let split = |feature, bin| Node::Split { feature, bin };
        let one = || edges(&[1.0]);
        for (edges, trees, says) in [
            (one(), vec![], "has 0 trees, not 1 to 65536"),
            (one(), vec![vec![]], "has in tree 0 a node that is missing"),
            (
                one(),
                vec![vec![leaf], vec![split(0, 0), leaf]],
                "has in tree 1 a node that is missing",
            ),
            (
                one(),
                vec![vec![leaf, leaf]],
                "has in tree 0 nodes after its end",
            ),
            (
                one(),
                vec![vec![split(14, 0), leaf, leaf]],
                "has in tree 0 a split on an input that does not exist",
            ),
            (
                one(),
                vec![vec![split(3, 1), leaf, leaf]],
                "has in tree 0 a split at an edge that does not exist",
            ),
            (
                edges(&[2.0, 2.0]),
                vec![vec![leaf]],
                "has edges of return_1m that do not ascend",
            ),
            (
                edges(&[f64::INFINITY]),
                vec![vec![leaf]],
                "has edges of return_1m that do not ascend",
            ),
            (
                edges(&[f64::NAN, 1.0]),
                vec![vec![leaf]],
                "has edges of return_1m that do not ascend",
            ),
            (
                std::array::from_fn(|_| (0..256).map(f64::from).collect()),
                vec![vec![leaf]],
                "has more than 255 edges of return_1m",
            ),
        ] {
            let error = Forest::new(info("anomaly_ahead"), edges, trees).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the forest {says}: train it again")
            );
        }
        let chain = std::iter::repeat_n([split(0, 0), leaf], NODES_MAX / 2).flatten();
        let trees = vec![chain.chain([leaf]).collect()];
        let error = Forest::new(info("anomaly_ahead"), one(), trees).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the forest has in tree 0 more than 65536 nodes: train it again"
        );
    }
}
