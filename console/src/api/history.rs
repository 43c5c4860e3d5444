//! The chart page: a coin's past, from the lake and from what is not committed yet.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use market::names::{layer, topic};
use serde::{Deserialize, Serialize};

use crate::api::error::ApiError;
use crate::history::{Mark, Past};
use crate::shared::Shared;
use crate::state::{Candles, Columns, thin_out};

/// An answer has about this many points at most: a week of minutes is whole.
const CHART_POINTS_MAX: usize = 11_000;
const CHART_POINTS_MIN: usize = 100;
const MINUTE_MS: i64 = 60_000;
/// A year and a day: a chart of more would hold more ticks in memory than a console should.
const RANGE_MS_MAX: i64 = 367 * 1_440 * MINUTE_MS;

#[derive(Deserialize)]
pub(crate) struct HistoryQuery {
    coin: String,
    /// Length of the range, unless `from` is given.
    minutes: Option<u32>,
    /// Begin of the range in milliseconds since the epoch.
    from: Option<i64>,
    /// End of the range in milliseconds since the epoch, at most the market's newest time, which is also the default.
    until: Option<i64>,
    /// As many points as the chart has room for; without it, as many as a chart may have.
    points: Option<usize>,
}

impl HistoryQuery {
    /// The range that is asked for, where `now` is the market's newest time.
    fn times(&self, now: i64) -> Result<RangeInclusive<i64>, ApiError> {
        let until = self.until.map_or(now, |until| until.min(now));
        let from = match (self.from, self.minutes) {
            (Some(from), _) => from,
            (None, Some(minutes)) => until.saturating_sub(i64::from(minutes) * MINUTE_MS),
            (None, None) => return Err(ApiError::bad_request("give `minutes` or `from`")),
        };
        if until.saturating_sub(from) > RANGE_MS_MAX {
            return Err(ApiError::bad_request(
                "the range is longer than a year: choose a shorter one",
            ));
        }
        Ok(from..=until)
    }
}

/// What a chart starts with; live updates continue from there.
#[derive(Serialize)]
pub(crate) struct History {
    symbol: Option<String>,
    name: Option<String>,
    points: Columns,
    /// The ticks in the range, of which `points` may be fewer.
    ticks: usize,
    /// How many of them are made from CoinGecko's history.
    ticks_backfilled: usize,
    /// From which probability on the model in production foresees an anomaly; `None` where that is not known.
    anomaly_threshold: Option<f64>,
    candles: Candles,
    alerts: Vec<Mark>,
}

pub(crate) async fn history(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<History>, ApiError> {
    let coin = &query.coin;
    let (now, symbol, name) = {
        let market = shared.market.lock();
        let row = market.row(coin);
        let symbol = row.map(|row| row.quote.symbol.clone());
        (
            market.newest_time(),
            symbol,
            row.and_then(|row| row.name.clone()),
        )
    };
    let Some(now) = now else {
        let topic = topic::FEATURES;
        return Err(ApiError::not_found(format!(
            "there are no prices yet: they appear once {topic} has records"
        )));
    };
    let times = query.times(now)?;
    let range_ms = times.end().saturating_sub(*times.start());
    let has_predictions = shared
        .layers
        .iter()
        .any(|layer| layer == layer::PREDICTIONS);
    let past = Past::read(
        &shared.cluster,
        &shared.tables,
        coin,
        times,
        has_predictions,
    )
    .await?;
    let backfilled = past.points.iter().filter(|point| point.backfilled);
    let has_outlook = past.points.iter().any(|point| !point.outlook.is_empty());
    let points_max = query.points.unwrap_or(CHART_POINTS_MAX);
    let points_max = points_max.clamp(CHART_POINTS_MIN, CHART_POINTS_MAX);
    Ok(Json(History {
        symbol,
        name,
        ticks: past.points.len(),
        ticks_backfilled: backfilled.count(),
        anomaly_threshold: match (&shared.models, has_outlook) {
            (Some(models), true) => models.anomaly_threshold().await,
            _ => None,
        },
        candles: Candles::of(&past.points, range_ms),
        points: thin_out(past.points, points_max).into_iter().collect(),
        alerts: past.alerts,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000 * MINUTE_MS;

    fn times(
        minutes: Option<u32>,
        from: Option<i64>,
        until: Option<i64>,
    ) -> Option<RangeInclusive<i64>> {
        let query = HistoryQuery {
            coin: String::new(),
            minutes,
            from,
            until,
            points: None,
        };
        query.times(NOW).ok()
    }

    #[test]
    fn a_range_ends_at_the_newest_tick_at_the_latest() {
        assert_eq!(times(Some(2), None, None), Some(NOW - 2 * MINUTE_MS..=NOW));
        assert_eq!(
            times(Some(2), None, Some(i64::MAX)),
            Some(NOW - 2 * MINUTE_MS..=NOW)
        );
        assert_eq!(
            times(Some(2), None, Some(5 * MINUTE_MS)),
            Some(3 * MINUTE_MS..=5 * MINUTE_MS)
        );
        assert_eq!(times(None, Some(7), Some(9)), Some(7..=9));
        assert_eq!(times(None, Some(7), None), Some(7..=NOW));
        assert_eq!(times(None, None, None), None);
        assert_eq!(
            times(None, Some(i64::MIN), None),
            None,
            "longer than a year"
        );
    }
}
