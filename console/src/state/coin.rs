//! One coin of the market: its row, its forecast and its newest points.

use std::collections::VecDeque;

use serde::Serialize;

use crate::state::points::Point;
use crate::state::records::{Features, Forecast, Prediction, Quote};

/// Models predict the next 15 minutes; an older forecast is no longer shown.
pub(super) const FORECAST_AGE_MAX_MS: i64 = 15 * 60_000;

/// A sparkline has one price for each minute of the last hour.
const SPARK_STEP_MS: i64 = 60_000;
pub(super) const SPARK_LEN: usize = 60;

#[derive(Debug)]
pub(super) struct Coin {
    pub row: Row,
    /// The event time that the forecast was made for.
    predicted_at: i64,
    /// The market's version when this coin last changed.
    pub changed: u64,
    /// Ascending in time.
    points: VecDeque<Point>,
}

/// A coin's line on the Market page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
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
    /// `[minute since the epoch, last price in it]`, ascending.
    spark: Vec<(i64, f64)>,
}

impl Coin {
    /// A coin seen for the first time.
    pub(crate) fn new(features: Features) -> Self {
        Self {
            points: VecDeque::from([features.point()]),
            row: Row {
                quote: features.quote,
                forecast: Forecast::default(),
            },
            predicted_at: i64::MIN,
            changed: 0,
        }
    }

    /// Takes a feature row in and keeps the newest `points_max` points. False for a tick older than the newest: the
    /// lake keeps it, the row and the chart do not show it.
    pub(crate) fn take_features(&mut self, features: Features, points_max: usize) -> bool {
        let point = features.point();
        match self.points.back() {
            Some(newest) if newest.time > point.time => return false,
            Some(newest) if newest.time == point.time => {
                self.points.pop_back();
            }
            _ => {}
        }
        while self.points.len() >= points_max {
            self.points.pop_front();
        }
        self.points.push_back(point);
        let age_ms = point.time.saturating_sub(self.predicted_at);
        if age_ms >= FORECAST_AGE_MAX_MS {
            self.row.forecast = Forecast::default();
        }
        self.row.quote = features.quote;
        true
    }

    /// Takes a prediction in. False for one that is outdated.
    pub(crate) fn take_prediction(&mut self, prediction: Prediction) -> bool {
        let event_time = &mut self.row.quote.event_time;
        let age_ms = event_time.saturating_sub(prediction.event_time);
        if prediction.event_time < self.predicted_at || age_ms >= FORECAST_AGE_MAX_MS {
            return false;
        }
        *event_time = prediction.event_time.max(*event_time);
        self.predicted_at = prediction.event_time;
        self.row.forecast = prediction.forecast;
        true
    }

    pub(crate) fn row_with_spark(&self) -> RowWithSpark {
        RowWithSpark {
            row: self.row.clone(),
            spark: self.spark(),
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

    /// The points after `time`, ascending.
    pub(crate) fn points_after(&self, time: i64) -> Vec<Point> {
        let first = self.points.partition_point(|point| point.time <= time);
        self.points.range(first..).copied().collect()
    }
}
