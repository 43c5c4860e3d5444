//! Labels: what the models predict for a row, computed from later rows of its coin.
//!
//! - `anomaly_ahead`: the coin has a critical anomaly within 15 minutes
//! - `trend_up`: the price is higher 15 minutes later
//!
//! A row whose future is not in the data has no label and is left out.

use std::fmt;

use super::{Row, Rows};

const MINUTE_MS: i64 = 60_000;

/// How far ahead the labels look.
pub const AHEAD_MS: i64 = 15 * MINUTE_MS;

/// The latest tick that counts as the price 15 minutes later.
const TREND_MS_MAX: i64 = 20 * MINUTE_MS;

/// What a model predicts. Models have the names of their labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// A critical anomaly within 15 minutes.
    AnomalyAhead,
    /// A higher price 15 minutes later.
    TrendUp,
}

impl Label {
    /// Both labels.
    pub const ALL: [Self; 2] = [Self::AnomalyAhead, Self::TrendUp];

    /// The name under which its model is registered.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AnomalyAhead => "anomaly_ahead",
            Self::TrendUp => "trend_up",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The label of every row; `None` where the future is unknown.
pub fn labels(rows: &Rows, label: Label) -> Vec<Option<bool>> {
    let mut labels = Vec::with_capacity(rows.len());
    for coin in rows.as_slice().chunk_by(|a, b| a.coin == b.coin) {
        match label {
            Label::AnomalyAhead => anomaly_ahead(coin, &mut labels),
            Label::TrendUp => trend_up(coin, &mut labels),
        }
    }
    labels
}

fn anomaly_ahead(coin: &[Row], labels: &mut Vec<Option<bool>>) {
    let Some(last) = coin.last() else { return };
    let begin = labels.len();
    labels.resize(begin + coin.len(), None);
    let mut next_critical = None;
    for (row, label) in coin.iter().zip(&mut labels[begin..]).rev() {
        let until = row.event_time + AHEAD_MS;
        if until <= last.event_time {
            *label = Some(next_critical.is_some_and(|time| time <= until));
        }
        if row.critical {
            next_critical = Some(row.event_time);
        }
    }
}

fn trend_up(coin: &[Row], labels: &mut Vec<Option<bool>>) {
    let mut later = 0;
    labels.extend(coin.iter().map(|row| {
        let from = row.event_time + AHEAD_MS;
        while coin.get(later).is_some_and(|tick| tick.event_time < from) {
            later += 1;
        }
        coin.get(later)
            .filter(|tick| tick.event_time <= row.event_time + TREND_MS_MAX)
            .map(|tick| tick.price > row.price)
    }));
}

#[cfg(test)]
mod tests {
    use market::WindowFeatures;
    use proptest::prelude::*;

    use super::*;
    use crate::data::RowsBuilder;

    /// The definitions, word for word.
    fn naive(rows: &Rows, label: Label) -> Vec<Option<bool>> {
        let all = rows.as_slice();
        let of = |row: &Row| {
            let coin: Vec<&Row> = all.iter().filter(|other| other.coin == row.coin).collect();
            let t = row.event_time;
            match label {
                Label::AnomalyAhead => {
                    let end = coin.iter().map(|other| other.event_time).max()?;
                    (t + AHEAD_MS <= end).then(|| {
                        coin.iter().any(|other| {
                            t < other.event_time
                                && other.event_time <= t + AHEAD_MS
                                && other.critical
                        })
                    })
                }
                Label::TrendUp => coin
                    .iter()
                    .filter(|other| other.event_time >= t + AHEAD_MS)
                    .min_by_key(|other| other.event_time)
                    .filter(|other| other.event_time <= t + TREND_MS_MAX)
                    .map(|other| other.price > row.price),
            }
        };
        all.iter().map(of).collect()
    }

    proptest! {
        #![proptest_config(crate::property::cases(300))]

        #[test]
        fn labels_are_those_of_the_definition(
            ticks in prop::collection::vec((0..3_u8, 0..90_i64, 1..4_u8, prop::bool::weighted(0.1)), 0..120),
            offset in 0..60_000_i64,
        ) {
            let mut builder = RowsBuilder::default();
            for (coin, minute, price, critical) in ticks {
                let windows = WindowFeatures { volume_surge: critical.then_some(99.0), ..Default::default() };
                // Not every coin ticks on whole minutes.
                let time = minute * MINUTE_MS + if coin == 0 { 0 } else { (offset * minute) % 60_000 };
                builder.push(&format!("coin-{coin}"), time, f64::from(price), &windows);
            }
            let rows = builder.build();
            for label in Label::ALL {
                prop_assert_eq!(labels(&rows, label), naive(&rows, label), "{:?}", label);
            }
        }
    }
}
