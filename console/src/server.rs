//! The console: what it knows, and the addresses under which it tells.
//!
//! Read-only: every address answers GET alone.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router, middleware};
use connector_runtime::cluster::Cluster;
use futures_util::future::BoxFuture;
use lake::Lake;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::alerts::{ALERTS_MAX, Alert, Alerts, REJECTS_MAX, Rejects};
use crate::answer::{ApiError, not_found};
use crate::flow::{self, ChainTimes, Flow};
use crate::follow::Follow;
use crate::guard::{Hosts, guard};
use crate::history::{self, Mark};
use crate::live::live;
use crate::market::{Market, point_of};
use crate::meters;
use crate::models::{DriftShown, Models, ModelsConfig, Shown};
use crate::points::{Columns, thin_out};
use crate::recent::{self, ALERTS, FEATURES};
use crate::{assets, browse};
use survey::Blueprint;

/// How far back in crypto-features the console begins: an hour of a large market that ticks once a minute.
const FEATURES_BACK: i64 = 50_000;
const PREDICTIONS_BACK: i64 = 20_000;

/// A chart has so many points at most.
const CHART_POINTS_MAX: usize = 3_000;

/// What a console looks at, and where it is looked at.
pub struct ConsoleConfig {
    /// The broker.
    pub cluster: Cluster,
    /// The lake that the stages write.
    pub lake: Lake,
    /// What should be there.
    pub blueprint: Blueprint,
    /// Where runs and model versions are kept; `None`: nowhere that this console knows of.
    pub models: Option<ModelsConfig>,
    /// How long SmartModules take, where the broker runs in this process: no other tells.
    pub chain_times: Option<ChainTimes>,
    /// Where to serve the page; port 0 takes any free one.
    pub listen: SocketAddr,
}

/// A running console.
pub struct Console {
    addr: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// What all requests see.
pub(crate) struct Shared {
    cluster: Cluster,
    lake: Lake,
    layers: Vec<String>,
    models: Option<Models>,
    pub(crate) flow: watch::Sender<Flow>,
    pub(crate) stop: CancellationToken,
    market: Mutex<Market>,
    alerts: Mutex<Alerts>,
    rejects: Mutex<Rejects>,
}

impl Shared {
    pub(crate) fn market(&self) -> MutexGuard<'_, Market> {
        held(&self.market)
    }

    pub(crate) fn alerts(&self) -> MutexGuard<'_, Alerts> {
        held(&self.alerts)
    }

    pub(crate) fn rejects(&self) -> MutexGuard<'_, Rejects> {
        held(&self.rejects)
    }
}

/// What is half-done behind a poisoned lock is one record, and the console only looks on.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Console {
    /// Starts to look, and to serve the page.
    ///
    /// # Errors
    /// When it cannot listen there. A broker or a lake that is not there yet is waited for.
    pub fn start(config: ConsoleConfig) -> BoxFuture<'static, Result<Self>> {
        Box::pin(Self::open(config))
    }

    async fn open(config: ConsoleConfig) -> Result<Self> {
        meters::describe();
        let listen = config.listen;
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("the console cannot listen on {listen}: choose another address, port 0 takes any free one")
        })?;
        let addr = listener.local_addr()?;
        let hosts = match addr.ip().is_loopback() {
            true => Hosts::Loopback,
            false => Hosts::Any,
        };
        let stages = config.blueprint.stages.iter();
        let destinations = stages.flat_map(|stage| &stage.destinations);
        let layers = destinations.filter_map(|d| d.layer.clone());
        let (flow, _) = watch::channel(flow::unknown(&config.blueprint));
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            cluster: config.cluster.clone(),
            lake: config.lake.clone(),
            layers: layers.collect(),
            models: config.models.map(Models::new),
            flow: flow.clone(),
            stop: stop.clone(),
            market: Mutex::default(),
            alerts: Mutex::default(),
            rejects: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        let mut until_stopped = |task: BoxedTask| {
            let stopped = stop.clone();
            tasks.spawn(async move {
                stopped.run_until_cancelled(task).await;
            });
        };
        let follow = |topic: &str, back: i64| Follow {
            cluster: config.cluster.clone(),
            topic: topic.to_owned(),
            back,
        };
        let state = Arc::clone(&shared);
        let features = follow("crypto-features", FEATURES_BACK);
        until_stopped(Box::pin(features.run(move |partition, records| {
            state.market().take_features(partition, records);
        })));
        let state = Arc::clone(&shared);
        let predictions = follow("crypto-predictions", PREDICTIONS_BACK);
        until_stopped(Box::pin(predictions.run(move |partition, records| {
            state.market().take_predictions(partition, records);
        })));
        let state = Arc::clone(&shared);
        let alerts = follow("crypto-alerts", ALERTS_MAX as i64);
        until_stopped(Box::pin(alerts.run(move |partition, records| {
            state.alerts().take(partition, records);
        })));
        let state = Arc::clone(&shared);
        let rejects = follow("crypto-rejected", REJECTS_MAX as i64);
        until_stopped(Box::pin(rejects.run(move |partition, records| {
            state.rejects().take(partition, records);
        })));
        until_stopped(Box::pin(flow::watch(
            config.cluster.clone(),
            config.lake,
            config.blueprint,
            config.chain_times,
            flow,
        )));
        let app = router(shared, hosts);
        let stopped = stop.clone();
        tasks.spawn(async move {
            let served =
                axum::serve(listener, app).with_graceful_shutdown(stopped.cancelled_owned());
            if let Err(error) = served.await {
                tracing::error!(%error, "the console ended");
            }
        });
        Ok(Self { addr, stop, tasks })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ends it.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

