//! Anomalies: a rule on one row of features; its only memory serves to skip duplicates.
//!
//! - [`AnomalyRule`] judges rows
//! - [`AnomalyParams`] are its bounds
//! - [`Alert`] is its verdict, with [`Kinds`] and [`Severity`]

mod alert;
mod params;
mod rule;

pub use alert::{Alert, Kinds, Severity};
pub use params::AnomalyParams;
pub use rule::AnomalyRule;
