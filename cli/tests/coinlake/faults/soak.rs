//! A day of market at 60 times its speed: memory, open files and latency at its start, middle and end. Run by
//! `cargo xtask soak`.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use connector_runtime::cluster::Client;
use connector_runtime::reader;
use connector_runtime::record::Record;
use faults::Vitals;
use fixtures::broker::TestBroker;
use fixtures::process::coinlake;
use serde_json::{Value, json};

use super::recording::{self, Size};
use crate::figures;

/// 1,000 records a second at 60 times the speed.
const COINS: usize = 1_000;
const SAMPLE_INTERVAL: Duration = Duration::from_secs(2);
const CHUNK_RECORDS: i64 = 20_000;
/// A run's first fifth fills what is going to be full; from then on nothing may grow by more.
const GROWTH_MAX: f64 = 1.2;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes as long as it is told to: cargo xtask soak"]
async fn nothing_grows() {
    let setting = |name: &str| std::env::var(name).unwrap().parse::<f64>().unwrap();
    let (hours, speed) = (
        setting("COINLAKE_SOAK_HOURS"),
        setting("COINLAKE_SOAK_SPEED"),
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("market.parquet");
    let size = Size {
        coins: COINS,
        new_coins_a_minute: 0,
        minutes: (hours * 60.0) as usize,
    };
    let rows = recording::write(&file, size, faults::seed());
    println!("{rows} records: {COINS} coins, {hours} hours of market at {speed} times its speed");
    let data = folder.path().join("data");
    let demo = coinlake(&["demo", "--exit", "--json", "--console=127.0.0.1:0"])
        .args([
            "--metrics-listen=0",
            "--speed",
            &speed.to_string(),
            "--recording",
        ])
        .arg(&file)
        .arg("--data")
        .arg(&data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let vitals = watched(demo);
    let an_hour = ((vitals.len() as f64 / hours) as usize).max(1);
    let (first, last) = (
        vitals.iter().skip(an_hour).take(an_hour),
        vitals.iter().rev().take(an_hour),
    );
    let own_mb = |vitals: &Vitals| vitals.own_bytes as f64 / 1e6;
    figures::write(&json!({
        "records": rows,
        "hours": hours,
        "after_the_first_hour_mb": median(first.clone().map(Vitals::resident_mb)),
        "at_the_end_mb": median(last.clone().map(Vitals::resident_mb)),
        "own_after_the_first_hour_mb": median(first.map(own_mb)),
        "own_at_the_end_mb": median(last.map(own_mb)),
    }));
    let latencies = latencies_ms(&data).await;
    assert_eq!(latencies.len() as u64, rows);

    println!("|  | memory | open files | of them sockets | latency p50 | p99 | max |");
    println!("|---|---|---|---|---|---|---|");
    let mut used = Vec::new();
    for (name, fifth) in [("start", 0), ("middle", 2), ("end", 4)] {
        let vitals = part(&vitals, fifth);
        let peak = vitals.iter().map(Vitals::resident_mb).fold(0.0, f64::max);
        let files = vitals.iter().map(|vitals| vitals.open_files).max().unwrap();
        let sockets = vitals.iter().map(|vitals| vitals.sockets).max().unwrap();
        let mut sorted = part(&latencies, fifth).to_vec();
        sorted.sort_unstable();
        let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
        println!(
            "| {name} | {peak:.0} MB | {files} | {sockets} | {} ms | {} ms | {} ms |",
            at(0.5),
            at(0.99),
            at(1.0)
        );
        used.push((peak, sockets));
    }
    // The broker keeps a file open for every 16 MiB of records, until retention takes them.
    let ((middle_mb, middle_sockets), (end_mb, end_sockets)) = (used[1], used[2]);
    assert!(end_mb < middle_mb * GROWTH_MAX, "memory grows");
    assert!(end_sockets <= middle_sockets + 10, "connections stay open");
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// One fifth of it.
fn part<T>(all: &[T], fifth: usize) -> &[T] {
    &all[all.len() * fifth / 5..all.len() * (fifth + 1) / 5]
}

/// What the process used, again and again until the market was drained.
fn watched(mut demo: Child) -> Vec<Vitals> {
    let mut seen = Vec::new();
    let started = Instant::now();
    while demo.try_wait().unwrap().is_none() {
        let at = started.elapsed().as_secs_f64();
        seen.extend(Vitals::of(demo.id()).map(|vitals| (at, vitals)));
        if seen.len() % 60 == 0 {
            let (_, last) = seen.last().unwrap();
            println!(
                "after {} min: {:.0} MB, {} open files",
                started.elapsed().as_secs() / 60,
                last.resident_mb(),
                last.open_files
            );
        }
        std::thread::sleep(SAMPLE_INTERVAL);
    }
    let output = demo.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("{summary}");
    // What comes after is the summary's own work: it reads whole topics.
    let drained = summary["seconds"].as_f64().unwrap();
    seen.retain(|(at, _)| *at < drained);
    seen.into_iter().map(|(_, vitals)| vitals).collect()
}

/// From a record's arrival in crypto-raw to that of its features, for every record in order.
async fn latencies_ms(data: &Path) -> Vec<i64> {
    let mut broker = TestBroker::on(data.join("broker")).await;
    let client = broker.client();
    let mut raw_ms = Vec::new();
    for_each(client, "crypto-raw", |record| {
        raw_ms.push(record.timestamp_ms)
    })
    .await;
    let mut raw_of_clean = Vec::new();
    for_each(client, "crypto-clean", |record| {
        raw_of_clean.push(source_offset(&record));
    })
    .await;
    let mut latencies_ms = Vec::new();
    for_each(client, "crypto-features", |record| {
        let raw = raw_of_clean[source_offset(&record)];
        latencies_ms.push(record.timestamp_ms - raw_ms[raw]);
    })
    .await;
    broker.stop().await;
    latencies_ms
}

async fn for_each(client: &Client, topic: &str, mut each: impl FnMut(Record)) {
    let range = reader::offsets(client, topic, 0).await.unwrap();
    let mut from = range.start;
    while from < range.end {
        let until = range.end.min(from + CHUNK_RECORDS);
        let records = reader::read_range(client, topic, 0, from..until)
            .await
            .unwrap();
        records.into_iter().for_each(&mut each);
        from = until;
    }
}

fn source_offset(record: &Record) -> usize {
    let offset = parquet_sink::envelope::source_offset(&record.value).unwrap();
    usize::try_from(offset).unwrap()
}
