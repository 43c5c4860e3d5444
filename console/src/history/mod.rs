//! A coin's past, for its chart.
//!
//! - `lake`: ticks and alerts from the lake; `scan` reads them from a layer's files.
//! - `uncommitted`: records that are in a topic and not yet in the lake.
//! - `mark`: an alert on a chart.
//! - `error`: why the past cannot be read.

mod error;
pub(crate) mod lake;
mod mark;
mod scan;
pub(crate) mod uncommitted;

pub(crate) use error::HistoryError;
pub(crate) use mark::Mark;
