//! Random numbers that follow from a seed.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// A random stream of its own for each purpose: a change to one leaves the others as they are.
pub(crate) fn stream(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose);
    rng
}
