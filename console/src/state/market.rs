//! The market as it is now: every coin's newest row and newest points.
//!
//! Memory is bounded: all coins together hold about [`POINTS_TOTAL`] points, and there are at most [`COINS_MAX`] coins.
//! A new coin takes the place of the one that has been silent longest.

use std::collections::HashMap;

use connector_runtime::record::Record;
use jiff::Timestamp;

use crate::state::coin::{Coin, Row, RowWithSpark};
use crate::state::duplicates::Duplicates;
use crate::state::points::{Outlook, Point};
use crate::state::records::{Features, Prediction};

const COINS_MAX: usize = 5_000;
const POINTS_TOTAL: usize = 128_000;
const COIN_POINTS_MIN: usize = 64;
const COIN_POINTS_MAX: usize = 512;

/// Every coin.
#[derive(Debug)]
pub(crate) struct Market {
    coins: HashMap<String, Coin>,
    /// Incremented on every change, so that a client can ask what changed since the version it has.
    version: u64,
    feature_duplicates: Duplicates,
    prediction_duplicates: Duplicates,
}

impl Default for Market {
    /// Versions begin at the time, so that those of a console that starts later are greater: a page that comes back to it gets every row.
    fn default() -> Self {
        let started = Timestamp::now().as_microsecond();
        Self {
            coins: HashMap::new(),
            version: u64::try_from(started).unwrap_or(0),
            feature_duplicates: Duplicates::default(),
            prediction_duplicates: Duplicates::default(),
        }
    }
}

impl Market {
    /// Takes records of crypto-features in. The console skips what it cannot read.
    pub(crate) fn take_features(&mut self, partition: u32, records: &[Record]) {
        for record in records {
            if let Some(features) = Features::read(&record.value)
                && !self
                    .feature_duplicates
                    .is_duplicate(partition, record, features.source_offset)
            {
                self.take_row(features);
            }
        }
    }

    fn take_row(&mut self, features: Features) {
        let points_max =
            (POINTS_TOTAL / self.coins.len().max(1)).clamp(COIN_POINTS_MIN, COIN_POINTS_MAX);
        self.version += 1;
        if let Some(coin) = self.coins.get_mut(&features.quote.coin) {
            if coin.take_features(features, points_max) {
                coin.changed = self.version;
            }
            return;
        }
        self.make_room();
        let name = features.quote.coin.clone();
        let mut coin = Coin::new(features);
        coin.changed = self.version;
        self.coins.insert(name, coin);
    }

    /// Removes the coin with the oldest row when there are as many coins as allowed.
    fn make_room(&mut self) {
        if self.coins.len() < COINS_MAX {
            return;
        }
        let silent = self
            .coins
            .iter()
            .min_by_key(|(_, coin)| coin.row.quote.event_time)
            .map(|(name, _)| name.clone());
        if let Some(name) = silent {
            self.coins.remove(&name);
        }
    }

    /// Takes records of crypto-predictions in.
    pub(crate) fn take_predictions(&mut self, partition: u32, records: &[Record]) {
        for record in records {
            let Ok(prediction) = serde_json::from_slice::<Prediction>(&record.value) else {
                continue;
            };
            if self
                .prediction_duplicates
                .is_duplicate(partition, record, prediction.source_offset)
            {
                continue;
            }
            // A coin without features yet shows its next prediction.
            let Some(coin) = self.coins.get_mut(&prediction.coin) else {
                continue;
            };
            if coin.take_prediction(prediction) {
                self.version += 1;
                coin.changed = self.version;
            }
        }
    }

    /// Takes in what coins are called, by id.
    pub(crate) fn take_names(&mut self, names: HashMap<String, String>) {
        for (id, name) in names {
            let Some(coin) = self.coins.get_mut(&id) else {
                continue;
            };
            if coin.row.name.as_ref() != Some(&name) {
                coin.row.name = Some(name);
                self.version += 1;
                coin.changed = self.version;
            }
        }
    }

    /// Whether a coin's name is not known.
    pub(crate) fn has_nameless(&self) -> bool {
        self.coins.values().any(|coin| coin.row.name.is_none())
    }

    /// A coin's row.
    pub(crate) fn row(&self, coin: &str) -> Option<&Row> {
        self.coins.get(coin).map(|coin| &coin.row)
    }

    /// Every coin, and the version they are of.
    pub(crate) fn rows(&self) -> (u64, Vec<RowWithSpark>) {
        let rows = self.coins.values().map(Coin::row_with_spark);
        (self.version, rows.collect())
    }

