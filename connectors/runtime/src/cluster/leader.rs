//! A connection of our own to the SPU that leads one partition.
//!
//! The fluvio client's producer and consumer hide what exactly-once needs to know: AtMostOnce drops the error codes of
//! a produce answer, a dropped producer goes on reconnecting and sends its old batch when the broker is back, and a
//! consumer acknowledges batches it received only half of. So reader and writer speak the published protocol crates
//! themselves, over the client's own sockets. Dropping an [`Spu`] closes its connection, and with it everything the
//! broker does for us on it.

use std::fmt::Display;
use std::net::{Shutdown, TcpStream};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use fluvio::Isolation;
use fluvio::config::TlsPolicy;
use fluvio::dataplane::api::Request;
use fluvio::dataplane::link::ErrorCode;
use fluvio::dataplane::record::ReplicaKey;
use fluvio::metadata::partition::PartitionSpec;
use fluvio::metadata::spu::SpuSpec;
use fluvio::metadata::topic::TopicSpec;
use fluvio_future::net::DomainConnector;
use fluvio_protocol::record::{RawRecords, RecordSet};
use fluvio_socket::{
    AsyncResponse, ClientConfig, FluvioSocket, MultiplexerSocket, SharedMultiplexerSocket,
    VersionedSerialSocket,
};
use fluvio_spu_schema::fetch::{FetchPartition, FetchRequest, FetchableTopic};
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;
use fluvio_spu_schema::server::stream_fetch::DefaultStreamFetchRequest;
use fluvio_spu_schema::server::update_offset::{OffsetUpdate, UpdateOffsetsRequest};
use futures_util::future::BoxFuture;

use crate::cluster::batch;
use crate::cluster::client::{self, CONNECT_TIMEOUT, Client};
use crate::record::LogRange;

/// How long an answer to a small question may take.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Answers a stream may hold before the consumer asks. The broker sends one and waits, so this is never full.
const STREAM_QUEUE_LEN: usize = 4;

/// The bytes of an answer that is only to say where batches end.
const END_BYTES_MAX: i32 = 256 * 1024;

/// What can go wrong between us and a partition's leader, whatever we wanted from it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpuError {
    #[error("topic {topic} does not exist: create it, or correct its name in the config")]
    TopicMissing { topic: String },
    #[error("topic {topic} has no partition {partition}: it has {count}, counted from 0")]
    PartitionMissing {
        topic: String,
        partition: u32,
        count: u32,
    },
    #[error("{what}: {reason}")]
    Disconnected { what: String, reason: String },
}

impl SpuError {
    pub(crate) fn disconnected(what: impl Display, reason: impl Display) -> Self {
        Self::Disconnected {
            what: what.to_string(),
            reason: reason.to_string(),
        }
    }
}

/// A connection to the leader of one partition.
pub(crate) struct Spu {
    pub(crate) topic: String,
    pub(crate) partition: u32,
    /// What the cluster says about the partition: replicas, compression, deduplication.
    pub(crate) spec: PartitionSpec,
    socket: VersionedSerialSocket,
    hang_up: HangUp,
}

/// Ends a connection when it is dropped. The client's own socket tells its reading task to end, and that task misses it when it
/// has just received something: the connection would stay open, and its memory, for as long as the process lives.
struct HangUp(Arc<TcpStream>);

impl HangUp {
    fn of(socket: &FluvioSocket) -> std::io::Result<Self> {
        // SAFETY: the socket is open as long as it is borrowed here; what is kept is a handle of our own.
        let borrowed = unsafe { BorrowedFd::borrow_raw(socket.id()) };
        let ours = TcpStream::from(borrowed.try_clone_to_owned()?);
        // The client leaves Nagle's algorithm on: the end of a batch would wait for an acknowledgement of its beginning, which
        // the SPU's machine holds back for 40 ms.
        ours.set_nodelay(true)?;
        Ok(Self(Arc::new(ours)))
    }
}

/// Does what sends something, and has what comes in answer acknowledged at once: an SPU sends an answer's head and records
/// apart, the second when the first is acknowledged. Where there is no asking for that, it may take 40 ms longer.
async fn hurrying<T>(connection: &TcpStream, sends: impl Future<Output = T>) -> T {
    let hurry = async {
        // By then it is sent; before, sending would end it.
        tokio::task::yield_now().await;
        #[cfg(target_os = "linux")]
        let _ = std::os::linux::net::TcpStreamExt::set_quickack(connection, true);
        #[cfg(not(target_os = "linux"))]
        let _ = connection;
    };
    tokio::join!(sends, hurry).0
}

