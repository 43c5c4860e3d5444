//! The recent ticks of one coin, and the features at one of them.
//!
//! Always true: points ascend by time, one for each time, and a block's cached summary is that of its present points. So
//! features depend on the points alone, to the last bit, and not on what was freed before.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::point::{Point, count_until};
use super::returns::{Returns, RunningReturns};
use super::strides::Strides;
use super::summary::Summary;
use crate::rows::{Clean, FEATURES_VERSION, WindowFeatures};
use crate::time::MINUTE_MS;

/// How much older than a tick the oldest tick may be that its features depend on. Those of return_zscore_15m begin 75 minutes
/// back, and the log_return of the first of them looks back 15 more.
pub(super) const LOOK_BACK_MS: i64 = 90 * MINUTE_MS;

/// The longest window. A log_return, too, looks back this far for the previous tick.
const LONGEST_WINDOW_MS: i64 = 15 * MINUTE_MS;

/// How much older than its window's start the first tick of a return may be.
const RETURN_SLACK_MS: i64 = 5 * MINUTE_MS;

/// With fewer ticks in 15 minutes the baseline reaches further back, to this many ticks.
pub(crate) const BASELINE_SAMPLES: usize = 8;

/// How far back the baseline may reach.
const BASELINE_MS_MAX: i64 = 60 * MINUTE_MS;

/// With fewer ticks in the baseline the z-score is undefined.
const BASELINE_SAMPLES_MIN: f64 = 5.0;

/// The least deviation of a baseline, as a part of its mean: prices are rounded.
const BASELINE_DEVIATION_MIN: f64 = 1e-5;

/// How far before the return of return_zscore_15m the log_returns lie that it is compared with.
const USUAL_RETURNS_MS: i64 = 75 * MINUTE_MS;

/// Longer stretches of ticks are summed up by blocks.
const POINTS_MAX: usize = 64;

/// Fewer ticks than this are not worth freeing.
const FREED_MIN: usize = 32;

/// Room for the ticks of 150 minutes, one a minute, and a quarter more that waits to be freed. It is taken at once: memory that
/// vectors leave behind as they double is too small to be used again, and a module never gives memory back.
const TICKS_USUAL: usize = 192;

/// Room for the details of 60 minutes.
const DETAILS_USUAL: usize = 64;

/// The time that one block spans.
const BLOCK_MS: i64 = 1 << 13;

/// The other fields of a tick, from which its row can be repeated.
#[derive(Debug, Clone)]
struct Detail {
    symbol: Arc<str>,
    /// [`ABSENT`] if absent.
    raw_offset: i64,
    fetched_at: i64,
    /// NaN if absent, as in [`Point`].
    market_cap: f64,
    change_24h_pct: f64,
    backfilled: bool,
}

/// An offset or a time that no record has.
const ABSENT: i64 = i64::MIN;

/// The recent ticks of one coin.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    points: Vec<Point>,
    /// Of the newest points, as many as may arrive again.
    details: VecDeque<Detail>,
    /// How many ticks of this coin arrived before each.
    arrivals: Vec<u32>,
    returns: RunningReturns,
    strides: Strides,
    /// Where the windows of the newest row began.
    edges: [usize; 4],
    /// Index of the oldest point that still counts.
    start: usize,
    arrived: u32,
    /// Summaries of blocks, computed when first needed.
    blocks: BTreeMap<i64, Summary>,
}

