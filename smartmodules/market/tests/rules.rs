//! The user's rules in crypto-anomaly: what becomes of a record.

#![allow(clippy::unwrap_used)] // Clippy sees no tests in the helpers.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMillisecondType};
use market::{AnomalyParams, AnomalyRule, FeatureParams, Featurizer, Input, Output, Params};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;
const START: i64 = 1_700_000_000_000;

/// crypto-anomaly with a list of rules and more parameters.
fn module(rules: &Value, more: &[(&str, &str)]) -> AnomalyRule {
    let rules = rules.to_string();
    let params = more.iter().copied().chain([("rules", rules.as_str())]);
    AnomalyRule::new(AnomalyParams::parse(Params::new(params)).unwrap())
}

/// The answer to one record of crypto-features.
fn answer(module: &mut AnomalyRule, record: &[u8]) -> Option<Value> {
    let mut output = Output::new();
    let input = Input {
        offset: 1,
        timestamp_ms: START,
        key: None,
        value: record,
    };
    let answered = module.process(&input, &mut output);
    answered.then(|| serde_json::from_slice(output.value()).unwrap())
}

/// A record of crypto-features with these fields, as another tool would write it.
fn record(fields: Value) -> Vec<u8> {
    let mut record =
        json!({"coin": "bitcoin", "symbol": "btc", "event_time": START, "price": 59_990.0});
    record
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    record.to_string().into_bytes()
}

/// The records of crypto-features of ticks: the coin, milliseconds since the first, and the price.
fn features<'a>(ticks: impl IntoIterator<Item = (&'a str, i64, f64)>) -> Vec<Vec<u8>> {
    let mut featurizer = Featurizer::new(FeatureParams::default());
    let mut output = Output::new();
    let ticks = (0..).zip(ticks);
    let records = ticks.map(|(offset, (coin, time, price))| {
        let tick = json!({"source_offset": offset, "status": "accepted", "coin": coin, "symbol": "c",
            "event_time": START + time, "fetched_at": START + time, "price": price, "market_cap": 1e12,
            "volume_24h": 1e9, "change_24h_pct": null});
        let value = tick.to_string();
        let input = Input {
            offset,
            timestamp_ms: START,
            key: None,
            value: value.as_bytes(),
        };
        assert!(featurizer.process(&input, &mut output));
        output.value().to_vec()
    });
    records.collect()
}

#[test]
fn a_rule_adds_its_kind_lifts_the_severity_and_says_why() {
    let rules = json!([
        {"name": "btc-60k", "coins": ["bitcoin"], "when": "price crosses_below 60000", "severity": "critical"},
        {"name": "calm", "when": "abs(return_15m) < 0.001 and price>1", "severity": "info"},
        {"name": "eth", "coins": ["ethereum"], "when": "price > 1"},
    ]);
    let mut module = module(&rules, &[]);
    let fields = json!({"price_prev": 60_010.5, "return_15m": -0.0005});
    let alert = answer(&mut module, &record(fields)).unwrap();
    assert_eq!(alert["kinds"], json!(["rule:btc-60k", "rule:calm"]));
    assert_eq!(alert["severity"], "critical");
    assert_eq!(alert["score"], 0.0);
    assert_eq!(alert["alert_id"], format!("bitcoin:{START}"));
    assert_eq!(
        alert["message"],
        "BTC at $59990: rule btc-60k: price crosses_below 60000 (price_prev 60010.5, price 59990); \
         rule calm: abs(return_15m) < 0.001 and price > 1 (return_15m -0.0005, price 59990)"
    );
    let alert = answer(&mut module, &record(json!({"return_15m": 0.0}))).unwrap();
    assert_eq!(
        (&alert["kinds"], &alert["severity"]),
        (&json!(["rule:calm"]), &json!("info"))
    );
    assert_eq!(
        answer(&mut module, &record(json!({"return_15m": 0.1}))),
        None
    );
}

