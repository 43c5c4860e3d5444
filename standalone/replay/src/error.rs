//! What keeps a market from being replayed, and the remedy.

use std::path::PathBuf;

use crate::position::PositionError;

/// Why a file cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be opened.
    #[error("cannot open the recording {path}: {why}; check the path and its permissions")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The file is not readable as Parquet.
    #[error(
        "cannot read {path} as Parquet: {why}; write it with pandas' to_parquet, compression zstd or snappy"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Columns are missing.
    #[error("the recording {path} lacks {missing}; it needs the columns {needed}")]
    MissingColumns {
        /// The file.
        path: PathBuf,
        /// The columns it lacks.
        missing: String,
        /// All it must have.
        needed: String,
    },
    /// A column has a type that cannot be what it should.
    #[error("{column} of the recording {path} is {found}, not {expected}: {remedy}")]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
        /// Its type.
        found: String,
        /// The type it should have.
        expected: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A row cannot be replayed.
    #[error(
        "{column} of row {row} (the first is 0) of the recording {path} {what}: {remedy}, and write the file again"
    )]
    Row {
        /// The file.
        path: PathBuf,
        /// The row, from 0.
        row: u64,
        /// The column.
        column: &'static str,
        /// What is wrong with its value.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// No rows at all.
    #[error("the recording {0} has no rows")]
    Empty(PathBuf),
}

/// Why a replay cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The market cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The topic holds something else.
    #[error(transparent)]
    Position(#[from] PositionError),
    /// Reading the market panicked: a bug here.
    #[error("reading the market broke, which is a bug in Coinlake: {0}")]
    Broken(tokio::task::JoinError),
    /// No port to serve on.
    #[error("cannot serve the replay on 127.0.0.1: {0}")]
    Listen(std::io::Error),
}
