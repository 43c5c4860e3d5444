//! The console's routes. It only reads: every route answers GET alone.

use std::sync::Arc;

use axum::routing::get;
use axum::{Router, middleware};

use crate::api::{history, lake, live, models, topics};
use crate::http::guard::{Hosts, guard};
use crate::http::static_files;
use crate::meters;
use crate::shared::Shared;

pub(crate) fn router(shared: Arc<Shared>, hosts: Hosts) -> Router {
    Router::new()
        .route("/", get(static_files::index))
        .route("/favicon.ico", get(static_files::icon))
        .route("/assets/{*path}", get(static_files::file))
        .route("/api/live", get(live::live))
        .route("/api/history", get(history::history))
        .route("/api/topics", get(topics::topics))
        .route("/api/records", get(topics::records))
        .route("/api/layers", get(lake::layers))
        .route("/api/layer", get(lake::layer))
        .route("/api/rows", get(lake::rows))
        .route("/api/models", get(models::models))
        .route("/api/drift", get(models::drift))
        .route("/api/picture", get(models::picture))
        .with_state(shared)
        .layer(middleware::from_fn_with_state(hosts, guard))
        .layer(middleware::from_fn(meters::measure))
}
