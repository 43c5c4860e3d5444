use std::collections::BTreeMap;

use connector_runtime::config::Transform;
use connector_runtime::reader::{ModuleReader, ReadError};
use connector_runtime::record::Outgoing;
use fluvio::metadata::smartmodule::{SmartModuleSpec, SmartModuleWasm};

use crate::fixture::*;

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

async fn create_module(fixture: &Fixture) {
    let path = format!(
        "{}/../../target/smartmodules/{MODULE}.wasm",
        env!("CARGO_MANIFEST_DIR")
    );
    let wasm = std::fs::read(&path)
        .unwrap_or_else(|_| panic!("{path} is missing: run `cargo xtask smartmodules` first"));
    let spec = SmartModuleSpec {
        wasm: SmartModuleWasm::from_raw_wasm_bytes(&wasm).unwrap(),
        ..Default::default()
    };
    let admin = fixture.client().await.admin().await;
    admin.create(MODULE.to_owned(), false, spec).await.unwrap();
}

async fn open(fixture: &Fixture, from_offset: i64, with: &[(&str, &str)]) -> ModuleReader {
    let modules = vec![transform(with).invocation()];
    ModuleReader::open(&fixture.client().await, TOPIC, 0, from_offset, modules)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_module_is_named() {
    let fixture = Fixture::with_topic().await;
    fixture
        .writer()
        .await
        .append(&numbered(0..1))
        .await
        .unwrap();
    let mut reader = open(&fixture, 0, &[]).await;
    let err = reader.next().await.unwrap_err();
    assert!(
        matches!(&err, ReadError::ModuleMissing { name, .. } if name == MODULE),
        "{err}"
    );
    assert!(err.is_transient(), "an SPU hears of a new module late");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_parameter_is_told_with_the_modules_words() {
    let fixture = Fixture::with_topic().await;
    create_module(&fixture).await;
    fixture
        .writer()
        .await
        .append(&numbered(0..1))
        .await
        .unwrap();
    let mut reader = open(&fixture, 0, &[("emit", "nonsense")]).await;
    let err = reader.next().await.unwrap_err();
    let ReadError::ModuleFailed { message, .. } = &err else {
        panic!("{err:?}");
    };
    assert!(message.contains("emit"), "{message}");
}

/// One output for every input, whatever the input, across batches and a restart of the reader.
#[tokio::test(flavor = "multi_thread")]
async fn every_input_is_answered_once_and_in_order() {
    let fixture = Fixture::with_topic().await;
    create_module(&fixture).await;
    let mut writer = fixture.writer().await;
    for start in (0..3_000).step_by(250) {
        let records: Vec<Outgoing> = numbered(start..start + 250);
        writer.append(&records).await.unwrap();
    }
    for careless in [false, true] {
        fixture.faults.careless_modules(careless);
        for from in [0, 500, 2_999] {
            let mut reader = open(&fixture, from, &[("emit", "all")]).await;
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
    let mut fixture = Fixture::with_topic().await;
    create_module(&fixture).await;
    fixture
        .writer()
        .await
        .append(&numbered(0..1))
        .await
        .unwrap();
    let mut reader = open(&fixture, 0, &[("emit", "all")]).await;
    assert_eq!(reader.next().await.unwrap().len(), 1);
    let (lost, ()) = tokio::join!(reader.next(), fixture.stop());
    assert!(lost.unwrap_err().is_transient());
}
