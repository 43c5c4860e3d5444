//! Models of the shape that training gives, grown at random: what they say means nothing, what it takes to say it does.

use market::FEATURES_VERSION;
use market::model::{
    ANOMALY_AHEAD, EDGES_MAX, Forest, INPUTS, Inputs, Logistic, ModelInfo, ModelPair, Node,
    TREND_UP,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// As design and training have it.
const TREES: usize = 100;
const DEPTH_MAX: u32 = 12;
const LEAF_ROWS_MIN: usize = 20;
/// Rows that a tree is grown on. With these it comes to about 2,800 nodes.
const ROWS: usize = 88_000;

/// A row's inputs as the numbers of their bins.
type Bins = [u8; INPUTS.len()];

/// Both models. The same seed gives the same.
///
/// # Panics
///
/// When what is grown is not sound.
pub fn grown(seed: u64) -> ModelPair {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let rows: Vec<Inputs> = (0..ROWS).map(|_| row(&mut random)).collect();
    let edges: [Vec<f64>; INPUTS.len()] = std::array::from_fn(|input| {
        let mut values: Vec<f64> = rows.iter().map(|row| row[input]).collect();
        values.sort_by(f64::total_cmp);
        let mut edges: Vec<f64> = (1..=EDGES_MAX)
            .map(|n| values[n * (ROWS - 1) / (EDGES_MAX + 1)])
            .collect();
        edges.dedup();
        edges
    });
    let bin =
        |row: &Inputs, input: usize| edges[input].partition_point(|edge| *edge < row[input]) as u8;
    let rows: Vec<Bins> = rows
        .iter()
        .map(|row| std::array::from_fn(|input| bin(row, input)))
        .collect();
    let trees = (0..TREES).map(|_| {
        let mut nodes = Vec::new();
        grow(&mut random, &edges, &mut rows.clone(), 0, &mut nodes);
        nodes
    });
    let trees = trees.collect();
    let anomaly = Forest::new(info(ANOMALY_AHEAD, seed), edges, trees).expect("it is sound");
    let mut numbers = |range: std::ops::Range<f64>| -> Inputs {
        std::array::from_fn(|_| random.random_range(range.clone()))
    };
    let (mean, scale, weights) = (numbers(-1e-3..1e-3), numbers(1e-3..2.0), numbers(-0.5..0.5));
    let trend = Logistic::new(info(TREND_UP, seed), mean, scale, weights, 0.03);
    ModelPair {
        anomaly: Some(anomaly),
        trend: Some(trend.expect("it is sound")),
    }
}

fn info(name: &str, seed: u64) -> ModelInfo {
    ModelInfo {
        name: name.to_owned(),
        version: seed as u32,
        run: format!("seed-{seed}"),
        features_version: FEATURES_VERSION,
        fill: [
            0.0, 0.0, 0.0, 5e-4, 5e-4, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 15.0, 12.0,
        ],
        trained_from_ms: 1_748_736_000_000,
        trained_to_ms: 1_750_000_000_000,
        rows: ROWS as u64,
        threshold: 0.2,
    }
}

/// Of the sizes that rows of a market have.
fn row(random: &mut impl Rng) -> Inputs {
    let mut around = |middle: f64, width: f64| {
        let sum: f64 = (0..4).map(|_| random.random_range(-1.0..1.0)).sum();
        middle + width * sum
    };
    [
        around(0.0, 1e-3),
        around(0.0, 2e-3),
        around(0.0, 4e-3),
        around(8e-4, 1e-4),
        around(8e-4, 1e-4),
        around(0.0, 1e-3),
        around(0.0, 2e-3),
        around(0.0, 1.2),
        around(0.0, 1.0),
        around(1.0, 1e-3),
        around(1.0, 1.5),
        around(0.0, 2e-3),
        around(14.0, 0.5).round(),
        around(12.0, 3.0).round(),
    ]
}

/// Splits at the middle of three rows' values of an input chosen at random, until rows are few or it is deep enough.
fn grow(
    random: &mut impl Rng,
    edges: &[Vec<f64>; INPUTS.len()],
    rows: &mut [Bins],
    depth: u32,
    nodes: &mut Vec<Node>,
) {
    for _ in 0..4 {
        if depth == DEPTH_MAX || rows.len() < 2 * LEAF_ROWS_MIN {
            break;
        }
        let feature = random.random_range(0..INPUTS.len());
        let mut three = [0; 3].map(|_: u8| rows[random.random_range(0..rows.len())][feature]);
        three.sort_unstable();
        let bin = three[1];
        rows.sort_unstable_by_key(|row| row[feature] > bin);
        let left = rows.partition_point(|row| row[feature] <= bin);
        if usize::from(bin) == edges[feature].len()
            || left < LEAF_ROWS_MIN
            || rows.len() - left < LEAF_ROWS_MIN
        {
            continue;
        }
        nodes.push(Node::Split {
            feature: feature as u8,
            bin,
        });
        let (left, right) = rows.split_at_mut(left);
        grow(random, edges, left, depth + 1, nodes);
        grow(random, edges, right, depth + 1, nodes);
        return;
    }
    nodes.push(Node::Leaf { q: random.random() });
}
