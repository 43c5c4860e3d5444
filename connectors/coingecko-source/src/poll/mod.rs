//! One poll: every page, each tried again where that may help.
//!
//! Always true: the validators of a page are remembered only once its coins are taken apart; so whoever serves a page
//! and sees its tag in the next request knows that the page arrived. A page that fails costs its coins of this poll and
//! nothing else. No call is made that the plan's minute or month has no room for.

mod client;
mod missing;
pub(crate) mod pages;
mod seen;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use bytes::Bytes;
use connector_runtime::clock::Clock;
use connector_runtime::record::Outgoing;
use tokio_util::sync::CancellationToken;

use self::client::{CoinGecko, Reply};
use self::pages::{Asked, Page, PageCoins};
use self::seen::Seen;
use crate::budget::key::KeyUsage;
use crate::budget::month::MonthBudget;
use crate::budget::plan::{KeyPlan, thousands};
use crate::budget::rate::TokenBucket;
use crate::config::Polling;
use crate::reply::{Coins, Next, Trouble, coins};
use crate::status::{ErrorKind, SourceStatus};

/// How often a page is asked for in one poll.
const ATTEMPTS_MAX: usize = 5;
/// Pauses between attempts: from half a second, doubling, up to half a minute, each with as much again at random.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Pauses of somebody who is blocked grow from poll to poll, so as not to deserve it.
const BLOCKED_MIN: Duration = Duration::from_secs(5);
const BLOCKED_MAX: Duration = Duration::from_secs(900);

/// What a poll brought.
#[derive(Debug, Default)]
pub(crate) struct Polled {
    /// The coins whose objects have changed.
    pub records: Vec<Outgoing>,
    /// Pages that came, new or not.
    pub pages_answered: usize,
    pub pages_failed: usize,
    pub pages_unchanged: usize,
    /// Elements of the pages that came, or of what they were when they last came.
    pub elements: usize,
    /// Whether some coin is of a later time than ever before.
    pub newer: bool,
    /// The latest `last_updated` of the coins that came.
    pub newest_ms: Option<i64>,
}

/// Asks for pages, poll after poll.
pub(crate) struct Poller {
    client: CoinGecko,
    clock: Clock,
    asked: Asked,
    exclude: HashSet<String>,
    pages: Vec<Page>,
    seen: Seen,
    bucket: TokenBucket,
    month: MonthBudget,
    blocked: ExponentialBackoff,
    status: Arc<SourceStatus>,
    /// Whether any reply ever came: the key is right then.
    proven: bool,
}

/// The poll ended early.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By the stop signal.
    Stopped,
    /// By settings that cannot work.
    Settings(String),
}

/// What became of a page.
enum Outcome {
    Came(Coins),
    Unchanged,
    Failed,
    /// Neither this page nor any other: CoinGecko refuses us.
    Refused,
}

impl Poller {
    pub fn new(polling: &Polling, status: Arc<SourceStatus>) -> Result<Self, reqwest::Error> {
        let clock = status.clock().clone();
        let file = polling.calls_file.clone();
        Ok(Self {
            client: CoinGecko::new(polling, Arc::clone(&status))?,
            asked: polling.asked.clone(),
            exclude: polling.exclude.clone(),
            pages: polling.asked.pages(),
            seen: Seen::default(),
            bucket: TokenBucket::new(polling.limits().per_minute, clock.instant()),
            month: MonthBudget::open(polling.limits().per_month, file, clock.now()),
            blocked: blocked_pauses(),
            status,
            proven: false,
            clock,
        })
    }

