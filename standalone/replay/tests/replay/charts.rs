//! Charts of the past over real HTTP.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use arrow_array::{ArrayRef, Float64Array, StringArray, TimestampMillisecondArray};
use market::{AnomalyParams, AnomalyRule, Clean, FeatureParams, Featurizer, Severity};
use parquet::basic::Compression;
use replay::{
    Faults, FieldMarket, FieldSettings, Market, Position, Recording, ReplayServer, Speed, Step,
    SyntheticMarket,
};
use serde::Deserialize;

use crate::recording::write;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

type Pairs = Vec<(i64, Option<f64>)>;

#[derive(Debug, Deserialize)]
struct Chart {
    prices: Pairs,
    market_caps: Pairs,
    total_volumes: Pairs,
}

/// A server of the field market, on a clock that the test sets.
struct Served {
    server: ReplayServer,
    market: FieldMarket,
    now_ms: Arc<AtomicI64>,
}

impl Served {
    async fn start(days: i64, coins: usize, faults: Faults) -> Self {
        let market = FieldMarket::new(FieldSettings {
            coins,
            minutes: (days * 1_440) as u32,
            faults,
            ..FieldSettings::default()
        });
        let now_ms = Arc::new(AtomicI64::new(market.settings().start_ms));
        let clock = Arc::clone(&now_ms);
        let clock = move || {
            let now_ms = clock.load(Ordering::Relaxed).unsigned_abs();
            UNIX_EPOCH + Duration::from_millis(now_ms)
        };
        let served = Market::Field(market.clone());
        let server = ReplayServer::start_on(served, Arc::new(clock), Position::start());
        Self {
            server: server.await.unwrap(),
            market,
            now_ms,
        }
    }

    fn at(&self, after_ms: i64) -> i64 {
        let now_ms = self.market.settings().start_ms + after_ms;
        self.now_ms.store(now_ms, Ordering::Relaxed);
        now_ms
    }

