//! Connections: accepting them, reading their requests one after another, writing their answers.
//!
//! Always true:
//! - Requests of a connection are carried out in the order they came; watches and streams go on beside them.
//! - Everything a connection started ends with it, and with the broker: all wait on its token.
//! - A frame is written whole or the connection ends; so a task may be dropped anywhere only once the token is cancelled.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};

use crate::api;
use crate::connection::{Connection, RequestError, wire};
use crate::metadata;
use crate::meters;
use crate::shared::Shared;

/// How long a client may say nothing before it is probed.
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_PROBES: u32 = 3;

/// Accepts connections until the broker stops. Their clients are told to connect to `advertise`, or without one to the
/// address by which they have reached it.
pub(crate) async fn accept(
    listener: TcpListener,
    broker: Arc<Shared>,
    advertise: Option<(String, u16)>,
) {
    loop {
        let accepted = tokio::select! {
            () = broker.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (broker, advertise) = (broker.clone(), advertise.clone());
                let tasks = broker.tasks.clone();
                tasks.spawn(async move {
                    if let Err(error) = serve(stream, broker, advertise).await {
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

/// A client whose machine is gone says nothing: after three unanswered probes its connection ends.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES)?;
    Ok(())
}

async fn serve(
    stream: TcpStream,
    broker: Arc<Shared>,
    advertise: Option<(String, u16)>,
) -> Result<(), RequestError> {
    stream.set_nodelay(true)?;
    keep_alive(&stream)?;
    let address = match advertise {
        Some(advertise) => advertise,
        None => metadata::host_port(stream.local_addr()?),
    };
    let (mut reader, writer) = stream.into_split();
    let closed = broker.stop.child_token();
    let _open = Open::new();
    let _closes = closed.clone().drop_guard();
    let frame_bytes_max = broker.config.frame_bytes_max;
    let connection = Arc::new(Connection::new(broker, address, closed.clone(), writer));
    let serve = async {
        let mut buffer = BytesMut::new();
        while let Some(frame) = wire::read_frame(&mut reader, &mut buffer, frame_bytes_max).await? {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_whose_machine_is_gone_is_found_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        assert!(!sockopt::socket_keepalive(&accepted).unwrap());
        keep_alive(&accepted).unwrap();
        assert!(sockopt::socket_keepalive(&accepted).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&accepted).unwrap(), KEEPALIVE_IDLE);
        drop(client);
    }
}
