//! The market domain: ticks, cleaning, windowed features, anomaly score, models. No I/O, no clock, no wasm.
//!
//! SmartModules wrap this crate for the broker; trainer and tests call it natively. Both get the same bits: nothing
//! depends on a clock, on randomness, on the order of a hash map or on the platform's `ln`.
//!
//! - [`Cleaner`]: CoinGecko coin objects in, [`Clean`] ticks or a [`Rejected`] with its reason out
//! - [`Featurizer`]: clean ticks in, [`Features`] over sliding windows out
//! - [`AnomalyRule`]: feature rows in, an [`Alert`] or nothing out; [`Episodes`] of alerts are what people are told
//! - [`model::Predictor`]: feature rows in, the predictions of trained models out
//! - [`Feed`]: whether new ticks keep coming
//! - [`names`]: the topics, SmartModules and layers of the platform
//!
//! Each of the four has typed methods for native callers, and `process`, which reads and writes records as topics hold
//! them.
//!
//! ```
//! use market::{CleanParams, Cleaner, Input, Output};
//!
//! let raw = br#"{"id":"bitcoin","symbol":"btc","current_price":16730.75,"last_updated":"2023-01-02T17:08:13.102Z"}"#;
//! let input = Input { offset: 7, timestamp_ms: 1_672_679_300_000, key: Some(b"bitcoin"), value: raw };
//!
//! let mut cleaner = Cleaner::new(CleanParams::default());
//! let mut output = Output::new();
//! assert!(cleaner.process(&input, &mut output));
//! assert!(output.value().starts_with(br#"{"source_offset":7,"status":"accepted","raw_offset":7,"coin":"bitcoin""#));
//! ```

mod anomaly;
mod clean;
mod coins;
mod duplicates;
mod features;
mod feed;
pub mod json;
pub mod model;
pub mod names;
mod params;
#[cfg(test)]
mod property;
mod record;
mod rows;
mod time;

pub use anomaly::{
    Alert, AnomalyParams, AnomalyRule, Condition, Episode, Episodes, Kinds, News, Rule,
    RuleProblem, Rules, RulesError, Severity, Sighting, episodes,
};
pub use clean::{CleanParams, Cleaner, Reason, Rejected, TICK_BYTES_MAX, Tick};
pub use features::{FeatureParams, Featurizer};
pub use feed::Feed;
pub use params::{Emit, ParamError, Params};
pub use record::{Input, Output};
pub use rows::{
    Clean, FEATURES_VERSION, Features, FeaturesRecord, Field, FieldSet, Numbers, WindowFeatures,
};
pub use time::parse_rfc3339_ms;
