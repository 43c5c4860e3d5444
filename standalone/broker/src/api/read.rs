//! Reading a partition for a client: small reads at once, large ones on a blocking thread.

use std::sync::Arc;

use fluvio_protocol::link::ErrorCode;
use tokio_util::task::TaskTracker;

use crate::api::blocking::blocking;
use crate::log::{Cursor, Partition, Read, read_error};

/// Larger reads are made on a blocking thread.
const INLINE_BYTES_MAX: u64 = 128 * 1024;

/// Reads batches from `offset` on, about `bytes_max` bytes and at least one batch.
pub(super) async fn read(
    tasks: &TaskTracker,
    partition: &Arc<Partition>,
    cursor: &mut Cursor,
    offset: i64,
    bytes_max: usize,
) -> Result<Read, ErrorCode> {
    if partition.bytes_from_max(offset).min(bytes_max as u64) <= INLINE_BYTES_MAX {
        return partition
            .read(cursor, offset, bytes_max)
            .map_err(read_error);
    }
    let (partition, mut moved) = (partition.clone(), std::mem::take(cursor));
    let work = move || (partition.read(&mut moved, offset, bytes_max), moved);
    let (read, moved) = blocking(tasks, work).await?;
    *cursor = moved;
    read.map_err(read_error)
}
