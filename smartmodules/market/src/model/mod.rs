//! Models: what they see, what they are, how they are kept, and what they say.
//!
//! - [`inputs`] makes a feature row into what both models see; trainer and SmartModule call it, so they see the same
//! - [`Forest`] (`anomaly_ahead`) and [`Logistic`] (`trend_up`), each with its [`ModelInfo`], each one file
//! - [`ModelPair`] is what crypto-predict serves; [`slot`] is where it lies in the module's wasm
//! - [`Predictor`] answers records
//!
//! Always true: a model answers with the same bits on every platform, whatever it is asked before or together with.

mod codec;
mod error;
mod forest;
mod info;
mod inputs;
mod logistic;
mod pair;
mod predictor;
mod row;
pub mod slot;
mod walk;

pub use error::ModelError;
pub use forest::{EDGES_MAX, Forest, NODES_MAX, Node, TREES_MAX};
pub use info::ModelInfo;
pub use inputs::{INPUTS, Inputs, inputs};
pub use logistic::Logistic;
pub use pair::ModelPair;
pub use predictor::{PredictParams, Predictor};
pub use walk::ForestWalk;

/// The forest's registered name, which is also its label's: a critical anomaly within 15 minutes.
pub const ANOMALY_AHEAD: &str = "anomaly_ahead";

/// The logistic regression's registered name, which is also its label's: a higher price 15 minutes later.
pub const TREND_UP: &str = "trend_up";

/// Models to test with.
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn info(name: &str) -> ModelInfo {
        ModelInfo {
            name: name.to_owned(),
            version: 0,
            run: "20251124-101500".to_owned(),
            fill: std::array::from_fn(|place| place as f64),
            trained_from_ms: 1_748_736_000_000,
            trained_to_ms: 1_750_000_000_000,
            rows: 155_600,
            threshold: 0.25,
        }
    }

    /// An input that may lie on an edge.
    pub(super) fn input() -> impl Strategy<Value = f64> {
        prop_oneof![
            (-20..20_i32).prop_map(f64::from),
            prop::num::f64::NORMAL,
            Just(f64::NAN),
        ]
    }

    fn any_info(name: &'static str) -> impl Strategy<Value = ModelInfo> {
        let fill = prop::array::uniform12(prop::num::f64::NORMAL);
        (
            any::<u32>(),
            any::<String>(),
            fill,
            any::<(i64, i64, u64)>(),
        )
            .prop_map(
                move |(version, run, fill, (trained_from_ms, trained_to_ms, rows))| ModelInfo {
                    version,
                    run,
                    fill,
                    trained_from_ms,
                    trained_to_ms,
                    rows,
                    ..info(name)
                },
            )
    }

    /// A tree that splits as the numbers say, then ends in leaves.
    fn tree(numbers: &[u16], edges: &[Vec<f64>; INPUTS.len()]) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut due = 1;
        for &number in numbers {
            let feature = usize::from(number) % INPUTS.len();
            let bins = edges[feature].len();
            if number % 5 < 3 && bins > 0 {
                let bin = (usize::from(number) / 64 % bins) as u8;
                nodes.push(Node::Split {
                    feature: feature as u8,
                    bin,
                });
                due += 1;
            } else if due > 1 {
                nodes.push(Node::Leaf { q: number });
                due -= 1;
            }
        }
        nodes.extend((0..due).map(|q| Node::Leaf { q: q * 5 }));
        nodes
    }

    pub(super) fn forest() -> impl Strategy<Value = Forest> {
        let edges = prop_oneof![
            prop::collection::btree_set(-20..20_i32, 0..30),
            prop::collection::btree_set(any::<i32>(), 250..=255),
        ];
        let edges = edges.prop_map(|edges| edges.into_iter().map(f64::from).collect::<Vec<_>>());
        let trees = prop::collection::vec(prop::collection::vec(any::<u16>(), 0..200), 1..6);
        (
            any_info(ANOMALY_AHEAD),
            prop::array::uniform12(edges),
            trees,
        )
            .prop_map(|(info, edges, numbers)| {
                let trees = numbers.iter().map(|numbers| tree(numbers, &edges));
                let trees = trees.collect();
                Forest::new(info, edges, trees).expect("it is sound")
            })
    }

    pub(super) fn logistic() -> impl Strategy<Value = Logistic> {
        let numbers = || prop::array::uniform12(prop::num::f64::NORMAL);
        (
            any_info(TREND_UP),
            numbers(),
            numbers(),
            numbers(),
            prop::num::f64::NORMAL,
        )
            .prop_map(|(info, mean, scale, weights, intercept)| {
                let scale = scale.map(f64::abs);
                Logistic::new(info, mean, scale, weights, intercept).expect("it is sound")
            })
    }

    /// One that says yes to a z-score above 3.
    pub(super) fn a_forest(version: u32) -> Forest {
        let tree = vec![
            Node::Split { feature: 7, bin: 0 },
            Node::Leaf { q: 0 },
            Node::Leaf { q: u16::MAX },
        ];
        let edges = std::array::from_fn(|_| vec![3.0]);
        let info = ModelInfo {
            version,
            ..info(ANOMALY_AHEAD)
        };
        Forest::new(info, edges, vec![tree]).expect("it is sound")
    }

    /// One that follows the last minute.
    pub(super) fn a_logistic(version: u32) -> Logistic {
        let mut weights = [0.0; INPUTS.len()];
        weights[0] = 100.0;
        let info = ModelInfo {
            version,
            ..info(TREND_UP)
        };
        Logistic::new(info, [0.0; 12], [1.0; 12], weights, 0.0).expect("it is sound")
    }
}
