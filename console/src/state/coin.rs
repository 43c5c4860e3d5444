//! One coin of the market: its row, its forecast and its newest points.

use std::collections::VecDeque;

use serde::Serialize;
use trainer::data::AHEAD_MS;

use crate::state::points::{Outlook, Point, rounded};
use crate::state::records::{Features, Forecast, Prediction, Quote};

/// A forecast that is older than this beside the coin's newest tick is no longer shown: models look no farther ahead.
pub(super) const FORECAST_AGE_MAX_MS: i64 = AHEAD_MS;

/// A sparkline has one price for each minute of the last hour.
const SPARK_STEP_MS: i64 = 60_000;
pub(super) const SPARK_LEN: usize = 60;

#[derive(Debug)]
pub(super) struct Coin {
    pub row: Row,
    /// The event time that the newest forecast was made for.
    predicted_at: Option<i64>,
    /// The market's version when this coin last changed.
    pub changed: u64,
    /// Ascending in time.
    points: VecDeque<Point>,
}

/// A coin's line on the Market page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// What CoinGecko calls it; `None` until known.
    pub name: Option<String>,
    #[serde(flatten)]
    pub quote: Quote,
    #[serde(flatten)]
    pub forecast: Forecast,
}

/// A row with the prices of the last hour.
#[derive(Debug, Serialize)]
pub(crate) struct RowWithSpark {
    #[serde(flatten)]
    pub row: Row,
    spark: Spark,
}

/// The last price of every minute of an hour, as small as a picture of 30 pixels allows.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Spark {
    /// The first minute, since the epoch.
    minute: i64,
    /// From that minute on, with six significant digits; `None` for a minute without a price.
    prices: Vec<Option<f64>>,
}

impl Spark {
    /// Of minutes and prices, ascending.
    fn of(minutes: &[(i64, f64)]) -> Self {
        let mut spark = Self {
            minute: minutes.first().map_or(0, |(minute, _)| *minute),
            prices: Vec::with_capacity(SPARK_LEN),
        };
        for &(minute, price) in minutes {
            let place = usize::try_from(minute - spark.minute).unwrap_or(0);
            spark.prices.resize(place, None);
            spark.prices.push(rounded(price, 6));
        }
        spark
    }
}

impl Coin {
    /// A coin seen for the first time.
    pub(crate) fn new(features: Features) -> Self {
        Self {
            points: VecDeque::from([features.point]),
            row: Row {
                name: None,
                quote: features.quote,
                forecast: Forecast::default(),
            },
            predicted_at: None,
            changed: 0,
        }
    }

    /// Takes a feature row in and keeps the newest `points_max` points. Returns whether the coin changed: a tick older than the newest
    /// is ignored.
    pub(crate) fn take_features(&mut self, features: Features, points_max: usize) -> bool {
        let mut point = features.point;
        if self.predicted_at == Some(point.time) {
            point.outlook = self.row.forecast.outlook();
        }
        match self.points.back() {
            Some(newest) if newest.time > point.time => return false,
            Some(newest) if newest.time == point.time => {
                self.points.pop_back();
            }
            _ => {}
        }
        // Before there is one too many, for which the room would double.
        while self.points.len() >= points_max {
            self.points.pop_front();
        }
        self.points.push_back(point);
        if self
            .predicted_at
            .is_some_and(|at| is_outdated(at, point.time))
        {
            self.row.forecast = Forecast::default();
        }
        self.row.quote = features.quote;
        true
    }

    /// Takes a prediction in, which may come before the tick it was made for. Returns whether the coin changed: an outdated one is ignored.
    pub(crate) fn take_prediction(&mut self, prediction: Prediction) -> bool {
        let made_for = prediction.event_time;
        let forecast = prediction.forecast();
        if let Ok(place) = self
            .points
            .binary_search_by_key(&made_for, |point| point.time)
        {
            self.points[place].outlook = forecast.outlook();
        }
        if self.predicted_at.is_some_and(|newest| newest > made_for)
            || is_outdated(made_for, self.row.quote.event_time)
        {
            return false;
        }
        self.predicted_at = Some(made_for);
        self.row.forecast = forecast;
        true
    }

    pub(crate) fn row_with_spark(&self) -> RowWithSpark {
        RowWithSpark {
            row: self.row.clone(),
            spark: Spark::of(&self.spark()),
        }
    }

    /// The last price of every minute that has one, within the hour before the newest point.
    pub(crate) fn spark(&self) -> Vec<(i64, f64)> {
        let mut spark: Vec<(i64, f64)> = Vec::with_capacity(SPARK_LEN);
        let newest = self.points.back();
        let newest = newest.map_or(0, |point| point.time / SPARK_STEP_MS);
        for point in &self.points {
            let minute = point.time / SPARK_STEP_MS;
            if minute <= newest - SPARK_LEN as i64 {
                continue;
            }
            match spark.last_mut() {
                Some(last) if last.0 == minute => last.1 = point.price,
                _ => spark.push((minute, point.price)),
            }
        }
        spark
    }

    /// The predictions of ticks after `time` that have any, ascending.
    pub(crate) fn outlooks_after(&self, time: i64) -> Vec<(i64, Outlook)> {
        let first = self.points.partition_point(|point| point.time <= time);
        let points = self.points.range(first..);
        let outlooks = points.map(|point| (point.time, point.outlook));
        outlooks
            .filter(|(_, outlook)| !outlook.is_empty())
            .collect()
    }

    /// The points after `time`, ascending.
    pub(crate) fn points_after(&self, time: i64) -> Vec<Point> {
        let first = self.points.partition_point(|point| point.time <= time);
        self.points.range(first..).copied().collect()
    }
}

/// Whether a forecast made for a tick is too old beside a newer one.
fn is_outdated(made_for: i64, newest: i64) -> bool {
    newest.saturating_sub(made_for) >= FORECAST_AGE_MAX_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spark_has_a_place_for_each_minute_and_six_digits() {
        let spark = Spark::of(&[(70, 42_001.456_789), (71, 0.000_001_234_567_8), (74, 1.0)]);
        let wanted = Spark {
            minute: 70,
            prices: vec![Some(42_001.5), Some(1.234_57e-6), None, None, Some(1.0)],
        };
        assert_eq!(spark, wanted);
        assert!(Spark::of(&[]).prices.is_empty());
    }
}
