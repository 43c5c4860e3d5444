//! Runs and model versions in a folder, for machines without an MLflow server.
//!
//! ```text
//! models/registry.json              versions and aliases
//! models/<run>/run.json             params, metrics, tags
//! models/<run>/artifacts/…          files, the models among them
//! ```
//!
//! Always true: a run's folder appears whole or not at all; `registry.json` is replaced in one step; whoever writes
//! holds the lock on `models/LOCK`, so that two commands do not number the same version.

mod folder;
mod format;
mod registry;
mod run_file;
mod tracking;

pub use tracking::LocalTracking;
