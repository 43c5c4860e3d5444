//! Rows of `lake/features` in memory.
//!
//! Always true: rows are ordered by coin and event time, and no coin has two rows of one time.

use std::collections::BTreeMap;

use market::model::Inputs;
use market::{AnomalyParams, AnomalyRule, FEATURES_VERSION, Severity, WindowFeatures};

use super::columns::ReadRow;

/// The part of a row of `lake/features` that training needs. With another `I` than [`Inputs`] its inputs are still elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<I = Inputs> {
    /// Index of its coin in [`Rows::coins`].
    pub coin: u32,
    /// Milliseconds since the epoch.
    pub event_time: i64,
    /// USD.
    pub price: f64,
    /// The models' inputs, NaN where the lake has null; or where they are.
    pub inputs: I,
    /// Whether the anomaly rule, with its defaults, gives a warning or worse.
    pub alerts: bool,
}

/// Rows of a range of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows<I = Inputs> {
    coins: Vec<String>,
    rows: Vec<Row<I>>,
    of_other_features: usize,
}

impl<I> Rows<I> {
    /// The coins' names, ascending.
    pub fn coins(&self) -> &[String] {
        &self.coins
    }

    /// All rows.
    pub fn as_slice(&self) -> &[Row<I>] {
        &self.rows
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rows that were left out, because their features are of another version.
    pub fn of_other_features(&self) -> usize {
        self.of_other_features
    }

    /// The first and the last event time.
    pub fn range(&self) -> Option<(i64, i64)> {
        let first = self.rows.iter().map(|row| row.event_time).min()?;
        let last = self.rows.iter().map(|row| row.event_time).max()?;
        Some((first, last))
    }
}

/// Collects rows in any order.
pub struct RowsBuilder<I = Inputs> {
    rule: AnomalyRule,
    coins: BTreeMap<String, u32>,
    /// With the offset of the input that each was made from.
    rows: Vec<(i64, Row<I>)>,
    of_other_features: usize,
}

impl<I> Default for RowsBuilder<I> {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl RowsBuilder {
    /// Adds a row. Of two rows of one coin and time, the one made from the earlier input counts. A row of another version of the
    /// features is left out.
    pub fn push(
        &mut self,
        source_offset: i64,
        coin: &str,
        event_time: i64,
        price: f64,
        windows: &WindowFeatures,
    ) {
        let row = ReadRow {
            source_offset,
            coin,
            event_time,
            price,
            windows: *windows,
        };
        let inputs = row.inputs();
        self.add(row, inputs);
    }
}

impl<I> RowsBuilder<I> {
    /// Has room for this many rows.
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            rule: AnomalyRule::new(AnomalyParams::default()),
            coins: BTreeMap::new(),
            rows: Vec::with_capacity(rows),
            of_other_features: 0,
        }
    }

    /// Adds a row, of whose windows only what the anomaly rule judges is needed.
    pub(super) fn add(&mut self, row: ReadRow<'_>, inputs: I) {
        let ReadRow {
            source_offset,
            coin,
            event_time,
            price,
            windows,
        } = row;
        if windows.features_version != Some(FEATURES_VERSION) {
            self.of_other_features += 1;
            return;
        }
        let coin = match self.coins.get(coin) {
            Some(coin) => *coin,
            None => {
                let next = u32::try_from(self.coins.len()).expect("fewer coins than fit in memory");
                self.coins.insert(coin.to_owned(), next);
                next
            }
        };
        let alert = self.rule.judge(&windows);
        let row = Row {
            coin,
            event_time,
            price,
            inputs,
            alerts: alert.is_some_and(|alert| alert.severity >= Severity::Warning),
        };
        self.rows.push((source_offset, row));
    }

    /// The rows, in order.
    pub fn build(self) -> Rows<I> {
        let Self {
            coins,
            mut rows,
            of_other_features,
            ..
        } = self;
        // Coins were numbered in the order of arrival; now they are numbered by name.
        let mut place = vec![0; coins.len()];
        for (new, old) in (0..).zip(coins.values()) {
            place[*old as usize] = new;
        }
        for (_, row) in &mut rows {
            row.coin = place[row.coin as usize];
        }
        rows.sort_unstable_by_key(|(offset, row)| (row.coin, row.event_time, *offset));
        rows.dedup_by_key(|(_, row)| (row.coin, row.event_time));
        Rows {
            coins: coins.into_keys().collect(),
            rows: rows.into_iter().map(|(_, row)| row).collect(),
            of_other_features,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_ordered_and_of_one_version_and_the_first_of_two_counts() {
        let mut builder = RowsBuilder::default();
        for (offset, coin, time, price) in [
            (1, "solana", 60_000, 1.0),
            (4, "bitcoin", 120_000, 4.0),
            (3, "bitcoin", 60_000, 3.0),
            (2, "bitcoin", 120_000, 2.0),
        ] {
            builder.push(offset, coin, time, price, &WindowFeatures::undefined());
        }
        for features_version in [None, Some(FEATURES_VERSION - 1), Some(FEATURES_VERSION + 1)] {
            let windows = WindowFeatures {
                features_version,
                ..WindowFeatures::default()
            };
            builder.push(5, "cardano", 60_000, 1.0, &windows);
        }
        let rows = builder.build();
        assert_eq!(rows.coins(), ["bitcoin", "solana"]);
        let prices: Vec<f64> = rows.as_slice().iter().map(|row| row.price).collect();
        assert_eq!(prices, [3.0, 2.0, 1.0]);
        assert_eq!(rows.range(), Some((60_000, 120_000)));
        assert_eq!(rows.of_other_features(), 3);
    }
}
