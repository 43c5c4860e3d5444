//! Sums of squared log_returns, over any stretch of ticks in constant time.
//!
//! The sums run on from tick to tick, in integers: no rounding error accumulates, and the difference of two sums is the same
//! whatever came before them.

/// One in the fixed-point numbers that squares are added up in.
const ONE: f64 = (1_u128 << 84) as f64;

/// With fewer log_returns their deviation is undefined.
const RETURNS_MIN: u32 = 8;

/// The least deviation of a minute's log_return: prices are rounded.
const DEVIATION_MIN: f64 = 1e-5;

const MINUTE_MS: f64 = 60_000.0;

/// What a stretch of ticks adds up to. Wraps around: only differences count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Returns {
    /// Of log_returns, in units of 1 / [`ONE`].
    squares: u128,
    /// The time between the two ticks of each log_return.
    span_ms: i64,
    count: u32,
}

impl Returns {
    /// A single log_return, and the time that it spans. One that is infinite says nothing.
    pub(super) fn of_one(log_return: f64, span_ms: i64) -> Self {
        if !log_return.is_finite() {
            return Self::default();
        }
        Self {
            squares: (log_return * log_return * ONE) as u128,
            span_ms,
            count: 1,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            squares: self.squares.wrapping_add(other.squares),
            span_ms: self.span_ms.wrapping_add(other.span_ms),
            count: self.count.wrapping_add(other.count),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            squares: self.squares.wrapping_sub(other.squares),
            span_ms: self.span_ms.wrapping_sub(other.span_ms),
            count: self.count.wrapping_sub(other.count),
        }
    }

    /// A log_return over `span_ms`, in the standard deviations that these let expect for that time; `None` under 8 of them.
    pub(super) fn zscore(&self, log_return: f64, span_ms: i64) -> Option<f64> {
        if self.count < RETURNS_MIN {
            return None;
        }
        let minutes = self.span_ms as f64 / MINUTE_MS;
        let variance = self.squares as f64 / ONE / minutes;
        let deviation = variance.sqrt().max(DEVIATION_MIN);
        Some(log_return / (deviation * (span_ms as f64 / MINUTE_MS).sqrt()))
    }
}

/// Running sums: one more than there are ticks, each over the ticks before its place.
#[derive(Debug, Clone)]
pub(super) struct RunningReturns {
    sums: Vec<Returns>,
}

impl Default for RunningReturns {
    fn default() -> Self {
        Self {
            sums: vec![Returns::default()],
        }
    }
}

impl RunningReturns {
    /// Takes the room for `ticks` more.
    pub(super) fn reserve(&mut self, ticks: usize) {
        self.sums.reserve_exact(ticks);
    }

    /// Adds a tick at `place`.
    pub(super) fn insert(&mut self, place: usize, returns: Returns) {
        let sum = self.sums[place].plus(returns);
        if place + 1 == self.sums.len() {
            self.sums.push(sum);
        } else {
            self.sums.insert(place + 1, sum);
            for sum in &mut self.sums[place + 2..] {
                *sum = sum.plus(returns);
            }
        }
    }

    /// Frees the first `count` ticks.
    pub(super) fn forget(&mut self, count: usize) {
        self.sums.drain(..count);
    }

    /// The sum over the ticks `from..to`.
    pub(super) fn between(&self, from: usize, to: usize) -> Returns {
        self.sums[to].minus(self.sums[from])
    }
}
