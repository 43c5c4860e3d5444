//! Replies that CoinGecko gave, through all modules as in the broker: nothing is refused without a reason that is the reply's own.
//!
//! The recordings are read in place; without them the tests say that they are skipped.

#![allow(clippy::unwrap_used)] // Clippy sees no tests in the helpers.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMillisecondType};
use jiff::Timestamp;
use market::{
    AnomalyParams, AnomalyRule, CleanParams, Cleaner, Emit, FeatureParams, Featurizer, Input,
    Output,
};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;

fn recording(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/coingecko");
    let path = folder.join(name);
    if !path.exists() {
        println!("skipped: no recording at {}", path.display());
        return None;
    }
    Some(path)
}

fn list(name: &str) -> Option<Vec<Value>> {
    let reply: Value = serde_json::from_reader(File::open(recording(name)?).unwrap()).unwrap();
    // Some recorders put the list into an object of their own.
    let list = reply.get("data").unwrap_or(&reply);
    Some(list.as_array().unwrap().clone())
}

/// crypto-clean, crypto-features and crypto-anomaly, one after the other, and what became of the records.
struct Modules {
    cleaner: Cleaner,
    featurizer: Featurizer,
    rule: AnomalyRule,
    offset: i64,
    clean: u64,
    /// How many were rejected, by reason and, for what is wrong with a field, its sentence.
    rejected: BTreeMap<String, u64>,
    alerts: Vec<Value>,
}

impl Modules {
    fn new() -> Self {
        let emit = Emit::All;
        Self {
            cleaner: Cleaner::new(CleanParams {
                emit,
                ..CleanParams::default()
            }),
            featurizer: Featurizer::new(FeatureParams {
                emit,
                ..FeatureParams::default()
            }),
            rule: AnomalyRule::new(AnomalyParams {
                emit,
                ..AnomalyParams::default()
            }),
            offset: 0,
            clean: 0,
            rejected: BTreeMap::new(),
            alerts: Vec::new(),
        }
    }