impl Drop for HangUp {
    fn drop(&mut self) {
        // The other side may have been first.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Spu {
    /// Looks the leader up and connects to it.
    pub(crate) fn connect<'a>(
        client: &'a Client,
        topic: &'a str,
        partition: u32,
    ) -> BoxFuture<'a, Result<Self, SpuError>> {
        Box::pin(Self::attempt(client, topic, partition))
    }

    async fn attempt(client: &Client, topic: &str, partition: u32) -> Result<Self, SpuError> {
        let what = format!("connecting to the leader of {topic}/{partition}");
        let attempt = async {
            let spec = partition_spec(client, topic, partition).await?;
            let admin = client.admin().await;
            let spus = admin
                .all::<SpuSpec>()
                .await
                .map_err(|err| SpuError::disconnected(&what, err))?;
            let leader = spus
                .into_iter()
                .find(|spu| spu.spec.id == spec.leader)
                .ok_or_else(|| {
                    SpuError::disconnected(&what, format!("SPU {} is unknown", spec.leader))
                })?;
            let cluster = client.cluster().fluvio_config();
            let addr = match &leader.spec.public_endpoint_local {
                Some(local) if cluster.use_spu_local_address => {
                    format!("{}:{}", local.host, local.port)
                }
                _ => leader.spec.public_endpoint.addr(),
            };
            let config = client_config(&cluster.tls, &addr)
                .map_err(|err| SpuError::disconnected(&what, err))?
                .with_prefix_sni_domain(&leader.name);
            let connected = config
                .connect()
                .await
                .map_err(|err| SpuError::disconnected(&what, format!("{addr}: {err}")))?;
            let (socket, config, versions) = connected.split();
            let hang_up = HangUp::of(&socket).map_err(|err| SpuError::disconnected(&what, err))?;
            Ok(Self {
                hang_up,
                topic: topic.to_owned(),
                partition,
                spec,
                socket: VersionedSerialSocket::new(
                    MultiplexerSocket::shared(socket),
                    config,
                    versions,
                ),
            })
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(SpuError::disconnected(
                &what,
                format!("no answer in {} s", CONNECT_TIMEOUT.as_secs()),
            )),
        }
    }

    /// The partition's name for messages.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.topic, self.partition)
    }

    /// One question, one answer.
    pub(crate) async fn request<R>(
        &self,
        request: R,
        timeout: Duration,
    ) -> Result<R::Response, RequestError>
    where
        R: Request + Send + Sync,
    {
        let answer = hurrying(&self.hang_up.0, self.socket.send_receive(request));
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(err)) => Err(RequestError::Lost(err.to_string())),
            Err(_) => Err(RequestError::TimedOut(timeout)),
        }
    }

    /// How far readers may see. Where the leader keeps the only replica, what is written is committed, and its high
    /// watermark must not be asked: a leader that was killed comes back with an old one, which hides acknowledged records
    /// until the next is written.
    pub(crate) fn isolation(&self) -> Isolation {
        if self.spec.replicas.len() <= 1 {
            Isolation::ReadUncommitted
        } else {
            Isolation::ReadCommitted
        }
    }

    /// What the partition holds, as far as it is committed.
    pub(crate) fn offsets(&self) -> BoxFuture<'_, Result<LogRange, SpuError>> {
        Box::pin(self.held())
    }

    async fn held(&self) -> Result<LogRange, SpuError> {
        let mut held = self.watermarks().await?;
        if self.isolation() == Isolation::ReadUncommitted {
            held.end = self.written_end(held.end).await?;
        }
        Ok(held)
    }

    /// Where a log ends that is said to end at `watermark`, or behind it. There is no question for that: the batches say it, or
    /// a watermark that has moved since, which a write brought up to date. So nobody runs after a log that grows.
    async fn written_end(&self, watermark: i64) -> Result<i64, SpuError> {
        let what = format!("looking for the end of {}", self.name());
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
                .map_err(|err| SpuError::disconnected(&what, err))?
                .find_partition(&self.topic, self.partition)
                .ok_or_else(|| SpuError::disconnected(&what, "the answer leaves it out"))?;
            if answer.error_code != ErrorCode::None {
                return Err(SpuError::disconnected(&what, answer.error_code));
            }
            if answer.high_watermark > watermark {
                return Ok(answer.high_watermark.max(end));
            }
            // The header of a batch that was cut is whole.
            let last = answer.records.batches.last().map_or(end, batch::end_offset);
            if last <= end {
                return Ok(end);
            }
            end = last;
        }
    }

    /// What the leader says of the partition.
    async fn watermarks(&self) -> Result<LogRange, SpuError> {
        let what = format!("asking for the offsets of {}", self.name());
        let response = self
            .request(
                FetchOffsetsRequest::new(self.topic.clone(), self.partition),
                REQUEST_TIMEOUT,
            )
            .await
            .map_err(|err| SpuError::disconnected(&what, err))?;
        let answer = response
            .find_partition(&ReplicaKey::new(self.topic.clone(), self.partition))
            .ok_or_else(|| SpuError::disconnected(&what, "the answer leaves it out"))?;
        match answer.error_code {
            ErrorCode::None => Ok(LogRange {
                start: answer.start_offset,
                end: answer.last_stable_offset,
            }),
            code => Err(SpuError::disconnected(&what, code)),
        }
    }

    /// The version of the stream protocol both sides speak; 0 when they share none.
    pub(crate) fn stream_version(&self) -> i16 {
        self.socket
            .lookup_version::<DefaultStreamFetchRequest>()
            .unwrap_or(0)
    }

    /// Opens a stream on this connection.
    pub(crate) fn stream(&self, request: DefaultStreamFetchRequest) -> BoxFuture<'_, Opened> {
        Box::pin(self.open_stream(request))
    }

    async fn open_stream(&self, request: DefaultStreamFetchRequest) -> Opened {
        let version = self.socket.lookup_version::<DefaultStreamFetchRequest>();
        let message = self.socket.new_request(request, version);
        let opened = self.socket.create_stream(message, STREAM_QUEUE_LEN);
        let opened = hurrying(&self.hang_up.0, opened);
        match tokio::time::timeout(REQUEST_TIMEOUT, opened).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(err)) => Err(SpuError::disconnected(
                format!("opening a stream of {}", self.name()),
                err,
            )),
            Err(_) => Err(SpuError::disconnected(
                format!("opening a stream of {}", self.name()),
                format!("not sent in {} s", REQUEST_TIMEOUT.as_secs()),
            )),
        }
    }

    /// Tells the broker to go on at `offset`. Runs on its own, so that a reader can be cancelled at any await without
    /// acknowledging twice; when it fails the connection is gone and the stream says so.
    pub(crate) fn acknowledge(&self, stream_id: u32, offset: i64) {
        let socket: SharedMultiplexerSocket = self.socket.new_socket();
        let message = self.socket.new_request(
            UpdateOffsetsRequest::new(vec![OffsetUpdate {
                offset,
                session_id: stream_id,
            }]),
            self.socket.lookup_version::<UpdateOffsetsRequest>(),
        );
        let (name, connection) = (self.name(), self.hang_up.0.clone());
        tokio::spawn(async move {
            let sent = hurrying(&connection, socket.send_and_receive(message)).await;
            if let Err(err) = sent {
                tracing::debug!(partition = %name, offset, %err, "acknowledgement not sent");
            }
        });
    }
}

