//! Why there is nothing to learn from.

use lake::LakeError;

use super::labels::Label;
use super::range::TimeRange;

/// Why there is nothing to learn from.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The lake isn't there.
    #[error("there is no lake at {0}: name the one that `coinlake up` or `demo` fills")]
    NoLake(String),
    /// The layer holds nothing.
    #[error("{lake}/features has no rows: let the platform run for a while first")]
    NoRows {
        /// The lake.
        lake: String,
    },
    /// The layer holds nothing of that time.
    #[error("{lake}/features has no rows {range}: choose another range")]
    NoRowsInRange {
        /// The lake.
        lake: String,
        /// The time that was asked for.
        range: TimeRange,
    },
    /// A file lacks what is learned from.
    #[error(
        "{path} has no column `{column}` of type {expected}: it was landed with another configuration; land the layer \
         again, or choose a range without that file"
    )]
    Column {
        /// The file.
        path: String,
        /// The column.
        column: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A file that isn't what its name says.
    #[error("{path} cannot be read: {reason}; move it out of the lake if it does not belong there")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The lake itself.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Too little to fit and to test on.
    #[error(
        "{label}: {fit} rows to fit on and {test} to test on are too few, {least} of each are needed: let the platform \
         run for longer, or choose a longer range"
    )]
    TooFewRows {
        /// What was to be foretold.
        label: Label,
        /// Rows to fit on.
        fit: usize,
        /// Rows to test on.
        test: usize,
        /// How many there must be.
        least: usize,
    },
    /// Nothing to tell apart.
    #[error(
        "{label} is {always} in every row {of}: there is nothing to tell apart; choose a longer range, or one where both \
         happen"
    )]
    OneClass {
        /// What was to be foretold.
        label: Label,
        /// What it always is.
        always: bool,
        /// `to fit on` or `to test on`.
        of: &'static str,
    },
}
