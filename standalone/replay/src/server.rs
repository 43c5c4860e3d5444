//! A small CoinGecko that knows one market: `GET /api/v3/coins/markets`.
//!
//! Always true: a step is replaced by the next only when a request names its entity tag (`If-None-Match`), which says
//! that the reply arrived whole. Asked without it, or with an older tag, the server gives the same step again. So a
//! connection that breaks in the middle loses nothing, and a client that keeps to HTTP gets nothing twice.
//!
//! The tag of the newest step, when the next one isn't due yet or there is none, gets the usual 304. To tell which
//! records arrived in the topic before a crash is [`Position`]'s matter.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::get;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::error::RecordingError;
use crate::market::{Market, Steps};
use crate::position::{Position, PositionError};
use crate::step::{STEP_RECORDS_MAX, Step};

/// How fast the market's time runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// Each poll gets the next step.
    Max,
    /// So many times as fast as the clock.
    Times(f64),
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            _ if text == "max" => Ok(Self::Max),
            Ok(times) if times.is_finite() && times > 0.0 => Ok(Self::Times(times)),
            _ => Err(format!(
                "{text:?} is not a speed: say max, or a number above 0 such as 60 (an hour a minute)"
            )),
        }
    }
}

/// Why a replay cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The market cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The topic holds something else.
    #[error(transparent)]
    Position(#[from] PositionError),
    /// No port to serve on.
    #[error("cannot serve the replay on 127.0.0.1: {0}")]
    Listen(#[from] std::io::Error),
}

/// How far a replay is; counts include what an earlier run had sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Steps served.
    pub steps: u64,
    /// All steps.
    pub steps_total: u64,
    /// Records served.
    pub records: u64,
    /// All records.
    pub records_total: u64,
}

/// The running server. Dropping it ends it.
pub struct ReplayServer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

struct Shared {
    /// Never held across an await; a request takes it once.
    feed: Mutex<Feed>,
    steps: AtomicU64,
    records: AtomicU64,
    steps_total: u64,
    records_total: u64,
    finished: AtomicBool,
    failure: Mutex<Option<String>>,
}