    /// Asks what a paid key's plan allows and what is left of it, and keeps to that where the settings say nothing.
    ///
    /// # Errors
    /// The stop signal, or a key that CoinGecko refuses.
    pub async fn read_key(
        &mut self,
        polling: &mut Polling,
        stop: &CancellationToken,
    ) -> Result<(), Ended> {
        if !matches!(polling.key, Some((KeyPlan::Pro, _))) {
            return Ok(());
        }
        self.take_call(stop).await?;
        let url = polling.key_url();
        let reply = tokio::select! {
            reply = self.client.call(&url, None) => reply,
            () = stop.cancelled() => return Err(Ended::Stopped),
        };
        let trouble = match reply {
            Ok(Reply::Page(body, _)) => match KeyUsage::parse(&body) {
                Some(usage) => {
                    self.proven = true;
                    polling.key_limits = usage.limits();
                    let limits = polling.limits();
                    self.bucket = TokenBucket::new(limits.per_minute, self.clock.instant());
                    self.month.set_limit(limits.per_month);
                    if let Some(used) = usage.used() {
                        self.month.set_used(used, self.clock.now());
                    }
                    tracing::info!("{}", usage.sentence());
                    return Ok(());
                }
                None => "the reply says nothing about a plan".to_owned(),
            },
            Ok(Reply::Unchanged) => "the reply is empty".to_owned(),
            Err(Trouble {
                next: Next::CheckKey,
                what,
                ..
            }) => return Err(Ended::Settings(what)),
            Err(trouble) => trouble.what,
        };
        tracing::warn!("what is left of the plan is not known: {trouble}");
        Ok(())
    }

    /// How many calls a poll takes.
    pub fn calls_per_poll(&self) -> usize {
        self.pages.len()
    }

    /// The calls of this month.
    pub fn month(&self) -> &MonthBudget {
        &self.month
    }

    /// Asks for every page. What had come before the stop signal is in `polled`, even when the poll ends early.
    pub async fn poll(
        &mut self,
        polled: &mut Polled,
        stop: &CancellationToken,
    ) -> Result<(), Ended> {
        // Of a coin that is asked for by rank and by id, the first counts.
        let both = self.pages.first().is_some_and(Page::is_of_ranks)
            && self.pages.last().is_some_and(|page| !page.is_of_ranks());
        let mut came: HashSet<Bytes> = HashSet::new();
        let mut ranks_end = false;
        let mut number = 0;
        while number < self.pages.len() {
            if ranks_end && self.pages[number].is_of_ranks() {
                number += 1;
                continue;
            }
            match self.page(number, stop).await? {
                Outcome::Came(coins) => {
                    polled.pages_answered += 1;
                    self.keep(number, coins, both.then_some(&mut came), polled);
                }
                Outcome::Unchanged => {
                    polled.pages_answered += 1;
                    polled.pages_unchanged += 1;
                }
                Outcome::Failed => {
                    polled.pages_failed += 1;
                    number += 1;
                    continue;
                }
                Outcome::Refused => {
                    polled.pages_failed += self.pages.len() - number;
                    return Ok(());
                }
            }
            let page = &self.pages[number];
            polled.elements += page.elements;
            // A short page may be followed by more: CoinGecko leaves coins out.
            ranks_end = page.is_of_ranks() && page.elements == 0;
            number += 1;
        }
        Ok(())
    }

    /// Takes what has changed into `polled`.
    fn keep(
        &mut self,
        number: usize,
        coins: Coins,
        mut came: Option<&mut HashSet<Bytes>>,
        polled: &mut Polled,
    ) {
        let now = self.clock.now();
        let page = &mut self.pages[number];
        let wanted = match &mut page.coins {
            PageCoins::Ranks(wanted) => *wanted,
            PageCoins::Ids { ids, missing } => {
                missing::tell(ids, missing, &coins, &self.status);
                usize::MAX
            }
        };
        let of_ranks = page.is_of_ranks();
        let mut times = Vec::with_capacity(coins.list.len().min(wanted));
        for coin in coins.list.into_iter().take(wanted) {
            let key = coin.record.key.as_ref();
            let excluded = key
                .and_then(|key| std::str::from_utf8(key).ok())
                .is_some_and(|id| self.exclude.contains(id));
            if excluded {
                continue;
            }
            if let (Some(came), Some(key)) = (&mut came, key)
                && !came.insert(key.clone())
                && !of_ranks
            {
                continue;
            }
            let compared = self.seen.compare(&coin, now);
            polled.newer |= compared.newer;
            polled.newest_ms = polled.newest_ms.max(coin.updated_ms);
            times.extend(key.and_then(|key| Some((key.clone(), self.seen.newest_ms(key)?))));
            if compared.changed {
                polled.records.push(coin.record);
            }
        }
        self.status.coin_times.came(number, times);
    }

