//! Connections: accepting them, reading their requests one after another, writing their answers.
//!
//! Always true:
//! - Requests of a connection are carried out in the order they came; watches and streams go on beside them.
//! - Everything a connection started ends with it, and with the broker: all wait on its token.
//! - A frame is written whole or the connection ends; so a task may be dropped anywhere only once the token is cancelled.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use fluvio_sc_schema::objects::Metadata;
use fluvio_sc_schema::spu::SpuSpec;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::api::{self, RequestError};
use crate::stream_fetch::StreamHandle;
use crate::{Shared, metadata, meters, wire};

/// Accepts connections until the broker stops.
pub async fn accept(listener: TcpListener, broker: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            () = broker.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let broker = broker.clone();
                let tasks = broker.tasks.clone();
                tasks.spawn(async move {
                    if let Err(error) = serve(stream, broker).await {
                        tracing::debug!(%peer, "connection ended: {error}");
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: those in use must be given back first.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, broker: Arc<Shared>) -> Result<(), RequestError> {
    stream.set_nodelay(true)?;
    let local = stream.local_addr()?;
    let (mut reader, writer) = stream.into_split();
    let closed = broker.stop.child_token();
    let _open = Open::new();
    let _closes = closed.clone().drop_guard();
    let connection = Arc::new(Connection {
        frame_bytes_max: broker.config.frame_bytes_max,
        broker,
        local,
        closed: closed.clone(),
        writer: tokio::sync::Mutex::new(writer),
        streams: Mutex::new(HashMap::new()),
        last_stream_id: AtomicU32::new(0),
    });
    let serve = async {
        let mut buffer = BytesMut::new();
        while let Some(frame) =
            wire::read_frame(&mut reader, &mut buffer, connection.frame_bytes_max).await?
        {
            api::handle(&connection, frame).await?;
        }
        Ok(())
    };
    tokio::select! {
        () = closed.cancelled() => Ok(()),
        served = serve => served,
    }
}

/// Counts the connections that are open.
struct Open;

impl Open {
    fn new() -> Self {
        meters::connections().increment(1);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        meters::connections().decrement(1);
    }
}

/// One client's connection.
#[derive(Debug)]
pub struct Connection {
    /// The broker it is to.
    pub broker: Arc<Shared>,
    /// The address the client reached us by.
    pub local: SocketAddr,
    /// Cancelled when the connection or the broker ends.
    pub closed: CancellationToken,
    frame_bytes_max: usize,
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    streams: Mutex<HashMap<u32, StreamHandle>>,
    last_stream_id: AtomicU32,
}

impl Connection {
    /// Writes a frame.
    pub async fn send(&self, frame: Bytes) -> std::io::Result<()> {
        self.send_parts(frame, Bytes::new()).await
    }

    /// Writes a frame that is in two parts.
    pub async fn send_parts(&self, head: Bytes, tail: Bytes) -> std::io::Result<()> {
        let mut frame = head.chain(tail);
        let mut writer = self.writer.lock().await;
        writer
            .write_all_buf(&mut frame)
            .await
            .inspect_err(|_| self.closed.cancel())
    }

    /// Runs a task that ends with the connection.
    pub fn spawn(
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
    pub fn spu(&self) -> Metadata<SpuSpec> {
        let advertised = self.broker.config.advertise.clone();
        let (host, port) = advertised.unwrap_or_else(|| metadata::host_port(self.local));
        metadata::spu(host, port)
    }

    /// Registers a stream under a new id, which is never 0.
    pub fn add_stream(&self, stream: StreamHandle) -> u32 {
        let id = self.last_stream_id.fetch_add(1, Ordering::Relaxed) + 1;
        self.lock_streams().insert(id, stream);
        id
    }

    /// The stream of that id.
    pub fn stream(&self, id: u32) -> Option<StreamHandle> {
        self.lock_streams().get(&id).cloned()
    }

    fn lock_streams(&self) -> MutexGuard<'_, HashMap<u32, StreamHandle>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