type BoxedTask = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn router(shared: Arc<Shared>, hosts: Hosts) -> Router {
    Router::new()
        .route("/", get(assets::index))
        .route("/favicon.ico", get(assets::icon))
        .route("/assets/{*path}", get(assets::asset))
        .route("/api/live", get(live))
        .route("/api/history", get(history))
        .route("/api/topics", get(topics))
        .route("/api/records", get(records))
        .route("/api/layers", get(layers))
        .route("/api/layer", get(layer))
        .route("/api/rows", get(rows))
        .route("/api/models", get(models))
        .route("/api/drift", get(drift))
        .route("/api/picture", get(picture))
        .with_state(shared)
        .layer(middleware::from_fn_with_state(hosts, guard))
        .layer(middleware::from_fn(meters::measure))
}

#[derive(Deserialize)]
struct HistoryQuery {
    coin: String,
    /// How far back.
    minutes: u32,
    /// From when; without it from the market's newest time, which is also the latest.
    until: Option<i64>,
}

/// What a chart starts with; live updates go on from there.
#[derive(Serialize)]
struct History {
    points: Columns,
    alerts: Vec<Mark>,
    /// Whether some of the lake's files were left out.
    sampled: bool,
}

async fn history(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<History>, ApiError> {
    let Some(now) = shared.market().newest_time() else {
        return Err(not_found(
            "there is no market yet: no record has been through crypto-features",
        ));
    };
    let until = query.until.map_or(now, |until| until.min(now));
    let from = until.saturating_sub(i64::from(query.minutes) * 60_000);
    let Shared { cluster, lake, .. } = &*shared;
    let coin = &query.coin;
    // What is not committed yet is in the topics.
    let newest_points = recent::uncommitted(cluster, lake, &FEATURES, coin).await?;
    let newest_alerts = recent::uncommitted(cluster, lake, &ALERTS, coin).await?;
    let past = history::points(lake, coin, from, until).await?;
    let mut points = past.points;
    points.extend(newest_points.iter().filter_map(point_of));
    points.retain(|point| (from..=until).contains(&point.time));
    points.sort_by_key(|point| point.time);
    points.dedup_by_key(|point| point.time);
    let mut alerts = history::marks(lake, coin, from, until).await?;
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

async fn topics(State(shared): State<Arc<Shared>>) -> Result<Json<Vec<browse::Topic>>, ApiError> {
    browse::topics(&shared.cluster).await.map(Json)
}

async fn records(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<browse::RecordsQuery>,
) -> Result<Json<browse::Records>, ApiError> {
    browse::records(&shared.cluster, query).await.map(Json)
}

async fn layers(State(shared): State<Arc<Shared>>) -> Json<Vec<String>> {
    Json(shared.layers.clone())
}

#[derive(Deserialize)]
struct LayerQuery {
    layer: String,
    #[serde(default)]
    path: String,
}

impl LayerQuery {
    /// Only the platform's own layers are shown, not whatever else lies in a bucket.
    fn check(&self, shared: &Shared) -> Result<(), ApiError> {
        if shared.layers.contains(&self.layer) {
            return Ok(());
        }
        Err(not_found(format!(
            "there is no layer {}: the layers are {}",
            self.layer,
            shared.layers.join(", ")
        )))
    }
}

async fn layer(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<LayerQuery>,
) -> Result<Json<browse::Layer>, ApiError> {
    query.check(&shared)?;
    browse::layer(&shared.lake, &query.layer).await.map(Json)
}

async fn rows(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<LayerQuery>,
) -> Result<Json<browse::Rows>, ApiError> {
    query.check(&shared)?;
    browse::rows(&shared.lake, &query.layer, &query.path)
        .await
        .map(Json)
}

impl Shared {
    fn models(&self) -> Result<&Models, ApiError> {
        self.models.as_ref().ok_or_else(|| {
            not_found(
                "this console knows of no models: set MLFLOW_TRACKING_URI, or start it with --data",
            )
        })
    }
}

async fn models(State(shared): State<Arc<Shared>>) -> Result<Json<Shown>, ApiError> {
    shared.models()?.show().await.map(Json)
}

async fn drift(State(shared): State<Arc<Shared>>) -> Result<Json<Arc<DriftShown>>, ApiError> {
    Ok(Json(shared.models()?.drift().await))
}

#[derive(Deserialize)]
struct PictureQuery {
    run: String,
    model: String,
    name: String,
}

async fn picture(
    State(shared): State<Arc<Shared>>,
    Query(PictureQuery { run, model, name }): Query<PictureQuery>,
) -> Result<Response, ApiError> {
    shared.models()?.picture(&run, &model, &name).await
}
