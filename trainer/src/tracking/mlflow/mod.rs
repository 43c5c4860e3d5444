//! Runs and model versions on an MLflow server.
//!
//! - `tracking` implements [`Tracking`](super::Tracking)
//! - `client` asks for `experiments`, `runs` and the `registry`
//! - `http` makes the calls, `failure` says what went wrong with one
//! - `wire` and `batches` are the bodies of the REST API

mod batches;
mod client;
mod experiments;
mod failure;
mod http;
mod registry;
mod runs;
mod tracking;
mod wire;

pub use tracking::MlflowTracking;
