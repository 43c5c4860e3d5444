//! The points of a coin's chart, and which of them to draw.

use std::ops::Range;

use serde::Serialize;

use crate::state::maybe::MaybeF64;

/// Digits of the band, which no table has.
const BAND_DIGITS: usize = 7;
/// Points that are kept of a stretch that has more.
const EXTREMES: usize = 4;

/// One tick of a coin, with the features that its chart shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// Milliseconds since the epoch.
    pub time: i64,
    pub price: f64,
    pub ma_5m: MaybeF64,
    pub ma_15m: MaybeF64,
    pub volatility_15m: MaybeF64,
    pub samples_15m: u32,
    pub volume_24h: MaybeF64,
    pub zscore_15m: MaybeF64,
    /// Whether it is made from CoinGecko's history.
    pub backfilled: bool,
    pub outlook: Outlook,
}

/// What the models predict at a tick; nothing where no model serves.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Outlook {
    pub anomaly_probability: MaybeF64,
    pub trend_up_probability: MaybeF64,
}

impl Outlook {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Points as columns, the form that uPlot takes.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Columns {
    time: Vec<i64>,
    price: Vec<f64>,
    ma_5m: Vec<Option<f64>>,
    ma_15m: Vec<Option<f64>>,
    band_low: Vec<Option<f64>>,
    band_high: Vec<Option<f64>>,
    volume_24h: Vec<Option<f64>>,
    zscore_15m: Vec<Option<f64>>,
    backfilled: Vec<bool>,
    anomaly_probability: Vec<Option<f64>>,
    trend_up_probability: Vec<Option<f64>>,
}

/// Predictions as columns, for ticks whose points have gone out before.
#[derive(Debug, Default, Serialize)]
pub(crate) struct OutlookColumns {
    time: Vec<i64>,
    anomaly_probability: Vec<Option<f64>>,
    trend_up_probability: Vec<Option<f64>>,
}

impl FromIterator<(i64, Outlook)> for OutlookColumns {
    fn from_iter<I: IntoIterator<Item = (i64, Outlook)>>(outlooks: I) -> Self {
        let mut columns = Self::default();
        for (time, outlook) in outlooks {
            columns.time.push(time);
            columns
                .anomaly_probability
                .push(outlook.anomaly_probability.get());
            columns
                .trend_up_probability
                .push(outlook.trend_up_probability.get());
        }
        columns
    }
}

impl Point {
    /// The volatility band, `ma_15m * exp(±2 * volatility_15m * sqrt(samples_15m / 3))`: a random walk with this volatility
    /// stays within it, around its own mean, 95 % of the time.
    fn band(&self) -> Option<Range<f64>> {
        let reach = 2.0 * self.volatility_15m.get()? * (f64::from(self.samples_15m) / 3.0).sqrt();
        let mean = self.ma_15m.get()?;
        Some(mean * (-reach).exp()..mean * reach.exp())
    }

