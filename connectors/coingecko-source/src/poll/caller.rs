//! Calls, each tried again where that may help.
//!
//! Always true: no call is made that the plan's minute or month has no room for.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use bytes::Bytes;
use connector_runtime::clock::Clock;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::client::{CoinGecko, Reply};
use super::pages::Validators;
use crate::budget::key::KeyUsage;
use crate::budget::month::MonthBudget;
use crate::budget::owner::owner;
use crate::budget::plan::{KeyPlan, thousands};
use crate::budget::rate::TokenBucket;
use crate::config::Polling;
use crate::reply::{Next, Trouble};
use crate::status::{ErrorKind, SourceStatus};

/// How often something is asked for before it is given up.
const ATTEMPTS_MAX: usize = 5;
/// Pauses between attempts: from half a second, doubling, up to half a minute, each with as much again at random.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Pauses of somebody who is blocked grow from poll to poll, so as not to deserve it.
const BLOCKED_MIN: Duration = Duration::from_secs(5);
const BLOCKED_MAX: Duration = Duration::from_secs(900);

/// How long after it was not told, what a plan allows is asked for again.
const KEY_INTERVAL: Duration = Duration::from_secs(600);
/// How often a spent month is looked at: a timer stands still while the machine sleeps, and a clock may be set right.
const MONTH_LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// Makes calls, within the plan.
pub(crate) struct Caller {
    client: CoinGecko,
    clock: Clock,
    bucket: TokenBucket,
    month: MonthBudget,
    blocked: ExponentialBackoff,
    status: Arc<SourceStatus>,
    /// Whether any reply ever came: the key is right then.
    proven: bool,
    /// When to ask what a paid key's plan allows, for as long as that is not known.
    key_due: Option<Instant>,
}

/// The calls ended early.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By the stop signal.
    Stopped,
    /// By settings that cannot work.
    Settings(String),
}

/// What is asked for.
pub(crate) struct Wanted<'a> {
    pub url: &'a Url,
    /// The reply we have.
    pub known: Option<&'a Validators>,
    /// The kind of it, a label of the replies that are counted: `page` or `chart`.
    pub kind: &'static str,
    /// Which one.
    pub name: &'a str,
}

/// What became of it.
pub(crate) enum Called<T> {
    Came(T, Validators),
    Unchanged,
    /// For a reason that another attempt does not change now.
    Failed(Trouble),
    /// Neither this nor anything else: CoinGecko refuses us.
    Refused,
}

impl Caller {
    pub(crate) fn new(
        polling: &Polling,
        status: Arc<SourceStatus>,
    ) -> Result<Self, reqwest::Error> {
        let clock = status.clock().clone();
        let (file, owner) = (polling.calls_file.clone(), owner(polling.key.as_ref()));
        Ok(Self {
            client: CoinGecko::new(polling, Arc::clone(&status))?,
            bucket: TokenBucket::new(polling.limits().per_minute, clock.instant()),
            month: MonthBudget::open(polling.limits().per_month, file, owner, clock.now()),
            blocked: blocked_pauses(),
            status,
            proven: false,
            key_due: matches!(polling.key, Some((KeyPlan::Pro, _))).then(|| clock.instant()),
            clock,
        })
    }

    /// Asks what a paid key's plan allows and what is left of it, unless that is known or was asked a moment ago, and
    /// keeps to that where the settings say nothing. Whether it became known.
    ///
    /// # Errors
    /// The stop signal, or a key that CoinGecko refuses.
    pub(crate) async fn read_key(
        &mut self,
        polling: &mut Polling,
        stop: &CancellationToken,
    ) -> Result<bool, Ended> {
        if self.key_due.is_none_or(|due| self.clock.instant() < due) {
            return Ok(false);
        }
        let url = polling.key_url();
        let wanted = Wanted {
            url: &url,
            known: None,
            kind: "key",
            name: "usage",
        };
        let usage = |body: &Bytes| {
            KeyUsage::parse(body).ok_or_else(|| Trouble {
                kind: ErrorKind::Malformed,
                what: "the reply says nothing about a plan".to_owned(),
                next: Next::Skip,
            })
        };
        let why = match self.call(wanted, usage, stop).await? {
            Called::Came(usage, _) => {
                polling.key_limits = usage.limits();
                let limits = polling.limits();
                self.bucket.set_limit(limits.per_minute);
                self.month.set_limit(limits.per_month);
                if let Some(used) = usage.used() {
                    self.month.set_used(used, self.clock.now());
                }
                tracing::info!("{}", usage.sentence());
                self.key_due = None;
                return Ok(true);
            }
            Called::Unchanged => "the reply is empty".to_owned(),
            Called::Refused => "CoinGecko refuses the call".to_owned(),
            Called::Failed(trouble) if trouble.kind == ErrorKind::ClientError => {
                // A proxy without it.
                tracing::warn!("what is left of the plan is not known: {}", trouble.what);
                self.key_due = None;
                return Ok(false);
            }
            Called::Failed(trouble) => trouble.what,
        };
        let minutes = KEY_INTERVAL.as_secs() / 60;
        tracing::warn!(
            "what is left of the plan is not known: {why}; asking again in {minutes} minutes"
        );
        self.key_due = Some(self.clock.instant() + KEY_INTERVAL);
        Ok(false)
    }

