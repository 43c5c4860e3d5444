//! Live updates: a stream of server-sent events for each open page, with what that page shows.
//!
//! A page gets at most two batches of events per second, each with everything that changed since the last one.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};

use crate::meters::OpenPage;
use crate::shared::Shared;
use crate::state::{Columns, RejectCounts};
use crate::watch::Flow;

const BATCH_INTERVAL: Duration = Duration::from_millis(500);

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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Page {
    Market,
    Coin,
    Alerts,
    Pipeline,
    /// A page that shows nothing live but the platform's health.
    Other,
}

/// Opens the stream of one page.
pub(crate) async fn live(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<LiveQuery>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stopped = shared.stop.clone();
    let feed = Feed::new(shared, query);
    let events = stream::unfold(feed, |mut feed| async {
        let event = feed.next().await;
        Some((Ok(event), feed))
    });
    let events = events.take_until(stopped.cancelled_owned());
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// One page's stream, and what it has sent so far.
struct Feed {
    shared: Arc<Shared>,
    query: LiveQuery,
    flow: watch::Receiver<Flow>,
    ticks: Interval,
    /// Whether nothing has been sent yet.
    first: bool,
    market_version: u64,
    alerts_next: u64,
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
}

impl Feed {
    fn new(shared: Arc<Shared>, query: LiveQuery) -> Self {
        let mut ticks = tokio::time::interval(BATCH_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut flow = shared.flow.subscribe();
        flow.mark_changed();
        Self {
            shared,
            query,
            flow,
            ticks,
            first: true,
            market_version: 0,
            alerts_next: 0,
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
            };
            self.ready.extend(event("status", &status));
            if self.query.page == Page::Pipeline {
                let pipeline = PipelineEvent {
                    flow: &flow,
                    rejects: self.shared.rejects.lock().counts(),
                };
                self.ready.extend(event("pipeline", &pipeline));
            }
        }
        match self.query.page {
            Page::Market => self.gather_market(),
            Page::Coin => {
                self.gather_points();
                self.gather_alerts();
            }
            Page::Alerts => self.gather_alerts(),
            Page::Pipeline | Page::Other => {}
        }
    }

    fn gather_market(&mut self) {
        let since = self.market_version;
        if self.first {
            let (version, rows) = self.shared.market.lock().rows();
            self.market_version = version;
            self.ready.extend(event("coins", &rows));
        } else {
            let (version, rows) = self.shared.market.lock().rows_since(since);
            self.market_version = version;
            if !rows.is_empty() {
                self.ready.extend(event("changes", &rows));
            }
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

    fn gather_alerts(&mut self) {
        let (next, mut alerts) = self.shared.alerts.lock().since(self.alerts_next);
        self.alerts_next = next;
        if self.query.page == Page::Coin {
            alerts.retain(|alert| alert.coin == self.query.coin);
        }
        if self.first || !alerts.is_empty() {
            self.ready.extend(event("alerts", &alerts));
        }
    }
}

/// `None` if `data` has no JSON form; the data above always has one.
fn event(name: &str, data: &impl Serialize) -> Option<Event> {
    Event::default().event(name).json_data(data).ok()
}
