//! Why a coin's past cannot be read.

use connector_runtime::cluster::ClusterError;
use connector_runtime::reader::ReadError;
use connector_runtime::topic::TopicError;
use lake::LakeError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Topic(#[from] TopicError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error("layer {layer} cannot be read: {reason}")]
    Layer { layer: String, reason: String },
    #[error("{path} of the lake cannot be read: {reason}")]
    File { path: String, reason: String },
}

impl HistoryError {
    pub(crate) fn of(layer: &str, reason: impl ToString) -> Self {
        Self::Layer {
            layer: layer.to_owned(),
            reason: reason.to_string(),
        }
    }
}
