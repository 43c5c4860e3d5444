//! The files of k8s/monitoring, and what they ask for.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::promtool::promtool;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../k8s/monitoring")
        .join(name)
}

/// The expressions of all alert rules.
pub(super) fn rules() -> Vec<String> {
    #[derive(Deserialize)]
    struct File {
        groups: Vec<Group>,
    }
    #[derive(Deserialize)]
    struct Group {
        rules: Vec<Rule>,
    }
    #[derive(Deserialize)]
    struct Rule {
        expr: String,
    }
    let text = std::fs::read_to_string(file("prometheus-rules.yaml")).unwrap();
    let file: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    let file: File = serde_json::from_value(file).unwrap();
    let rules = file.groups.into_iter().flat_map(|group| group.rules);
    rules.map(|rule| rule.expr).collect()
}

/// The expressions of all panels.
pub(super) fn dashboard() -> Vec<String> {
    let mut expressions = Vec::new();
    for panel in panels() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            expressions.push(target["expr"].as_str().unwrap().to_owned());
        }
    }
    expressions
}

fn panels() -> Vec<Value> {
    let text = std::fs::read_to_string(file("grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

/// The names of our metrics in an expression.
pub(super) fn metrics_in(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = [
        "coinlake_",
        "coingecko_source_",
        "parquet_sink_",
        "process_",
    ];
    words
        .filter(|word| ours.iter().any(|prefix| word.starts_with(prefix)))
        .map(str::to_owned)
        .collect()
}

#[test]
fn rules_fire_when_they_should_and_not_before() {
    let path = |name| file(name).to_str().unwrap().to_owned();
    let tested = promtool(&["check", "rules", &path("prometheus-rules.yaml")], "")
        .and_then(|()| promtool(&["test", "rules", &path("prometheus-rules.test.yaml")], ""));
    if tested.is_some() {
        println!("{} rules tested", rules().len());
    }
}

/// Every alert has a test that sees it fire.
#[test]
fn no_rule_is_without_a_test() {
    let rules = std::fs::read_to_string(file("prometheus-rules.yaml")).unwrap();
    let tests = std::fs::read_to_string(file("prometheus-rules.test.yaml")).unwrap();
    let names = rules
        .lines()
        .filter_map(|l| l.trim().strip_prefix("- alert: "));
    let mut count = 0;
    for name in names {
        assert!(tests.contains(&format!("alertname: {name}\n")), "{name}");
        count += 1;
    }
    assert_eq!(count, self::rules().len());
}

#[test]
fn the_dashboard_is_sound() {
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{panel}");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "overlaps: {panel}");
            }
        }
    }
    // promtool parses expressions where they stand in rules.
    let rules: Vec<Value> = dashboard()
        .iter()
        .enumerate()
        .map(|(i, expr)| json!({ "record": format!("panel_{i}"), "expr": expr }))
        .collect();
    assert!(rules.len() > 20);
    let file = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dashboard.yaml");
    std::fs::write(&path, file.to_string()).unwrap();
    let _skipped = promtool(&["check", "rules", path.to_str().unwrap()], "");
}
