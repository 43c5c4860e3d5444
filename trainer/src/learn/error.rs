//! Why a training failed.

use super::fit::FitError;
use crate::data::{DataError, Label};

/// Why a training came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// There is nothing to learn from.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A model could not be fitted.
    #[error("{label}: {source}")]
    Fit {
        /// Which one.
        label: Label,
        /// Why.
        source: FitError,
    },
    /// Not one model could be trained.
    #[error("nothing could be trained. {}", .0.join(". "))]
    Nothing(Vec<String>),
    /// No threads to be had.
    #[error("cannot start threads to train with: {0}; give fewer")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// No thread to be had.
    #[error("cannot start a thread to train on: {0}; give the process more")]
    Thread(std::io::Error),
    /// The training panicked, which is a fault of ours; stderr tells where.
    #[error("the training stopped by itself")]
    Stopped,
}
