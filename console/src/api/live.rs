//! Live updates: a stream of server-sent events for each open page, with what that page shows.
//!
//! A page gets at most two batches of events per second, each with everything that changed since the last one.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderName;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};
use trainer::data::AHEAD_MS;

use crate::api::alerts::{AlertFilter, EpisodeFeed};
use crate::api::records::RecordFilter;
use crate::api::tail::{Tail, read_next};
use crate::meters::OpenPage;
use crate::shared::Shared;
use crate::state::{Columns, OutlookColumns, RejectCounts};
use crate::watch::{Flow, Market};

/// A page that hears nothing for longer opens the stream again.
const ALIVE_INTERVAL: Duration = Duration::from_secs(15);
const BATCH_INTERVAL: Duration = Duration::from_millis(500);
/// Asks a proxy to pass on every event as it comes; nginx would collect some kilobytes.
const UNBUFFERED: [(HeaderName, &str); 1] = [(HeaderName::from_static("x-accel-buffering"), "no")];

/// Which page is open, and what it has already.
#[derive(Debug, Deserialize)]
pub(crate) struct LiveQuery {
    page: Page,
    /// The coin of the chart page.
    #[serde(default)]
    coin: String,
    /// The time of the newest point on the chart.
    #[serde(default)]
    after: i64,
    /// The coin that the chart compares it with, if any.
    #[serde(default)]
    with: String,
    /// The time of that one's newest point.
    #[serde(default)]
    with_after: i64,
    /// What the Market page's rows are of.
    #[serde(default)]
    version: u64,
    /// Which alerts the Alerts page shows; `coin` counts too.
    #[serde(default)]
    severity: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    state: String,
    /// The topic whose records the Data page follows, and which of them.
    #[serde(default)]
    topic: String,
    partition: Option<u32>,
    #[serde(default)]
    key: String,
    #[serde(default)]
    text: String,
    /// How far the page has followed it.
    #[serde(default)]
    next: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Page {
    Market,
    Coin,
    Alerts,
    Pipeline,
    /// A topic's live tail.
    Tail,
    /// A page that shows nothing live but the platform's health.
    Other,
}

/// Opens the stream of one page.
pub(crate) async fn live(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<LiveQuery>,
) -> impl IntoResponse {
    let stopped = shared.stop.clone();
    let feed = Feed::new(shared, query);
    let events = stream::unfold(feed, |mut feed| async {
        let event = feed.next().await;
        Some((Ok::<_, Infallible>(event), feed))
    });
    let events = events.take_until(stopped.cancelled_owned());
    // An event and no comment, which scripts cannot see.
    let alive = KeepAlive::new().interval(ALIVE_INTERVAL);
    let stream = Sse::new(events).keep_alive(alive.event(Event::default().event("alive").data("")));
    (UNBUFFERED, stream)
}

/// One page's stream, and what it has sent so far.
struct Feed {
    shared: Arc<Shared>,
    query: LiveQuery,
    flow: watch::Receiver<Flow>,
    ticks: Interval,
    /// Whether nothing has been sent yet.
    first: bool,
    /// The time of the newest tick whose predictions were sent.
    predicted: i64,
    alerts_next: u64,
    /// When the newest sample of the hour that was sent was taken.
    hour_ms: Option<i64>,
    episodes: EpisodeFeed,
    tail: Option<Tail>,
    ready: VecDeque<Event>,
    _open_page: OpenPage,
}

/// What the Pipeline page receives.
#[derive(Serialize)]
struct PipelineEvent<'a> {
    #[serde(flatten)]
    flow: &'a Flow,
    rejects: RejectCounts,
}

/// What every page receives: the platform's health.
#[derive(Serialize)]
struct StatusEvent<'a> {
    /// `None` until the first survey is done.
    ok: Option<bool>,
    problems: Vec<&'a str>,
    /// Where the data comes from.
    market: &'a Market,
    /// The newest event time of all coins.
    newest_ms: Option<i64>,
    /// Whether a replay has come to its end.
    ended: bool,
    /// Whether nothing new has come for longer than is normal.
    silent: bool,
}

