//! One poll: every page, each tried again where that may help.
//!
//! Always true: the validators of a page are remembered only once its coins are taken apart; so whoever serves a page
//! and sees its tag in the next request knows that the page arrived. A page that fails costs its coins of this poll and
//! nothing else.

use std::sync::Arc;
use std::time::Duration;

use backon::BackoffBuilder as _;
use connector_runtime::record::Outgoing;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::client::{CoinGecko, Reply, Validators};
use crate::config::Polling;
use crate::rate::TokenBucket;
use crate::reply::{Coins, Next, Trouble, coins};
use crate::status::{ErrorKind, SourceStatus};

/// How often a page is asked for in one poll.
const ATTEMPTS_MAX: usize = 5;
/// Pauses between attempts: from half a second, doubling, up to half a minute, each with as much again at random.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What a poll brought.
#[derive(Debug, Default)]
pub(crate) struct Polled {
    pub records: Vec<Outgoing>,
    /// Pages that came, new or not.
    pub pages_answered: usize,
    pub pages_failed: usize,
    pub pages_unchanged: usize,
}

/// Asks for pages, poll after poll.
pub(crate) struct Poller {
    client: CoinGecko,
    bucket: TokenBucket,
    pages: Vec<Page>,
    coins_max: usize,
    status: Arc<SourceStatus>,
    /// Whether any page ever came: the settings are right then.
    proven: bool,
    /// The coins asked for by id, until a poll has shown which of them CoinGecko knows.
    unconfirmed: Vec<String>,
}

struct Page {
    url: Url,
    known: Option<Validators>,
    /// How many elements it had when it last came.
    elements: usize,
    /// How many it has when it is full.
    per_page: usize,
}

/// The poll ended early.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By the stop signal.
    Stopped,
    /// By settings that cannot work.
    Settings(String),
}

impl Poller {
    pub fn new(polling: &Polling, status: Arc<SourceStatus>) -> Result<Self, reqwest::Error> {
        let page = |url: &Url| Page {
            url: url.clone(),
            known: None,
            elements: 0,
            per_page: polling.per_page,
        };
        Ok(Self {
            client: CoinGecko::new(polling)?,
            bucket: TokenBucket::new(polling.calls_per_minute, Instant::now()),
            pages: polling.pages.iter().map(page).collect(),
            coins_max: polling.coins_max,
            status,
            proven: false,
            unconfirmed: polling.ids.clone(),
        })
    }

    /// Asks for every page. What had come before the stop signal is in `polled`, even when the poll ends early.
    pub async fn poll(
        &mut self,
        polled: &mut Polled,
        stop: &CancellationToken,
    ) -> Result<(), Ended> {
        for number in 0..self.pages.len() {
            match self.page(number, stop).await? {
                Some(Some(coins)) => {
                    polled.pages_answered += 1;
                    polled.records.extend(coins.records);
                }
                Some(None) => {
                    polled.pages_answered += 1;
                    polled.pages_unchanged += 1;
                }
                None => {
                    polled.pages_failed += 1;
                    continue;
                }
            }
            let page = &self.pages[number];
            if page.elements < page.per_page && self.by_rank() {
                // The list ends here: there are fewer coins than were asked for.
                break;
            }
        }
        if self.by_rank() {
            polled.records.truncate(self.coins_max);
        }
        if polled.pages_answered == self.pages.len() && polled.pages_unchanged == 0 {
            self.tell_unknown(polled);
        }
        Ok(())
    }

    /// Once: CoinGecko leaves out ids it doesn't know without a word.
    fn tell_unknown(&mut self, polled: &Polled) {
        let mut unknown = std::mem::take(&mut self.unconfirmed);
        let known = |id: &String| {
            polled
                .records
                .iter()
                .any(|r| r.key.as_deref() == Some(id.as_bytes()))
        };
        unknown.retain(|id| !known(id));
        if !unknown.is_empty() {
            tracing::warn!(
                "CoinGecko says nothing about {}: check coingecko.ids",
                unknown.join(", ")
            );
        }
    }

