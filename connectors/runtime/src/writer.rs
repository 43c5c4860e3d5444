//! The only writer of one partition.
//!
//! - What [`TopicWriter::append`] returned is acknowledged: written, and committed on all replicas the topic asks for.
//! - One batch is in flight, and it is never sent again: after an error nobody can know whether it arrived, so the writer
//!   is poisoned, its connection closed, and only the topic's tail can tell.
//! - Each acknowledgement must name the offset the batch was expected to get. Anything else means another writer.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fluvio::dataplane::link::ErrorCode;
use fluvio::dataplane::record::{Batch, RawRecords, RecordSet};
use fluvio::metadata::topic::CompressionAlgorithm;
use fluvio::{Compression, Isolation};
use fluvio_spu_schema::produce::{
    DefaultPartitionRequest, DefaultProduceRequest, DefaultTopicRequest,
};
use futures_util::future::BoxFuture;

use crate::cluster::Client;
use crate::cluster::batch::{self, BATCH_BYTES_MAX};
use crate::cluster::leader::{RequestError, Spu, SpuError};
use crate::record::Outgoing;

/// How a [`TopicWriter`] writes.
#[derive(Debug, Clone, Copy)]
pub struct WriterOptions {
    /// How long the acknowledgement of a batch may take.
    pub ack_timeout: Duration,
    /// How batches are compressed; `None`: as the topic demands, else not at all.
    pub compression: Option<Compression>,
}

/// Writes into one partition and knows where.
pub struct TopicWriter {
    spu: Spu,
    end_offset: i64,
    ack_timeout: Duration,
    compression: Compression,
    /// Why nothing more may be written.
    poisoned_by: Option<String>,
}

impl TopicWriter {
    /// Without compression unless the topic demands it.
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

    /// With all options.
    pub async fn open_with(
        client: &Client,
        topic: &str,
        partition: u32,
        options: WriterOptions,
    ) -> Result<Self, WriteError> {
        let spu = Spu::connect(client, topic, partition).await?;
        if spu.spec.deduplication.is_some() {
            return Err(WriteError::Deduplicated {
                topic: topic.to_owned(),
            });
        }
        let compression = agree_on_compression(topic, &spu, options.compression)?;
        let end_offset = spu.offsets().await?.end;
        Ok(Self {
            spu,
            end_offset,
            ack_timeout: options.ack_timeout,
            compression,
            poisoned_by: None,
        })
    }

    /// The offset the next record gets.
    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Appends all records in order; returns when all are acknowledged, with the offsets they got.
    ///
    /// Many records become several batches, one after the other. Any error poisons the writer, and so does dropping the
    /// future: drop the writer, open another, look at the tail, go on from there. Only
    /// [`WriteError::RecordTooLarge`] leaves it as it was, with nothing written.
    pub async fn append(&mut self, records: &[Outgoing]) -> Result<Range<i64>, WriteError> {
        if let Some(reason) = &self.poisoned_by {
            return Err(WriteError::Poisoned {
                partition: self.spu.name(),
                reason: reason.clone(),
            });
        }
        for (position, record) in records.iter().enumerate() {
            let bytes = batch::alone_bytes(record);
            if bytes > BATCH_BYTES_MAX {
                return Err(WriteError::RecordTooLarge {
                    partition: self.spu.name(),
                    position,
                    bytes,
                    bytes_max: BATCH_BYTES_MAX,
                });
            }
        }
        let start = self.end_offset;
        self.poisoned_by = Some("an append was abandoned halfway".to_owned());
        match self.send_all(records).await {
            Ok(()) => {
                self.poisoned_by = None;
                Ok(start..self.end_offset)
            }
            Err(err) => {
                self.poisoned_by = Some(err.to_string());
                Err(err)
            }
        }
    }

    async fn send_all(&mut self, mut records: &[Outgoing]) -> Result<(), WriteError> {
        while !records.is_empty() {
            let (batch, count) =
                batch::encode(records, now_ms(), self.compression).map_err(|err| {
                    WriteError::Refused {
                        partition: self.spu.name(),
                        reason: format!("a batch cannot be made: {err}"),
                    }
                })?;
            self.send(batch).await?;
            self.end_offset += count as i64;
            records = &records[count..];
        }
        Ok(())
    }

