//! Durations.

use std::time::Duration;

/// A duration that is not zero.
pub(crate) fn some_time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than nothing, such as 1h".to_owned()),
        parsed => parsed.map_err(|error| error.to_string()),
    }
}
