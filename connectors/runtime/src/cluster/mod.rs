//! A Fluvio cluster: how to connect, and what to ask it.
//!
//! - [`Cluster`] is an address or a profile, [`Client`] a connection to its SC.
//! - [`ClusterHealth`]: whether the cluster answers.
//! - [`consumer_offset`]: the positions that `fluvio consumer list` shows.
//! - [`smartmodule`]: finding a SmartModule by its name.
//! - `lookup` asks the SC about topics and partitions.
//! - `leader` is a connection to the SPU that leads one partition, `line` its bytes.
//! - `batch` encodes and decodes batches of records.
//! - `tls` explains certificate errors.

pub(crate) mod batch;
mod client;
pub mod consumer_offset;
mod health;
pub(crate) mod leader;
mod line;
pub(crate) mod lookup;
pub(crate) mod partition_error;
pub mod smartmodule;
mod tls;

pub use client::{Client, Cluster, ClusterError};
pub use health::ClusterHealth;
pub use partition_error::PartitionError;
