//! People are told of alerts, once, whatever their receiver does meanwhile.

use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use connector_runtime::cluster::consumer_offset;
use connector_runtime::record::Outgoing;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use connector_runtime::writer::TopicWriter;
use fixtures::broker::TestBroker;
use fixtures::patience::PATIENCE;
use fixtures::process::coinlake;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use tokio::runtime::Runtime;

use super::process::Running;
use super::receiver::{Answer, PATH, Receiver};

const TOPIC: &str = "crypto-alerts";
const TICKS: &str = "crypto-clean";
const KEY: &str = "correct horse battery staple";

/// A broker with the topic of alerts.
pub(super) struct Alerts {
    runtime: Runtime,
    broker: TestBroker,
    raised: AtomicI64,
}

impl Alerts {
    pub(super) fn start() -> Self {
        Self::with_partitions(1)
    }

    pub(super) fn with_partitions(partitions: u32) -> Self {
        let runtime = Runtime::new().unwrap();
        let broker = runtime.block_on(async {
            let broker = TestBroker::start().await;
            for topic in [TOPIC, TICKS] {
                let settings = TopicSettings {
                    partitions: Some(partitions),
                    ..TopicSettings::named(topic)
                };
                ensure_topic(broker.client(), &settings).await.unwrap();
            }
            broker
        });
        Self {
            runtime,
            broker,
            raised: AtomicI64::new(0),
        }
    }

    /// An alert in the topic; returns its id.
    pub(super) fn raise(&self, coin: &str, severity: &str) -> String {
        self.raise_of(coin, severity, &["price_spike"])
    }

    /// The same, of these kinds.
    pub(super) fn raise_of(&self, coin: &str, severity: &str, kinds: &[&str]) -> String {
        let number = self.raised.fetch_add(1, Ordering::Relaxed);
        let event_time = 1_750_000_000_000 + number * 60_000;
        let id = format!("{coin}:{event_time}");
        let alert = json!({
            "source_offset": number, "status": "alert", "alert_id": id, "coin": coin, "symbol": &coin[..3],
            "event_time": event_time, "price": 1.5, "kinds": kinds, "severity": severity, "score": 0.5,
            "zscore_15m": 4.0, "move_15m": 0.01, "return_15m": null, "return_zscore_15m": null, "volume_surge": null, "volume_ratio": null,
            "message": format!("{} rose to $1.5, 1.0 % and 4.0σ above its 15-minute average", coin[..3].to_uppercase()),
        });
        self.append(TOPIC, 0, coin, &alert.to_string());
        id
    }

    /// A tick of a coin: something new.
    pub(super) fn tick(&self, coin: &str) {
        self.tick_in(0, coin);
    }

    /// The same, in a partition.
    pub(super) fn tick_in(&self, partition: u32, coin: &str) {
        let tick = json!({ "coin": coin, "event_time": 1_750_000_000_000_i64, "price": 1.5 });
        self.append(TICKS, partition, coin, &tick.to_string());
    }

    fn append(&self, topic: &str, partition: u32, key: &str, value: &str) {
        self.runtime.block_on(async {
            let mut writer = TopicWriter::open(self.broker.client(), topic, partition, PATIENCE)
                .await
                .unwrap();
            let record = Outgoing {
                key: Some(key.to_owned().into()),
                value: value.to_owned().into(),
            };
            writer.append(&[record]).await.unwrap();
        });
    }

    /// A notifier on this broker that tells this receiver.
    pub(super) fn notifier(&self, receiver: &Receiver, arguments: &[&str]) -> Running {
        Running::start(self.command(receiver, arguments))
    }

    /// The command that starts it.
    pub(super) fn command(&self, receiver: &Receiver, arguments: &[&str]) -> Command {
        let addr = self.broker.addr().to_string();
        let mut command = coinlake(&["notify", "--metrics-listen", "0", "--cluster", &addr]);
        command
            .args(arguments)
            .env("COINLAKE_WEBHOOK_URL", &receiver.url)
            .env("COINLAKE_WEBHOOK_SECRET", KEY);
        command
    }

