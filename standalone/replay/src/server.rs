//! A small CoinGecko that knows one market: `GET /api/v3/coins/markets`, `/coins/{id}/market_chart`, `/ping` and `/key`.
//!
//! Always true: a step is replaced by the next only when a request names its entity tag (`If-None-Match`), which says
//! that the reply arrived whole. Asked without it, or with an older tag, the server gives the same step again. So a
//! connection that breaks in the middle loses nothing, and a client that keeps to HTTP gets nothing twice.
//!
//! The tag of the newest step, when the next one isn't due yet or there is none, gets the usual 304, or `[]` where no step is left from
//! the start; a client that prefers to wait (`Prefer: wait=10`, RFC 7240) gets it only after so many seconds, and the next step as soon as
//! it is due. To tell which
//! records arrived in the topic before a crash is [`Position`]'s matter. The field market at a [`Speed::Times`] is the
//! exception, because CoinGecko is: its steps go by the clock, and whoever asks too late misses some. On a clock of its own
//! the server's `date` is that clock's.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::get;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::chart::{Chart, Charts};
use crate::error::{RecordingError, ReplayError};
use crate::feed::{Feed, Polled};
use crate::market::Market;
use crate::position::Position;
use crate::refusal::Refusal;
use crate::reply::{
    ChartQuery, MarketsQuery, cached_reply, json_reply, other_currency, refusal_reply, same_tag,
    select,
};
use crate::speed::{Now, Speed};

/// The plan that `/key` tells of: CoinGecko's Basic.
const CALLS_A_MINUTE: u64 = 250;
const CALLS_A_MONTH: u64 = 100_000;

