//! Tracking as its users see it: against a real MLflow server, read back by MLflow's own client.
//!
//! `COINLAKE_MLFLOW` names the `mlflow` command and makes these tests required; without it they say that they were
//! skipped.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod client;
mod errors;
mod registry;
mod runs;
mod server;
