//! A table after a year: what a restart, `health` and a reader cost.

use std::time::{Duration, Instant};

use lake::Transaction;

use crate::rows::{app, commit, open, spec, stamp};

/// Days of the year, and the entries of its last day: older ones are gone.
const DAYS: i64 = 365;
const ENTRIES: i64 = 1_440;

#[tokio::test]
#[ignore = "thousands of synced files: run it alone"]
async fn a_restart_after_a_year_is_fast_and_small() {
    let folder = tempfile::tempdir().unwrap();
    let table = open(folder.path());
    let writer = table.writer(&spec()).await.unwrap();
    for day in 0..DAYS {
        for half in 0..2 {
            let start = day * 1440 + half * 720;
            commit(&writer, 0, start..start + 10).await;
        }
    }
    for minute in 0..ENTRIES {
        let end = DAYS * 1440 + minute;
        let entry = stamp(0, &(end - 1..end));
        writer
            .commit(&mut Transaction::append(entry, Vec::new()))
            .await
            .unwrap();
    }
    let log = folder.path().join("ticks/_delta_log");
    let last = 2 * DAYS + ENTRIES;
    for version in 0..last / 100 * 100 - ENTRIES {
        std::fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
    }
    let before = resident_mb();
    let started = Instant::now();
    let again = open(folder.path()).writer(&spec()).await.unwrap();
    let found = again.stamp(&app(0)).await.unwrap().unwrap();
    let restart = started.elapsed();
    assert_eq!(found.last_offset, DAYS * 1440 + ENTRIES - 2);
    let started = Instant::now();
    let summary = table.summary().await.unwrap().unwrap();
    let health = started.elapsed();
    assert_eq!(summary.files, 2 * DAYS as u64);
    println!(
        "restart {restart:?}, summary {health:?}, resident {} MB more",
        resident_mb().saturating_sub(before)
    );
    assert!(restart < Duration::from_secs(1), "{restart:?}");
    assert!(health < Duration::from_millis(500), "{health:?}");
    assert!(resident_mb().saturating_sub(before) < 60);
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    let kb: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kb / 1024
}
