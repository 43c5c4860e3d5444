//! Tables: what people and programs read and write.
//!
//! - `handle` is a table by its name, `open` opens it; `spec` is what it looks like.
//! - `snapshot` is everything that counts at one version, `file` one data file of it, `stats` what is known of a file
//!   without opening it.
//! - `history` tells of its entries; `properties` is how its files are encoded.
//! - `writer` commits entries; `transaction` is one to be committed.
//! - `freshness` is how long a log that was read may be followed.
//! - `stamp` says where a stage stands; `summary` is what the newest entry alone tells of a table.

#[cfg(test)]
mod faults;
mod file;
mod freshness;
mod handle;
mod history;
mod open;
mod properties;
mod snapshot;
mod spec;
mod stamp;
mod stats;
mod summary;
mod transaction;
mod writer;

pub use file::DataFile;
pub(crate) use freshness::DAY_MS;
pub use handle::Table;
pub use history::HistoryEntry;
pub use properties::parquet_properties;
pub use snapshot::Snapshot;
pub(crate) use spec::IMPORTED;
pub use spec::{Column, TableSpec};
pub use stamp::{AppId, CommitStamp, ModuleStamp, STAMP_VERSION};
pub use summary::{Place, Summary};
pub use transaction::{NewFile, Transaction};
pub use writer::{CommitError, TableWriter};