    /// Waits until the cluster knows that everything so far is done with.
    fn handled(&self, notifier: &Running) {
        let last = self.raised.load(Ordering::Relaxed) - 1;
        notifier.wait_for("the position to be stored", |_| {
            (self.position("coinlake-notify", TOPIC, 0) == Some(last)).then_some(())
        });
    }

    /// Waits until the cluster knows a position of a consumer.
    pub(super) fn stored(&self, notifier: &Running, consumer: &str, topic: &str) {
        self.stored_in(0, notifier, consumer, topic);
    }

    /// The same, of a partition.
    pub(super) fn stored_in(
        &self,
        partition: u32,
        notifier: &Running,
        consumer: &str,
        topic: &str,
    ) {
        notifier.wait_for("a position to be stored", |_| {
            self.position(consumer, topic, partition).map(|_| ())
        });
    }

    fn position(&self, consumer: &str, topic: &str, partition: u32) -> Option<i64> {
        let stored = self.runtime.block_on(async {
            consumer_offset::stored(self.broker.client(), consumer, topic)
                .await
                .unwrap()
        });
        stored.get(&partition).copied()
    }
}

#[test]
fn a_receiver_that_fails_is_slow_and_recovers_gets_each_message_once() {
    let alerts = Alerts::start();
    let slow = Duration::from_secs(11); // an attempt may take 10
    let receiver = Receiver::start(vec![
        Answer::Status(500),
        Answer::TooMany("1"),
        Answer::Slow(slow),
    ]);
    let notifier = alerts.notifier(&receiver, &[]);
    notifier.wait_until_ready();
    let first = alerts.raise("bitcoin", "warning");
    notifier.wait_for("it to say that the receiver fails", |notifier| {
        let (status, body) = notifier.get("/readyz")?;
        (status == 503 && body.contains("500")).then_some(())
    });
    // Nothing waits for the notifier.
    alerts.raise("bitcoin", "warning");
    alerts.append(TOPIC, 0, "broken", "no alert");
    alerts.raised.fetch_add(1, Ordering::Relaxed);
    alerts.raise("tether", "info");
    let other = alerts.raise("ethereum", "critical");
    let rise = alerts.raise("bitcoin", "critical");
    alerts.raise("bitcoin", "warning");

    let taken = receiver.takes(3);
    alerts.handled(&notifier);
    notifier.wait_until_ready();
    let ids: Vec<&str> = taken.iter().map(|message| message.id()).collect();
    assert_eq!(ids, [&first, &other, &rise]);
    let attempts: Vec<_> = receiver.messages();
    assert_eq!(attempts.len(), 6, "three that failed, three that did not");
    let bodies: Vec<_> = attempts[..4].iter().map(|attempt| &attempt.text).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let pause = attempts[2].at - attempts[1].at;
    assert!(pause >= Duration::from_secs(1), "{pause:?}");
    assert_eq!(taken[0].body["type"], "alert");
    assert_eq!(taken[0].body["data"]["coin"], "bitcoin");
    assert_eq!(taken[2].body["suppressed"], 1);

    // Signed: the receiver can tell, from what came alone.
    for message in &attempts {
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
        let (id, timestamp) = (message.id(), message.header("webhook-timestamp"));
        mac.update(format!("{id}.{timestamp}.{}", message.text).as_bytes());
        let signature = message.header("webhook-signature");
        let signature = BASE64
            .decode(signature.strip_prefix("v1,").unwrap())
            .unwrap();
        mac.verify_slice(&signature).unwrap();
    }
    notifier.interrupt();
}

#[test]
fn a_restart_neither_repeats_nor_loses() {
    let alerts = Alerts::start();
    let receiver = Receiver::start(vec![]);
    let before = alerts.raise("dogecoin", "critical");
    let notifier = alerts.notifier(&receiver, &[]);
    notifier.wait_until_ready();
    let first = alerts.raise("bitcoin", "warning");
    let second = alerts.raise("ethereum", "critical");
    receiver.takes(2);
    alerts.handled(&notifier);
    notifier.kill();

    // While nobody is there to tell.
    alerts.raise("bitcoin", "warning");
    alerts.raise("ethereum", "critical");
    let third = alerts.raise("solana", "warning");
    let rise = alerts.raise("bitcoin", "critical");
    let notifier = alerts.notifier(&receiver, &[]);
    receiver.takes(4);
    alerts.handled(&notifier);
    let messages = receiver.messages();
    let ids: Vec<&str> = messages.iter().map(|message| message.id()).collect();
    assert_eq!(ids, [&first, &second, &third, &rise]);
    assert!(
        !ids.contains(&before.as_str()),
        "the first start begins with what comes"
    );
    notifier.interrupt();
}

