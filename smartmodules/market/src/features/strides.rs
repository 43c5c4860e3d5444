//! Volume traded lately, estimated from steps of the rolling 24-hour sum.
//!
//! CoinGecko's volume is a sum over exchanges that drop out and come back: a single step says little, and many steps say much. A
//! jump affects one stride, which hardly moves the median; a lasting burst affects all of them.

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

/// The stride that goes back from a tick.
#[derive(Debug, Clone, Copy, Default)]
struct Stride {
    rate: Rate,
    /// How many places back it leads; 0 where it leads nowhere.
    back: usize,
}

impl Stride {
    /// Of the tick at `place`.
    #[inline(always)]
    fn of(points: &[Point], place: usize) -> Self {
        let (now, before) = (&points[place], &points[..place]);
        match count_until(before, now.time - STRIDE_MS_MIN).checked_sub(1) {
            Some(then) if before[then].time >= now.time - STRIDE_MS_MAX => Self {
                rate: Rate::new(rate(&before[then], now)),
                back: place - then,
            },
            _ => Self::default(),
        }
    }
}

/// The stride of each tick of a series, computed when it arrives.
#[derive(Debug, Clone, Default)]
pub(super) struct Strides(Vec<Stride>);

impl Strides {
    /// Takes the room for those of `ticks` more ticks.
    pub(super) fn reserve(&mut self, ticks: usize) {
        self.0.reserve_exact(ticks);
    }

    /// Adds that of the tick at `place`, which is one of the points already.
    #[inline(always)]
    pub(super) fn insert(&mut self, points: &[Point], place: usize) {
        let stride = Stride::of(points, place);
        if place == self.0.len() {
            self.0.push(stride);
            return;
        }
        self.0.insert(place, stride);
        // Those of later ticks may lead to this one now, or lead over it.
        let reached = points[place].time + STRIDE_MS_MAX;
        for later in place + 1..points.len() {
            if points[later].time > reached {
                break;
            }
            self.0[later] = Stride::of(points, later);
        }
    }

    /// Frees those of the first `count` ticks.
    pub(super) fn forget(&mut self, count: usize) {
        self.0.drain(..count);
    }

    /// The volume traded lately, relative to the daily average for that time: the median of the newest 15 rates of the strides that
    /// go back from the tick at `place` to others after `oldest`. `None` under 8 rates.
    #[inline(always)]
    pub(super) fn volume_surge(&self, points: &[Point], place: usize, oldest: i64) -> Option<f64> {
        let mut rates = Rates::default();
        let mut at = place;
        while rates.count < RATES {
            let stride = self.0[at];
            let then = at.wrapping_sub(stride.back);
            // Out of bounds: the tick it led to is freed, and older than all that counts.
            if stride.back == 0 || points.get(then).is_none_or(|then| then.time <= oldest) {
                break;
            }
            if stride.rate != Rate::NONE {
                rates.add(stride.rate);
            }
            at = then;
        }
        (rates.count >= RATES_MIN).then(|| rates.median())
    }
}

/// The volume traded between two ticks, relative to the daily average for that time; NaN where a volume is absent or the earlier
/// one is 0. The rolling 24-hour sum changes by the volume that enters less the volume that leaves; the latter is assumed to be average.
#[inline(always)]
fn rate(then: &Point, now: &Point) -> f64 {
    if then.volume == 0.0 {
        return f64::NAN;
    }
    let days = (now.time - then.time) as f64 * (1.0 / DAY_MS);
    1.0 + (now.volume - then.volume) / (then.volume * days)
}

/// A rate as an integer that is ordered as the rate is: comparing integers takes no branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rate(i64);

impl Rate {
    /// Above all others, as NaN.
    const NONE: Self = Self(i64::MAX);

    fn new(rate: f64) -> Self {
        match rate.is_nan() {
            true => Self::NONE,
            false => Self(Self::flip(rate.to_bits() as i64)),
        }
    }

    fn get(self) -> f64 {
        f64::from_bits(Self::flip(self.0) as u64)
    }

    /// Reverses the order of negative numbers.
    fn flip(bits: i64) -> i64 {
        bits ^ ((bits >> 63) as u64 >> 1) as i64
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self::NONE
    }
}

/// The smaller half of up to 15 rates, ascending: the median is the last of them.
#[derive(Default)]
struct Rates {
    smallest: [Rate; RATES / 2 + 1],
    count: usize,
}

impl Rates {
    /// Puts a rate in its place, without branches: rates come in no order that could be foreseen.
    #[inline(always)]
    fn add(&mut self, mut rate: Rate) {
        for kept in &mut self.smallest {
            (*kept, rate) = (rate.min(*kept), rate.max(*kept));
        }
        self.count += 1;
    }

    /// The middle one; of an even number, the mean of the middle two.
    #[inline(always)]
    fn median(&self) -> f64 {
        let upper = self.smallest[self.count / 2].get();
        if self.count % 2 == 1 {
            upper
        } else {
            f64::midpoint(self.smallest[self.count / 2 - 1].get(), upper)
        }
    }
}
