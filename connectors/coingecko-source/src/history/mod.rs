//! Fills in what is missing of the past: at the first start, after a stop or a crash, a laptop's sleep, an outage.
//!
//! Always true: what is filled in goes out before the live objects that showed the gap, in the order of time, each coin's
//! ticks newer than what the topic has of it and none so old that crypto-clean would find it late. So an interrupted filling
//! goes on where it stopped, and its end is a live record.

mod chart;
pub(crate) mod past;
mod span;
mod ticks;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use connector_runtime::process::log;
use connector_runtime::record::Outgoing;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::chart::{Point, points};
use self::past::{AHEAD_MS_MAX, Past};
pub use self::span::HistorySpan;
use self::ticks::{Gap, merged};
use crate::budget::plan::thousands;
use crate::config::Polling;
use crate::poll::{Called, Caller, Ended, Polled, Wanted};
use crate::reply::Coin;
use crate::status::{ErrorKind, SourceStatus};

/// What comes later than so long, and three polls, after what there is makes a gap.
const GAP_MIN: Duration = Duration::from_secs(15 * 60);
const GAP_POLLS: u32 = 3;
const MINUTE: Duration = Duration::from_secs(60);
const DAY_MS: i64 = 86_400_000;
/// A chart of more days has steps of a day.
const HOURLY_DAYS_MAX: i64 = 90;
/// A free key reaches no further back.
const DAYS_MAX: i64 = 365;
/// How many more polls the pages that came wait for those that failed, before the past is filled in without them.
const POLLS_WAITED_MAX: u32 = 2;
/// After so many coins in a row that fail for the server's reasons, the others are not asked for.
const FAILED_MAX: usize = 3;

/// Fills gaps, as the settings ask for it.
pub(crate) struct History {
    /// The address of `/coins/`.
    coins: Url,
    vs_currency: String,
    span: Duration,
    calls_per_minute: Option<u32>,
    past: Past,
    status: Arc<SourceStatus>,
    /// Some page has not come yet, since the start or the end of an outage.
    is_start: bool,
    /// Polls whose coins wait for the pages that failed.
    polls_waited: u32,
    /// How long the filling before the next poll took, with all its waiting.
    filling_took: Duration,
    /// Somebody asked for it: the month's tenth is for what nobody asks for.
    on_demand: bool,
}

/// What one filling brings.
#[derive(Default)]
struct Filling {
    gaps: Vec<Gap>,
    /// Coins without history, and why.
    failed: Vec<String>,
    /// Why the others were not asked for.
    given_up: Option<String>,
}

/// The chart of one coin did not come.
enum Failure {
    /// This one's.
    Coin(String),
    /// Others would not come either.
    Server(String),
}

impl History {
    /// What fills gaps in a topic that holds this, so far back.
    pub(crate) fn new(
        polling: &Polling,
        span: Duration,
        past: Past,
        status: Arc<SourceStatus>,
    ) -> Self {
        let mut coins = polling.asked.markets.clone();
        if let Ok(mut path) = coins.path_segments_mut() {
            path.pop();
        }
        Self {
            coins,
            vs_currency: polling.asked.vs_currency.clone(),
            span,
            calls_per_minute: polling.limits().per_minute,
            past,
            status,
            is_start: true,
            polls_waited: 0,
            filling_took: Duration::ZERO,
            on_demand: false,
        }
    }

    /// The same, because somebody asks for it.
    pub(crate) fn on_demand(self) -> Self {
        Self {
            on_demand: true,
            ..self
        }
    }

    /// The gaps that a poll shows, the polls being so far apart.
    pub(crate) fn gaps(&mut self, polled: &Polled, interval: Duration) -> Gaps {
        let now_ms = self.status.clock().now_ms();
        let latest_ms = now_ms + AHEAD_MS_MAX;
        let timed = |coin: &&Coin| coin.updated_ms.is_some_and(|time| time <= latest_ms);
        let timed: Vec<&Coin> = polled.coins.iter().filter(timed).collect();
        let Some(reply_ms) = timed.iter().filter_map(|coin| coin.updated_ms).max() else {
            return Gaps::default();
        };
        let gap_max = self.gap_max(interval, timed.len());
        let is_apart = self
            .past
            .newest_ms()
            .is_none_or(|newest_ms| reply_ms - newest_ms > gap_max);
        let keys = || timed.iter().filter_map(|coin| coin.record.key.as_ref());
        let everywhere = is_apart || (self.is_start && keys().any(|key| self.past.is_halfway(key)));
        let is_partial = polled.pages_failed > 0;
        if everywhere && is_partial && self.polls_waited < POLLS_WAITED_MAX {
            self.polls_waited += 1;
            return Gaps {
                wait: true,
                ..Gaps::default()
            };
        }
        self.polls_waited = 0;
        // Later gaps are outages, which may be as long.
        self.filling_took = Duration::ZERO;
        let is_start = self.is_start;
        self.is_start = is_partial && (everywhere || is_start);
        let oldest_ms = reply_ms - self.span.as_millis() as i64;
        let (mut gaps, mut looked_at) = (Vec::new(), HashSet::new());
        for coin in timed {
            let (Some(key), Some(until_ms)) = (&coin.record.key, coin.updated_ms) else {
                continue;
            };
            // Of a coin that waited, the first object ends the gap.
            if !looked_at.insert(key) {
                continue;
            }
            let newest_ms = self.past.newest_of(key);
            let has_gap = newest_ms.is_none_or(|newest_ms| until_ms - newest_ms > gap_max);
            // Coins that enter the list later on have no past.
            let is_due = everywhere || (is_start && has_gap);
            if !is_due {
                continue;
            }
            let missing_ms = self.past.missing_from_ms(key).unwrap_or(i64::MIN);
            let from_ms = missing_ms.max(oldest_ms);
            if from_ms < until_ms {
                gaps.extend(Gap::before(coin, from_ms, until_ms));
            }
        }
        Gaps {
            gaps,
            everywhere,
            wait: false,
        }
    }

