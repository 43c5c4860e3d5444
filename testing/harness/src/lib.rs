//! Drives the built SmartModules through Fluvio's own engine, for tests and measurements: the same wasm, called the
//! same way, as in a broker.

pub mod models;

use std::collections::BTreeMap;
use std::path::PathBuf;

use fluvio_protocol::Encoder;
use fluvio_protocol::record::{Record, RecordData};
use fluvio_smartengine::{
    Lookback, SmartEngine, SmartModuleChainBuilder, SmartModuleChainInstance, SmartModuleConfig,
};
use fluvio_smartmodule::SMARTMODULE_TIMESTAMPS_VERSION;
use fluvio_smartmodule::dataplane::smartmodule::SmartModuleInput;
use serde_json::Value;

/// Where `cargo xtask smartmodules` puts what it builds.
///
/// # Panics
///
/// When the module was not built.
pub fn wasm_path(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/smartmodules")
        .join(name)
        .with_extension("wasm");
    assert!(
        path.is_file(),
        "{name}.wasm is not there: run `cargo xtask smartmodules` first"
    );
    path
}

/// A module with its parameters, to be put into a [`Chain`].
#[derive(Debug, Clone)]
pub struct Module {
    name: &'static str,
    params: BTreeMap<String, String>,
    wasm: Option<Vec<u8>>,
}

impl Module {
    /// One of those built.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            params: BTreeMap::new(),
            wasm: None,
        }
    }

    /// With this wasm in place of the built one.
    pub fn made_of(mut self, wasm: Vec<u8>) -> Self {
        self.wasm = Some(wasm);
        self
    }

    /// With this parameter.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.params.insert(name.to_owned(), value.to_owned());
        self
    }
}

/// Modules as a consumer's stream runs them.
pub struct Chain(SmartModuleChainInstance);

/// An output record.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its place in the batch.
    pub offset_delta: i64,
    /// Its key.
    pub key: Option<String>,
    /// Its payload.
    pub value: Value,
    /// Its payload as it is.
    pub text: String,
}

impl Answer {
    /// The payload's status.
    pub fn status(&self) -> &str {
        self.value["status"].as_str().unwrap_or_default()
    }
}

impl Chain {
    /// Starts the modules.
    ///
    /// # Errors
    ///
    /// What a module has against its parameters.
    ///
    /// # Panics
    ///
    /// When a module was not built.
    pub fn start(modules: &[Module]) -> Result<Self, String> {
        let mut chain = SmartModuleChainBuilder::default();
        for module in modules {
            let wasm = match &module.wasm {
                Some(wasm) => wasm.clone(),
                None => std::fs::read(wasm_path(module.name)).map_err(|error| error.to_string())?,
            };
            let mut config = SmartModuleConfig::builder()
                .smartmodule_names([module.name.to_owned()])
                .params(module.params.clone().into())
                .build()
                .map_err(|error| error.to_string())?;
            config.set_lookback(Some(Lookback::Last(u64::MAX)));
            chain.add_smart_module(config, wasm);
        }
        let chain = chain
            .initialize(&SmartEngine::new())
            .map_err(|error| format!("{error:#}"))?;
        Ok(Self(chain))
    }

    /// Runs an encoded batch and returns how many records come out.
    ///
    /// # Panics
    ///
    /// When the engine or a module fails.
    pub fn run(&mut self, batch: SmartModuleInput) -> usize {
        let output = self.0.process(batch).expect("the chain runs");
        assert_eq!(output.error, None);
        output.successes.len()
    }

    /// Runs a batch of keys and values whose first record is at `base_offset`.
    ///
    /// # Panics
    ///
    /// When the engine or a module fails, or a payload that comes out is no JSON.
    pub fn process<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        base_offset: i64,
        base_timestamp_ms: i64,
        records: &[(K, V)],
    ) -> Vec<Answer> {
        let output = self
            .0
            .process(batch(base_offset, base_timestamp_ms, records))
            .expect("the chain runs");
        assert_eq!(output.error, None);
        output
            .successes
            .iter()
            .map(|record| {
                let text = String::from_utf8(record.value.to_vec()).expect("answers are UTF-8");
                Answer {
                    offset_delta: record.preamble.offset_delta(),
                    key: record
                        .key
                        .as_ref()
                        .map(|key| String::from_utf8_lossy(key.as_ref()).into_owned()),
                    value: serde_json::from_str(&text).expect("answers are JSON"),
                    text,
                }
            })
            .collect()
    }

    /// Shows the chain what came before, as a stream with a lookback does.
    ///
    /// # Panics
    ///
    /// When the engine or a module fails.
    pub fn look_back<K: AsRef<[u8]>, V: AsRef<[u8]>>(&mut self, records: &[(K, V)]) {
        let records = encode(records);
        let looked = self.0.look_back(|_| async { Ok(records.clone()) });
        tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime for one thread starts")
            .block_on(looked)
            .expect("modules bear any record");
    }
}

/// A batch as a broker hands it to a chain: a record's timestamp is the base plus its place, in milliseconds.
///
/// # Panics
///
/// When Fluvio cannot encode the records.
pub fn batch<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    base_offset: i64,
    base_timestamp_ms: i64,
    records: &[(K, V)],
) -> SmartModuleInput {
    let mut encoded = Vec::new();
    encode(records)
        .encode(&mut encoded, SMARTMODULE_TIMESTAMPS_VERSION)
        .expect("records can be encoded");
    SmartModuleInput::new(encoded, base_offset, base_timestamp_ms)
}

/// An empty key stands for none.
fn encode<K: AsRef<[u8]>, V: AsRef<[u8]>>(records: &[(K, V)]) -> Vec<Record> {
    records
        .iter()
        .zip(0..)
        .map(|((key, value), place)| {
            let mut record = Record::new(RecordData::from(value.as_ref()));
            if !key.as_ref().is_empty() {
                record.key = Some(RecordData::from(key.as_ref()));
            }
            record.preamble.set_offset_delta(place);
            record.preamble.set_timestamp_delta(place);
            record
        })
        .collect()
}
