//! What the console holds in memory, all of it bounded.
//!
//! - `market`: every coin; `coin`: one of them.
//! - `alerts`, `rejects`: the newest records of crypto-alerts and crypto-rejected.
//! - `firings`: when the user's rules last fired; `begins`: when episodes began whose first alerts are gone.
//! - `records`: what it reads from crypto-features and crypto-predictions.
//! - `points`: the points of a chart; `candles`: made of them; `maybe`: their numbers.
//! - `duplicates`: which records of a derived topic to ignore.

mod alerts;
mod begins;
mod candles;
mod coin;
mod duplicates;
mod firings;
mod market;
mod maybe;
mod points;
mod records;
mod rejects;

pub(crate) use alerts::{ALERTS_MAX, Alert, Alerts, Evidence};
pub(crate) use begins::sighting_at;
pub(crate) use candles::Candles;
pub(crate) use coin::RowWithSpark;
pub(crate) use firings::{Firing, Firings};
pub(crate) use market::Market;
pub(crate) use maybe::MaybeF64;
pub(crate) use points::{Columns, Outlook, OutlookColumns, Point, rounded, thin_out};
pub(crate) use records::{outlook_of, point_of};
pub(crate) use rejects::{REJECTS_MAX, RejectCounts, Rejects};
