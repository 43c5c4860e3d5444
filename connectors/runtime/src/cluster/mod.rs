//! A Fluvio cluster: how to connect, and what to ask it.
//!
//! - [`Cluster`] is an address or a profile, [`Client`] one connection.
//! - [`ClusterHealth`]: whether the cluster answers.
//! - [`consumer_offset`]: the positions that `fluvio consumer list` shows.
//! - [`smartmodule`]: which SmartModule a name means.

pub(crate) mod batch;
mod client;
pub mod consumer_offset;
mod health;
pub(crate) mod leader;
pub mod smartmodule;
mod tls;

pub use client::{Client, Cluster, ClusterError};
pub use health::ClusterHealth;
