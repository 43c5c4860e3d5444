//! What is missing of the past comes out of the coins' charts, before what is live: a CoinGecko with charts over real HTTP, on
//! a clock of its own.

mod pages;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use coingecko_source::{BACKFILLING, Config, SECTION, SourceStatus};
use connector_runtime::clock::Clock;
use connector_runtime::cluster::Cluster;
use connector_runtime::config::Secrets;
use connector_runtime::process::monitor::Observed;
use connector_runtime::record::{Outgoing, Record};
use connector_runtime::writer::TopicWriter;
use fixtures::broker::TestBroker;
use fixtures::patience::{eventually, within};
use fixtures::topic;
use jiff::Timestamp;
use market::{CleanParams, Cleaner, Input};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::server::{Answer, Server};
use crate::{TOPIC, values};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2026-08-31T00:00:00Z
const START_MS: i64 = 1_788_134_400_000;

/// A topic that outlives the sources that fill it.
struct Topic {
    broker: TestBroker,
    settings: String,
}

/// A tick of the topic.
#[derive(Debug, PartialEq)]
struct Tick {
    coin: String,
    time_ms: i64,
    backfilled: bool,
}

/// What one source did: its requests' paths and queries.
struct Run {
    asked: Vec<String>,
    status: Arc<SourceStatus>,
}

impl Topic {
    async fn new(settings: &str) -> Self {
        Self {
            broker: TestBroker::start().await,
            settings: settings.to_owned(),
        }
    }

    /// Runs a source from a time on, until it has got the answers and asks for more. Its clock moves only while it waits.
    async fn run(&self, now_ms: i64, answers: Vec<Answer>) -> Run {
        let asked = answers.len();
        let (server, status, stop, source) = self.start(now_ms, answers).await;
        within(server.played_at_least(asked + 1)).await;
        let held = async || status.records.load(Ordering::Relaxed);
        // The last of it is acknowledged once nothing more comes.
        let mut before = held().await;
        eventually("quiet", async || {
            tokio::time::sleep(Duration::from_millis(30)).await;
            let now = held().await;
            std::mem::replace(&mut before, now) == now
        })
        .await;
        stop.cancel();
        within(source).await.unwrap().unwrap();
        let requests = server.requests();
        Run {
            asked: requests
                .iter()
                .take(asked)
                .map(|request| request.target.clone())
                .collect(),
            status,
        }
    }

    async fn start(
        &self,
        now_ms: i64,
        answers: Vec<Answer>,
    ) -> (
        Server,
        Arc<SourceStatus>,
        CancellationToken,
        tokio::task::JoinHandle<anyhow::Result<()>>,
    ) {
        let (server, config, cluster) = self.settled(now_ms, answers).await;
        let status = Arc::new(SourceStatus::with_clock(cluster.clock().clone()));
        let stop = CancellationToken::new();
        let run = coingecko_source::run(config, cluster, stop.clone(), status.clone());
        (server, status, stop, tokio::spawn(run))
    }

    /// The past day on demand.
    async fn backfill(&self, answers: Vec<Answer>) -> anyhow::Result<()> {
        let (_server, config, cluster) = self.settled(START_MS, answers).await;
        let status = Arc::new(SourceStatus::with_clock(cluster.clock().clone()));
        let day = Duration::from_millis(DAY_MS.unsigned_abs());
        let stop = CancellationToken::new();
        within(coingecko_source::backfill(
            config, day, cluster, stop, status,
        ))
        .await
    }

