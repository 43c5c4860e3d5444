//! The client's socket with two habits mended: it stays open after a drop, and it waits for delayed acknowledgements.

use std::net::{Shutdown, TcpStream};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use fluvio_socket::FluvioSocket;

/// A second handle of a connection. It closes the connection when it is dropped.
///
/// The client's own socket only tells its reading task to end. The task misses that when it has just received something, and
/// then the connection and its memory would live as long as the process.
pub(super) struct CloseOnDrop(Arc<TcpStream>);

impl CloseOnDrop {
    pub(super) fn new(socket: &FluvioSocket) -> std::io::Result<Self> {
        // SAFETY: the socket is open as long as it is borrowed here; `Self` holds a handle of its own.
        let borrowed = unsafe { BorrowedFd::borrow_raw(socket.id()) };
        let stream = TcpStream::from(borrowed.try_clone_to_owned()?);
        // The client leaves Nagle's algorithm on: the end of a batch would wait until the SPU's machine acknowledges the
        // beginning, which it delays by 40 ms.
        stream.set_nodelay(true)?;
        Ok(Self(Arc::new(stream)))
    }

    /// The connection, for [`acknowledging`].
    pub(super) fn stream(&self) -> &Arc<TcpStream> {
        &self.0
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        // It fails when the other side has closed the connection already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Runs `send`, a future that sends a request, and has the response acknowledged without delay.
///
/// An SPU sends the head of a response and its records separately, the second when the first is acknowledged. Systems without
/// TCP_QUICKACK may delay that by 40 ms.
pub(super) async fn acknowledging<T>(stream: &TcpStream, send: impl Future<Output = T>) -> T {
    let quickack = async {
        // By then the request is sent; sending clears the flag.
        tokio::task::yield_now().await;
        #[cfg(target_os = "linux")]
        let _ = std::os::linux::net::TcpStreamExt::set_quickack(stream, true);
        #[cfg(not(target_os = "linux"))]
        let _ = stream;
    };
    tokio::join!(send, quickack).0
}
