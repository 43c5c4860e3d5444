//! Configs as people write them: real ones parse, wrong ones get a sentence that names place and remedy.

use std::time::Duration;

use connector_runtime::config::Secrets;
use connector_runtime::config::{ConfigError, ConnectorConfig, Lookback, Partitions};
use fluvio::Compression;
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    interval: u64,
    timeout: u64,
    template: String,
    api_key: SecretString,
}

type Config = ConnectorConfig<Settings>;

fn parse(text: &str) -> Result<Config, ConfigError> {
    let secrets = [
        ("API_KEY", "hunter2"),
        ("INTERVAL", "30"),
        ("AWKWARD", "a: {b} #\"c'"),
    ];
    let secrets = secrets.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Config::from_yaml(text, "json", &Secrets::from_values(secrets))
}

fn parsed(text: &str) -> Config {
    parse(text).unwrap_or_else(|err| panic!("{err}\n{text}"))
}

fn refusal(text: &str) -> String {
    match parse(text) {
        Ok(config) => panic!("accepted: {config:?}"),
        Err(err) => err.to_string(),
    }
}

/// A small config with a line more, or other, in `meta`.
fn with_meta(lines: &str) -> String {
    format!(
        "apiVersion: 0.1.0\nmeta:\n  version: 0.1.0\n  name: prices\n  type: json-source\n  topic: prices\n{lines}"
    )
}

#[test]
fn the_smallest_config_has_only_meta() {
    for header in ["", "apiVersion: 0.1.0\n", "apiVersion: 0.0.0\n"] {
        let config = parsed(&format!(
            "{header}meta:\n  version: 0.1.0\n  name: prices\n  type: mqtt\n  topic: my-mqtt\n  create_topic: false\n"
        ));
        assert_eq!(config.meta.topic.name, "my-mqtt");
        assert_eq!(config.meta.topic.partitions, None);
        assert_eq!(config.meta.consumer.partition, Partitions::All);
        assert_eq!(config.consumer_id(), "prices");
        assert!(config.transforms.is_empty());
    }
}

