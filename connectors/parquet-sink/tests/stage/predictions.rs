//! A model that is promoted while a whole pipeline runs at full speed takes over at one offset.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use connector_runtime::reader;
use connector_runtime::record::Record;
use connector_runtime::writer::TopicWriter;
use fixtures::smartmodules;
use market::model::{
    ANOMALY_AHEAD, Forest, INPUTS, Logistic, ModelInfo, ModelPair, Node, PredictParams, Predictor,
    TREND_UP, slot,
};
use market::{Emit, FEATURES_VERSION, Input, Output};
use parquet_sink::failpoints::Failpoints;
use parquet_sink::status::DestinationStatus;

use crate::support::*;

const PARTITIONS: u32 = 2;

/// How far the market may be ahead of the predictions, in records waiting in topics.
const LEAD_MAX: i64 = 20_000;

/// A pair of models whose predictions differ from version to version.
fn models(version: u32) -> ModelPair {
    let info = |name: &str| ModelInfo {
        name: name.to_owned(),
        version,
        run: format!("run-{version}"),
        features_version: FEATURES_VERSION,
        fill: [0.0; INPUTS.len()],
        trained_from_ms: 0,
        trained_to_ms: 1,
        rows: 1,
        threshold: 0.5,
    };
    let tree = |feature| {
        vec![
            Node::Split { feature, bin: 0 },
            Node::Leaf {
                q: 100 * version as u16,
            },
            Node::Leaf {
                q: 60_000 + version as u16,
            },
        ]
    };
    let edges = std::array::from_fn(|_| vec![0.0]);
    let forest = Forest::new(info(ANOMALY_AHEAD), edges, vec![tree(0), tree(7), tree(11)]);
    let weights = [f64::from(version); INPUTS.len()];
    let (zeros, ones) = ([0.0; INPUTS.len()], [1.0; INPUTS.len()]);
    let logistic = Logistic::new(info(TREND_UP), zeros, ones, weights, 0.0);
    ModelPair {
        anomaly: Some(forest.unwrap()),
        trend: Some(logistic.unwrap()),
    }
}

fn serving(version: u32) -> Vec<u8> {
    slot::fill(&smartmodules::wasm("crypto-predict"), &models(version)).unwrap()
}

fn often(platform: &Platform) -> Failpoints {
    // The SPUs of a cluster get a module after the SC; a module that a stage finds must have settled by then.
    let interval = match platform.is_genuine() {
        true => Duration::from_secs(2),
        false => Duration::from_millis(50),
    };
    Failpoints::default().looking_for_modules_every(interval)
}

