//! What upkeep takes and leaves at full size. Minutes each: `cargo test --package lake --lib scale -- --ignored --nocapture`, with
//! `MALLOC_ARENA_MAX=2` in the environment, as `coinlake up` and `coinlake lake` set it for themselves.

use std::fmt::Write;
use std::time::Instant;

use arrow_array::builder::{Int64Builder, StringBuilder, TimestampMicrosecondBuilder};

use super::*;

/// The greatest memory that the process had so far, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let kib = line.split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() / 1024
}

fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

fn raw_schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("coin", DataType::Utf8, false),
        Field::new("fetched_at", time, false),
        Field::new("payload", DataType::Utf8, false),
        Field::new("source_topic", DataType::Utf8, false),
        Field::new("source_offset", DataType::Int64, false),
    ]))
}

/// Replies about 250 coins in some minutes, of about 800 bytes each.
fn raw(minutes: std::ops::Range<i64>) -> Vec<u8> {
    let schema = raw_schema();
    let properties = parquet_properties(&schema, ["coin"]).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties)).unwrap();
    let mut random = minutes.start as u64 + 1;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for minute in minutes {
        let mut coins = StringBuilder::new();
        let mut times = TimestampMicrosecondBuilder::new().with_timezone("UTC");
        let mut payloads = StringBuilder::new();
        let mut topics = StringBuilder::new();
        let mut offsets = Int64Builder::new();
        for coin in 0..250 {
            coins.append_value(format!("coin-number-{coin}"));
            times.append_value((MIDNIGHT + minute * MINUTE_MS) * 1000);
            let mut payload = format!(
                "{{\"id\":\"coin-number-{coin}\",\"image\":\"https://coin-images.coingecko.com/coins/images/{coin}/large/coin.png?1696501400\""
            );
            for field in [
                "current_price",
                "market_cap",
                "fully_diluted_valuation",
                "total_volume",
                "high_24h",
                "low_24h",
                "price_change_24h",
                "price_change_percentage_24h",
                "market_cap_change_24h",
                "circulating_supply",
                "total_supply",
                "max_supply",
                "ath",
                "ath_change_percentage",
                "atl",
                "atl_change_percentage",
                "market_cap_rank",
                "roi",
                "sparkline",
            ] {
                write!(payload, ",\"{field}\":{}", next() % 1_000_000_000).unwrap();
            }
            payload.push_str(",\"last_updated\":\"2025-06-02T12:34:56.789Z\"}");
            payloads.append_value(payload);
            topics.append_value("crypto-raw");
            offsets.append_value(minute * 250 + coin);
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(coins.finish()),
            Arc::new(times.finish()),
            Arc::new(payloads.finish()),
            Arc::new(topics.finish()),
            Arc::new(offsets.finish()),
        ];
        writer
            .write(&RecordBatch::try_new(schema.clone(), columns).unwrap())
            .unwrap();
    }
    writer.into_inner().unwrap()
}

/// A day of 250 coins' raw: as a live platform writes it, and as a stage that catches up does.
#[tokio::test]
#[ignore = "takes minutes"]
async fn a_day_of_250_coins() {
    for minutes in [1, 480] {
        let folder = tempfile::tempdir().unwrap();
        // To measure the command in a process of its own.
        let is_kept = std::env::var("COINLAKE_KEEP_LAKES").is_ok();
        let folder = match is_kept {
            true => folder.keep().join(minutes.to_string()),
            false => folder.path().to_owned(),
        };
        let lake = Lake::open_str(folder.to_str().unwrap(), []).unwrap();
        let table = lake.table("raw");
        let sort = vec!["coin".to_owned(), "fetched_at".to_owned()];
        let spec = TableSpec::new(&raw_schema(), "raw", sort).unwrap();
        let writer = table.writer(&spec).await.unwrap();
        for first in (0..1440).step_by(minutes as usize) {
            let now_ms = MIDNIGHT + first * MINUTE_MS;
            let contents = raw(first..first + minutes).into();
            let file = table
                .put("crypto-raw-0", Some("2025-06-02"), contents)
                .await
                .unwrap();
            let file = NewFile {
                added_ms: now_ms,
                ..file
            };
            let stamp = stamp(0, (first + minutes) * 250 - 1, now_ms);
            writer
                .commit(&mut Transaction::append(stamp, vec![file]))
                .await
                .unwrap();
        }
        if is_kept {
            eprintln!("commits of {minutes} min: {}", folder.display());
            continue;
        }
        for (what, now_ms) in [
            ("hours", MIDNIGHT + DAY_MS),
            ("the day", MIDNIGHT + 2 * DAY_MS),
        ] {
            forget_peak();
            let before = peak_mib();
            let started = Instant::now();
            let report = Upkeep::at(now_ms).optimize(&table).await.unwrap().unwrap();
            eprintln!(
                "commits of {minutes} min, {what}: {} files to {}, {} rows, {} to {} MiB in {:.1} s; peak {} MiB, {} before",
                report.rewritten.files,
                report.written.files,
                report.rewritten.rows,
                report.rewritten.bytes >> 20,
                report.written.bytes >> 20,
                started.elapsed().as_secs_f64(),
                peak_mib(),
                before,
            );
            assert!(peak_mib() < 256);
        }
        let snapshot = table.snapshot().await.unwrap().unwrap();
        assert_eq!((snapshot.rows(), snapshot.files().len()), (360_000, 1));
    }
}