    /// The same point, shorter to send; its price is as it was.
    fn with_fewer_digits(self) -> Self {
        let fewer = |number: MaybeF64, digits| {
            let number = number.get();
            MaybeF64::from(number.and_then(|number| rounded(number, digits)))
        };
        Self {
            ma_5m: fewer(self.ma_5m, 6),
            ma_15m: fewer(self.ma_15m, 6),
            volume_24h: fewer(self.volume_24h, 5),
            zscore_15m: fewer(self.zscore_15m, 3),
            outlook: Outlook {
                anomaly_probability: fewer(self.outlook.anomaly_probability, 3),
                trend_up_probability: fewer(self.outlook.trend_up_probability, 3),
            },
            ..self
        }
    }
}

impl FromIterator<Point> for Columns {
    fn from_iter<I: IntoIterator<Item = Point>>(points: I) -> Self {
        let mut columns = Self::default();
        for point in points {
            let band = point.band();
            columns.time.push(point.time);
            columns.price.push(point.price);
            columns.ma_5m.push(point.ma_5m.get());
            columns.ma_15m.push(point.ma_15m.get());
            let edge = |edge: f64| rounded(edge, BAND_DIGITS);
            columns
                .band_low
                .push(band.as_ref().and_then(|band| edge(band.start)));
            columns
                .band_high
                .push(band.as_ref().and_then(|band| edge(band.end)));
            columns.volume_24h.push(point.volume_24h.get());
            columns.zscore_15m.push(point.zscore_15m.get());
            columns.backfilled.push(point.backfilled);
            let outlook = point.outlook;
            columns
                .anomaly_probability
                .push(outlook.anomaly_probability.get());
            columns
                .trend_up_probability
                .push(outlook.trend_up_probability.get());
        }
        columns
    }
}

/// A number with this many significant digits, which is shorter to send.
pub(crate) fn rounded(number: f64, digits: usize) -> Option<f64> {
    format!("{number:.*e}", digits - 1).parse().ok()
}

/// At most about `points_max` of `points`, which ascend in time: of each stretch those with the lowest and the highest price, with the
/// z-score farthest from 0 and with the likeliest anomaly, so that no spike is lost, and the first and the newest of all. What is made
/// of prices has fewer digits then, but for the newest: nobody sees more of them.
pub(crate) fn thin_out(points: Vec<Point>, points_max: usize) -> Vec<Point> {
    if points.len() <= points_max {
        return points;
    }
    let length = points.len().div_ceil((points_max / EXTREMES).max(1));
    let mut thinned: Vec<Point> = Vec::with_capacity(points_max + EXTREMES);
    thinned.extend(points.first());
    for stretch in points.chunks(length) {
        let by = |of: fn(&Point) -> f64| stretch.iter().max_by(|a, b| of(a).total_cmp(&of(b)));
        let extremes: [Option<&Point>; EXTREMES] = [
            by(|point| -point.price),
            by(|point| point.price),
            by(|point| point.zscore_15m.get().map_or(0.0, f64::abs)),
            by(|point| point.outlook.anomaly_probability.get().unwrap_or(0.0)),
        ];
        thinned.extend(extremes.into_iter().flatten());
    }
    thinned.sort_by_key(|point| point.time);
    thinned.dedup_by_key(|point| point.time);
    let mut thinned: Vec<Point> = thinned.into_iter().map(Point::with_fewer_digits).collect();
    // As it is: pages show the values of the newest.
    if let Some(newest) = points.last() {
        thinned.pop_if(|last| last.time == newest.time);
        thinned.push(*newest);
    }
    thinned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(time: i64, price: f64) -> Point {
        Point {
            time,
            price,
            ma_5m: MaybeF64::NONE,
            ma_15m: Some(100.0).into(),
            volatility_15m: Some(0.01).into(),
            samples_15m: 12,
            volume_24h: MaybeF64::NONE,
            zscore_15m: MaybeF64::NONE,
            backfilled: false,
            outlook: Outlook::default(),
        }
    }

    #[test]
    fn thinning_out_keeps_spikes_and_both_ends() {
        let mut points: Vec<_> = (0..10_000).map(|i| point(i, 100.0)).collect();
        points[5_003].price = 200.0;
        points[7_777].price = 50.123_456_789;
        points[3_001].zscore_15m = Some(-9.0).into();
        points[3_002].outlook.anomaly_probability = Some(0.5).into();
        let thinned = thin_out(points.clone(), 100);
        assert!(thinned.len() <= 102, "{}", thinned.len());
        assert!(thinned.is_sorted_by_key(|point| point.time));
        let times: Vec<_> = thinned.iter().map(|point| point.time).collect();
        for kept in [0, 3_001, 3_002, 5_003, 7_777, 9_999] {
            assert!(times.contains(&kept), "{kept}");
        }
        assert!(thinned.iter().any(|point| point.price == 50.123_456_789));
        assert_eq!(thin_out(points.clone(), 10_000), points);
    }

    /// There are 128,000 of them.
    #[test]
    fn a_point_takes_80_bytes() {
        assert_eq!(size_of::<Point>(), 80);
    }

    #[test]
    fn what_a_point_does_not_have_is_null() {
        let columns = Columns::from_iter([point(0, 1.0)]);
        let shown = serde_json::to_value(&columns).unwrap();
        assert_eq!(shown["ma_15m"][0], 100.0);
        for none in [
            "ma_5m",
            "volume_24h",
            "zscore_15m",
            "anomaly_probability",
            "trend_up_probability",
        ] {
            assert_eq!(shown[none], serde_json::json!([null]), "{none}");
        }
        assert!(point(0, 1.0).outlook.is_empty());
    }

    #[test]
    fn the_band_lies_around_the_mean() {
        let band = point(0, 1.0).band().unwrap();
        // 2 * 0.01 * sqrt(12 / 3) = 0.04
        assert!((band.start - 100.0 * (-0.04_f64).exp()).abs() < 1e-9);
        assert!((band.end - 100.0 * 0.04_f64.exp()).abs() < 1e-9);
    }
}