    /// A server that gives these answers and then none, the configuration for it, and a cluster whose clock stands at that time.
    async fn settled(&self, now_ms: i64, mut answers: Vec<Answer>) -> (Server, Config, Cluster) {
        answers.push(Answer::Silence);
        let server = Server::start(answers).await;
        let text = format!(
            "meta:\n  version: 0.1.0\n  name: source\n  type: coingecko-source\n  topic: {TOPIC}\n{SECTION}:\n  \
             base_url: {}\n{}",
            server.base_url(),
            self.settings
        );
        let config = Config::from_yaml(&text, SECTION, &Secrets::none()).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms.unsigned_abs());
        let clock = Clock::simulated(now);
        (server, config, self.broker.cluster().with_clock(clock))
    }

    /// Puts records there that an earlier source sent.
    async fn append(&self, partition: u32, records: &[Record]) {
        let outgoing = |record: &Record| Outgoing {
            key: record.key.clone(),
            value: record.value.clone(),
        };
        let outgoing: Vec<Outgoing> = records.iter().map(outgoing).collect();
        let client = self.broker.client();
        let mut writer = TopicWriter::open(client, TOPIC, partition, Duration::from_secs(10))
            .await
            .unwrap();
        writer.append(&outgoing).await.unwrap();
    }

    async fn held(&self, partitions: u32) -> Vec<Vec<Record>> {
        let mut held = Vec::new();
        for partition in 0..partitions {
            held.push(topic::records(self.broker.client(), TOPIC, partition).await);
        }
        held
    }

    /// Everything, in order. None of it is rejected.
    async fn ticks(&self) -> Vec<Tick> {
        let records = topic::records(self.broker.client(), TOPIC, 0).await;
        let mut cleaner = Cleaner::new(CleanParams::default());
        let tick = |record: &Record| {
            let clean = cleaner.clean(&Input {
                offset: record.offset,
                timestamp_ms: record.timestamp_ms,
                key: None,
                value: &record.value,
            });
            let clean = clean.unwrap();
            Tick {
                coin: clean.coin.to_string(),
                time_ms: clean.event_time,
                backfilled: clean.backfilled,
            }
        };
        records.iter().map(tick).collect()
    }
}

fn list(coins: &[(&str, i64)]) -> Answer {
    let object = |&(id, time_ms): &(&str, i64)| {
        let time = Timestamp::from_millisecond(time_ms).unwrap();
        json!({ "id": id, "symbol": &id[..1], "current_price": 2.5, "last_updated": format!("{time:.3}") })
    };
    Answer::json(&Value::from(coins.iter().map(object).collect::<Vec<_>>()).to_string())
}

/// A chart with these steps, and the current price at `now_ms`.
fn chart(steps: impl IntoIterator<Item = i64>, now_ms: i64) -> Answer {
    let pairs: Vec<(i64, f64)> = steps
        .into_iter()
        .chain([now_ms])
        .map(|t| (t, 2.5))
        .collect();
    let (caps, volumes) = (&pairs[..pairs.len() - 1], &pairs[1..]);
    Answer::json(
        &json!({ "prices": pairs, "market_caps": caps, "total_volumes": volumes }).to_string(),
    )
}

/// Steps of five minutes.
fn fives(from_ms: i64, until_ms: i64) -> impl Iterator<Item = i64> {
    (from_ms..until_ms).step_by(5 * MINUTE_MS as usize)
}