impl ReplayServer {
    /// Serves the market from a position on, on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When the market cannot be read, or doesn't continue what the position describes.
    pub fn start(
        market: Market,
        speed: Speed,
        position: Position,
    ) -> BoxFuture<'static, Result<Self, ReplayError>> {
        Box::pin(Self::open(market, speed, position))
    }

    async fn open(market: Market, speed: Speed, position: Position) -> Result<Self, ReplayError> {
        let (steps_total, records_total) = (market.steps_total(), market.records_total());
        // Passing by what has arrived reads the market up to there: not for the async threads.
        let feed = tokio::task::spawn_blocking(move || Feed::new(&market, speed, position))
            .await
            .map_err(std::io::Error::other)??;
        let shared = Arc::new(Shared {
            steps: AtomicU64::new(feed.steps_passed),
            records: AtomicU64::new(feed.records_passed),
            finished: AtomicBool::new(feed.next.is_none()),
            feed: Mutex::new(feed),
            steps_total,
            records_total,
            failure: Mutex::new(None),
        });
        let app = Router::new()
            .route("/api/v3/coins/markets", get(markets))
            .route("/api/v3/ping", get(ping))
            .with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            let listener = axum::serve::ListenerExt::tap_io(listener, |socket| {
                // Without it a reply waits for the client's delayed acknowledgement.
                let _ = socket.set_nodelay(true);
            });
            tokio::select! {
                result = async { axum::serve(listener, app).await } => {
                    if let Err(error) = result {
                        tracing::error!(%error, "the replay server ended");
                    }
                }
                () = stopped.cancelled() => {}
            }
        });
        Ok(Self { addr, shared, stop })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What to set as the source's `base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}/api/v3", self.addr)
    }

    /// How far the replay is.
    pub fn progress(&self) -> Progress {
        Progress {
            steps: self.shared.steps.load(Ordering::Relaxed),
            steps_total: self.shared.steps_total,
            records: self.shared.records.load(Ordering::Relaxed),
            records_total: self.shared.records_total,
        }
    }

    /// Whether the last step has arrived at the client. (In the topic is it when the topic's counts say so.)
    pub fn finished(&self) -> bool {
        self.shared.finished.load(Ordering::Acquire)
    }

    /// Why the replay cannot go on, if the recording has become unreadable.
    pub fn failure(&self) -> Option<String> {
        let failure = self.shared.failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for ReplayServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A step as it is served: one JSON array and where its elements lie.
struct Served {
    tag: String,
    time_ms: i64,
    body: Bytes,
    elements: Vec<Range<usize>>,
}

/// The steps of the market that are still to come, less what has arrived.
struct Feed {
    steps: Steps,
    position: Position,
    step: Step,
    body: Vec<u8>,
    speed: Speed,
    /// When the first step was served, and its market time.
    began: Option<(Instant, i64)>,
    current: Option<Arc<Served>>,
    /// Already made, so that a poll doesn't wait for it.
    next: Option<Arc<Served>>,
    steps_passed: u64,
    records_passed: u64,
}

impl Feed {
    fn new(market: &Market, speed: Speed, position: Position) -> Result<Self, ReplayError> {
        let mut feed = Self {
            steps: market.steps()?,
            records_passed: position.arrived(),
            position,
            step: Step::default(),
            body: Vec::new(),
            speed,
            began: None,
            current: None,
            next: None,
            steps_passed: 0,
        };
        let mut passed = 0;
        feed.next = feed.make(&mut passed)?;
        feed.steps_passed = passed - u64::from(feed.next.is_some());
        Ok(feed)
    }

    /// The next step with something that has not arrived yet; none at the end. Counts the steps it reads.
    fn make(&mut self, read: &mut u64) -> Result<Option<Arc<Served>>, ReplayError> {
        while self.steps.next_into(&mut self.step)? {
            *read += 1;
            let mut elements = Vec::with_capacity(self.step.len());
            if self
                .position
                .pass(&self.step, &mut elements, &mut self.body)?
                == 0
            {
                continue;
            }
            // Part of a step has another tag than the whole.
            let tag = format!(
                "\"{}-{}-{}\"",
                self.step.time_ms,
                self.position.total(),
                elements.len()
            );
            return Ok(Some(Arc::new(Served {
                tag,
                time_ms: self.step.time_ms,
                body: Bytes::copy_from_slice(&self.body),
                elements,
            })));
        }
        self.position.check_end()?;
        Ok(None)
    }

    fn due(&mut self, now: Instant) -> bool {
        let Some(next) = &self.next else { return false };
        let Speed::Times(times) = self.speed else {
            return true;
        };
        let &mut (began, first_ms) = self.began.get_or_insert((now, next.time_ms));
        let ahead_secs = (next.time_ms - first_ms) as f64 / 1_000.0 / times;
        now.saturating_duration_since(began) >= Duration::from_secs_f64(ahead_secs.max(0.0))
    }
}

impl Shared {
    /// What a request with these tags gets: the step that is current now, or none when it has it already.
    fn poll(&self, known: impl Fn(&str) -> bool, now: Instant) -> Result<Polled, ReplayError> {
        let mut feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        let arrived = match &feed.current {
            None => true,
            Some(current) => known(&current.tag),
        };
        if arrived {
            if feed.due(now) {
                feed.current = feed.next.take();
                self.steps.fetch_add(1, Ordering::Relaxed);
                let records = feed.current.as_ref().map_or(0, |step| step.elements.len());
                self.records.fetch_add(records as u64, Ordering::Relaxed);
                feed.next = feed.make(&mut 0)?;
            } else {
                if feed.next.is_none() {
                    self.finished.store(true, Ordering::Release);
                }
                return Ok(match feed.current {
                    Some(_) => Polled::Known,
                    None => Polled::Nothing,
                });
            }
        }
        Ok(match &feed.current {
            Some(current) => Polled::Step(current.clone()),
            None => Polled::Nothing,
        })
    }

    fn current(&self) -> Option<Arc<Served>> {
        let feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        feed.current.clone()
    }
}

enum Polled {
    Step(Arc<Served>),
    /// The client has the newest step.
    Known,
    /// There is no step at all (yet).
    Nothing,
}

/// The parameters that are honoured; others are ignored, as CoinGecko does.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct MarketsQuery {
    vs_currency: Option<String>,
    ids: Option<String>,
    per_page: Option<usize>,
    page: Option<usize>,
}

