//! Whether new ticks keep coming, judged by when they arrived.

use std::collections::VecDeque;
use std::time::Duration;

/// A pause this long is silence, however often the source polls: CoinGecko's replies are cached for minutes.
const SILENCE_MIN: Duration = Duration::from_mins(10);
/// A pause of this many polls is silence, however rarely the source polls.
const SILENCE_POLLS: u32 = 3;
/// The longest patience while only one pause is known, which may be an outage.
const SILENCE_UNKNOWN: Duration = Duration::from_hours(1);
/// Ticks that arrive within this time are of one poll.
const POLL_GAP_MIN_MS: i64 = 5_000;
/// Pauses between polls that are remembered.
const GAPS_MAX: usize = 15;

/// The arrivals of ticks. It learns the poll interval from them: whoever looks at a topic does not know the source's
/// settings.
///
/// ```
/// use market::Feed;
///
/// let minute_ms = 60_000;
/// let mut feed = Feed::default();
/// for poll in 0..10 {
///     feed.arrived(poll * 5 * minute_ms); // every five minutes
/// }
/// assert_eq!(feed.silent_for(59 * minute_ms), None);
/// assert!(feed.silent_for(61 * minute_ms).is_some(), "three polls brought nothing");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Feed {
    newest_ms: Option<i64>,
    /// Whether [`newest_ms`](Self::newest_ms) is when the wait for the first tick began.
    is_awaited: bool,
    /// Milliseconds from one poll to the next, oldest first.
    gaps: VecDeque<i64>,
}

impl Feed {
    /// A tick arrived, in milliseconds since the epoch. Arrivals come in order; an older one than the newest changes
    /// nothing.
    pub fn arrived(&mut self, at_ms: i64) {
        let newest = match self.newest_ms {
            Some(newest) if !self.is_awaited => newest,
            _ => {
                self.newest_ms = Some(at_ms);
                self.is_awaited = false;
                return;
            }
        };
        let gap = at_ms.saturating_sub(newest);
        if gap <= 0 {
            return;
        }
        self.newest_ms = Some(at_ms);
        if gap >= POLL_GAP_MIN_MS {
            if self.gaps.len() == GAPS_MAX {
                self.gaps.pop_front();
            }
            self.gaps.push_back(gap);
        }
    }

    /// Before the first tick, silence counts from `since_ms`, in milliseconds since the epoch.
    pub fn awaited(&mut self, since_ms: i64) {
        if self.newest_ms.is_none() {
            self.newest_ms = Some(since_ms);
            self.is_awaited = true;
        }
    }

    /// When the newest tick arrived, or the wait for the first began, in milliseconds since the epoch.
    pub fn newest_ms(&self) -> Option<i64> {
        self.newest_ms
    }

    /// How long nothing may come: ten minutes, and three of the usual pauses between polls.
    pub fn patience(&self) -> Duration {
        let mut gaps: Vec<i64> = self.gaps.iter().copied().collect();
        gaps.sort_unstable();
        // Of two the shorter one: the other may be an outage.
        let median = gaps.get(gaps.len().saturating_sub(1) / 2).copied();
        // Two longer pauses in a row are the usual ones from now on.
        let newest = self.gaps.iter().rev().take(2).min().copied();
        let usual = median.max(newest).unwrap_or(0);
        let usual = Duration::from_millis(usual.unsigned_abs());
        let patience = SILENCE_MIN.max(usual * SILENCE_POLLS);
        match gaps.len() {
            1 => patience.min(SILENCE_UNKNOWN),
            _ => patience,
        }
    }

