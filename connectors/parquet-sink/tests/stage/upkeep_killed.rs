//! `coinlake lake upkeep` is killed at any moment, again and again, while a stage writes and people read. Hours pass in a moment, so
//! that days close, expire and are removed from the disk: every process is on a clock that the test sets, and files age with it.
//! Every row is there once, but those of days past their time; whoever reads sees whole commits; nothing is left over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use faults::FakeClock;
use fixtures::process::{coinlake, program, succeeded};
use fixtures::rows;
use lake::{Lake, LakeUrl, Snapshot};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::stores::prepared;
use crate::support::*;

/// Of a market that comes in from one kill to the next.
const MINUTES: i64 = 30;
/// Days of ticks that the table keeps.
const KEEP_DAYS: i64 = 1;

/// Time on a disk and for processes.
struct Time {
    clock: FakeClock,
    lake: PathBuf,
    /// How far it is from the real time.
    offset_secs: i64,
}

impl Time {
    /// Where the market begins.
    fn begin(clock: FakeClock, lake: PathBuf) -> Self {
        let real = jiff::Timestamp::now().as_second();
        let offset_secs = EVENING_MS / 1_000 - real;
        clock.set(offset_secs);
        Self {
            clock,
            lake,
            offset_secs,
        }
    }

    fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond() + self.offset_secs * 1_000
    }

    fn passes(&mut self, secs: i64) {
        self.offset_secs += secs;
        self.clock.set(self.offset_secs);
        let older = Duration::from_secs(secs.unsigned_abs());
        for path in files(&self.lake) {
            // It may have been removed meanwhile.
            let Ok(file) = File::open(path) else { continue };
            let modified = file.metadata().unwrap().modified().unwrap();
            file.set_modified(modified - older).unwrap();
        }
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            _ => found.push(entry.path()),
        }
    }
    found
}

/// The stage's process.
struct Stage(Child);

impl Stage {
    fn start(platform: &Platform, time: &Time) -> Self {
        let lake = format!("  lake: {}\n", time.lake.display());
        let config = CLEAN
            .replace("topic: crypto-clean\n", "topic: crypto-clean-upkeep\n")
            .replace(
                "topic: crypto-rejected\n",
                "topic: crypto-rejected-upkeep\n",
            )
            .replace(
                "        date: event_time\n",
                &format!("        date: event_time\n        keep: {KEEP_DAYS}d\n"),
            )
            .replace("  lake: /var/lib/coinlake/lake\n", &lake);
        let file = platform.data.path().join("stage.yaml");
        fs::write(&file, format!("{config}  limits: {{ rows_max: 15 }}\n")).unwrap();
        let mut command = program("parquet-sink");
        command.arg("--config").arg(&file);
        command.args(["--cluster", &platform.broker_addr().to_string()]);
        time.clock.apply(&mut command);
        let log = File::create(platform.data.path().join("stage.log")).unwrap();
        Self(command.stderr(log).spawn().unwrap())
    }

