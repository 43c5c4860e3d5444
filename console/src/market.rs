//! The market as it is now: every coin's newest row and its last points, from crypto-features and crypto-predictions.
//!
//! Always true: memory is bounded. All coins together hold about [`POINTS_TOTAL`] points, and there are at most
//! [`COINS_MAX`] coins; the one that has been silent longest makes room.

use std::collections::{HashMap, VecDeque};

use connector_runtime::reader::Record;
use serde::{Deserialize, Serialize};

use crate::follow::Doubles;
use crate::points::Point;

const COINS_MAX: usize = 5_000;
const POINTS_TOTAL: usize = 300_000;
const POINTS_OF_A_COIN_MIN: usize = 64;
const POINTS_OF_A_COIN_MAX: usize = 512;

/// A prediction is about so long: what is older has come true or not.
const PREDICTION_AGE_MAX_MS: i64 = 15 * 60_000;

/// A sparkline has a price a minute, of the last hour.
const SPARK_STEP_MS: i64 = 60_000;
const SPARK_LEN: usize = 60;

/// Every coin.
#[derive(Debug, Default)]
pub(crate) struct Market {
    coins: HashMap<String, Coin>,
    /// Raised with every change, so that whoever has seen the market knows what is new to him.
    version: u64,
    feature_doubles: Doubles,
    prediction_doubles: Doubles,
}

#[derive(Debug)]
struct Coin {
    row: Row,
    /// The event time that the row's probabilities belong to.
    predicted_at: i64,
    changed: u64,
    points: VecDeque<Point>,
}

/// A coin's line on the Market page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    coin: String,
    symbol: String,
    event_time: i64,
    price: f64,
    market_cap: Option<f64>,
    volume_24h: Option<f64>,
    change_24h_pct: Option<f64>,
    return_1m: Option<f64>,
    return_5m: Option<f64>,
    return_15m: Option<f64>,
    zscore_15m: Option<f64>,
    volume_surge: Option<f64>,
    anomaly_probability: Option<f64>,
    trend_up_probability: Option<f64>,
    anomaly_model: Option<String>,
    trend_model: Option<String>,
}

/// A row with the prices of the last hour.
#[derive(Debug, Serialize)]
pub(crate) struct RowWithSpark {
    #[serde(flatten)]
    row: Row,
    /// `[minute since the epoch, last price in it]`, ascending.
    spark: Vec<(i64, f64)>,
}

/// What crypto-features holds, as far as it is shown.
#[derive(Deserialize)]
struct Features {
    source_offset: i64,
    coin: String,
    symbol: String,
    event_time: i64,
    price: f64,
    market_cap: Option<f64>,
    volume_24h: Option<f64>,
    change_24h_pct: Option<f64>,
    ma_5m: Option<f64>,
    ma_15m: Option<f64>,
    samples_15m: Option<u32>,
    volatility_15m: Option<f64>,
    return_1m: Option<f64>,
    return_5m: Option<f64>,
    return_15m: Option<f64>,
    zscore_15m: Option<f64>,
    volume_surge: Option<f64>,
}

/// What crypto-predictions holds, as far as it is shown.
#[derive(Deserialize)]
struct Prediction {
    source_offset: i64,
    coin: String,
    event_time: i64,
    anomaly_probability: Option<f64>,
    trend_up_probability: Option<f64>,
    anomaly_model: Option<String>,
    trend_model: Option<String>,
}

impl Features {
    fn point(&self) -> Point {
        Point {
            time: self.event_time,
            price: self.price,
            ma_5m: self.ma_5m,
            ma_15m: self.ma_15m,
            volatility_15m: self.volatility_15m,
            samples_15m: self.samples_15m.unwrap_or(0),
        }
    }
}

/// A record of crypto-features as a point of its coin's chart.
pub(crate) fn point_of(record: &Record) -> Option<Point> {
    let features: Features = serde_json::from_slice(&record.value).ok()?;
    Some(features.point())
}

impl Market {
    /// Takes records of crypto-features in. One that is none is passed over: a console looks on.
    pub fn take_features(&mut self, partition: u32, records: &[Record]) {
        for record in records {
            if let Ok(features) = serde_json::from_slice::<Features>(&record.value)
                && !self
                    .feature_doubles
                    .is_double(partition, record, features.source_offset)
            {
                self.take_row(features);
            }
        }
    }

