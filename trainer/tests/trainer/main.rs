//! From a lake's files to a run, and tracking as its users see it: with a real MLflow server, read back by MLflow's own
//! client.
//!
//! `COINLAKE_MLFLOW` names the `mlflow` command and makes the tests that need it required; without it they say that they
//! were skipped.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod client;
mod errors;
mod market;
mod production;
mod reading;
mod recording;
mod registry;
mod runs;
mod secure;
mod training;