#[test]
fn rules_do_not_heed_min_severity_and_built_in_kinds_do() {
    let rules = json!([{"name": "low", "when": "price < 1", "severity": "info"}]);
    let mut module = module(&rules, &[]);
    // A spike of score 0.1: info, below the default.
    let mild = |price: f64| record(json!({"price": price, "zscore_15m": 3.4, "move_15m": 0.5}));
    assert_eq!(answer(&mut module, &mild(2.0)), None);
    let alert = answer(&mut module, &mild(0.5)).unwrap();
    assert_eq!(alert["kinds"], json!(["rule:low"]));
    assert_eq!(alert["severity"], "info");
    assert_eq!(alert["score"].as_f64(), Some(0.0));
    assert_eq!(alert["zscore_15m"], 3.4);
    let severe = record(json!({"price": 0.5, "zscore_15m": -7.0, "move_15m": -0.5}));
    let alert = answer(&mut module, &severe).unwrap();
    assert_eq!(alert["kinds"], json!(["price_spike", "rule:low"]));
    assert_eq!(alert["severity"], "critical");
    assert_eq!(alert["score"].as_f64(), Some(1.0));
    let said = alert["message"].as_str().unwrap();
    assert!(
        said.contains("50.0 % and 7.0σ below its 15-minute average; rule low: "),
        "{said}"
    );
}

#[test]
fn a_replaced_kind_and_its_part_of_the_score_are_nothing_for_the_rules_coins() {
    let all = json!({"zscore_15m": 9.0, "move_15m": 0.5, "return_zscore_15m": 5.0, "return_15m": 0.5,
        "volume_surge": 7.5, "volume_ratio": 9.0});
    for (replaced, kinds) in [
        ("price_spike", ["price_move", "volume_spike"]),
        ("price_move", ["price_spike", "volume_spike"]),
        ("volume_spike", ["price_spike", "price_move"]),
    ] {
        let rules = json!([{"name": "mine", "coins": ["bitcoin"], "when": "price < 0", "replaces": replaced}]);
        let mut module = module(&rules, &[]);
        let alert = answer(&mut module, &record(all.clone())).unwrap();
        assert_eq!(alert["kinds"], json!(kinds));
        let score = alert["score"].as_f64().unwrap();
        // The move alone scores 0.5, the spike 1, the volume 0.5.
        let expected = if replaced == "price_spike" { 0.75 } else { 1.0 };
        assert!((score - expected).abs() < 1e-9, "{replaced}: {score}");
        assert_eq!(
            alert["zscore_15m"], 9.0,
            "what is replaced is written all the same"
        );
        let mut other = all.clone();
        other["coin"] = json!("ethereum");
        let alert = answer(&mut module, &record(other)).unwrap();
        assert_eq!(alert["kinds"].as_array().unwrap().len(), 3);
    }
}

#[test]
fn a_crossing_counts_over_a_gap_of_an_hour_and_not_over_a_longer_one() {
    let rules = json!([{"name": "below", "when": "price crosses_below 100"}]);
    for (gap, fires) in [(1, true), (60, true), (89, true), (90, false), (360, false)] {
        let mut module = module(&rules, &[]);
        let ticks = [(0, 101.0), (1, 100.0), (1 + gap, 99.0)];
        let ticks = ticks.map(|(minute, price)| ("bitcoin", minute * MINUTE, price));
        let answers: Vec<_> = features(ticks)
            .iter()
            .map(|record| answer(&mut module, record).is_some())
            .collect();
        assert_eq!(answers, [false, false, fires], "{gap} minutes");
    }
}

/// The minutes of a coin in a recording of 19 days; `None`, with a word, where there is no recording.
fn recorded(coin: &str) -> Option<Vec<(i64, f64)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = folder.join("market-2025-06-dev.parquet");
    let Ok(file) = File::open(&path) else {
        println!("skipped: no recording at {}", path.display());
        return None;
    };
    // Without the writer's hints, all strings are plain.
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, plain).unwrap();
    let mut ticks = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let column = |name| batch.column_by_name(name).unwrap();
        let coins = column("coin").as_string::<i32>();
        let times = column("event_time").as_primitive::<TimestampMillisecondType>();
        let prices = column("price_usd").as_primitive::<Float64Type>();
        for row in (0..batch.num_rows()).filter(|row| coins.value(*row) == coin) {
            ticks.push((times.value(row), prices.value(row)));
        }
    }
    ticks.sort_by_key(|(time, _)| *time);
    Some(ticks)
}