/// How far a replay is; counts include what an earlier run had sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Steps served.
    pub steps: u64,
    /// All steps.
    pub steps_total: u64,
    /// Records served.
    pub records: u64,
    /// All records, where the market knows.
    pub records_total: Option<u64>,
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
    market: Market,
    /// None before the first chart.
    charts: Mutex<Option<Charts>>,
    /// Requests so far that cost a credit.
    calls: AtomicU64,
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
        Box::pin(Self::open(market, speed, None, position))
    }

    /// The same, each step when its own date and time have come on this clock.
    ///
    /// # Errors
    /// As [`ReplayServer::start`].
    pub fn start_on(
        market: Market,
        clock: Now,
        position: Position,
    ) -> BoxFuture<'static, Result<Self, ReplayError>> {
        Box::pin(Self::open(market, Speed::Times(1.0), Some(clock), position))
    }

    async fn open(
        market: Market,
        speed: Speed,
        clock: Option<Now>,
        position: Position,
    ) -> Result<Self, ReplayError> {
        let served = market.clone();
        // Passing by what has arrived reads the market up to there: not for the async threads.
        let now = clock.clone();
        let feed = tokio::task::spawn_blocking(move || Feed::new(&market, speed, now, position))
            .await
            .map_err(ReplayError::Broken)??;
        let shared = Arc::new(Shared {
            feed: Mutex::new(feed),
            market: served,
            charts: Mutex::new(None),
            calls: AtomicU64::new(0),
            failure: Mutex::new(None),
        });
        let app = Router::new()
            .route("/api/v3/coins/markets", get(markets))
            .route("/api/v3/coins/{id}/market_chart", get(market_chart))
            .route("/api/v3/ping", get(ping))
            .route("/api/v3/key", get(key))
            .with_state(shared.clone());
        let app = match clock {
            Some(now) => app.layer(axum::middleware::map_response(move |reply| {
                dated(reply, now())
            })),
            None => app,
        };
        let bound = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = bound.map_err(ReplayError::Listen)?;
        let addr = listener.local_addr().map_err(ReplayError::Listen)?;
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
        let feed = self.shared.feed();
        Progress {
            steps: feed.steps_passed,
            steps_total: self.shared.market.steps_total(),
            records: feed.records_passed,
            records_total: self.shared.market.records_total(),
        }
    }

    /// How often `/coins/markets` and charts were asked for.
    pub fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::Relaxed)
    }

    /// Whether the last step has arrived at the client. (In the topic is it when the topic's counts say so.)
    pub fn finished(&self) -> bool {
        self.shared.feed().finished
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

impl Shared {
    fn feed(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request gets that names these tags: at once, or within `wait` when there is something new.
    async fn poll(
        &self,
        known: impl Fn(&str) -> bool,
        wait: Duration,
    ) -> Result<Polled, ReplayError> {
        let until = Instant::now() + wait;
        loop {
            let (polled, due) = {
                let mut feed = self.feed();
                let polled = feed.poll(&known, Instant::now())?;
                (polled, feed.due_at())
            };
            let now = Instant::now();
            let is_news = !matches!(polled, Polled::Known | Polled::Nothing);
            if is_news || now >= until {
                return Ok(polled);
            }
            let next = due.map_or(until, |due| due.min(until));
            tokio::time::sleep_until(next.into()).await;
        }
    }

    fn draw(&self, id: &str, days: f64, now_ms: i64) -> Result<Option<Chart>, RecordingError> {
        let mut charts = self.charts.lock().unwrap_or_else(PoisonError::into_inner);
        let charts = match &mut *charts {
            Some(charts) => charts,
            none => none.insert(Charts::new(&self.market)?),
        };
        charts.chart(id, days, now_ms)
    }

    /// The replay cannot go on.
    fn failed(&self, error: &ReplayError) -> Response<Body> {
        let error = error.to_string();
        let body = serde_json::json!({ "error": error }).to_string();
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        *failure = Some(error);
        json_reply(StatusCode::INTERNAL_SERVER_ERROR, None, body.into())
    }
}

/// How long a client would rather wait than hear that nothing is new.
fn preferred_wait(headers: &HeaderMap) -> Duration {
    let preferences = headers.get("prefer").and_then(|value| value.to_str().ok());
    let mut preferences = preferences.into_iter().flat_map(|text| text.split(','));
    let wait = preferences.find_map(|preference| preference.trim().strip_prefix("wait="));
    Duration::from_secs(
        wait.and_then(|secs| secs.parse::<u32>().ok())
            .map_or(0, u64::from),
    )
}

/// The reply as it is sent at this time.
async fn dated(mut reply: Response<Body>, now: SystemTime) -> Response<Body> {
    let date = httpdate::fmt_http_date(now).parse();
    reply
        .headers_mut()
        .insert(header::DATE, date.expect("a date is a header's value"));
    reply
}

async fn ping() -> Response<Body> {
    json_reply(
        StatusCode::OK,
        None,
        Bytes::from_static(br#"{"gecko_says":"(V3) To the Moon!"}"#),
    )
}

/// The plan of the key and what is left of it.
async fn key(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let calls = shared.calls.load(Ordering::Relaxed);
    let body = serde_json::json!({
        "plan": "Basic",
        "rate_limit_request_per_minute": CALLS_A_MINUTE,
        "monthly_call_credit": CALLS_A_MONTH,
        "current_total_monthly_calls": calls,
        "current_remaining_monthly_calls": CALLS_A_MONTH.saturating_sub(calls),
    });
    json_reply(StatusCode::OK, None, body.to_string().into())
}

async fn markets(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<MarketsQuery>,
    headers: HeaderMap,
) -> Response<Body> {
    shared.calls.fetch_add(1, Ordering::Relaxed);
    if let Some(refusal) = other_currency(query.vs_currency.as_deref()) {
        return refusal;
    }
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok());
    let known = |tag: &str| known.is_some_and(|tags| tags.split(',').any(|t| same_tag(t, tag)));
    // Further pages show more of the step that page 1 brought: only page 1 moves on.
    let polled = match query.page {
        None | Some(0 | 1) => shared.poll(known, preferred_wait(&headers)).await,
        Some(_) => Ok(shared
            .feed()
            .current()
            .map_or(Polled::Nothing, Polled::Step)),
    };
    match polled {
        Ok(Polled::Step(step)) => {
            let field = shared.market.field();
            let body = select(&step, &query, field);
            match field {
                Some(_) => cached_reply(&step, body),
                None => json_reply(StatusCode::OK, Some(&step.tag), body),
            }
        }
        Ok(Polled::Refused(refusal)) => refusal_reply(refusal),
        Ok(Polled::Known) => {
            let mut reply = Response::new(Body::empty());
            *reply.status_mut() = StatusCode::NOT_MODIFIED;
            reply
        }
        Ok(Polled::Nothing) => json_reply(StatusCode::OK, None, Bytes::from_static(b"[]")),
        Err(error) => shared.failed(&error),
    }
}

async fn market_chart(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Query(query): Query<ChartQuery>,
) -> Response<Body> {
    shared.calls.fetch_add(1, Ordering::Relaxed);
    if let Some(refusal) = other_currency(query.vs_currency.as_deref()) {
        return refusal;
    }
    let (now_ms, refusal) = match shared.feed().state(Instant::now()) {
        Ok(state) => state,
        Err(error) => return shared.failed(&error),
    };
    let days = match (refusal, query.days()) {
        (Some(refusal), _) | (None, Err(refusal)) => return refusal_reply(refusal),
        (None, Ok(days)) => days,
    };
    // The first chart reads the market up to now: not for the async threads.
    let drawing = Arc::clone(&shared);
    let drawn = tokio::task::spawn_blocking(move || drawing.draw(&id, days, now_ms)).await;
    match drawn {
        Ok(Ok(Some(chart))) => {
            let body = serde_json::to_vec(&chart).expect("a chart is numbers and nulls");
            json_reply(StatusCode::OK, None, body.into())
        }
        Ok(Ok(None)) => refusal_reply(&Refusal::NO_COIN),
        Ok(Err(error)) => shared.failed(&error.into()),
        Err(panic) => shared.failed(&ReplayError::Broken(panic)),
    }
}
