//! What SmartModules make of a partition's records.
//!
//! The modules live in the broker, and their state as long as this reader's stream: after any error, or when the reader
//! is dropped, the next one starts with fresh modules. Outputs carry no offset (the client would number them by their
//! place in the batch), so a module that must tell writes the input's offset into the payload; one that also answers
//! every input lets the caller see that nothing is missing. A cluster may process the whole batch that `from_offset` is in:
//! outputs of earlier inputs come first then, and the payload's offset tells them apart.
//!
//! A cluster skips records when the output of one input batch exceeds `max_bytes`. What [`TopicWriter`] writes cannot come
//! near that; other producers' batches are not announced anywhere, so a topic they write to needs `max_request_size` of at
//! most 1 MiB there.
//!
//! [`TopicWriter`]: crate::writer::TopicWriter

use fluvio::dataplane::link::ErrorCode;
use fluvio_socket::AsyncResponse;
use fluvio_spu_schema::server::stream_fetch::{
    CHAIN_SMARTMODULE_API, DefaultStreamFetchRequest, DefaultStreamFetchResponse,
};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::SmartModuleInvocation;
use crate::cluster::Client;
use crate::cluster::batch;
use crate::cluster::leader::{Spu, SpuError};
use crate::reader::{IDLE_CHECK, ReadError, check_start};
use crate::record::Output;

/// The most outputs of one answer: 64 times what an input batch may hold.
const MAX_BYTES: i32 = 64 * 1024 * 1024;

/// The outputs of SmartModules over a partition's records, in order.
pub struct ModuleReader {
    spu: Spu,
    from_offset: i64,
    stream: AsyncResponse<DefaultStreamFetchRequest>,
    /// What the broker reported behind outputs that came with it.
    failed: Option<ErrorCode>,
    last_heard: Instant,
}

impl ModuleReader {
    /// Starts at the input record `from_offset`, with fresh modules. What is wrong with a module shows at the first
    /// [`next`](Self::next).
    pub async fn open(
        client: &Client,
        topic: &str,
        partition: u32,
        from_offset: i64,
        modules: Vec<SmartModuleInvocation>,
    ) -> Result<Self, ReadError> {
        let spu = Spu::connect(client, topic, partition).await?;
        let held = spu.offsets().await?;
        check_start(&spu, held, from_offset)?;
        if spu.stream_version() < CHAIN_SMARTMODULE_API {
            return Err(ReadError::Refused {
                partition: spu.name(),
                reason: "it is too old to run chained SmartModules: upgrade the cluster".to_owned(),
            });
        }
        let mut request = DefaultStreamFetchRequest::default();
        request.topic = topic.to_owned();
        request.partition = partition;
        request.fetch_offset = from_offset;
        request.max_bytes = MAX_BYTES;
        request.isolation = spu.isolation();
        request.smartmodules = modules;
        let stream = spu.stream(request).await?;
        Ok(Self {
            spu,
            from_offset,
            stream,
            failed: None,
            last_heard: Instant::now(),
        })
    }

    /// The next outputs; may be empty. Waits when there are none yet. Cancel-safe. After an error the modules' state is
    /// lost: open again.
    pub async fn next(&mut self) -> Result<Vec<Output>, ReadError> {
        self.next_answer().await
    }

    fn next_answer(&mut self) -> BoxFuture<'_, Result<Vec<Output>, ReadError>> {
        Box::pin(self.hear())
    }

    async fn hear(&mut self) -> Result<Vec<Output>, ReadError> {
        if let Some(code) = &self.failed {
            return Err(ReadError::from_code(
                code.clone(),
                &self.spu,
                self.from_offset,
            ));
        }
        loop {
            let heard =
                tokio::time::timeout_at(self.last_heard + IDLE_CHECK, self.stream.next()).await;
            match heard {
                Ok(Some(Ok(response))) => {
                    self.last_heard = Instant::now();
                    return self.take(response);
                }
                Ok(Some(Err(err))) => return Err(self.disconnected(err)),
                Ok(None) => return Err(self.disconnected("the broker closed the connection")),
                // Nothing to do, or nobody there any more? Only an answer can tell.
                Err(_) => {
                    self.spu.offsets().await?;
                    self.last_heard = Instant::now();
                }
            }
        }
    }

    fn take(&mut self, response: DefaultStreamFetchResponse) -> Result<Vec<Output>, ReadError> {
        let stream_id = response.stream_id;
        let answer = response.partition;
        let next_offset = answer.next_offset_for_fetch();
        let mut outputs = Vec::new();
        for batch in &answer.records.batches {
            let missing_bytes = batch::missing_bytes(batch);
            let decoded = if missing_bytes > 0 {
                Err(format!("{missing_bytes} bytes of an answer are missing"))
            } else {
                batch::decode(batch).map_err(|err| err.to_string())
            };
            let records = decoded.map_err(|reason| ReadError::Corrupt {
                partition: self.spu.name(),
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
                ReadError::from_code(answer.error_code.clone(), &self.spu, self.from_offset);
            self.failed = Some(answer.error_code);
            if outputs.is_empty() {
                return Err(error);
            }
        } else if let Some(offset) = next_offset {
            self.spu.acknowledge(stream_id, offset);
        }
        Ok(outputs)
    }

    fn disconnected(&self, reason: impl std::fmt::Display) -> ReadError {
        SpuError::disconnected(
            format!("reading {} through SmartModules", self.spu.name()),
            reason,
        )
        .into()
    }
}