/// On a market that was, with holes of 50 and of 100 minutes in it, rules fire at exactly the ticks that a walk along the prices says.
#[test]
fn on_a_recorded_market_rules_fire_at_the_ticks_that_a_walk_along_it_says() {
    for coin in ["bitcoin", "dogecoin"] {
        let Some(mut ticks) = recorded(coin) else {
            return;
        };
        let hole = |minute: usize| minute % 1000 < 50 || minute % 1100 < 100;
        let mut minute = 0;
        ticks.retain(|_| {
            minute += 1;
            !hole(minute)
        });
        let mut prices: Vec<f64> = ticks.iter().map(|(_, price)| *price).collect();
        prices.sort_by(f64::total_cmp);
        let level = prices[prices.len() / 2];
        let rules = json!([
            {"name": "above", "coins": [coin], "when": format!("price crosses_above {level}")},
            {"name": "below", "when": format!("price crosses_below {level}")},
            {"name": "dip", "when": format!("price < {level} and price_prev >= ma_5m and samples_5m > 2")},
            {"name": "other", "coins": ["monero"], "when": "price > 0"},
        ]);
        let mut module = module(&rules, &[("min_severity", "critical")]);
        let mut fired = [0; 3];
        let records = features(
            ticks
                .iter()
                .map(|&(time, price)| (coin, time - START, price)),
        );
        for (at, record) in records.iter().enumerate() {
            let (time, price) = ticks[at];
            let before = at.checked_sub(1).map(|before| ticks[before]);
            let before = before.filter(|(before, _)| time - before < 90 * MINUTE);
            let recent: Vec<f64> = ticks[..=at]
                .iter()
                .rev()
                .take_while(|(other, _)| time - other < 5 * MINUTE)
                .map(|(_, price)| *price)
                .collect();
            let mean = recent.iter().sum::<f64>() / recent.len() as f64;
            let expected = before.map_or([false; 3], |(_, before)| {
                [
                    before <= level && price > level,
                    before >= level && price < level,
                    price < level && before >= mean && recent.len() > 2,
                ]
            });
            let alert = answer(&mut module, record);
            let kinds = alert.map_or(json!([]), |alert| alert["kinds"].clone());
            for ((name, expected), fired) in ["above", "below", "dip"]
                .into_iter()
                .zip(expected)
                .zip(&mut fired)
            {
                let kind = json!(format!("rule:{name}"));
                let found = kinds.as_array().unwrap().contains(&kind);
                // The mean is a running sum: where both sides are nearly equal it may be either.
                let unsure = name == "dip"
                    && before.is_some_and(|(_, before)| (before / mean - 1.0).abs() < 1e-9);
                assert!(
                    found == expected || unsure,
                    "{coin} {name} at {time}: {kinds}"
                );
                *fired += usize::from(found);
            }
            assert!(!kinds.to_string().contains("other"));
        }
        println!(
            "{coin}, {} ticks about {level}: fired {fired:?}",
            ticks.len()
        );
        assert!(fired.iter().all(|fired| *fired > 5), "{fired:?}");
    }
}