#[test]
fn an_alert_before_the_first_start_silences_none_after_it() {
    let alerts = Alerts::start();
    let receiver = Receiver::start(vec![]);
    alerts.raise("bitcoin", "critical");
    let notifier = alerts.notifier(&receiver, &[]);
    notifier.wait_until_ready();
    let first = alerts.raise("bitcoin", "critical");
    let other = alerts.raise("ethereum", "critical");
    let taken = receiver.takes(2);
    let ids: Vec<&str> = taken.iter().map(|message| message.id()).collect();
    assert_eq!(ids, [&first, &other]);
    notifier.interrupt();
}

#[test]
fn what_is_refused_is_dropped_and_what_comes_next_is_not() {
    let alerts = Alerts::start();
    let receiver = Receiver::start(vec![Answer::Status(410), Answer::Redirect]);
    let slack = [
        "--webhook-format",
        "slack",
        "--webhook-min-severity",
        "critical",
    ];
    let notifier = alerts.notifier(&receiver, &slack);
    notifier.wait_until_ready();
    alerts.raise("bitcoin", "critical");
    alerts.raise("ethereum", "critical");
    alerts.raise("cardano", "warning");
    let third = alerts.raise("solana", "critical");
    let taken = receiver.takes(1);
    alerts.handled(&notifier);
    assert_eq!(receiver.messages().len(), 3, "nothing is tried again");
    assert_eq!(taken[0].id(), third);
    assert_eq!(
        taken[0].body,
        json!({ "text": ":rotating_light: *solana* critical: SOL rose to $1.5, 1.0 % and 4.0σ above its 15-minute average" })
    );
    notifier.interrupt();
}

#[test]
fn no_secret_is_logged_at_any_level() {
    for format in ["text", "json"] {
        let alerts = Alerts::start();
        let receiver = Receiver::start(vec![Answer::Status(500), Answer::Status(404)]);
        let mut command = coinlake(&["--log-format", format, "notify", "--metrics-listen", "0"]);
        command
            .args(["--cluster", &alerts.broker.addr().to_string()])
            .env("COINLAKE_WEBHOOK_URL", &receiver.url)
            .env("COINLAKE_WEBHOOK_SECRET", KEY)
            .env("RUST_LOG", "trace");
        let notifier = Running::start(command);
        notifier.wait_until_ready();
        alerts.raise("bitcoin", "critical");
        alerts.raise("ethereum", "critical");
        receiver.takes(1);
        alerts.handled(&notifier);
        let said = notifier.interrupt().join("\n");
        assert!(said.contains("500") && said.contains("404"), "{said}");
        let secret = PATH.rsplit_once('/').unwrap().1;
        for secret in [secret, KEY] {
            assert!(!said.contains(secret), "{secret} is in the log");
        }
    }
}

#[test]
fn bad_settings_are_named_and_not_shown() {
    let refused = |url: Option<&str>, key: &str| {
        let mut command = coinlake(&["notify", "--cluster", "127.0.0.1:1"]);
        if let Some(url) = url {
            command.env("COINLAKE_WEBHOOK_URL", url);
        }
        let output = command
            .env("COINLAKE_WEBHOOK_SECRET", key)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "one sentence, not: {said}");
        said
    };
    let said = refused(None, KEY);
    assert!(
        said.contains("set the environment variable COINLAKE_WEBHOOK_URL"),
        "{said}"
    );
    for url in [
        "hooks.example/very-secret",
        "ftp://hooks.example/very-secret",
    ] {
        let said = refused(Some(url), KEY);
        assert!(
            said.contains("COINLAKE_WEBHOOK_URL") && !said.contains("very-secret"),
            "{said}"
        );
    }
    let said = refused(Some("https://hooks.example/x"), "whsec_very-secret!");
    assert!(
        said.contains("COINLAKE_WEBHOOK_SECRET") && !said.contains("very-secret"),
        "{said}"
    );
}