async fn ping() -> Response<Body> {
    json_reply(
        StatusCode::OK,
        None,
        Bytes::from_static(br#"{"gecko_says":"(V3) To the Moon!"}"#),
    )
}

async fn markets(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<MarketsQuery>,
    headers: HeaderMap,
) -> Response<Body> {
    match query.vs_currency.as_deref() {
        Some("usd") => {}
        Some(_) => {
            let body = br#"{"error":"invalid vs_currency: a replay knows usd only"}"#;
            return json_reply(StatusCode::BAD_REQUEST, None, Bytes::from_static(body));
        }
        None => {
            let body = br#"{"error":"Missing parameter vs_currency"}"#;
            return json_reply(
                StatusCode::UNPROCESSABLE_ENTITY,
                None,
                Bytes::from_static(body),
            );
        }
    }
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok());
    let known = |tag: &str| known.is_some_and(|tags| tags.split(',').any(|t| same_tag(t, tag)));
    // Further pages show more of the step that page 1 brought: only page 1 moves on.
    let polled = match query.page {
        None | Some(0 | 1) => shared.poll(known, Instant::now()),
        Some(_) => Ok(shared.current().map_or(Polled::Nothing, Polled::Step)),
    };
    match polled {
        Ok(Polled::Step(step)) => {
            let body = select(&step, &query);
            json_reply(StatusCode::OK, Some(&step.tag), body)
        }
        Ok(Polled::Known) => {
            let mut reply = Response::new(Body::empty());
            *reply.status_mut() = StatusCode::NOT_MODIFIED;
            reply
        }
        Ok(Polled::Nothing) => json_reply(StatusCode::OK, None, Bytes::from_static(b"[]")),
        Err(error) => {
            let error = error.to_string();
            let body = serde_json::json!({ "error": error }).to_string();
            *shared
                .failure
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(error);
            json_reply(StatusCode::INTERNAL_SERVER_ERROR, None, body.into())
        }
    }
}

/// Weak comparison, as `If-None-Match` asks for.
fn same_tag(given: &str, tag: &str) -> bool {
    let given = given.trim();
    given.strip_prefix("W/").unwrap_or(given) == tag
}

/// The page and the coins that were asked for: the whole body, untouched, where that is everything.
fn select(step: &Served, query: &MarketsQuery) -> Bytes {
    let per_page = query.per_page.unwrap_or(100).clamp(1, STEP_RECORDS_MAX);
    let first = (query.page.unwrap_or(1).max(1) - 1).saturating_mul(per_page);
    if query.ids.is_none() && first == 0 && step.elements.len() <= per_page {
        return step.body.clone();
    }
    let asked = |element: &[u8]| match &query.ids {
        None => true,
        Some(ids) => {
            let id = serde_json::from_slice::<serde_json::Value>(element)
                .ok()
                .and_then(|coin| coin["id"].as_str().map(str::to_owned));
            id.is_some_and(|id| ids.split(',').any(|asked| asked.trim() == id))
        }
    };
    let chosen = step
        .elements
        .iter()
        .map(|range| &step.body[range.clone()])
        .filter(|element| asked(element))
        .skip(first)
        .take(per_page);
    let mut body = vec![b'['];
    for element in chosen {
        if body.len() > 1 {
            body.push(b',');
        }
        body.extend_from_slice(element);
    }
    body.push(b']');
    body.into()
}

fn json_reply(status: StatusCode, tag: Option<&str>, body: Bytes) -> Response<Body> {
    let mut reply = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    if let Some(tag) = tag {
        reply = reply.header(header::ETAG, tag);
    }
    reply
        .body(Body::from(body))
        .expect("these headers are always valid")
}
