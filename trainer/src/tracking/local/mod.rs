//! Runs and model versions in a folder, for machines without an MLflow server.
//!
//! ```text
//! models/registry.json              versions and aliases
//! models/<run>/run.json             params, metrics, tags
//! models/<run>/artifacts/…          files, the models among them
//! ```
//!
//! Always true: a run's folder appears complete or not at all; `registry.json` is replaced in one step; every writer holds
//! the lock on `models/LOCK`, so two commands never use the same version number.
//!
//! - `tracking` implements [`Tracking`](super::Tracking)
//! - `folder` reads and writes files, `run_file` and `registry` are the contents of the JSON files

mod folder;
mod format;
mod registry;
mod run_file;
mod tracking;

pub use tracking::LocalTracking;
