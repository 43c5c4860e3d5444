//! A connection to an SPU that its owner reads and writes itself: one request at a time, and one stream beside them.
//!
//! The client's socket has a task on a thread of its own, which passes each response on through a channel, where it is copied:
//! that is a tenth of all the work of a stage that catches up. Here nobody reads between two calls: what comes meanwhile waits in
//! the system's buffers.
//!
//! Always true: every future may be dropped. What was received in part stays here, and the next call continues it; what was sent in
//! part goes on with the next request or [`flush`](Line::flush).

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::os::fd::BorrowedFd;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use fluvio_protocol::api::{Request, RequestMessage};
use fluvio_protocol::{Decoder, Encoder, Version};
use fluvio_socket::{ClientConfig, FluvioSocket, SocketError, Versions};
use futures_util::{AsyncReadExt as FuturesReadExt, AsyncWriteExt as FuturesWriteExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

/// Room for what is small.
const ROOM_BYTES: usize = 64 * 1024;
/// The memory for a larger frame grows as its bytes arrive, beginning with this much.
const FRAME_STEP_BYTES: usize = 4 * 1024 * 1024;
/// A frame that claims to be larger is refused.
const FRAME_BYTES_MAX: usize = 1 << 30;

pub(super) struct Line {
    wire: Wire,
    /// Another handle of the same connection, for its options.
    options: TcpStream,
    client_id: String,
    versions: Versions,
    last_id: i32,
    /// What is not sent yet.
    outgoing: BytesMut,
    /// The first `received` bytes were received.
    incoming: Vec<u8>,
    received: usize,
    last_received: Instant,
    stream: Option<OpenStream>,
}

struct OpenStream {
    id: i32,
    version: Version,
    /// Responses that came before that of a request: one, and perhaps an error, as the broker waits for its acknowledgement.
    early: VecDeque<Bytes>,
}

/// What carries the bytes.
enum Wire {
    /// Tokio wakes its own threads; the client's socket is woken by another thread.
    Plain(tokio::net::TcpStream),
    Tls(FluvioSocket),
}

impl Wire {
    async fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => AsyncReadExt::read(stream, room).await,
            Self::Tls(socket) => {
                let stream = socket.get_mut_stream().get_mut_tcp_stream();
                FuturesReadExt::read(stream.get_mut().get_mut(), room).await
            }
        }
    }

    async fn write_all(&mut self, bytes: &mut BytesMut) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all_buf(bytes).await,
            Self::Tls(socket) => {
                let sink = socket.get_mut_sink().get_mut_tcp_sink();
                let writer = sink.get_mut().get_mut();
                while !bytes.is_empty() {
                    match FuturesWriteExt::write(writer, bytes).await? {
                        0 => return Err(io::ErrorKind::WriteZero.into()),
                        sent => bytes.advance(sent),
                    }
                }
                FuturesWriteExt::flush(writer).await
            }
        }
    }
}

impl Line {
    /// Connects; `tls` says whether `config` does so with TLS.
    pub(super) async fn connect(config: ClientConfig, tls: bool) -> Result<Self, SocketError> {
        let (socket, config, versions) = config.connect().await?.split();
        // SAFETY: the socket is open as long as it is borrowed here; the handle is one of its own.
        let borrowed = unsafe { BorrowedFd::borrow_raw(socket.id()) };
        let options = TcpStream::from(borrowed.try_clone_to_owned()?);
        // The client leaves Nagle's algorithm on: the end of a batch would wait until the SPU's machine acknowledges the
        // beginning, which it delays by 40 ms.
        options.set_nodelay(true)?;
        let wire = if tls {
            Wire::Tls(socket)
        } else {
            Wire::Plain(tokio::net::TcpStream::from_std(options.try_clone()?)?)
        };
        Ok(Self {
            wire,
            options,
            client_id: config.client_id().to_owned(),
            versions,
            last_id: 0,
            outgoing: BytesMut::new(),
            incoming: Vec::new(),
            received: 0,
            last_received: Instant::now(),
            stream: None,
        })
    }

    /// The version of a request that both sides know.
    pub(super) fn version<R: Request>(&self) -> Option<Version> {
        self.versions.lookup_version::<R>()
    }

    /// Sends a request. Its number and version are for [`answer`](Self::answer).
    pub(super) async fn send<R: Request>(&mut self, request: R) -> io::Result<(i32, Version)> {
        let sent = self.queue(request)?;
        self.flush().await?;
        Ok(sent)
    }

