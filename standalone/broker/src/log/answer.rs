//! What a client is told when a read of the log fails, and how much it may read at once.

use fluvio_protocol::link::ErrorCode;

use crate::log::ReadError;

/// More than this is not read at once, whatever the client allows.
pub(crate) const READ_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What the client is told when nothing was read.
pub(crate) fn read_error(error: ReadError) -> ErrorCode {
    match error {
        ReadError::Evicted {
            offset,
            start_offset,
        } => ErrorCode::OffsetEvicted {
            offset,
            next_available: start_offset,
        },
        ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Io(error) => {
            tracing::error!("cannot read the log: {error}");
            ErrorCode::StorageError
        }
    }
}
