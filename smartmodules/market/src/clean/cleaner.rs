//! The cleaner of one partition.
//!
//! Always true:
//! - the watermark is the greatest event_time accepted; a tick above it is neither late nor a duplicate
//! - the memory holds the ticks with event_time >= watermark - lateness; an older tick is rejected as late before the
//!   memory is asked, so it makes no difference when it is freed

use std::borrow::Cow;
use std::collections::VecDeque;

use super::reject::{Reason, Rejected};
use super::tick::Tick;
use crate::coins::Coins;
use crate::params::{Emit, ParamError, Params};
use crate::record::{Input, Output};
use crate::rows::Clean;
use crate::time::MINUTE_MS;

/// How far a tick's time may be after the record's timestamp.
const FUTURE_MS_MAX: i64 = 5 * MINUTE_MS;

/// How often, in event time, quiet coins are freed.
const SWEEP_MS: i64 = 5 * MINUTE_MS;

/// Parameters of crypto-clean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanParams {
    /// `accepted` (default), `rejected` or `all`.
    pub emit: Emit,
    /// How far behind the watermark a tick may be, in milliseconds; default 60 minutes.
    pub allowed_lateness_ms: i64,
}

impl Default for CleanParams {
    fn default() -> Self {
        Self {
            emit: Emit::Only("accepted"),
            allowed_lateness_ms: 60 * MINUTE_MS,
        }
    }
}

impl CleanParams {
    /// Reads `emit` and `allowed_lateness`.
    ///
    /// # Errors
    ///
    /// [`ParamError`] names the parameter and the values it accepts.
    pub fn parse(mut params: Params) -> Result<Self, ParamError> {
        let emit = params.take_emit(&[("accepted", "accepted"), ("rejected", "rejected")])?;
        let lateness = params.take_lateness_ms("allowed_lateness")?;
        params.finish()?;
        Ok(Self {
            emit,
            allowed_lateness_ms: lateness.unwrap_or(Self::default().allowed_lateness_ms),
        })
    }
}

/// Cleans the records of one partition.
///
/// ```
/// use market::{CleanParams, Cleaner, Input, Reason};
///
/// let raw = br#"{"id":"bitcoin","symbol":"btc","current_price":16730.75,"last_updated":"2023-01-02T17:08:13.102Z"}"#;
/// let input = Input { offset: 0, timestamp_ms: 1_672_679_300_000, key: None, value: raw };
///
/// let mut cleaner = Cleaner::new(CleanParams::default());
/// assert_eq!(cleaner.clean(&input).unwrap().price, 16730.75);
/// assert_eq!(cleaner.clean(&input).unwrap_err().reason, Reason::Duplicate);
/// ```
#[derive(Debug, Clone)]
pub struct Cleaner {
    params: CleanParams,
    memory: Memory,
    /// Whether the memory comes from looking back only: nothing was streamed yet.
    looked_back: bool,
}

#[derive(Debug, Clone, Default)]
struct Memory {
    watermark: Option<i64>,
    /// Event times by coin, ascending.
    seen: Coins<VecDeque<i64>>,
    sweep_at: i64,
}

impl Cleaner {
    /// A cleaner that has seen nothing.
    pub fn new(params: CleanParams) -> Self {
        Self {
            params,
            memory: Memory::default(),
            looked_back: false,
        }
    }

    /// The greatest event_time accepted so far.
    pub fn watermark(&self) -> Option<i64> {
        self.memory.watermark
    }

    /// Cleans one record.
    ///
    /// # Errors
    ///
    /// [`Rejected`], which is an output like a tick.
    pub fn clean<'a>(&mut self, input: &Input<'a>) -> Result<Clean<'a>, Rejected<'a>> {
        let tick = Tick::parse(input.value)?;
        let fetched_at = input.known_timestamp_ms();
        if let Some(fetched_at) = fetched_at {
            let ahead = tick.event_time.saturating_sub(fetched_at);
            if ahead > FUTURE_MS_MAX {
                // The detail leaves out the time of the fetch: the same payload always gets the same detail.
                let minutes = FUTURE_MS_MAX / 60_000;
                let detail =
                    format!("last_updated is over {minutes} min after the record's own time");
                return Err(Rejected::new(Reason::Future, Some(tick.coin), detail));
            }
        }
        if std::mem::take(&mut self.looked_back) && !self.memory.expects(&tick) {
            self.memory = Memory::default();
        }
        self.memory.accept(&tick, self.params.allowed_lateness_ms)?;
        Ok(Clean {
            raw_offset: Some(input.offset),
            coin: tick.coin,
            symbol: tick.symbol,
            event_time: tick.event_time,
            fetched_at,
            price: tick.price,
            market_cap: tick.market_cap,
            volume_24h: tick.volume_24h,
            change_24h_pct: tick.change_24h_pct,
            backfilled: tick.backfilled,
        })
    }

    /// Processes one raw record; `false` if there is no output.
    pub fn process(&mut self, input: &Input<'_>, output: &mut Output) -> bool {
        match self.clean(input) {
            Ok(clean) if self.params.emit.wants("accepted") => clean.write(input.offset, output),
            Err(rejected) if self.params.emit.wants("rejected") => rejected.write(input, output),
            _ => return false,
        }
        true
    }

    /// Remembers a record from before the stream.
    pub fn look_back(&mut self, input: &Input<'_>) {
        self.looked_back = false;
        // Only the effect on the memory matters.
        let _ = self.clean(input);
        self.looked_back = true;
    }
}

impl Memory {
    /// Whether a tick may follow the remembered ones. If not, the stream begins somewhere else.
    fn expects(&self, tick: &Tick<'_>) -> bool {
        self.watermark
            .is_none_or(|watermark| tick.event_time >= watermark)
            && !self.has_seen(tick)
    }

