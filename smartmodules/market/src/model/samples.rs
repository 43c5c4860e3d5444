//! Models to test with.

use proptest::prelude::*;

use super::forest::{Forest, Node};
use super::info::{ANOMALY_AHEAD, ModelInfo, TREND_UP};
use super::inputs::INPUTS;
use super::logistic::Logistic;
use crate::rows::FEATURES_VERSION;

pub(super) fn info(name: &str) -> ModelInfo {
    ModelInfo {
        name: name.to_owned(),
        version: 0,
        run: "20251124-101500".to_owned(),
        features_version: FEATURES_VERSION,
        fill: std::array::from_fn(|place| place as f64),
        trained_from_ms: 1_748_736_000_000,
        trained_to_ms: 1_750_000_000_000,
        rows: 155_600,
        threshold: 0.25,
    }
}

/// An input, often exactly on an edge.
pub(super) fn input() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-20..20_i32).prop_map(f64::from),
        prop::num::f64::NORMAL,
        Just(f64::NAN),
    ]
}

fn any_info(name: &'static str) -> impl Strategy<Value = ModelInfo> {
    let fill = prop::array::uniform14(prop::num::f64::NORMAL);
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

/// A tree whose splits are decided by the numbers.
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
        prop::array::uniform14(edges),
        trees,
    )
        .prop_map(|(info, edges, numbers)| {
            let trees = numbers.iter().map(|numbers| tree(numbers, &edges));
            let trees = trees.collect();
            Forest::new(info, edges, trees).expect("a valid model")
        })
}

pub(super) fn logistic() -> impl Strategy<Value = Logistic> {
    let numbers = || prop::array::uniform14(prop::num::f64::NORMAL);
    (
        any_info(TREND_UP),
        numbers(),
        numbers(),
        numbers(),
        prop::num::f64::NORMAL,
    )
        .prop_map(|(info, mean, scale, weights, intercept)| {
            let scale = scale.map(f64::abs);
            Logistic::new(info, mean, scale, weights, intercept).expect("a valid model")
        })
}

/// A forest that predicts 1 for a z-score above 3, else 0.
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
    Forest::new(info, edges, vec![tree]).expect("a valid model")
}

/// A logistic regression that follows the last minute's return.
pub(super) fn a_logistic(version: u32) -> Logistic {
    let mut weights = [0.0; INPUTS.len()];
    weights[0] = 100.0;
    let info = ModelInfo {
        version,
        ..info(TREND_UP)
    };
    Logistic::new(info, [0.0; INPUTS.len()], [1.0; INPUTS.len()], weights, 0.0)
        .expect("a valid model")
}
