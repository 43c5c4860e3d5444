//! The Data page: the tables of the lake, their commits and files, as they are.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use lake::{Column, DataFile, HistoryEntry};
use serde::{Deserialize, Serialize};

use crate::api::error::ApiError;
use crate::shared::Shared;

const FILES_SHOWN_MAX: usize = 200;
const COMMITS_SHOWN_MAX: usize = 50;

/// The names of the layers that the platform's stages write.
pub(crate) async fn layers(State(shared): State<Arc<Shared>>) -> Json<Vec<String>> {
    Json(shared.layers.clone())
}

#[derive(Deserialize)]
pub(crate) struct LayerQuery {
    layer: String,
}

/// The layer asked for. Fails for a folder that is not one of the platform's layers.
pub(super) fn checked<'a>(layer: &'a str, shared: &Shared) -> Result<&'a str, ApiError> {
    if shared.layers.iter().any(|known| known == layer) {
        return Ok(layer);
    }
    Err(ApiError::not_found(format!(
        "there is no table {layer}: the tables are {}",
        shared.layers.join(", ")
    )))
}

/// A layer: what it holds, its columns and its newest files.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Layer {
    name: String,
    /// Its folder or URL, for those who read it with other tools.
    address: String,
    description: String,
    rows_total: u64,
    files_total: usize,
    bytes_total: u64,
    /// Newest first, at most [`FILES_SHOWN_MAX`].
    files: Vec<File>,
    columns: Vec<Column>,
}

#[derive(Debug, Serialize)]
struct File {
    path: String,
    date: Option<String>,
    rows: u64,
    bytes: u64,
    added_ms: i64,
}

impl From<DataFile> for File {
    fn from(file: DataFile) -> Self {
        Self {
            path: file.path,
            date: file.date,
            rows: file.rows,
            bytes: file.bytes,
            added_ms: file.added_ms,
        }
    }
}

pub(crate) async fn layer(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<LayerQuery>,
) -> Result<Json<Layer>, ApiError> {
    let name = checked(&query.layer, &shared)?;
    let layer = Layer {
        name: name.to_owned(),
        address: format!("{}/{name}", shared.tables.lake()),
        ..Layer::default()
    };
    let Some(snapshot) = shared.tables.snapshot(name).await? else {
        return Ok(Json(layer));
    };
    let mut files = snapshot.files().to_vec();
    files.sort_by_key(|file| std::cmp::Reverse(file.added_ms));
    files.truncate(FILES_SHOWN_MAX);
    let spec = snapshot.spec();
    Ok(Json(Layer {
        description: spec.description.clone(),
        rows_total: snapshot.rows(),
        files_total: snapshot.files().len(),
        bytes_total: snapshot.bytes(),
        files: files.into_iter().map(Into::into).collect(),
        columns: spec.columns.clone(),
        ..layer
    }))
}

/// The newest commits to a layer, newest first, at most [`COMMITS_SHOWN_MAX`].
pub(crate) async fn commits(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<LayerQuery>,
) -> Result<Json<Vec<HistoryEntry>>, ApiError> {
    let name = checked(&query.layer, &shared)?;
    let table = shared.tables.lake().table(name);
    let commits = table.history(COMMITS_SHOWN_MAX).await?;
    Ok(Json(commits.unwrap_or_default()))
}
