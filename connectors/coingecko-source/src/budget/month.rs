//! Keeping inside the plan's calls per month.
//!
//! Always true: in a calendar month (UTC) no more calls are let through than the limit, as far as this count knows. It is
//! an estimate: other users of the key are not in it, nor what was called before a file kept the count. The last tenth of
//! the calls is spread over the rest of the month, so that data comes more slowly rather than not at all.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use super::plan::thousands;

/// A machine's clock that is further back has not been set since it was switched on.
const CLOCK_SET_MIN: &str = "2025-01";
const MONTH: Duration = Duration::from_secs(31 * 24 * 3_600);

/// The calls of this month.
#[derive(Debug)]
pub(crate) struct MonthBudget {
    limit: Option<u64>,
    count: Count,
    file: Option<PathBuf>,
    /// The last write failed, and that was logged.
    unwritable: bool,
    /// The last calls of this month are spread over the rest of it.
    spread: bool,
}

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    /// `2026-08`.
    month: String,
    calls: u64,
    /// Those of them that went into history.
    #[serde(default, skip_serializing_if = "is_zero")]
    history: u64,
    /// Whose calls these are, which a count of a former version does not say.
    #[serde(default)]
    owner: Option<String>,
}

fn is_zero(calls: &u64) -> bool {
    *calls == 0
}

impl Count {
    fn of(month: String, owner: Option<String>) -> Self {
        Self {
            month,
            calls: 0,
            history: 0,
            owner,
        }
    }

    fn is_of(&self, owner: &str) -> bool {
        self.owner.as_deref().is_none_or(|own| own == owner)
    }

    /// Whether it counts on at this time: a clock that is not set yet, or was set back, begins no month. A count from further
    /// ahead is that of a clock that was wrong then.
    fn continues(&self, now: SystemTime) -> bool {
        let month = month_of(now);
        let is_unset = month.as_str() < CLOCK_SET_MIN;
        month <= self.month && (is_unset || self.month <= month_of(now + MONTH))
    }
}

impl MonthBudget {
    /// Resumes the count in the file if it is of this month and owner, and else starts at 0.
    pub(crate) fn open(
        limit: Option<u64>,
        file: Option<PathBuf>,
        owner: String,
        now: SystemTime,
    ) -> Self {
        let stored = file.as_deref().and_then(read);
        let stored = stored.filter(|count| count.continues(now) && count.is_of(&owner));
        let mut count = stored.unwrap_or_else(|| Count::of(month_of(now), None));
        count.owner = Some(owner);
        Self {
            limit,
            count,
            file,
            unwritable: false,
            spread: false,
        }
    }

    /// What CoinGecko itself says is spent.
    pub(crate) fn set_used(&mut self, calls: u64, now: SystemTime) {
        self.turn(now);
        self.count.calls = calls;
    }

    pub(crate) fn set_limit(&mut self, limit: Option<u64>) {
        self.limit = limit;
    }

    pub(crate) fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// What keeps the count across restarts.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Calls of this month so far, by this count.
    pub(crate) fn used(&self) -> u64 {
        self.count.calls
    }

    /// Counts a call, if the month has one left.
    ///
    /// # Errors
    /// The time until the next month.
    pub(crate) fn take(&mut self, now: SystemTime) -> Result<(), Duration> {
        self.turn(now);
        if self.limit.is_some_and(|limit| self.count.calls >= limit) {
            return Err(left_of_month(now));
        }
        self.count.calls += 1;
        self.store();
        Ok(())
    }

    /// Takes back the last call: it never left this machine.
    pub(crate) fn give_back(&mut self) {
        self.count.calls = self.count.calls.saturating_sub(1);
        self.store();
    }

    /// Whether history may take `calls` more: it gets a tenth of the month at most.
    pub(crate) fn has_history(&self, calls: usize) -> bool {
        self.limit
            .is_none_or(|limit| self.count.history + calls as u64 <= limit / 10)
    }

    /// Counts `calls`, which were taken already, as history.
    pub(crate) fn count_history(&mut self, calls: u64) {
        self.count.history += calls;
        self.store();
    }

    /// The poll interval to keep to: the configured one while there are enough calls, a longer one for the last tenth.
    pub(crate) fn pace(
        &mut self,
        interval: Duration,
        calls_per_poll: usize,
        now: SystemTime,
    ) -> Duration {
        // The calls before it may have been of the month before.
        self.turn(now);
        let left = self.left();
        let Some(left) = left.filter(|_| self.is_short()) else {
            self.spread = false;
            return interval;
        };
        let polls = (left / calls_per_poll.max(1) as u64).max(1);
        let even = left_of_month(now) / u32::try_from(polls).unwrap_or(u32::MAX);
        self.spread |= even > interval;
        interval.max(even)
    }

