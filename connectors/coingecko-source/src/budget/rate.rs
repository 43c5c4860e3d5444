//! Keeping inside the plan's calls per minute.
//!
//! Always true: in no span of 60 seconds are more calls let through than the plan allows. A full bucket of `burst`
//! tokens goes at once and one more each `every` after that; `burst - 1 + 60 s / every` is the limit.

use std::time::Duration;

use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

/// A token bucket. Decides; whoever asks does the waiting.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    /// The moment at which the bucket is (or was) full again, were no token taken any more.
    full_at: Instant,
    burst: u32,
    every: Duration,
    /// The server said not to call before.
    closed_until: Instant,
}

impl TokenBucket {
    /// A full bucket; without a limit it never makes anybody wait, unless the server asks for it.
    pub(crate) fn new(calls_per_minute: Option<u32>, now: Instant) -> Self {
        let (burst, every) = pace(calls_per_minute);
        Self {
            full_at: now,
            burst,
            every,
            closed_until: now,
        }
    }

    /// Another limit. What was taken and what the server said stay.
    pub(crate) fn set_limit(&mut self, calls_per_minute: Option<u32>) {
        (self.burst, self.every) = pace(calls_per_minute);
    }

    /// Takes a token, which may be used after the time returned.
    pub(crate) fn take(&mut self, now: Instant) -> Duration {
        let earliest = now.max(self.closed_until);
        // All but one of the tokens may be missing when one is taken.
        let slack = self.every * (self.burst - 1);
        let at = self
            .full_at
            .checked_sub(slack)
            .map_or(earliest, |at| at.max(earliest));
        self.full_at = self.full_at.max(at) + self.every;
        at - now
    }

    /// The server's limit was hit: no call for so long.
    pub(crate) fn close(&mut self, now: Instant, pause: Duration) {
        self.closed_until = self.closed_until.max(now + pause);
    }
}

/// How many calls go at once, and after what time one more.
fn pace(calls_per_minute: Option<u32>) -> (u32, Duration) {
    match calls_per_minute {
        None => (1, Duration::ZERO),
        Some(calls) => {
            let burst = calls.div_ceil(4).max(1);
            let refills = calls.max(1) - burst + 1;
            // Rounded up: a nanosecond too early would be one call too many.
            (burst, MINUTE / refills + Duration::from_nanos(1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the calls of somebody who never rests go out.
    fn calls(calls_per_minute: u32, count: usize) -> Vec<Duration> {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(Some(calls_per_minute), start);
        let mut now = start;
        (0..count)
            .map(|_| {
                now += bucket.take(now);
                now - start
            })
            .collect()
    }

    #[test]
    fn no_minute_sees_more_calls_than_allowed() {
        for limit in [1, 2, 5, 10, 30, 250] {
            let calls = calls(limit, limit as usize * 5);
            for (i, &first) in calls.iter().enumerate() {
                let in_minute = calls[i..].iter().take_while(|&&at| at < first + MINUTE);
                assert!(
                    in_minute.count() <= limit as usize,
                    "limit {limit}, call {i}"
                );
            }
            let minutes = calls[calls.len() - 1].as_secs_f64() / 60.0;
            assert!(minutes < 8.0, "limit {limit} is not made use of: {minutes}");
        }
    }

    #[test]
    fn a_rested_bucket_allows_a_burst_again() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(Some(8), start);
        assert_eq!(bucket.take(start), Duration::ZERO);
        assert_eq!(bucket.take(start), Duration::ZERO);
        assert!(bucket.take(start) > Duration::ZERO);
        let later = start + MINUTE * 2;
        assert_eq!(bucket.take(later), Duration::ZERO);
        assert_eq!(bucket.take(later), Duration::ZERO);
        assert!(bucket.take(later) > Duration::ZERO);
    }

    #[test]
    fn another_limit_fills_no_bucket() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(Some(8), start);
        assert!((0..2).all(|_| bucket.take(start).is_zero()));
        bucket.set_limit(Some(4));
        assert!(bucket.take(start) > Duration::ZERO);
        bucket.close(start, MINUTE);
        bucket.set_limit(Some(250));
        assert!(bucket.take(start) >= MINUTE);
    }

    #[test]
    fn a_closed_bucket_opens_when_the_server_said() {
        let start = Instant::now();
        for limit in [None, Some(30)] {
            let mut bucket = TokenBucket::new(limit, start);
            bucket.close(start, Duration::from_secs(90));
            bucket.close(start, Duration::from_secs(5));
            assert_eq!(bucket.take(start), Duration::from_secs(90));
        }
        let mut unlimited = TokenBucket::new(None, start);
        assert!((0..1_000).all(|_| unlimited.take(start).is_zero()));
    }
}
