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
/// back from the last of these points. `None` under 8 rates.
#[inline]
pub(super) fn volume_surge(points: &[Point]) -> Option<f64> {
    let (mut now, mut before) = points.split_last()?;
    let mut rates = [0.0; RATES];
    let mut count = 0;
    while count < RATES {
        let Some(at) = count_until(before, now.time - STRIDE_MS_MIN).checked_sub(1) else {
            break;
        };
        let then = &before[at];
        if now.time - then.time > STRIDE_MS_MAX {
            break;
        }
        let rate = rate(then, now);
        if !rate.is_nan() {
            rates[count] = rate;
            count += 1;
        }
        (now, before) = (then, &before[..at]);
    }
    (count >= RATES_MIN).then(|| median(&mut rates[..count]))
}

/// The volume traded between two ticks, relative to the daily average for that time; NaN where a volume is absent or 0. The rolling
/// 24-hour sum changes by the volume that enters less the volume that leaves; the latter is assumed to be average.
#[inline(always)]
fn rate(then: &Point, now: &Point) -> f64 {
    let gap_ms = (now.time - then.time) as f64;
    if then.volume == 0.0 {
        return f64::NAN;
    }
    1.0 + (now.volume - then.volume) / (then.volume * gap_ms / DAY_MS)
}

#[inline]
fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 {
        numbers[middle]
    } else {
        f64::midpoint(numbers[middle - 1], numbers[middle])
    }
}
