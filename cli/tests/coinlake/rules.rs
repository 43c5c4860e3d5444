//! `coinlake rules check` over a lake of a few days.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use fixtures::process::coinlake;
use lake::FileName;
use parquet::arrow::ArrowWriter;
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
                Arc::new(TimestampMillisecondArray::from_iter_values(
                    hours.iter().map(|hour| START + hour * HOUR),
                )),
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
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let name = FileName {
            topic: "crypto-clean".to_owned(),
            partition: 0,
            generation: 0,
            offset: 200 * file as i64,
        };
        let folder = lake.join("features/date=2025-06-15");
        fs::create_dir_all(&folder).unwrap();
        let contents = fs::File::create(folder.join(name.to_string())).unwrap();
        let mut writer = ArrowWriter::try_new(contents, rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
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
        json!(["it holds in 96 % of the rows: what is usual is no news"])
    );
    assert_eq!(
        report["rules"][2]["warnings"],
        json!(["never seen in the lake: bitcon"])
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
        "warning: rule `typo`: never seen in the lake: bitcon",
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
        (&["missing.json"][..], "missing.json cannot be read"),
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