    /// What becomes of a record of crypto-raw: its row of features, if it is clean.
    fn take(&mut self, fetched_at: i64, raw: &str) -> Option<String> {
        let input = |value| Input {
            offset: self.offset,
            timestamp_ms: fetched_at,
            key: None,
            value,
        };
        let [mut clean, mut features, mut alert] = [(); 3].map(|()| Output::new());
        assert!(self.cleaner.process(&input(raw.as_bytes()), &mut clean));
        let is_clean = clean.value().starts_with(
            format!(r#"{{"source_offset":{},"status":"accepted""#, self.offset).as_bytes(),
        );
        // A stage's next module sees the accepted ones alone.
        if is_clean {
            let next = input(clean.value());
            assert!(self.featurizer.process(&next, &mut features));
            assert!(self.rule.process(&input(features.value()), &mut alert));
        }
        self.offset += 1;
        if !is_clean {
            let rejected: Value = serde_json::from_slice(clean.value()).unwrap();
            let text = |name: &str| rejected[name].as_str().unwrap();
            let reason = match text("reason") {
                reason @ ("late" | "duplicate" | "future") => reason.to_owned(),
                reason => format!("{reason}: {}", text("detail")),
            };
            *self.rejected.entry(reason).or_default() += 1;
            return None;
        }
        self.clean += 1;
        let told: Value = serde_json::from_slice(alert.value()).unwrap();
        if told["status"] != "none" {
            self.alerts.push(told);
        }
        Some(String::from_utf8(features.value().to_vec()).unwrap())
    }

    /// That nothing was rejected but for its time or its price.
    #[track_caller]
    fn assert_only_times_and_prices_are_rejected(&self) {
        let rejected: u64 = self.rejected.values().sum();
        assert_eq!(self.clean + rejected, self.offset as u64);
        for reason in self.rejected.keys() {
            let of_time = matches!(&**reason, "late" | "duplicate" | "future");
            assert!(of_time || reason.contains("current_price"), "{reason}");
        }
    }
}

/// 8,367 replies of a hundred coins.
#[test]
fn ten_months_of_replies_go_through() {
    let Some(path) = recording("replies-top100-2025-10-to-2026-07.parquet") else {
        return;
    };
    // Without the writer's hints, all strings are plain.
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader =
        ParquetRecordBatchReaderBuilder::try_new_with_options(File::open(path).unwrap(), plain);
    let mut modules = Modules::new();
    // As the source: an object that is the last one sent of its coin is not sent again.
    let mut sent: BTreeMap<String, String> = BTreeMap::new();
    let mut unchanged = 0;
    for batch in reader.unwrap().build().unwrap() {
        let batch = batch.unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let number = |name: &str, row| {
            let numbers = column(name).as_primitive::<Float64Type>();
            (!arrow_array::Array::is_null(numbers, row)).then(|| numbers.value(row))
        };
        let times = |name: &str| column(name).as_primitive::<TimestampMillisecondType>();
        let (recorded, updated) = (times("recorded_at"), times("last_updated"));
        let [coins, symbols] = ["coin", "symbol"].map(|name| column(name).as_string::<i32>());
        for row in 0..batch.num_rows() {
            let coin = coins.value(row);
            let object = json!({
                "id": coin,
                "symbol": symbols.value(row),
                "current_price": number("price_usd", row),
                "market_cap": number("market_cap_usd", row),
                "total_volume": number("volume_24h_usd", row),
                "last_updated": Timestamp::from_millisecond(updated.value(row)).unwrap().to_string(),
            });
            let object = object.to_string();
            if sent.get(coin) == Some(&object) {
                unchanged += 1;
                continue;
            }
            modules.take(recorded.value(row), &object);
            sent.insert(coin.to_owned(), object);
        }
    }
    println!(
        "{} records, {unchanged} unchanged, {} clean, rejected {:?}, {} alerts",
        modules.offset,
        modules.clean,
        modules.rejected,
        modules.alerts.len()
    );
    assert!(modules.offset > 700_000);
    modules.assert_only_times_and_prices_are_rejected();
    // Nearly all of it is worth something.
    assert!(modules.clean * 100 > modules.offset as u64 * 98);
}

/// Whole replies, as they were fetched: of all the coins one has no price.
#[test]
fn recorded_pages_go_through() {
    let mut modules = Modules::new();
    for (name, fetched_at) in [
        ("page-2025-04-24.json", None),
        ("page-2026-04-01.json", None),
        ("reply-null-price-2026-04-13.json", None),
        ("reply-frozen-2026-05-11.json", Some("2026-05-11T14:05:33Z")),
        ("reply-before-2026-07-23.json", Some("2026-07-22T23:46:00Z")),
        ("reply-after-2026-07-23.json", Some("2026-07-23T04:42:18Z")),
    ] {
        let Some(coins) = list(name) else { return };
        let updated =
            |coin: &Value| -> Timestamp { coin["last_updated"].as_str().unwrap().parse().unwrap() };
        let fetched_at = match fetched_at {
            Some(time) => time.parse().unwrap(),
            None => coins.iter().map(updated).max().unwrap(),
        };
        for coin in &coins {
            modules.take(fetched_at.as_millisecond(), &coin.to_string());
        }
    }
    println!("{} clean, rejected {:?}", modules.clean, modules.rejected);
    modules.assert_only_times_and_prices_are_rejected();
    let without_price = modules
        .rejected
        .keys()
        .filter(|r| r.contains("current_price"));
    assert_eq!(
        without_price.collect::<Vec<_>>(),
        ["missing_field: current_price is absent or null"]
    );
}

/// Ids, symbols and prices that break careless programs, for two hours: what has a price gets rows of its own.
#[test]
fn odd_coins_go_through() {
    let Some(path) = recording("odd-coins-2025-05.json") else {
        return;
    };
    let kinds: BTreeMap<String, Vec<Value>> =
        serde_json::from_reader(File::open(path).unwrap()).unwrap();
    let coins: BTreeMap<String, Value> = kinds
        .into_values()
        .flatten()
        .map(|coin| (coin["id"].as_str().unwrap().to_owned(), coin))
        .collect();
    let mut modules = Modules::new();
    let start = 1_748_736_000_000;
    let (mut priced, mut full) = (0, 0);
    for minute in 0..120 {
        for (id, coin) in &coins {
            let price = coin["current_price"].as_f64().filter(|price| *price > 0.0);
            let time = start + minute * MINUTE;
            let mut coin = coin.clone();
            if let Some(price) = price {
                coin["current_price"] = json!(price * (1.0 + 1e-3 * (minute % 7) as f64));
            }
            coin["total_volume"] = json!(1_000.0 + minute as f64);
            coin["last_updated"] = Timestamp::from_millisecond(time)
                .unwrap()
                .to_string()
                .into();
            let row = modules.take(time, &coin.to_string());
            assert_eq!(row.is_some(), price.is_some(), "{coin}");
            let Some(row) = row else { continue };
            priced += 1;
            let row: Value = serde_json::from_str(&row).unwrap();
            assert_eq!(row["coin"], **id);
            assert_eq!(row["price"].as_f64(), coin["current_price"].as_f64());
            assert!(!row["symbol"].as_str().unwrap().trim().is_empty(), "{row}");
            let present = |name: &str| row[name].is_number();
            full += i32::from(present("return_zscore_15m") && present("volume_surge"));
        }
    }
    println!(
        "{} coins, {priced} rows, {full} with all features, rejected {:?}, {} alerts",
        coins.len(),
        modules.rejected,
        modules.alerts.len()
    );
    modules.assert_only_times_and_prices_are_rejected();
    assert!(full * 2 > priced, "{full} of {priced}");
    assert_eq!(
        modules.alerts,
        [] as [Value; 0],
        "a ripple of 0.6 % is none"
    );
}
