//! Anomalies: a rule on one row of features; its only memory serves to skip duplicates.
//!
//! - [`AnomalyRule`] judges rows
//! - [`AnomalyParams`] are its bounds
//! - [`Alert`] is its verdict, with [`Kinds`] and [`Severity`]
//! - [`Episodes`] says which of a coin's alerts people are told, and [`episodes`] which belong together

mod alert;
mod episode;
mod params;
mod rule;

pub use alert::{Alert, Kinds, Severity};
pub use episode::{Episode, Episodes, News, Sighting, episodes};
pub use params::AnomalyParams;
pub use rule::AnomalyRule;
