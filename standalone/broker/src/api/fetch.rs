//! Plain fetch: records of several partitions in one response, without SmartModules.

use bytes::Bytes;
use fluvio_protocol::link::ErrorCode;
use fluvio_spu_schema::fetch::{
    FetchRequest, FetchResponse, FetchablePartitionResponse, FetchableTopicResponse,
};

use crate::api::read::read;
use crate::connection::wire::RawSet;
use crate::connection::{Connection, RawRequest, RequestError};
use crate::log::{Cursor, READ_BYTES_MAX, Read, read_error};

/// Answers a plain fetch: each partition in turn with at least one batch, until the answer is full.
pub(super) async fn handle(
    connection: &Connection,
    mut request: RawRequest,
) -> Result<(), RequestError> {
    let fetch: FetchRequest<RawSet> = request.decode()?;
    let mut bytes_left = usize::try_from(fetch.max_bytes)
        .unwrap_or(0)
        .clamp(1, READ_BYTES_MAX);
    let faults = &connection.broker.config.faults;
    let mut topics = Vec::new();
    for topic in fetch.topics {
        let mut partitions = Vec::new();
        for wanted in topic.fetch_partitions {
            let partition_index = wanted.partition_index;
            let bytes_max = usize::try_from(wanted.max_bytes)
                .unwrap_or(0)
                .max(1)
                .min(bytes_left);
            let response = match fetch_partition(
                connection,
                &topic.name,
                partition_index,
                wanted.fetch_offset,
                bytes_max,
            )
            .await
            {
                Ok(read) => FetchablePartitionResponse {
                    partition_index,
                    error_code: ErrorCode::None,
                    high_watermark: faults.watermark(read.start_offset, read.end_offset),
                    next_filter_offset: 0,
                    log_start_offset: read.start_offset,
                    aborted: None,
                    records: RawSet(read.bytes),
                },
                Err(error_code) => FetchablePartitionResponse {
                    partition_index,
                    error_code,
                    ..Default::default()
                },
            };
            bytes_left = bytes_left.saturating_sub(response.records.0.len());
            partitions.push(response);
        }
        topics.push(FetchableTopicResponse {
            name: topic.name,
            partitions,
            data: std::marker::PhantomData,
        });
    }
    let response = FetchResponse {
        topics,
        ..Default::default()
    };
    Ok(connection.send(request.response(&response)?).await?)
}

async fn fetch_partition(
    connection: &Connection,
    topic: &str,
    partition: u32,
    offset: i64,
    bytes_max: usize,
) -> Result<Read, ErrorCode> {
    let partition = connection.broker.topics.partition(topic, partition)?;
    // Whatever is wrong with the offset is said when there is room.
    if bytes_max == 0 {
        return Ok(Read {
            bytes: Bytes::new(),
            next_offset: offset,
            start_offset: partition.start_offset(),
            end_offset: partition.end_offset(),
        });
    }
    if connection.broker.config.faults.cuts_reads() {
        return partition.read_cut(offset, bytes_max).map_err(read_error);
    }
    let tasks = &connection.broker.tasks;
    let mut cursor = Cursor::default();
    read(tasks, &partition, &mut cursor, offset, bytes_max).await
}