    async fn chart(&self, coin: &str, days: u32) -> Chart {
        let (status, body) = get(&self.server, &path(coin, days)).await;
        assert_eq!(status, 200, "{coin}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

fn path(coin: &str, days: u32) -> String {
    format!("/coins/{coin}/market_chart?vs_currency=usd&days={days}&precision=full")
}

async fn get(server: &ReplayServer, path: &str) -> (u16, String) {
    let reply = reqwest::get(format!("{}{path}", server.base_url()))
        .await
        .unwrap();
    (reply.status().as_u16(), reply.text().await.unwrap())
}

fn steps_apart(pairs: &Pairs) -> impl Iterator<Item = i64> {
    pairs.windows(2).map(|pair| pair[1].0 - pair[0].0)
}

fn named(market: &FieldMarket) -> Vec<String> {
    let mut step = Step::default();
    let mut steps = market.steps();
    while step.is_empty() {
        assert!(steps.next_into(&mut step));
    }
    step.elements()
        .map(|element| element.key.unwrap().to_string())
        .collect()
}

fn calm() -> Faults {
    Faults {
        refusals: false,
        odd_coins: false,
        ..Faults::ALL
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_steps_of_about_five_minutes_with_holes_and_nulls() {
    let served = Served::start(2, 50, calm()).await;
    let now_ms = served.at(DAY_MS);
    let (mut missing, mut lengths, mut nulls, mut stale) = (0, 0, 0, 0);
    for coin in named(&served.market) {
        let chart = served.chart(&coin, 1).await;
        assert_eq!(chart.prices.last().unwrap().0, now_ms, "the current price");
        let apart: Vec<i64> = steps_apart(&chart.prices).collect();
        let (_, steps) = apart.split_last().unwrap();
        assert!(steps.iter().all(|apart| *apart > 4 * MINUTE_MS));
        assert!(
            steps.iter().any(|apart| apart % MINUTE_MS != 0),
            "they jitter"
        );
        stale += usize::from(steps.iter().any(|apart| *apart > 20 * MINUTE_MS));
        missing += steps.iter().filter(|apart| **apart > 8 * MINUTE_MS).count();
        lengths += usize::from(chart.prices.len() != chart.market_caps.len());
        let values = chart.market_caps.iter().chain(&chart.total_volumes);
        nulls += values.filter(|(_, value)| value.is_none()).count();
        assert!(
            chart.prices.len() > 280 || stale > 0,
            "{coin}: {}",
            chart.prices.len()
        );
    }
    println!(
        "of 50 coins: {missing} steps missing, {lengths} of other lengths, {nulls} nulls, {stale} stale for a while"
    );
    assert!(missing > 50 && lengths > 20 && nulls > 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_stays_what_it_is_and_the_current_price_does_not() {
    let served = Served::start(2, 50, calm()).await;
    served.at(DAY_MS);
    let mut before = served.chart("bitcoin", 1).await;
    let later_ms = served.at(DAY_MS + 7 * MINUTE_MS + 1);
    let after = served.chart("bitcoin", 1).await;
    let current = before.prices.pop().unwrap();
    assert!(!after.prices.contains(&current));
    let kept = before
        .prices
        .iter()
        .filter(|(time, _)| *time >= later_ms - DAY_MS);
    let kept: Pairs = kept.copied().collect();
    assert_eq!(after.prices[..kept.len()], kept);
    assert!(kept.len() > 270);
}

#[tokio::test(flavor = "multi_thread")]
async fn granularity_goes_by_the_range() {
    let served = Served::start(100, 2, calm()).await;
    served.at(99 * DAY_MS);
    for (days, step_ms, points) in [
        (1, 5 * MINUTE_MS, 288),
        (2, HOUR_MS, 48),
        (90, HOUR_MS, 2_160),
        (91, DAY_MS, 91),
    ] {
        let chart = served.chart("bitcoin", days).await;
        let count = chart.prices.len();
        assert!(
            (points * 97 / 100..=points + 2).contains(&count),
            "{days} days: {count}"
        );
        let mut apart: Vec<i64> = steps_apart(&chart.prices).collect();
        apart.sort_unstable();
        let usual = apart[apart.len() / 2];
        assert!((usual - step_ms).abs() < MINUTE_MS, "{days} days: {usual}");
    }
    assert_eq!(served.server.calls(), 4, "each costs a credit");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_those_of_the_list() {
    let served = Served::start(3, 50, Faults::ALL).await;
    served.at(HOUR_MS);
    for (path, status) in [
        ("/coins/bitcoin/market_chart?days=1", 422),
        ("/coins/bitcoin/market_chart?vs_currency=usd", 422),
        ("/coins/bitcoin/market_chart?vs_currency=eur&days=1", 400),
        ("/coins/microtick/market_chart?vs_currency=usd&days=1", 404),
        ("/coins/bitcoin/market_chart?vs_currency=usd&days=366", 401),
        ("/coins/bitcoin/market_chart?vs_currency=usd&days=max", 401),
    ] {
        assert_eq!(get(&served.server, path).await.0, status, "{path}");
    }
    let mut steps = served.market.steps();
    let mut step = Step::default();
    let refusal = loop {
        assert!(steps.next_into(&mut step), "a market without a refusal");
        if let Some(refusal) = step.refusal {
            break refusal;
        }
    };
    served.at(step.time_ms - served.market.settings().start_ms);
    let (status, body) = get(&served.server, &path("bitcoin", 1)).await;
    assert_eq!((status, &*body), (refusal.status, refusal.body));
}

/// Polls a market so often; the newest price of bitcoin.
async fn poll(server: &ReplayServer, times: usize) -> Option<f64> {
    let client = reqwest::Client::new();
    let url = format!(
        "{}/coins/markets?vs_currency=usd&per_page=250",
        server.base_url()
    );
    let (mut tag, mut price) = (None, None);
    for _ in 0..times {
        let mut request = client.get(&url);
        if let Some(tag) = &tag {
            request = request.header("if-none-match", tag);
        }
        let reply = request.send().await.unwrap();
        tag = reply.headers().get("etag").cloned();
        let coins: Vec<serde_json::Value> =
            serde_json::from_str(&reply.text().await.unwrap()).unwrap();
        let bitcoin = coins.iter().find(|coin| coin["id"] == "bitcoin");
        price = bitcoin
            .and_then(|coin| coin["current_price"].as_f64())
            .or(price);
    }
    price
}

#[tokio::test(flavor = "multi_thread")]
async fn any_market_has_charts() {
    let market = Market::Synthetic(SyntheticMarket::new(3, 600));
    let server = ReplayServer::start(market, Speed::Max, Position::start())
        .await
        .unwrap();
    let price = poll(&server, 400).await;
    let (status, body) = get(&server, &path("bitcoin", 1)).await;
    assert_eq!(status, 200);
    let chart: Chart = serde_json::from_str(&body).unwrap();
    assert_eq!(chart.prices.last().unwrap().1, price, "the current one");
    assert!(
        (70..=81).contains(&chart.prices.len()),
        "{}",
        chart.prices.len()
    );
}

/// Each step is shortly before the next mark, beyond which it may jitter.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_every_five_minutes_is_drawn_whole() {
    const STEPS: usize = 282;
    let times =
        (0..STEPS as i64).map(|step| 1_700_000_100_000 + (step + 1) * 5 * MINUTE_MS - 15_000);
    let numbers = || {
        Arc::new(Float64Array::from_iter_values(
            (0..STEPS).map(|step| 1.0 + step as f64),
        ))
    };
    let texts = |text| Arc::new(StringArray::from(vec![text; STEPS]));
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "event_time",
            Arc::new(TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC")),
        ),
        ("coin", texts("bitcoin")),
        ("symbol", texts("btc")),
        ("price_usd", numbers()),
        ("market_cap_usd", numbers()),
        ("volume_24h_usd", numbers()),
    ];
    let dir = tempfile::tempdir().unwrap();
    let recording = Recording::open(write(dir.path(), columns, Compression::UNCOMPRESSED)).unwrap();
    let server = ReplayServer::start(Market::Recording(recording), Speed::Max, Position::start())
        .await
        .unwrap();
    poll(&server, STEPS).await;
    let (_, body) = get(&server, &path("bitcoin", 1)).await;
    let chart: Chart = serde_json::from_str(&body).unwrap();
    // One in 97 is missing, and the newest may not be known yet.
    assert!(
        (STEPS - 8..=STEPS + 1).contains(&chart.prices.len()),
        "{}",
        chart.prices.len()
    );
}

/// What five minutes bring is judged as at that pace: every feature is there after an hour, and alerts stay rare.
#[tokio::test(flavor = "multi_thread")]
async fn steps_of_five_minutes_are_judged_as_such() {
    let served = Served::start(8, 50, calm()).await;
    let mut ticks = 0_u64;
    let mut without: HashMap<(&str, u64), u64> = HashMap::new();
    let mut alerts = [0_u64; 3];
    let coins = named(&served.market);
    for day in 1..=7 {
        served.at(day * DAY_MS);
        for coin in &coins {
            let chart = served.chart(coin, 1).await;
            let volumes: HashMap<i64, Option<f64>> = chart.total_volumes.into_iter().collect();
            let mut featurizer = Featurizer::new(FeatureParams::default());
            let rule = AnomalyRule::new(AnomalyParams::default());
            let (_, steps) = chart.prices.split_last().unwrap();
            for (at, (time_ms, price)) in steps.iter().enumerate() {
                let row = featurizer.row(Clean {
                    raw_offset: None,
                    coin: (&**coin).into(),
                    symbol: "s".into(),
                    event_time: *time_ms,
                    fetched_at: None,
                    price: price.unwrap(),
                    market_cap: None,
                    volume_24h: volumes[time_ms],
                    change_24h_pct: None,
                    backfilled: true,
                });
                let alert = rule.judge_row(&row);
                let index = match alert.map(|alert| alert.severity) {
                    Some(Severity::Critical) => Some(0),
                    Some(Severity::Warning) => Some(1),
                    Some(Severity::Info) => Some(2),
                    None => None,
                };
                if let Some(index) = index {
                    alerts[index] += 1;
                }
                if at < 18 {
                    continue;
                }
                ticks += 1;
                let windows = row.windows;
                for (name, percent_max, value) in [
                    ("zscore_15m", 1, windows.zscore_15m),
                    ("log_return", 1, windows.log_return),
                    // Strides are of ten minutes at most: a missing step is a missing stride.
                    ("volume_surge", 10, windows.volume_surge),
                    // Of steps that jitter, one in six has its fourth before it 20 minutes ago and its third less than 15.
                    ("return_zscore_15m", 20, windows.return_zscore_15m),
                ] {
                    *without.entry((name, percent_max)).or_default() += u64::from(value.is_none());
                }
            }
        }
    }
    let days = 7 * coins.len() as u64;
    println!(
        "{ticks} ticks, without {without:?}; [critical, warning, info] {alerts:?} rows in {days} coin-days"
    );
    for ((name, percent_max), without) in without {
        let percent = without * 100 / ticks;
        assert!(percent < percent_max, "{name} is missing in {percent} %");
    }
    assert!(
        alerts[0] < days / 7 * 3 && alerts[0] + alerts[1] < days,
        "{alerts:?}"
    );
}
