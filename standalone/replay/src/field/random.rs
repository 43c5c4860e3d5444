//! The values that the field market draws.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

/// A value of the standard normal distribution.
pub(super) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// A value with fat tails and a standard deviation of about 1: most small, one in fifty large.
pub(super) fn fat(rng: &mut ChaCha8Rng) -> f64 {
    let size = match rng.random_range(0..100) {
        0..2 => 4.0,
        2..14 => 1.7,
        _ => 0.6,
    };
    size * normal(rng)
}
