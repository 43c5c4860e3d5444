//! The whole pipeline on a cluster leaves what an undisturbed run on the embedded broker leaves, row for row.

use fixtures::{smartmodules, topic};
use market::FEATURES_VERSION;
use market::model::{
    ANOMALY_AHEAD, Forest, INPUTS, Logistic, ModelInfo, ModelPair, Node, TREND_UP, slot,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use replay::Speed;

use super::pipeline::*;
use super::support::*;

/// Scale-out by configuration: each stage in three processes, each with its share of the partitions.
#[tokio::test(flavor = "multi_thread")]
async fn several_processes_do_as_one_does() {
    let expected = synthetic_landed().await;
    for target in Target::all().await {
        let setup = Setup {
            copies: 3,
            ..Setup::synthetic(3)
        };
        let pipeline = Pipeline::start(&target, setup).await;
        let landed = pipeline.landed(expected).await;
        landed.assert_equal(expected, &target.profile);
        target.clean_up().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_gives_what_the_embedded_broker_gives() {
    for partitions in [1, 3] {
        let Some(target) = Target::genuine().await else {
            return;
        };
        let expected = undisturbed(Setup::synthetic(partitions)).await;
        let pipeline = Pipeline::start(&target, Setup::synthetic(partitions)).await;
        let landed = pipeline.landed(&expected).await;
        landed.assert_equal(&expected, &format!("{partitions} partitions"));
        target.clean_up().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recording_lands_on_a_cluster_as_on_the_embedded_broker() {
    let (Some(target), Some(setup)) = (Target::genuine().await, Setup::recorded(3)) else {
        return;
    };
    let expected = undisturbed(Setup::recorded(3).unwrap()).await;
    let pipeline = Pipeline::start(&target, setup).await;
    let landed = pipeline.landed(&expected).await;
    landed.assert_equal(&expected, "the recording");
    target.clean_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_stages_lose_and_double_nothing() {
    const KILLS: usize = 12;
    let seed = 1;
    println!("seed {seed}");
    let expected = synthetic_landed().await;
    for target in Target::all().await {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut pipeline = Pipeline::start(&target, Setup::synthetic(3)).await;
        let ticks = expected.count("clean") as u64;
        let mut moments: Vec<u64> = (0..KILLS).map(|_| random.random_range(0..ticks)).collect();
        moments.sort_unstable();
        for moment in moments {
            pipeline.reaches("clean", moment).await;
            let victim = random.random_range(0..pipeline.stages());
            pipeline.kill_stage(victim).await;
        }
        let landed = pipeline.landed(expected).await;
        landed.assert_equal(expected, &target.profile);
        target.clean_up().await;
    }
}

/// The embedded broker is killed in the crash test of the demo.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_spu_loses_and_doubles_nothing() {
    let Some(mut target) = Target::own().await else {
        return;
    };
    let expected = synthetic_landed().await;
    let mut cluster = target.own.take().unwrap();
    let mut pipeline = Pipeline::start(&target, Setup::synthetic(3)).await;
    let ticks = expected.count("clean") as u64;
    for part in 1..6 {
        pipeline.reaches("clean", ticks * part / 6).await;
        println!("kill -9 of the SPU after {} ticks", ticks * part / 6);
        cluster.kill_spu().await;
    }
    let landed = pipeline.landed(expected).await;
    landed.assert_equal(expected, "a killed SPU");
    target.clean_up().await;
}

/// Promoting a model replaces a SmartModule; the embedded broker's own test is among the stage's.
#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_model_takes_over_without_a_gap() {
    const PARTITIONS: u32 = 3;
    let Some(target) = Target::genuine().await else {
        return;
    };
    let expected = synthetic_landed().await;
    let partitions = PARTITIONS.to_string();
    target.deployed(&["--partitions", &partitions]).await;
    serve(&target, 1).await;
    let setup = Setup {
        // Three days in three quarters of a minute: stages look for another module every ten seconds.
        speed: Speed::Times(5760.0),
        ..Setup::synthetic(PARTITIONS)
    };
    let mut pipeline = Pipeline::start(&target, setup).await;
    let rows = expected.count("features");
    pipeline.reaches("predictions", rows as u64 / 4).await;
    serve(&target, 2).await;
    pipeline.reaches("predictions", rows as u64).await;
    let landed = pipeline.landed(expected).await;

    let predictions = landed.rows("predictions");
    let features = landed.rows("features");
    assert_eq!(predictions.len(), features.len());
    assert_eq!(predictions.len(), landed.records("predictions").len());
    let mut before = ("", false);
    let mut switches = 0;
    for (index, prediction) in predictions.iter().enumerate() {
        let partition = prediction["source_partition"].as_str().unwrap();
        let second = match prediction["anomaly_model"].as_str().unwrap() {
            "anomaly_ahead/1" => false,
            "anomaly_ahead/2" => true,
            other => panic!("made by {other}"),
        };
        assert_eq!(
            prediction["trend_model"].as_str(),
            Some(if second { "trend_up/2" } else { "trend_up/1" }),
            "both models of a pair answer"
        );
        if before.0 == partition {
            assert!(
                second || !before.1,
                "the old model came back at row {index}"
            );
            switches += usize::from(second != before.1);
        }
        before = (partition, second);
    }
    assert_eq!(switches, PARTITIONS as usize, "one switch a partition");
    for (prediction, feature) in predictions.iter().zip(features) {
        for column in ["source_partition", "coin", "event_time", "price"] {
            assert_eq!(prediction[column], feature[column]);
        }
    }
    target.clean_up().await;
}

/// Puts a pair of models into the cluster's crypto-predict.
async fn serve(target: &Target, version: u32) {
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
    let tree = vec![
        Node::Split { feature: 0, bin: 0 },
        Node::Leaf { q: 1_000 },
        Node::Leaf { q: 60_000 },
    ];
    let edges = std::array::from_fn(|_| vec![0.0]);
    let forest = Forest::new(info(ANOMALY_AHEAD), edges, vec![tree]);
    let (zeros, ones) = ([0.0; INPUTS.len()], [1.0; INPUTS.len()]);
    let logistic = Logistic::new(info(TREND_UP), zeros, ones, ones, 0.0);
    let pair = ModelPair {
        anomaly: Some(forest.unwrap()),
        trend: Some(logistic.unwrap()),
    };
    let wasm = slot::fill(&smartmodules::wasm("crypto-predict"), &pair).unwrap();
    topic::create_smartmodule(&target.client().await, "crypto-predict", &wasm).await;
}
