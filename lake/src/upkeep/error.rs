//! Why upkeep did not finish.

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;

use crate::error::LakeError;

/// Why upkeep did not finish. What it has done until then counts, and nothing is half done.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Whoever watches it ended it.
    #[error("stopped before the end")]
    Stopped,
}

/// Why files were not rewritten.
#[derive(Debug, thiserror::Error)]
pub(super) enum RewriteError {
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error("a temporary file cannot be used: {0}")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    #[error(transparent)]
    Parquet(ParquetError),
    #[error("stopped")]
    Stopped,
}

impl From<ParquetError> for RewriteError {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(source) => match source.downcast() {
                Ok(error) => Self::Io(*error),
                Err(source) => Self::Parquet(ParquetError::External(source)),
            },
            error => Self::Parquet(error),
        }
    }
}
