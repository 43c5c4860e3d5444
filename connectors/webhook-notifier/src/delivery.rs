//! Posts a message until that has an outcome.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use connector_runtime::clock::Clock;
use tokio_util::sync::CancellationToken;

use crate::alert::Alert;
use crate::message::Message;
use crate::receiver::{Failure, Receiver};
use crate::status::{Attempt, NotifyStatus, Outcome};

/// Older news help nobody.
const AGE_MAX: Duration = Duration::from_secs(3600);
/// Pauses between attempts: doubling, with as much again at random.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Delivers messages to one receiver until `stop`.
#[derive(Clone, Copy)]
pub(crate) struct Delivery<'a> {
    pub(crate) receiver: &'a Receiver,
    pub(crate) status: &'a NotifyStatus,
    pub(crate) stop: &'a CancellationToken,
    pub(crate) clock: &'a Clock,
}

impl Delivery<'_> {
    /// Posts a message about something that happened at `at_ms`, in milliseconds since the epoch; `None`: it was stopped
    /// before that had an outcome.
    pub(crate) async fn deliver(&self, message: &Message, at_ms: i64) -> Option<Outcome> {
        let id = message.id.as_str();
        let body = match self.receiver.body(message) {
            Ok(body) => body,
            Err(error) => {
                tracing::warn!(id, "no message can be made: {error:#}");
                return Some(Outcome::Unreadable);
            }
        };
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(PAUSE_MIN)
            .with_max_delay(PAUSE_MAX)
            .without_max_times()
            .with_jitter()
            .build();
        loop {
            if self.is_stale(at_ms) {
                tracing::warn!(
                    id,
                    "the message is dropped: it is over an hour old and no news any more"
                );
                return Some(Outcome::Stale);
            }
            let started = Instant::now();
            let attempt = self.receiver.post(id, body.clone()).await;
            let took = started.elapsed();
            let (what, asked) = match attempt {
                Ok(_) => {
                    self.status.attempted(Attempt::Ok, took, None);
                    tracing::info!(id, "told");
                    return Some(Outcome::Delivered);
                }
                Err(Failure::Refused { what }) => {
                    tracing::error!(id, "{what}: the message is dropped");
                    self.status.attempted(Attempt::Refused, took, Some(what));
                    return Some(Outcome::Refused);
                }
                Err(Failure::Passing { what, pause }) => (what, pause),
            };
            let pause = pauses.next().unwrap_or(PAUSE_MAX);
            let pause = asked.map_or(pause, |asked| asked.max(pause));
            tracing::warn!(id, "{what}; trying again in {pause:?}");
            self.status.attempted(Attempt::Failed, took, Some(what));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return None,
            }
        }
    }

    /// Whether what happened at `at_ms` is no news any more.
    pub(crate) fn is_stale(&self, at_ms: i64) -> bool {
        self.now_ms() - at_ms > millis(AGE_MAX)
    }

    /// Milliseconds since the epoch.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }
}

/// Whether an alert on a tick of the past was no news already when its record was written, at `at_ms`.
pub(crate) fn is_of_the_past(alert: &Alert, at_ms: i64) -> bool {
    alert.backfilled && at_ms.saturating_sub(alert.event_time_ms) > millis(AGE_MAX)
}

pub(crate) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use connector_runtime::record::Record;

    use super::*;

    #[test]
    fn the_past_is_news_within_an_hour_of_its_record() {
        let alert = |backfilled: &str| {
            let value = format!(
                r#"{{"alert_id":"a:0","coin":"a","symbol":"a","event_time":0,"price":1,"severity":"critical","message":"m"{backfilled}}}"#
            );
            Alert::read(&Record {
                offset: 0,
                timestamp_ms: 0,
                key: None,
                value: value.into(),
            })
            .unwrap()
        };
        let hour_ms = 3_600_000;
        let (live, backfilled) = (alert(""), alert(r#","backfilled":true"#));
        assert!(!is_of_the_past(&live, 9 * hour_ms));
        assert!(!is_of_the_past(&backfilled, hour_ms));
        assert!(is_of_the_past(&backfilled, hour_ms + 1));
    }
}
