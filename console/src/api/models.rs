//! The Models page: runs, versions, pictures and drift.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use trainer::data::Label;
use trainer::tracking::RunRecord;

use crate::api::error::ApiError;
use crate::models::{Drift, Models, Overview, PICTURES};
use crate::shared::Shared;

pub(crate) async fn models(State(shared): State<Arc<Shared>>) -> Result<Json<Overview>, ApiError> {
    Ok(Json(registry(&shared)?.overview().await?))
}

pub(crate) async fn drift(State(shared): State<Arc<Shared>>) -> Result<Json<Arc<Drift>>, ApiError> {
    Ok(Json(registry(&shared)?.drift().await))
}

#[derive(Deserialize)]
pub(crate) struct RunQuery {
    run: String,
}

/// One run, however old it is.
pub(crate) async fn run(
    State(shared): State<Arc<Shared>>,
    Query(RunQuery { run }): Query<RunQuery>,
) -> Result<Json<RunRecord>, ApiError> {
    let models = registry(&shared)?;
    if !is_plain_id(&run) {
        return Err(ApiError::not_found("there is no such run"));
    }
    Ok(Json(models.run(&run).await?))
}

/// It becomes part of a path.
fn is_plain_id(run: &str) -> bool {
    let mut bytes = run.bytes();
    !run.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[derive(Deserialize)]
pub(crate) struct PictureQuery {
    run: String,
    model: String,
    name: String,
}

pub(crate) async fn picture(
    State(shared): State<Arc<Shared>>,
    Query(PictureQuery { run, model, name }): Query<PictureQuery>,
) -> Result<Response, ApiError> {
    let models = registry(&shared)?;
    // These become part of a path: only names of models and pictures, and plain run ids, get through.
    let known_model = Label::ALL.iter().any(|label| label.as_str() == model);
    if !known_model || !is_plain_id(&run) || !PICTURES.contains(&name.as_str()) {
        return Err(ApiError::not_found("there is no such picture"));
    }
    let picture = models.picture(&run, &model, &name).await?;
    Ok(([(CONTENT_TYPE, "image/svg+xml")], picture).into_response())
}

fn registry(shared: &Shared) -> Result<&Models, ApiError> {
    shared.models.as_ref().ok_or_else(|| {
        ApiError::not_found(
            "this console has no model registry: set MLFLOW_TRACKING_URI, or start it with --data",
        )
    })
}