    fn assert_running(&mut self, platform: &Platform) {
        if let Some(status) = self.0.try_wait().unwrap() {
            let log = fs::read_to_string(platform.data.path().join("stage.log")).unwrap();
            panic!("the stage ended, {status}: {log}");
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `coinlake lake upkeep` at this time.
fn upkeep(time: &Time) -> Command {
    let mut command = coinlake(&["lake", "upkeep", "--json", "--lake"]);
    command.arg(&time.lake);
    time.clock.apply(&mut command);
    command
}

/// Upkeep that nobody kills.
fn kept(time: &Time) -> serde_json::Value {
    serde_json::from_str(&succeeded(&upkeep(time).output().unwrap())).unwrap()
}

/// Rows of a table as somebody saw it once: the offset that it had come to, and each row's offset and date.
type Seen = (i64, BTreeMap<i64, String>);

/// What there is in a snapshot; `None` when files of it were removed, for it is more than a day old.
async fn seen(snapshot: &Snapshot) -> Option<Seen> {
    let mut found = BTreeMap::new();
    for file in snapshot.files() {
        let contents = snapshot.table().lake().read(&file.path).await.ok()?;
        for row in rows::in_order(contents) {
            let (name, offset) = row.last().unwrap();
            assert_eq!(name, "source_offset");
            let date = file.date.clone().unwrap_or_default();
            let double = found.insert(offset.parse().unwrap(), date);
            assert_eq!(double, None, "offset {offset} of {}", file.path);
        }
    }
    let last_offset = snapshot.stamps()[0].last_offset;
    Some((last_offset, found))
}

/// Reads a table all the time, until it is stopped; returns what it saw.
fn reader(lake: PathBuf, table: &'static str, stop: CancellationToken) -> JoinHandle<Vec<Seen>> {
    tokio::spawn(async move {
        let url = LakeUrl::parse(lake.to_str().unwrap()).unwrap();
        let mut all: Vec<Seen> = Vec::new();
        let mut snapshot: Option<Snapshot> = None;
        while !stop.is_cancelled() {
            tokio::time::sleep(Duration::from_millis(10)).await;
            match &mut snapshot {
                Some(known) => drop(known.refresh().await.unwrap()),
                None => {
                    let lake = Lake::open_existing(&url).unwrap();
                    snapshot = lake.table(table).snapshot().await.unwrap();
                }
            }
            if let Some(known) = snapshot.as_ref().filter(|known| !known.stamps().is_empty())
                && let Some(found) = seen(known).await
                && all.last() != Some(&found)
            {
                all.push(found);
            }
        }
        all
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep_killed_at_any_moment_loses_and_doubles_nothing() {
    let platform = prepared(Platform::embedded().await).await;
    let Some(clock) = FakeClock::new(platform.data.path()) else {
        return;
    };
    let lake = platform.lake_path("upkeep");
    Lake::open_str(lake.to_str().unwrap(), []).unwrap();
    for topic in ["crypto-clean-upkeep", "crypto-rejected-upkeep"] {
        platform.topic(topic, 1).await;
    }
    let mut random = ChaCha8Rng::seed_from_u64(faults::seed());
    let mut time = Time::begin(clock, lake.clone());
    let mut stage = Stage::start(&platform, &time);
    let stop = CancellationToken::new();
    let start = |table: &&'static str| reader(lake.clone(), table, stop.clone());
    let readers: Vec<_> = CLEAN_MADE.layers.iter().map(start).collect();

    let (mut killed, mut ended, mut rounds, mut took) = (0, 0, 0, Duration::ZERO);
    let kills = faults::times(12, 200);
    let mut ticks = 0;
    let begin_ms = time.now_ms();
    while killed < kills || time.now_ms() < begin_ms + 30 * 3_600_000 {
        let minute = (time.now_ms() - begin_ms) / 60_000;
        let market = market_between(minute..minute + MINUTES);
        platform.produce("crypto-raw", 0, &market).await;
        let wanted = ticks + random.random_range(1..3 * MINUTES / 2);
        eventually("the stage gets further", async || {
            stage.assert_running(&platform);
            platform.end("crypto-clean-upkeep", 0).await >= wanted
        })
        .await;
        ticks = platform.end("crypto-clean-upkeep", 0).await;
        // To know when to kill.
        if rounds % 8 == 0 {
            let started = Instant::now();
            kept(&time);
            took = started.elapsed();
        }
        rounds += 1;
        // Alone, or two at once, as that of `up` and one by hand.
        let started = Instant::now();
        let beside = random
            .random_bool(0.2)
            .then(|| upkeep(&time).stdout(Stdio::null()).spawn());
        let mut process = upkeep(&time).stdout(Stdio::null()).spawn().unwrap();
        let wait = took.mul_f64(random.random_range(0.0..1.2));
        while started.elapsed() < wait && process.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for mut process in std::iter::once(process).chain(beside.map(Result::unwrap)) {
            match process.try_wait().unwrap() {
                None => {
                    process.kill().unwrap();
                    process.wait().unwrap();
                    killed += 1;
                }
                Some(status) => {
                    assert!(status.success(), "{status}");
                    ended += 1;
                }
            }
        }
        stage.assert_running(&platform);
        // A stage gives up a commit whose files are half a day old.
        time.passes(random.random_range(3_600..5 * 3_600));
    }

    // The stage comes to the end.
    let inputs = platform.end("crypto-raw", 0).await;
    let url = LakeUrl::parse(lake.to_str().unwrap()).unwrap();
    let table = Lake::open_existing(&url).unwrap().table("clean");
    let client_wait = async || {
        let summary = table.summary().await.unwrap();
        let place = summary.as_ref().and_then(|summary| summary.places.first());
        place.is_some_and(|place| place.last_offset + 1 >= inputs)
    };
    eventually("the stage commits everything", client_wait).await;
    stage.assert_running(&platform);
    drop(stage);
    kept(&time);
    stop.cancel();

    // Everything is there once that would be without upkeep, but days past their time.
    let golden = platform.config("golden", CLEAN);
    platform.run_to_end(golden).await;
    let first_kept = time.now_ms() - KEEP_DAYS * 86_400_000;
    let first_kept = jiff::Timestamp::from_millisecond(first_kept).unwrap();
    let first_kept = first_kept.strftime("%F").to_string();
    let mut expired = 0;
    for (name, reader) in CLEAN_MADE.layers.iter().zip(readers) {
        let mut expected = platform.rows("golden", name).await;
        let all: BTreeMap<i64, String> = expected.iter().map(|row| offset_and_date(row)).collect();
        if *name == "clean" {
            let before = expected.len();
            expected.retain(|row| offset_and_date(row).1 >= first_kept);
            expired = before - expected.len();
        }
        let found = platform.rows("upkeep", name).await;
        assert!(
            found == expected,
            "{name}: {} rows, not {}",
            found.len(),
            expected.len()
        );
        // Readers saw all rows up to a commit. Of a day past its time, only those of later commits than its end may be left.
        let seen = reader.await.unwrap();
        for (last_offset, rows) in &seen {
            let mut days: BTreeMap<&String, Vec<bool>> = BTreeMap::new();
            for (offset, date) in all.range(..=last_offset) {
                days.entry(date)
                    .or_default()
                    .push(rows.contains_key(offset));
            }
            let found: usize = days.values().flatten().filter(|it| **it).count();
            assert_eq!(found, rows.len(), "{name} at {last_offset}: rows of nobody");
            for (date, day) in days {
                let is_whole = day.iter().all(|it| *it);
                let has_expired = *name == "clean" && *date < first_kept && day.is_sorted();
                assert!(
                    is_whole || has_expired,
                    "{name} at {last_offset}, {date}: {day:?}"
                );
            }
        }
        println!(
            "{name}: {} rows, read in {} states",
            found.len(),
            seen.len()
        );
        assert!(seen.len() > 5);
    }
    assert!(expired > 0);

    // What the killed ones left goes in time: a day after the last entry.
    let mut quiet = 0;
    while quiet < 2 {
        time.passes(26 * 3_600);
        let report = kept(&time);
        let is_quiet = |what: &str, did: &str| {
            let tables = report[what].as_array().unwrap().iter();
            tables
                .map(|table| &table[did]["files"])
                .all(|files| *files == 0)
        };
        quiet += i32::from(is_quiet("optimized", "rewritten") && is_quiet("expired", "removed"));
    }
    let mut named = BTreeSet::new();
    for name in CLEAN_MADE.layers {
        let snapshot = table.lake().table(name).snapshot().await.unwrap().unwrap();
        named.extend(snapshot.files().iter().map(|file| lake.join(&file.path)));
    }
    let is_data = |path: &PathBuf| !path.to_string_lossy().contains("_delta_log");
    let left = files(&lake).into_iter().filter(is_data);
    let left: BTreeSet<PathBuf> = left.filter(|path| !path.ends_with("_tmp/clock")).collect();
    assert_eq!(left, named);
    println!(
        "upkeep killed {killed} times, {ended} rounds came to their end; {expired} rows expired, {} days passed",
        (time.now_ms() - begin_ms) / 86_400_000
    );
}

/// Of a row of [`rows_in`]: its last column, and the one before its lineage.
fn offset_and_date(row: &str) -> (i64, String) {
    let mut columns = row.rsplit(" | ");
    let offset = columns.next().unwrap().parse().unwrap();
    (offset, columns.nth(2).unwrap().to_owned())
}
