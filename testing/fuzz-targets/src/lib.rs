//! What is fuzzed: everything that reads bytes from outside, as functions of any bytes.
//!
//! Always true: a target returns, whatever the bytes; it panics only where the code it calls, or a promise it checks, is
//! broken. `fuzz/` runs them under libFuzzer (`cargo xtask fuzz`), the test in `tests/` on every input that was ever kept.

// A panic is how a target tells what it found.
#![allow(clippy::unwrap_used)]

mod broker;
mod model;

use std::io::Write;

use connector_runtime::config::Secrets;
use crypto_anomaly::CryptoAnomaly;
use crypto_clean::CryptoClean;
use crypto_features::CryptoFeatures;
use crypto_predict::CryptoPredict;
use market::{CleanParams, Cleaner, Input, Output, Params};
use replay::Recording;
use smartmodule_abi::{Host, SmartModule};

pub use crate::broker::broker_socket;
pub use crate::model::model_file;

/// A target.
pub type Target = fn(&[u8]);

/// All of them, by the names their inputs are kept under.
pub const TARGETS: [(&str, Target); 9] = [
    ("raw_payload", raw_payload),
    ("crypto_clean", module::<CryptoClean>),
    ("crypto_features", module::<CryptoFeatures>),
    ("crypto_anomaly", module::<CryptoAnomaly>),
    ("crypto_predict", module::<CryptoPredict>),
    ("connector_config", connector_config),
    ("recording", recording),
    ("model_file", model_file),
    ("broker_socket", broker_socket),
];

/// Runs the target of that name.
///
/// # Panics
/// When there is none, and when the target has found something.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    target(data);
}

/// The payload of a record in crypto-raw: it is accepted or rejected, and what says so is JSON.
pub fn raw_payload(data: &[u8]) {
    let params = Params::new([("emit", "all")]);
    let mut cleaner = Cleaner::new(CleanParams::parse(params).unwrap());
    let mut output = Output::new();
    for offset in 0..2 {
        let input = Input {
            offset,
            timestamp_ms: 1_700_000_000_000,
            key: None,
            value: data,
        };
        assert!(
            cleaner.process(&input, &mut output),
            "every record is answered"
        );
        let answer: serde_json::Value = serde_json::from_slice(output.value()).unwrap();
        assert_eq!(answer["source_offset"], offset);
    }
}

/// A batch as the broker hands it to a SmartModule, the first byte the version of its encoding. Whatever is wrong with it has
/// a status, and the same batch is answered the same again.
pub fn module<M: SmartModule>(data: &[u8]) {
    let Some((version, batch)) = data.split_first() else {
        return;
    };
    let version = i16::from(*version);
    let all = vec![("emit".to_owned(), "all".to_owned())];
    let mut host = Host::new(M::init(all).unwrap());
    let status = host.filter_map(batch.to_vec(), version);
    if status >= 0 {
        let output = host.output().to_vec();
        assert_eq!(host.filter_map(batch.to_vec(), version), status);
        assert_eq!(host.output(), output);
    }
    host.look_back(batch, version);
}

/// The configuration file of either connector.
pub fn connector_config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let none = Secrets::none();
    let _ = coingecko_source::Config::from_yaml(text, coingecko_source::SECTION, &none);
    let _ = parquet_sink::StageConfig::from_yaml(text, parquet_sink::SECTION, &none);
}

/// A recording to be replayed.
pub fn recording(data: &[u8]) {
    // libFuzzer's hook ends the process for every panic, also for one that is caught.
    let hook = std::panic::take_hook();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(data).unwrap();
    let _ = Recording::open(file.path());
    std::panic::set_hook(hook);
}
