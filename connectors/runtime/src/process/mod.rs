//! A connector as a process: how it starts, reports and stops.
//!
//! - [`ConnectorArgs`] and [`ClusterArgs`]: the command line.
//! - [`log`]: log lines and messages on stderr.
//! - [`monitor`]: `/metrics`, `/healthz` and `/readyz`.
//! - [`shutdown`]: SIGINT and SIGTERM.

mod args;
pub mod log;
pub mod monitor;
pub mod shutdown;

pub use args::{ClusterArgs, ConnectorArgs};