    fn take_row(&mut self, features: Features) {
        self.version += 1;
        let points_max = (POINTS_TOTAL / self.coins.len().max(1))
            .clamp(POINTS_OF_A_COIN_MIN, POINTS_OF_A_COIN_MAX);
        if !self.coins.contains_key(&features.coin) {
            self.make_room();
        }
        let point = features.point();
        let coin = self
            .coins
            .entry(features.coin.clone())
            .or_insert_with(|| Coin {
                row: Row::unseen(&features.coin),
                predicted_at: i64::MIN,
                changed: 0,
                points: VecDeque::new(),
            });
        match coin.points.back() {
            // A tick that came late is a matter for the lake; here the newest counts.
            Some(newest) if newest.time > point.time => return,
            Some(newest) if newest.time == point.time => {
                coin.points.pop_back();
            }
            _ => {}
        }
        while coin.points.len() >= points_max {
            coin.points.pop_front();
        }
        coin.points.push_back(point);
        coin.changed = self.version;
        let age_ms = features.event_time.saturating_sub(coin.predicted_at);
        let predicted = age_ms < PREDICTION_AGE_MAX_MS;
        coin.row = Row {
            coin: features.coin,
            symbol: features.symbol,
            event_time: features.event_time,
            price: features.price,
            market_cap: features.market_cap,
            volume_24h: features.volume_24h,
            change_24h_pct: features.change_24h_pct,
            return_1m: features.return_1m,
            return_5m: features.return_5m,
            return_15m: features.return_15m,
            zscore_15m: features.zscore_15m,
            volume_surge: features.volume_surge,
            anomaly_probability: coin.row.anomaly_probability.filter(|_| predicted),
            trend_up_probability: coin.row.trend_up_probability.filter(|_| predicted),
            anomaly_model: coin.row.anomaly_model.take().filter(|_| predicted),
            trend_model: coin.row.trend_model.take().filter(|_| predicted),
        };
    }

    fn make_room(&mut self) {
        if self.coins.len() < COINS_MAX {
            return;
        }
        let silent = self
            .coins
            .iter()
            .min_by_key(|(_, coin)| coin.row.event_time)
            .map(|(name, _)| name.clone());
        if let Some(name) = silent {
            self.coins.remove(&name);
        }
    }

    /// Takes records of crypto-predictions in.
    pub fn take_predictions(&mut self, partition: u32, records: &[Record]) {
        for record in records {
            let Ok(prediction) = serde_json::from_slice::<Prediction>(&record.value) else {
                continue;
            };
            if self
                .prediction_doubles
                .is_double(partition, record, prediction.source_offset)
            {
                continue;
            }
            // Of a coin whose features have not come by yet, the next prediction will do.
            let Some(coin) = self.coins.get_mut(&prediction.coin) else {
                continue;
            };
            let age_ms = coin.row.event_time.saturating_sub(prediction.event_time);
            if prediction.event_time < coin.predicted_at || age_ms >= PREDICTION_AGE_MAX_MS {
                continue;
            }
            self.version += 1;
            coin.changed = self.version;
            coin.predicted_at = prediction.event_time;
            coin.row.anomaly_probability = prediction.anomaly_probability;
            coin.row.trend_up_probability = prediction.trend_up_probability;
            coin.row.anomaly_model = prediction.anomaly_model;
            coin.row.trend_model = prediction.trend_model;
            coin.row.event_time = coin.row.event_time.max(prediction.event_time);
        }
    }

    /// Every coin, with the version this is.
    pub fn rows(&self) -> (u64, Vec<RowWithSpark>) {
        let rows = self.coins.values().map(|coin| RowWithSpark {
            row: coin.row.clone(),
            spark: spark(&coin.points),
        });
        (self.version, rows.collect())
    }

    /// The coins that have changed since a version, with the version this is.
    pub fn rows_since(&self, version: u64) -> (u64, Vec<Row>) {
        let changed = self.coins.values().filter(|coin| coin.changed > version);
        (self.version, changed.map(|coin| coin.row.clone()).collect())
    }

    /// The newest event time of all coins: the market's now.
    pub fn newest_time(&self) -> Option<i64> {
        self.coins.values().map(|coin| coin.row.event_time).max()
    }

    /// A coin's points after a time that are still held here.
    pub fn points_after(&self, coin: &str, time: i64) -> Vec<Point> {
        let Some(coin) = self.coins.get(coin) else {
            return Vec::new();
        };
        let first = coin.points.partition_point(|point| point.time <= time);
        coin.points.range(first..).copied().collect()
    }
}

impl Row {
    fn unseen(coin: &str) -> Self {
        Self {
            coin: coin.to_owned(),
            symbol: String::new(),
            event_time: i64::MIN,
            price: f64::NAN,
            market_cap: None,
            volume_24h: None,
            change_24h_pct: None,
            return_1m: None,
            return_5m: None,
            return_15m: None,
            zscore_15m: None,
            volume_surge: None,
            anomaly_probability: None,
            trend_up_probability: None,
            anomaly_model: None,
            trend_model: None,
        }
    }
}

