//! A connection to the leader of one partition.
//!
//! The fluvio client's producer and consumer hide what exactly-once needs to know: AtMostOnce drops the error codes of a
//! produce response, a dropped producer keeps reconnecting and sends its old batch when the broker is back, and a consumer
//! acknowledges batches of which it received only half. So reader and writer use the published protocol crates directly, over a
//! connection of their own. Dropping a [`Leader`] closes it, and with it the stream on it.
//!
//! Always true: every future here may be dropped, and the connection used further.

use std::time::Duration;

use fluvio::Isolation;
use fluvio::config::TlsPolicy;
use fluvio::dataplane::api::Request;
use fluvio::dataplane::link::ErrorCode;
use fluvio::dataplane::record::ReplicaKey;
use fluvio::metadata::partition::PartitionSpec;
use fluvio::metadata::spu::SpuSpec;
use fluvio_future::net::DomainConnector;
use fluvio_protocol::record::{RawRecords, RecordSet};
use fluvio_socket::ClientConfig;
use fluvio_spu_schema::fetch::{FetchPartition, FetchRequest, FetchableTopic};
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;
use fluvio_spu_schema::server::stream_fetch::{
    DefaultStreamFetchRequest, DefaultStreamFetchResponse,
};
use fluvio_spu_schema::server::update_offset::{OffsetUpdate, UpdateOffsetsRequest};
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};

use super::batch;
use super::client::{CLIENT_ID, CONNECT_TIMEOUT, Client, REQUEST_TIMEOUT};
use super::line::Line;
use super::lookup::partition_spec;
use super::partition_error::PartitionError;
use crate::record::LogRange;

/// The size of a response of which only the batches' ends are read.
const END_BYTES_MAX: i32 = 256 * 1024;

/// A connection to the leader of one partition.
pub(crate) struct Leader {
    pub(crate) topic: String,
    pub(crate) partition: u32,
    /// The partition's replicas, compression and deduplication.
    pub(crate) spec: PartitionSpec,
    line: Line,
}

