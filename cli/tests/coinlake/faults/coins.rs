//! A market of 50,000 coins, with a new one every second: nothing is lost, and memory stays within bounds however long it
//! goes on.

use std::process::{Child, Stdio};
use std::time::Duration;

use faults::Vitals;
use fixtures::process::coinlake;
use serde_json::Value;

use super::recording::{self, Size};

const COINS: usize = 50_000;
/// crypto-clean remembers an hour and crypto-features an hour and a half of market: only after that memory is full.
const LONG_MINUTES: u64 = 150;
const MEMORY_MAX_MB: f64 = 3_000.0;

#[test]
fn fifty_thousand_coins_and_a_new_one_every_second() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("coins.parquet");
    let size = Size {
        coins: COINS,
        new_coins_a_minute: 60,
        minutes: faults::times(3, LONG_MINUTES) as usize,
    };
    let rows = recording::write(&file, size, faults::seed());
    let demo = coinlake(&["demo", "--exit", "--json", "--recording"])
        .arg(&file)
        .arg("--data")
        .arg(folder.path().join("data"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (summary, memory_mb) = watched(demo);
    println!("{summary}");
    let at = |tenth: usize| memory_mb[(memory_mb.len() - 1) * tenth / 10];
    println!(
        "{rows} records of {COINS} coins and more: {:.0} MB after a tenth of the time, {:.0} MB in the middle, {:.0} MB at \
         the end",
        at(1),
        at(5),
        at(10)
    );
    let records = &summary["records"];
    for layer in ["raw", "clean", "features"] {
        assert_eq!(records[layer], rows, "{layer}");
    }
    assert_eq!(records["rejected"], 0);
    let peak = summary["peak_rss_mb"].as_f64().unwrap();
    assert!(peak < MEMORY_MAX_MB, "{peak} MB");
}

/// Its summary, and its memory every 100 ms until it ended.
fn watched(mut demo: Child) -> (Value, Vec<f64>) {
    let mut memory_mb = Vec::new();
    while demo.try_wait().unwrap().is_none() {
        memory_mb.extend(Vitals::of(demo.id()).map(|vitals| vitals.resident_mb()));
        std::thread::sleep(Duration::from_millis(100));
    }
    let output = demo.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    (serde_json::from_slice(&output.stdout).unwrap(), memory_mb)
}