/// A stream, or why it could not be opened.
type Opened = Result<AsyncResponse<DefaultStreamFetchRequest>, SpuError>;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("{0}")]
    Lost(String),
    #[error("no answer in {:.1} s", .0.as_secs_f64())]
    TimedOut(Duration),
}

/// What the cluster says about a topic.
pub(crate) fn topic_spec<'a>(
    client: &'a Client,
    topic: &'a str,
) -> BoxFuture<'a, Result<TopicSpec, SpuError>> {
    Box::pin(list_topic(client, topic))
}

async fn list_topic(client: &Client, topic: &str) -> Result<TopicSpec, SpuError> {
    let what = format!("looking topic {topic} up");
    let listed = async {
        let admin = client.admin().await;
        admin
            .list::<TopicSpec, String>(vec![topic.to_owned()])
            .await
    };
    let topics = tokio::time::timeout(REQUEST_TIMEOUT, listed)
        .await
        .map_err(|_| {
            SpuError::disconnected(
                &what,
                format!("no answer in {} s", REQUEST_TIMEOUT.as_secs()),
            )
        })?
        .map_err(|err| SpuError::disconnected(&what, err))?;
    topics
        .into_iter()
        .find(|found| found.name == topic)
        .map(|found| found.spec)
        .ok_or_else(|| SpuError::TopicMissing {
            topic: topic.to_owned(),
        })
}

/// The partitions of a topic that the cluster has already assigned, with their numbers.
pub(crate) fn partition_specs<'a>(
    client: &'a Client,
    topic: &'a str,
) -> BoxFuture<'a, Result<Vec<(u32, PartitionSpec)>, SpuError>> {
    Box::pin(list_partitions(client, topic))
}

async fn list_partitions(
    client: &Client,
    topic: &str,
) -> Result<Vec<(u32, PartitionSpec)>, SpuError> {
    let what = format!("looking the partitions of {topic} up");
    let admin = client.admin().await;
    // Filters mean different things to different clusters here; all of them are few.
    let listed = admin
        .all::<PartitionSpec>()
        .await
        .map_err(|err| SpuError::disconnected(&what, err))?;
    Ok(listed
        .into_iter()
        .filter_map(|found| {
            let key = ReplicaKey::try_from(found.name).ok()?;
            (key.topic == topic).then_some((key.partition, found.spec))
        })
        .collect())
}

async fn partition_spec(
    client: &Client,
    topic: &str,
    partition: u32,
) -> Result<PartitionSpec, SpuError> {
    let specs = partition_specs(client, topic).await?;
    if let Some((_, spec)) = specs.into_iter().find(|(found, _)| *found == partition) {
        return Ok(spec);
    }
    let count = topic_spec(client, topic).await?.partitions();
    if partition < count {
        return Err(SpuError::disconnected(
            format!("looking {topic}/{partition} up"),
            "the cluster has not assigned it to an SPU yet",
        ));
    }
    Err(SpuError::PartitionMissing {
        topic: topic.to_owned(),
        partition,
        count,
    })
}

fn client_config(tls: &TlsPolicy, addr: &str) -> anyhow::Result<ClientConfig> {
    let connector = DomainConnector::try_from(tls.clone())?;
    let mut config = ClientConfig::new(addr, connector, false);
    config.set_client_id(client::CLIENT_ID);
    Ok(config)
}
