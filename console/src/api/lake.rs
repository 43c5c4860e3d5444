//! The Data page: the tables of the lake, their commits and files, as they are.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use futures_util::future::try_join_all;
use lake::{Column, DataFile, HistoryEntry};
use serde::{Deserialize, Serialize};

use crate::api::error::ApiError;
use crate::shared::Shared;

const HOUR_MS: i64 = 3_600_000;
/// The operation of a commit that brings rows.
const WRITE: &str = "WRITE";
const FILES_SHOWN_MAX: usize = 200;
const COMMITS_SHOWN_MAX: usize = 50;

/// The names of the layers that the platform's stages write.
pub(crate) async fn layers(State(shared): State<Arc<Shared>>) -> Json<Vec<String>> {
    Json(shared.layers.clone())
}

/// What a table holds, and what it got in the last hour.
#[derive(Debug, Serialize)]
pub(crate) struct Lately {
    name: String,
    rows: u64,
    files: u64,
    bytes: u64,
    hour_rows: u64,
    hour_commits: usize,
    /// When its newest entry was made, in milliseconds since the epoch; `None` for a table that is not there yet.
    newest_ms: Option<i64>,
}

/// Every table of the platform.
pub(crate) async fn lately(
    State(shared): State<Arc<Shared>>,
) -> Result<Json<Vec<Lately>>, ApiError> {
    let since_ms = shared.cluster.clock().now_ms() - HOUR_MS;
    let tables = shared.layers.iter().map(async |name| {
        let summary = shared.tables.summary(name).await?.unwrap_or_default();
        let table = shared.tables.lake().table(name);
        let mut entries = table.history_since(since_ms).await?;
        let newest = match entries.first() {
            Some(newest) => Some(newest.at_ms),
            None => {
                let newest = table.history(1).await?.unwrap_or_default();
                newest.first().map(|newest| newest.at_ms)
            }
        };
        // What upkeep wrote anew did not come in.
        entries.retain(|entry| entry.operation == WRITE && entry.added_rows > 0);
        Ok::<_, ApiError>(Lately {
            name: name.clone(),
            rows: summary.rows,
            files: summary.files,
            bytes: summary.bytes,
            hour_rows: entries.iter().map(|entry| entry.added_rows).sum(),
            hour_commits: entries.len(),
            newest_ms: newest,
        })
    });
    Ok(Json(try_join_all(tables).await?))
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
