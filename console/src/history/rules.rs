//! How alerts are made: the currency, the user's rules that run, and when each last fired.
//!
//! All are in the table of alerts, wherever the platform runs: the stamp of a commit has the parameters that crypto-anomaly had,
//! and a row has its kinds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::pin::pin;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use futures_util::TryStreamExt;
use lake::{CommitStamp, Snapshot};
use market::names::{layer, smartmodule};
use market::{AnomalyParams, Params, Rules};
use tokio::sync::Mutex;

use crate::history::error::HistoryError;
use crate::history::scan;
use crate::state::{Firing, Firings};

/// Parameters of crypto-anomaly.
const RULES: &str = "rules";
const CURRENCY: &str = "currency";
const CURRENCY_DEFAULT: &str = "usd";

/// The parameters that crypto-anomaly had at the newest commit to the table of alerts; `None` before the first one.
fn parameters(snapshot: &Snapshot) -> Option<&BTreeMap<String, String>> {
    let newest = |stamp: &&CommitStamp| stamp.committed_at_ms;
    let stamp = snapshot.stamps().iter().max_by_key(newest)?;
    let mut modules = stamp.modules.iter();
    let anomaly = modules.find(|module| module.name == smartmodule::ANOMALY)?;
    Some(&anomaly.params)
}

/// What the platform's prices are in.
pub(crate) fn currency(snapshot: &Snapshot) -> Option<&str> {
    let currency = parameters(snapshot)?.get(CURRENCY);
    Some(currency.map_or(CURRENCY_DEFAULT, String::as_str))
}

/// What crypto-anomaly holds rows against; `None` as well for parameters that this version does not know.
pub(crate) fn bounds(snapshot: &Snapshot) -> Option<AnomalyParams> {
    let parameters = Params::new(parameters(snapshot)?.clone());
    AnomalyParams::parse(parameters).ok()
}

/// The rules that run.
pub(crate) fn running(snapshot: &Snapshot) -> Option<Rules> {
    let rules = parameters(snapshot)?.get(RULES);
    // The stage does not start with rules that crypto-anomaly refuses.
    Some(
        rules
            .and_then(|text| Rules::parse(text).ok())
            .unwrap_or_default(),
    )
}

/// Finds when rules last fired. Remembers what each file of the table says, and so reads each once.
#[derive(Debug, Default)]
pub(crate) struct FiringReader(Mutex<HashMap<String, Firings>>);

impl FiringReader {
    /// When every rule last fired, by the rows of the table of alerts.
    pub(crate) async fn read(&self, snapshot: &Snapshot) -> Result<Firings, HistoryError> {
        let mut known = self.0.lock().await;
        let live: HashSet<&str> = snapshot.files().iter().map(|file| &*file.path).collect();
        known.retain(|path, _| live.contains(&**path));
        let mut firings = Firings::default();
        for file in snapshot.files() {
            // Remembered at once: a page that is left, or a store that fails, costs no second reading.
            if !known.contains_key(&file.path) {
                known.insert(file.path.clone(), of_file(snapshot, &file.path).await?);
            }
            firings.merge(&known[&file.path]);
        }
        Ok(firings)
    }
}

async fn of_file(snapshot: &Snapshot, path: &str) -> Result<Firings, HistoryError> {
    let lake = snapshot.table().lake();
    let mut rows = pin!(scan::all(lake, path, &["coin", "event_time", "kinds"]).await?);
    let mut firings = Firings::default();
    while let Some(batch) = rows.try_next().await? {
        let coins = scan::column(&batch, "coin").and_then(|column| column.as_string_opt::<i32>());
        let (Some(coins), Some(times)) = (coins, scan::event_times(&batch)) else {
            return Err(HistoryError::of(
                layer::ALERTS,
                "column `coin` or `event_time` is missing or has another type",
            ));
        };
        let kinds = scan::column(&batch, "kinds");
        for row in (0..batch.num_rows()).filter(|row| times.is_valid(*row)) {
            let firing = Firing {
                event_time: scan::millis(times.value(row)),
                coin: coins.value(row).to_owned(),
            };
            firings.take(&scan::texts(kinds, row), &firing);
        }
    }
    Ok(firings)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use arrow_array::builder::{ListBuilder, StringBuilder};
    use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
    use fixtures::tables;

    use super::*;

    fn write(lake: &Path, offset: i64, alerts: &[(&str, i64, &[&str])]) {
        let mut kinds = ListBuilder::new(StringBuilder::new());
        for (_, _, of_alert) in alerts {
            kinds.append_value(of_alert.iter().map(|kind| Some(*kind)));
        }
        let coins = StringArray::from_iter_values(alerts.iter().map(|(coin, ..)| coin));
        let times = alerts.iter().map(|(_, time, _)| time * 1_000);
        let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
        let columns: [(&str, ArrayRef); 3] = [
            ("coin", Arc::new(coins)),
            ("event_time", Arc::new(times)),
            ("kinds", Arc::new(kinds.finish())),
        ];
        let nullable = |(name, array)| (name, array, true);
        let rows = RecordBatch::try_from_iter_with_nullable(columns.map(nullable)).unwrap();
        tables::append(lake, layer::ALERTS, "1970-01-01", (0, offset), &rows);
    }

    #[tokio::test]
    async fn a_rule_last_fired_where_its_newest_row_is() {
        let lake = tempfile::tempdir().unwrap();
        let reader = FiringReader::default();
        write(
            lake.path(),
            0,
            &[
                ("bitcoin", 2_000, &["rule:btc-60k", "price_spike"]),
                ("bitcoin", 1_000, &["rule:btc-60k"]),
                ("solana", 1_500, &["rule:calm", "rule:btc-60k"]),
                ("solana", 9_000, &["price_move"]),
            ],
        );
        let read = async || {
            let snapshot = tables::snapshot(lake.path(), layer::ALERTS).unwrap();
            let firings = reader.read(&snapshot).await.unwrap().0.into_iter();
            let told = firings
                .map(|(name, Firing { coin, event_time })| format!("{name} {coin} {event_time}"));
            told.collect::<Vec<_>>()
        };
        assert_eq!(read().await, ["btc-60k bitcoin 2000", "calm solana 1500"]);
        write(lake.path(), 4, &[("tether", 3_000, &["rule:calm"])]);
        assert_eq!(read().await, ["btc-60k bitcoin 2000", "calm tether 3000"]);
    }

    #[test]
    fn a_table_without_a_stage_says_nothing_of_rules() {
        let lake = tempfile::tempdir().unwrap();
        write(lake.path(), 0, &[("bitcoin", 0, &["price_spike"])]);
        let snapshot = tables::snapshot(lake.path(), layer::ALERTS).unwrap();
        assert!(running(&snapshot).is_none() && currency(&snapshot).is_none());
    }
}