/// Feeds the market into crypto-raw, minute after minute, until stopped.
async fn replay(platform: &Platform, stages: [&RunningStage; 3], stop: Arc<AtomicBool>) {
    let [clean, features, predictions] = stages.map(|stage| &stage.status);
    let (accepted, rows) = (
        clean.destination("accepted"),
        features.destination("features"),
    );
    let of = |topic: &DestinationStatus| topic.records.load(Ordering::Relaxed) as i64;
    let lead = |sent: i64| {
        sent - clean.next_input() + of(&accepted) - features.next_input() + of(&rows)
            - predictions.next_input()
    };
    let client = platform.client().await;
    let topic = platform.name("crypto-raw");
    let mut writers = Vec::new();
    for partition in 0..PARTITIONS {
        writers.push(
            TopicWriter::open(&client, &topic, partition, PATIENCE)
                .await
                .unwrap(),
        );
    }
    let (mut minute, mut sent) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let records = market_between(minute..minute + 30);
        minute += 30;
        for writer in &mut writers {
            writer.append(&records).await.unwrap();
            sent += records.len() as i64;
        }
        while lead(sent) > LEAD_MAX && !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// All records of a partition, duplicates included.
async fn log(platform: &Platform, topic: &str, partition: u32) -> Vec<Record> {
    let client = platform.client().await;
    let topic = platform.name(topic);
    let range = reader::offsets(&client, &topic, partition).await.unwrap();
    reader::read_range(&client, &topic, partition, range.start..range.end)
        .await
        .unwrap()
}

fn json(value: &Bytes) -> serde_json::Value {
    serde_json::from_slice(value).unwrap()
}

/// The model version that a partition's newest prediction names.
async fn newest_model(platform: &Platform, topic: &str, partition: u32) -> Option<String> {
    let client = platform.client().await;
    let tail = reader::read_tail(&client, &platform.name(topic), partition)
        .await
        .unwrap()?;
    Some(
        json(&tail.value)["anomaly_model"]
            .as_str()
            .unwrap()
            .to_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_model_takes_over_at_one_offset() {
    let platform = Platform::start().await;
    for name in ["crypto-clean", "crypto-features"] {
        platform.module(name, name, b"").await;
    }
    platform.put_module("crypto-predict", &serving(1)).await;
    let topic = "crypto-predictions-all";
    for topic in [
        "crypto-raw",
        "crypto-clean-all",
        "crypto-features-all",
        topic,
    ] {
        platform.topic(topic, PARTITIONS).await;
    }
    let config = |text, input: &str| {
        let mut config = platform.config("all", text);
        config.meta.topic.name = platform.name(input);
        config
    };
    let clean = platform.start_stage(config(CLEAN, "crypto-raw"));
    let features = platform.start_stage(config(FEATURES, "crypto-clean-all"));
    let predictions = config(PREDICTIONS, "crypto-features-all");
    let predictions = platform.start_stage_with(predictions, often(&platform));

    let stop = Arc::new(AtomicBool::new(false));
    let promote = async {
        for version in [1, 2, 3] {
            if version > 1 {
                platform
                    .put_module("crypto-predict", &serving(version))
                    .await;
            }
            let name = format!("anomaly_ahead/{version}");
            eventually(&format!("{name} predicts in every partition"), || async {
                assert!(!predictions.task.is_finished(), "the stage ended early");
                for partition in 0..PARTITIONS {
                    if newest_model(&platform, topic, partition).await.as_ref() != Some(&name) {
                        return false;
                    }
                }
                true
            })
            .await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    let stages = [&clean, &features, &predictions];
    tokio::join!(replay(&platform, stages, stop.clone()), promote);

    // Everything that was sent reaches the predictions.
    for (stage, input) in [
        (&clean, "crypto-raw"),
        (&features, "crypto-clean-all"),
        (&predictions, "crypto-features-all"),
    ] {
        let mut inputs = 0;
        for partition in 0..PARTITIONS {
            inputs += platform.end(input, partition).await;
        }
        stage.handles(inputs).await;
    }
    for stage in [clean, features, predictions] {
        stage.stops().await.unwrap();
    }

    let mut landed = BTreeMap::<(String, String), Vec<String>>::new();
    for row in platform.rows("all", "predictions").await {
        let values: Vec<_> = row.split(" | ").map(str::to_owned).collect();
        let n = values.len();
        // The lineage columns come last: topic, partition, offset.
        let place = (values[n - 2].clone(), values[n - 1].clone());
        assert!(
            landed.insert(place, values).is_none(),
            "a row landed twice: {row}"
        );
    }
    let mut rows = 0;
    for partition in 0..PARTITIONS {
        let features = log(&platform, "crypto-features-all", partition).await;
        let predicted = log(&platform, topic, partition).await;
        println!("partition {partition}: {} predictions", predicted.len());
        assert_eq!(
            predicted.len(),
            features.len(),
            "no prediction may be lost or come twice"
        );
        let mut native: BTreeMap<_, _> = [1, 2, 3]
            .map(|version| {
                let predictor = Predictor::new(PredictParams { emit: Emit::All }, models(version));
                (format!("anomaly_ahead/{version}"), predictor)
            })
            .into();
        let mut output = Output::new();
        let mut in_order = Vec::new();
        for (offset, (input, prediction)) in features.iter().zip(&predicted).enumerate() {
            let value = json(&prediction.value);
            assert_eq!(
                value["source_offset"], offset,
                "predictions must be in order, without a gap"
            );
            let name = value["anomaly_model"].as_str().unwrap().to_owned();
            let version = name.rsplit('/').next().unwrap();
            assert_eq!(value["trend_model"], format!("trend_up/{version}"));
            // The models named are those that predicted.
            let input = Input {
                offset: input.offset,
                timestamp_ms: input.timestamp_ms,
                key: None,
                value: &input.value,
            };
            native.get_mut(&name).unwrap().process(&input, &mut output);
            assert_eq!(prediction.value, output.value());

            let row = &landed[&(partition.to_string(), offset.to_string())];
            for (column, name) in [
                "raw_offset",
                "coin",
                "event_time",
                "price",
                "anomaly_probability",
                "trend_up_probability",
                "anomaly_model",
                "trend_model",
            ]
            .into_iter()
            .enumerate()
            {
                let same = match &value[name] {
                    serde_json::Value::String(text) => *text == row[column],
                    number => number.as_f64() == row[column].parse().ok(),
                };
                assert!(same, "lake and topic differ in {name}: {row:?}, {value}");
            }
            rows += 1;
            if in_order.last() != Some(&name) {
                in_order.push(name);
            }
        }
        assert_eq!(
            in_order,
            ["anomaly_ahead/1", "anomaly_ahead/2", "anomaly_ahead/3"],
            "each version must take over at one offset"
        );
    }
    assert_eq!(landed.len(), rows, "the lake must have no other rows");
    let stamps = platform.stamps("all", "predictions");
    let hashes: BTreeSet<_> = stamps
        .iter()
        .map(|stamp| stamp.modules[0].sha256.clone())
        .collect();
    assert_eq!(
        hashes.len(),
        3,
        "each commit must name the module that made it"
    );
}

/// A module that was replaced by hand, without any check: the predictions wait for one that works.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_model_loses_nothing() {
    let platform = Platform::start().await;
    platform.put_module("crypto-predict", &serving(1)).await;
    platform.topic("crypto-features", 1).await;
    let features = |offsets: std::ops::Range<i64>| -> Vec<_> {
        let value = |n| {
            format!(
                r#"{{"source_offset":{n},"status":"features","coin":"bitcoin","symbol":"btc","event_time":{n},"price":1,"features_version":{FEATURES_VERSION}}}"#
            )
        };
        offsets.map(|n| outgoing("bitcoin", &value(n))).collect()
    };
    let stage = platform.start_stage_with(platform.config("a", PREDICTIONS), often(&platform));
    platform
        .produce("crypto-features", 0, &features(0..200))
        .await;
    stage.handles(200).await;

    let mut damaged = serving(2);
    let run = damaged
        .windows(5)
        .position(|bytes| bytes == b"run-2")
        .unwrap();
    damaged[run] = b'R';
    platform.put_module("crypto-predict", &damaged).await;
    eventually("the stage restarts", || async {
        assert!(!stage.task.is_finished(), "the stage ended");
        stage.status.restarts.load(Ordering::Relaxed) >= 2
    })
    .await;
    platform
        .produce("crypto-features", 0, &features(200..400))
        .await;
    assert_eq!(platform.end("crypto-predictions-a", 0).await, 200);

    platform.put_module("crypto-predict", &serving(3)).await;
    stage.handles(400).await;
    stage.stops().await.unwrap();
    let predicted = log(&platform, "crypto-predictions-a", 0).await;
    assert_eq!(predicted.len(), 400);
    for (prediction, n) in predicted.iter().zip(0..) {
        let value = json(&prediction.value);
        assert_eq!(value["source_offset"], n);
        let version = if n < 200 { 1 } else { 3 };
        assert_eq!(value["anomaly_model"], format!("anomaly_ahead/{version}"));
    }
    assert_eq!(platform.rows("a", "predictions").await.len(), 400);
}
