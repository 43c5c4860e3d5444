//! Stream fetch: a partition's records pushed to a client as they come, through SmartModules if it names some.
//!
//! Always true:
//! - One response is on its way at a time. The next one starts where the client's acknowledgement of it says.
//! - A stream's response without an error carries whole batches, at least one, even above `max_bytes`.
//! - With modules, a response covers every input up to `next_filter_offset`, also when nothing came out of them.
//! - An error is the last thing a stream says.

use std::sync::Arc;

use bytes::Bytes;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::ReplicaKey;
use fluvio_spu_schema::fetch::{
    FetchRequest, FetchResponse, FetchablePartitionResponse, FetchableTopicResponse,
};
use fluvio_spu_schema::server::smartmodule::SmartModuleInvocation;
use fluvio_spu_schema::server::stream_fetch::{StreamFetchRequest, StreamFetchResponse};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::api::{RawRequest, RequestError};
use crate::consumers::Consumer;
use crate::log::{Cursor, Partition, Read, ReadError};
use crate::meters::Sent;
use crate::processor::{Prepared, Processor};
use crate::produce::blocking;
use crate::server::Connection;
use crate::smart::{self, Chain, Processed};
use crate::wire::{self, RawSet, SetFollows};

/// More than this is not read at once, whatever the client allows.
pub const READ_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Larger reads are made on a blocking thread.
const INLINE_BYTES_MAX: u64 = 128 * 1024;

/// What a connection knows of one of its streams.
#[derive(Debug, Clone)]
pub struct StreamHandle {
    acknowledged: watch::Sender<i64>,
    /// Whose offsets the stream may store.
    pub consumer: Option<Consumer>,
}

impl StreamHandle {
    /// Tells the stream where the client wants to read on.
    pub fn acknowledge(&self, offset: i64) {
        self.acknowledged.send_replace(offset);
    }
}

/// Starts a stream.
pub fn handle(connection: &Arc<Connection>, mut request: RawRequest) -> Result<(), RequestError> {
    let fetch: StreamFetchRequest<RawSet> = request.decode()?;
    let acknowledged = watch::Sender::new(fetch.fetch_offset);
    let acknowledgements = acknowledged.subscribe();
    let consumer = fetch
        .consumer_id
        .as_ref()
        .map(|id| Consumer::new(&fetch.topic, fetch.partition, id));
    let id = connection.add_stream(StreamHandle {
        acknowledged,
        consumer,
    });
    let stream = Stream {
        connection: connection.clone(),
        request,
        id,
        sent: Sent::new(&fetch.topic),
        replica: ReplicaKey::new(fetch.topic, fetch.partition),
        max_bytes: usize::try_from(fetch.max_bytes)
            .unwrap_or(0)
            .clamp(1, READ_BYTES_MAX),
    };
    let (offset, modules) = (fetch.fetch_offset, fetch.smartmodules);
    connection.spawn(async move {
        match stream.run(offset, modules, acknowledgements).await {
            Err(StreamError::Code(code)) => stream.send_error(code).await,
            Err(StreamError::Request(error)) => Err(error),
            Err(StreamError::Over) | Ok(()) => Ok(()),
        }
    });
    Ok(())
}

struct Stream {
    connection: Arc<Connection>,
    request: RawRequest,
    id: u32,
    replica: ReplicaKey,
    max_bytes: usize,
    sent: Sent,
}

enum StreamError {
    /// The client is told.
    Code(ErrorCode),
    /// The connection ends.
    Request(RequestError),
    /// The client was told already.
    Over,
}

impl<E: Into<RequestError>> From<E> for StreamError {
    fn from(error: E) -> Self {
        Self::Request(error.into())
    }
}