    fn has_seen(&self, tick: &Tick<'_>) -> bool {
        self.seen
            .get(&tick.coin)
            .is_some_and(|times| times.binary_search(&tick.event_time).is_ok())
    }

    fn accept<'a>(&mut self, tick: &Tick<'a>, lateness_ms: i64) -> Result<(), Rejected<'a>> {
        let time = tick.event_time;
        let watermark = self.watermark.map_or(time, |watermark| watermark.max(time));
        let oldest = watermark - lateness_ms;
        let refuse = |reason, detail: Cow<'static, str>| {
            Err(Rejected::new(reason, Some(tick.coin.clone()), detail))
        };
        if time < oldest {
            let detail = format!(
                "last_updated is {} ms behind the watermark",
                watermark - time
            );
            return refuse(Reason::Late, detail.into());
        }
        let times = self.seen.entry(&tick.coin);
        while times.front().is_some_and(|time| *time < oldest) {
            times.pop_front();
        }
        match times.back() {
            Some(last) if *last >= time => match times.binary_search(&time) {
                Ok(_) => {
                    let detail = "this coin's price at this time was seen before";
                    return refuse(Reason::Duplicate, detail.into());
                }
                Err(place) => times.insert(place, time),
            },
            _ => times.push_back(time),
        }
        self.watermark = Some(watermark);
        if watermark >= self.sweep_at {
            self.sweep_at = watermark + SWEEP_MS;
            self.seen
                .retain(|times| times.back().is_some_and(|last| *last >= oldest));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn cleaner() -> Cleaner {
        Cleaner::new(CleanParams::default())
    }

    /// Cleans a tick of `coin` at `time`, fetched at `timestamp_ms`.
    fn reason(cleaner: &mut Cleaner, coin: &str, time: i64, timestamp_ms: i64) -> Option<Reason> {
        let time = jiff::Timestamp::from_millisecond(time).unwrap();
        let value =
            format!(r#"{{"id":"{coin}","symbol":"s","current_price":1,"last_updated":"{time}"}}"#);
        let input = Input {
            offset: 0,
            timestamp_ms,
            key: None,
            value: value.as_bytes(),
        };
        cleaner.clean(&input).err().map(|rejected| rejected.reason)
    }

    #[test]
    fn a_tick_over_five_minutes_ahead_is_from_the_future() {
        let mut cleaner = cleaner();
        assert_eq!(reason(&mut cleaner, "a", NOW + FUTURE_MS_MAX, NOW), None);
        assert_eq!(
            reason(&mut cleaner, "a", NOW + FUTURE_MS_MAX + 1, NOW),
            Some(Reason::Future)
        );
        assert_eq!(cleaner.watermark(), Some(NOW + FUTURE_MS_MAX));
        // Without a timestamp of the record there is nothing to compare with.
        assert_eq!(reason(&mut cleaner, "a", NOW + 2 * FUTURE_MS_MAX, 0), None);
        assert_eq!(reason(&mut cleaner, "a", NOW + 3 * FUTURE_MS_MAX, -1), None);
    }

    #[test]
    fn lateness_counts_from_the_fastest_coin() {
        let mut cleaner = cleaner();
        assert_eq!(reason(&mut cleaner, "fast", NOW, NOW), None);
        assert_eq!(
            reason(&mut cleaner, "slow", NOW - 60 * MINUTE_MS, NOW),
            None
        );
        assert_eq!(
            reason(&mut cleaner, "slow", NOW - 60 * MINUTE_MS - 1, NOW),
            Some(Reason::Late)
        );
        assert_eq!(
            reason(&mut cleaner, "slow", NOW - 60 * MINUTE_MS, NOW),
            Some(Reason::Duplicate)
        );
        assert_eq!(reason(&mut cleaner, "fast", NOW + 1, NOW), None);
        // Late is checked before duplicate.
        assert_eq!(
            reason(&mut cleaner, "slow", NOW - 60 * MINUTE_MS, NOW),
            Some(Reason::Late)
        );
        assert_eq!(cleaner.watermark(), Some(NOW + 1));
    }

    #[test]
    fn a_duplicate_has_the_same_coin_and_time() {
        let mut cleaner = cleaner();
        for time in [NOW, NOW - 2, NOW - 1, NOW + 1] {
            assert_eq!(reason(&mut cleaner, "a", time, NOW), None);
            assert_eq!(reason(&mut cleaner, "b", time, NOW), None);
        }
        for time in [NOW - 2, NOW - 1, NOW, NOW + 1] {
            assert_eq!(
                reason(&mut cleaner, "a", time, NOW),
                Some(Reason::Duplicate)
            );
        }
    }

    #[test]
    fn a_rejected_tick_leaves_no_trace() {
        let mut cleaner = cleaner();
        assert_eq!(
            reason(&mut cleaner, "a", NOW + 6 * MINUTE_MS, NOW),
            Some(Reason::Future)
        );
        assert_eq!(cleaner.watermark(), None);
        // The same tick, fetched later, is no duplicate of the rejected one.
        assert_eq!(
            reason(&mut cleaner, "a", NOW + 6 * MINUTE_MS, NOW + 6 * MINUTE_MS),
            None
        );
    }

    #[test]
    fn quiet_coins_are_freed() {
        let mut cleaner = cleaner();
        for coin in 0..100 {
            assert_eq!(reason(&mut cleaner, &format!("coin{coin}"), NOW, NOW), None);
        }
        assert_eq!(
            reason(
                &mut cleaner,
                "a",
                NOW + 61 * MINUTE_MS,
                NOW + 61 * MINUTE_MS
            ),
            None
        );
        assert_eq!(cleaner.memory.seen.len(), 1);
    }
}
