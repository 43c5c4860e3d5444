//! A connector's configuration file: the contract of `fluvio-connector-common`, checked more strictly.
//!
//! - `apiVersion` 0.1.0 (or none) has `meta.topic` as a name, 0.2.0 as an object; everything else is the same.
//! - A key nobody knows is an error, wherever it stands. A connector's own settings must derive
//!   `#[serde(deny_unknown_fields)]` to keep that promise.
//! - `${{ secrets.NAME }}` is replaced before parsing. No error and no `Debug` shows what a secret became.
//! - An error names the line, the key and what is expected there.

mod check;
mod connector;
mod declared;
mod document;
mod error;
mod explain;
mod lines;
mod meta;
mod render;
mod scalars;
mod secrets;
mod transform;
mod yaml;

pub use connector::ConnectorConfig;
pub use error::ConfigError;
pub use meta::{ConsumerParameters, Meta, Partitions, ProducerParameters};
pub use scalars::{Bytes, Parameter, Span};
pub use secrets::{Secrets, SecretsError};
pub use transform::{Lookback, Transform};
pub use yaml::YamlFile;