    /// How long nothing has come, where that is too long. Before the first tick there is no silence, unless it is
    /// [awaited](Self::awaited). A tick from a clock that was set back since counts as one of now.
    pub fn silent_for(&mut self, now_ms: i64) -> Option<Duration> {
        let newest = self.newest_ms.as_mut()?;
        *newest = (*newest).min(now_ms);
        let pause = now_ms.saturating_sub(*newest);
        let pause = Duration::from_millis(u64::try_from(pause).unwrap_or(0));
        (pause > self.patience()).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;

    /// Polls of 250 coins each, appended within a second.
    fn polled(every_ms: i64, polls: i64) -> Feed {
        let mut feed = Feed::default();
        for poll in 0..polls {
            for coin in 0..250 {
                feed.arrived(poll * every_ms + coin * 4);
            }
        }
        feed
    }

    #[test]
    fn fast_polls_are_silent_after_ten_minutes() {
        let mut feed = polled(MINUTE_MS, 20);
        let last = feed.newest_ms().unwrap();
        assert_eq!(feed.patience(), Duration::from_mins(10));
        assert_eq!(feed.silent_for(last + 10 * MINUTE_MS), None);
        let silent = feed.silent_for(last + 11 * MINUTE_MS);
        assert_eq!(silent, Some(Duration::from_mins(11)));
    }

    #[test]
    fn slow_polls_are_silent_after_three() {
        let mut feed = polled(5 * MINUTE_MS, 20);
        let last = feed.newest_ms().unwrap();
        assert_eq!(feed.silent_for(last + 14 * MINUTE_MS), None);
        assert!(feed.silent_for(last + 16 * MINUTE_MS).is_some());
    }

    #[test]
    fn an_outage_does_not_change_the_usual_pause() {
        let mut feed = polled(MINUTE_MS, 20);
        let back = feed.newest_ms().unwrap() + 600 * MINUTE_MS;
        feed.arrived(back);
        feed.arrived(back + MINUTE_MS);
        assert_eq!(feed.patience(), Duration::from_mins(10));
        assert_eq!(feed.silent_for(back + 5 * MINUTE_MS), None);
    }

    /// As in the last tenth of a month's calls.
    #[test]
    fn longer_pauses_are_silence_twice_at_most() {
        let mut feed = polled(MINUTE_MS, 20);
        let mut silences = 0;
        for _ in 0..20 {
            let next = feed.newest_ms().unwrap() + 36 * MINUTE_MS;
            silences += i64::from(feed.silent_for(next).is_some());
            feed.arrived(next);
        }
        assert!(silences <= 2, "{silences}");
        let last = feed.newest_ms().unwrap();
        assert!(feed.silent_for(last + 109 * MINUTE_MS).is_some());
    }

    #[test]
    fn an_outage_is_no_usual_pause_either_when_nothing_else_is_known() {
        let mut feed = Feed::default();
        feed.arrived(0);
        feed.arrived(480 * MINUTE_MS);
        assert_eq!(feed.patience(), SILENCE_UNKNOWN);
        feed.arrived(481 * MINUTE_MS);
        assert_eq!(feed.patience(), SILENCE_MIN);
        assert!(feed.silent_for(492 * MINUTE_MS).is_some());
    }

    #[test]
    fn before_the_first_tick_silence_counts_from_when_it_is_awaited() {
        let mut feed = Feed::default();
        feed.awaited(0);
        assert_eq!(feed.silent_for(10 * MINUTE_MS), None);
        assert!(feed.silent_for(11 * MINUTE_MS).is_some());
        // The wait is no pause between polls.
        feed.arrived(MINUTE_MS);
        feed.arrived(16 * MINUTE_MS);
        feed.awaited(17 * MINUTE_MS);
        assert_eq!(feed.newest_ms(), Some(16 * MINUTE_MS));
        assert_eq!(feed.patience(), Duration::from_mins(45));
    }

    #[test]
    fn nothing_is_silent_before_the_first_tick() {
        assert_eq!(Feed::default().silent_for(i64::MAX), None);
    }

    #[test]
    fn silence_counts_from_when_the_clock_was_set_right() {
        let mut feed = polled(MINUTE_MS, 200);
        assert_eq!(feed.silent_for(20 * MINUTE_MS), None);
        assert_eq!(feed.silent_for(30 * MINUTE_MS), None);
        assert!(feed.silent_for(31 * MINUTE_MS).is_some());
        feed.arrived(32 * MINUTE_MS);
        assert_eq!(feed.silent_for(33 * MINUTE_MS), None);
    }
}
