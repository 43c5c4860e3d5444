//! Why there is nothing to learn from.

use lake::LakeError;
use market::FEATURES_VERSION;

use super::label::Label;
use super::range::TimeRange;

/// Why there is nothing to learn from.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The lake does not exist.
    #[error("there is no lake at {0}: name the one that `coinlake up` or `demo` fills")]
    NoLake(String),
    /// The layer is empty.
    #[error("{lake}/features has no rows: let the platform run for a while first")]
    NoRows {
        /// The lake.
        lake: String,
    },
    /// The layer has no rows in the range.
    #[error("{lake}/features has no rows {range}: choose another range")]
    NoRowsInRange {
        /// The lake.
        lake: String,
        /// The range.
        range: TimeRange,
    },
    /// No row has the features that models are trained on.
    #[error(
        "{lake}/features has {rows} rows, none of which has the features of this version of Coinlake (features_version \
         {FEATURES_VERSION}): let `coinlake up` add some first"
    )]
    OtherFeatures {
        /// The lake.
        lake: String,
        /// The number of rows.
        rows: usize,
    },
    /// The layer, or a file of it, lacks a column.
    #[error(
        "{path} has no column `{column}` of type {expected}: it was written with another configuration; write the \
         layer again"
    )]
    Column {
        /// The layer, or the file.
        path: String,
        /// The column.
        column: &'static str,
        /// Its type.
        expected: &'static str,
    },
    /// A file is not Parquet, or damaged.
    #[error(
        "{path} cannot be read: {reason}; restore it from a copy, or choose a range without it"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// What the reader reports.
        reason: String,
    },
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Too few rows to fit and to test on.
    #[error(
        "{label}: {fit} rows to fit on and {test} to test on are too few, {least} of each are needed: let the platform \
         run for longer{}, or choose a longer range",
        enough(*.hours)
    )]
    TooFewRows {
        /// The label.
        label: Label,
        /// Rows to fit on.
        fit: usize,
        /// Rows to test on.
        test: usize,
        /// The least number of each.
        least: usize,
        /// After how many hours of such rows there are enough; `None` without any rows.
        hours: Option<f64>,
    },
    /// Nothing began that could be foreseen.
    #[error(
        "anomaly_ahead: no episode of warnings begins in the {rows} rows {of}, of {hours:.1} hours, so there is nothing to \
         learn: let the platform run for longer, or choose a longer range"
    )]
    NoEpisode {
        /// The number of rows.
        rows: usize,
        /// `to fit on` or `to test on`.
        of: &'static str,
        /// The time they span.
        hours: f64,
    },
    /// All rows have the same label.
    #[error(
        "{label} is {always} in every row {of}: there is nothing to learn; choose a longer range, or one where both \
         happen"
    )]
    OneClass {
        /// The label.
        label: Label,
        /// The label of every row.
        always: bool,
        /// `to fit on` or `to test on`.
        of: &'static str,
    },
}

fn enough(hours: Option<f64>) -> String {
    hours.map_or_else(String::new, |hours| {
        format!(", {hours:.0} hours in all should be enough at this pace")
    })
}
