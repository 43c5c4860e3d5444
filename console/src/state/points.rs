//! The points of a coin's chart, and which of them to draw.

use std::ops::Range;

use serde::Serialize;

/// Digits of the band, which no table has.
const BAND_DIGITS: usize = 7;

/// One tick of a coin, with the features that its chart shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// Milliseconds since the epoch.
    pub time: i64,
    pub price: f64,
    pub ma_5m: Option<f64>,
    pub ma_15m: Option<f64>,
    pub volatility_15m: Option<f64>,
    pub samples_15m: u32,
    pub volume_24h: Option<f64>,
    pub zscore_15m: Option<f64>,
    /// Whether it is made from CoinGecko's history.
    pub backfilled: bool,
    pub outlook: Outlook,
}

/// What the models predict at a tick; all `None` where no model serves.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Outlook {
    pub anomaly_probability: Option<f64>,
    pub trend_up_probability: Option<f64>,
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
                .push(outlook.anomaly_probability);
            columns
                .trend_up_probability
                .push(outlook.trend_up_probability);
        }
        columns
    }
}

impl Point {
    /// The volatility band, `ma_15m * exp(±2 * volatility_15m * sqrt(samples_15m / 3))`: a random walk with this volatility
    /// stays within it, around its own mean, 95 % of the time.
    fn band(&self) -> Option<Range<f64>> {
        let reach = 2.0 * self.volatility_15m? * (f64::from(self.samples_15m) / 3.0).sqrt();
        let mean = self.ma_15m?;
        Some(mean * (-reach).exp()..mean * reach.exp())
    }
}

impl FromIterator<Point> for Columns {
    fn from_iter<I: IntoIterator<Item = Point>>(points: I) -> Self {
        let mut columns = Self::default();
        for point in points {
            let band = point.band();
            columns.time.push(point.time);
            columns.price.push(point.price);
            columns.ma_5m.push(point.ma_5m);
            columns.ma_15m.push(point.ma_15m);
            let edge = |edge: f64| rounded(edge, BAND_DIGITS);
            columns
                .band_low
                .push(band.as_ref().and_then(|band| edge(band.start)));
            columns
                .band_high
                .push(band.as_ref().and_then(|band| edge(band.end)));
            columns.volume_24h.push(point.volume_24h);
            columns.zscore_15m.push(point.zscore_15m);
            columns.backfilled.push(point.backfilled);
            let outlook = point.outlook;
            columns
                .anomaly_probability
                .push(outlook.anomaly_probability);
            columns
                .trend_up_probability
                .push(outlook.trend_up_probability);
        }
        columns
    }
}

/// A number with this many significant digits, which is shorter to send.
pub(crate) fn rounded(number: f64, digits: usize) -> Option<f64> {
    format!("{number:.*e}", digits - 1).parse().ok()
}

/// About `points_max` of `points`, which ascend in time: the lowest and the highest price of each stretch, so that no spike
/// is lost, and the newest point.
pub(crate) fn thin_out(points: Vec<Point>, points_max: usize) -> Vec<Point> {
    if points.len() <= points_max {
        return points;
    }
    let stretch = points.len().div_ceil(points_max / 2);
    let mut thinned: Vec<Point> = Vec::with_capacity(points_max + 1);
    for stretch in points.chunks(stretch) {
        let by_price = |a: &&Point, b: &&Point| a.price.total_cmp(&b.price);
        let low = stretch.iter().min_by(by_price);
        let high = stretch.iter().max_by(by_price);
        let mut both: Vec<&Point> = low.into_iter().chain(high).collect();
        both.sort_by_key(|point| point.time);
        both.dedup_by_key(|point| point.time);
        thinned.extend(both.into_iter().copied());
    }
    if let Some(newest) = points
        .last()
        .filter(|newest| thinned.last() != Some(newest))
    {
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
            ma_5m: None,
            ma_15m: Some(100.0),
            volatility_15m: Some(0.01),
            samples_15m: 12,
            volume_24h: None,
            zscore_15m: None,
            backfilled: false,
            outlook: Outlook::default(),
        }
    }

    #[test]
    fn thinning_out_keeps_spikes_and_the_newest_point() {
        let mut points: Vec<_> = (0..10_000).map(|i| point(i, 100.0)).collect();
        points[5_003].price = 200.0;
        points[7_777].price = 50.0;
        let thinned = thin_out(points, 100);
        assert!(thinned.len() <= 101, "{}", thinned.len());
        assert_eq!(thinned.last().map(|point| point.time), Some(9_999));
        assert!(thinned.iter().any(|point| point.price == 200.0));
        assert!(thinned.iter().any(|point| point.price == 50.0));
        assert!(thinned.is_sorted_by_key(|point| point.time));
    }

    #[test]
    fn the_band_lies_around_the_mean() {
        let band = point(0, 1.0).band().unwrap();
        // 2 * 0.01 * sqrt(12 / 3) = 0.04
        assert!((band.start - 100.0 * (-0.04_f64).exp()).abs() < 1e-9);
        assert!((band.end - 100.0 * 0.04_f64.exp()).abs() < 1e-9);
    }
}