#[test]
fn version_1_with_everything() {
    let config = parsed(
        r#"
apiVersion: 0.1.0
meta:
  version: 0.1.0
  name: my-mqtt
  type: mqtt-source
  topic: my-mqtt
  create-topic: true
  producer:
    linger: 1ms
    batch-size: "44.0 MB"
    compression: gzip
    max_request_size: 2097152
  consumer:
    partition: 10
    max_bytes: "1 MB"
  secrets:
    - name: API_KEY
transforms:
  - uses: infinyon/json-sql
    with:
      mapping:
        table: "topic_message"
      param: param_value
      depth: 3
  - uses: infinyon/sql@0.1.0
    lookback:
      last:
        100
      age: 1h
json:
  interval: 5
  timeout: 15
  template: '{"template":"test"}'
  api_key: ${{ secrets.API_KEY }}
"#,
    );
    let producer = &config.meta.producer;
    assert_eq!(producer.compression, Some(Compression::Gzip));
    assert_eq!(config.meta.consumer.partition, Partitions::One(10));
    let with = &config.transforms[0].with;
    assert_eq!(with["mapping"], r#"{"table":"topic_message"}"#);
    assert_eq!(with["param"], "param_value");
    assert_eq!(with["depth"], "3");
    assert_eq!(
        config.transforms[1].lookback,
        Some(Lookback {
            last: 100,
            age: Some(Duration::from_secs(3600))
        })
    );
    assert_eq!(config.settings.interval, 5);
    assert_eq!(config.settings.template, r#"{"template":"test"}"#);
    assert_eq!(config.settings.api_key.expose_secret(), "hunter2");
    assert_eq!(config.invocations().len(), 2);
}

#[test]
fn version_2_with_everything() {
    let config = parsed(
        r#"
apiVersion: 0.2.0
meta:
  version: 0.1.0
  name: my-sink
  type: json-sink
  topic:
    version: 0.1.0
    meta:
      name: test-topic
    partition:
      count: 3
      max-size: 1.0 KB
      replication: 2
      ignore-rack-assignment: true
    retention:
      time: 2m
      segment-size: 2.0 KB
    compression:
      type: Lz4
    deduplication:
      bounds:
        count: 100
        age: 1m
      filter:
        transform:
          uses: infinyon/dedup@0.1.0
  consumer:
    partition:
      - 1
      - 0
    id: consumer_1
    offset:
      start:
        absolute: 100
      strategy: auto
      flush-period:
        secs: 160
        nanos: 0
"#,
    );
    let topic = &config.meta.topic;
    assert_eq!(topic.name, "test-topic");
    assert_eq!(topic.partitions, Some(3));
    assert_eq!(topic.partition_size_bytes_max, Some(1000));
    assert_eq!(topic.replication, Some(2));
    assert!(topic.ignore_rack_assignment);
    assert_eq!(topic.retention, Some(Duration::from_secs(120)));
    assert_eq!(topic.segment_size_bytes, Some(2000));
    assert_eq!(topic.compression, Some(Compression::Lz4));
    assert_eq!(topic.deduplication.as_ref().unwrap().bounds.count, 100);
    assert_eq!(topic.spec().partitions(), 3);
    let consumer = &config.meta.consumer;
    assert_eq!(consumer.partition, Partitions::Many(vec![1, 0]));
    assert_eq!(config.consumer_id(), "consumer_1");
}

#[test]
fn partitions_are_chosen_among_those_there_are() {
    assert_eq!(Partitions::All.resolve(3).unwrap(), [0, 1, 2]);
    assert_eq!(Partitions::One(2).resolve(3).unwrap(), [2]);
    assert_eq!(Partitions::Many(vec![2, 0, 2]).resolve(3).unwrap(), [0, 2]);
    let refusal = Partitions::Many(vec![1, 3]).resolve(3).unwrap_err();
    insta::assert_snapshot!(refusal, @"meta.consumer.partition names partition 3, but the topic has 3, numbered from 0: use `all` or a smaller number");
}

#[test]
fn a_secret_may_be_a_number_and_may_be_awkward() {
    let config = parsed(&with_meta(
        "  secrets:\n    - name: INTERVAL\n    - name: AWKWARD\njson:\n  interval: ${{ secrets.INTERVAL }}\n  \
         api_key: ${{secrets.AWKWARD}}\n",
    ));
    assert_eq!(config.settings.interval, 30);
    assert_eq!(config.settings.api_key.expose_secret(), "a: {b} #\"c'");
}

#[test]
fn what_is_wrong_gets_a_sentence() {
    let cases = [
        ("unknown in meta", with_meta("  tpoic: x\n")),
        ("unknown at the top", with_meta("jsno:\n  interval: 1\n")),
        ("unknown setting", with_meta("json:\n  intervall: 1\n")),
        ("unknown deep", with_meta("  producer:\n    lingre: 1ms\n")),
        (
            "unknown in a transform",
            with_meta("transforms:\n  - uses: a\n    whit: {}\n"),
        ),
        (
            "duration without unit",
            with_meta("  producer:\n    linger: \"1\"\n"),
        ),
        (
            "duration as a number",
            with_meta("  producer:\n    linger: 1\n"),
        ),
        (
            "bad size",
            with_meta("  producer:\n    batch-size: 1aoeu\n"),
        ),
        (
            "bad compression",
            with_meta("  producer:\n    compression: gzipaoeu\n"),
        ),
        (
            "bad partition",
            with_meta("  consumer:\n    partition: some\n"),
        ),
        (
            "empty list of partitions",
            with_meta("  consumer:\n    partition: []\n"),
        ),
        (
            "negative partition",
            with_meta("  consumer:\n    partition: -1\n"),
        ),
        (
            "bad start",
            with_meta("  consumer:\n    offset:\n      start: middle\n      strategy: none\n"),
        ),
        (
            "bad strategy",
            with_meta("  consumer:\n    offset:\n      strategy: maybe\n"),
        ),
        ("bad setting", with_meta("json:\n  interval: often\n")),
        (
            "setting of the wrong type",
            with_meta("json:\n  interval: [1]\n"),
        ),
        (
            "bad version",
            with_meta("").replace("0.1.0\nmeta", "v1\nmeta"),
        ),
        (
            "topic object in version 1",
            with_meta("").replace("topic: prices", "topic: { meta: { name: a } }"),
        ),
        (
            "topic name in version 2",
            with_meta("").replace("Version: 0.1.0", "Version: 0.2.0"),
        ),
        ("no topic", with_meta("").replace("  topic: prices\n", "")),
        (
            "empty topic",
            with_meta("").replace("topic: prices", "topic: ''"),
        ),
        (
            "no version",
            with_meta("").replace("  version: 0.1.0\n", ""),
        ),
        ("no meta", "apiVersion: 0.1.0\njson: {}\n".to_owned()),
        (
            "no partitions",
            with_meta("")
                .replace("Version: 0.1.0", "Version: 0.2.0")
                .replace(
                    "topic: prices",
                    "topic:\n    meta: { name: a }\n    partition: { count: 0 }",
                ),
        ),
        (
            "secret name with a number",
            with_meta("  secrets:\n    - name: 1secret\n"),
        ),
        (
            "secret not listed",
            with_meta("json:\n  api_key: ${{ secrets.API_KEY }}\n"),
        ),
        (
            "secret without value",
            with_meta("  secrets:\n    - name: NOPE\njson:\n  api_key: ${{ secrets.NOPE }}\n"),
        ),
        (
            "secret of the wrong type",
            with_meta(
                "  secrets:\n    - name: API_KEY\njson:\n  interval: ${{ secrets.API_KEY }}\n",
            ),
        ),
        (
            "other template",
            with_meta("json:\n  api_key: ${{ env.HOME }}\n"),
        ),
        ("key twice", with_meta("  topic: other\n")),
        ("not YAML", with_meta("json: [\n")),
        ("empty", String::new()),
        ("a list", "- a\n- b\n".to_owned()),
    ];
    let sentences: Vec<String> = cases
        .iter()
        .map(|(name, text)| format!("{name}\n    {}", refusal(text)))
        .collect();
    insta::assert_snapshot!(sentences.join("\n"));
}

#[test]
fn a_file_is_named_in_its_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("source.yaml");
    std::fs::write(&path, with_meta("  tpoic: x\n")).unwrap();
    let message = Config::load(&path, "json", None).unwrap_err().to_string();
    assert!(
        message.contains("source.yaml, line 7: unknown key"),
        "{message}"
    );
    let missing = Config::load(&dir.path().join("none.yaml"), "json", None);
    assert!(missing.unwrap_err().to_string().contains("cannot read"));

    std::fs::write(
        &path,
        with_meta("  secrets: [{name: K}]\njson:\n  api_key: ${{ secrets.K }}\n"),
    )
    .unwrap();
    let secrets = dir.path().join("secrets.txt");
    std::fs::write(&secrets, "K=from the file\n").unwrap();
    let config = Config::load(&path, "json", Some(&secrets)).unwrap();
    assert_eq!(config.settings.api_key.expose_secret(), "from the file");
}

/// A secret in any place where it does not fit: whatever is said about it, it is not said.
#[test]
fn no_error_shows_a_secret() {
    let secrets = Secrets::from_values([("K".to_owned(), "12hunter2 zone".to_owned())]);
    let template = "${{ secrets.K }}";
    for place in [
        format!("  producer:\n    linger: {template}\n"),
        format!("  producer:\n    batch-size: \"{template}\"\n"),
        format!("  consumer:\n    partition: {template}\n"),
        format!("  consumer:\n    offset:\n      strategy: {template}\n"),
        format!("json:\n  interval: {template}\n"),
        format!("json:\n  {template}: 1\n"),
        format!("json: {template}\n"),
        format!("{template}: 1\n"),
        format!("json: {{ interval: '{template}' }}\n"),
    ] {
        let text = with_meta(&format!("  secrets:\n    - name: K\n{place}"));
        let Err(err) = Config::from_yaml(&text, "json", &secrets) else {
            panic!("accepted: {place}");
        };
        let message = format!("{err} {err:?}");
        for part in ["hunter2", "zone"] {
            assert!(!message.contains(part), "{place}{message}");
        }
    }
    let text = with_meta(&format!(
        "  secrets:\n    - name: K\ntransforms:\n  - uses: m\n    with:\n      key: {template}\njson:\n  api_key: {template}\n"
    ));
    let config = Config::from_yaml(&text, "json", &secrets).unwrap();
    assert_eq!(config.transforms[0].with["key"], "12hunter2 zone");
    assert!(!format!("{config:?} {secrets:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn nothing_panics(text in "[ -~\n]{0,200}", lines in proptest::collection::vec("( {0,4}(meta|topic|name|json|secrets|-|apiVersion):? ?[ -~]{0,12})", 0..12)) {
        let _ = parse(&text);
        let _ = parse(&lines.join("\n"));
        let _ = parse(&with_meta(&lines.join("\n")));
    }
}