impl Feed {
    fn new(shared: Arc<Shared>, query: LiveQuery) -> Self {
        let mut ticks = tokio::time::interval(BATCH_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut flow = shared.flow.subscribe();
        flow.mark_changed();
        let LiveQuery {
            coin,
            severity,
            kind,
            state,
            ..
        } = &query;
        let filter = AlertFilter::new(coin, severity, kind, state);
        let tail = (query.page == Page::Tail).then(|| {
            let filter = RecordFilter::new(&query.key, &query.text);
            let next = read_next(&query.next);
            Tail::start(&shared, query.topic.clone(), query.partition, filter, next)
        });
        Self {
            episodes: EpisodeFeed::new(filter),
            tail,
            shared,
            // Predictions come after their ticks: those of the newest may not have been there yet.
            predicted: query.after.saturating_sub(AHEAD_MS),
            query,
            flow,
            ticks,
            first: true,
            alerts_next: 0,
            hour_ms: None,
            ready: VecDeque::new(),
            _open_page: OpenPage::new(),
        }
    }

    async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            self.ticks.tick().await;
            self.gather();
            self.first = false;
        }
    }

    /// Queues events for everything that changed since the last call.
    fn gather(&mut self) {
        if self.flow.has_changed().unwrap_or(false) {
            let flow = self.flow.borrow_and_update();
            let survey = flow.survey.as_deref();
            let problems = survey.into_iter().flat_map(|survey| &survey.problems);
            let status = StatusEvent {
                ok: survey.map(|survey| survey.ok),
                problems: problems.map(|problem| problem.message.as_str()).collect(),
                market: &self.shared.origin,
                newest_ms: self.shared.market.lock().newest_time(),
                ended: flow.source.as_ref().is_some_and(|source| source.ended),
                silent: survey
                    .and_then(|survey| survey.freshness.as_ref())
                    .is_some_and(|freshness| freshness.silent),
            };
            self.ready.extend(event("status", &status));
            if self.query.page == Page::Pipeline {
                let pipeline = PipelineEvent {
                    flow: &flow,
                    rejects: self.shared.rejects.lock().counts(),
                };
                self.ready.extend(event("pipeline", &pipeline));
                if self.hour_ms != flow.hour.newest_ms() {
                    self.hour_ms = flow.hour.newest_ms();
                    self.ready.extend(event("hour", &*flow.hour));
                }
            }
        }
        match self.query.page {
            Page::Market => self.gather_market(),
            Page::Coin => {
                self.gather_points();
                self.gather_others();
                self.gather_outlooks();
                self.gather_alerts();
            }
            Page::Alerts => {
                let changes = self.episodes.changes(&self.shared);
                self.ready
                    .extend(changes.and_then(|it| event("episodes", &it)));
            }
            Page::Tail => {
                let batch = self.tail.as_ref().and_then(Tail::take);
                self.ready
                    .extend(batch.and_then(|it| event("records", &it)));
            }
            Page::Pipeline | Page::Other => {}
        }
    }

    fn gather_market(&mut self) {
        let (version, rows) = self.shared.market.lock().rows_since(self.query.version);
        self.query.version = version;
        if !rows.is_empty() {
            self.ready.extend(event("changes", &rows));
        }
    }

    fn gather_points(&mut self) {
        let LiveQuery { coin, after, .. } = &mut self.query;
        let points = self.shared.market.lock().points_after(coin, *after);
        if let Some(newest) = points.last() {
            *after = newest.time;
            self.ready
                .extend(event("points", &Columns::from_iter(points)));
        }
    }

    fn gather_others(&mut self) {
        let LiveQuery {
            with, with_after, ..
        } = &mut self.query;
        let points = self.shared.market.lock().points_after(with, *with_after);
        if let Some(newest) = points.last() {
            *with_after = newest.time;
            self.ready
                .extend(event("others", &Columns::from_iter(points)));
        }
    }

    fn gather_outlooks(&mut self) {
        let market = self.shared.market.lock();
        let outlooks = market.outlooks_after(&self.query.coin, self.predicted);
        drop(market);
        if let Some((newest, _)) = outlooks.last() {
            self.predicted = *newest;
            self.ready
                .extend(event("outlooks", &OutlookColumns::from_iter(outlooks)));
        }
    }

    fn gather_alerts(&mut self) {
        let (next, mut alerts) = self.shared.alerts.lock().since(self.alerts_next);
        self.alerts_next = next;
        alerts.retain(|alert| alert.coin == self.query.coin);
        if self.first || !alerts.is_empty() {
            self.ready.extend(event("alerts", &alerts));
        }
    }
}

/// `None` if `data` has no JSON form; the data above always has one.
fn event(name: &str, data: &impl Serialize) -> Option<Event> {
    Event::default().event(name).json_data(data).ok()
}
