//! Whether new ticks keep coming, judged by when they arrived.

use std::collections::VecDeque;
use std::time::Duration;

/// A pause this long is silence, however often the source polls: CoinGecko's replies are cached for minutes.
const SILENCE_MIN: Duration = Duration::from_mins(10);
/// A pause of this many polls is silence, however rarely the source polls.
const SILENCE_POLLS: u32 = 3;
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
    /// Milliseconds from one poll to the next, oldest first.
    gaps: VecDeque<i64>,
}

impl Feed {
    /// A tick arrived, in milliseconds since the epoch. Arrivals come in order; an older one than the newest changes
    /// nothing.
    pub fn arrived(&mut self, at_ms: i64) {
        let Some(newest) = self.newest_ms else {
            self.newest_ms = Some(at_ms);
            return;
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

    /// When the newest tick arrived, in milliseconds since the epoch; `None` before the first.
    pub fn newest_ms(&self) -> Option<i64> {
        self.newest_ms
    }

    /// How long nothing may come: ten minutes, and three of the usual pauses between polls.
    pub fn patience(&self) -> Duration {
        let mut gaps: Vec<i64> = self.gaps.iter().copied().collect();
        gaps.sort_unstable();
        let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(0);
        let usual = Duration::from_millis(u64::try_from(usual).unwrap_or(0));
        SILENCE_MIN.max(usual * SILENCE_POLLS)
    }

    /// How long nothing has come, where that is too long. Before the first tick there is no silence.
    pub fn silent_for(&self, now_ms: i64) -> Option<Duration> {
        let pause = now_ms.saturating_sub(self.newest_ms?);
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
        let feed = polled(MINUTE_MS, 20);
        let last = feed.newest_ms().unwrap();
        assert_eq!(feed.patience(), Duration::from_mins(10));
        assert_eq!(feed.silent_for(last + 10 * MINUTE_MS), None);
        let silent = feed.silent_for(last + 11 * MINUTE_MS);
        assert_eq!(silent, Some(Duration::from_mins(11)));
    }

    #[test]
    fn slow_polls_are_silent_after_three() {
        let feed = polled(5 * MINUTE_MS, 20);
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

    #[test]
    fn nothing_is_silent_before_the_first_tick_or_with_a_clock_set_back() {
        assert_eq!(Feed::default().silent_for(i64::MAX), None);
        assert_eq!(polled(MINUTE_MS, 3).silent_for(0), None);
    }
}
