//! A table's log: the numbered entries of `_delta_log/` and its checkpoints, as Delta's protocol defines them
//! (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md>).
//!
//! - `action` are the lines of an entry.
//! - `entry` lists, reads and creates entries.
//! - `checkpoint` reads and writes the state of a table as one Parquet file.
//! - `state` is what all actions up to an entry amount to.
//! - `protocol` says which tables this crate reads and writes.

pub(crate) mod action;
pub(crate) mod checkpoint;
pub(crate) mod entry;
pub(crate) mod protocol;
pub(crate) mod state;
