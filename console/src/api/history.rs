//! The chart page: a coin's past, from the lake and from what is not committed yet.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use market::names::topic;
use serde::{Deserialize, Serialize};

use crate::api::error::ApiError;
use crate::history::{Mark, lake, uncommitted};
use crate::shared::Shared;
use crate::state::{Alert, Columns, point_of, thin_out};

/// A chart has about this many points at most.
const CHART_POINTS_MAX: usize = 3_000;

#[derive(Deserialize)]
pub(crate) struct HistoryQuery {
    coin: String,
    /// Length of the range.
    minutes: u32,
    /// End of the range in milliseconds since the epoch, at most the market's newest time, which is also the default.
    until: Option<i64>,
}

/// What a chart starts with; live updates continue from there.
#[derive(Serialize)]
pub(crate) struct History {
    points: Columns,
    alerts: Vec<Mark>,
    /// Whether files were left out because the range has too many.
    sampled: bool,
}

pub(crate) async fn history(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<History>, ApiError> {
    let Some(now) = shared.market.lock().newest_time() else {
        let topic = topic::FEATURES;
        return Err(ApiError::not_found(format!(
            "there are no prices yet: they appear once {topic} has records"
        )));
    };
    let until = query.until.map_or(now, |until| until.min(now));
    let from = until.saturating_sub(i64::from(query.minutes) * 60_000);
    let (cluster, store) = (&shared.cluster, &shared.lake);
    let coin = &query.coin;
    // The topics before the lake: what is committed in between is then found in both.
    let newest_points = uncommitted::records(cluster, store, &uncommitted::FEATURES, coin).await?;
    let newest_alerts = uncommitted::records(cluster, store, &uncommitted::ALERTS, coin).await?;
    let past = lake::points(store, coin, from, until).await?;
    let mut points = past.points;
    points.extend(newest_points.iter().filter_map(point_of));
    points.retain(|point| (from..=until).contains(&point.time));
    points.sort_by_key(|point| point.time);
    points.dedup_by_key(|point| point.time);
    let mut alerts = lake::marks(store, coin, from, until).await?;
    for record in &newest_alerts {
        let Ok(alert) = serde_json::from_slice::<Alert>(&record.value) else {
            continue;
        };
        let known = alerts.iter().any(|known| known.alert_id == alert.alert_id);
        if (from..=until).contains(&alert.event_time) && !known {
            alerts.push(alert.into());
        }
    }
    alerts.sort_by_key(|alert| alert.event_time);
    Ok(Json(History {
        points: thin_out(points, CHART_POINTS_MAX).into_iter().collect(),
        alerts,
        sampled: past.sampled,
    }))
}
