//! Fluvio connector: a topic, through SmartModules, into Parquet layers and derived topics.
//!
//! A **stage** is one running connector. It does not know what its records mean; its configuration says where they go.
//!
//! - [`config`] is what the operator writes, and the checked plan made of it.
//! - `stage` runs one `partition` for each input partition, with what they share in `context`.
//! - A partition finds out where it resumes (`recovery`), reads outputs (`input`), makes rows of them ([`encode`]), appends
//!   them to topics (`output`), and cuts and commits (`commit`).
//! - [`status`] and `meters` report how it is doing; `error` says why it stops.
//! - [`failpoints`] let tests end a stage between the steps of a commit.
//!
//! Guaranteed: after a kill at any instant, lake and output topics end up equal, row for row, to those of a run that was
//! never interrupted. One thing can come twice: a dead process's last append to an output topic, when it arrives late.
//! Readers of such a topic therefore ignore a record whose `source_offset` is not above the greatest in its partition.

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
mod stage;
pub mod status;

pub use commit::EMPTY_COMMIT_INTERVAL;
pub use config::{ParquetSettings, SECTION, StageConfig};
pub use encode::envelope;
pub use stage::{run, run_with};
pub use status::StageStatus;
