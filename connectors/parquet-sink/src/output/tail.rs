//! Where an output partition ends.

use connector_runtime::cluster::Client;
use connector_runtime::reader;

use super::error::OutputError;
use crate::encode::envelope::source_offset;

/// The last record of an output partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Its offset.
    pub offset: i64,
    /// The input it was made from.
    pub source_offset: i64,
}

/// Reads the last record of an output partition; `None` when the partition is empty.
///
/// # Errors
/// When it cannot be read, or was not written by a stage.
pub(crate) async fn tail(
    client: &Client,
    topic: &str,
    partition: u32,
) -> Result<Option<Tail>, OutputError> {
    let Some(record) = reader::read_tail(client, topic, partition).await? else {
        return Ok(None);
    };
    match source_offset(&record.value) {
        Ok(source_offset) => Ok(Some(Tail {
            offset: record.offset,
            source_offset,
        })),
        Err(reason) => Err(OutputError::Foreign {
            topic: topic.to_owned(),
            partition,
            reason,
        }),
    }
}