/// The last price of every minute that has one, of the hour before the newest point.
fn spark(points: &VecDeque<Point>) -> Vec<(i64, f64)> {
    let mut spark: Vec<(i64, f64)> = Vec::with_capacity(SPARK_LEN);
    let newest = points.back().map_or(0, |point| point.time / SPARK_STEP_MS);
    for point in points {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn record(source_offset: i64, coin: &str, event_time: i64, price: f64) -> Record {
        let value = serde_json::json!({
            "source_offset": source_offset, "status": "features", "coin": coin, "symbol": "x", "event_time": event_time,
            "price": price, "market_cap": null, "ma_5m": price, "ma_15m": price, "samples_15m": 1,
        });
        Record {
            offset: source_offset,
            timestamp_ms: 0,
            key: None,
            value: value.to_string().into(),
        }
    }

    #[test]
    fn only_what_is_new_is_told() {
        let mut market = Market::default();
        market.take_features(0, &[record(0, "a", 1_000, 1.0), record(1, "b", 1_000, 2.0)]);
        let (version, rows) = market.rows();
        assert_eq!(rows.len(), 2);
        assert!(market.rows_since(version).1.is_empty());
        // A late append: later in the topic, made from an earlier input.
        let double = Record {
            offset: 2,
            ..record(1, "b", 2_000, 9.0)
        };
        let next = Record {
            offset: 3,
            ..record(2, "a", 2_000, 3.0)
        };
        market.take_features(0, &[double, next]);
        let (_, changed) = market.rows_since(version);
        assert_eq!(changed.len(), 1, "the second b is a double");
        assert_eq!((changed[0].coin.as_str(), changed[0].price), ("a", 3.0));
    }

    #[test]
    fn a_late_tick_does_not_turn_the_market_back() {
        let mut market = Market::default();
        market.take_features(0, &[record(0, "a", 2_000, 2.0), record(1, "a", 1_000, 1.0)]);
        let (_, rows) = market.rows();
        assert_eq!(rows[0].row.price, 2.0);
        assert_eq!(market.points_after("a", 0).len(), 1);
    }

    #[test]
    fn a_coin_holds_so_many_points_and_no_more() {
        let mut market = Market::default();
        let records: Vec<_> = (0..2_000)
            .map(|i| record(i, "a", i * 60_000, i as f64))
            .collect();
        market.take_features(0, &records);
        assert_eq!(market.points_after("a", -1).len(), POINTS_OF_A_COIN_MAX);
        let spark = spark(&market.coins["a"].points);
        assert_eq!(spark.len(), SPARK_LEN);
        assert_eq!(spark.last(), Some(&(1_999, 1_999.0)));
    }

    #[test]
    fn a_prediction_is_shown_as_long_as_it_is_about_what_comes() {
        let predicted = |source_offset: i64, event_time: i64, probability: f64| {
            let value = serde_json::json!({
                "source_offset": source_offset, "coin": "a", "event_time": event_time,
                "anomaly_probability": probability, "trend_up_probability": null,
                "anomaly_model": "anomaly_ahead/1", "trend_model": null,
            });
            Record {
                value: value.to_string().into(),
                ..record(source_offset, "a", event_time, 1.0)
            }
        };
        let shown = |market: &Market| market.rows().1[0].row.anomaly_probability;
        let mut market = Market::default();
        market.take_features(0, &[record(0, "a", 60_000, 1.0)]);
        market.take_predictions(0, &[predicted(0, 60_000, 0.25)]);
        assert_eq!(shown(&market), Some(0.25));
        market.take_features(
            0,
            &[record(1, "a", 60_000 + PREDICTION_AGE_MAX_MS - 1, 1.0)],
        );
        assert_eq!(shown(&market), Some(0.25));
        // No model serves any more.
        market.take_features(0, &[record(2, "a", 60_000 + PREDICTION_AGE_MAX_MS, 1.0)]);
        assert_eq!(shown(&market), None);
        market.take_predictions(0, &[predicted(1, 60_000, 0.5)]);
        assert_eq!(shown(&market), None, "too late");
    }

    #[test]
    fn the_coin_silent_longest_makes_room() {
        let mut market = Market::default();
        let records: Vec<_> = (0..COINS_MAX as i64 + 1)
            .map(|i| record(i, &format!("coin-{i}"), 1_000 + i, 1.0))
            .collect();
        market.take_features(0, &records);
        assert_eq!(market.coins.len(), COINS_MAX);
        assert!(!market.coins.contains_key("coin-0"));
    }
}
