//! `coinlake rules check` over a lake of a few days, and rules as the Fluvio command line passes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use connector_runtime::record::Outgoing;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use connector_runtime::writer::TopicWriter;
use fixtures::broker::TestBroker;
use fixtures::patience::{PATIENCE, within};
use fixtures::process::coinlake;
use fixtures::{smartmodules, tables, topic};
use fluvio::consumer::{
    ConsumerConfigExtBuilder, RetryMode, SmartModuleInvocation, SmartModuleInvocationWasm,
    SmartModuleKind,
};
use fluvio::{Fluvio, FluvioClusterConfig, Offset};
use futures_util::StreamExt;
use serde_json::{Value, json};

const START: i64 = 1_750_000_000_000;
const HOUR: i64 = 3_600_000;
const DAYS: i64 = 14;

/// Two weeks of bitcoin, a tick an hour, in two files: at noon of each day the price falls below 60000, and an hour later it is back.
fn two_weeks(lake: &Path) {
    let hours: Vec<i64> = (0..DAYS * 24 + 1).collect();
    let price = |hour: &i64| if hour % 24 == 12 { 59_990.0 } else { 60_000.0 };
    for (file, hours) in hours.chunks(200).enumerate() {
        let columns: [(&str, ArrayRef); 4] = [
            (
                "coin",
                Arc::new(StringArray::from(vec!["bitcoin"; hours.len()])),
            ),
            (
                "event_time",
                Arc::new(
                    TimestampMicrosecondArray::from_iter_values(
                        hours.iter().map(|hour| (START + hour * HOUR) * 1_000),
                    )
                    .with_timezone("UTC"),
                ),
            ),
            (
                "price",
                Arc::new(Float64Array::from_iter_values(hours.iter().map(price))),
            ),
            (
                "price_prev",
                Arc::new(Float64Array::from_iter(
                    hours
                        .iter()
                        .map(|hour| (*hour > 0).then(|| price(&(hour - 1)))),
                )),
            ),
        ];
        let nullable = |(name, array)| (name, array, true);
        let rows = RecordBatch::try_from_iter_with_nullable(columns.map(nullable)).unwrap();
        tables::append(
            lake,
            "features",
            "2025-06-15",
            (0, 200 * file as i64),
            &rows,
        );
    }
}

