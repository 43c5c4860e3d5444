//! One client's connection: writing to it, and the streams and tasks that belong to it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::{Buf, Bytes};
use fluvio_sc_schema::objects::Metadata;
use fluvio_sc_schema::spu::SpuSpec;
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::connection::RequestError;
use crate::metadata::{self, Consumer};
use crate::shared::Shared;

/// What a connection knows of one of its streams.
#[derive(Debug, Clone)]
pub(crate) struct StreamHandle {
    acknowledged: watch::Sender<i64>,
    /// Whose offsets the stream may store.
    pub consumer: Option<Consumer>,
}

impl StreamHandle {
    /// A stream that is told by `acknowledged` how far its client is.
    pub(crate) fn new(acknowledged: watch::Sender<i64>, consumer: Option<Consumer>) -> Self {
        Self {
            acknowledged,
            consumer,
        }
    }

    /// Tells the stream where the client wants to read on.
    pub(crate) fn acknowledge(&self, offset: i64) {
        self.acknowledged.send_replace(offset);
    }
}

/// One client's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The broker it is to.
    pub broker: Arc<Shared>,
    /// Host and port that the client is told to connect to.
    address: (String, u16),
    /// Cancelled when the connection or the broker ends.
    pub closed: CancellationToken,
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    streams: Mutex<HashMap<u32, StreamHandle>>,
    last_stream_id: AtomicU32,
}

impl Connection {
    /// A connection without streams.
    pub(crate) fn new(
        broker: Arc<Shared>,
        address: (String, u16),
        closed: CancellationToken,
        writer: OwnedWriteHalf,
    ) -> Self {
        Self {
            broker,
            address,
            closed,
            writer: tokio::sync::Mutex::new(writer),
            streams: Mutex::default(),
            last_stream_id: AtomicU32::new(0),
        }
    }

    /// Writes a frame.
    pub(crate) async fn send(&self, frame: Bytes) -> std::io::Result<()> {
        self.send_parts(frame, Bytes::new()).await
    }

    /// Writes a frame that is in two parts.
    pub(crate) async fn send_parts(&self, head: Bytes, tail: Bytes) -> std::io::Result<()> {
        let mut frame = head.chain(tail);
        let mut writer = self.writer.lock().await;
        writer
            .write_all_buf(&mut frame)
            .await
            .inspect_err(|_| self.closed.cancel())
    }

    /// Runs a task that ends with the connection.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        task: impl Future<Output = Result<(), RequestError>> + Send + 'static,
    ) {
        let connection = self.clone();
        self.broker.tasks.spawn(async move {
            let done = tokio::select! {
                () = connection.closed.cancelled() => return,
                done = task => done,
            };
            if let Err(error) = done {
                tracing::debug!("connection ended: {error}");
                connection.closed.cancel();
            }
        });
    }

    /// The SPU as this client should see it.
    pub(crate) fn spu(&self) -> Metadata<SpuSpec> {
        let (host, port) = self.address.clone();
        metadata::spu(host, port)
    }

    /// Registers a stream under a new id, which is never 0.
    pub(crate) fn add_stream(&self, stream: StreamHandle) -> u32 {
        let id = self.last_stream_id.fetch_add(1, Ordering::Relaxed) + 1;
        self.streams.lock().insert(id, stream);
        id
    }

    /// The stream of that id.
    pub(crate) fn stream(&self, id: u32) -> Option<StreamHandle> {
        self.streams.lock().get(&id).cloned()
    }
}
