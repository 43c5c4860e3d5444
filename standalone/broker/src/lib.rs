//! The one-machine broker: one process that speaks Fluvio's own protocol on one port.
//!
//! The `fluvio` client crate, connectors and the `fluvio` command line use it exactly as they use a cluster: its SC (topics,
//! SmartModules, table formats) and its one SPU (records, streams, SmartModule chains, consumer offsets) share the port. It
//! is the default for one machine and not a cluster: nothing is replicated, nobody is authenticated, and it listens on
//! loopback unless told otherwise.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = broker::Broker::start(broker::BrokerConfig::new("data/broker")).await?;
//! println!("fluvio profile add coinlake {} docker", broker.addr());
//! broker.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! **What survives what.** An acknowledged record survives the death of the process at any instant (`kill -9`): it was
//! written to the file before the acknowledgement. It survives the death of the machine (power, kernel) once it was
//! synced, which happens at the latest [`BrokerConfig::sync_interval`] after it was written, when a segment is full, and
//! when the broker stops. Topics, SmartModules, table formats and consumer offsets are synced before they are
//! acknowledged. A last write that was cut short is found by its checksum and cut off when the log is opened.
//!
//! **In a data directory** there are `FORMAT` (the version of all this), `LOCK` (held while a broker runs), `meta.redb`
//! (topics, SmartModules, table formats, consumer offsets) and `logs/<topic>.<id>/<partition>/<first offset>.log`.
//!
//! **Kinder than an SPU.** Reads are never cut in the middle of a batch, a SmartModule's reader never skips a record, a
//! stream that opens in the middle of a batch processes it from there, a produce request is written whole or not at all.
//! [`Faults`] turns the unkindness on for tests.

mod api;
mod broker;
mod chain_times;
mod config;
mod connection;
mod data_dir;
mod error;
mod faults;
mod log;
mod metadata;
mod meters;
mod shared;
mod smart;

pub use crate::broker::Broker;
pub use crate::chain_times::{ChainTime, ChainTimes};
pub use crate::config::BrokerConfig;
pub use crate::error::BrokerError;
pub use crate::faults::Faults;
