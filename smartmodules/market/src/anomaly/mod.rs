//! Anomalies: a built-in rule, and those of the user's, on one row of features; the only memory serves to skip duplicates.
//!
//! - [`AnomalyRule`] judges rows
//! - [`AnomalyParams`] are its bounds
//! - [`Rules`] are the user's
//! - [`Alert`] is its verdict, with [`Kinds`] and [`Severity`]
//! - [`Episodes`] says which of a coin's alerts people are told, and [`episodes`] which belong together

mod alert;
mod episode;
mod message;
mod params;
mod rule;
mod rules;

pub use alert::{Alert, Kinds, Severity};
pub use episode::{Episode, Episodes, News, Sighting, episodes};
pub use params::AnomalyParams;
pub use rule::AnomalyRule;
pub use rules::{Condition, Rule, RuleProblem, Rules, RulesError};
