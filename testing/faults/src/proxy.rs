//! A TCP proxy between a client and a server that does what networks do at their worst.
//!
//! Always true: what arrives is what was sent, in order, up to the moment a connection breaks; a proxy loses the rest of a
//! connection and never a part of its middle. Which connection breaks after how many bytes depends on the seed and on the
//! order in which connections come.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How bad a network is.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    /// A connection is cut after so many bytes, on average; in the middle of a frame as well as between two.
    pub cut_after_bytes: u64,
    /// Of those, so many in a hundred fall silent first: nothing arrives any more, for this long.
    pub silent_percent: u32,
    /// How long a connection is silent before it is cut.
    pub silence: Duration,
    /// Bytes arrive in pieces of any size from one byte on, so many in a hundred of them late.
    pub late_percent: u32,
    /// How late a piece is at most.
    pub late_max: Duration,
}

impl Network {
    /// One that has no faults of its own.
    pub const GOOD: Self = Self {
        cut_after_bytes: u64::MAX / 4,
        silent_percent: 0,
        silence: Duration::ZERO,
        late_percent: 0,
        late_max: Duration::ZERO,
    };
}

/// A free port of loopback on which a proxy is going to be.
#[derive(Debug)]
pub struct Listening(TcpListener);

impl Listening {
    /// Takes any free port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> io::Result<Self> {
        Ok(Self(TcpListener::bind("127.0.0.1:0").await?))
    }

    /// The address clients are given in the place of the server's.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Starts to pass on what comes to `server`.
    pub fn forward(self, server: SocketAddr, network: Network, seed: u64) -> Proxy {
        let stop = CancellationToken::new();
        let counts = Arc::new(Counts::default());
        tokio::spawn(accept(
            self.0,
            server,
            network,
            seed,
            stop.clone(),
            counts.clone(),
        ));
        Proxy {
            counts,
            _stop: stop.drop_guard(),
        }
    }
}

/// A running proxy. Dropping it ends every connection through it.
#[derive(Debug)]
pub struct Proxy {
    counts: Arc<Counts>,
    _stop: DropGuard,
}

#[derive(Debug, Default)]
struct Counts {
    calm: AtomicBool,
    /// Cancelled to cut all connections there are.
    open: Mutex<CancellationToken>,
    connections: AtomicU64,
    cuts: AtomicU64,
    silences: AtomicU64,
}

impl Proxy {
    /// From now on it passes everything on at once and cuts nothing; or is its old self again.
    pub fn be_calm(&self, calm: bool) {
        self.counts.calm.store(calm, Ordering::Relaxed);
    }

    /// Cuts every connection there is.
    pub fn cut_all(&self) {
        let mut open = self
            .counts
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *open).cancel();
    }

    /// How many connections have come.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// How many were cut.
    pub fn cuts(&self) -> u64 {
        self.counts.cuts.load(Ordering::Relaxed)
    }

    /// How many of them had fallen silent before.
    pub fn silences(&self) -> u64 {
        self.counts.silences.load(Ordering::Relaxed)
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    network: Network,
    seed: u64,
    stop: CancellationToken,
    counts: Arc<Counts>,
) {
    loop {
        let client = tokio::select! {
            () = stop.cancelled() => return,
            Ok((client, _)) = listener.accept() => client,
            else => continue,
        };
        let number = counts.connections.fetch_add(1, Ordering::Relaxed);
        let (stop, counts) = (stop.clone(), counts.clone());
        let open = counts.open.lock().unwrap_or_else(PoisonError::into_inner);
        let cut = open.clone();
        drop(open);
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = cut.cancelled() => {}
                // However a connection ends, both sides notice.
                _ = pass(client, server, network, seed.wrapping_add(number << 32), &counts) => {}
            }
        });
    }
}

/// One connection, until either side ends it or it is cut.
async fn pass(
    mut client: TcpStream,
    server: SocketAddr,
    network: Network,
    seed: u64,
    counts: &Counts,
) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // With or without a word: a closed connection tells that it ends, a reset one drops what is under way.
    if random.random() {
        client.set_zero_linger()?;
        server.set_zero_linger()?;
    }
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let mut up = Lane::new(network, &mut random);
    let mut down = Lane::new(network, &mut random);
    let cut = tokio::select! {
        cut = up.run(from_client, to_server, counts) => cut?,
        cut = down.run(from_server, to_client, counts) => cut?,
    };
    if let Some(silence) = cut {
        counts.cuts.fetch_add(1, Ordering::Relaxed);
        if !silence.is_zero() {
            counts.silences.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(silence).await;
        }
    }
    Ok(())
}

/// One direction.
struct Lane {
    network: Network,
    random: ChaCha8Rng,
    /// Bytes until the cut.
    left: u64,
}

impl Lane {
    fn new(network: Network, random: &mut ChaCha8Rng) -> Self {
        Self {
            network,
            left: random.random_range(0..=network.cut_after_bytes * 2),
            random: ChaCha8Rng::seed_from_u64(random.random()),
        }
    }

    /// Passes bytes on. Ends with the silence before the cut, or with none at the end of what is sent.
    async fn run(
        &mut self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        counts: &Counts,
    ) -> io::Result<Option<Duration>> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = from.read(&mut buffer).await?;
            if read == 0 {
                return Ok(None);
            }
            let mut rest = &buffer[..read];
            while !rest.is_empty() {
                if counts.calm.load(Ordering::Relaxed) {
                    to.write_all(rest).await?;
                    break;
                }
                let (piece, more) = rest.split_at(self.random.random_range(1..=rest.len()));
                if self.random.random_range(0..100) < self.network.late_percent {
                    tokio::time::sleep(self.network.late_max.mul_f64(self.random.random())).await;
                }
                let passes = self.left.min(piece.len() as u64);
                self.left -= passes;
                to.write_all(&piece[..passes as usize]).await?;
                if self.left == 0 {
                    let silent = self.random.random_range(0..100) < self.network.silent_percent;
                    return Ok(Some(if silent {
                        self.network.silence
                    } else {
                        Duration::ZERO
                    }));
                }
                rest = more;
            }
        }
    }
}