    /// The coins that changed after `version`, and the version they are of.
    pub(crate) fn rows_since(&self, version: u64) -> (u64, Vec<Row>) {
        let changed = self.coins.values().filter(|coin| coin.changed > version);
        (self.version, changed.map(|coin| coin.row.clone()).collect())
    }

    /// The newest event time of all coins: the market's present.
    pub(crate) fn newest_time(&self) -> Option<i64> {
        let rows = self.coins.values().map(|coin| &coin.row);
        rows.map(|row| row.quote.event_time).max()
    }

    /// The predictions of a coin's ticks after `time` that are still in memory.
    pub(crate) fn outlooks_after(&self, coin: &str, time: i64) -> Vec<(i64, Outlook)> {
        let coin = self.coins.get(coin);
        coin.map_or_else(Vec::new, |coin| coin.outlooks_after(time))
    }

    /// The points of a coin after `time` that are still in memory.
    pub(crate) fn points_after(&self, coin: &str, time: i64) -> Vec<Point> {
        let coin = self.coins.get(coin);
        coin.map_or_else(Vec::new, |coin| coin.points_after(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::coin::{FORECAST_AGE_MAX_MS, SPARK_LEN};

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
    fn only_changed_rows_are_returned() {
        let mut market = Market::default();
        market.take_features(0, &[record(0, "a", 1_000, 1.0), record(1, "b", 1_000, 2.0)]);
        let (version, rows) = market.rows();
        assert_eq!(rows.len(), 2);
        assert!(market.rows_since(version).1.is_empty());
        // A dead process's late append: later in the topic, but made from an input seen before.
        let duplicate = Record {
            offset: 2,
            ..record(1, "b", 2_000, 9.0)
        };
        let next = Record {
            offset: 3,
            ..record(2, "a", 2_000, 3.0)
        };
        market.take_features(0, &[duplicate, next]);
        let (_, changed) = market.rows_since(version);
        assert_eq!(changed.len(), 1, "the second b is a duplicate");
        assert_eq!(
            (changed[0].quote.coin.as_str(), changed[0].quote.price),
            ("a", 3.0)
        );
    }

    #[test]
    fn a_late_tick_does_not_replace_a_newer_one() {
        let mut market = Market::default();
        market.take_features(0, &[record(0, "a", 2_000, 2.0), record(1, "a", 1_000, 1.0)]);
        let (_, rows) = market.rows();
        assert_eq!(rows[0].row.quote.price, 2.0);
        assert_eq!(market.points_after("a", 0).len(), 1);
    }

    #[test]
    fn a_coin_holds_a_limited_number_of_points() {
        let mut market = Market::default();
        let records: Vec<_> = (0..2_000)
            .map(|i| record(i, "a", i * 60_000, i as f64))
            .collect();
        market.take_features(0, &records);
        assert_eq!(market.points_after("a", -1).len(), COIN_POINTS_MAX);
        let spark = market.coins["a"].spark();
        assert_eq!(spark.len(), SPARK_LEN);
        assert_eq!(spark.last(), Some(&(1_999, 1_999.0)));
    }

    #[test]
    fn a_prediction_is_shown_for_15_minutes() {
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
        let shown = |market: &Market| market.rows().1[0].row.forecast.anomaly_probability;
        let mut market = Market::default();
        market.take_features(0, &[record(0, "a", 60_000, 1.0)]);
        market.take_predictions(0, &[predicted(0, 60_000, 0.25)]);
        assert_eq!(shown(&market), Some(0.25));
        market.take_features(0, &[record(1, "a", 60_000 + FORECAST_AGE_MAX_MS - 1, 1.0)]);
        assert_eq!(shown(&market), Some(0.25));
        // No model has served since.
        market.take_features(0, &[record(2, "a", 60_000 + FORECAST_AGE_MAX_MS, 1.0)]);
        assert_eq!(shown(&market), None);
        market.take_predictions(0, &[predicted(1, 60_000, 0.5)]);
        assert_eq!(shown(&market), None, "too late");
        // Made for a tick that is on its way: its price is not known yet.
        let newest = 60_000 + FORECAST_AGE_MAX_MS;
        market.take_predictions(0, &[predicted(2, newest + 60_000, 0.75)]);
        assert_eq!(shown(&market), Some(0.75));
        assert_eq!(market.rows().1[0].row.quote.event_time, newest);
    }

    #[test]
    fn a_new_coin_replaces_the_one_silent_longest() {
        let mut market = Market::default();
        let records: Vec<_> = (0..COINS_MAX as i64 + 1)
            .map(|i| record(i, &format!("coin-{i}"), 1_000 + i, 1.0))
            .collect();
        market.take_features(0, &records);
        assert_eq!(market.coins.len(), COINS_MAX);
        assert!(!market.coins.contains_key("coin-0"));
    }
}