/// A market of so many coins for so many days, a commit a minute, upkeep every five minutes as `up` does it; every hour a minute
/// comes late to an earlier day. Syncs are off: it is in memory.
async fn live(days: i64, coins: i64) {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut fixture = Fixture::new_in(folder).await;
    let coins: Vec<String> = (0..coins)
        .map(|coin| format!("coin-number-{coin}"))
        .collect();
    let (mut most_files, mut rewritten, mut late, mut commits) =
        (i64::MIN, Extent::default(), 0, 0);
    let (started, mut upkeep_took) = (Instant::now(), Duration::ZERO);
    for minute in 0..days * 1440 {
        let now = MIDNIGHT + minute * MINUTE_MS;
        fixture.commit_of(&coins, now, now).await;
        commits += 1;
        if minute % 60 == 30 && minute > 2 * 1440 {
            let event = MIDNIGHT + (late * 7 % (minute / 1440 - 1)) * DAY_MS + minute;
            fixture.commit_of(&coins, event, now).await;
            (commits, late) = (commits + 1, late + 1);
        }
        if minute % 5 == 4 {
            let began = Instant::now();
            let kept = Upkeep::at(now).keep(&fixture.table).await.unwrap().unwrap();
            rewritten += kept.optimized.rewritten;
            let files = i64::try_from(kept.optimized.before.files).unwrap();
            most_files = most_files.max(files - 60 - 24 - 2 * (minute / 1440));
            if minute % 1440 == 719 {
                // Everything is a day old by the disk's clock, not what was removed since by the log's.
                let clock_ms = jiff::Timestamp::now().as_millisecond() + 2 * DAY_MS;
                let vacuum = Upkeep::at(now).store_at(clock_ms);
                vacuum.vacuum(&fixture.table).await.unwrap();
            }
            upkeep_took += began.elapsed();
        }
    }
    let snapshot = fixture.snapshot().await;
    let mut is_there = vec![false; usize::try_from(fixture.next_offset).unwrap()];
    let one = one_file_a_day(&fixture, &snapshot, &mut is_there).await;
    assert!(is_there.into_iter().all(|it| it), "rows are missing");
    let (bytes, files) = (snapshot.bytes(), snapshot.files().len());
    let ratio = bytes as f64 / one as f64;
    println!(
        "{days} days of {} coins: {commits} commits, {} rows; {files} live files, at most {most_files} over 60 + 24 + 2 a closed day; \
         {} MiB, {ratio:.3} times one file a day; rewritten {} KiB a commit; {:.0} s, of which upkeep {:.0} s",
        coins.len(),
        snapshot.rows(),
        bytes >> 20,
        rewritten.bytes / commits / 1024,
        started.elapsed().as_secs_f64(),
        upkeep_took.as_secs_f64(),
    );
    if std::env::var("COINLAKE_KEEP_LAKES").is_ok() {
        println!("kept in {}", fixture.folder.keep().display());
    }
    assert!(most_files <= 0, "{most_files}");
    assert!(ratio <= 1.3, "{ratio}");
}

/// Puts all rows into a table `one` with a file a day, sorted, and returns their size. Notes the offset of each row, which must be
/// there once.
async fn one_file_a_day(fixture: &Fixture, snapshot: &Snapshot, is_there: &mut [bool]) -> u64 {
    let one = fixture.lake.table("one");
    let writer = one.writer(snapshot.spec()).await.unwrap();
    let mut dates: std::collections::BTreeMap<_, Vec<Row>> = Default::default();
    for file in snapshot.files() {
        let rows = rows_of(snapshot, &file.path).await;
        dates.entry(file.date.clone()).or_default().extend(rows);
    }
    let mut bytes = 0;
    for (day, mut rows) in dates.into_values().enumerate() {
        for row in &rows {
            let place = &mut is_there[usize::try_from(row.2).unwrap()];
            assert!(!*place, "{row:?} is there twice");
            *place = true;
        }
        rows.sort();
        let file = put(&one, &rows, MIDNIGHT).await;
        bytes += file.bytes;
        let stamp = stamp(0, day as i64, MIDNIGHT);
        let mut transaction = Transaction::append(stamp, vec![file]);
        writer.commit(&mut transaction).await.unwrap();
    }
    bytes
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn a_month_of_ten_coins() {
    live(31, 10).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn a_week_of_250_coins() {
    live(7, 250).await;
}
