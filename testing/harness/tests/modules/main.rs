//! The built modules in Fluvio's own engine.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod mutants;
mod predict;

use harness::{Chain, Module, wasm_path};

const NOW: i64 = 1_700_000_000_000;
const MINUTE: i64 = 60_000;

fn raw(coin: &str, time: i64, price: f64) -> (String, String) {
    let time = jiff::Timestamp::from_millisecond(time).expect("a time within years");
    let value = format!(
        r#"{{"id":"{coin}","symbol":"{}","current_price":{price},"market_cap":5e9,"total_volume":1e9,"last_updated":"{time}"}}"#,
        &coin[..3]
    );
    (coin.to_owned(), value)
}

fn clean(source_offset: i64, coin: &str, time: i64, price: f64) -> (String, String) {
    let value = format!(
        r#"{{"source_offset":{source_offset},"status":"accepted","raw_offset":{source_offset},"coin":"{coin}","symbol":"c","event_time":{time},"fetched_at":{time},"price":{price},"market_cap":null,"volume_24h":1000000000,"change_24h_pct":null}}"#
    );
    (coin.to_owned(), value)
}

#[track_caller]
fn start(module: Module) -> Chain {
    Chain::start(&[module]).unwrap_or_else(|error| panic!("{error}"))
}

fn all(name: &'static str) -> Module {
    Module::new(name).with("emit", "all")
}

#[test]
fn stay_small() {
    for name in ["crypto-clean", "crypto-features", "crypto-anomaly"] {
        let bytes = std::fs::metadata(wasm_path(name)).unwrap().len();
        assert!(bytes < 400_000, "{name}: {bytes} bytes");
    }
}

#[test]
fn refuse_bad_parameters_and_name_them() {
    for (name, param, value, says) in [
        (
            "crypto-clean",
            "emit",
            "features",
            "`emit` is \"features\": give `accepted`, `rejected` or `all`",
        ),
        (
            "crypto-clean",
            "allowed_lateness",
            "soon",
            "`allowed_lateness` is \"soon\": give a duration",
        ),
        (
            "crypto-clean",
            "allowed_lateness",
            "400d",
            "`allowed_lateness`",
        ),
        (
            "crypto-clean",
            "lateness",
            "60m",
            "unknown parameter `lateness`",
        ),
        ("crypto-features", "emit", "", "`emit`"),
        (
            "crypto-features",
            "allowed_lateness",
            "-1m",
            "`allowed_lateness`",
        ),
        (
            "crypto-features",
            "window",
            "15m",
            "unknown parameter `window`: remove it, or use one of `emit`",
        ),
        (
            "crypto-anomaly",
            "price_zscore",
            "three",
            "`price_zscore` is \"three\": give a number above 0",
        ),
        ("crypto-anomaly", "price_zscore", "NaN", "`price_zscore`"),
        ("crypto-anomaly", "min_move", "0.3 %", "`min_move`"),
        ("crypto-anomaly", "min_return", "-0.01", "`min_return`"),
        ("crypto-anomaly", "volume_surge", "0", "`volume_surge`"),
        (
            "crypto-anomaly",
            "min_severity",
            "fatal",
            "`min_severity` is \"fatal\": give `info`, `warning` or `critical`",
        ),
        ("crypto-anomaly", "emit", "features", "`emit`"),
        (
            "crypto-predict",
            "emit",
            "alerts",
            "`emit` is \"alerts\": give `predictions` or `all`",
        ),
        (
            "crypto-predict",
            "model",
            "3",
            "unknown parameter `model`: remove it, or use one of `emit`",
        ),
    ] {
        let Err(error) = Chain::start(&[Module::new(name).with(param, value)]) else {
            panic!("{name} starts with {param}={value}");
        };
        assert!(error.contains(says), "{error}");
    }
    for module in [
        Module::new("crypto-clean")
            .with("allowed_lateness", "1h 30m")
            .with("emit", "rejected"),
        Module::new("crypto-features")
            .with("allowed_lateness", "90m")
            .with("emit", "features"),
        Module::new("crypto-anomaly")
            .with("min_severity", "info")
            .with("price_zscore", "2.5")
            .with("min_move", "0.004")
            .with("min_return", "0.02"),
    ] {
        start(module);
    }
}

