//! A server that plays a script, one answer a request, over raw TCP; after the script it answers 304 for ever.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// One answer.
#[derive(Clone)]
pub(crate) enum Answer {
    /// These bytes; then the connection stays open if they are a whole reply, and is closed if not.
    Bytes(Vec<u8>),
    /// These bytes, a few at a time.
    Slowly(Vec<u8>),
    /// A body without end.
    Endless,
    /// The head of a reply, and then nothing.
    Silence,
}

impl Answer {
    /// 200, and this as JSON.
    pub(crate) fn json(body: &str) -> Self {
        Self::raw(&format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// Exactly this on the wire.
    pub(crate) fn raw(reply: &str) -> Self {
        Self::Bytes(reply.as_bytes().to_vec())
    }
}

/// What was asked.
#[derive(Clone)]
pub(crate) struct Request {
    /// When it had arrived.
    pub at: Instant,
    /// Path and query.
    pub target: String,
    headers: HashMap<String, String>,
}

impl Request {
    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).cloned()
    }
}

/// The running server.
pub(crate) struct Server {
    addr: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    length: usize,
    played: watch::Receiver<usize>,
}

impl Server {
    /// Serves the script on a free port.
    pub(crate) async fn start(script: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (count, played) = watch::channel(0);
        let (length, script, seen) = (script.len(), Arc::new(script), requests.clone());
        let count = Arc::new(count);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (script, seen, count) = (script.clone(), seen.clone(), count.clone());
                tokio::spawn(async move {
                    // However the client leaves is its own matter.
                    let _ = serve(socket, &script, &seen, &count).await;
                });
            }
        });
        Self {
            addr,
            requests,
            length,
            played,
        }
    }

    /// What to set as `base_url`.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Resolves when the last answer was taken: a request came after it.
    pub(crate) async fn played(&self) {
        self.played_at_least(self.length + 1).await;
    }

    /// Resolves when so many requests have come.
    pub(crate) async fn played_at_least(&self, requests: usize) {
        self.played
            .clone()
            .wait_for(|&count| count >= requests)
            .await
            .unwrap();
    }
}

async fn serve(
    mut socket: TcpStream,
    script: &[Answer],
    seen: &Mutex<Vec<Request>>,
    count: &watch::Sender<usize>,
) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    loop {
        let Some(request) = read(&mut socket).await? else {
            return Ok(());
        };
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            seen.len() - 1
        };
        count.send_modify(|count| *count += 1);
        match script.get(number) {
            None => {
                socket
                    .write_all(b"HTTP/1.1 304 Not Modified\r\n\r\n")
                    .await?
            }
            Some(Answer::Bytes(bytes)) => {
                socket.write_all(bytes).await?;
                if !is_whole(bytes) {
                    return Ok(());
                }
            }
            Some(Answer::Slowly(bytes)) => {
                for some in bytes.chunks(bytes.len().div_ceil(20)) {
                    socket.write_all(some).await?;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            Some(Answer::Silence) => {
                socket
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n")
                    .await?;
                // Until the client has had enough.
                socket.read_u8().await?;
            }
            Some(Answer::Endless) => {
                let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
                socket.write_all(head).await?;
                loop {
                    socket.write_all(b"8\r\n[[[[[[[[\r\n").await?;
                }
            }
        }
    }
}

/// The next request; none when the client closes.
async fn read(socket: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0; 512];
        let read = socket.read(&mut byte).await?;
        if read == 0 {
            return Ok(None);
        }
        head.extend_from_slice(&byte[..read]);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.split("\r\n");
    let target = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or_default()
        .to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Ok(Some(Request {
        at: Instant::now(),
        target,
        headers,
    }))
}

fn is_whole(reply: &[u8]) -> bool {
    let text = String::from_utf8_lossy(reply).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let promised = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    promised.is_none_or(|length| length.parse() == Ok(body.len()))
}
