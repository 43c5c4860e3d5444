//! Duplicates in a derived topic: a dead process's last append can still arrive after its successor's, right behind the
//! record with the greatest `source_offset`.

use connector_runtime::cluster::Client;
use connector_runtime::reader::{self, ReadError};
use connector_runtime::record::LogRange;

use crate::encode::envelope::source_offset;
use crate::output::APPEND_BYTES_MAX;

/// Records read at a time: those beyond the length of an append are read for nothing.
const CHUNK: i64 = 1_024;

/// The offset of the record with the greatest `source_offset` among those up to the input `last`.
///
/// A late append holds only what its process's successor has appended already, so that record is at most one append before
/// `last`.
///
/// # Errors
/// When the input cannot be read.
pub(super) async fn greatest_source_at(
    client: &Client,
    topic: &str,
    partition: u32,
    log: LogRange,
    last: i64,
) -> Result<Option<i64>, ReadError> {
    let mut greatest: Option<(i64, i64)> = None;
    let mut until = log.end.min(last + 1);
    let mut bytes = 0;
    while until > log.start && bytes <= APPEND_BYTES_MAX {
        let from = log.start.max(until - CHUNK);
        for record in reader::read_range(client, topic, partition, from..until).await? {
            bytes += record.value.len();
            if let Ok(source) = source_offset(&record.value) {
                greatest = greatest.max(Some((source, record.offset)));
            }
        }
        until = from;
    }
    Ok(greatest.map(|(_, offset)| offset))
}
