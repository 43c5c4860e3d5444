//! Volume traded lately, estimated from steps of the rolling 24-hour sum.
//!
//! CoinGecko's volume is a sum over exchanges that drop out and come back: a single step says little, and many steps say much. One
//! jump is in one stride, and the median of fifteen does not move; a burst that lasts is in all of them.

use super::point::{Point, count_until};

/// A stride is at least this long: over less time, rounding and caches decide.
const STRIDE_MS_MIN: i64 = 20_000;

/// A stride is at most this long.
const STRIDE_MS_MAX: i64 = 600_000;

/// The median is that of this many rates.
const RATES: usize = 15;

/// Under this many rates there is no median.
const RATES_MIN: usize = 8;

const DAY_MS: f64 = 86_400_000.0;

/// The volume traded lately, relative to the daily average for that time: the median of the newest 15 rates of the strides that go
/// back from the last of these points to others after `oldest`. `None` under 8 rates.
#[inline(always)]
pub(super) fn volume_surge(points: &[Point], oldest: i64) -> Option<f64> {
    let (mut now, mut before) = points.split_last()?;
    let mut rates = Rates::default();
    while rates.count < RATES {
        let Some(at) = count_until(before, now.time - STRIDE_MS_MIN).checked_sub(1) else {
            break;
        };
        let then = &before[at];
        if then.time < now.time - STRIDE_MS_MAX || then.time <= oldest {
            break;
        }
        let rate = rate(then, now);
        if !rate.is_nan() {
            rates.add(rate);
        }
        (now, before) = (then, &before[..at]);
    }
    (rates.count >= RATES_MIN).then(|| rates.median())
}

/// The volume traded between two ticks, relative to the daily average for that time; NaN where a volume is absent or 0. The rolling
/// 24-hour sum changes by the volume that enters less the volume that leaves; the latter is assumed to be average.
#[inline(always)]
fn rate(then: &Point, now: &Point) -> f64 {
    if then.volume == 0.0 {
        return f64::NAN;
    }
    let days = (now.time - then.time) as f64 * (1.0 / DAY_MS);
    1.0 + (now.volume - then.volume) / (then.volume * days)
}

/// The smaller half of up to 15 rates, ascending: the median is the last of them.
struct Rates {
    smallest: [f64; RATES / 2 + 1],
    count: usize,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            smallest: [f64::INFINITY; RATES / 2 + 1],
            count: 0,
        }
    }
}

impl Rates {
    /// Puts a rate in its place, without branches: rates come in no order that could be foreseen.
    #[inline(always)]
    fn add(&mut self, mut rate: f64) {
        for kept in &mut self.smallest {
            let (low, high) = if rate < *kept {
                (rate, *kept)
            } else {
                (*kept, rate)
            };
            *kept = low;
            rate = high;
        }
        self.count += 1;
    }

    /// The middle one; of an even number, the mean of the middle two.
    #[inline(always)]
    fn median(&self) -> f64 {
        let upper = self.smallest[self.count / 2];
        if self.count % 2 == 1 {
            upper
        } else {
            f64::midpoint(self.smallest[self.count / 2 - 1], upper)
        }
    }
}
