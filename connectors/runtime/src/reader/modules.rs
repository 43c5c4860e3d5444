//! A reader of what SmartModules output for the records of a partition.
//!
//! - The modules run in the broker. Their state lives as long as the stream: after an error or a drop, the next reader starts
//!   with fresh modules.
//! - Outputs carry no offset, because the client would number them by their place in the batch. A module writes the input's
//!   offset into the payload; with one output per input, the caller can see that none is missing.
//! - A cluster may process the whole batch of `from_offset`: then outputs of earlier inputs come first.
//! - A cluster skips records when the output of one input batch exceeds `max_bytes`. Batches of [`TopicWriter`] are too small
//!   for that. A topic with other producers needs a `max_request_size` of at most 1 MiB there.
//!
//! [`TopicWriter`]: crate::writer::TopicWriter

use fluvio::dataplane::link::ErrorCode;
use fluvio_spu_schema::server::stream_fetch::{
    CHAIN_SMARTMODULE_API, DefaultStreamFetchRequest, DefaultStreamFetchResponse,
};
use futures_util::future::BoxFuture;

use super::error::ReadError;
use super::responses::{Heard, Responses};
use super::start::check_start;
use crate::SmartModuleInvocation;
use crate::cluster::Client;
use crate::cluster::batch;
use crate::cluster::leader::Leader;
use crate::record::Output;

/// The largest output of one batch: 64 times what an input batch may hold.
const MAX_BYTES: i32 = 64 * 1024 * 1024;

/// Reads the outputs of SmartModules for a partition's records, in order.
pub struct ModuleReader {
    leader: Leader,
    from_offset: i64,
    responses: Responses,
    /// Outputs that the caller does not have yet.
    ready: Option<Vec<Output>>,
    /// The error that came with the last outputs.
    failed: Option<ErrorCode>,
}

impl ModuleReader {
    /// Starts at the input record `from_offset`, with fresh modules. A module's errors come from [`next`](Self::next).
    pub async fn open(
        client: &Client,
        topic: &str,
        partition: u32,
        from_offset: i64,
        modules: Vec<SmartModuleInvocation>,
    ) -> Result<Self, ReadError> {
        let mut leader = Leader::connect(client, topic, partition).await?;
        let log = leader.offsets().await?;
        check_start(&leader, log, from_offset)?;
        if leader.stream_version() < CHAIN_SMARTMODULE_API {
            return Err(ReadError::Refused {
                partition: leader.name(),
                reason: "it is too old to run chained SmartModules: upgrade the cluster".to_owned(),
            });
        }
        let mut request = DefaultStreamFetchRequest::default();
        request.topic = topic.to_owned();
        request.partition = partition;
        request.fetch_offset = from_offset;
        request.max_bytes = MAX_BYTES;
        request.isolation = leader.isolation();
        request.smartmodules = modules;
        let what = format!("reading {} through SmartModules", leader.name());
        Ok(Self {
            responses: Responses::open(&mut leader, request, what).await?,
            leader,
            from_offset,
            ready: None,
            failed: None,
        })
    }

    /// The next outputs, possibly none. Waits for a response. Cancel-safe. After an error the modules' state is lost: open
    /// another reader.
    pub async fn next(&mut self) -> Result<Vec<Output>, ReadError> {
        self.next_response().await
    }

    fn next_response(&mut self) -> BoxFuture<'_, Result<Vec<Output>, ReadError>> {
        Box::pin(self.hear())
    }

    async fn hear(&mut self) -> Result<Vec<Output>, ReadError> {
        while self.ready.is_none() {
            if let Some(code) = &self.failed {
                let code = code.clone();
                return Err(ReadError::from_code(code, &self.leader, self.from_offset));
            }
            match self.responses.next(&mut self.leader).await? {
                Heard::Response(response) => self.ready = Some(self.take(response)?),
                Heard::Silence => {
                    self.leader.offsets().await?;
                    self.responses.is_alive();
                }
            }
        }
        // The modules go on while the caller works.
        self.leader.flush().await;
        Ok(self.ready.take().unwrap_or_default())
    }

    fn take(&mut self, response: DefaultStreamFetchResponse) -> Result<Vec<Output>, ReadError> {
        let stream_id = response.stream_id;
        let answer = response.partition;
        let next_offset = answer.next_offset_for_fetch();
        let mut outputs = Vec::new();
        for batch in &answer.records.batches {
            let missing_bytes = batch::missing_bytes(batch);
            let decoded = if missing_bytes > 0 {
                Err(format!("{missing_bytes} bytes of a response are missing"))
            } else {
                batch::decode(batch).map_err(|error| error.to_string())
            };
            let records = decoded.map_err(|reason| ReadError::Corrupt {
                partition: self.leader.name(),
                offset: batch.base_offset,
                reason,
            })?;
            outputs.extend(records.into_iter().map(|record| Output {
                key: record.key,
                value: record.value,
            }));
        }
        if answer.error_code != ErrorCode::None {
            let error =
                ReadError::from_code(answer.error_code.clone(), &self.leader, self.from_offset);
            self.failed = Some(answer.error_code);
            if outputs.is_empty() {
                return Err(error);
            }
        } else if let Some(offset) = next_offset {
            self.leader.acknowledge(stream_id, offset);
        }
        Ok(outputs)
    }
}