    /// The pause that is none of the usual ones. Filling takes its time, too, and must not make the next gap.
    fn gap_max(&self, interval: Duration, coins: usize) -> i64 {
        let polls = interval.saturating_mul(GAP_POLLS);
        let filling = self.calls_per_minute.map_or(Duration::ZERO, |calls| {
            MINUTE.mul_f64(2.0 * self.calls(coins) as f64 / f64::from(calls.max(1)))
        });
        let took = self.filling_took.saturating_mul(2).saturating_add(interval);
        let longest = GAP_MIN.max(polls).max(filling).max(took).as_millis();
        i64::try_from(longest).unwrap_or(i64::MAX)
    }

    /// Calls for so many coins at most.
    fn calls(&self, coins: usize) -> usize {
        coins * self.charts_since(i64::MIN / 2, 0).len()
    }

    /// Calls that these gaps take.
    pub(crate) fn calls_of(&self, gaps: &Gaps) -> u64 {
        let now_ms = self.status.clock().now_ms();
        let charts = |gap: &Gap| self.charts_since(gap.from_ms, now_ms).len() as u64;
        gaps.gaps.iter().map(charts).sum()
    }

    /// How many calls that is, and how long the plan's minute makes them take.
    fn cost(&self, calls: u64) -> String {
        let minutes = self
            .calls_per_minute
            .map_or(0, |a_minute| calls.div_ceil(a_minute.max(1).into()));
        match minutes {
            0 | 1 => format!("{} calls", thousands(calls)),
            minutes => format!("{} calls, about {minutes} minutes", thousands(calls)),
        }
    }

    /// Asks for the charts of the gaps.
    ///
    /// # Errors
    /// The stop signal, or a key that CoinGecko refuses.
    pub(crate) async fn fill(
        &mut self,
        gaps: Gaps,
        caller: &mut Caller,
        stop: &CancellationToken,
    ) -> Result<Filled, Ended> {
        let coins = gaps.gaps.len();
        let now_ms = self.status.clock().now_ms();
        let cost = self.cost(self.calls_of(&gaps));
        let what = match gaps.everywhere {
            true => format!("what is missing of the past of {coins} coins"),
            false => format!("the last hour of {coins} coins; older ticks would be late"),
        };
        log::say(&format!("filling in {what}: {cost}"));
        let started = self.status.clock().instant();
        let mut filling = Filling::default();
        let mut failed_in_row = 0;
        for (done, gap) in gaps.gaps.into_iter().enumerate() {
            self.status.set_backfilling(Some((done, coins)));
            let charts = self.charts_since(gap.from_ms, now_ms).len();
            if filling.given_up.is_none() && !self.on_demand && !caller.month().has_history(charts)
            {
                filling.given_up =
                    Some("history has had its tenth of the month's calls".to_owned());
            }
            if filling.given_up.is_some() {
                filling.failed.push(gap.id);
                continue;
            }
            let id = gap.id.clone();
            let before = caller.month().used();
            let filled = self.fill_gap(gap, caller, stop).await?;
            if !self.on_demand {
                let spent = caller.month().used().saturating_sub(before);
                caller.month().count_history(spent);
            }
            match filled {
                Ok(gap) => {
                    failed_in_row = 0;
                    filling.gaps.push(gap);
                }
                // The server answers.
                Err(Failure::Coin(why)) => {
                    failed_in_row = 0;
                    filling.failed.push(format!("{id} ({why})"));
                }
                Err(Failure::Server(why)) => {
                    failed_in_row += 1;
                    // What somebody asked for comes whole or can be asked for again.
                    if self.on_demand || failed_in_row == FAILED_MAX {
                        filling.given_up = Some(why);
                        filling.failed.push(id);
                    } else {
                        filling.failed.push(format!("{id} ({why})"));
                    }
                }
            }
        }
        self.filling_took = self.status.clock().instant() - started;
        Ok(Filled {
            filling,
            status: Arc::clone(&self.status),
        })
    }

