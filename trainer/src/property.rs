//! Settings of the property tests.

use proptest::test_runner::{Config, RngSeed};

/// The same cases in every run: a failure is reproducible.
pub(crate) fn cases(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..Default::default()
    }
}
