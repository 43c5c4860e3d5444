//! Reads alerts and posts those that call for a message.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use connector_runtime::backoff::Backoff;
use connector_runtime::cluster::consumer_offset;
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::reader::{self, PlainReader};
use connector_runtime::record::Record;
use connector_runtime::topic::partition_count;
use futures_util::future::{join_all, select_all};
use market::names::topic;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::alert::Alert;
use crate::cooldown::{Cooldown, Verdict};
use crate::delivery::{Delivery, is_of_the_past, millis};
use crate::feed::{self, Backfilling, FeedWatch};
use crate::message::Message;
use crate::receiver::Receiver;
use crate::status::Outcome;
use crate::subject::Subject;

/// The topic of alerts.
const TOPIC: &str = topic::ALERTS;
/// The position is stored after every message, and so often when there is nothing to tell.
const STORE_INTERVAL: Duration = Duration::from_secs(5);
/// After so long a connection was a good one.
const READING_LONG: Duration = Duration::from_secs(60);

/// Whether nobody is told of a coin for the time being.
pub type Mutes = dyn Fn(&str) -> bool + Send + Sync;

/// Tells every receiver of alerts until `stop`, whatever is away meanwhile.
pub async fn run(
    cluster: &Cluster,
    receivers: &[Receiver],
    mutes: &Mutes,
    backfilling: &Backfilling,
    stop: &CancellationToken,
) {
    join_all(
        receivers
            .iter()
            .map(|receiver| tell(cluster, receiver, mutes, backfilling, stop)),
    )
    .await;
}

async fn tell(
    cluster: &Cluster,
    receiver: &Receiver,
    mutes: &Mutes,
    backfilling: &Backfilling,
    stop: &CancellationToken,
) {
    let status = receiver.status();
    status.started();
    let consumer = format!("coinlake-{}", receiver.part());
    let delivery = Delivery {
        receiver,
        status: &status,
        stop,
        clock: cluster.clock(),
    };
    // What is stored about the feed tells a first start from others: it must not be stored before that is known.
    let recovered = Notify::new();
    let alerts = tell_alerts(cluster, delivery, mutes, &consumer, &recovered);
    let feed = async {
        tokio::select! {
            () = recovered.notified() => {
                FeedWatch::new(delivery, backfilling, &consumer).run(cluster).await;
            }
            () = stop.cancelled() => {}
        }
    };
    tokio::join!(alerts, feed);
    status.ended();
}

async fn tell_alerts(
    cluster: &Cluster,
    delivery: Delivery<'_>,
    mutes: &Mutes,
    consumer: &str,
    recovered: &Notify,
) {
    let Delivery { status, stop, .. } = delivery;
    let mut notifier = Notifier {
        delivery,
        mutes,
        consumer,
        cooldown: Cooldown::default(),
        positions: None,
        stored_at: Instant::now(),
        store_now: false,
    };
    let mut pause = Backoff::new();
    while !stop.is_cancelled() {
        let started = Instant::now();
        let Err(error) = notifier.read(cluster, recovered).await else {
            break; // stopped
        };
        if started.elapsed() > READING_LONG {
            pause.reset();
        }
        let delay = pause.next_delay();
        tracing::warn!("alerts cannot be read: {error:#}; trying again in {delay:?}");
        status.away(format!("alerts cannot be read: {error:#}"));
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = stop.cancelled() => {}
        }
    }
}

struct Notifier<'a> {
    delivery: Delivery<'a>,
    mutes: &'a Mutes,
    /// Whose position the cluster stores.
    consumer: &'a str,
    cooldown: Cooldown,
    /// By partition; `None` before the first connection.
    positions: Option<BTreeMap<u32, Position>>,
    stored_at: Instant,
    /// A message went out since: what comes after it must not bring it again.
    store_now: bool,
}

/// How far one partition is.
#[derive(Clone, Copy)]
struct Position {
    /// The next alert.
    next: i64,
    /// The last one that the cluster knows to be done with; -1: none.
    stored: i64,
}

impl Position {
    /// The cluster does not know it yet.
    fn at(next: i64) -> Self {
        Self { next, stored: -1 }
    }
}

