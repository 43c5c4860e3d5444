//! The one-machine broker: one process that speaks Fluvio's own protocol on one port.
//!
//! The `fluvio` client, connectors and command line use it exactly as they use a cluster. SC (topics, SmartModules, table
//! formats) and the single SPU (records, streams, SmartModule chains, consumer offsets) share the port. It is for one
//! machine: nothing is replicated, nobody is authenticated, and it listens on loopback unless told otherwise.
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
//! acknowledged. An incomplete last write is detected by its checksum and truncated when the log is
//! opened.
//!
//! **In a data directory** there are `FORMAT` (the version of the layout), `LOCK` (held while a broker runs), `meta.redb`
//! (topics, SmartModules, table formats, consumer offsets) and `logs/<topic>.<id>/<partition>/<first offset>.log`.
//!
//! **Stricter than an SPU.** Reads are never cut in the middle of a batch, a SmartModule's reader never skips a record, a stream
//! that opens in the middle of a batch processes it from there. All record sets that one request carries for a partition are
//! written or none, unless the disk fails while a segment is being closed. [`Faults`] makes the broker behave like an SPU at
//! its worst, for tests.
//!
//! - [`Broker`] (`broker`) starts and stops it, as [`BrokerConfig`] says; `shared` is what its tasks share.
//! - `connection` frames requests and responses; `api` answers them, a file for each kind.
//! - `log` stores records, `metadata` everything else; `data_dir` locks and versions the directory.
//! - `smart` runs SmartModule chains; `chain_times` and `meters` measure; `faults` misbehaves for tests.
//! - `limits` raises the number of files that may be open.

mod api;
mod broker;
mod chain_times;
mod config;
mod connection;
mod data_dir;
mod error;
mod faults;
mod limits;
mod log;
mod metadata;
mod meters;
mod shared;
mod smart;

pub use crate::broker::Broker;
pub use crate::chain_times::{ChainTime, ChainTimes};
pub use crate::config::BrokerConfig;
pub use crate::data_dir::LOCK_FILE;
pub use crate::error::BrokerError;
pub use crate::faults::Faults;
