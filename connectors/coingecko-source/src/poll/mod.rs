//! One poll: every page.
//!
//! Always true: the validators of a page are remembered only once its coins are taken apart; so whoever serves a page
//! and sees its tag in the next request knows that the page arrived. A page that fails costs its coins of this poll and
//! nothing else.

mod caller;
mod client;
mod missing;
pub(crate) mod pages;
mod seen;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

pub(crate) use self::caller::{Called, Caller, Ended, Wanted};
use self::pages::{Asked, Page, PageCoins};
use self::seen::Seen;
use crate::config::Polling;
use crate::reply::{Coin, Coins, Next, coins};
use crate::status::{ErrorKind, SourceStatus};

/// What a poll brought.
#[derive(Debug, Default)]
pub(crate) struct Polled {
    /// The coins whose objects have changed.
    pub coins: Vec<Coin>,
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
    pub caller: Caller,
    asked: Asked,
    exclude: HashSet<String>,
    pages: Vec<Page>,
    seen: Seen,
    status: Arc<SourceStatus>,
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
    pub(crate) fn new(
        polling: &Polling,
        status: Arc<SourceStatus>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            caller: Caller::new(polling, Arc::clone(&status))?,
            asked: polling.asked.clone(),
            exclude: polling.exclude.clone(),
            pages: polling.asked.pages(),
            seen: Seen::default(),
            status,
        })
    }

    /// Takes records for sent, oldest first, as an earlier process sent them.
    pub(crate) fn remember(&mut self, sent: &[Coin]) {
        let now = self.status.clock().now();
        for coin in sent {
            self.seen.compare(coin, now);
        }
    }

    /// How many calls a poll takes.
    pub(crate) fn calls_per_poll(&self) -> usize {
        self.pages.len()
    }

    /// Asks for every page. What had come before the stop signal is in `polled`, even when the poll ends early.
    pub(crate) async fn poll(
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
                self.pages[number].forget();
                self.status.coin_times.came(number, Vec::new());
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
                    came.extend(self.pages[number].keys.iter().cloned());
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
        let now = self.status.clock().now();
        let page = &mut self.pages[number];
        let wanted = match &mut page.coins {
            PageCoins::Ranks(wanted) => *wanted,
            PageCoins::Ids { ids, missing } => {
                missing::tell(ids, missing, &coins, &self.status);
                usize::MAX
            }
        };
        let of_ranks = page.is_of_ranks();
        let mut keys = Vec::new();
        let mut times = Vec::with_capacity(coins.list.len().min(wanted));
        for coin in coins.list.into_iter().take(wanted) {
            let key = coin.record.key.as_ref();
            let excluded = key
                .and_then(|key| std::str::from_utf8(key).ok())
                .is_some_and(|id| self.exclude.contains(id));
            if excluded {
                continue;
            }
            if let (Some(came), Some(key)) = (&mut came, key) {
                let is_first = came.insert(key.clone());
                if of_ranks {
                    keys.push(key.clone());
                } else if !is_first {
                    continue;
                }
            }
            let compared = self.seen.compare(&coin, now);
            polled.newer |= compared.newer;
            polled.newest_ms = polled.newest_ms.max(compared.updated_ms);
            times.extend(key.and_then(|key| Some((key.clone(), self.seen.newest_ms(key)?))));
            if compared.changed {
                polled.coins.push(coin);
            }
        }
        self.pages[number].keys = keys;
        self.status.coin_times.came(number, times);
    }

    /// One page, and the coins of it that are known to have come.
    async fn page(&mut self, number: usize, stop: &CancellationToken) -> Result<Outcome, Ended> {
        loop {
            let (page, name) = (&self.pages[number], (number + 1).to_string());
            let wanted = Wanted {
                url: &page.url,
                known: page.known.as_ref(),
                kind: "page",
                name: &name,
            };
            let trouble = match self.caller.call(wanted, coins, stop).await? {
                Called::Came(coins, validators) => {
                    self.tell_odd(number, &coins);
                    let page = &mut self.pages[number];
                    page.known = Some(validators);
                    page.elements = coins.elements;
                    return Ok(Outcome::Came(coins));
                }
                Called::Unchanged => return Ok(Outcome::Unchanged),
                Called::Refused => return Ok(Outcome::Refused),
                Called::Failed(trouble) => trouble,
            };
            let (page, kind, what) = (number + 1, trouble.kind, &trouble.what);
            let halves = match trouble.next {
                Next::Halve => self.asked.halves(&self.pages[number]),
                _ => None,
            };
            let Some(halves) = halves else {
                tracing::warn!(page, %kind, "{what}; waiting for the next poll");
                return Ok(Outcome::Failed);
            };
            tracing::info!(page, %kind, "{what}; asking for half of the ids at a time");
            self.pages.splice(number..=number, halves);
            self.status.count_retry();
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
