//! What runs can be watched: metrics, probes, rules, dashboard, logs, and messages about alerts. Each test starts the
//! finished command.

mod dashboard;
mod drained;
mod feed;
mod health;
mod logs;
mod metrics;
mod notify;
pub(crate) mod process;
mod promtool;
pub(crate) mod receiver;
mod receivers;