    /// Why polls are this far apart, if that is for the month's last calls; none while they come as configured.
    pub(crate) fn why_spread(&self, paced: Duration, now: SystemTime) -> Option<String> {
        let (left, limit) = (self.left()?, self.limit?);
        self.spread.then(|| {
            let until = utc(now + left_of_month(now)).strftime("%Y-%m-%d %H:%M");
            format!(
                "{} of this month's {} calls are left: polls are {} apart until {until} UTC, so that they last. Set \
                 coingecko.calls_per_month if the plan has more",
                thousands(left),
                thousands(limit),
                minutes(paced)
            )
        })
    }

    fn left(&self) -> Option<u64> {
        Some(self.limit?.saturating_sub(self.count.calls))
    }

    fn is_short(&self) -> bool {
        self.limit
            .zip(self.left())
            .is_some_and(|(limit, left)| left <= limit / 10)
    }

    fn turn(&mut self, now: SystemTime) {
        if !self.count.continues(now) {
            self.count = Count::of(month_of(now), self.count.owner.take());
        }
    }

    fn store(&mut self) {
        let Some(file) = &self.file else { return };
        match write(file, &self.count) {
            Ok(()) => self.unwritable = false,
            Err(error) if !self.unwritable => {
                self.unwritable = true;
                tracing::warn!(
                    "cannot keep the count of calls in {}: {error}; after a restart it begins at 0",
                    file.display()
                );
            }
            Err(_) => {}
        }
    }
}

fn read(file: &Path) -> Option<Count> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!(
                    "cannot read the count of calls in {}: {error}",
                    file.display()
                );
            }
            return None;
        }
    };
    serde_json::from_slice(&text)
        .inspect_err(|error| {
            tracing::warn!(
                "{} holds no count of calls ({error}): it begins at 0",
                file.display()
            );
        })
        .ok()
}

fn write(file: &Path, count: &Count) -> std::io::Result<()> {
    let partial = file.with_extension("partial");
    std::fs::write(&partial, serde_json::to_vec(count)?)?;
    std::fs::rename(&partial, file)
}

fn utc(now: SystemTime) -> Zoned {
    // A time that jiff cannot hold counts as 1970-01.
    let timestamp = Timestamp::try_from(now).unwrap_or_default();
    timestamp.to_zoned(TimeZone::UTC)
}

/// In whole minutes, or in seconds below one.
fn minutes(pause: Duration) -> String {
    match pause.as_secs() {
        secs @ 0..60 => format!("{secs} s"),
        secs => format!("{} min", secs / 60),
    }
}

fn month_of(now: SystemTime) -> String {
    utc(now).strftime("%Y-%m").to_string()
}

