//! Configurations as people write them: all problems are reported at once, each with its key.

use connector_runtime::config::Secrets;
use parquet_sink::config::StagePlan;
use parquet_sink::{SECTION, StageConfig};

const GOOD: &str = "
apiVersion: 0.1.0
meta: { name: stage, type: parquet-sink, version: 0.1.0, topic: in }
transforms:
  - uses: module
    with: { emit: all }
parquet:
  lake: lake
  route_by: status
  state: { horizon: 60m, time_field: at }
  destinations:
    - when: good
      topic: out
      layer:
        name: good
        date: at
        columns:
          - { name: key, type: string, bloom: true }
          - { name: at, type: timestamp }
";

fn problems(from: &str, to: &str) -> Vec<String> {
    assert!(GOOD.contains(from), "{from}");
    let text = GOOD.replace(from, to);
    let config = StageConfig::from_yaml(&text, SECTION, &Secrets::none()).unwrap();
    match StagePlan::new(&config) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.list().to_vec(),
    }
}

#[track_caller]
fn check(from: &str, to: &str, key: &str) {
    let found = problems(from, to);
    assert!(
        found.iter().any(|problem| problem.starts_with(key)),
        "{key}: {found:?}"
    );
}

#[test]
fn a_good_configuration_has_no_problems() {
    assert_eq!(
        problems("lake: lake", "lake: s3://bucket/lake"),
        [] as [String; 0]
    );
}

#[test]
fn problems_name_their_key() {
    check("lake: lake", "lake: ftp://host", "parquet.lake");
    check(
        "lake: lake",
        "lake: lake\n  options: { region: x }",
        "parquet.options.region",
    );
    check("route_by: status", "", "parquet.destinations[0].when");
    check("when: good", "when: none", "parquet.destinations[0].when");
    check("topic: out", "topic: in", "parquet.destinations[0].topic");
    check(
        "name: good",
        "name: _tmp",
        "parquet.destinations[0].layer.name",
    );
    check(
        "date: at",
        "date: key",
        "parquet.destinations[0].layer.date",
    );
    check(
        "date: at",
        "date: never",
        "parquet.destinations[0].layer.date",
    );
    check(
        "name: key",
        "name: Source_Offset",
        "parquet.destinations[0].layer.columns.Source_Offset: rename it",
    );
    check(
        "name: key",
        "name: Date",
        "parquet.destinations[0].layer.columns.Date: rename it",
    );
    check(
        "name: key",
        "name: AT",
        "parquet.destinations[0].layer.columns.at: two columns have this name",
    );
    check(
        "name: key, type: string",
        "name: key, type: bool",
        "parquet.destinations[0].layer.columns.key",
    );
    check(
        "type: timestamp }",
        "type: timestamp, from: timestamp }",
        "parquet.destinations[0].layer.columns.at",
    );
    check("horizon: 60m", "horizon: 0s", "parquet.state.horizon");
    check(
        "lake: lake",
        "lake: lake\n  limits: { rows_max: 0 }",
        "parquet.limits.rows_max",
    );
    check(
        "lake: lake",
        "lake: lake\n  limits: { bytes_max: 6GiB }",
        "parquet.limits.bytes_max",
    );
    check(
        "    with: { emit: all }",
        "    lookback: { last: 5 }",
        "transforms.module.lookback",
    );
}

#[test]
fn a_topic_and_state_need_a_module() {
    let modules = "transforms:\n  - uses: module\n    with: { emit: all }\n";
    let found = problems(modules, "");
    let keys: Vec<&str> = found
        .iter()
        .filter_map(|problem| problem.split(':').next())
        .collect();
    assert_eq!(keys, ["parquet.destinations[0].topic", "parquet.state"]);
}

#[test]
fn all_problems_come_at_once() {
    let found = problems(
        "name: good\n        date: at",
        "name: a/b\n        date: never",
    );
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn unknown_keys_are_refused() {
    let text = GOOD.replace("route_by:", "rout_by:");
    let error = StageConfig::from_yaml(&text, SECTION, &Secrets::none()).unwrap_err();
    assert!(error.to_string().contains("rout_by"), "{error}");
}

/// A wrong horizon would only show after a restart, as wrong rows.
#[test]
fn shipped_configs_agree_on_lateness_and_horizon() {
    for (text, look_back_minutes) in [
        (
            include_str!("../../../../fluvio-config/connectors/stage-clean.yaml"),
            0,
        ),
        (
            include_str!("../../../../fluvio-config/connectors/stage-features.yaml"),
            90,
        ),
    ] {
        let config = StageConfig::from_yaml(text, SECTION, &Secrets::none()).unwrap();
        let lateness = &config.transforms[0].with["allowed_lateness"];
        let minutes: i64 = lateness.strip_suffix('m').unwrap().parse().unwrap();
        let plan = StagePlan::new(&config).unwrap();
        let horizon_ms = plan.state.unwrap().horizon_ms;
        assert_eq!(
            horizon_ms,
            (minutes + look_back_minutes) * 60_000,
            "{}",
            plan.name
        );
    }
}

#[test]
fn the_sample_is_valid() {
    let secrets = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let secrets = secrets.map(|name| (name.to_owned(), "value".to_owned()));
    let text = include_str!("../../sample-config.yaml");
    let config = StageConfig::from_yaml(text, SECTION, &Secrets::from_values(secrets));
    StagePlan::new(&config.unwrap()).unwrap();
}

#[test]
fn shipped_configs_are_valid() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fluvio-config/connectors"
    );
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("stage-")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let config = StageConfig::from_yaml(&text, SECTION, &Secrets::none()).unwrap();
            StagePlan::new(&config).unwrap();
            checked += 1;
        }
    }
    assert!(checked >= 4, "{checked}");
}