    fn send(&self, batch: Batch<RawRecords>) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(self.produce(batch))
    }

    async fn produce(&self, batch: Batch<RawRecords>) -> Result<(), WriteError> {
        let partition_request = DefaultPartitionRequest {
            partition_index: self.spu.partition,
            records: RecordSet {
                batches: vec![batch],
            },
        };
        let topic_request = DefaultTopicRequest {
            name: self.spu.topic.clone(),
            partitions: vec![partition_request],
            ..Default::default()
        };
        let request = DefaultProduceRequest {
            isolation: Isolation::ReadCommitted,
            timeout: self.ack_timeout,
            topics: vec![topic_request],
            ..Default::default()
        };

        let response = match self.spu.request(request, self.ack_timeout).await {
            Ok(response) => response,
            Err(RequestError::TimedOut(_)) => return Err(self.timed_out()),
            Err(RequestError::Lost(reason)) => {
                return Err(WriteError::Disconnected {
                    what: format!("writing to {}", self.spu.name()),
                    reason,
                });
            }
        };
        let answer = response
            .find_partition_response(&self.spu.topic, self.spu.partition)
            .ok_or_else(|| WriteError::Refused {
                partition: self.spu.name(),
                reason: "its answer leaves the partition out".to_owned(),
            })?;
        match &answer.error_code {
            ErrorCode::None => {}
            ErrorCode::RequestTimedOut { .. } => return Err(self.timed_out()),
            ErrorCode::TopicNotFound | ErrorCode::TopicDeleted => {
                return Err(WriteError::TopicMissing {
                    topic: self.spu.topic.clone(),
                });
            }
            code @ (ErrorCode::NotLeaderForPartition
            | ErrorCode::PartitionNotLeader
            | ErrorCode::SpuOffline) => {
                return Err(WriteError::Disconnected {
                    what: format!("writing to {}", self.spu.name()),
                    reason: code.to_string(),
                });
            }
            code => {
                return Err(WriteError::Refused {
                    partition: self.spu.name(),
                    reason: code.to_string(),
                });
            }
        }
        if answer.base_offset != self.end_offset {
            return Err(WriteError::UnexpectedOffset {
                partition: self.spu.name(),
                expected: self.end_offset,
                got: answer.base_offset,
            });
        }
        Ok(())
    }

    fn timed_out(&self) -> WriteError {
        WriteError::TimedOut {
            partition: self.spu.name(),
            ack_timeout: self.ack_timeout,
        }
    }
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}

/// A topic may demand one compression; the cluster refuses any other.
fn agree_on_compression(
    topic: &str,
    spu: &Spu,
    wanted: Option<Compression>,
) -> Result<Compression, WriteError> {
    let demanded = match spu.spec.compression_type {
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

/// Why records were not written, or may not have been. `partition` is `topic/number`.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The connection is gone, or never came about: connect again.
    #[error("{what}: {reason}")]
    Disconnected {
        /// What was being done.
        what: String,
        /// What happened.
        reason: String,
    },
    /// No acknowledgement came in time. The batch may have been written.
    #[error("{partition} has not acknowledged a batch in {:.1} s", .ack_timeout.as_secs_f64())]
    TimedOut {
        /// The partition.
        partition: String,
        /// How long was waited.
        ack_timeout: Duration,
    },
    /// The batch is written, but not where this writer would have written it.
    #[error(
        "{partition} put a batch at offset {got} where {expected} was next: somebody else writes to it, or an earlier \
         batch of ours arrived late"
    )]
    UnexpectedOffset {
        /// The partition.
        partition: String,
        /// The offset the batch should have got.
        expected: i64,
        /// The offset it got.
        got: i64,
    },
    /// An earlier error left it unknown what was written.
    #[error(
        "the writer of {partition} has failed before ({reason}): open another and look at the tail"
    )]
    Poisoned {
        /// The partition.
        partition: String,
        /// The earlier error.
        reason: String,
    },
    /// There is no such topic.
    #[error("topic {topic} does not exist: create it, or correct its name in the config")]
    TopicMissing {
        /// Its name.
        topic: String,
    },
    /// There is no such partition.
    #[error("topic {topic} has no partition {partition}: it has {count}, counted from 0")]
    PartitionMissing {
        /// The topic.
        topic: String,
        /// The partition asked for.
        partition: u32,
        /// How many there are.
        count: u32,
    },
    /// A record does not fit into a batch. Nothing was written.
    #[error(
        "record {position} of the append to {partition} takes {bytes} bytes; a batch holds {bytes_max}, so that \
         SmartModules can read it"
    )]
    RecordTooLarge {
        /// The partition.
        partition: String,
        /// Its position in the append, from 0.
        position: usize,
        /// Its size on the wire.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The topic demands one compression, the config another.
    #[error(
        "topic {topic} demands compression {demanded}, meta.producer.compression asks for {wanted}: leave it out"
    )]
    OtherCompression {
        /// The topic.
        topic: String,
        /// The config's.
        wanted: Compression,
        /// The topic's.
        demanded: Compression,
    },
    /// The topic drops records, so that offsets of acknowledged ones cannot be known.
    #[error(
        "topic {topic} has deduplication, which drops records after they are sent: a connector cannot write to it \
         exactly once; recreate it without"
    )]
    Deduplicated {
        /// The topic.
        topic: String,
    },
    /// The cluster refuses for a reason of its own.
    #[error("the cluster refuses a batch for {partition}: {reason}")]
    Refused {
        /// The partition.
        partition: String,
        /// What it said.
        reason: String,
    },
}

impl WriteError {
    /// Whether opening again on a fresh connection can help.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Disconnected { .. }
                | Self::TimedOut { .. }
                | Self::UnexpectedOffset { .. }
                | Self::Poisoned { .. }
        )
    }
}

impl From<SpuError> for WriteError {
    fn from(err: SpuError) -> Self {
        match err {
            SpuError::TopicMissing { topic } => Self::TopicMissing { topic },
            SpuError::PartitionMissing {
                topic,
                partition,
                count,
            } => Self::PartitionMissing {
                topic,
                partition,
                count,
            },
            SpuError::Disconnected { what, reason } => Self::Disconnected { what, reason },
        }
    }
}
