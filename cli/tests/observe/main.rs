//! What runs can be watched: metrics, probes, rules, dashboard, logs, and messages about alerts. Each test starts the
//! finished command.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod dashboard;
mod drained;
mod feed;
mod health;
mod logs;
mod metrics;
mod notify;
mod process;
mod promtool;
mod receiver;
mod receivers;
