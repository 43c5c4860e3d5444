//! Fluvio connector: a topic, through SmartModules, into Delta tables and derived topics.
//!
//! A **stage** is one running connector. It does not know what its records mean; its configuration says where they go.
//!
//! - [`run`] runs a stage until it is told to stop.
//! - [`config`] is what the operator writes, and the checked plan made of it.
//! - `stage` runs one `partition` for each input partition, with what they share in `context`; on Kubernetes `shares` says which.
//! - A partition finds out where it resumes (`recovery`), reads its input through the SmartModules (`input`), turns what they
//!   return into rows ([`encode`]), appends to output topics (`output`), and cuts and commits (`commit`).
//! - [`status`] and `meters` report how it is doing; `error` says why it stops.
//! - [`failpoints`] let tests end a stage between the steps of a commit.
//!
//! **Guaranteed.** After a kill at any instant, lake and output topics end up equal, row for row, to those of an uninterrupted
//! run, with one exception: a dead process's last append may reach an output topic after its successor's. Readers therefore
//! ignore a record whose `source_offset` is not above the greatest seen in its partition.

mod commit;
pub mod config;
mod context;
pub mod encode;
mod error;
pub mod failpoints;
mod input;
mod meters;
mod output;
mod partition;
mod recovery;
mod shares;
mod stage;
pub mod status;

pub use commit::{EMPTY_COMMIT_INTERVAL, table_spec};
pub use config::{ParquetSettings, SECTION, StageConfig};
pub use encode::envelope;
pub use stage::{run, run_with};
pub use status::{PartitionStatus, StageStatus};