#[test]
fn both_readers_of_a_record_give_the_same_verdict() {
    let fields = [
        "price",
        "market_cap",
        "volume_24h",
        "change_24h_pct",
        "samples_15m",
        "price_prev",
        "ma_5m",
        "features_version",
    ];
    let rules = fields.iter().enumerate().map(|(n, field)| {
        let when = format!("{field} > {}", [100.0, 0.0, 1e8, -50.0][n % 4]);
        json!({"name": format!("r{n}"), "when": when})
    });
    let rules = Value::Array(rules.collect());
    let written = features([
        ("bitcoin", 0, 101.0),
        ("bitcoin", MINUTE, 100.5),
        ("bitcoin", 2 * MINUTE, 99.0),
    ]);
    let mut seen = 0;
    for record in written {
        let mut turned: Vec<_> = serde_json::from_slice::<serde_json::Map<_, _>>(&record)
            .unwrap()
            .into_iter()
            .collect();
        turned.reverse();
        let turned = Value::Object(turned.into_iter().collect()).to_string();
        let fast = answer(&mut module(&rules, &[]), &record).unwrap();
        let general = answer(&mut module(&rules, &[]), turned.as_bytes()).unwrap();
        assert_eq!(fast, general);
        seen += fast["kinds"].as_array().unwrap().len();
    }
    assert!(seen > 6, "{seen}");
}

#[test]
fn all_bad_rules_are_refused_at_start() {
    let rules = r#"[{"name": "a", "when": "prize < 1"}, {"name": "b", "when": "price < 1 2"}]"#;
    let error = AnomalyParams::parse(Params::new([("rules", rules)])).unwrap_err();
    let said = error.to_string();
    assert!(
        said.starts_with(
            "parameter `rules`: rule `a`: `when`, character 1: `prize` is unknown; known here: "
        ),
        "{said}"
    );
    assert!(
        said.ends_with(
            "; rule `b`: `when`, character 11: `2` is unknown; known here: `and` or the end"
        ),
        "{said}"
    );
}

/// 200 rules of two comparisons over ten coins and five fields, none of which holds: the price of a quiet market.
/// `cargo test --profile quick --workspace --test rules -- --ignored --nocapture speed`
#[test]
#[ignore = "measures"]
fn rules_leave_crypto_anomaly_its_speed() {
    const FIELDS: [&str; 5] = [
        "price",
        "return_5m",
        "volatility_15m",
        "volume_surge",
        "price_prev",
    ];
    const RATIO_MIN: f64 = 0.7;
    let coins: Vec<String> = (0..10).map(|n| format!("coin-{n}")).collect();
    let rule = |n: usize, coins: &[String]| {
        let field = FIELDS[n % 5];
        let when = match n % 3 {
            0 => format!("abs({field}) > {}", 1e9 + n as f64),
            1 => format!("price > 0 and {field} > {}", 1e9 + n as f64),
            _ => format!("price crosses_below {}", 1e-9 * n as f64),
        };
        json!({"name": format!("rule-{n}"), "coins": coins, "when": when})
    };
    let each = |n: usize| rule(n, &coins[n / 5 % 10..][..1]);
    let shapes = [
        ("without rules", Value::Array(Vec::new())),
        (
            "200 rules, each about one of ten coins",
            (0..200).map(each).collect(),
        ),
        (
            "200 rules, each about all coins",
            (0..200).map(|n| rule(n, &[])).collect(),
        ),
    ];
    let ticks = (0..200).flat_map(|n| {
        let price = 100.0 + (n as f64 * 0.37).sin() * 1e-2;
        coins
            .iter()
            .map(move |coin| (coin.as_str(), n * MINUTE, price))
    });
    let records = features(ticks);
    let mut best = [Duration::MAX; 3];
    let mut output = Output::new();
    for _ in 0..200 {
        for ((_, rules), best) in shapes.iter().zip(&mut best) {
            let mut module = module(rules, &[("emit", "all")]);
            let started = Instant::now();
            for (offset, value) in (0..).zip(&records) {
                let input = Input {
                    offset,
                    timestamp_ms: START,
                    key: None,
                    value,
                };
                module.process(&input, &mut output);
            }
            *best = started.elapsed().min(*best);
        }
    }
    for ((shape, _), took) in shapes.iter().zip(best) {
        let ns = took.as_nanos() as f64 / records.len() as f64;
        println!(
            "{shape}: {ns:.0} ns a record, {:.2} of the speed",
            best[0].div_duration_f64(took)
        );
    }
    assert!(best[0].div_duration_f64(best[1]) > RATIO_MIN, "{best:?}");
}
