//! The market domain: ticks, cleaning, windowed features, anomaly score, models. No I/O, no clock, no wasm.
//!
//! The SmartModules wrap what is here for the broker, the trainer and the tests call the same code natively, and both
//! get the same bits: nothing depends on a clock, on randomness, on a hash map's order or on the platform's `ln`.
//!
//! - [`Cleaner`]: CoinGecko coin objects in, [`Clean`] ticks or a [`Rejected`] with its reason out
//! - [`Featurizer`]: clean ticks in, [`Features`] over sliding windows out
//! - [`AnomalyRule`]: one feature row in, an [`Alert`] or nothing out; no state
//! - [`model::Predictor`]: one feature row in, what trained models say about it out; no state
//!
//! Each has a typed way in for native callers and `process`, which reads and writes records the way topics hold them.

mod anomaly;
mod clean;
mod coins;
mod exact;
mod featurize;
pub mod json;
pub mod model;
pub mod names;
mod params;
mod record;
mod reject;
mod rows;
mod series;
mod tick;
mod time;
mod window;

pub use anomaly::{Alert, AnomalyParams, AnomalyRule, Kinds, Severity};
pub use clean::{CleanParams, Cleaner};
pub use featurize::{FeatureParams, Featurizer};
pub use params::{Emit, ParamError, Params};
pub use record::{Input, Output};
pub use reject::{Reason, Rejected};
pub use rows::{Clean, Features, WindowFeatures};
pub use tick::{TICK_BYTES_MAX, Tick};
pub use time::parse_rfc3339_ms;

/// Milliseconds in a minute.
const MINUTE_MS: i64 = 60_000;

/// The same cases in every run: what fails once fails again.
#[cfg(test)]
fn proptest_config(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..Default::default()
    }
}
