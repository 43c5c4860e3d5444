//! A reader without gaps: one stream at a time from the partition's leader, steered by a [`Cursor`].

use fluvio::dataplane::link::ErrorCode;
use fluvio_spu_schema::server::stream_fetch::{
    DefaultStreamFetchRequest, DefaultStreamFetchResponse,
};
use futures_util::future::BoxFuture;

use super::cursor::{Cursor, Then};
use super::error::ReadError;
use super::responses::{Heard, Responses};
use super::start::check_start;
use crate::cluster::Client;
use crate::cluster::leader::Leader;
use crate::record::Record;

/// The size of one response: large enough to read fast, small enough for several readers in little memory.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Reads every record of a partition once, in order.
pub struct PlainReader {
    leader: Leader,
    cursor: Cursor,
    /// `None`: open a stream at the cursor's position first.
    responses: Option<Responses>,
    /// Records that the caller does not have yet.
    ready: Option<Vec<Record>>,
}

impl PlainReader {
    /// Starts at `from_offset`, which must be in the log or be its end.
    pub async fn open(
        client: &Client,
        topic: &str,
        partition: u32,
        from_offset: i64,
    ) -> Result<Self, ReadError> {
        let mut leader = Leader::connect(client, topic, partition).await?;
        let log = leader.offsets().await?;
        check_start(&leader, log, from_offset)?;
        Ok(Self::on(leader, from_offset))
    }

    pub(super) fn on(leader: Leader, position: i64) -> Self {
        Self {
            cursor: Cursor::new(leader.name(), position, MAX_BYTES),
            leader,
            responses: None,
            ready: None,
        }
    }

    /// Sets the size of responses. The reader asks again for a batch that does not fit.
    pub fn with_max_bytes(mut self, max_bytes: usize) -> Self {
        self.cursor.max_bytes = max_bytes;
        self.responses = None;
        self
    }

    /// The offset of the next record. All records before it were returned.
    pub fn position(&self) -> i64 {
        let ready = self.ready.as_ref().and_then(|records| records.first());
        ready.map_or(self.cursor.position, |record| record.offset)
    }

    /// The next records, at least one. Waits until there are some. Cancel-safe: no record is lost or repeated.
    pub async fn next(&mut self) -> Result<Vec<Record>, ReadError> {
        loop {
            let records = self.next_response().await?;
            if !records.is_empty() {
                return Ok(records);
            }
        }
    }

    /// The new records of the broker's next response, possibly none.
    pub(super) fn next_response(&mut self) -> BoxFuture<'_, Result<Vec<Record>, ReadError>> {
        Box::pin(self.hear())
    }

    async fn hear(&mut self) -> Result<Vec<Record>, ReadError> {
        if self.ready.is_none() {
            let Some(responses) = &mut self.responses else {
                let what = format!("reading {}", self.cursor.name);
                let request = self.request();
                let responses = Responses::open(&mut self.leader, request, what).await?;
                self.responses = Some(responses);
                return Ok(Vec::new());
            };
            match responses.next(&mut self.leader).await? {
                Heard::Response(response) => self.ready = Some(self.take(response)?),
                Heard::Silence => self.check_silence().await?,
            }
        }
        // The broker reads on while the caller works.
        self.leader.flush().await;
        Ok(self.ready.take().unwrap_or_default())
    }

    fn take(&mut self, response: DefaultStreamFetchResponse) -> Result<Vec<Record>, ReadError> {
        let answer = response.partition;
        let (records, then) = self
            .cursor
            .take(&answer.records.batches, answer.high_watermark)?;
        if answer.error_code != ErrorCode::None {
            if records.is_empty() {
                let position = self.cursor.position;
                return Err(ReadError::from_code(
                    answer.error_code,
                    &self.leader,
                    position,
                ));
            }
            // The records before the error count; the next stream meets the error again.
            self.responses = None;
            return Ok(records);
        }
        match then {
            Then::Acknowledge => self
                .leader
                .acknowledge(response.stream_id, self.cursor.position),
            Then::Reopen => self.responses = None,
        }
        Ok(records)
    }

    /// Finds out whether there are no records, the leader is gone, or the stream hangs.
    async fn check_silence(&mut self) -> Result<(), ReadError> {
        let log = self.leader.offsets().await?;
        if log.end > self.cursor.position && !self.leader.has_response() {
            tracing::warn!(
                partition = %self.cursor.name, position = self.cursor.position, log_end = log.end,
                "the stream is silent although there are records: reopening it"
            );
            self.responses = None;
            return Ok(());
        }
        if let Some(responses) = &mut self.responses {
            responses.is_alive();
        }
        check_start(&self.leader, log, self.cursor.position)
    }

    fn request(&self) -> DefaultStreamFetchRequest {
        let mut request = DefaultStreamFetchRequest::default();
        request.topic = self.leader.topic.clone();
        request.partition = self.leader.partition;
        request.fetch_offset = self.cursor.position;
        request.max_bytes = i32::try_from(self.cursor.max_bytes).unwrap_or(i32::MAX);
        request.isolation = self.leader.isolation();
        request
    }
}
