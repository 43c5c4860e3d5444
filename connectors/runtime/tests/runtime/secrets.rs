//! With everything logged that can be, no secret is: neither by us nor by the crates below us.

use std::process::Command;

use bytes::Bytes;
use clap::Parser;
use connector_runtime::config::ConnectorConfig;
use connector_runtime::process::ConnectorArgs;
use connector_runtime::process::log;
use connector_runtime::reader::ModuleReader;
use connector_runtime::record::Outgoing;
use connector_runtime::topic::ensure_topic;
use connector_runtime::writer::TopicWriter;
use fixtures::broker::TestBroker;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

const SECRET: &str = "correct horse battery staple";
const CONFIG: &str = r#"
meta:
  name: prices
  type: test-source
  version: 0.1.0
  topic: prices
  secrets:
    - name: API_KEY
transforms:
  - uses: absent-module
    with:
      key: ${{ secrets.API_KEY }}
test:
  api_key: "${{ secrets.API_KEY }}"
"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    api_key: SecretString,
}

/// The connector, as a process of its own that the other test starts and listens to.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is started by the other test"]
async fn connector() {
    let arguments = std::env::var("CONNECTOR_ARGUMENTS").unwrap();
    let args = ConnectorArgs::parse_from(arguments.split(' '));
    log::init(args.log_format, log::CONNECTOR_FILTER);
    let config =
        ConnectorConfig::<Settings>::load(&args.config, "test", args.secrets.as_deref()).unwrap();
    tracing::info!(?config, secret = ?config.settings.api_key, "loaded");
    assert_eq!(config.settings.api_key.expose_secret(), SECRET);

    let client = args.cluster().unwrap().connect().await.unwrap();
    let topic = &config.meta.topic;
    ensure_topic(&client, topic).await.unwrap();
    let mut writer = TopicWriter::open(&client, &topic.name, 0, std::time::Duration::from_secs(10))
        .await
        .unwrap();
    let record = Outgoing {
        key: None,
        value: Bytes::from_static(b"a price"),
    };
    writer.append(&[record]).await.unwrap();
    let mut reader = ModuleReader::open(&client, &topic.name, 0, 0, config.invocations())
        .await
        .unwrap();
    let err = reader.next().await.unwrap_err();
    tracing::error!(%err, ?err, "reading failed");
    tracing::info!("the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_logged_at_any_level() {
    let dir = tempfile::tempdir().unwrap();
    let broker = TestBroker::start().await;
    let config = dir.path().join("config.yaml");
    std::fs::write(&config, CONFIG).unwrap();
    let secrets = dir.path().join("secrets.txt");
    std::fs::write(&secrets, format!("API_KEY={SECRET}\n")).unwrap();
    for format in ["text", "json"] {
        let arguments = format!(
            "connector --config {} --secrets {} --cluster {} --log-format {format}",
            config.display(),
            secrets.display(),
            broker.addr()
        );
        let output = tokio::task::spawn_blocking(move || {
            Command::new(std::env::current_exe().unwrap())
                .args(["--ignored", "--exact", "secrets::connector", "--nocapture"])
                .env("CONNECTOR_ARGUMENTS", arguments)
                .env("RUST_LOG", "trace")
                .output()
                .unwrap()
        })
        .await
        .unwrap();
        let log = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success(), "{log}");
        assert!(log.contains("DEBUG") && log.contains("the end"), "{log}");
        assert!(!log.contains(SECRET), "{log}");
    }
    broker.connect().await;
}