    /// The calls of this month.
    pub(crate) fn month(&mut self) -> &mut MonthBudget {
        &mut self.month
    }

    /// Asks, and makes of the reply's body what `read` does.
    ///
    /// # Errors
    /// The stop signal, or a key that CoinGecko refuses.
    pub(crate) async fn call<T>(
        &mut self,
        wanted: Wanted<'_>,
        read: impl Fn(&Bytes) -> Result<T, Trouble>,
        stop: &CancellationToken,
    ) -> Result<Called<T>, Ended> {
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(PAUSE_MIN)
            .with_max_delay(PAUSE_MAX)
            .with_max_times(ATTEMPTS_MAX - 1)
            .with_jitter()
            .build();
        let call = format!("{} {}", wanted.kind, wanted.name);
        loop {
            self.take_call(stop).await?;
            let called = Instant::now();
            let reply = tokio::select! {
                biased;
                reply = self.client.call(wanted.url, wanted.known) => reply,
                () = stop.cancelled() => return Err(Ended::Stopped),
            };
            if reply.is_ok() {
                self.proven = true;
                self.blocked = blocked_pauses();
            }
            let trouble = match reply {
                Ok(Reply::Unchanged) => {
                    self.status.count_reply("unchanged", called.elapsed());
                    return Ok(Called::Unchanged);
                }
                Ok(Reply::Page(body, validators)) => match read(&body) {
                    Ok(came) => {
                        self.status.count_reply(wanted.kind, called.elapsed());
                        return Ok(Called::Came(came, validators));
                    }
                    Err(trouble) => trouble,
                },
                Err(trouble) => trouble,
            };
            self.status.count_error(trouble.kind);
            self.status
                .count_reply(trouble.kind.as_str(), called.elapsed());
            if trouble.next == Next::Reconnect {
                self.month.give_back();
                self.status
                    .count_call(self.month.used(), self.month.limit());
            }
            let (kind, what) = (trouble.kind, &trouble.what);
            let pause = match trouble.next {
                Next::Skip | Next::Halve => None,
                Next::CheckKey if !self.proven => return Err(Ended::Settings(trouble.what)),
                Next::CheckKey => None,
                Next::Retry | Next::Reconnect => pauses.next(),
                Next::RetryAfter(asked) => {
                    self.bucket.close(self.clock.instant(), asked);
                    // The server's word is a lower bound; everybody it told comes back at that moment.
                    pauses.next().map(|jitter| asked + jitter)
                }
                Next::BackOff => {
                    let pause = self.blocked.next().unwrap_or(BLOCKED_MAX).min(BLOCKED_MAX);
                    self.bucket.close(self.clock.instant(), pause);
                    let secs = pause.as_secs_f64();
                    tracing::warn!(call, %kind, "{what}; trying again, no sooner than in {secs:.0} s");
                    return Ok(Called::Refused);
                }
            };
            let Some(pause) = pause else {
                return Ok(Called::Failed(trouble));
            };
            let secs = pause.as_secs_f64();
            tracing::warn!(call, %kind, "{what}; trying again in {secs:.1} s");
            self.wait(pause, stop).await?;
            self.status.count_retry();
        }
    }

    /// Waits until minute and month have room for a call, and takes it.
    async fn take_call(&mut self, stop: &CancellationToken) -> Result<(), Ended> {
        let mut is_spent = false;
        while let Err(pause) = self.month.take(self.clock.now()) {
            if !is_spent {
                is_spent = true;
                let count = self
                    .month
                    .file()
                    .map_or_else(String::new, |file| format!(" in {}", file.display()));
                let spent = format!(
                    "the {} calls of this month are spent, as far as they were counted{count}: none for {:.1} days. Set \
                     coingecko.calls_per_month if the plan has more",
                    thousands(self.month.limit().unwrap_or_default()),
                    pause.as_secs_f64() / 86_400.0
                );
                tracing::error!("{spent}");
                self.status.out_of_calls(Some(spent));
            }
            self.wait(pause.min(MONTH_LOOK_INTERVAL), stop).await?;
        }
        if is_spent {
            self.status.out_of_calls(None);
        }
        self.status
            .count_call(self.month.used(), self.month.limit());
        let pause = self.bucket.take(self.clock.instant());
        self.status.count_rate_limit_wait(pause);
        self.wait(pause, stop).await
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