impl<'a> Notifier<'a> {
    fn receiver(&self) -> &'a Receiver {
        self.delivery.receiver
    }

    /// Reads alerts and tells of them until `stop`.
    async fn read(&mut self, cluster: &Cluster, recovered: &Notify) -> Result<()> {
        let client = cluster.connect().await?;
        if self.positions.is_none() {
            self.positions = Some(self.recover(&client).await?);
            recovered.notify_one();
        }
        let mut readers = Vec::new();
        for (&partition, position) in self.positions.iter_mut().flatten() {
            let log = reader::offsets(&client, TOPIC, partition).await?;
            // Retention may have been faster, or the topic is another one of the same name.
            if !(log.start..=log.end).contains(&position.next) {
                tracing::warn!(partition, "the position is not in the topic any more");
                *position = Position::at(position.next.clamp(log.start, log.end));
            }
            let reader = PlainReader::open(&client, TOPIC, partition, position.next).await?;
            readers.push((partition, reader));
        }
        self.delivery.status.reading();
        let mut timer = tokio::time::interval(STORE_INTERVAL);
        loop {
            let next = readers.iter_mut().map(|(partition, reader)| {
                Box::pin(async move { (*partition, reader.next().await) })
            });
            tokio::select! {
                biased;
                () = self.delivery.stop.cancelled() => {
                    self.store(&client).await;
                    return Ok(());
                }
                ((partition, records), ..) = select_all(next) => {
                    for record in records? {
                        if !self.handle(&record).await {
                            self.store(&client).await;
                            return Ok(());
                        }
                        self.done(partition, record.offset);
                        if self.store_now || self.stored_at.elapsed() > STORE_INTERVAL {
                            self.store(&client).await;
                        }
                    }
                }
                _ = timer.tick() => self.store(&client).await,
            }
        }
    }

    /// Where an earlier process was, and whom it told.
    async fn recover(&mut self, client: &Client) -> Result<BTreeMap<u32, Position>> {
        let partitions = partition_count(client, TOPIC).await?;
        let stored = consumer_offset::stored(client, self.consumer, TOPIC)
            .await
            .context("the cluster does not say how far this consumer is")?;
        // An earlier process may have met no alert to store a position of.
        let seen = consumer_offset::stored(client, self.consumer, feed::TOPIC).await?;
        let first_start = stored.is_empty() && seen.is_empty();
        let mut positions = BTreeMap::new();
        for partition in 0..partitions {
            let log = reader::offsets(client, TOPIC, partition).await?;
            let position = match stored.get(&partition) {
                Some(&last) if (log.start..=log.end).contains(&(last + 1)) => Position {
                    next: last + 1,
                    stored: last,
                },
                Some(&last) => Position::at((last + 1).clamp(log.start, log.end)),
                None if first_start => Position::at(log.end),
                None => Position::at(log.start),
            };
            // Nobody was told of what is older than the first start.
            if !first_start {
                self.look_back(client, partition, log.start, position.next)
                    .await?;
            }
            positions.insert(partition, position);
        }
        Ok(positions)
    }

    /// Shows the alerts of the longest window before `end` to the cooldown.
    async fn look_back(
        &mut self,
        client: &Client,
        partition: u32,
        start: i64,
        end: i64,
    ) -> Result<()> {
        let receiver = self.receiver();
        let longest = receiver.cooldown.max(receiver.rules.longest_repeat());
        let since_ms = self.delivery.now_ms().saturating_sub(millis(longest));
        let handled = reader::read_recent(client, TOPIC, partition, start, end, since_ms).await?;
        for record in handled {
            if let Ok(mut alert) = Alert::read(&record)
                && receiver.selection.narrow(&mut alert, &receiver.rules)
                && alert.severity >= receiver.min_severity
                && !is_of_the_past(&alert, record.timestamp_ms)
            {
                let at_ms = record.timestamp_ms;
                for (subject, sighting) in Subject::all_of(&alert, &receiver.rules) {
                    let window = subject.window(receiver);
                    self.cooldown
                        .handled_before(subject, window, &sighting, at_ms);
                }
            }
        }
        Ok(())
    }

    /// Does what an alert calls for; false when it was stopped before that was done.
    async fn handle(&mut self, record: &Record) -> bool {
        let status = self.delivery.status;
        let mut alert = match Alert::read(record) {
            Ok(alert) => alert,
            Err(error) => {
                tracing::warn!(offset = record.offset, "no alert: {error:#}");
                status.count(Outcome::Unreadable);
                return true;
            }
        };
        let Some(outcome) = self.tell(&mut alert, record.timestamp_ms).await else {
            return false;
        };
        status.count(outcome);
        status.remember(&alert.id, Some(outcome));
        true
    }

    /// Tells of an alert whose record was written at `at_ms` if that is called for; `None` when it was stopped before that was done.
    async fn tell(&mut self, alert: &mut Alert, at_ms: i64) -> Option<Outcome> {
        let receiver = self.receiver();
        if !receiver.selection.narrow(alert, &receiver.rules) {
            return Some(Outcome::Muted);
        }
        if alert.severity < receiver.min_severity {
            return Some(Outcome::Mild);
        }
        if self.delivery.is_stale(at_ms) || is_of_the_past(alert, at_ms) {
            return Some(Outcome::Stale);
        }
        if (self.mutes)(&alert.coin) {
            return Some(Outcome::CoinMuted);
        }
        let verdict = self.cooldown.judge(
            Subject::all_of(alert, &receiver.rules),
            self.delivery.now_ms(),
        );
        let Verdict::Tell {
            subjects,
            suppressed,
        } = verdict
        else {
            return Some(Outcome::Suppressed);
        };
        let message = Message::alert(alert, suppressed);
        self.delivery.status.remember(&alert.id, None);
        let outcome = self.delivery.deliver(&message, at_ms).await?;
        if matches!(outcome, Outcome::Delivered | Outcome::Refused) {
            for (subject, sighting) in subjects {
                let window = subject.window(receiver);
                self.cooldown
                    .told(subject, window, &sighting, self.delivery.now_ms());
            }
            self.store_now = true;
        }
        Some(outcome)
    }

    fn done(&mut self, partition: u32, offset: i64) {
        if let Some(positions) = &mut self.positions
            && let Some(position) = positions.get_mut(&partition)
        {
            position.next = offset + 1;
        }
    }

    /// Stores positions that the cluster does not know. A failure shows when the next alert is read.
    async fn store(&mut self, client: &Client) {
        for (&partition, position) in self.positions.iter_mut().flatten() {
            let last = position.next - 1;
            if last <= position.stored {
                continue;
            }
            match consumer_offset::store(client, self.consumer, TOPIC, partition, last).await {
                Ok(()) => position.stored = last,
                Err(error) => tracing::debug!(partition, "position not stored: {error:#}"),
            }
        }
        self.stored_at = Instant::now();
        self.store_now = false;
    }
}

