//! Live updates: one stream of server-sent events a page, with what that page shows.
//!
//! Whatever happens between two beats is told together, twice a second at most.

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

use crate::alerts::RejectCounts;
use crate::flow::Flow;
use crate::meters::OpenPage;
use crate::points::Columns;
use crate::server::Shared;

const BEAT: Duration = Duration::from_millis(500);

/// Which page wants to know.
#[derive(Debug, Deserialize)]
pub(crate) struct LiveQuery {
    page: Page,
    /// Whose chart it is.
    #[serde(default)]
    coin: String,
    /// The time of the newest point it has.
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
    /// One that only shows whether all is well.
    Other,
}

/// The stream of one page.
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

/// What one page has been told.
struct Feed {
    shared: Arc<Shared>,
    query: LiveQuery,
    flow: watch::Receiver<Flow>,
    beat: Interval,
    first: bool,
    market_version: u64,
    alerts_next: u64,
    ready: VecDeque<Event>,
    _open: OpenPage,
}

/// What the Pipeline page gets.
#[derive(Serialize)]
struct PipelineEvent<'a> {
    #[serde(flatten)]
    flow: &'a Flow,
    rejects: RejectCounts,
}

/// What every page gets: whether all is well.
#[derive(Serialize)]
struct StatusEvent<'a> {
    ok: Option<bool>,
    problems: Vec<&'a str>,
}

impl Feed {
    fn new(shared: Arc<Shared>, query: LiveQuery) -> Self {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut flow = shared.flow.subscribe();
        flow.mark_changed();
        Self {
            shared,
            query,
            flow,
            beat,
            first: true,
            market_version: 0,
            alerts_next: 0,
            ready: VecDeque::new(),
            _open: OpenPage::new(),
        }
    }

    async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            self.beat.tick().await;
            self.gather();
            self.first = false;
        }
    }

    /// Makes events of what has happened since the last beat.
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
                    rejects: self.shared.rejects().counts(),
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
            let (version, rows) = self.shared.market().rows();
            self.market_version = version;
            self.ready.extend(event("coins", &rows));
        } else {
            let (version, rows) = self.shared.market().rows_since(since);
            self.market_version = version;
            if !rows.is_empty() {
                self.ready.extend(event("changes", &rows));
            }
        }
    }

    fn gather_points(&mut self) {
        let LiveQuery { coin, after, .. } = &mut self.query;
        let points = self.shared.market().points_after(coin, *after);
        if let Some(newest) = points.last() {
            *after = newest.time;
            self.ready
                .extend(event("points", &Columns::from_iter(points)));
        }
    }

    fn gather_alerts(&mut self) {
        let (next, mut alerts) = self.shared.alerts().since(self.alerts_next);
        self.alerts_next = next;
        if self.query.page == Page::Coin {
            alerts.retain(|alert| alert.coin == self.query.coin);
        }
        if self.first || !alerts.is_empty() {
            self.ready.extend(event("alerts", &alerts));
        }
    }
}

/// `None` for what cannot be JSON, which none of the above is.
fn event(name: &str, data: &impl Serialize) -> Option<Event> {
    Event::default().event(name).json_data(data).ok()
}