impl Series {
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.points.len()
    }

    fn held(&self) -> &[Point] {
        &self.points[self.start..]
    }

    /// Index of the oldest point whose details are held.
    fn details_start(&self) -> usize {
        self.points.len() - self.details.len()
    }

    /// Frees ticks before `oldest`, and the details of those before `repeatable`, which won't arrive again.
    pub(super) fn forget_before(&mut self, oldest: i64, repeatable: i64) {
        while self
            .points
            .get(self.details_start())
            .is_some_and(|point| point.time < repeatable)
        {
            self.details.pop_front();
        }
        while self
            .points
            .get(self.start)
            .is_some_and(|point| point.time < oldest)
        {
            self.start += 1;
        }
        // A series takes room for a quarter more than what counts, and each tick is moved four times.
        if self.start > FREED_MIN && self.start > self.points.len() / 5 {
            self.points.drain(..self.start);
            self.arrivals.drain(..self.start);
            self.returns.forget(self.start);
            self.strides.forget(self.start);
            self.edges = self.edges.map(|edge| edge.saturating_sub(self.start));
            self.start = 0;
            self.blocks = self.blocks.split_off(&oldest.div_euclid(BLOCK_MS));
        }
    }

    /// Adds a tick and computes its log_return. Returns its index; `Err` with the index of a tick of the same time.
    pub(super) fn insert(&mut self, clean: &Clean<'_>) -> Result<usize, usize> {
        let time = clean.event_time;
        let place = match self.points.last() {
            Some(last) if last.time >= time => {
                match self.held().binary_search_by_key(&time, |point| point.time) {
                    Ok(place) => return Err(self.start + place),
                    Err(place) => self.start + place,
                }
            }
            _ => self.points.len(),
        };
        let (log_return, returns) = match self.newest(place, time - LONGEST_WINDOW_MS - 1) {
            Some(before) => {
                let log_return = libm::log(clean.price / before.price);
                (log_return, Returns::of_one(log_return, time - before.time))
            }
            None => (f64::NAN, Returns::default()),
        };
        if self.arrived == 0 {
            self.reserve();
        }
        let symbol = match self.details.back() {
            Some(last) if *last.symbol == *clean.symbol => Arc::clone(&last.symbol),
            _ => Arc::from(&*clean.symbol),
        };
        let point = Point {
            time,
            price: clean.price,
            volume: clean.volume_24h.unwrap_or(f64::NAN),
            log_return,
        };
        let detail = Detail {
            symbol,
            raw_offset: clean.raw_offset.unwrap_or(ABSENT),
            fetched_at: clean.fetched_at.unwrap_or(ABSENT),
            market_cap: clean.market_cap.unwrap_or(f64::NAN),
            change_24h_pct: clean.change_24h_pct.unwrap_or(f64::NAN),
            backfilled: clean.backfilled,
        };
        if place == self.points.len() {
            self.points.push(point);
            self.details.push_back(detail);
            self.arrivals.push(self.arrived);
        } else {
            let details_start = self.details_start();
            self.points.insert(place, point);
            self.details.insert(place - details_start, detail);
            self.arrivals.insert(place, self.arrived);
        }
        self.returns.insert(place, returns);
        self.strides.insert(&self.points, place);
        self.arrived += 1;
        if !self.blocks.is_empty() {
            self.blocks.remove(&time.div_euclid(BLOCK_MS));
        }
        Ok(place)
    }

    /// Takes the room that a coin needs which has one tick a minute.
    fn reserve(&mut self) {
        self.points.reserve_exact(TICKS_USUAL);
        self.details.reserve_exact(DETAILS_USUAL);
        self.arrivals.reserve_exact(TICKS_USUAL);
        self.returns.reserve(TICKS_USUAL);
        self.strides.reserve(TICKS_USUAL);
    }

    /// The newest tick before `place`, if it is after `time`.
    fn newest(&self, place: usize, time: i64) -> Option<&Point> {
        let newest = self.points[self.start..place].last();
        newest.filter(|point| point.time > time)
    }

    /// The row of the tick at `place`, whose details are held, as it was when the tick arrived, without what came later.
    pub(super) fn first_row(&self, place: usize) -> (Clean<'static>, WindowFeatures) {
        let detail = &self.details[place - self.details_start()];
        let (point, arrival) = (self.points[place], self.arrivals[place]);
        let mut then = Self::default();
        let mut place_then = 0;
        for (at, (point, other)) in self
            .points
            .iter()
            .zip(&self.arrivals)
            .enumerate()
            .skip(self.start)
        {
            if *other <= arrival {
                let returns = self.returns.between(at, at + 1);
                then.returns.insert(then.points.len(), returns);
                then.points.push(*point);
                then.strides.insert(&then.points, then.points.len() - 1);
                place_then += usize::from(at < place);
            }
        }
        let clean = Clean {
            raw_offset: present(detail.raw_offset),
            coin: "".into(),
            symbol: detail.symbol.to_string().into(),
            event_time: point.time,
            fetched_at: present(detail.fetched_at),
            price: point.price,
            market_cap: some(detail.market_cap),
            volume_24h: some(point.volume),
            change_24h_pct: some(detail.change_24h_pct),
            backfilled: detail.backfilled,
        };
        (clean, then.features(place_then))
    }

    /// The features of the tick at `place`, from it and those before it.
    #[inline(always)]
    pub(super) fn features(&mut self, place: usize) -> WindowFeatures {
        let now = self.points[place];
        let [edge_1m, edge_5m, edge_15m, edge_75m] = self.edges;
        let after_1m = self.first_after(now.time - MINUTE_MS, place, edge_1m);
        let after_5m = self.first_after(now.time - 5 * MINUTE_MS, after_1m, edge_5m);
        let after_15m = self.first_after(now.time - 15 * MINUTE_MS, after_5m, edge_15m);
        let usual_from = self.first_after(now.time - USUAL_RETURNS_MS, after_15m, edge_75m);
        self.edges = [after_1m, after_5m, after_15m, usual_from];

        // Stretches that don't overlap, the tick itself last.
        let before_1m = self.summary(after_1m, place, now.time);
        let before_5m = self.summary(after_5m, after_1m, now.time).merge(before_1m);
        let before_15m = self.summary(after_15m, after_5m, now.time).merge(before_5m);
        let itself = Summary::of_one(&now);
        let within_1m = before_1m.merge(itself);
        let within_5m = before_5m.merge(itself);
        let within_15m = before_15m.merge(itself);
        let baseline = self.baseline(after_15m, place, before_15m);

        let then = |after: usize, window_ms: i64| {
            self.newest(after, now.time - window_ms - RETURN_SLACK_MS)
        };
        let return_since = |then: &Point| now.price / then.price - 1.0;
        let then_15m = then(after_15m, 15 * MINUTE_MS);
        let usual = self.returns.between(usual_from, after_15m);
        let zscore_15m = zscore(now.price, &baseline);
        let look_back = now.time - LOOK_BACK_MS;
        WindowFeatures {
            features_version: Some(FEATURES_VERSION),
            price_prev: self.newest(place, look_back).map(|point| point.price),
            ma_1m: within_1m.price.mean(),
            ma_5m: within_5m.price.mean(),
            ma_15m: within_15m.price.mean(),
            samples_1m: Some(within_1m.samples()),
            samples_5m: Some(within_5m.samples()),
            samples_15m: Some(within_15m.samples()),
            log_return: some(now.log_return),
            volatility_1m: within_1m.log_return.std(),
            volatility_5m: within_5m.log_return.std(),
            volatility_15m: within_15m.log_return.std(),
            return_1m: then(after_1m, MINUTE_MS).map(return_since),
            return_5m: then(after_5m, 5 * MINUTE_MS).map(return_since),
            return_15m: then_15m.map(return_since),
            zscore_15m,
            return_zscore_15m: then_15m.and_then(|then| {
                usual.zscore(libm::log(now.price / then.price), now.time - then.time)
            }),
            volume_ma_15m: within_15m.volume_mean(),
            volume_ratio: some(now.volume).and_then(|volume| {
                baseline
                    .volume_mean()
                    .filter(|mean| *mean != 0.0)
                    .map(|mean| volume / mean)
            }),
            move_15m: zscore_15m.map(|_| now.price / baseline.price.mean - 1.0),
            volume_surge: self.strides.volume_surge(&self.points, place, look_back),
        }
    }

    /// What the tick at `place` is compared with: the ticks of the 15 minutes before it; where these are few, the newest 8 of the
    /// hour before it. `within` sums up those after `after_15m`.
    #[inline(always)]
    fn baseline(&self, after_15m: usize, place: usize, within: Summary) -> Summary {
        let time = self.points[place].time;
        // The tick of exactly 15 minutes ago is in the baseline, but not in the window.
        let (from, baseline) = match self.points[self.start..after_15m].last() {
            Some(edge) if edge.time == time - 15 * MINUTE_MS => {
                (after_15m - 1, Summary::of_one(edge).merge(within))
            }
            _ => (after_15m, within),
        };
        if place - from >= BASELINE_SAMPLES {
            return baseline;
        }
        let within_an_hour = self.first_after(time - BASELINE_MS_MAX - 1, from, from);
        let older = within_an_hour.max(place.saturating_sub(BASELINE_SAMPLES));
        Summary::of(&self.points[older..from]).merge(baseline)
    }

    /// Index of the first tick after `time`, among those before `end`: likely one after that of the row before, or near the end.
    #[inline(always)]
    fn first_after(&self, time: i64, end: usize, before: usize) -> usize {
        let is_it = |at: usize| {
            (self.start < at && at < end)
                && self.points[at - 1].time <= time
                && self.points[at].time > time
        };
        if is_it(before + 1) {
            return before + 1;
        }
        self.start + count_until(&self.points[self.start..end], time)
    }

    /// Sums up the points `from..to`, all of them before `now`: few directly, many by blocks. The choice depends on the
    /// points alone, so the same points give the same bits.
    #[inline(always)]
    fn summary(&mut self, from: usize, to: usize, now: i64) -> Summary {
        if to - from <= POINTS_MAX {
            Summary::of(&self.points[from..to])
        } else {
            self.summary_of_blocks(from, to, now)
        }
    }

    #[inline(never)]
    fn summary_of_blocks(&mut self, from: usize, to: usize, now: i64) -> Summary {
        let mut summary = Summary::default();
        let mut at = from;
        while at < to {
            let block = self.points[at].time.div_euclid(BLOCK_MS);
            let end_time = (block + 1) * BLOCK_MS;
            let end = at + self.points[at..to].partition_point(|point| point.time < end_time);
            let whole = end < to && at > from && end_time <= now;
            let part = if whole {
                let points = &self.points[at..end];
                *self
                    .blocks
                    .entry(block)
                    .or_insert_with(|| Summary::of(points))
            } else {
                Summary::of(&self.points[at..end])
            };
            summary = summary.merge(part);
            at = end;
        }
        summary
    }
}

