//! The answer to a request that failed: a status and one sentence.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use connector_runtime::cluster::{ClusterError, PartitionError};
use connector_runtime::reader::ReadError;
use connector_runtime::topic::TopicError;
use lake::LakeError;
use serde_json::json;
use trainer::tracking::TrackingError;

use crate::history::HistoryError;

#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
}

impl ApiError {
    /// 502: the broker, the lake or the model registry failed.
    pub(crate) fn upstream(message: impl ToString) -> Self {
        Self {
            status: StatusCode::BAD_GATEWAY,
            message: message.to_string(),
        }
    }

    /// 400: the request cannot be answered.
    pub(crate) fn bad_request(message: impl ToString) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.to_string(),
        }
    }

    /// 404.
    pub(crate) fn not_found(message: impl ToString) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            message: message.to_string(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!("a request to the console failed: {}", self.message);
        }
        (self.status, Json(json!({ "error": self.message }))).into_response()
    }
}

impl From<ClusterError> for ApiError {
    fn from(error: ClusterError) -> Self {
        Self::upstream(error)
    }
}

impl From<LakeError> for ApiError {
    fn from(error: LakeError) -> Self {
        Self::upstream(error)
    }
}

impl From<TrackingError> for ApiError {
    fn from(error: TrackingError) -> Self {
        match error {
            TrackingError::UnknownRun { .. } | TrackingError::MissingFile { .. } => {
                Self::not_found(error)
            }
            _ => Self::upstream(error),
        }
    }
}

impl From<TopicError> for ApiError {
    fn from(error: TopicError) -> Self {
        match error {
            TopicError::Missing { .. } => Self::not_found(error),
            _ => Self::upstream(error),
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Partition(
                PartitionError::TopicMissing { .. } | PartitionError::PartitionMissing { .. },
            )
            | ReadError::OffsetEvicted { .. }
            | ReadError::OffsetBeyondEnd { .. } => Self::not_found(error),
            _ => Self::upstream(error),
        }
    }
}

impl From<HistoryError> for ApiError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Topic(error) => error.into(),
            HistoryError::Read(error) => error.into(),
            _ => Self::upstream(error),
        }
    }
}
