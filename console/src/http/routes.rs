//! The console's routes. Every one answers GET alone, but for what people do about alerts where the console keeps that.

use std::sync::Arc;

use axum::routing::get;
use axum::{Router, middleware};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use crate::api::{alerts, history, lake, live, market, models, records, rows, rules, topics};
use crate::http::guard::{Hosts, guard};
use crate::http::static_files;
use crate::meters;
use crate::shared::Shared;

pub(crate) fn router(shared: Arc<Shared>, hosts: Hosts) -> Router {
    let is_writable = shared.desk.as_ref().is_some_and(|desk| desk.is_writable());
    let alerts = match is_writable {
        true => get(alerts::past).post(alerts::change),
        false => get(alerts::past),
    };
    Router::new()
        .route("/", get(static_files::index))
        .route("/favicon.ico", get(static_files::icon))
        .route("/assets/{build}/{*path}", get(static_files::file))
        .route("/api/live", get(live::live))
        .route("/api/market", get(market::market))
        .route("/api/coins", get(market::coins))
        .route("/api/history", get(history::history))
        .route("/api/alerts", alerts)
        .route("/api/rules", get(rules::rules))
        .route("/api/bounds", get(rules::bounds))
        .route("/api/topics", get(topics::topics))
        .route("/api/topic", get(topics::topic))
        .route("/api/records", get(records::records))
        .route("/api/download", get(records::download))
        .route("/api/layers", get(lake::layers))
        .route("/api/lately", get(lake::lately))
        .route("/api/layer", get(lake::layer))
        .route("/api/commits", get(lake::commits))
        .route("/api/rows", get(rows::rows))
        .route("/api/models", get(models::models))
        .route("/api/run", get(models::run))
        .route("/api/drift", get(models::drift))
        .route("/api/picture", get(models::picture))
        .with_state(shared)
        // Streams of events are left as they are.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(middleware::from_fn_with_state(hosts, guard))
        .layer(middleware::from_fn(meters::measure))
}