#[cfg(test)]
mod tests {
    use connector_runtime::clock::Clock;
    use market::{
        AnomalyParams, AnomalyRule, FeatureParams, Featurizer, Input, Output, Params, Rules,
        Severity,
    };
    use serde_json::{Value, json};
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;
    use crate::format::Format;
    use crate::receiver::ReceiverSettings;
    use crate::selection::Selection;

    const MINUTE: Duration = Duration::from_secs(60);
    const START_MS: i64 = 1_700_000_000_000;

    /// Takes every message, on a connection that stays.
    async fn take(listener: TcpListener, messages: mpsc::UnboundedSender<Value>) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            loop {
                let (mut line, mut length) = (String::new(), 0);
                while stream.read_line(&mut line).await.unwrap() > 2 {
                    let header = line.to_ascii_lowercase();
                    if let Some(value) = header.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                if length == 0 {
                    break;
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).await.unwrap();
                messages
                    .send(serde_json::from_slice(&body).unwrap())
                    .unwrap();
                let taken = b"HTTP/1.1 204 No Content\r\n\r\n";
                stream.write_all(taken).await.unwrap();
            }
        }
    }

    /// The alerts of a tick: through the features, and the rules.
    struct Market {
        featurizer: Featurizer,
        anomaly: AnomalyRule,
        ticks: i64,
    }

    impl Market {
        fn alert(&mut self, coin: &str, time_ms: i64, price: f64) -> Option<Record> {
            let tick = json!({"source_offset": self.ticks, "status": "accepted", "coin": coin, "symbol": coin,
                "event_time": time_ms, "fetched_at": time_ms, "price": price, "market_cap": null,
                "volume_24h": null, "change_24h_pct": null});
            let offset = self.ticks;
            self.ticks += 1;
            let (mut features, mut alert) = (Output::new(), Output::new());
            let tick = tick.to_string();
            let input = |value| Input {
                offset,
                timestamp_ms: time_ms,
                key: None,
                value,
            };
            assert!(
                self.featurizer
                    .process(&input(tick.as_bytes()), &mut features)
            );
            let raised = self.anomaly.process(&input(features.value()), &mut alert);
            raised.then(|| Record {
                offset,
                timestamp_ms: time_ms,
                key: None,
                value: alert.value().to_vec().into(),
            })
        }
    }

    /// Users of other alerting tools complain of a message every 15 minutes about such a price.
    #[tokio::test]
    async fn a_price_that_swings_about_a_limit_for_a_day_is_told_once_an_hour_with_how_often_it_held()
     {
        let rules = json!([
            {"name": "btc-60k", "coins": ["bitcoin", "wrapped-bitcoin", "muted-bitcoin"], "when": "price crosses_below 60000"},
            {"name": "above", "coins": ["bitcoin"], "when": "price > 60029", "repeat": "6h", "severity": "info"},
        ])
        .to_string();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (messages, mut taken) = mpsc::unbounded_channel();
        tokio::spawn(take(listener, messages));
        let receiver = Receiver::new(ReceiverSettings {
            name: None,
            url: url.into(),
            key: None,
            format: Format::Json,
            min_severity: Severity::Info,
            cooldown: 15 * MINUTE,
            rules: Rules::parse(&rules).unwrap(),
            selection: Selection::default(),
        })
        .unwrap();
        let start = std::time::UNIX_EPOCH + Duration::from_millis(START_MS.unsigned_abs());
        let (clock, stop, status) = (
            Clock::simulated(start),
            CancellationToken::new(),
            receiver.status(),
        );
        let mut notifier = Notifier {
            delivery: Delivery {
                receiver: &receiver,
                status: &status,
                stop: &stop,
                clock: &clock,
            },
            mutes: &|coin| coin == "muted-bitcoin",
            consumer: "coinlake-notify",
            cooldown: Cooldown::default(),
            positions: None,
            stored_at: Instant::now(),
            store_now: false,
        };
        let params = AnomalyParams::parse(Params::new([("rules", rules.as_str())])).unwrap();
        let mut market = Market {
            featurizer: Featurizer::new(FeatureParams::default()),
            anomaly: AnomalyRule::new(params),
            ticks: 0,
        };
        let mut held = 0;
        for minute in 0..24 * 60 {
            let swing = if minute % 2 == 0 { 1.0005 } else { 0.9995 };
            for coin in ["bitcoin", "wrapped-bitcoin", "muted-bitcoin"] {
                let alert = market.alert(coin, clock.now_ms(), 60_000.0 * swing);
                held += i64::from(alert.is_some());
                if let Some(alert) = alert {
                    assert!(notifier.handle(&alert).await);
                }
            }
            clock.sleep(MINUTE).await;
        }
        // Every second minute below, and those between above.
        assert_eq!(held, 720 + 720 + 720 + 720);
        // Nobody is told of a muted coin, and that is counted.
        use connector_runtime::process::monitor::Observed as _;
        let notes = status.notes();
        assert_eq!(
            notes[1],
            "720 alerts were not sent since the start, as their coin is muted"
        );
        let last = |coin: &str| status.outcome(&format!("{coin}:{}", clock.now_ms() - 60_000));
        assert_eq!(last("muted-bitcoin"), Some(Some(Outcome::CoinMuted)));
        assert_eq!(last("wrapped-bitcoin"), Some(Some(Outcome::Suppressed)));
        let mut told = std::collections::BTreeMap::<_, Vec<_>>::new();
        while let Ok(message) = taken.try_recv() {
            let (data, suppressed) = (&message["data"], message["suppressed"].as_u64().unwrap());
            let minute = (data["event_time"].as_i64().unwrap() - START_MS) / 60_000;
            let kinds: Vec<String> = serde_json::from_value(data["kinds"].clone()).unwrap();
            let about = (data["coin"].as_str().unwrap().to_owned(), kinds.join(" "));
            told.entry(about).or_default().push((minute, suppressed));
        }
        let each = |first, hours: i64, meanwhile| -> Vec<(i64, u64)> {
            let times = (0..24 / hours).map(|time| first + time * hours * 60);
            times
                .map(|minute| (minute, if minute == first { 0 } else { meanwhile }))
                .collect()
        };
        let about = |coin: &str, rule: &str| (coin.to_owned(), format!("rule:{rule}"));
        let expected = std::collections::BTreeMap::from([
            (about("bitcoin", "btc-60k"), each(1, 1, 29)),
            (about("wrapped-bitcoin", "btc-60k"), each(1, 1, 29)),
            (about("bitcoin", "above"), each(0, 6, 179)),
        ]);
        assert_eq!(told, expected);
        let time_ms = clock.now_ms();
        market.alert("bitcoin", time_ms, 60_030.0).unwrap();
        let last = market.alert("bitcoin", time_ms + 60_000, 59_970.0).unwrap();
        let said = Message::alert(&Alert::read(&last).unwrap(), 29).sentence();
        assert!(
            said.ends_with(
                "rule btc-60k: price crosses_below 60000 (price_prev 60030, price 59970) (29 more since the last message)"
            ),
            "{said}"
        );
    }
}
