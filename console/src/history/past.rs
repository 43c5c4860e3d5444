//! A coin's past in a range of times: what the lake has, and what is not committed yet.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use connector_runtime::cluster::Cluster;
use market::names::layer;
use survey::Tables;

use crate::history::error::HistoryError;
use crate::history::mark::Mark;
use crate::history::{lake, outlooks, uncommitted};
use crate::state::{Alert, Outlook, Point, outlook_of, point_of};

/// Alerts that are read at most: far more than a coin has in a year.
const ALERTS_MAX: usize = 50_000;

/// All ticks, with what was predicted at them, and all alerts. Both ascend in time.
#[derive(Debug)]
pub(crate) struct Past {
    pub points: Vec<Point>,
    pub alerts: Vec<Mark>,
}

impl Past {
    /// `times` are in milliseconds since the epoch. Without `has_predictions` nothing writes any.
    pub(crate) async fn read(
        cluster: &Cluster,
        tables: &Tables,
        coin: &str,
        times: RangeInclusive<i64>,
        has_predictions: bool,
    ) -> Result<Self, HistoryError> {
        let predicted = async {
            match has_predictions {
                true => predicted(cluster, tables, coin, &times).await,
                false => Ok(HashMap::new()),
            }
        };
        let (mut points, predicted, (alerts, _)) = tokio::try_join!(
            points(cluster, tables, coin, &times),
            predicted,
            alerts(cluster, tables, Some(coin), &times),
        )?;
        for point in &mut points {
            if let Some(outlook) = predicted.get(&point.time) {
                point.outlook = *outlook;
            }
        }
        Ok(Self { points, alerts })
    }
}

async fn points(
    cluster: &Cluster,
    tables: &Tables,
    coin: &str,
    times: &RangeInclusive<i64>,
) -> Result<Vec<Point>, HistoryError> {
    let snapshot = tables.snapshot(layer::FEATURES).await?;
    let newest = uncommitted::records(
        cluster,
        snapshot.as_deref(),
        &uncommitted::FEATURES,
        Some(coin),
    )
    .await?;
    let mut points = match snapshot {
        Some(snapshot) => lake::points(&snapshot, coin, times.clone()).await?,
        None => Vec::new(),
    };
    points.extend(newest.iter().filter_map(point_of));
    points.retain(|point| times.contains(&point.time));
    points.sort_by_key(|point| point.time);
    points.dedup_by_key(|point| point.time);
    Ok(points)
}

/// What was predicted, by the time of its tick.
async fn predicted(
    cluster: &Cluster,
    tables: &Tables,
    coin: &str,
    times: &RangeInclusive<i64>,
) -> Result<HashMap<i64, Outlook>, HistoryError> {
    let snapshot = tables.snapshot(layer::PREDICTIONS).await?;
    let newest = uncommitted::records(
        cluster,
        snapshot.as_deref(),
        &uncommitted::PREDICTIONS,
        Some(coin),
    )
    .await?;
    let mut outlooks = match snapshot {
        Some(snapshot) => outlooks::outlooks(&snapshot, coin, times.clone()).await?,
        None => HashMap::new(),
    };
    outlooks.extend(newest.iter().filter_map(outlook_of));
    Ok(outlooks)
}

/// The alerts of a coin, or of all, in a range of times, oldest first, and whether these are all of them; else they are the newest.
pub(crate) async fn alerts(
    cluster: &Cluster,
    tables: &Tables,
    coin: Option<&str>,
    times: &RangeInclusive<i64>,
) -> Result<(Vec<Mark>, bool), HistoryError> {
    let snapshot = tables.snapshot(layer::ALERTS).await?;
    let newest =
        uncommitted::records(cluster, snapshot.as_deref(), &uncommitted::ALERTS, coin).await?;
    let mut marks = match snapshot {
        Some(snapshot) => lake::marks(&snapshot, coin, ALERTS_MAX, times.clone()).await?,
        None => Vec::new(),
    };
    let alerts = newest.iter();
    let alerts = alerts.filter_map(|record| serde_json::from_slice::<Alert>(&record.value).ok());
    marks.extend(
        alerts
            .filter(|alert| times.contains(&alert.event_time))
            .map(Mark::from),
    );
    marks.sort_by(|a, b| (a.event_time, &a.alert_id).cmp(&(b.event_time, &b.alert_id)));
    marks.dedup_by(|a, b| a.alert_id == b.alert_id);
    let is_complete = marks.len() < ALERTS_MAX;
    marks.drain(..marks.len().saturating_sub(ALERTS_MAX));
    Ok((marks, is_complete))
}
