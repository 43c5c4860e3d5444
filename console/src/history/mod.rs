//! The past: of a coin for its chart, and of alerts.
//!
//! - `past`: all of it, of one coin, and the alerts of all.
//! - `lake`: ticks and alerts from the lake; `outlooks`: predictions; `scan` reads them from a table's files.
//! - `uncommitted`: records that are in a topic and not yet in the lake.
//! - `mark`: an alert; `episodes`: those that belong together; `counts`: how many began when.
//! - `rules`: the user's rules, and when each last fired.
//! - `error`: why the past cannot be read.

mod counts;
mod episodes;
mod error;
pub(crate) mod lake;
mod mark;
mod outlooks;
mod past;
pub(crate) mod rules;
mod scan;
pub(crate) mod uncommitted;

pub(crate) use counts::Counts;
pub(crate) use episodes::{Episode, episodes};
pub(crate) use error::HistoryError;
pub(crate) use mark::Mark;
pub(crate) use past::{Past, alerts};