/// (price - mean) / max(deviation, 1e-5 of the mean) of the ticks before.
fn zscore(price: f64, baseline: &Summary) -> Option<f64> {
    let prices = baseline.price;
    if prices.count < BASELINE_SAMPLES_MIN {
        return None;
    }
    let deviation = prices.std()?.max(BASELINE_DEVIATION_MIN * prices.mean);
    Some((price - prices.mean) / deviation)
}

/// `None` for [`ABSENT`].
fn present(number: i64) -> Option<i64> {
    (number != ABSENT).then_some(number)
}

/// `None` for NaN.
fn some(number: f64) -> Option<f64> {
    (!number.is_nan()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_takes_little_more_room_than_what_counts() {
        const HELD: i64 = 150;
        const REPEATABLE: i64 = 60;
        let mut series = Series::default();
        for minute in 0..2_000 {
            let time = minute * MINUTE_MS;
            series.forget_before(time - HELD * MINUTE_MS, time - REPEATABLE * MINUTE_MS);
            let clean = Clean {
                raw_offset: Some(minute),
                coin: "a".into(),
                symbol: "a".into(),
                event_time: time,
                fetched_at: None,
                price: 1.0,
                market_cap: None,
                volume_24h: None,
                change_24h_pct: None,
                backfilled: false,
            };
            series.insert(&clean).unwrap();
        }
        let ticks = series.points.len();
        assert!(ticks <= HELD as usize * 5 / 4 + 2, "{ticks} ticks");
        // It never grew.
        assert_eq!(series.points.capacity(), TICKS_USUAL);
        assert_eq!(series.arrivals.capacity(), TICKS_USUAL);
        assert_eq!(series.details.capacity(), DETAILS_USUAL);
        let bytes = size_of::<Point>() + size_of::<Returns>();
        assert!(bytes <= 64, "{bytes} bytes a tick");
        let bytes = size_of::<Detail>();
        assert!(bytes <= 56, "{bytes} bytes of details");
    }
}