#[test]
fn emit_chooses_what_comes_out() {
    let records = [
        raw("bitcoin", NOW, 1.0),
        ("bitcoin".to_owned(), "garbage".to_owned()),
        raw("bitcoin", NOW, 2.0),
        raw("ethereum", NOW, 3.0),
    ];
    let statuses = |module| {
        let answers = start(module).process(70, NOW, &records);
        let told = |answer: &harness::Answer| {
            (
                answer.value["source_offset"].as_i64().unwrap(),
                answer.offset_delta,
                answer.status().to_owned(),
            )
        };
        answers.iter().map(told).collect::<Vec<_>>()
    };
    let (accepted, rejected) = ("accepted".to_owned(), "rejected".to_owned());
    let expected = vec![
        (70, 0, accepted.clone()),
        (71, 1, rejected.clone()),
        (72, 2, rejected.clone()),
        (73, 3, accepted.clone()),
    ];
    assert_eq!(statuses(all("crypto-clean")), expected);
    let only = |status: &str| {
        expected
            .iter()
            .filter(|told| told.2 == status)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(statuses(Module::new("crypto-clean")), only("accepted"));
    assert_eq!(
        statuses(Module::new("crypto-clean").with("emit", "rejected")),
        only("rejected")
    );

    for name in ["crypto-features", "crypto-anomaly", "crypto-predict"] {
        assert_eq!(start(Module::new(name)).process(0, NOW, &records), []);
        let answers = start(all(name)).process(70, NOW, &records);
        let texts: Vec<_> = answers.iter().map(|answer| &*answer.text).collect();
        assert_eq!(texts[1], r#"{"source_offset":71,"status":"none"}"#);
        assert_eq!(texts.len(), 4);
        assert!(
            answers
                .iter()
                .all(|answer| answer.status() == "none" && answer.key.is_none())
        );
    }
}

#[test]
fn an_answer_is_keyed_and_ordered_as_documented() {
    let mut chain = start(all("crypto-clean"));
    let (_, value) = raw("bitcoin", NOW, 16730.75);
    let answers = chain.process(7, NOW + 5, &[("", &*value), ("odd\u{1}key", "{}")]);
    assert_eq!(answers[0].key.as_deref(), Some("bitcoin"));
    assert_eq!(
        answers[0].text,
        r#"{"source_offset":7,"status":"accepted","raw_offset":7,"coin":"bitcoin","symbol":"bit","event_time":1700000000000,"fetched_at":1700000000005,"price":16730.75,"market_cap":5000000000,"volume_24h":1000000000,"change_24h_pct":null}"#
    );
    assert_eq!(answers[1].key.as_deref(), Some("odd\u{1}key"));
    assert_eq!(
        answers[1].text,
        r#"{"source_offset":8,"status":"rejected","raw_offset":8,"coin":"odd\u0001key","reason":"missing_field","detail":"id is absent or null","fetched_at":1700000000006,"raw":"{}"}"#
    );

    let mut chain = start(Module::new("crypto-features"));
    let answers = chain.process(3, NOW, &[clean(9, "bitcoin", NOW, 100.0)]);
    assert_eq!(answers[0].key.as_deref(), Some("bitcoin"));
    assert_eq!(
        answers[0].text,
        r#"{"source_offset":3,"status":"features","raw_offset":9,"coin":"bitcoin","symbol":"c","event_time":1700000000000,"fetched_at":1700000000000,"price":100,"market_cap":null,"volume_24h":1000000000,"change_24h_pct":null,"features_version":2,"price_prev":null,"ma_1m":100,"ma_5m":100,"ma_15m":100,"samples_1m":1,"samples_5m":1,"samples_15m":1,"log_return":null,"volatility_1m":null,"volatility_5m":null,"volatility_15m":null,"return_1m":null,"return_5m":null,"return_15m":null,"zscore_15m":null,"return_zscore_15m":null,"volume_ma_15m":1000000000,"volume_ratio":null,"move_15m":null,"volume_surge":null}"#
    );
}

#[test]
fn a_spike_goes_all_the_way() {
    let mut records: Vec<_> = (0..20)
        .map(|m| raw("bitcoin", NOW + m * MINUTE, 100.0 + (m % 3) as f64 * 0.01))
        .collect();
    records.push(raw("bitcoin", NOW + 20 * MINUTE, 104.0));
    let mut chain = Chain::start(&[
        Module::new("crypto-clean"),
        Module::new("crypto-features"),
        Module::new("crypto-anomaly"),
    ])
    .unwrap();
    let alerts = chain.process(0, NOW + 20 * MINUTE, &records);
    assert_eq!(alerts.len(), 1);
    let alert = &alerts[0].value;
    assert_eq!(alerts[0].key.as_deref(), Some("bitcoin"));
    assert_eq!(alert["alert_id"], "bitcoin:1700001200000");
    assert_eq!(alert["kinds"], serde_json::json!(["price_spike"]));
    assert_eq!(
        (&alert["severity"], &alert["score"]),
        (&"critical".into(), &1.into())
    );
    assert_eq!(alert["source_offset"], 20);
    let fields: Vec<_> = alert
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut documented = vec![
        "source_offset",
        "status",
        "raw_offset",
        "alert_id",
        "coin",
        "symbol",
        "event_time",
        "price",
        "kinds",
        "severity",
        "score",
        "zscore_15m",
        "move_15m",
        "return_15m",
        "return_zscore_15m",
        "volume_surge",
        "volume_ratio",
        "message",
    ];
    let in_order = documented
        .iter()
        .map(|name| alerts[0].text.find(&format!("\"{name}\":")));
    assert!(in_order.is_sorted());
    documented.sort_unstable();
    let mut fields = fields;
    fields.sort_unstable();
    assert_eq!(fields, documented);
    assert!(
        alert["message"]
            .as_str()
            .unwrap()
            .starts_with("BIT rose to $104, "),
        "{alert}"
    );
}

#[test]
fn the_same_batch_again_gets_the_same_answer() {
    for name in ["crypto-clean", "crypto-features"] {
        let records = |from: i64| -> Vec<_> {
            (from..from + 5)
                .map(|n| match name {
                    "crypto-clean" => raw("bitcoin", NOW + n * MINUTE, 100.0 + n as f64),
                    _ => clean(n, "bitcoin", NOW + n * MINUTE, 100.0 + n as f64),
                })
                .collect()
        };
        let mut chain = start(all(name));
        let mut undisturbed = start(all(name));
        for from in [0, 5, 10] {
            let first = chain.process(from, NOW + 60 * MINUTE, &records(from));
            assert!(
                first
                    .iter()
                    .all(|answer| ["accepted", "features"].contains(&answer.status()))
            );
            for _ in 0..2 {
                assert_eq!(
                    chain.process(from, NOW + 60 * MINUTE, &records(from)),
                    first,
                    "{name}"
                );
            }
            assert_eq!(
                undisturbed.process(from, NOW + 60 * MINUTE, &records(from)),
                first,
                "{name}"
            );
        }
        // Another batch at the same offset, as a producer's all are, is another batch.
        let other = chain.process(10, NOW + 60 * MINUTE, &records(15));
        assert_eq!(other.len(), 5);
        assert!(
            other
                .iter()
                .all(|answer| ["accepted", "features"].contains(&answer.status()))
        );
    }
}

#[test]
fn doubles_of_a_dead_process_are_ignored() {
    let rows: Vec<_> = (0..20)
        .map(|n| clean(n, "bitcoin", NOW + n * MINUTE, 100.0 + (n % 2) as f64))
        .collect();
    let mut features = start(all("crypto-features"));
    let mut anomaly = start(all("crypto-anomaly"));
    let spike = clean(20, "bitcoin", NOW + 20 * MINUTE, 200.0);
    let made: Vec<_> = features
        .process(0, NOW, &[rows.as_slice(), &[spike]].concat())
        .into_iter()
        .map(|answer| (answer.key.unwrap_or_default(), answer.text))
        .collect();
    let double = features.process(21, NOW, &rows[10..]);
    assert!(double.iter().all(|answer| answer.status() == "none"));

    let alerts = anomaly.process(0, NOW, &made);
    assert_eq!(
        alerts
            .iter()
            .filter(|answer| answer.status() == "alert")
            .count(),
        1
    );
    let double = anomaly.process(21, NOW, &made[20..]);
    assert_eq!(double[0].status(), "none");
}

#[test]
fn looking_back_fills_the_windows() {
    let rows: Vec<_> = (0..40)
        .map(|n| clean(n, "bitcoin", NOW + n * MINUTE, 100.0 + (n % 5) as f64))
        .collect();
    let mut full = start(all("crypto-features"));
    let expected = full.process(0, NOW, &rows).split_off(30);

    let mut looked = start(all("crypto-features"));
    looked.look_back(&rows[..30]);
    assert_eq!(
        looked
            .process(30, NOW, &rows[30..])
            .iter()
            .map(|answer| &answer.value)
            .collect::<Vec<_>>(),
        expected
            .iter()
            .map(|answer| &answer.value)
            .collect::<Vec<_>>()
    );

    // A stream that begins with what was looked back at is another stream: its state is built from nothing.
    let mut again = start(all("crypto-features"));
    again.look_back(&rows[..30]);
    let mut fresh = start(all("crypto-features"));
    assert_eq!(
        again.process(10, NOW, &rows[10..]),
        fresh.process(10, NOW, &rows[10..])
    );
}

#[test]
fn looking_back_remembers_duplicates() {
    let rows: Vec<_> = (0..10)
        .map(|n| raw("bitcoin", NOW + n * MINUTE, 100.0))
        .collect();
    let mut cleaner = start(all("crypto-clean"));
    // From before the epoch as far as a record without timestamp can tell: nothing is from the future here.
    cleaner.look_back(&[rows.as_slice(), &[("x".to_owned(), "garbage".to_owned())]].concat());
    let streamed = [
        ("x".to_owned(), "garbage".to_owned()),
        raw("ethereum", NOW + 9 * MINUTE, 1.0),
        rows[9].clone(),
        raw("bitcoin", NOW - 61 * MINUTE, 1.0),
        raw("bitcoin", NOW + 10 * MINUTE, 1.0),
    ];
    let answers = cleaner.process(11, NOW + 10 * MINUTE, &streamed);
    let reasons: Vec<_> = answers
        .iter()
        .map(|answer| answer.value["reason"].as_str().unwrap_or("accepted"))
        .collect();
    assert_eq!(
        reasons,
        ["malformed", "accepted", "duplicate", "late", "accepted"]
    );

    let mut again = start(all("crypto-clean"));
    again.look_back(&rows);
    let answers = again.process(0, NOW + 10 * MINUTE, &rows);
    assert!(
        answers.iter().all(|answer| answer.status() == "accepted"),
        "{answers:?}"
    );
}

#[test]
fn nothing_ends_the_stream() {
    let deep = format!("{{\"id\":{}", "[".repeat(60_000));
    let long = format!("{{\"id\":\"{}\"}}", "x".repeat(100_000));
    let (_, future) = raw("bitcoin", NOW + 6 * MINUTE, 1.0);
    let bad: Vec<(&[u8], &[u8])> = vec![
        (b"", b""),
        (b"\xff\xfe", b"\xff\xfe\x00"),
        (b"k", b"null"),
        (b"k", b"{\"id\":\"\\ud800\",\"symbol\":1,\"current_price\":1e999,\"last_updated\":\"\"}"),
        (b"k", b"{\"source_offset\":1e99,\"status\":\"accepted\",\"coin\":\"c\",\"symbol\":\"c\",\"event_time\":9223372036854775807,\"price\":1}"),
        (b"k", b"{\"status\":\"features\",\"coin\":\"c\",\"zscore_15m\":9,\"price\":-1}"),
        (b"k", deep.as_bytes()),
        (b"k", long.as_bytes()),
        (b"k", future.as_bytes()),
    ];
    for name in [
        "crypto-clean",
        "crypto-features",
        "crypto-anomaly",
        "crypto-predict",
    ] {
        let mut chain = start(all(name));
        chain.look_back(&bad);
        let answers = chain.process(0, NOW, &bad);
        assert_eq!(answers.len(), bad.len(), "{name}");
        for (answer, place) in answers.iter().zip(0..) {
            assert_eq!(answer.value["source_offset"], place);
            let expected = if name == "crypto-clean" {
                "rejected"
            } else {
                "none"
            };
            assert_eq!(answer.status(), expected, "{name}: {}", answer.text);
        }
        assert_eq!(chain.process::<&str, &str>(9, NOW, &[]), []);
    }
    let answers = start(all("crypto-clean")).process(0, NOW, &bad);
    assert_eq!(answers[8].value["reason"], "future");
    assert_eq!(answers[0].key, None);
}

/// The wasm does what the native code does, to the last bit: training and serving cannot drift apart.
#[test]
fn wasm_and_native_agree() {
    let mut cleaner = market::Cleaner::new(market::CleanParams {
        emit: market::Emit::All,
        ..Default::default()
    });
    let mut featurizer = market::Featurizer::new(market::FeatureParams {
        emit: market::Emit::All,
        ..Default::default()
    });
    let mut rule = market::AnomalyRule::new(market::AnomalyParams {
        emit: market::Emit::All,
        ..Default::default()
    });
    type Process<'a> = &'a mut dyn FnMut(&market::Input<'_>, &mut market::Output) -> bool;
    let modules: [(&'static str, Process<'_>); 3] = [
        ("crypto-clean", &mut |input, output| {
            cleaner.process(input, output)
        }),
        ("crypto-features", &mut |input, output| {
            featurizer.process(input, output)
        }),
        ("crypto-anomaly", &mut |input, output| {
            rule.process(input, output)
        }),
    ];
    let coins = ["bitcoin", "ethereum", "dogecoin"];
    let mut records: Vec<_> = (0..3_000_i64)
        .map(|n| {
            let wobble = ((n * n) as f64 * 0.37).sin();
            let jump = if n % 199 == 0 { 1.07 } else { 1.0 };
            raw(
                coins[n as usize % 3],
                NOW + (n / 3 - n % 4) * MINUTE,
                104_321.7 * (1.0 + 1e-3 * wobble) * jump,
            )
        })
        .collect();
    for (name, process) in modules {
        let mut output = market::Output::new();
        let native: Vec<_> = records
            .iter()
            .zip(0..)
            .map(|((key, value), offset)| {
                let input = market::Input {
                    offset,
                    timestamp_ms: NOW + 2_000 * MINUTE + offset,
                    key: (!key.is_empty()).then_some(key.as_bytes()),
                    value: value.as_bytes(),
                };
                assert!(process(&input, &mut output));
                (
                    String::from_utf8(output.key().unwrap_or_default().to_vec()).unwrap(),
                    String::from_utf8(output.value().to_vec()).unwrap(),
                )
            })
            .collect();
        let wasm: Vec<_> = start(all(name))
            .process(0, NOW + 2_000 * MINUTE, &records)
            .into_iter()
            .map(|answer| (answer.key.unwrap_or_default(), answer.text))
            .collect();
        assert_eq!(wasm, native, "{name}");
        records = wasm;
    }
    assert!(
        records
            .iter()
            .filter(|(_, value)| value.contains("\"status\":\"alert\""))
            .count()
            > 5
    );
}

#[test]
fn a_real_reply_comes_through() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/data/coins-markets-2023-01-02.json"
    );
    let Ok(reply) = std::fs::read_to_string(path) else {
        eprintln!("skipped: {path} is not there");
        return;
    };
    let coins: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(&reply).unwrap();
    let records: Vec<_> = coins.iter().map(|coin| ("", coin.get())).collect();
    // Fetched a minute after the first coin was updated.
    let fetched_at = 1_672_679_293_102 + MINUTE;
    let answers = start(all("crypto-clean")).process(0, fetched_at, &records);
    for (answer, coin) in answers.iter().zip(&coins) {
        let coin: serde_json::Value = serde_json::from_str(coin.get()).unwrap();
        assert_eq!(answer.status(), "accepted", "{}", answer.text);
        for (ours, theirs) in [("coin", "id"), ("symbol", "symbol")] {
            assert_eq!(answer.value[ours], coin[theirs]);
        }
        for (ours, theirs) in [
            ("price", "current_price"),
            ("market_cap", "market_cap"),
            ("volume_24h", "total_volume"),
            ("change_24h_pct", "price_change_percentage_24h"),
        ] {
            assert_eq!(answer.value[ours].as_f64(), coin[theirs].as_f64());
        }
        let updated: jiff::Timestamp = coin["last_updated"].as_str().unwrap().parse().unwrap();
        assert_eq!(answer.value["event_time"], updated.as_millisecond());
    }
    assert_eq!(answers.len(), 5);
}