fn check(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = coinlake(&["rules", "check"]);
    command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn rules_say_how_often_they_would_have_fired() {
    let folder = tempfile::tempdir().unwrap();
    two_weeks(&folder.path().join("lake"));
    let rules = json!([
        {"name": "below", "coins": ["bitcoin"], "when": "price crosses_below 60000", "severity": "critical"},
        {"name": "usual", "when": "price >= 60000"},
        {"name": "typo", "coins": ["bitcon"], "when": "price > 0"},
    ]);
    fs::write(folder.path().join("rules.json"), rules.to_string()).unwrap();
    let output = check(folder.path(), &["rules.json", "--lake", "lake", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["from_ms"], START);
    assert_eq!(report["to_ms"], START + DAYS * 24 * HOUR);
    let noon = |day: i64| json!({"coin": "bitcoin", "event_time": START + (day * 24 + 12) * HOUR});
    assert_eq!(
        report["rules"][0],
        json!({"name": "below", "coins": ["bitcoin"], "when": "price crosses_below 60000", "severity": "critical",
            "rows": 337, "held": 14, "episodes": 14, "episodes_a_week": 7.0, "newest": [noon(13), noon(12), noon(11)],
            "warnings": []})
    );
    let usual = &report["rules"][1];
    assert_eq!(
        (&usual["held"], &usual["severity"]),
        (&json!(323), &json!("warning"))
    );
    assert_eq!(
        usual["warnings"],
        json!([
            "it holds in 96 % of the rows, too often to be useful: make the condition stricter"
        ])
    );
    assert_eq!(
        report["rules"][2]["warnings"],
        json!(["not in the lake: bitcon; check the spelling"])
    );

    let yaml = "alerts:\n  rules:\n    - {name: below, coins: [bitcoin], when: price crosses_below 60000}\n    - name: typo\n      coins: [bitcon]\n      when: price > 0\n";
    fs::write(folder.path().join("coinlake.yaml"), yaml).unwrap();
    let output = check(folder.path(), &["coinlake.yaml", "--lake", "lake"]);
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    for part in [
        "14 of 337 rows",
        "7.0",
        "2025-06-29 03:06:40 bitcoin",
        "warning: rule `typo`: not in the lake: bitcon; check the spelling",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn every_bad_rule_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "alerts:\n  rules:\n    - name: first\n      when: prize < 1\n    - {name: second, when: price = 1}\n";
    fs::write(folder.path().join("coinlake.yaml"), yaml).unwrap();
    let rules = "[\n  {\"name\": \"first\", \"when\": \"prize < 1\"},\n  {\"name\": \"second\", \"when\": \"price = 1\"}\n]\n";
    fs::write(folder.path().join("rules.json"), rules).unwrap();
    for (file, lines) in [("coinlake.yaml", [3, 5]), ("rules.json", [2, 3])] {
        let output = check(folder.path(), &[file]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let [first, second] = &*said.lines().collect::<Vec<_>>() else {
            panic!("two problems: {said}")
        };
        for (said, expected) in [
            (
                first,
                format!(
                    "{file}, line {}: rule `first`: `when`, character 1: `prize` is unknown; known here: ",
                    lines[0]
                ),
            ),
            (
                second,
                format!(
                    "{file}, line {}: rule `second`: `when`, character 7: `=` is unknown; known here: <, <=",
                    lines[1]
                ),
            ),
        ] {
            assert!(said.contains(&expected), "{said}\n{expected}");
        }
    }
}

#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.json"), "[]").unwrap();
    fs::write(
        folder.path().join("coinlake.yaml"),
        "alerts:\n  min_severity: info\n",
    )
    .unwrap();
    for (arguments, problem) in [
        (&["missing.json"][..], "cannot read missing.json"),
        (&["coinlake.yaml"], "alerts.rules is missing"),
        (
            &["rules.json", "--lake", "nowhere"],
            "there is no lake at nowhere",
        ),
        (
            &["rules.json"],
            "coinlake-data is not a data directory of Coinlake",
        ),
    ] {
        let output = check(folder.path(), arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(problem), "{said}");
    }
}

/// `fluvio consume crypto-features --smartmodule crypto-anomaly --params KEY=VALUE`, to the end of the topic; or why it is refused.
async fn consume(broker: &TestBroker, param: &str) -> Result<Vec<Value>, String> {
    // The command line splits a parameter at its first `=`.
    let (key, value) = param.split_once('=').unwrap();
    let params = BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let module = SmartModuleInvocation {
        wasm: SmartModuleInvocationWasm::Predefined("crypto-anomaly".to_owned()),
        kind: SmartModuleKind::Generic(Default::default()),
        params: params.into(),
        ..Default::default()
    };
    let config = ConsumerConfigExtBuilder::default()
        .topic("crypto-features")
        .offset_start(Offset::beginning())
        .smartmodule(vec![module])
        .disable_continuous(true)
        // Else a refusal is tried again and never seen.
        .retry_mode(RetryMode::Disabled)
        .build()
        .unwrap();
    let cluster = FluvioClusterConfig::new(broker.addr().to_string());
    let client = Fluvio::connect_with_config(&cluster).await.unwrap();
    let stream = client.consumer_with_config(config).await;
    let mut stream = stream.map_err(|error| format!("{error:#}"))?;
    let mut alerts = Vec::new();
    while let Some(record) = within(stream.next()).await {
        let record = record.map_err(|error| error.to_string())?;
        alerts.push(serde_json::from_slice(record.value()).unwrap());
    }
    Ok(alerts)
}

#[tokio::test]
async fn the_fluvio_command_line_passes_rules() {
    let broker = TestBroker::start().await;
    let client = broker.client();
    ensure_topic(client, &TopicSettings::named("crypto-features"))
        .await
        .unwrap();
    let wasm = smartmodules::wasm("crypto-anomaly");
    topic::create_smartmodule(client, "crypto-anomaly", &wasm).await;
    let row = |minute: i64, before: Option<f64>, price: f64| {
        let row = json!({"coin": "bitcoin", "symbol": "btc", "event_time": START + minute * 60_000, "price": price,
            "price_prev": before});
        Outgoing {
            key: Some("bitcoin".into()),
            value: row.to_string().into(),
        }
    };
    let rows = [
        row(0, None, 59_990.0),
        row(1, Some(59_990.0), 60_000.0),
        row(2, Some(60_000.0), 59_999.9),
        row(3, Some(59_999.9), 59_990.0),
    ];
    let writer = TopicWriter::open(client, "crypto-features", 0, PATIENCE).await;
    writer.unwrap().append(&rows).await.unwrap();

    let rules = r#"rules=[{"name": "btc-60k", "when": "price crosses_below 60000", "severity": "critical"}]"#;
    let alerts = consume(&broker, rules).await.unwrap();
    let [alert] = &*alerts else {
        panic!("one row crosses: {alerts:?}")
    };
    assert_eq!(alert["event_time"], START + 2 * 60_000);
    assert_eq!(alert["kinds"], json!(["rule:btc-60k"]));
    assert_eq!(alert["severity"], "critical");

    // As in the README: an operator with a `=` of its own.
    let holds = r#"rules=[{"name": "low", "when": "price <= 59990"}]"#;
    assert_eq!(consume(&broker, holds).await.unwrap().len(), 2);
    let bad = r#"rules=[{"name": "btc-60k", "when": "price = 60000"}]"#;
    let refused = consume(&broker, bad).await.unwrap_err();
    assert!(
        refused.contains("rule `btc-60k`: `when`, character 7: `=` is unknown"),
        "{refused}"
    );
}