    /// Pages of ranks follow each other; pages of ids are independent.
    fn by_rank(&self) -> bool {
        self.pages
            .first()
            .is_some_and(|page| page.url.query_pairs().all(|(name, _)| name != "ids"))
    }

    /// One page: its coins, `Some(None)` when it has not changed, `None` when it could not be had.
    async fn page(
        &mut self,
        number: usize,
        stop: &CancellationToken,
    ) -> Result<Option<Option<Coins>>, Ended> {
        let mut pauses = backon::ExponentialBuilder::new()
            .with_min_delay(PAUSE_MIN)
            .with_max_delay(PAUSE_MAX)
            .with_max_times(ATTEMPTS_MAX - 1)
            .with_jitter()
            .build();
        loop {
            let pause = self.bucket.take(Instant::now());
            self.status.count_rate_limit_wait(pause);
            wait(pause, stop).await?;
            let page = &self.pages[number];
            let called = Instant::now();
            let reply = tokio::select! {
                biased;
                reply = self.client.call(&page.url, page.known.as_ref()) => reply,
                () = stop.cancelled() => return Err(Ended::Stopped),
            };
            let trouble = match reply {
                Ok(Reply::Unchanged) => {
                    self.proven = true;
                    self.status.count_reply("unchanged", called.elapsed());
                    return Ok(Some(None));
                }
                Ok(Reply::Page(body, validators)) => {
                    self.proven = true;
                    match coins(&body) {
                        Ok(coins) => {
                            self.status.count_reply("page", called.elapsed());
                            self.tell_odd(number, &coins);
                            let page = &mut self.pages[number];
                            page.known = Some(validators);
                            page.elements = coins.elements;
                            return Ok(Some(Some(coins)));
                        }
                        Err(trouble) => trouble,
                    }
                }
                Err(trouble) => trouble,
            };
            self.status.count_error(trouble.kind);
            self.status
                .count_reply(trouble.kind.as_str(), called.elapsed());
            let Some(pause) = self.pause(&trouble, &mut pauses)? else {
                tracing::warn!(page = number + 1, kind = %trouble.kind, "{}; waiting for the next poll", trouble.what);
                return Ok(None);
            };
            tracing::warn!(
                page = number + 1,
                kind = %trouble.kind,
                "{}; trying again in {:.1} s",
                trouble.what,
                pause.as_secs_f64()
            );
            wait(pause, stop).await?;
            self.status.count_retry();
        }
    }

    /// How long to wait before the next attempt; none when there is to be none.
    fn pause(
        &mut self,
        trouble: &Trouble,
        pauses: &mut impl Iterator<Item = Duration>,
    ) -> Result<Option<Duration>, Ended> {
        match trouble.next {
            Next::Skip => Ok(None),
            Next::CheckSettings if !self.proven => Err(Ended::Settings(trouble.what.clone())),
            Next::CheckSettings => Ok(None),
            Next::Retry => Ok(pauses.next()),
            Next::RetryAfter(asked) => {
                self.bucket.close(Instant::now(), asked);
                // The server's word is a lower bound; everybody it told comes back at that moment.
                Ok(pauses.next().map(|jitter| asked + jitter))
            }
        }
    }

    fn tell_odd(&self, number: usize, coins: &Coins) {
        for (kind, what) in &coins.odd {
            self.status.count_error(*kind);
            if *kind == ErrorKind::NotAnObject {
                tracing::warn!(page = number + 1, %kind, "{what}: sent as it is, to be rejected as malformed");
            } else {
                tracing::warn!(page = number + 1, %kind, "{what}");
            }
        }
    }
}

/// Waits, unless the stop signal comes.
async fn wait(pause: Duration, stop: &CancellationToken) -> Result<(), Ended> {
    if pause.is_zero() {
        return match stop.is_cancelled() {
            true => Err(Ended::Stopped),
            false => Ok(()),
        };
    }
    tokio::select! {
        () = tokio::time::sleep(pause) => Ok(()),
        () = stop.cancelled() => Err(Ended::Stopped),
    }
}
