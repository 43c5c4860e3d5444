//! What the console holds in memory, all of it bounded.
//!
//! - `market`: every coin; `coin`: one of them.
//! - `alerts`, `rejects`: the newest records of crypto-alerts and crypto-rejected.
//! - `records`: what it reads from crypto-features and crypto-predictions.
//! - `points`: the points of a chart.
//! - `duplicates`: which records of a derived topic to ignore.

mod alerts;
mod coin;
mod duplicates;
mod market;
mod points;
mod records;
mod rejects;

pub(crate) use alerts::{ALERTS_MAX, Alert, Alerts};
pub(crate) use market::Market;
pub(crate) use points::{Columns, Point, thin_out};
pub(crate) use records::point_of;
pub(crate) use rejects::{REJECTS_MAX, RejectCounts, Rejects};
