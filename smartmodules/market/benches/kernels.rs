//! The native cost of each step: `cargo bench --workspace --bench kernels [-- FILTER]`.
//!
//! In the broker the same code runs as wasm, which the throughput example of testing/harness measures.

#![allow(missing_docs)] // criterion's macros generate undocumented items

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use market::json::{Buffer, ObjectWriter};
use market::model::{
    ANOMALY_AHEAD, Forest, INPUTS, ModelInfo, ModelPair, Node, PredictParams, Predictor,
};
use market::{
    AnomalyParams, AnomalyRule, CleanParams, Cleaner, Emit, FEATURES_VERSION, FeatureParams,
    Featurizer, Input, Output, Tick, label,
};

/// The usual number of records in a batch of the broker.
const RECORDS: usize = 1_000;
const COINS: [(&str, &str, f64); 7] = [
    ("bitcoin", "btc", 104_371.21),
    ("ethereum", "eth", 2_512.64),
    ("solana", "sol", 152.37),
    ("ripple", "xrp", 2.1543),
    ("dogecoin", "doge", 0.19214),
    ("cardano", "ada", 0.6712),
    ("litecoin", "ltc", 86.42),
];

/// Seven coins in CoinGecko's shape, a tick a minute.
fn raw() -> Vec<Vec<u8>> {
    let record = |n: usize| {
        let (coin, symbol, level) = COINS[n % COINS.len()];
        let minute = n / COINS.len();
        let wobble = (minute as f64 * 0.37).sin() * 1e-3;
        let price = (level * (1.0 + wobble) * 1e6).round() / 1e6;
        let volume = (level * 3.1e5 * (1.0 + wobble * 0.1)).round();
        let (hour, minute) = (minute / 60, minute % 60);
        format!(
            r#"{{"id":"{coin}","symbol":"{symbol}","name":"{coin}","image":"https://assets.coingecko.com/coins/images/1/large/{coin}.png?1547033579","current_price":{price},"market_cap":{volume}0,"market_cap_rank":1,"fully_diluted_valuation":351324226502,"total_volume":{volume},"high_24h":{price},"low_24h":{price},"price_change_24h":159.29,"price_change_percentage_24h":0.96122,"market_cap_change_24h":3080113516,"market_cap_change_percentage_24h":0.96563,"circulating_supply":19250368.0,"total_supply":21000000.0,"max_supply":21000000.0,"ath":69045,"ath_change_percentage":-75.77384,"ath_date":"2021-11-10T14:24:11.849Z","atl":67.81,"atl_change_percentage":24567.66014,"atl_date":"2013-07-06T00:00:00.000Z","roi":null,"last_updated":"2025-06-01T{hour:02}:{minute:02}:13.102Z"}}"#
        )
        .into_bytes()
    };
    (0..RECORDS).map(record).collect()
}

/// The outputs of `process`.
fn derive(records: &[Vec<u8>], mut process: impl FnMut(&Input<'_>, &mut Output)) -> Vec<Vec<u8>> {
    let mut output = Output::new();
    let mut derived = Vec::new();
    for input in inputs(records) {
        process(&input, &mut output);
        derived.push(output.value().to_vec());
    }
    derived
}

fn inputs(records: &[Vec<u8>]) -> impl Iterator<Item = Input<'_>> + Clone {
    (0..).zip(records).map(|(offset, value)| Input {
        offset,
        timestamp_ms: 1_748_900_000_000,
        key: None,
        value,
    })
}

fn cleaner() -> Cleaner {
    Cleaner::new(CleanParams {
        emit: Emit::All,
        ..CleanParams::default()
    })
}

fn featurizer() -> Featurizer {
    Featurizer::new(FeatureParams {
        emit: Emit::All,
        ..FeatureParams::default()
    })
}

/// A hundred small trees.
fn predictor() -> Predictor {
    let nodes = |depth: u32| {
        fn grow(depth: u32, nodes: &mut Vec<Node>) {
            if depth == 0 {
                nodes.push(Node::Leaf { q: 12_345 });
                return;
            }
            let feature = (nodes.len() % INPUTS.len()) as u8;
            nodes.push(Node::Split { feature, bin: 1 });
            grow(depth - 1, nodes);
            grow(depth - 1, nodes);
        }
        let mut nodes = Vec::new();
        grow(depth, &mut nodes);
        nodes
    };
    let info = ModelInfo {
        name: ANOMALY_AHEAD.to_owned(),
        version: 1,
        run: "bench".to_owned(),
        features_version: FEATURES_VERSION,
        fill: [0.0; INPUTS.len()],
        trained_from_ms: 0,
        trained_to_ms: 0,
        rows: 1,
        threshold: 0.5,
    };
    let edges = std::array::from_fn(|_| vec![-1e-3, 0.0, 1e-3]);
    let forest = Forest::new(info, edges, vec![nodes(10); 100]).expect("a valid forest");
    let models = ModelPair {
        anomaly: Some(forest),
        trend: None,
    };
    Predictor::new(PredictParams { emit: Emit::All }, models)
}

fn kernels(criterion: &mut Criterion) {
    let raw = raw();
    let mut clean_with = cleaner();
    let clean = derive(&raw, |input, output| {
        clean_with.process(input, output);
    });
    let mut features_with = featurizer();
    let features = derive(&clean, |input, output| {
        features_with.process(input, output);
    });
    let mut group = criterion.benchmark_group("market");
    group.throughput(Throughput::Elements(RECORDS as u64));
    let mut output = Output::new();

    group.bench_function("parse a raw record", |bencher| {
        bencher.iter(|| raw.iter().filter(|raw| Tick::parse(raw).is_ok()).count());
    });
    group.bench_function("clean", |bencher| {
        bencher.iter(|| {
            let mut cleaner = cleaner();
            inputs(&raw)
                .filter(|input| cleaner.process(input, &mut output))
                .count()
        });
    });
    group.bench_function("features", |bencher| {
        bencher.iter(|| {
            let mut featurizer = featurizer();
            inputs(&clean)
                .filter(|input| featurizer.process(input, &mut output))
                .count()
        });
    });
    group.bench_function("anomaly", |bencher| {
        bencher.iter(|| {
            let mut rule = AnomalyRule::new(AnomalyParams {
                emit: Emit::All,
                ..AnomalyParams::default()
            });
            inputs(&features)
                .filter(|input| rule.process(input, &mut output))
                .count()
        });
    });
    let fresh = predictor();
    group.bench_function("predict", |bencher| {
        // A predictor skips records that it has seen, so each iteration needs a new one.
        bencher.iter_batched_ref(
            || fresh.clone(),
            |predictor| {
                predictor.predict_batch(inputs(&features));
                inputs(&features)
                    .filter(|input| predictor.next_output(input, &mut output))
                    .count()
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("write a number", |bencher| {
        let numbers: Vec<f64> = (0..RECORDS).map(|n| (n as f64 * 0.37).sin()).collect();
        let mut buffer = Buffer::default();
        bencher.iter(|| {
            buffer.clear();
            let mut object = ObjectWriter::record(&mut buffer, 0, "none");
            for number in &numbers {
                object.number(label!("number"), black_box(*number));
            }
            buffer.as_slice().len()
        });
    });
    group.finish();
}

criterion_group!(benches, kernels);
criterion_main!(benches);
