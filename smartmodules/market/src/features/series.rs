//! The recent ticks of one coin, and the features at one of them.
//!
//! Always true: points ascend by time, one for each time, and a block's cached summary is that of its present points. So
//! features depend on the points alone, to the last bit, and not on what was freed before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::summary::{Point, Summary};
use crate::rows::{Clean, WindowFeatures};
use crate::time::MINUTE_MS;

/// The longest window. A log_return, too, looks back this far for the previous tick.
const LONGEST_WINDOW_MS: i64 = 15 * MINUTE_MS;

/// Over a longer gap volume_surge is undefined.
const SURGE_GAP_MS_MAX: i64 = 10 * MINUTE_MS;

/// How much older than its window's start the first tick of a return may be.
const RETURN_SLACK_MS: i64 = 5 * MINUTE_MS;

const DAY_MS: f64 = 86_400_000.0;

/// With fewer ticks in the baseline the z-score is undefined.
const BASELINE_SAMPLES_MIN: f64 = 5.0;

/// The least deviation of a baseline, as a part of its mean: prices are rounded.
const BASELINE_DEVIATION_MIN: f64 = 1e-5;

/// Longer stretches of ticks are summed up by blocks.
const POINTS_MAX: usize = 64;

/// This many ticks are compared one by one before a binary search.
const NEAR_POINTS: usize = 16;

/// The time that one block spans.
const BLOCK_MS: i64 = 1 << 13;

/// The other fields of a tick, from which its row can be repeated.
#[derive(Debug, Clone)]
struct Detail {
    /// How many ticks of this coin arrived before it.
    arrival: u64,
    symbol: Arc<str>,
    fetched_at: Option<i64>,
    /// NaN if absent, as in [`Point`].
    market_cap: f64,
    change_24h_pct: f64,
}

/// The recent ticks of one coin.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    points: Vec<Point>,
    details: Vec<Detail>,
    /// Index of the oldest point that still counts.
    start: usize,
    arrivals: u64,
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

    /// Frees ticks before `oldest`.
    pub(super) fn forget_before(&mut self, oldest: i64) {
        while self
            .points
            .get(self.start)
            .is_some_and(|point| point.time < oldest)
        {
            self.start += 1;
        }
        if self.start > 64 && self.start > self.points.len() / 2 {
            self.points.drain(..self.start);
            self.details.drain(..self.start);
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
        let log_return = match self.before(place, time) {
            Some(before) => libm::log(clean.price / before.price),
            None => f64::NAN,
        };
        let symbol = match self.details.last() {
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
            arrival: self.arrivals,
            symbol,
            fetched_at: clean.fetched_at,
            market_cap: clean.market_cap.unwrap_or(f64::NAN),
            change_24h_pct: clean.change_24h_pct.unwrap_or(f64::NAN),
        };
        if place == self.points.len() {
            self.points.push(point);
            self.details.push(detail);
        } else {
            self.points.insert(place, point);
            self.details.insert(place, detail);
        }
        self.arrivals += 1;
        if !self.blocks.is_empty() {
            self.blocks.remove(&time.div_euclid(BLOCK_MS));
        }
        Ok(place)
    }

    /// The newest tick before `place`, if it is at most 15 minutes older than `time`.
    fn before(&self, place: usize, time: i64) -> Option<&Point> {
        self.points[self.start..place]
            .last()
            .filter(|point| time - point.time <= LONGEST_WINDOW_MS)
    }

    /// The row of the tick at `place` as it was when the tick arrived, without what came later.
    pub(super) fn first_row(&self, place: usize) -> (Clean<'static>, WindowFeatures) {
        let (point, detail) = (self.points[place], &self.details[place]);
        let mut then = Self::default();
        let mut place_then = 0;
        for (at, (point, other)) in self
            .points
            .iter()
            .zip(&self.details)
            .enumerate()
            .skip(self.start)
        {
            if other.arrival <= detail.arrival {
                then.points.push(*point);
                place_then += usize::from(at < place);
            }
        }
        let clean = Clean {
            coin: "".into(),
            symbol: detail.symbol.to_string().into(),
            event_time: point.time,
            fetched_at: detail.fetched_at,
            price: point.price,
            market_cap: some(detail.market_cap),
            volume_24h: some(point.volume),
            change_24h_pct: some(detail.change_24h_pct),
        };
        (clean, then.features(place_then))
    }

    /// The features of the tick at `place`, from it and those before it.
    #[inline(always)]
    pub(super) fn features(&mut self, place: usize) -> WindowFeatures {
        let now = self.points[place];
        let after_1m = self.first_after(now.time - MINUTE_MS, place);
        let after_5m = self.first_after(now.time - 5 * MINUTE_MS, after_1m);
        let after_15m = self.first_after(now.time - 15 * MINUTE_MS, after_5m);

        // Stretches that don't overlap, the tick itself last.
        let before_1m = self.summary(after_1m, place, now.time);
        let before_5m = self.summary(after_5m, after_1m, now.time).merge(before_1m);
        let before_15m = self.summary(after_15m, after_5m, now.time).merge(before_5m);
        let itself = Summary::of_one(&now);
        let within_1m = before_1m.merge(itself);
        let within_5m = before_5m.merge(itself);
        let within_15m = before_15m.merge(itself);
        // The baseline includes the tick of exactly 15 minutes ago, the window does not.
        let baseline = match self.points[self.start..after_15m].last() {
            Some(edge) if edge.time == now.time - 15 * MINUTE_MS => {
                Summary::of_one(edge).merge(before_15m)
            }
            _ => before_15m,
        };

        let return_since = |after: usize, window_ms: i64| {
            let then = self.points[self.start..after].last()?;
            (then.time > now.time - window_ms - RETURN_SLACK_MS)
                .then(|| now.price / then.price - 1.0)
        };
        let volume = some(now.volume);
        WindowFeatures {
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
            return_1m: return_since(after_1m, MINUTE_MS),
            return_5m: return_since(after_5m, 5 * MINUTE_MS),
            return_15m: return_since(after_15m, 15 * MINUTE_MS),
            zscore_15m: zscore(now.price, &baseline),
            volume_ma_15m: within_15m.volume_mean(),
            volume_ratio: volume.and_then(|volume| {
                baseline
                    .volume_mean()
                    .filter(|mean| *mean != 0.0)
                    .map(|mean| volume / mean)
            }),
            volume_surge: self
                .before(place, now.time)
                .and_then(|before| volume_surge(before, &now)),
        }
    }

    /// Index of the first tick after `time`, among those before `end`: likely near the end.
    fn first_after(&self, time: i64, end: usize) -> usize {
        let held = &self.points[self.start..end];
        let near = held.len().saturating_sub(NEAR_POINTS);
        let (far, near) = held.split_at(near);
        match near.iter().rposition(|point| point.time <= time) {
            Some(before) => self.start + far.len() + before + 1,
            None => self.start + far.partition_point(|point| point.time <= time),
        }
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

/// Estimates the volume traded between two ticks, relative to the daily average for that time. The rolling 24-hour sum
/// changes by the volume that enters less the volume that leaves; the latter is assumed to be average.
fn volume_surge(before: &Point, now: &Point) -> Option<f64> {
    let gap = now.time - before.time;
    if gap > SURGE_GAP_MS_MAX || before.volume == 0.0 {
        return None;
    }
    some(1.0 + (now.volume - before.volume) / (before.volume * gap as f64 / DAY_MS))
}

/// `None` for NaN.
fn some(number: f64) -> Option<f64> {
    (!number.is_nan()).then_some(number)
}
