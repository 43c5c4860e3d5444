//! What was predicted for a coin, from the table of predictions.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::pin::pin;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, Float64Array};
use futures_util::TryStreamExt;
use lake::Snapshot;
use market::names::layer;

use crate::history::error::HistoryError;
use crate::history::scan::{self, Sought};
use crate::state::{MaybeF64, Outlook};

/// What the models predicted for a coin's ticks in a range of times, by time in milliseconds since the epoch.
pub(crate) async fn outlooks(
    snapshot: &Snapshot,
    coin: &str,
    times: RangeInclusive<i64>,
) -> Result<HashMap<i64, Outlook>, HistoryError> {
    let sought = Sought {
        coin: Some(coin),
        times,
        columns: &["event_time", "anomaly_probability", "trend_up_probability"],
    };
    let mut outlooks = HashMap::new();
    let mut batches = pin!(scan::rows(snapshot, &sought));
    while let Some(batch) = batches.try_next().await? {
        let Some(time) = scan::event_times(&batch) else {
            return Err(HistoryError::of(
                layer::PREDICTIONS,
                "column `event_time` is missing or has another type",
            ));
        };
        let [anomaly, trend] = ["anomaly_probability", "trend_up_probability"]
            .map(|name| scan::column(&batch, name)?.as_primitive_opt::<Float64Type>());
        let number = |column: Option<&Float64Array>, row: usize| {
            let number = column.filter(|column| column.is_valid(row));
            MaybeF64::from(number.map(|column| column.value(row)))
        };
        for row in 0..batch.num_rows() {
            let outlook = Outlook {
                anomaly_probability: number(anomaly, row),
                trend_up_probability: number(trend, row),
            };
            outlooks.insert(scan::millis(time.value(row)), outlook);
        }
    }
    Ok(outlooks)
}