fn of<'a>(ticks: &'a [Tick], coin: &str) -> impl Iterator<Item = &'a Tick> {
    ticks.iter().filter(move |tick| tick.coin == coin)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_day_comes_before_the_first_live_tick() {
    let topic = Topic::new("  ids: [bitcoin, ethereum]\n").await;
    let live = START_MS - 3 * MINUTE_MS;
    let steps = || fives(START_MS - 26 * HOUR_MS, START_MS);
    let answers = vec![
        list(&[("bitcoin", live), ("ethereum", live)]),
        chart(steps(), START_MS),
        chart(steps().map(|time| time + 1_000), START_MS),
    ];
    let run = topic.run(START_MS, answers).await;
    assert!(
        run.asked[0].starts_with("/coins/markets?"),
        "{:?}",
        run.asked
    );
    assert_eq!(
        run.asked[1..],
        ["bitcoin", "ethereum"].map(|coin| format!(
            "/coins/{coin}/market_chart?vs_currency=usd&days=1&precision=full"
        ))
    );
    let ticks = topic.ticks().await;
    let (past, now) = ticks.split_at(ticks.len() - 2);
    assert!(past.iter().all(|tick| tick.backfilled) && now.iter().all(|tick| !tick.backfilled));
    assert!(past.is_sorted_by_key(|tick| tick.time_ms), "merged");
    // From a day before what is live, up to that.
    for coin in ["bitcoin", "ethereum"] {
        assert_eq!(of(past, coin).count(), 288, "{coin}");
    }
    assert!(
        past.iter()
            .all(|tick| (live - DAY_MS..live).contains(&tick.time_ms))
    );
    assert_eq!(run.status.backfilling(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_filled_and_a_short_one_is_none() {
    let topic = Topic::new("  ids: [bitcoin]\n  history: 1d\n").await;
    let steps = |until| fives(START_MS - 2 * HOUR_MS, until);
    let live = |now_ms: i64| list(&[("bitcoin", now_ms - 3 * MINUTE_MS)]);
    topic
        .run(
            START_MS,
            vec![live(START_MS), chart(steps(START_MS), START_MS)],
        )
        .await;
    // A quarter of an hour is a pause like others.
    let soon = START_MS + 15 * MINUTE_MS;
    let run = topic.run(soon, vec![live(soon)]).await;
    assert_eq!(run.asked.len(), 1);
    let before = topic.ticks().await.len();
    let later = soon + 6 * HOUR_MS;
    let run = topic
        .run(later, vec![live(later), chart(steps(later), later)])
        .await;
    assert!(
        run.asked[1].contains("/bitcoin/market_chart"),
        "{:?}",
        run.asked
    );
    let ticks = topic.ticks().await;
    let filled = &ticks[before..ticks.len() - 1];
    assert_eq!(
        filled.len(),
        6 * 12,
        "only what is newer than what there is"
    );
    let times: Vec<i64> = ticks.iter().map(|tick| tick.time_ms).collect();
    let widest = times
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .max()
        .unwrap();
    assert!(widest <= 15 * MINUTE_MS, "{widest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn six_hours_of_errors_are_filled_without_a_restart() {
    let topic = Topic::new("  ids: [bitcoin]\n  poll_interval: 5m\n").await;
    let live = |now_ms: i64| list(&[("bitcoin", now_ms - 3 * MINUTE_MS)]);
    let error = Answer::raw(
        "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n",
    );
    let steps = |until| fives(START_MS - 2 * HOUR_MS, until);
    let back = START_MS + 6 * HOUR_MS;
    let mut answers = vec![live(START_MS), chart(steps(START_MS), START_MS)];
    answers.extend(std::iter::repeat_n(error, 71));
    answers.extend([live(back), chart(steps(back), back)]);
    answers.push(live(back + 5 * MINUTE_MS));
    let run = topic.run(START_MS, answers).await;
    let charts: Vec<usize> = (0..run.asked.len())
        .filter(|&at| run.asked[at].contains("market_chart"))
        .collect();
    assert_eq!(charts, [1, 74], "none while all is well");
    let times: Vec<i64> = topic
        .ticks()
        .await
        .iter()
        .map(|tick| tick.time_ms)
        .collect();
    let widest = times
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .max()
        .unwrap();
    assert!(widest <= 5 * MINUTE_MS, "{widest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coin_that_fails_is_left_out_and_the_others_come() {
    let topic = Topic::new("  ids: [a, b, c, d, e, f]\n").await;
    let live = START_MS - 3 * MINUTE_MS;
    let coins = ["a", "b", "c", "d", "e", "f"].map(|id| (id, live));
    let missing = |body: &str| {
        Answer::raw(&format!(
            "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let steps = || fives(START_MS - HOUR_MS, START_MS - 30 * MINUTE_MS);
    let answers = vec![
        list(&coins),
        chart(steps(), START_MS),
        missing(r#"{"error":"coin not found"}"#),
        Answer::json("[]"),
        chart([], START_MS),
        Answer::json(r#"{"prices":[[1,null]]}"#),
        chart(steps(), START_MS),
    ];
    topic.run(START_MS, answers).await;
    let ticks = topic.ticks().await;
    let past = |coin: &str| of(&ticks, coin).filter(|tick| tick.backfilled).count();
    assert_eq!(["a", "b", "c", "d", "e", "f"].map(past), [6, 0, 0, 0, 0, 6]);
    assert_eq!(ticks.iter().filter(|tick| !tick.backfilled).count(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_gives_no_charts_does_not_hold_up_what_is_live() {
    let topic = Topic::new("  ids: [a, b, c, d, e, f]\n").await;
    let coins = ["a", "b", "c", "d", "e", "f"].map(|id| (id, START_MS - MINUTE_MS));
    let blocked = Answer::raw(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n",
    );
    let mut answers = vec![list(&coins)];
    answers.extend(std::iter::repeat_n(blocked, 3));
    let run = topic.run(START_MS, answers).await;
    assert_eq!(topic.ticks().await.len(), 6);
    assert_eq!(run.status.backfilling(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_past_on_demand_comes_whole_or_can_be_asked_for_again() {
    let topic = Topic::new("  ids: [a, b]\n").await;
    let coins = ["a", "b"].map(|id| (id, START_MS - MINUTE_MS));
    let steps = || chart(fives(START_MS - DAY_MS, START_MS), START_MS);
    let blocked = Answer::raw(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n",
    );
    let error = topic.backfill(vec![list(&coins), steps(), blocked]).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("nothing more was stored: try again later"),
        "{error}"
    );
    assert_eq!(topic.ticks().await, []);
    topic
        .backfill(vec![list(&coins), steps(), steps()])
        .await
        .unwrap();
    let ticks = topic.ticks().await;
    for coin in ["a", "b"] {
        assert!(of(&ticks, coin).count() > 280, "{}", ticks.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_takes_a_tenth_of_the_month_at_most() {
    let topic = Topic::new("  ids: [a, b, c]\n  calls_per_month: 20\n").await;
    let coins = ["a", "b", "c"].map(|id| (id, START_MS - MINUTE_MS));
    let steps = || fives(START_MS - HOUR_MS, START_MS - 30 * MINUTE_MS);
    let answers = vec![
        list(&coins),
        chart(steps(), START_MS),
        chart(steps(), START_MS),
    ];
    topic.run(START_MS, answers).await;
    let ticks = topic.ticks().await;
    let past = |coin: &str| of(&ticks, coin).filter(|tick| tick.backfilled).count();
    assert_eq!(["a", "b", "c"].map(past), [6, 6, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ninety_days_are_hours_and_then_five_minutes() {
    let topic = Topic::new("  ids: [bitcoin]\n  history: 90d\n").await;
    let live = START_MS - 3 * MINUTE_MS;
    let hours = (START_MS - 90 * DAY_MS..START_MS).step_by(HOUR_MS as usize);
    let answers = vec![
        list(&[("bitcoin", live)]),
        chart(fives(START_MS - DAY_MS, START_MS), START_MS),
        chart(hours, START_MS),
    ];
    let run = topic.run(START_MS, answers).await;
    assert!(run.asked[1].contains("days=1&"), "{:?}", run.asked);
    assert!(run.asked[2].contains("days=90&"), "{:?}", run.asked);
    let ticks = topic.ticks().await;
    assert_eq!(ticks.len(), 89 * 24 + 288 + 1);
    assert!(ticks.is_sorted_by_key(|tick| tick.time_ms));
}

/// The past of a coin that is new to a platform with a past would be late, all but the last hour.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_coin_gets_what_is_not_late() {
    let mut topic = Topic::new("  ids: [bitcoin]\n").await;
    let live = START_MS - 3 * MINUTE_MS;
    let steps = || fives(START_MS - 3 * HOUR_MS, START_MS);
    topic
        .run(
            START_MS,
            vec![list(&[("bitcoin", live)]), chart(steps(), START_MS)],
        )
        .await;
    topic.settings = "  ids: [bitcoin, pepe]\n".to_owned();
    let (now_ms, live) = (START_MS + 5 * MINUTE_MS, live + 5 * MINUTE_MS);
    let answers = vec![
        list(&[("bitcoin", live), ("pepe", live)]),
        chart(fives(START_MS - 3 * HOUR_MS, now_ms), now_ms),
        // On the way nobody gets any.
        list(&[("bitcoin", live + 1), ("doge", live + 1)]),
    ];
    let run = topic.run(now_ms, answers).await;
    assert!(
        run.asked[1].contains("/pepe/market_chart"),
        "{:?}",
        run.asked
    );
    let ticks = topic.ticks().await;
    let past = of(&ticks, "pepe").filter(|tick| tick.backfilled);
    assert_eq!(past.count(), 13);
    assert_eq!(of(&ticks, "doge").count(), 1);
}

/// Each partition may be somewhere else when the source is killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_is_gone_on_from() {
    let ids = ["a", "b", "c", "d", "e", "f"];
    let settings = format!("  ids: [{}]\n", ids.join(", "));
    // The same steps for all: whichever coins are asked for, they get theirs.
    let answers = || {
        let mut answers = vec![list(&ids.map(|id| (id, START_MS - MINUTE_MS)))];
        let steps = || fives(START_MS - 5 * HOUR_MS, START_MS - 30 * MINUTE_MS);
        answers.extend(ids.map(|_| chart(steps(), START_MS)));
        answers
    };
    let mut random = ChaCha8Rng::seed_from_u64(faults::seed());
    for partitions in [1, 3] {
        let topic = Topic::new(&settings).await;
        topic.broker.create_topic(TOPIC, partitions).await;
        topic.run(START_MS, answers()).await;
        let whole = topic.held(partitions).await;
        let count: usize = whole.iter().map(Vec::len).sum();
        assert_eq!(count, ids.len() * (54 + 1));
        for _ in 0..faults::times(20, 200) {
            let part = Topic::new(&settings).await;
            part.broker.create_topic(TOPIC, partitions).await;
            let mut got = Vec::new();
            for (partition, records) in (0..).zip(&whole) {
                // What is live comes at the very end, a rare moment otherwise.
                let some = match random.random_range(0..3) {
                    0 => records.len().saturating_sub(random.random_range(0..4)),
                    _ => random.random_range(0..=records.len()),
                };
                part.append(partition, &records[..some]).await;
                got.push(some);
            }
            part.run(START_MS, answers()).await;
            let held = part.held(partitions).await;
            for (held, whole) in held.iter().zip(&whole) {
                assert_eq!(values(held), values(whole), "after {got:?}");
            }
        }
    }
}

/// Filling takes 40 minutes: the pause that it makes itself is no gap.
#[tokio::test(flavor = "multi_thread")]
async fn a_filling_that_took_long_is_not_followed_by_another() {
    let ids: Vec<String> = (0..20).map(|n| format!("coin-{n}")).collect();
    let topic = Topic::new(&format!("  ids: [{}]\n", ids.join(", "))).await;
    let live = |now_ms| list(&ids.iter().map(|id| (&**id, now_ms)).collect::<Vec<_>>());
    let limited = Answer::raw(
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 119\r\ncontent-length: 0\r\n\r\n",
    );
    let mut answers = vec![live(START_MS - MINUTE_MS)];
    for _ in &ids {
        answers.push(limited.clone());
        answers.push(chart(fives(START_MS - DAY_MS, START_MS), START_MS));
    }
    let after = START_MS + 40 * MINUTE_MS;
    answers.extend([live(after), live(after + MINUTE_MS)]);
    let run = topic.run(START_MS, answers).await;
    let charts: Vec<bool> = run
        .asked
        .iter()
        .map(|target| target.contains("market_chart"))
        .collect();
    assert_eq!(charts, [&[false][..], &[true; 40], &[false; 2]].concat());
    let ticks = topic.ticks().await;
    assert_eq!(ticks.iter().filter(|tick| !tick.backfilled).count(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_how_far_it_is() {
    let topic = Topic::new("  ids: [a, b]\n").await;
    let answers = vec![
        list(&["a", "b"].map(|id| (id, START_MS - MINUTE_MS))),
        chart([], START_MS),
    ];
    let (server, status, stop, source) = topic.start(START_MS, answers).await;
    within(server.played_at_least(3)).await;
    assert_eq!(status.backfilling(), Some((1, 2)));
    // Once the broker has been heard of.
    eventually("readiness", async || {
        status.ready() == Err(format!("{BACKFILLING} 1 of 2 coins"))
    })
    .await;
    stop.cancel();
    within(source).await.unwrap().unwrap();
    assert!(
        topic.ticks().await.is_empty(),
        "what is live waits for the past"
    );
}