impl From<ErrorCode> for StreamError {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl Stream {
    async fn run(
        &self,
        mut next_offset: i64,
        modules: Vec<SmartModuleInvocation>,
        mut acknowledgements: watch::Receiver<i64>,
    ) -> Result<(), StreamError> {
        let broker = &self.connection.broker;
        let partition = broker
            .topics
            .partition(&self.replica.topic, self.replica.partition)?;
        let mut processor = None;
        if !modules.is_empty() {
            let modules = smart::resolve(broker, modules)?;
            let version = self.request.header.api_version();
            let (opener, log) = (broker.clone(), partition.clone());
            let opened = move || Chain::open(&opener, modules, version, &log);
            let chain = blocking(&broker.tasks, opened).await??;
            let faults = broker.config.faults.clone();
            processor = Some(Processor::new(
                chain,
                partition.clone(),
                self.max_bytes,
                faults,
            ));
        }
        let mut state = partition.watch();
        let mut cursor = Cursor::default();
        loop {
            let now = *state.borrow_and_update();
            if now.deleted {
                return Err(ErrorCode::TopicDeleted.into());
            }
            if next_offset == now.end_offset {
                tokio::select! {
                    _ = state.changed() => {}
                    _ = acknowledgements.changed() => next_offset = *acknowledgements.borrow_and_update(),
                }
                continue;
            }
            match &mut processor {
                None => {
                    self.send_records(&partition, &mut cursor, next_offset)
                        .await?
                }
                Some(processor) => {
                    if broker.config.faults.loses_segment_file() {
                        let error = "SmartModule err pread error EBADF: Bad file number";
                        return Err(ErrorCode::Other(error.to_owned()).into());
                    }
                    let prepared = processor.next(next_offset).await?;
                    next_offset = prepared.1.next_offset;
                    if !self.send_processed(prepared).await? {
                        continue;
                    }
                    processor.work_ahead(next_offset);
                }
            }
            loop {
                tokio::select! {
                    _ = acknowledgements.changed() => {
                        next_offset = *acknowledgements.borrow_and_update();
                        break;
                    }
                    _ = state.changed() => {
                        if state.borrow_and_update().deleted {
                            return Err(ErrorCode::TopicDeleted.into());
                        }
                    }
                }
            }
        }
    }

    async fn send_records(
        &self,
        partition: &Arc<Partition>,
        cursor: &mut Cursor,
        offset: i64,
    ) -> Result<(), StreamError> {
        let mut read = if self.connection.broker.config.faults.cuts_reads() {
            partition
                .read_cut(offset, self.max_bytes)
                .map_err(read_error)?
        } else {
            let tasks = &self.connection.broker.tasks;
            read(tasks, partition, cursor, offset, self.max_bytes).await?
        };
        let records = std::mem::take(&mut read.bytes);
        Ok(self.send(&read, records, 0, ErrorCode::None).await?)
    }

    /// Sends what modules made, unless that is nothing at all. Says whether it did.
    async fn send_processed(&self, (read, processed): Prepared) -> Result<bool, StreamError> {
        let Processed {
            batch,
            next_offset,
            error,
        } = processed;
        if let Some(error) = error {
            // The records before the error go with it; nothing comes after it.
            if let Some(batch) = batch {
                let code = ErrorCode::SmartModuleRuntimeError(Box::new(error));
                self.send(&read, batch.into(), next_offset, code).await?;
                return Err(StreamError::Over);
            }
            return Err(ErrorCode::SmartModuleRuntimeError(Box::new(error)).into());
        }
        let Some(batch) = batch else { return Ok(false) };
        self.send(&read, batch.into(), next_offset, ErrorCode::None)
            .await?;
        Ok(true)
    }

    async fn send_error(&self, code: ErrorCode) -> Result<(), RequestError> {
        let nothing = Read {
            bytes: Bytes::new(),
            next_offset: 0,
            start_offset: 0,
            end_offset: 0,
        };
        self.send(&nothing, Bytes::new(), 0, code).await
    }

    async fn send(
        &self,
        read: &Read,
        records: Bytes,
        next_filter_offset: i64,
        error_code: ErrorCode,
    ) -> Result<(), RequestError> {
        let response = StreamFetchResponse {
            topic: self.replica.topic.clone(),
            stream_id: self.id,
            partition: FetchablePartitionResponse {
                partition_index: self.replica.partition,
                error_code,
                high_watermark: read.end_offset,
                next_filter_offset,
                log_start_offset: read.start_offset,
                aborted: None,
                records: SetFollows {
                    bytes: records.len(),
                },
            },
        };
        let header = &self.request.header;
        let head = wire::frame(
            header.correlation_id(),
            &response,
            header.api_version(),
            records.len(),
        )?;
        self.sent.count(&records);
        Ok(self.connection.send_parts(head, records).await?)
    }
}

/// Answers a plain fetch: each partition in turn with at least one batch, until the answer is full.
pub async fn handle_fetch(
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
                    high_watermark: faults.watermark(read.end_offset),
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

async fn read(
    tasks: &TaskTracker,
    partition: &Arc<Partition>,
    cursor: &mut Cursor,
    offset: i64,
    bytes_max: usize,
) -> Result<Read, ErrorCode> {
    if partition.bytes_from(offset).min(bytes_max as u64) <= INLINE_BYTES_MAX {
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

/// What the client is told when nothing was read.
pub fn read_error(error: ReadError) -> ErrorCode {
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
