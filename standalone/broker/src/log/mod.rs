//! The log: every partition is a row of segment files, every segment a row of batches exactly as clients sent them.
//!
//! Always true:
//! - A batch on disk is a client's batch with its `base_offset` set, nothing else changed.
//! - In a partition, each batch's base offset is the one before it plus its record count. There are no gaps.
//! - Only the newest segment grows. An older one is complete, synced, and ends where the next one's name begins.
//! - What was acknowledged has been written to the file, so it survives the death of the process (`kill -9`). It
//!   survives the death of the machine once it was synced: when its segment was full, when the broker stopped, and
//!   at the latest `sync_interval` after it was written.

mod answer;
pub(crate) mod batch;
mod folder;
mod partition;
mod segment;

pub(crate) use answer::{READ_BYTES_MAX, read_error};
pub(crate) use folder::create_dir_all;
pub(crate) use partition::{AppendError, Cursor, Partition, PartitionConfig, Read, ReadError};
