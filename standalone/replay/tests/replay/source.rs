//! Replay, source and broker together: what a market holds is in the topic once and in order, whenever the run broke off.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use coingecko_source::{Config, ErrorKind, SECTION, SourceStatus, partition_of};
use connector_runtime::cluster::Client;
use connector_runtime::config::Secrets;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use fixtures::broker::TestBroker;
use fixtures::patience::within;
use fixtures::recording::recording;
use fixtures::topic;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use replay::{Market, Position, Recording, ReplayServer, Speed, Step, SyntheticMarket, Tail};
use tokio_util::sync::CancellationToken;

const TOPIC: &str = "crypto-raw";

/// What a market sends to each partition, in order.
fn expected(market: &Market, partitions: u32) -> Vec<Vec<Vec<u8>>> {
    let mut all = vec![Vec::new(); partitions as usize];
    let (mut steps, mut step) = (market.steps().unwrap(), Step::default());
    while steps.next_into(&mut step).unwrap() {
        for element in step.elements() {
            let partition = partition_of(element.key.map(|key| key.as_bytes()), partitions);
            all[partition as usize].push(element.json.to_vec());
        }
    }
    all
}

/// What each partition of the topic holds.
async fn held(client: &Client, partitions: u32) -> Vec<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for partition in 0..partitions {
        let records = topic::records(client, TOPIC, partition).await;
        let values = records.iter().map(|record| record.value.to_vec());
        all.push(values.collect());
    }
    all
}

/// Sends what comes after the topic's records, until at least `enough` were sent or all; then aborts the source and stops the
/// broker. Returns how long it took to send.
async fn run(data: PathBuf, market: &Market, partitions: u32, enough: u64) -> Duration {
    let mut broker = TestBroker::on(data).await;
    ensure_topic(
        broker.client(),
        &TopicSettings::named(TOPIC).with_partitions(partitions),
    )
    .await
    .unwrap();
    let tail = |values: &Vec<Vec<u8>>| Tail {
        records: values.len() as u64,
        last: values.last().cloned(),
    };
    let tails: Vec<Tail> = held(broker.client(), partitions)
        .await
        .iter()
        .map(tail)
        .collect();
    let missing =
        market.records_total().unwrap() - tails.iter().map(|tail| tail.records).sum::<u64>();
    let position = Position::from_tails(tails, partition_of);
    let replay = ReplayServer::start(market.clone(), Speed::Max, position)
        .await
        .unwrap();
    let text = format!(
        "meta:\n  version: 0.1.0\n  name: source\n  type: coingecko-source\n  topic: {TOPIC}\n{SECTION}:\n  base_url: {}\n  \
         top: 250\n  poll_interval: 0s\n",
        replay.base_url()
    );
    let config = Config::from_yaml(&text, SECTION, &Secrets::none()).unwrap();
    let status = Arc::new(SourceStatus::default());
    let started = Instant::now();
    let mut source = tokio::spawn(coingecko_source::run(
        config,
        broker.cluster(),
        CancellationToken::new(),
        status.clone(),
    ));
    let sent = async {
        while status.records.load(Ordering::Relaxed) < enough.min(missing) {
            // Looks, rather than waits for a time: how often decides nothing.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        () = within(sent) => {}
        ended = &mut source => panic!("the source ended before it had sent everything: {ended:?}"),
    }
    let took = started.elapsed();
    // The synthetic market has elements that are no objects, for crypto-clean to reject.
    for kind in ErrorKind::ALL
        .into_iter()
        .filter(|kind| *kind != ErrorKind::NotAnObject)
    {
        assert_eq!(status.errors(kind), 0, "{kind}");
    }
    source.abort();
    let _ = source.await;
    broker.stop().await;
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_breaks_off_again_and_again_ends_like_one_that_never_did() {
    let seed = match std::env::var("SEED") {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("SEED is no number: {text}")),
        Err(_) => 20,
    };
    println!("SEED={seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for partitions in [1, 3] {
        let data = tempfile::tempdir().unwrap();
        let market = Market::Synthetic(SyntheticMarket::new(seed, 900));
        for _ in 0..8 {
            run(
                data.path().into(),
                &market,
                partitions,
                rng.random_range(1..1_000),
            )
            .await;
        }
        run(data.path().into(), &market, partitions, u64::MAX).await;
        let broker = TestBroker::on(data.path().into()).await;
        let held = held(broker.client(), partitions).await;
        assert!(
            held == expected(&market, partitions),
            "SEED={seed}, {partitions} partitions"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_arrives_whole() {
    let Some(path) = recording() else { return };
    let opened = Instant::now();
    let market = Market::Recording(Recording::open(&path).unwrap());
    println!(
        "checked {} rows in {:?}",
        market.records_total().unwrap(),
        opened.elapsed()
    );
    let data = tempfile::tempdir().unwrap();
    let took = run(data.path().into(), &market, 1, u64::MAX)
        .await
        .as_secs_f64();
    println!(
        "{} polls and {} records in {took:.2} s: {:.0} polls/s, {:.0} records/s",
        market.steps_total(),
        market.records_total().unwrap(),
        market.steps_total() as f64 / took,
        market.records_total().unwrap() as f64 / took
    );
    let broker = TestBroker::on(data.path().into()).await;
    let held = held(broker.client(), 1).await;
    assert!(held == expected(&market, 1));
    let ids = held[0].iter().map(|json| {
        let coin: serde_json::Value = serde_json::from_slice(json).unwrap();
        coin["id"].as_str().unwrap().to_owned()
    });
    assert_eq!(ids.collect::<HashSet<_>>().len(), 7);
}