    /// One page, and the coins of it that are known to have come.
    async fn page(&mut self, number: usize, stop: &CancellationToken) -> Result<Outcome, Ended> {
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(PAUSE_MIN)
            .with_max_delay(PAUSE_MAX)
            .with_max_times(ATTEMPTS_MAX - 1)
            .with_jitter()
            .build();
        loop {
            self.take_call(stop).await?;
            let page = &self.pages[number];
            let called = tokio::time::Instant::now();
            let reply = tokio::select! {
                biased;
                reply = self.client.call(&page.url, page.known.as_ref()) => reply,
                () = stop.cancelled() => return Err(Ended::Stopped),
            };
            if reply.is_ok() {
                self.proven = true;
                self.blocked = blocked_pauses();
            }
            let trouble = match reply {
                Ok(Reply::Unchanged) => {
                    self.status.count_reply("unchanged", called.elapsed());
                    return Ok(Outcome::Unchanged);
                }
                Ok(Reply::Page(body, validators)) => match coins(&body) {
                    Ok(coins) => {
                        self.status.count_reply("page", called.elapsed());
                        self.tell_odd(number, &coins);
                        let page = &mut self.pages[number];
                        page.known = Some(validators);
                        page.elements = coins.elements;
                        return Ok(Outcome::Came(coins));
                    }
                    Err(trouble) => trouble,
                },
                Err(trouble) => trouble,
            };
            self.status.count_error(trouble.kind);
            self.status
                .count_reply(trouble.kind.as_str(), called.elapsed());
            let (page, kind, what) = (number + 1, trouble.kind, &trouble.what);
            let pause = match trouble.next {
                Next::Skip => None,
                Next::CheckKey if !self.proven => return Err(Ended::Settings(trouble.what)),
                Next::CheckKey => None,
                Next::Retry => pauses.next(),
                Next::RetryAfter(asked) => {
                    self.bucket.close(self.clock.instant(), asked);
                    // The server's word is a lower bound; everybody it told comes back at that moment.
                    pauses.next().map(|jitter| asked + jitter)
                }
                Next::BackOff => {
                    let pause = self.blocked.next().unwrap_or(BLOCKED_MAX);
                    self.bucket.close(self.clock.instant(), pause);
                    let secs = pause.as_secs_f64();
                    tracing::warn!(page, %kind, "{what}; trying again, no sooner than in {secs:.0} s");
                    return Ok(Outcome::Refused);
                }
                Next::Halve => match self.asked.halves(&self.pages[number]) {
                    Some(halves) => {
                        tracing::info!(page, %kind, "{what}; asking for half of the ids at a time");
                        self.pages.splice(number..=number, halves);
                        Some(Duration::ZERO)
                    }
                    None => None,
                },
            };
            let Some(pause) = pause else {
                tracing::warn!(page, %kind, "{what}; waiting for the next poll");
                return Ok(Outcome::Failed);
            };
            if !pause.is_zero() {
                let secs = pause.as_secs_f64();
                tracing::warn!(page, %kind, "{what}; trying again in {secs:.1} s");
            }
            self.wait(pause, stop).await?;
            self.status.count_retry();
        }
    }

    /// Waits until minute and month have room for a call, and takes it.
    async fn take_call(&mut self, stop: &CancellationToken) -> Result<(), Ended> {
        while let Err(pause) = self.month.take(self.clock.now()) {
            let spent = format!(
                "the {} calls of this month are spent, as far as they were counted: none for {:.1} days. Set \
                 coingecko.calls_per_month if the plan has more",
                thousands(self.month.limit().unwrap_or_default()),
                pause.as_secs_f64() / 86_400.0
            );
            tracing::error!("{spent}");
            self.status.out_of_calls(Some(spent));
            self.wait(pause, stop).await?;
            self.status.out_of_calls(None);
        }
        self.status.count_call(self.month.used());
        let pause = self.bucket.take(self.clock.instant());
        self.status.count_rate_limit_wait(pause);
        self.wait(pause, stop).await
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

    /// Waits, unless the stop signal comes.
    async fn wait(&self, pause: Duration, stop: &CancellationToken) -> Result<(), Ended> {
        if pause.is_zero() {
            return match stop.is_cancelled() {
                true => Err(Ended::Stopped),
                false => Ok(()),
            };
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(Ended::Stopped),
            () = self.clock.sleep(pause) => Ok(()),
        }
    }
}

fn blocked_pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(BLOCKED_MIN)
        .with_max_delay(BLOCKED_MAX)
        .without_max_times()
        .with_jitter()
        .build()
}
