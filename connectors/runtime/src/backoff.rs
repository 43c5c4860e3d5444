//! How connectors wait between attempts.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

const DELAY_MIN: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(10);

/// Growing pauses between attempts to reach the cluster: from 0.1 s doubling to 10 s, and up to 0.1 s more at random, so
/// that several connectors do not come back in step. It never gives up.
#[derive(Debug)]
pub struct Backoff {
    delays: ExponentialBackoff,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

impl Backoff {
    /// Starts with the shortest pause.
    pub fn new() -> Self {
        let delays = ExponentialBuilder::new()
            .with_min_delay(DELAY_MIN)
            .with_max_delay(DELAY_MAX)
            .without_max_times()
            .with_jitter()
            .build();
        Self { delays }
    }

    /// The next pause.
    pub fn next_delay(&mut self) -> Duration {
        self.delays.next().unwrap_or(DELAY_MAX)
    }

    /// After a success: start over with the shortest pause.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_start_over() {
        let mut backoff = Backoff::new();
        let delays: Vec<Duration> = (0..20).map(|_| backoff.next_delay()).collect();
        assert!(delays[0] >= DELAY_MIN && delays[0] < 3 * DELAY_MIN);
        assert!(delays[19] >= DELAY_MAX && delays[19] <= 2 * DELAY_MAX);
        backoff.reset();
        assert!(backoff.next_delay() < 3 * DELAY_MIN);
    }
}
