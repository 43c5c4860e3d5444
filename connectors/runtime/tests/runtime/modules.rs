use bytes::Bytes;
use connector_runtime::config::Transform;
use connector_runtime::reader::{ModuleReader, ReadError};
use connector_runtime::record::{Outgoing, Output};
use fixtures::broker::TestBroker;
use fixtures::patience::within;
use fixtures::{smartmodules, topic};

use crate::support::*;

const MODULE: &str = "crypto-clean";

fn transform(with: &[(&str, &str)]) -> Transform {
    Transform {
        uses: MODULE.to_owned(),
        with: with
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        lookback: None,
    }
}

async fn with_one_record() -> TestBroker {
    let broker = with_topic().await;
    let mut writer = open_writer(&broker).await;
    writer.append(&numbered(0..1)).await.unwrap();
    broker
}

async fn create_module(broker: &TestBroker) {
    topic::create_smartmodule(broker.client(), MODULE, &smartmodules::wasm(MODULE)).await;
}

async fn open(broker: &TestBroker, from_offset: i64, with: &[(&str, &str)]) -> ModuleReader {
    let modules = vec![transform(with).invocation()];
    ModuleReader::open(&broker.connect().await, TOPIC, 0, from_offset, modules)
        .await
        .unwrap()
}

async fn next(reader: &mut ModuleReader) -> Result<Vec<Output>, ReadError> {
    within(reader.next()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_module_is_named() {
    let broker = with_one_record().await;
    let mut reader = open(&broker, 0, &[]).await;
    let err = next(&mut reader).await.unwrap_err();
    assert!(
        matches!(&err, ReadError::ModuleMissing { name, .. } if name == MODULE),
        "{err}"
    );
    assert!(err.is_transient(), "an SPU hears of a new module late");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_parameter_is_reported_in_the_modules_words() {
    let broker = with_one_record().await;
    create_module(&broker).await;
    let mut reader = open(&broker, 0, &[("emit", "nonsense")]).await;
    let err = next(&mut reader).await.unwrap_err();
    let ReadError::ModuleFailed { message, .. } = &err else {
        panic!("{err:?}");
    };
    let words = "parameter `emit` is \"nonsense\": give `accepted`, `rejected` or `all`";
    assert!(message.contains(words), "{message}");
}

/// A tick, a duplicate of it, what is no tick, and so on.
fn mixed(number: usize) -> Outgoing {
    let second = number / 3;
    let tick = format!(
        r#"{{"id":"bitcoin","symbol":"btc","current_price":1.5,"last_updated":"2025-01-01T00:{:02}:{:02}.000Z"}}"#,
        second / 60,
        second % 60
    );
    Outgoing {
        key: Some(Bytes::from_static(b"bitcoin")),
        value: match number % 3 {
            0 | 1 => tick.into(),
            _ => Bytes::from_static(b"no tick"),
        },
    }
}

/// One output for every input, accepted or rejected, across batches and a restart of the reader.
#[tokio::test(flavor = "multi_thread")]
async fn every_input_is_answered_once_and_in_order() {
    let broker = with_topic().await;
    create_module(&broker).await;
    let mut writer = open_writer(&broker).await;
    for start in (0..3_000).step_by(250) {
        let records: Vec<_> = (start..start + 250).map(mixed).collect();
        writer.append(&records).await.unwrap();
    }
    for careless in [false, true] {
        broker.faults().careless_modules(careless);
        for from in [0, 500, 2_999] {
            let mut reader = open(&broker, from, &[("emit", "all")]).await;
            let mut wanted = from;
            while wanted < 3_000 {
                for output in next(&mut reader).await.unwrap() {
                    let value: serde_json::Value = serde_json::from_slice(&output.value).unwrap();
                    let source_offset = value["source_offset"].as_i64().unwrap();
                    // A careless cluster processes the whole first batch.
                    if source_offset >= from {
                        assert_eq!(source_offset, wanted);
                        let is_new = wanted % 3 == 0;
                        let status = if is_new { "accepted" } else { "rejected" };
                        assert_eq!(value["status"], status, "{value}");
                        wanted += 1;
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_reader_ends_with_the_connection() {
    let mut broker = with_one_record().await;
    create_module(&broker).await;
    let mut reader = open(&broker, 0, &[("emit", "all")]).await;
    assert_eq!(next(&mut reader).await.unwrap().len(), 1);
    let (lost, ()) = tokio::join!(next(&mut reader), broker.stop());
    assert!(lost.unwrap_err().is_transient());
}
