use std::collections::BTreeMap;

use connector_runtime::config::Transform;
use connector_runtime::reader::{ModuleReader, ReadError};
use connector_runtime::record::Outgoing;
use fixtures::broker::TestBroker;
use fixtures::{smartmodules, topic};

use crate::support::*;

const MODULE: &str = "crypto-clean";

fn transform(with: &[(&str, &str)]) -> Transform {
    Transform {
        uses: MODULE.to_owned(),
        with: with
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        lookback: None,
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_module_is_named() {
    let broker = with_topic().await;
    open_writer(&broker)
        .await
        .append(&numbered(0..1))
        .await
        .unwrap();
    let mut reader = open(&broker, 0, &[]).await;
    let err = reader.next().await.unwrap_err();
    assert!(
        matches!(&err, ReadError::ModuleMissing { name, .. } if name == MODULE),
        "{err}"
    );
    assert!(err.is_transient(), "an SPU hears of a new module late");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_parameter_is_told_with_the_modules_words() {
    let broker = with_topic().await;
    create_module(&broker).await;
    open_writer(&broker)
        .await
        .append(&numbered(0..1))
        .await
        .unwrap();
    let mut reader = open(&broker, 0, &[("emit", "nonsense")]).await;
    let err = reader.next().await.unwrap_err();
    let ReadError::ModuleFailed { message, .. } = &err else {
        panic!("{err:?}");
    };
    assert!(message.contains("emit"), "{message}");
}

/// One output for every input, whatever the input, across batches and a restart of the reader.
#[tokio::test(flavor = "multi_thread")]
async fn every_input_is_answered_once_and_in_order() {
    let broker = with_topic().await;
    create_module(&broker).await;
    let mut writer = open_writer(&broker).await;
    for start in (0..3_000).step_by(250) {
        let records: Vec<Outgoing> = numbered(start..start + 250);
        writer.append(&records).await.unwrap();
    }
    for careless in [false, true] {
        broker.faults().careless_modules(careless);
        for from in [0, 500, 2_999] {
            let mut reader = open(&broker, from, &[("emit", "all")]).await;
            let mut next = from;
            while next < 3_000 {
                for output in reader.next().await.unwrap() {
                    let value: serde_json::Value = serde_json::from_slice(&output.value).unwrap();
                    let source_offset = value["source_offset"].as_i64().unwrap();
                    // A careless cluster processes the whole first batch.
                    if source_offset >= from {
                        assert_eq!(source_offset, next);
                        next += 1;
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_reader_ends_with_the_connection() {
    let mut broker = with_topic().await;
    create_module(&broker).await;
    open_writer(&broker)
        .await
        .append(&numbered(0..1))
        .await
        .unwrap();
    let mut reader = open(&broker, 0, &[("emit", "all")]).await;
    assert_eq!(reader.next().await.unwrap().len(), 1);
    let (lost, ()) = tokio::join!(reader.next(), broker.stop());
    assert!(lost.unwrap_err().is_transient());
}