    /// The gap with the steps of its charts.
    async fn fill_gap(
        &self,
        mut gap: Gap,
        caller: &mut Caller,
        stop: &CancellationToken,
    ) -> Result<Result<Gap, Failure>, Ended> {
        let now_ms = self.status.clock().now_ms();
        for days in self.charts_since(gap.from_ms, now_ms) {
            match self.chart(&gap.id, days, caller, stop).await? {
                Ok(points) => gap.take(points),
                Err(failure) => return Ok(Err(failure)),
            }
        }
        Ok(Ok(gap))
    }

    /// The charts that a gap from then on needs, by their days, the finest first: granularity goes by the call.
    fn charts_since(&self, from_ms: i64, now_ms: i64) -> Vec<i64> {
        let missing_ms = now_ms - from_ms;
        let span_ms = self.span.as_millis() as i64;
        let is_covered = missing_ms <= DAY_MS + GAP_MIN.as_millis() as i64;
        if is_covered || span_ms <= DAY_MS {
            return vec![1];
        }
        let days = (missing_ms + DAY_MS - 1) / DAY_MS;
        let mut charts = vec![1, days.clamp(2, HOURLY_DAYS_MAX)];
        if days > HOURLY_DAYS_MAX && span_ms > HOURLY_DAYS_MAX * DAY_MS {
            charts.push(days.min(DAYS_MAX));
        }
        charts
    }

    async fn chart(
        &self,
        id: &str,
        days: i64,
        caller: &mut Caller,
        stop: &CancellationToken,
    ) -> Result<Result<Vec<Point>, Failure>, Ended> {
        let mut url = self.coins.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(id).push("market_chart");
        }
        url.query_pairs_mut()
            .append_pair("vs_currency", &self.vs_currency)
            .append_pair("days", &days.to_string())
            .append_pair("precision", "full");
        let wanted = Wanted {
            url: &url,
            known: None,
            kind: "chart",
            name: id,
        };
        Ok(match caller.call(wanted, points, stop).await? {
            Called::Came(points, _) => Ok(points),
            Called::Unchanged => Err(Failure::Coin("the reply is empty".to_owned())),
            Called::Refused => Err(Failure::Server("CoinGecko refuses the call".to_owned())),
            Called::Failed(trouble) => Err(match trouble.kind {
                ErrorKind::ClientError | ErrorKind::Malformed | ErrorKind::TooLarge => {
                    Failure::Coin(trouble.what)
                }
                _ => Failure::Server(trouble.what),
            }),
        })
    }

    /// Takes what a poll brought for sent.
    pub(crate) fn sent(&mut self, polled: &Polled) {
        let now_ms = self.status.clock().now_ms();
        for coin in &polled.coins {
            self.past.sent(coin, now_ms);
        }
        self.past.forget();
    }
}

/// The gaps that a poll shows.
#[derive(Default)]
pub(crate) struct Gaps {
    gaps: Vec<Gap>,
    /// Whether it is more than the last hour of some coins.
    everywhere: bool,
    /// The coins that came are to wait for the pages that failed: theirs would be too late after them.
    pub wait: bool,
}

impl Gaps {
    pub(crate) fn is_empty(&self) -> bool {
        self.gaps.is_empty()
    }
}

/// Ticks that fill gaps; being filled ends when it is dropped.
pub(crate) struct Filled {
    filling: Filling,
    status: Arc<SourceStatus>,
}

impl Filled {
    /// The ticks, in the order of time.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = Outgoing> {
        merged(&self.filling.gaps)
    }

    /// Why the past of some coins was not even asked for.
    pub(crate) fn given_up(&self) -> Option<&str> {
        self.filling.given_up.as_deref()
    }

    /// Reports what came and what did not.
    pub(crate) fn tell(&self) {
        let Filling {
            gaps,
            failed,
            given_up,
        } = &self.filling;
        if !failed.is_empty() {
            let names = failed.join(", ");
            match given_up {
                Some(why) => tracing::warn!("the past of {names} is missing: {why}"),
                None => tracing::warn!("the past of {names} is missing"),
            }
        }
        let ticks: usize = gaps.iter().map(Gap::ticks).sum();
        let ticks = thousands(ticks as u64);
        log::say(&format!(
            "{ticks} ticks of the past of {} coins are filled in",
            gaps.len()
        ));
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        self.status.set_backfilling(None);
    }
}
