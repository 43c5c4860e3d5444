//! Produce requests: check, transform, append, acknowledge.
//!
//! A request carries many record sets, often several of one partition. The sets of a partition (within one topic entry) are
//! appended with one write: all or none, except that a failing disk may leave those of a segment that was closed before. Each
//! set is answered by itself, in the order of the request. A failed append answers -1 for every set, because the client's
//! AtMostOnce mode shows its caller no error code.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use bytes::Bytes;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::ReplicaKey;
use fluvio_spu_schema::produce::TopicProduceData;
use fluvio_spu_schema::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use fluvio_spu_schema::server::smartmodule::SmartModuleInvocation;

use crate::api::blocking::{blocking, joined};
use crate::connection::wire::RawSet;
use crate::connection::{Connection, RawRequest, RequestError};
use crate::log::{AppendError, Partition};
use crate::meters;
use crate::shared::Shared;
use crate::smart::{self, Chain};

/// Larger appends are made on a blocking thread.
const INLINE_BYTES_MAX: usize = 256 * 1024;

/// Carries out a produce request.
pub(super) async fn handle(
    connection: &Arc<Connection>,
    mut request: RawRequest,
) -> Result<(), RequestError> {
    let produce: ProduceRequest<RawSet> = request.decode()?;
    let faults = &connection.broker.config.faults;
    let sets = || produce.topics.iter().flat_map(|topic| &topic.partitions);
    let has_records = sets().any(|set| !set.records.0.is_empty());
    let refused = has_records && faults.take_refused_write();

    let version = request.header.api_version();
    let mut responses = Vec::with_capacity(produce.topics.len());
    for topic in produce.topics {
        responses
            .push(write_topic(connection, topic, &produce.smartmodules, version, refused).await);
    }
    let response = request.response(&ProduceResponse {
        responses,
        throttle_time_ms: 0,
    })?;

    acknowledge(connection, response, has_records).await
}

/// Sends the response, unless a fault of the tests is on.
async fn acknowledge(
    connection: &Arc<Connection>,
    response: Bytes,
    has_records: bool,
) -> Result<(), RequestError> {
    let faults = &connection.broker.config.faults;
    if has_records && faults.take_break_before_ack() {
        return Err(RequestError::Fault);
    }
    if has_records && faults.take_lost_ack() {
        return Ok(());
    }
    let delay = faults.ack_delay();
    if delay.is_zero() {
        connection.send(response).await?;
    } else {
        let sender = connection.clone();
        connection.spawn(async move {
            tokio::time::sleep(delay).await;
            Ok(sender.send(response).await?)
        });
    }
    Ok(())
}

async fn write_topic(
    connection: &Connection,
    topic: TopicProduceData<RawSet>,
    modules: &[SmartModuleInvocation],
    version: i16,
    refused: bool,
) -> TopicProduceResponse {
    let mut by_partition = BTreeMap::<u32, Vec<(usize, Bytes)>>::new();
    let mut partitions = Vec::with_capacity(topic.partitions.len());
    for (place, set) in topic.partitions.into_iter().enumerate() {
        partitions.push(PartitionProduceResponse {
            partition_index: set.partition_index,
            error_code: ErrorCode::None,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
        });
        by_partition
            .entry(set.partition_index)
            .or_default()
            .push((place, set.records.0));
    }
    for (partition_index, sets) in by_partition {
        let (places, sets): (Vec<_>, Vec<_>) = sets.into_iter().unzip();
        let written = if refused {
            Err(ErrorCode::StorageError)
        } else {
            write_partition(
                connection,
                &topic.name,
                partition_index,
                sets,
                modules,
                version,
            )
            .await
        };
        match written {
            Ok(base_offsets) => {
                for (place, base_offset) in places.into_iter().zip(base_offsets) {
                    partitions[place].base_offset = base_offset;
                }
            }
            Err(error_code) => {
                for place in places {
                    partitions[place].error_code = error_code.clone();
                }
            }
        }
    }
    TopicProduceResponse {
        name: topic.name,
        partitions,
    }
}

/// Appends the sets and returns their base offsets; an empty set gets the offset of what would come next.
async fn write_partition(
    connection: &Connection,
    topic: &str,
    partition_index: u32,
    mut sets: Vec<Bytes>,
    modules: &[SmartModuleInvocation],
    version: i16,
) -> Result<Vec<i64>, ErrorCode> {
    let broker = &connection.broker;
    if broker
        .topics
        .get(topic)
        .is_some_and(|topic| topic.spec().is_system())
    {
        return Err(ErrorCode::PermissionDenied);
    }
    let partition = broker.topics.partition(topic, partition_index)?;
    if !modules.is_empty() {
        let modules = smart::resolve(broker, modules.to_vec())?;
        let (transformer, partition) = (broker.clone(), partition.clone());
        let transformed = move || transform(&transformer, modules, version, &partition, sets);
        sets = blocking(&broker.tasks, transformed).await??;
    }
    let bytes: usize = sets.iter().map(Bytes::len).sum();
    let written = if bytes <= INLINE_BYTES_MAX {
        partition.append(&sets)
    } else {
        // Tracked, so that a broker that stops waits for it even when the connection is gone.
        let sets = sets.clone();
        let append = broker.tasks.spawn_blocking(move || partition.append(&sets));
        joined(append.await)?
    };
    let base_offsets = written.map_err(|error| error_code(error, topic, partition_index))?;
    meters::count_written(topic, sets.iter().map(|set| set.as_ref()));
    Ok(base_offsets)
}

fn transform(
    broker: &Shared,
    modules: Vec<SmartModuleInvocation>,
    version: i16,
    partition: &Partition,
    sets: Vec<Bytes>,
) -> Result<Vec<Bytes>, ErrorCode> {
    let transformed = sets.into_iter().map(|set| {
        if set.is_empty() {
            return Ok(set);
        }
        // Checked before anything is decoded.
        partition
            .check(&set)
            .map_err(|error| ErrorCode::Other(error.to_string()))?;
        // A new chain for each set, as on a cluster.
        let mut chain = Chain::open(broker, modules.clone(), version, partition)?;
        Ok(chain
            .process_produced(&set)?
            .map_or_else(Bytes::new, Bytes::from))
    });
    transformed.collect()
}

fn error_code(error: AppendError, topic: &str, partition_index: u32) -> ErrorCode {
    match error {
        AppendError::TooLarge { .. } => ErrorCode::MessageTooLarge,
        AppendError::Compression { .. } => ErrorCode::CompressionError,
        AppendError::Deleted => ErrorCode::TopicDeleted,
        AppendError::Batch(error) => ErrorCode::Other(error.to_string()),
        AppendError::NotDurable => {
            tracing::error!("the log of {topic}/{partition_index} takes nothing: {error}");
            ErrorCode::StorageError
        }
        AppendError::Io(error) => {
            let is_full = matches!(
                error.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded
            );
            let remedy = match is_full {
                true => "free disk space, or raise the quota",
                false => "check the disk, and the process's limits",
            };
            tracing::error!("cannot write the log of {topic}/{partition_index}: {error}; {remedy}");
            match is_full {
                true => ErrorCode::PartitionFull {
                    replica_key: ReplicaKey::new(topic, partition_index),
                },
                false => ErrorCode::StorageError,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_used_up_quota_is_a_full_disk() {
        let code = |kind| error_code(AppendError::Io(io::Error::from(kind)), "topic", 0);
        for full in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
            assert!(matches!(code(full), ErrorCode::PartitionFull { .. }));
        }
        assert!(matches!(code(ErrorKind::Other), ErrorCode::StorageError));
    }
}
