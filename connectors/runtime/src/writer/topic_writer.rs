//! Appending records to one partition.

use std::fmt::Display;
use std::ops::Range;
use std::time::Duration;

use fluvio::dataplane::link::ErrorCode;
use fluvio::dataplane::record::{Batch, RawRecords};
use fluvio::metadata::topic::CompressionAlgorithm;
use fluvio::{Compression, Isolation};
use fluvio_spu_schema::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use futures_util::future::BoxFuture;

use super::error::WriteError;
use crate::clock::Clock;
use crate::cluster::Client;
use crate::cluster::batch::{self, BATCH_BYTES_MAX, OneBatch};
use crate::cluster::leader::{Leader, RequestError};
use crate::cluster::partition_error::PartitionError;
use crate::record::Outgoing;

/// The options of a [`TopicWriter`].
#[derive(Debug, Clone, Copy)]
pub struct WriterOptions {
    /// How long the acknowledgement of a batch may take.
    pub ack_timeout: Duration,
    /// The compression of batches; `None`: the one that the topic requires, otherwise none.
    pub compression: Option<Compression>,
}

/// Appends records to one partition, and knows their offsets.
pub struct TopicWriter {
    leader: Leader,
    end_offset: i64,
    ack_timeout: Duration,
    compression: Compression,
    clock: Clock,
    /// Why it refuses to write.
    poisoned_by: Option<String>,
}

impl TopicWriter {
    /// Opens a writer without compression, unless the topic requires one.
    pub async fn open(
        client: &Client,
        topic: &str,
        partition: u32,
        ack_timeout: Duration,
    ) -> Result<Self, WriteError> {
        let options = WriterOptions {
            ack_timeout,
            compression: None,
        };
        Self::open_with(client, topic, partition, options).await
    }

    /// Opens a writer with all options.
    pub async fn open_with(
        client: &Client,
        topic: &str,
        partition: u32,
        options: WriterOptions,
    ) -> Result<Self, WriteError> {
        let mut leader = Leader::connect(client, topic, partition).await?;
        if leader.spec.deduplication.is_some() {
            return Err(WriteError::Deduplicated {
                topic: topic.to_owned(),
            });
        }
        let compression = agree_on_compression(topic, &leader, options.compression)?;
        let end_offset = leader.offsets().await?.end;
        Ok(Self {
            leader,
            end_offset,
            ack_timeout: options.ack_timeout,
            compression,
            clock: client.cluster().clock().clone(),
            poisoned_by: None,
        })
    }

    /// The offset that the next record gets.
    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Appends all records in order, in one batch or several. Returns their offsets when all are acknowledged.
    ///
    /// # Errors
    /// After any error, or when the future is dropped, the writer refuses further work: open another, read the tail, and
    /// continue from there. Only [`WriteError::RecordTooLarge`] writes nothing and leaves the writer usable.
    pub async fn append(&mut self, records: &[Outgoing]) -> Result<Range<i64>, WriteError> {
        if let Some(reason) = &self.poisoned_by {
            return Err(WriteError::Poisoned {
                partition: self.leader.name(),
                reason: reason.clone(),
            });
        }
        for (position, record) in records.iter().enumerate() {
            let bytes = batch::alone_bytes(record);
            if bytes > BATCH_BYTES_MAX {
                return Err(WriteError::RecordTooLarge {
                    partition: self.leader.name(),
                    position,
                    bytes,
                    bytes_max: BATCH_BYTES_MAX,
                });
            }
        }
        let start = self.end_offset;
        self.poisoned_by = Some("an append was cancelled".to_owned());
        match self.send_all(records).await {
            Ok(()) => {
                self.poisoned_by = None;
                Ok(start..self.end_offset)
            }
            Err(error) => {
                self.poisoned_by = Some(error.to_string());
                Err(error)
            }
        }
    }

