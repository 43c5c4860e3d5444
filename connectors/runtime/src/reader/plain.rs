//! The gap-free reader.
//!
//! The broker cuts an answer at `max_bytes`, in the middle of a batch if need be. Whether a batch is whole shows in its
//! length, and only whole batches count: the reader acknowledges the end of the last whole one, so that the broker goes
//! on with the batch it cut. A batch too large for one answer is asked for again with more bytes.

use fluvio::Isolation;
use fluvio::dataplane::link::ErrorCode;
use fluvio_socket::AsyncResponse;
use fluvio_spu_schema::server::stream_fetch::{
    DefaultStreamFetchRequest, DefaultStreamFetchResponse,
};
use futures_util::StreamExt;
use tokio::time::Instant;

use crate::batch;
use crate::cluster::Client;
use crate::reader::{IDLE_CHECK, ReadError, check_start};
use crate::record::Record;
use crate::spu::{Spu, SpuError};

/// The bytes of one answer. Large enough to read fast, small enough that several readers fit into little memory.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// No batch is as large as this; the protocol counts bytes in an i32.
const MAX_BYTES_LIMIT: usize = 1024 * 1024 * 1024;

/// Every record of a partition, once, in order.
pub struct PlainReader {
    spu: Spu,
    /// The next offset to hand out. All records before it have been.
    position: i64,
    max_bytes: usize,
    /// `None`: open one at `position` first.
    stream: Option<AsyncResponse<DefaultStreamFetchRequest>>,
    /// A jump was seen at this position and a new stream shall confirm it.
    hole_suspected_at: Option<i64>,
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
            spu,
            position,
            max_bytes: MAX_BYTES,
            stream: None,
            hole_suspected_at: None,
            last_heard: Instant::now(),
        }
    }

    /// With another size of answers, for tests of what happens when a batch does not fit.
    #[doc(hidden)]
    pub fn with_max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self.stream = None;
        self
    }

    /// The offset of the next record; everything before it has been handed out.
    pub fn position(&self) -> i64 {
        self.position
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

    /// What the broker's next answer holds, which may be nothing. Every await is before the state changes.
    pub(super) async fn next_answer(&mut self) -> Result<Vec<Record>, ReadError> {
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
            Err(_) => {
                let held = self.spu.offsets().await?;
                self.last_heard = Instant::now();
                if held.end > self.position {
                    tracing::warn!(
                        partition = %self.spu.name(), position = self.position, log_end = held.end,
                        "the stream is silent although there are records: opening it again"
                    );
                    self.stream = None;
                } else {
                    check_start(&self.spu, held, self.position)?;
                }
                Ok(Vec::new())
            }
        }
    }

    fn request(&self) -> DefaultStreamFetchRequest {
        let mut request = DefaultStreamFetchRequest::default();
        request.topic = self.spu.topic.clone();
        request.partition = self.spu.partition;
        request.fetch_offset = self.position;
        request.max_bytes = self.max_bytes.min(MAX_BYTES_LIMIT) as i32;
        request.isolation = Isolation::ReadCommitted;
        request
    }

    fn disconnected(&self, reason: impl std::fmt::Display) -> ReadError {
        SpuError::disconnected(format!("reading {}", self.spu.name()), reason).into()
    }

    fn take(&mut self, response: DefaultStreamFetchResponse) -> Result<Vec<Record>, ReadError> {
        let stream_id = response.stream_id;
        let answer = response.partition;
        let first = self.position;
        let mut records = Vec::new();
        for batch in &answer.records.batches {
            let batch_end = batch.base_offset + i64::from(batch.last_offset_delta()) + 1;
            if batch::missing_bytes(batch) > 0 {
                if self.position == first {
                    self.make_room_for(batch::wire_bytes(batch))?;
                    self.stream = None;
                }
                break;
            }
            if batch_end <= self.position {
                continue;
            }
            if batch.base_offset > self.position && !self.hole_is_real(batch.base_offset) {
                self.stream = None;
                break;
            }
            let decoded = batch::decode(batch).map_err(|err| ReadError::Corrupt {
                partition: self.spu.name(),
                offset: batch.base_offset,
                reason: err.to_string(),
            })?;
            records.extend(
                decoded
                    .into_iter()
                    .filter(|record| record.offset >= self.position),
            );
            self.position = batch_end;
        }
        let cut_before_a_header =
            answer.records.batches.is_empty() && answer.high_watermark > self.position;
        if cut_before_a_header && answer.error_code == ErrorCode::None {
            self.make_room_for(2 * self.max_bytes)?;
            self.stream = None;
        }
        if answer.error_code != ErrorCode::None {
            let error = ReadError::from_code(answer.error_code, &self.spu, self.position);
            if records.is_empty() {
                return Err(error);
            }
            // What came before the error counts; the next stream meets the error again.
            self.stream = None;
        }
        if self.stream.is_some() {
            self.spu.acknowledge(stream_id, self.position);
        }
        Ok(records)
    }

    fn make_room_for(&mut self, bytes: usize) -> Result<(), ReadError> {
        if self.max_bytes >= MAX_BYTES_LIMIT {
            return Err(ReadError::Corrupt {
                partition: self.spu.name(),
                offset: self.position,
                reason: format!("a batch claims to be larger than {MAX_BYTES_LIMIT} bytes"),
            });
        }
        self.max_bytes = bytes.max(2 * self.max_bytes).min(MAX_BYTES_LIMIT);
        Ok(())
    }

    /// Whether the jump to `batch_start` is in the log itself: a second stream, opened right there, says the same.
    fn hole_is_real(&mut self, batch_start: i64) -> bool {
        if self.hole_suspected_at == Some(self.position) {
            tracing::warn!(
                partition = %self.spu.name(), from = self.position, to = batch_start,
                "the log has a hole; going on behind it"
            );
            self.hole_suspected_at = None;
            return true;
        }
        self.hole_suspected_at = Some(self.position);
        false
    }
}