impl Leader {
    /// Looks up the leader and connects to it.
    pub(crate) fn connect<'a>(
        client: &'a Client,
        topic: &'a str,
        partition: u32,
    ) -> BoxFuture<'a, Result<Self, PartitionError>> {
        Box::pin(Self::attempt(client, topic, partition))
    }

    async fn attempt(client: &Client, topic: &str, partition: u32) -> Result<Self, PartitionError> {
        let what = format!("connecting to the leader of {topic}/{partition}");
        let attempt = async {
            let spec = partition_spec(client, topic, partition).await?;
            let admin = client.admin().await;
            let spus = admin
                .all::<SpuSpec>()
                .await
                .map_err(|error| PartitionError::disconnected(&what, error))?;
            let leader = spus
                .into_iter()
                .find(|spu| spu.spec.id == spec.leader)
                .ok_or_else(|| {
                    PartitionError::disconnected(&what, format!("SPU {} is unknown", spec.leader))
                })?;
            let cluster = client.cluster().fluvio_config();
            let addr = match &leader.spec.public_endpoint_local {
                Some(local) if cluster.use_spu_local_address => {
                    format!("{}:{}", local.host, local.port)
                }
                _ => leader.spec.public_endpoint.addr(),
            };
            let config = client_config(&cluster.tls, &addr)
                .map_err(|error| PartitionError::disconnected(&what, error))?
                .with_prefix_sni_domain(&leader.name);
            let line = Line::connect(config, cluster.tls != TlsPolicy::Disabled)
                .await
                .map_err(|error| PartitionError::disconnected(&what, format!("{addr}: {error}")))?;
            Ok(Self {
                topic: topic.to_owned(),
                partition,
                spec,
                line,
            })
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(PartitionError::disconnected(
                &what,
                format!("no answer in {} s", CONNECT_TIMEOUT.as_secs()),
            )),
        }
    }

    /// `topic/partition`, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.topic, self.partition)
    }

    /// Sends a request and waits for the response, as long as bytes come at least once in `timeout`: on a slow line that of a stream
    /// may come before it.
    pub(crate) async fn request<R>(
        &mut self,
        request: R,
        timeout: Duration,
    ) -> Result<R::Response, RequestError>
    where
        R: Request + Send + Sync,
    {
        let lost = |error: std::io::Error| RequestError::Lost(error.to_string());
        let mut deadline = Instant::now() + timeout;
        let sent = match timeout_at(deadline, self.line.send(request)).await {
            Ok(sent) => sent.map_err(lost)?,
            Err(_) => return Err(RequestError::TimedOut(timeout)),
        };
        loop {
            match timeout_at(deadline, self.line.answer::<R>(sent)).await {
                Ok(response) => return response.map_err(lost),
                Err(_) => match self.line.last_received() + timeout {
                    later if later > deadline => deadline = later,
                    _ => return Err(RequestError::TimedOut(timeout)),
                },
            }
        }
    }

    /// Which records readers may see.
    ///
    /// Where the leader keeps the only replica, what is written is committed, and the high watermark does not count: a leader
    /// that was killed comes back with an old one, which hides acknowledged records until the next one is written.
    pub(crate) fn isolation(&self) -> Isolation {
        if self.spec.replicas.len() <= 1 {
            Isolation::ReadUncommitted
        } else {
            Isolation::ReadCommitted
        }
    }

    /// The committed records that the partition holds.
    pub(crate) fn offsets(&mut self) -> BoxFuture<'_, Result<LogRange, PartitionError>> {
        Box::pin(self.committed())
    }

    async fn committed(&mut self) -> Result<LogRange, PartitionError> {
        let mut held = self.watermarks().await?;
        if self.isolation() == Isolation::ReadUncommitted {
            held.end = self.written_end(held.end).await?;
        }
        Ok(held)
    }

    /// The end of a log whose high watermark may be old.
    ///
    /// No request asks for it. The batches tell it, or a watermark that has risen since: a write has brought it up to date, so
    /// this does not chase a log that keeps growing.
    async fn written_end(&mut self, watermark: i64) -> Result<i64, PartitionError> {
        let what = format!("finding the end of {}", self.name());
        let mut end = watermark;
        loop {
            let request = FetchRequest::<RecordSet<RawRecords>> {
                max_bytes: END_BYTES_MAX,
                isolation_level: Isolation::ReadUncommitted,
                topics: vec![FetchableTopic {
                    name: self.topic.clone(),
                    fetch_partitions: vec![FetchPartition {
                        partition_index: self.partition,
                        fetch_offset: end,
                        max_bytes: END_BYTES_MAX,
                        ..Default::default()
                    }],
                }],
                ..Default::default()
            };
            let answer = self
                .request(request, REQUEST_TIMEOUT)
                .await
                .map_err(|error| PartitionError::disconnected(&what, error))?
                .find_partition(&self.topic, self.partition)
                .ok_or_else(|| PartitionError::disconnected(&what, "the response lacks it"))?;
            if answer.error_code != ErrorCode::None {
                return Err(PartitionError::disconnected(&what, answer.error_code));
            }
            if answer.high_watermark > watermark {
                return Ok(answer.high_watermark.max(end));
            }
            // A batch that was cut still has its whole header.
            let last = answer.records.batches.last().map_or(end, batch::end_offset);
            if last <= end {
                return Ok(end);
            }
            end = last;
        }
    }

    /// The partition's start and high watermark.
    async fn watermarks(&mut self) -> Result<LogRange, PartitionError> {
        let what = format!("reading the offsets of {}", self.name());
        let response = self
            .request(
                FetchOffsetsRequest::new(self.topic.clone(), self.partition),
                REQUEST_TIMEOUT,
            )
            .await
            .map_err(|error| PartitionError::disconnected(&what, error))?;
        let answer = response
            .find_partition(&ReplicaKey::new(self.topic.clone(), self.partition))
            .ok_or_else(|| PartitionError::disconnected(&what, "the response lacks it"))?;
        match answer.error_code {
            ErrorCode::None => Ok(LogRange {
                start: answer.start_offset,
                end: answer.last_stable_offset,
            }),
            code => Err(PartitionError::disconnected(&what, code)),
        }
    }

    /// The version of the stream protocol that both sides know; 0 when they share none.
    pub(crate) fn stream_version(&self) -> i16 {
        self.line
            .version::<DefaultStreamFetchRequest>()
            .unwrap_or(0)
    }

    /// Opens a stream on this connection, in place of an earlier one.
    pub(crate) fn stream(
        &mut self,
        request: DefaultStreamFetchRequest,
    ) -> BoxFuture<'_, Result<(), PartitionError>> {
        Box::pin(self.open_stream(request))
    }

    async fn open_stream(
        &mut self,
        request: DefaultStreamFetchRequest,
    ) -> Result<(), PartitionError> {
        let what = format!("opening a stream of {}", self.name());
        match tokio::time::timeout(REQUEST_TIMEOUT, self.line.open(request)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(PartitionError::disconnected(what, error)),
            Err(_) => Err(PartitionError::disconnected(
                what,
                format!("not sent in {} s", REQUEST_TIMEOUT.as_secs()),
            )),
        }
    }

    /// Whether a response of the stream came before that of a request.
    pub(crate) fn has_response(&self) -> bool {
        self.line.has_early_response()
    }

    /// When the last bytes came, which may have been a part of a response.
    pub(crate) fn last_received(&self) -> Instant {
        self.line.last_received()
    }

    /// Waits for the next response of the stream.
    pub(crate) fn response(
        &mut self,
    ) -> BoxFuture<'_, std::io::Result<DefaultStreamFetchResponse>> {
        Box::pin(self.line.response::<DefaultStreamFetchRequest>())
    }

    /// Tells the broker to continue the stream at `offset`, with the next [`flush`](Self::flush).
    pub(crate) fn acknowledge(&mut self, stream_id: u32, offset: i64) {
        let session_id = stream_id;
        let update = UpdateOffsetsRequest::new(vec![OffsetUpdate { offset, session_id }]);
        if let Err(error) = self.line.queue(update) {
            tracing::debug!(partition = %self.name(), offset, %error, "acknowledgement not sent");
        }
    }

    /// Sends the acknowledgements. When that fails, the connection is gone and the stream reports it.
    pub(crate) async fn flush(&mut self) {
        if let Err(error) = self.line.flush().await {
            tracing::debug!(partition = %self.name(), %error, "acknowledgement not sent");
        }
    }
}

/// Why a request has no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("{0}")]
    Lost(String),
    #[error("no answer in {:.1} s", .0.as_secs_f64())]
    TimedOut(Duration),
}

fn client_config(tls: &TlsPolicy, addr: &str) -> anyhow::Result<ClientConfig> {
    let connector = DomainConnector::try_from(tls.clone())?;
    let mut config = ClientConfig::new(addr, connector, false);
    config.set_client_id(CLIENT_ID);
    Ok(config)
}
