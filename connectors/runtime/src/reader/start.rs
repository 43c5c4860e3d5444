//! Where a reader may start.

use super::error::ReadError;
use crate::cluster::leader::Leader;
use crate::record::LogRange;

/// Checks that `offset` is in the log, or is its end.
pub(super) fn check_start(leader: &Leader, log: LogRange, offset: i64) -> Result<(), ReadError> {
    if offset < log.start {
        return Err(ReadError::OffsetEvicted {
            partition: leader.name(),
            offset,
            log_start: log.start,
        });
    }
    if offset > log.end {
        return Err(ReadError::OffsetBeyondEnd {
            partition: leader.name(),
            offset,
            log_end: log.end,
        });
    }
    Ok(())
}
