//! Days of `coinlake up` with its own upkeep, in minutes: its clock and the market's go on by five minutes as soon as what came in
//! the last five is committed. Days close and become few files, and every record stays a row. libfaketime moves the clock; without
//! it (Debian: package libfaketime) this is skipped.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use faults::FakeClock;
use fixtures::patience::wait_for;
use fixtures::process::coinlake;
use fixtures::{rows, tables};
use jiff::Timestamp;
use market::names::layer;
use replay::{Faults, FieldMarket, FieldSettings, Market, Position, ReplayServer};
use tokio::runtime::Runtime;

use crate::observe::process::Running;

const COINS: usize = 10;
/// 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;
const STEP_SECS: i64 = 300;
const DAY_STEPS: u64 = 288;
/// Yesterday is closed an hour after its last file.
const UNTIL_CLOSED_STEPS: u64 = 24;
/// Live files, whatever the past: those of this hour, and of the hours of this day.
const OPEN_FILES_MAX: usize = 60 + 24;
/// Of each day that is closed.
const CLOSED_FILES_MAX: usize = 2;

#[test]
fn closed_days_become_few_files_under_the_upkeep_of_up() {
    let folder = tempfile::tempdir().unwrap();
    let Some(clock) = FakeClock::new(folder.path()) else {
        return;
    };
    let days = faults::times(1, 7);
    let offset_secs = Arc::new(AtomicI64::new(
        START_MS / 1_000 - Timestamp::now().as_second(),
    ));
    let pass = |secs| clock.set(offset_secs.fetch_add(secs, Ordering::Relaxed) + secs);
    pass(0);
    let now = offset_secs.clone();
    let now = move || {
        let now_ms = Timestamp::now().as_millisecond() + now.load(Ordering::Relaxed) * 1_000;
        UNIX_EPOCH + Duration::from_millis(now_ms.unsigned_abs())
    };
    let market = Market::Field(FieldMarket::new(FieldSettings {
        coins: COINS,
        start_ms: START_MS - 60_000,
        minutes: u32::try_from(days + 1).unwrap() * 1_440,
        faults: Faults::NONE,
        ..FieldSettings::default()
    }));
    let runtime = Runtime::new().unwrap();
    let coingecko = ReplayServer::start_on(market, Arc::new(now), Position::start());
    let coingecko = runtime.block_on(coingecko).unwrap();
    let settings = format!(
        "coingecko: {{base_url: {}, top: {COINS}, poll_interval: 20ms, history: off}}\nbroker: {{listen: 0}}\nconsole: 0\nmetrics: 0\n\
         commit_interval: 50ms\nupkeep: {{every: 1s}}\n",
        coingecko.base_url()
    );
    fs::write(folder.path().join("coinlake.yaml"), settings).unwrap();
    let mut up = coinlake(&["up"]);
    up.current_dir(folder.path());
    clock.apply(&mut up);
    let up = Running::start(up);
    let lake = folder.path().join("coinlake-data/lake");
    up.wait_for("a lake", |_| lake.is_dir().then_some(()));

    let rows_of = |table| tables::snapshot(&lake, table).map_or(0, |snapshot| snapshot.rows());
    let mut raw = 0;
    for _ in 0..days * DAY_STEPS + UNTIL_CLOSED_STEPS {
        raw = up.wait_for("a commit", |_| {
            Some(rows_of(layer::RAW)).filter(|rows| *rows > raw)
        });
        pass(STEP_SECS);
    }
    let all = [layer::RAW, layer::CLEAN, layer::FEATURES];
    for table in all {
        let few_files = || {
            let snapshot = tables::snapshot(&lake, table)?;
            let mut of_day: BTreeMap<Option<String>, usize> = BTreeMap::new();
            for file in snapshot.files() {
                *of_day.entry(file.date.clone()).or_default() += 1;
            }
            let (_, open) = of_day.pop_last()?;
            let closed = of_day.values().all(|files| *files <= CLOSED_FILES_MAX);
            (closed && open <= OPEN_FILES_MAX).then(|| (snapshot.version(), open, of_day))
        };
        let (version, open, closed) = wait_for("upkeep", few_files, || {
            format!("{table}: {:#?}", up.lines())
        });
        println!(
            "{table}: {version} entries, {open} files of the open day, {closed:?} of closed ones"
        );
        assert!(version > days * DAY_STEPS, "a commit in each step");
    }
    up.interrupt();
    // Each input once: rows come in the order of their offsets.
    let rows = rows::layer(&lake, layer::RAW);
    assert!(rows.len() as u64 >= raw);
    for (offset, row) in rows.iter().enumerate() {
        assert_eq!(row["source_offset"], offset.to_string());
    }
}
