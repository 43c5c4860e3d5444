//! Offsets: where a partition starts and ends, what a stream has taken, where consumers are.

use fluvio_protocol::link::ErrorCode;
use fluvio_spu_schema::server::consumer_offset::{
    ConsumerOffset, DeleteConsumerOffsetRequest, DeleteConsumerOffsetResponse,
    FetchConsumerOffsetsRequest, FetchConsumerOffsetsResponse, UpdateConsumerOffsetRequest,
    UpdateConsumerOffsetResponse,
};
use fluvio_spu_schema::server::fetch_offset::{
    FetchOffsetPartitionResponse, FetchOffsetTopicResponse, FetchOffsetsRequest,
    FetchOffsetsResponse,
};
use fluvio_spu_schema::server::update_offset::{
    OffsetUpdateStatus, UpdateOffsetsRequest, UpdateOffsetsResponse,
};

use crate::connection::{Connection, RawRequest, RequestError};
use crate::metadata::Consumer;

pub(super) async fn fetch(
    connection: &Connection,
    mut request: RawRequest,
) -> Result<(), RequestError> {
    let fetch: FetchOffsetsRequest = request.decode()?;
    let broker = &connection.broker;
    // Clients of version 23 ask for their own offset here.
    #[expect(deprecated)]
    let consumer = fetch.consumer_id;
    let topics = fetch.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let partition_index = partition.partition_index;
            match broker.topics.partition(&topic.name, partition_index) {
                Ok(partition) => {
                    let start_offset = partition.start_offset();
                    let faults = &broker.config.faults;
                    let watermark = faults.watermark(start_offset, partition.end_offset());
                    let stored = consumer.as_ref().and_then(|consumer| {
                        broker
                            .consumers
                            .get(&Consumer::new(&topic.name, partition_index, consumer))
                    });
                    FetchOffsetPartitionResponse {
                        error_code: ErrorCode::None,
                        partition_index,
                        start_offset: stored.map_or(start_offset, |offset| offset + 1),
                        last_stable_offset: watermark,
                    }
                }
                Err(error_code) => FetchOffsetPartitionResponse {
                    error_code,
                    partition_index,
                    ..Default::default()
                },
            }
        });
        FetchOffsetTopicResponse {
            partitions: partitions.collect(),
            name: topic.name.clone(),
        }
    });
    let response = FetchOffsetsResponse {
        topics: topics.collect(),
    };
    Ok(connection.send(request.response(&response)?).await?)
}

pub(super) async fn acknowledge(
    connection: &Connection,
    mut request: RawRequest,
) -> Result<(), RequestError> {
    let update: UpdateOffsetsRequest = request.decode()?;
    let status = update.offsets.into_iter().map(|update| {
        let error = match connection.stream(update.session_id) {
            Some(stream) => {
                stream.acknowledge(update.offset);
                ErrorCode::None
            }
            None => ErrorCode::FetchSessionNotFoud,
        };
        OffsetUpdateStatus {
            session_id: update.session_id,
            error,
        }
    });
    let response = UpdateOffsetsResponse {
        status: status.collect(),
    };
    Ok(connection.send(request.response(&response)?).await?)
}

pub(super) async fn update_consumer(
    connection: &Connection,
    mut request: RawRequest,
) -> Result<(), RequestError> {
    let UpdateConsumerOffsetRequest { offset, session_id } = request.decode()?;
    let stored = match connection.stream(session_id).map(|stream| stream.consumer) {
        None => Err(ErrorCode::FetchSessionNotFoud),
        Some(None) => Err(ErrorCode::OffsetManagementDisabled),
        Some(Some(consumer)) if connection.broker.topics.get(consumer.topic()).is_none() => {
            Err(ErrorCode::TopicNotFound)
        }
        Some(Some(consumer)) => connection.broker.consumers.put(consumer, offset).await,
    };
    let response = match stored {
        Ok(()) => UpdateConsumerOffsetResponse {
            offset,
            error_code: ErrorCode::None,
        },
        Err(error_code) => UpdateConsumerOffsetResponse {
            offset: 0,
            error_code,
        },
    };
    Ok(connection.send(request.response(&response)?).await?)
}

pub(super) async fn delete_consumer(
    connection: &Connection,
    mut request: RawRequest,
) -> Result<(), RequestError> {
    let delete: DeleteConsumerOffsetRequest = request.decode()?;
    let consumer = Consumer::new(
        &delete.replica_id.topic,
        delete.replica_id.partition,
        &delete.consumer_id,
    );
    let error_code = connection
        .broker
        .consumers
        .remove(consumer)
        .await
        .err()
        .unwrap_or(ErrorCode::None);
    Ok(connection
        .send(request.response(&DeleteConsumerOffsetResponse { error_code })?)
        .await?)
}

pub(super) async fn fetch_consumers(
    connection: &Connection,
    mut request: RawRequest,
) -> Result<(), RequestError> {
    let fetch: FetchConsumerOffsetsRequest = request.decode()?;
    let filter = fetch.filter_opts.unwrap_or_default();
    let all = connection.broker.consumers.all().into_iter();
    let wanted = all.filter(|stored| {
        let replica = filter.replica_id.as_ref();
        replica.is_none_or(|replica| {
            replica.topic == stored.topic && replica.partition == stored.partition
        }) && filter
            .consumer_id
            .as_ref()
            .is_none_or(|consumer| *consumer == stored.consumer)
    });
    let consumers = wanted.map(|stored| {
        ConsumerOffset::new(
            stored.consumer,
            (stored.topic, stored.partition),
            stored.offset,
            stored.modified_secs,
        )
    });
    let response = FetchConsumerOffsetsResponse {
        error_code: ErrorCode::None,
        consumers: consumers.collect(),
    };
    Ok(connection.send(request.response(&response)?).await?)
}