    async fn send_all(&mut self, mut records: &[Outgoing]) -> Result<(), WriteError> {
        while !records.is_empty() {
            let (batch, count) = batch::encode(records, self.clock.now_ms(), self.compression)
                .map_err(|error| WriteError::NotEncoded {
                    partition: self.leader.name(),
                    reason: error.to_string(),
                })?;
            self.send(batch).await?;
            self.end_offset += count as i64;
            records = &records[count..];
        }
        Ok(())
    }

    fn send(&mut self, batch: Batch<RawRecords>) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(self.produce(batch))
    }

    async fn produce(&mut self, batch: Batch<RawRecords>) -> Result<(), WriteError> {
        let partition_request = PartitionProduceData {
            partition_index: self.leader.partition,
            records: OneBatch(batch),
        };
        let topic_request = TopicProduceData {
            name: self.leader.topic.clone(),
            partitions: vec![partition_request],
            ..Default::default()
        };
        let request = ProduceRequest {
            isolation: Isolation::ReadCommitted,
            timeout: self.ack_timeout,
            topics: vec![topic_request],
            ..Default::default()
        };

        let response = match self.leader.request(request, self.ack_timeout).await {
            Ok(response) => response,
            Err(RequestError::TimedOut(_)) => return Err(self.timed_out()),
            Err(RequestError::Lost(reason)) => {
                return Err(self.disconnected(reason));
            }
        };
        let answer = response
            .find_partition_response(&self.leader.topic, self.leader.partition)
            .ok_or_else(|| WriteError::NotAnswered {
                partition: self.leader.name(),
            })?;
        match &answer.error_code {
            ErrorCode::None => {}
            ErrorCode::RequestTimedOut { .. } => return Err(self.timed_out()),
            ErrorCode::TopicNotFound | ErrorCode::TopicDeleted => {
                let topic = self.leader.topic.clone();
                return Err(PartitionError::TopicMissing { topic }.into());
            }
            code @ (ErrorCode::NotLeaderForPartition
            | ErrorCode::PartitionNotLeader
            | ErrorCode::SpuOffline) => {
                return Err(self.disconnected(code));
            }
            ErrorCode::PartitionFull { .. } => {
                return Err(WriteError::Full {
                    partition: self.leader.name(),
                });
            }
            code => {
                return Err(WriteError::Refused {
                    partition: self.leader.name(),
                    reason: code.to_string(),
                });
            }
        }
        if answer.base_offset != self.end_offset {
            return Err(WriteError::UnexpectedOffset {
                partition: self.leader.name(),
                expected: self.end_offset,
                got: answer.base_offset,
            });
        }
        Ok(())
    }

    fn disconnected(&self, reason: impl Display) -> WriteError {
        let what = format!("writing to {}", self.leader.name());
        PartitionError::disconnected(what, reason).into()
    }

    fn timed_out(&self) -> WriteError {
        WriteError::TimedOut {
            partition: self.leader.name(),
            ack_timeout: self.ack_timeout,
        }
    }
}

/// The compression to write with: a topic may require one, and then the cluster refuses any other.
fn agree_on_compression(
    topic: &str,
    leader: &Leader,
    wanted: Option<Compression>,
) -> Result<Compression, WriteError> {
    let demanded = match leader.spec.compression_type {
        CompressionAlgorithm::Any => return Ok(wanted.unwrap_or_default()),
        CompressionAlgorithm::None => Compression::None,
        CompressionAlgorithm::Gzip => Compression::Gzip,
        CompressionAlgorithm::Snappy => Compression::Snappy,
        CompressionAlgorithm::Lz4 => Compression::Lz4,
        CompressionAlgorithm::Zstd => Compression::Zstd,
    };
    match wanted {
        Some(wanted) if wanted != demanded => Err(WriteError::OtherCompression {
            topic: topic.to_owned(),
            wanted,
            demanded,
        }),
        _ => Ok(demanded),
    }
}