fn left_of_month(now: SystemTime) -> Duration {
    let now = utc(now);
    let next = now.date().last_of_month().tomorrow();
    let next = next.and_then(|date| date.to_zoned(TimeZone::UTC));
    next.ok()
        .and_then(|next| Duration::try_from(next.timestamp().duration_since(now.timestamp())).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(text: &str) -> SystemTime {
        text.parse::<Timestamp>().unwrap().into()
    }

    fn open_keyless(limit: Option<u64>, file: Option<PathBuf>, now: SystemTime) -> MonthBudget {
        MonthBudget::open(limit, file, "none".to_owned(), now)
    }

    /// Polls from the start of a month to its end, with `calls_per_poll` calls each; returns the calls made and the longest pause.
    fn month(interval: u64, calls_per_poll: usize) -> (u64, Duration) {
        let (mut now, end) = (at("2026-08-01T00:00:00Z"), at("2026-09-01T00:00:00Z"));
        let mut budget = open_keyless(Some(10_000), None, now);
        let (mut calls, mut longest) = (0, Duration::ZERO);
        while now < end {
            let mut pause = budget.pace(Duration::from_secs(interval), calls_per_poll, now);
            for _ in 0..calls_per_poll {
                match budget.take(now) {
                    Ok(()) => calls += 1,
                    Err(wait) => pause = pause.max(wait),
                }
            }
            longest = longest.max(pause);
            now += pause;
        }
        assert_eq!(budget.take(end), Ok(()), "the next month has calls again");
        (calls, longest)
    }

    #[test]
    fn a_month_never_takes_more_than_it_has_and_never_goes_silent() {
        let (calls, longest) = month(300, 1);
        assert_eq!((calls, longest), (8_928, Duration::from_secs(300)));
        for (interval, calls_per_poll) in [(60, 1), (60, 5), (300, 2), (1, 1), (300, 5)] {
            let (calls, longest) = month(interval, calls_per_poll);
            assert!((9_900..=10_000).contains(&calls), "{calls}");
            assert!(longest < 8 * HOUR, "{longest:?}");
        }
    }

    #[test]
    fn a_month_that_is_used_up_does_not_slow_the_next_one() {
        let mut budget = open_keyless(Some(1), None, at("2026-08-31T23:00:00Z"));
        assert_eq!(budget.take(at("2026-08-31T23:59:59.9Z")), Ok(()));
        let pause = Duration::from_secs(300);
        assert_eq!(budget.pace(pause, 1, at("2026-08-31T23:00:00Z")), HOUR);
        // A poll that began in August ends in September.
        let mut budget = open_keyless(Some(100), None, at("2026-08-31T23:00:00Z"));
        budget.set_used(100, at("2026-08-31T23:59:59.9Z"));
        let pace = budget.pace(pause, 1, at("2026-09-01T00:00:00.1Z"));
        assert_eq!(pace, pause);
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let now = at("2026-12-31T23:00:00Z");
        let mut budget = open_keyless(None, None, now);
        assert!((0..20_000).all(|_| budget.take(now).is_ok()));
        assert_eq!(budget.pace(HOUR, 3, now), HOUR);
        budget.set_limit(Some(100));
        assert_eq!(budget.take(now), Err(HOUR), "until the new year");
    }

    #[test]
    fn the_last_tenth_is_explained_until_the_next_month() {
        let (interval, now) = (Duration::from_secs(300), at("2026-08-16T12:00:00Z"));
        let mut budget = open_keyless(Some(10_000), None, now);
        budget.set_used(8_999, now);
        assert_eq!(budget.pace(interval, 1, now), interval);
        assert_eq!(budget.why_spread(interval, now), None);
        budget.set_used(9_500, now);
        let paced = budget.pace(interval, 1, now);
        assert_eq!(
            budget.why_spread(paced, now).unwrap(),
            "500 of this month's 10,000 calls are left: polls are 44 min apart until 2026-09-01 00:00 UTC, so that they last. \
             Set coingecko.calls_per_month if the plan has more"
        );
        // One that comes and goes with every poll would be told as often.
        let last = at("2026-08-31T23:00:00Z");
        let paced = budget.pace(interval, 1, last);
        assert_eq!(paced, interval);
        assert!(budget.why_spread(paced, last).is_some());
        let next = at("2026-09-01T00:00:00Z");
        let paced = budget.pace(interval, 1, next);
        assert_eq!(budget.why_spread(paced, next), None);
    }

    #[test]
    fn a_clock_that_is_wrong_for_a_while_keeps_the_count() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calls.json");
        let open = |now| open_keyless(Some(10), Some(file.clone()), now);
        let now = at("2026-08-02T12:00:00Z");
        let mut budget = open(now);
        assert_eq!((budget.take(now), budget.used()), (Ok(()), 1));
        // A machine without a battery starts in 1970; one that is a little off in the month before.
        for (calls, wrong) in [(2, "1970-01-01T00:00:09Z"), (3, "2026-07-31T23:00:00Z")] {
            let wrong = at(wrong);
            let mut budget = open(wrong);
            assert_eq!((budget.take(wrong), budget.used()), (Ok(()), calls));
            assert_eq!(open(now).used(), calls);
        }
        // A month that is far from beginning is no reason to spend nothing until then.
        let far = at("2030-01-01T00:00:00Z");
        assert_eq!(open(far).take(far), Ok(()));
        assert_eq!(open(now).used(), 0);
    }

    #[test]
    fn history_gets_a_tenth_of_the_month() {
        let now = at("2026-08-01T00:00:00Z");
        let mut budget = open_keyless(Some(100), None, now);
        budget.count_history(9);
        assert!(budget.has_history(1) && !budget.has_history(2));
        budget.count_history(1);
        assert!(!budget.has_history(1));
        assert_eq!(budget.take(at("2026-09-01T00:00:00Z")), Ok(()));
        assert!(budget.has_history(10), "the next month has its own tenth");
        budget.set_limit(None);
        budget.count_history(1_000);
        assert!(budget.has_history(1));
    }

    #[test]
    fn a_count_is_resumed_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calls.json");
        let now = at("2026-08-02T12:00:00Z");
        let open = |limit, owner: &str| {
            MonthBudget::open(limit, Some(file.clone()), owner.to_owned(), now)
        };
        let mut keyless = open(None, "none");
        assert!((0..20).all(|_| keyless.take(now).is_ok()));
        assert_eq!(open(None, "none").used(), 20);
        let mut keyed = open(Some(10), "5eed");
        assert_eq!((keyed.take(now), keyed.used()), (Ok(()), 1));
        assert_eq!(open(Some(10), "5eed").used(), 1);
        // A former version did not say whose it is.
        std::fs::write(&file, r#"{"month":"2026-08","calls":3}"#).unwrap();
        let mut keyed = open(Some(10), "5eed");
        assert_eq!((keyed.take(now), keyed.used()), (Ok(()), 4));
        assert_eq!(open(None, "none").used(), 0);
    }

    #[test]
    fn the_count_outlives_a_restart_and_not_the_month() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calls.json");
        let now = at("2026-02-28T12:00:00Z");
        let open = |now| open_keyless(Some(3), Some(file.clone()), now);
        let mut first = open(now);
        assert_eq!((first.take(now), first.take(now)), (Ok(()), Ok(())));
        let mut second = open(now);
        assert_eq!(second.used(), 2);
        assert_eq!(
            (second.take(now), second.take(now)),
            (Ok(()), Err(12 * HOUR))
        );
        assert_eq!(open(at("2026-03-01T00:00:00Z")).used(), 0);
        std::fs::write(&file, "half a cou").unwrap();
        assert_eq!(open(now).used(), 0);
    }
}
