//! The gap-free reader: one stream at a time from the partition's leader, steered by a [`Cursor`].

use fluvio::dataplane::link::ErrorCode;
use fluvio_socket::AsyncResponse;
use fluvio_spu_schema::server::stream_fetch::{
    DefaultStreamFetchRequest, DefaultStreamFetchResponse,
};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::cluster::Client;
use crate::cluster::leader::{Spu, SpuError};
use crate::reader::cursor::{Cursor, Then};
use crate::reader::{IDLE_CHECK, ReadError, check_start};
use crate::record::Record;

/// The bytes of one answer. Large enough to read fast, small enough that several readers fit into little memory.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Every record of a partition, once, in order.
pub struct PlainReader {
    spu: Spu,
    cursor: Cursor,
    /// `None`: open one at the cursor's position first.
    stream: Option<AsyncResponse<DefaultStreamFetchRequest>>,
    last_heard: Instant,
}

impl PlainReader {
    /// Starts at `from_offset`, which the log must hold or end with.
    pub async fn open(
        client: &Client,
        topic: &str,
        partition: u32,
        from_offset: i64,
    ) -> Result<Self, ReadError> {
        let spu = Spu::connect(client, topic, partition).await?;
        let held = spu.offsets().await?;
        check_start(&spu, held, from_offset)?;
        Ok(Self::on(spu, from_offset))
    }

    pub(super) fn on(spu: Spu, position: i64) -> Self {
        Self {
            cursor: Cursor::new(spu.name(), position, MAX_BYTES),
            spu,
            stream: None,
            last_heard: Instant::now(),
        }
    }

    /// With another size of answers; a batch that does not fit is asked for again.
    pub fn with_max_bytes(mut self, max_bytes: usize) -> Self {
        self.cursor.max_bytes = max_bytes;
        self.stream = None;
        self
    }

    /// The offset of the next record; everything before it has been handed out.
    pub fn position(&self) -> i64 {
        self.cursor.position
    }

    /// The next records, at least one. Waits when there are none yet. Cancel-safe: never a gap, never twice.
    pub async fn next(&mut self) -> Result<Vec<Record>, ReadError> {
        loop {
            let records = self.next_answer().await?;
            if !records.is_empty() {
                return Ok(records);
            }
        }
    }

    /// What the broker's next answer holds, which may be nothing. Every await comes before the state changes.
    pub(super) fn next_answer(&mut self) -> BoxFuture<'_, Result<Vec<Record>, ReadError>> {
        Box::pin(self.hear())
    }

    async fn hear(&mut self) -> Result<Vec<Record>, ReadError> {
        let Some(stream) = &mut self.stream else {
            let stream = self.spu.stream(self.request()).await?;
            self.stream = Some(stream);
            self.last_heard = Instant::now();
            return Ok(Vec::new());
        };
        match tokio::time::timeout_at(self.last_heard + IDLE_CHECK, stream.next()).await {
            Ok(Some(Ok(response))) => {
                self.last_heard = Instant::now();
                self.take(response)
            }
            Ok(Some(Err(err))) => Err(self.disconnected(err)),
            Ok(None) => Err(self.disconnected("the broker closed the connection")),
            Err(_) => self.check_silence().await.map(|()| Vec::new()),
        }
    }

    fn take(&mut self, response: DefaultStreamFetchResponse) -> Result<Vec<Record>, ReadError> {
        let answer = response.partition;
        let (records, then) = self
            .cursor
            .take(&answer.records.batches, answer.high_watermark)?;
        if answer.error_code != ErrorCode::None {
            if records.is_empty() {
                let position = self.cursor.position;
                return Err(ReadError::from_code(answer.error_code, &self.spu, position));
            }
            // What came before the error counts; the next stream meets the error again.
            self.stream = None;
            return Ok(records);
        }
        match then {
            Then::Acknowledge => self
                .spu
                .acknowledge(response.stream_id, self.cursor.position),
            Then::Reopen => self.stream = None,
        }
        Ok(records)
    }

    /// Nothing to read, nobody there any more, or a stream that has fallen asleep? Only an answer can tell.
    async fn check_silence(&mut self) -> Result<(), ReadError> {
        let held = self.spu.offsets().await?;
        self.last_heard = Instant::now();
        if held.end > self.cursor.position {
            tracing::warn!(
                partition = %self.cursor.name, position = self.cursor.position, log_end = held.end,
                "the stream is silent although there are records: opening it again"
            );
            self.stream = None;
            return Ok(());
        }
        check_start(&self.spu, held, self.cursor.position)
    }

    fn request(&self) -> DefaultStreamFetchRequest {
        let mut request = DefaultStreamFetchRequest::default();
        request.topic = self.spu.topic.clone();
        request.partition = self.spu.partition;
        request.fetch_offset = self.cursor.position;
        request.max_bytes = i32::try_from(self.cursor.max_bytes).unwrap_or(i32::MAX);
        request.isolation = self.spu.isolation();
        request
    }

    fn disconnected(&self, reason: impl std::fmt::Display) -> ReadError {
        SpuError::disconnected(format!("reading {}", self.cursor.name), reason).into()
    }
}
