//! The stretch of time over which rates are means.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

const RATE_WINDOW: Duration = Duration::from_secs(5);

/// Removes readings from before the window, but always leaves one.
pub(super) fn forget_old<T>(readings: &mut VecDeque<(Instant, T)>, now: Instant) {
    let is_old = |(at, _): &(Instant, T)| now - *at > RATE_WINDOW;
    while readings.len() > 1 && readings.front().is_some_and(is_old) {
        readings.pop_front();
    }
}
