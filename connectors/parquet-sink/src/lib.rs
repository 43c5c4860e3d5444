//! Fluvio connector: a topic, through SmartModules, into Parquet layers and derived topics.
//!
//! A **stage** is one running connector. It knows nothing of what its records mean; its configuration says where they go.
//!
//! * [`config`] what the operator writes, [`plan`] what is understood of it;
//! * `stage` runs it: finds out where to go on (`recover`), then one pipeline for each partition;
//! * a pipeline takes outputs ([`envelope`], [`rows`], `assembly`), appends them to topics (`outputs`), cuts (`cut`) and
//!   commits (`file`, `commit`);

//! * [`status`] tells how it is doing.
//!
//! What is guaranteed: after a kill at any instant, lake and output topics end up equal, row for row, to those of a run
//! that was never interrupted. Readers of an output topic ignore a record whose `source_offset` is not above the
//! greatest seen in its partition: that is the one thing that may come twice, when a dead process's last append arrives
//! late.

mod assembly;
mod columns;
mod commit;
pub mod config;
mod cut;
mod doubles;
pub mod envelope;
pub mod error;
mod file;
pub mod hooks;
mod input;
mod layer;
mod meters;
mod modules;
mod outputs;
mod pipeline;
pub mod plan;
mod read_back;
mod recover;
pub mod rows;
pub mod schema;
pub mod share;
mod stage;
pub mod status;
mod watermark;

pub use config::{ParquetSettings, SECTION, StageConfig};
pub use cut::EMPTY_COMMIT_INTERVAL;
pub use stage::{run, run_with};
pub use status::StageStatus;
