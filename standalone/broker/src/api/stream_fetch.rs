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
use fluvio_spu_schema::fetch::FetchablePartitionResponse;
use fluvio_spu_schema::server::smartmodule::SmartModuleInvocation;
use fluvio_spu_schema::server::stream_fetch::{StreamFetchRequest, StreamFetchResponse};
use tokio::sync::watch;

use crate::api::blocking::blocking;
use crate::api::read::read;
use crate::connection::wire::{self, RawSet, SetFollows};
use crate::connection::{Connection, RawRequest, RequestError, StreamHandle};
use crate::log::{Cursor, Partition, READ_BYTES_MAX, Read, read_error};
use crate::metadata::Consumer;
use crate::meters::Sent;
use crate::smart::{self, Chain, Prepared, Processed, Processor};

/// Starts a stream.
pub(super) fn handle(
    connection: &Arc<Connection>,
    mut request: RawRequest,
) -> Result<(), RequestError> {
    let fetch: StreamFetchRequest<RawSet> = request.decode()?;
    let acknowledged = watch::Sender::new(fetch.fetch_offset);
    let acknowledgements = acknowledged.subscribe();
    let consumer = fetch
        .consumer_id
        .as_ref()
        .map(|id| Consumer::new(&fetch.topic, fetch.partition, id));
    let id = connection.add_stream(StreamHandle::new(acknowledged, consumer));
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
                    if broker.config.faults.take_lost_segment_file() {
                        let error = "SmartModule err pread error EBADF: Bad file number";
                        return Err(ErrorCode::Other(error.to_owned()).into());
                    }
                    let prepared = processor.next(next_offset).await?;
                    next_offset = prepared.1.next_offset;
                    // Before sending, which waits for a client that is busy with the response before.
                    if prepared.1.error.is_none() {
                        processor.work_ahead(next_offset);
                    }
                    if !self.send_processed(prepared).await? {
                        continue;
                    }
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
