//! The time that connectors go by: schedules, pauses, the month's budget, the time of records, freshness, commits.
//!
//! A simulated clock moves only when somebody sleeps on it: the sleep ends at once, and the clock has moved by its length. So
//! work takes no time, waiting takes none of the machine's, and a month of polls is over in minutes without anything being
//! late. It suits one sleeper. Others hold it while they [work](Clock::working), or wait until it [reaches](Clock::reaches) a
//! time. What waits for a machine or a network (timeouts, reconnecting) stays with the machine's clock.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Names the file of a shared clock. No setting: with another time than the machine's, real data is rejected. Tests set it, for
/// commands that have to live through a month.
const SHARED_CLOCK: &str = "COINLAKE_TEST_CLOCK";
/// How often whoever waits looks at a simulated clock.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// This machine's clock, or a simulated one. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Simulated>>);

#[derive(Debug)]
struct Simulated {
    start: SystemTime,
    origin: Instant,
    time: Time,
    /// One of it is in every [`Working`].
    working: Arc<()>,
}

/// A simulated clock stands still as long as this lives.
#[derive(Debug)]
pub struct Working {
    _held: Option<Arc<()>>,
}

/// Nanoseconds since the epoch.
#[derive(Debug)]
enum Time {
    /// In this process only.
    Own(Mutex<u64>),
    /// In a file: the time, which its sleeper writes, and the time up to which it may go, which somebody else does.
    Shared(File),
}

const NOW: u64 = 0;
const LIMIT: u64 = 8;

impl Clock {
    /// A clock of this process that starts at `start`.
    pub fn simulated(start: SystemTime) -> Self {
        Self::of(start, Time::Own(Mutex::new(nanos(start))))
    }

    /// A clock that processes share through a new file. It stands at `start` until [`Clock::let_pass`].
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn share(path: &Path, start: SystemTime) -> io::Result<Self> {
        let time = Time::Shared(File::create_new(path)?);
        time.put(LIMIT, nanos(start))?;
        time.put(NOW, nanos(start))?;
        Ok(Self::of(start, time))
    }

    /// The clock that this process was started with: the machine's, unless a test says otherwise.
    ///
    /// # Errors
    /// When the test's clock cannot be read.
    pub fn of_process() -> io::Result<Self> {
        let Some(path) = std::env::var_os(SHARED_CLOCK) else {
            return Ok(Self::default());
        };
        let time = Time::Shared(File::options().read(true).write(true).open(path)?);
        Ok(Self::of(date(time.get(NOW)?), time))
    }

    fn of(start: SystemTime, time: Time) -> Self {
        Self(Some(Arc::new(Simulated {
            start,
            origin: Instant::now(),
            time,
            working: Arc::default(),
        })))
    }

    /// The date and time.
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            None => SystemTime::now(),
            Some(simulated) => simulated.now(),
        }
    }

    /// The date and time in milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        (nanos(self.now()) / 1_000_000).cast_signed()
    }

    /// The time that never goes backward.
    pub fn instant(&self) -> Instant {
        match &self.0 {
            None => Instant::now(),
            Some(simulated) => {
                let passed = simulated.now().duration_since(simulated.start);
                simulated.origin + passed.unwrap_or_default()
            }
        }
    }

    /// Waits that long.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            None => tokio::time::sleep(duration).await,
            Some(simulated) => simulated.sleep(duration).await,
        }
    }

    /// Waits until then.
    pub async fn sleep_until(&self, at: Instant) {
        self.sleep(at.saturating_duration_since(self.instant()))
            .await;
    }

    /// Waits until somebody else's sleep has brought it to this time.
    pub async fn reaches(&self, at: Instant) {
        if self.0.is_none() {
            return tokio::time::sleep_until(at).await;
        }
        while self.instant() < at {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Something is under way that sleepers do not wait for themselves.
    pub fn working(&self) -> Working {
        let _held = self.0.as_ref().map(|simulated| simulated.working.clone());
        Working { _held }
    }

    /// Lets a shared clock go on, up to this time. Any other goes on by itself.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn let_pass(&self, until: SystemTime) -> io::Result<()> {
        match &self.0 {
            Some(simulated) => simulated.time.put(LIMIT, nanos(until)),
            None => Ok(()),
        }
    }
}

impl Simulated {
    fn now(&self) -> SystemTime {
        // A file that cannot be read any more stops the clock.
        self.time.get(NOW).map_or(self.start, date)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::task::yield_now().await;
        while Arc::strong_count(&self.working) > 1 {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        let end = nanos(self.now() + duration);
        loop {
            let limit = self.time.get(LIMIT).unwrap_or(0);
            let now = nanos(self.now()).max(end.min(limit));
            let _ = self.time.put(NOW, now);
            if end <= limit {
                return;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}

impl Time {
    fn get(&self, place: u64) -> io::Result<u64> {
        match (self, place) {
            (Self::Own(now), NOW) => Ok(*now.lock().unwrap_or_else(PoisonError::into_inner)),
            (Self::Own(_), _) => Ok(u64::MAX),
            (Self::Shared(file), _) => {
                let mut bytes = [0; 8];
                file.read_exact_at(&mut bytes, place)?;
                Ok(u64::from_le_bytes(bytes))
            }
        }
    }

    fn put(&self, place: u64, nanos: u64) -> io::Result<()> {
        match (self, place) {
            (Self::Own(now), NOW) => {
                *now.lock().unwrap_or_else(PoisonError::into_inner) = nanos;
                Ok(())
            }
            (Self::Own(_), _) => Ok(()),
            (Self::Shared(file), _) => file.write_all_at(&nanos.to_le_bytes(), place),
        }
    }
}

fn nanos(date: SystemTime) -> u64 {
    let since = date.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn date(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTH: Duration = Duration::from_secs(31 * 24 * 3_600);

    #[tokio::test]
    async fn a_month_passes_at_once() {
        let clock = Clock::simulated(UNIX_EPOCH);
        let before = clock.instant();
        clock.clone().sleep(MONTH).await;
        assert_eq!(clock.now(), UNIX_EPOCH + MONTH);
        assert_eq!(clock.instant() - before, MONTH);
        clock.sleep_until(before).await;
        assert_eq!(clock.instant() - before, MONTH);
    }

    #[tokio::test]
    async fn a_shared_clock_passes_as_far_as_it_is_let() {
        let folder = tempfile::tempdir().unwrap();
        let start = UNIX_EPOCH + MONTH;
        let clock = Clock::share(&folder.path().join("clock"), start).unwrap();
        clock.let_pass(start + MONTH / 2).unwrap();
        let sleeper = clock.clone();
        let asleep = tokio::spawn(async move { sleeper.sleep(MONTH).await });
        clock.reaches(clock.instant() + MONTH / 4).await;
        while clock.now() < start + MONTH / 2 {
            tokio::task::yield_now().await;
        }
        assert!(!asleep.is_finished());
        clock.let_pass(start + 2 * MONTH).unwrap();
        asleep.await.unwrap();
        assert_eq!(clock.now(), start + MONTH);
    }
}
