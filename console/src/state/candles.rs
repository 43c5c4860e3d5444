//! Candles: the first, highest, lowest and last price of each stretch of time.

use serde::Serialize;

use crate::state::points::Point;

/// A stretch is one of these; a shorter one would hold a tick or two, polled once a minute.
const MINUTES: [i64; 6] = [5, 15, 30, 60, 240, 1_440];
const CANDLES_MAX: i64 = 170;

/// Candles as columns.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Candles {
    /// Length of a stretch. Stretches begin at multiples of it.
    pub stretch_ms: i64,
    /// When each begins.
    time: Vec<i64>,
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
}

impl Candles {
    /// Those of all ticks of a chart over `range_ms`, which ascend in time. A stretch without a tick has none.
    pub(crate) fn of(points: &[Point], range_ms: i64) -> Self {
        let stretches = MINUTES.map(|minutes| minutes * 60_000);
        let fits = |stretch: &i64| range_ms <= *stretch * CANDLES_MAX;
        let longest = stretches[stretches.len() - 1];
        let stretch_ms = stretches.into_iter().find(fits).unwrap_or(longest);
        let mut candles = Self {
            stretch_ms,
            ..Self::default()
        };
        for point in points {
            candles.take(point);
        }
        candles
    }

    fn take(&mut self, point: &Point) {
        let begin = point.time - point.time.rem_euclid(self.stretch_ms);
        if self.time.last() == Some(&begin) {
            let last = self.time.len() - 1;
            self.high[last] = self.high[last].max(point.price);
            self.low[last] = self.low[last].min(point.price);
            self.close[last] = point.price;
            return;
        }
        self.time.push(begin);
        for column in [
            &mut self.open,
            &mut self.high,
            &mut self.low,
            &mut self.close,
        ] {
            column.push(point.price);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::maybe::MaybeF64;
    use crate::state::points::Outlook;

    const MINUTE: i64 = 60_000;

    fn ticks(prices: &[(i64, f64)]) -> Vec<Point> {
        let point = |&(minute, price): &(i64, f64)| Point {
            time: minute * MINUTE,
            price,
            ma_5m: MaybeF64::NONE,
            ma_15m: MaybeF64::NONE,
            volatility_15m: MaybeF64::NONE,
            samples_15m: 0,
            volume_24h: MaybeF64::NONE,
            zscore_15m: MaybeF64::NONE,
            backfilled: false,
            outlook: Outlook::default(),
        };
        prices.iter().map(point).collect()
    }

    #[test]
    fn a_candle_has_the_first_highest_lowest_and_last_price_of_its_stretch() {
        let ticks = ticks(&[(4, 9.0), (5, 3.0), (6, 7.0), (7, 1.0), (9, 4.0), (20, 5.0)]);
        let wanted = Candles {
            stretch_ms: 5 * MINUTE,
            time: vec![0, 5 * MINUTE, 20 * MINUTE],
            open: vec![9.0, 3.0, 5.0],
            high: vec![9.0, 7.0, 5.0],
            low: vec![9.0, 1.0, 5.0],
            close: vec![9.0, 4.0, 5.0],
        };
        assert_eq!(Candles::of(&ticks, 60 * MINUTE), wanted);
    }

    #[test]
    fn a_longer_range_has_longer_stretches() {
        let stretch = |days: i64| Candles::of(&[], days * 1_440 * MINUTE).stretch_ms / MINUTE;
        assert_eq!([1, 7, 28, 365].map(stretch), [15, 60, 240, 1_440]);
        assert_eq!(Candles::of(&[], i64::MAX).stretch_ms, 1_440 * MINUTE);
        assert_eq!(Candles::of(&ticks(&[(-1, 2.0)]), 0).time, [-5 * MINUTE]);
    }
}
