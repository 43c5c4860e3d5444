//! The time that a connector's schedule goes by.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// This machine's clock, or a simulated one on which waiting takes no time. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Simulated>>);

#[derive(Debug)]
struct Simulated {
    start: SystemTime,
    origin: Instant,
    passed: Mutex<Duration>,
}

impl Clock {
    /// A clock that starts at `start` and moves only when somebody sleeps on it: the sleep ends at once, and the clock
    /// has moved by its length. So a month of polls takes no longer than its calls. It suits one sleeper.
    pub fn simulated(start: SystemTime) -> Self {
        Self(Some(Arc::new(Simulated {
            start,
            origin: Instant::now(),
            passed: Mutex::default(),
        })))
    }

    /// The date and time.
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            None => SystemTime::now(),
            Some(simulated) => simulated.start + simulated.passed(),
        }
    }

    /// The time that never goes backward.
    pub fn instant(&self) -> Instant {
        match &self.0 {
            None => Instant::now(),
            Some(simulated) => simulated.origin + simulated.passed(),
        }
    }

    /// Waits that long.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            None => tokio::time::sleep(duration).await,
            Some(simulated) => {
                tokio::task::yield_now().await;
                *simulated.lock() += duration;
            }
        }
    }

    /// Waits until then.
    pub async fn sleep_until(&self, at: Instant) {
        self.sleep(at.saturating_duration_since(self.instant()))
            .await;
    }
}

impl Simulated {
    fn lock(&self) -> std::sync::MutexGuard<'_, Duration> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passed(&self) -> Duration {
        *self.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_month_passes_at_once() {
        let month = Duration::from_secs(31 * 24 * 3_600);
        let clock = Clock::simulated(SystemTime::UNIX_EPOCH);
        let before = clock.instant();
        clock.clone().sleep(month).await;
        assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + month);
        assert_eq!(clock.instant() - before, month);
        clock.sleep_until(before).await;
        assert_eq!(clock.instant() - before, month);
    }
}