    /// Waits for a response to a request. Those to earlier ones, whose futures were dropped, are passed over.
    pub(super) async fn answer<R: Request>(
        &mut self,
        (id, version): (i32, Version),
    ) -> io::Result<R::Response> {
        loop {
            let (found, mut frame) = self.frame().await?;
            if found == id {
                return R::Response::decode_from(&mut frame, version);
            }
            if let Some(stream) = &mut self.stream
                && stream.id == found
            {
                stream.early.push_back(frame);
            }
        }
    }

    /// When the last bytes came, which may have been a part of a response.
    pub(super) fn last_received(&self) -> Instant {
        self.last_received
    }

    /// Whether a response of the stream came before that of a request.
    pub(super) fn has_early_response(&self) -> bool {
        let stream = self.stream.as_ref();
        stream.is_some_and(|stream| !stream.early.is_empty())
    }

    /// Opens a stream, in place of an earlier one.
    pub(super) async fn open<R: Request>(&mut self, request: R) -> io::Result<()> {
        let (id, version) = self.queue(request)?;
        self.stream = Some(OpenStream {
            id,
            version,
            early: VecDeque::new(),
        });
        self.flush().await
    }

    /// The next response to the request that opened the stream.
    pub(super) async fn response<R: Request>(&mut self) -> io::Result<R::Response> {
        let Some(stream) = &mut self.stream else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let (id, version) = (stream.id, stream.version);
        if let Some(mut frame) = stream.early.pop_front() {
            return R::Response::decode_from(&mut frame, version);
        }
        self.answer::<R>((id, version)).await
    }

    /// Puts a request with those to be sent; returns its number and version.
    pub(super) fn queue<R: Request>(&mut self, request: R) -> io::Result<(i32, Version)> {
        self.last_id += 1;
        let mut message = RequestMessage::new_request(request);
        let header = message.get_mut_header();
        header.set_client_id(&self.client_id);
        header.set_correlation_id(self.last_id);
        if let Some(version) = self.versions.lookup_version::<R>() {
            header.set_api_version(version);
        }
        let version = header.api_version();
        let start = self.outgoing.len();
        self.outgoing.reserve(4 + message.write_size(version));
        self.outgoing.put_i32(0);
        message.encode(&mut self.outgoing, version)?;
        let len = i32::try_from(self.outgoing.len() - start - 4).map_err(io::Error::other)?;
        self.outgoing[start..start + 4].copy_from_slice(&len.to_be_bytes());
        Ok((self.last_id, version))
    }

    /// Sends what is queued.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.wire.write_all(&mut self.outgoing).await?;
        // An SPU sends the head of a response and its records separately, the second when the first is acknowledged, which a
        // system may delay by 40 ms.
        #[cfg(target_os = "linux")]
        let _ = std::os::linux::net::TcpStreamExt::set_quickack(&self.options, true);
        Ok(())
    }

    /// The next frame: the number of its request, and the response.
    async fn frame(&mut self) -> io::Result<(i32, Bytes)> {
        loop {
            let wanted = self.wanted_bytes()?;
            if self.received >= wanted {
                let mut frame = self.take_frame(wanted);
                frame.advance(4);
                if frame.len() < 4 {
                    return Err(invalid("a response without a number"));
                }
                return Ok((frame.get_i32(), frame));
            }
            let room = wanted.clamp(ROOM_BYTES, FRAME_STEP_BYTES.max(2 * self.received));
            if self.incoming.len() < room {
                self.incoming.resize(room, 0);
            }
            let received = self.wire.read(&mut self.incoming[self.received..]).await?;
            if received == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the broker closed the connection",
                ));
            }
            self.received += received;
            self.last_received = Instant::now();
        }
    }

    /// The size of the frame that is being received, its length included.
    fn wanted_bytes(&self) -> io::Result<usize> {
        let Some(len) = self.incoming[..self.received].first_chunk::<4>() else {
            return Ok(4);
        };
        match usize::try_from(i32::from_be_bytes(*len)) {
            Ok(len) if len <= FRAME_BYTES_MAX => Ok(4 + len),
            _ => Err(invalid("a response of an impossible length")),
        }
    }

    /// Takes the first bytes of what was received.
    fn take_frame(&mut self, bytes: usize) -> Bytes {
        let received = std::mem::take(&mut self.received);
        if bytes <= ROOM_BYTES {
            let frame = Bytes::copy_from_slice(&self.incoming[..bytes]);
            self.incoming.copy_within(bytes..received, 0);
            self.received = received - bytes;
            return frame;
        }
        let mut frame = std::mem::take(&mut self.incoming);
        self.incoming.extend_from_slice(&frame[bytes..received]);
        self.received = received - bytes;
        frame.truncate(bytes);
        Bytes::from(frame)
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
