//! A week of minutes on the Coin page: drawn from fewer ticks, and light; nothing that matters is lost.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use fixtures::tables;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::ONE_AT_A_TIME;
use crate::browser::Browser;
use crate::chart::{
    DRAWN, SUMMARY, Ticks, WEEK, ZOOM_OUT, change, compare_candles, drag_over_the_chart,
    lowest_and_highest, saved_file, ticks, ticks_of_file, usd,
};
use crate::load::WEIGHT_BYTES_MAX;
use crate::opening::open_anew;
use crate::platform::{connect, holds, start, values};
use crate::recorded::{Recorded, write_recording};
use crate::ticking::rfc3339;

/// A week and a few more, which the range leaves out.
const MINUTES: i64 = 7 * 1_440 + 10;
const COINS: [&str; 2] = ["bitcoin", "ethereum"];
const NOTE: &str = "[...document.querySelectorAll('main p.faint')].map((it) => it.textContent).find((text) => text.startsWith('Drawn from '))";
/// Its files, its stream, and its questions.
const REQUESTS_MAX: usize = 56;
/// What the page has asked of the past.
const QUESTION: &str = "performance.getEntriesByType('resource').map(({ name }) => name).findLast((name) => name.includes('/api/history'))";

#[tokio::test(flavor = "multi_thread")]
async fn a_week_of_minutes_is_light_and_whole() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let recording = data.path().join("week.parquet");
    let mut random = ChaCha8Rng::seed_from_u64(7);
    write_recording(&recording, &a_week(&mut random));
    let platform = data.path().join("data");
    let [recording, platform] = [&recording, &platform].map(|path| path.to_str().unwrap());
    let demo = start(&[
        "demo",
        "--recording",
        recording,
        "--data",
        platform,
        "--listen",
        "0",
        "--console",
        "0",
    ]);
    let broker = demo.word_after("broker at ");
    let browser = browser.at(format!("http://{}", demo.word_after("console at http://")));
    let client = connect(&broker).await;
    holds(&client, "crypto-features", MINUTES * 2).await;
    demo.word_after("the market is drained");
    let ticks = ticks(&client, "bitcoin").await;
    let newest = *ticks.last_key_value().unwrap().0;
    let mut ticks = ticks;
    let ticks = ticks.split_off(&(newest - 7 * 1_440 * 60_000));
    // Predictions weigh, too.
    predict(&Path::new(platform).join("lake"), &ticks, &mut random);

    // What is shown is a recording, of that time.
    browser.go("#/market").await;
    browser
        .until("document.getElementById('market').textContent === 'replay 2024-01-08, ended'")
        .await;
    // What is known of a table may be some seconds old.
    browser.go(WEEK).await;
    browser
        .until(
            "fetch('/api/history?coin=bitcoin&minutes=10080').then((answer) => answer.json())\
             .then(({ points }) => points.trend_up_probability.some((it) => it !== null) || null)",
        )
        .await;
    for width in [1440, 390] {
        browser.size(width, 900).await;
        browser.go("#/data").await;
        browser.go(WEEK).await;
        let opening = open_anew(&browser, DRAWN, "/api/history").await;
        let note = browser.until(NOTE).await;
        println!("{width}: {opening}; {note}");
        assert!(opening.bytes < WEIGHT_BYTES_MAX, "{opening}");
        assert!(opening.requests <= REQUESTS_MAX, "{opening}");
        assert_eq!(opening.answers, 1, "one question is all it takes");
        browser.screenshot(&format!("week-light-{width}")).await;
    }
    browser.size(1440, 900).await;
    browser.go("#/data").await;
    browser.go(WEEK).await;
    browser.until(DRAWN).await;
    let question = browser.until(QUESTION).await;
    let history = browser
        .run(&format!(
            "return fetch({question}).then((answer) => answer.json())"
        ))
        .await;
    let prices = history["points"]["price"].as_array().unwrap();
    assert_eq!(history["ticks"], ticks.len());
    assert!(prices.len() < ticks.len() / 3, "{}", prices.len());
    compare_candles(&history["candles"], &ticks);
    let (low, high) = lowest_and_highest(&ticks);
    for extreme in [low, high] {
        assert!(prices.contains(&json!(extreme)), "{extreme}");
    }
    let alerts = values(&client, "crypto-alerts").await;
    let of_week = |alert: &&Value| {
        alert["coin"] == "bitcoin" && ticks.contains_key(&alert["event_time"].as_i64().unwrap())
    };
    let alerts: Vec<_> = alerts
        .iter()
        .filter(of_week)
        .map(|it| &it["alert_id"])
        .collect();
    assert!(alerts.len() > 10, "{}", alerts.len());
    let marked = history["alerts"].as_array().unwrap().iter();
    assert_eq!(marked.map(|it| &it["alert_id"]).collect::<Vec<_>>(), alerts);
    let words = browser.until(SUMMARY).await;
    let words = words.as_str().unwrap();
    assert!(words.starts_with(&change(&ticks)), "{words}");
    let wanted = format!("low {}, high {} USD", usd(low), usd(high));
    assert!(words.contains(&wanted), "{wanted} in {words}");
    // A file has every tick.
    let (_, rows) = saved_file(&browser).await;
    assert_eq!(ticks_of_file(&rows, &ticks).len(), ticks.len());

    // And so has a part that a reader looks into.
    drag_over_the_chart(&browser).await;
    browser.until(&format!("!{ZOOM_OUT}.hidden")).await;
    let question = browser.until(QUESTION).await;
    assert!(question.as_str().unwrap().contains("until="), "{question}");
    let part = browser
        .run(&format!(
            "return fetch({question}).then((answer) => answer.json())"
        ))
        .await;
    let times: Vec<i64> = (part["points"]["time"].as_array().unwrap().iter())
        .map(|time| time.as_i64().unwrap())
        .collect();
    let range = times[0]..=times[times.len() - 1];
    let wanted: Vec<i64> = ticks.range(range).map(|(time, _)| *time).collect();
    assert!(wanted.len() > 2_000, "{}", wanted.len());
    assert_eq!(times, wanted, "every tick");
    let (_, rows) = saved_file(&browser).await;
    let shown = ticks_of_file(&rows, &ticks);
    assert!(shown.len() + 2 >= times.len() && shown.len() <= times.len());
    let words = browser.run(&format!("return {SUMMARY}")).await;
    let (low, high) = lowest_and_highest(&shown);
    let wanted = format!("low {}, high {} USD", usd(low), usd(high));
    assert!(
        words.as_str().unwrap().contains(&wanted),
        "{wanted} in {words}"
    );
    assert!(
        words.as_str().unwrap().starts_with(&change(&shown)),
        "{words}"
    );
    browser.screenshot("week-part-1440").await;
    browser.close().await;
}

/// What models would have said of these ticks of bitcoin.
fn predict(lake: &Path, ticks: &Ticks, random: &mut ChaCha8Rng) {
    const DAY_MS: i64 = 86_400_000;
    let times: Vec<i64> = ticks.keys().copied().collect();
    let mut offset = 0;
    for times in times.chunk_by(|a, b| a / DAY_MS == b / DAY_MS) {
        let date = &rfc3339(times[0])[..10];
        let mut probabilities = |range: Range<f64>| -> ArrayRef {
            let values = times.iter().map(|_| random.random_range(range.clone()));
            Arc::new(Float64Array::from_iter_values(values))
        };
        let [anomaly, trend] = [0.0..1.0, 0.4..0.6].map(&mut probabilities);
        let micros = times.iter().map(|ms| ms * 1_000);
        let event_time = TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC");
        let coin = StringArray::from(vec![COINS[0]; times.len()]);
        let prices = ticks.range(times[0]..=times[times.len() - 1]);
        let prices = prices.map(|(_, tick)| tick["price"].as_f64().unwrap());
        let columns: [(&str, ArrayRef); 5] = [
            ("coin", Arc::new(coin)),
            ("event_time", Arc::new(event_time)),
            ("price", Arc::new(Float64Array::from_iter_values(prices))),
            ("anomaly_probability", anomaly),
            ("trend_up_probability", trend),
        ];
        let nullable = columns.map(|(name, column)| (name, column, name.ends_with("probability")));
        let rows = RecordBatch::try_from_iter_with_nullable(nullable).unwrap();
        tables::append(lake, "predictions", date, (0, offset), &rows);
        offset += times.len() as i64;
    }
}

/// Two coins that walk, with a jump now and then.
fn a_week(random: &mut ChaCha8Rng) -> Vec<Recorded> {
    let mut prices = [42_000.0, 2_300.0];
    let mut minutes = Vec::new();
    for minute in 0..MINUTES {
        for (coin, price) in COINS.iter().zip(&mut prices) {
            let step: f64 = random.random_range(-6e-4..6e-4);
            let jump = if random.random_range(0..400) == 0 {
                0.03
            } else {
                0.0
            };
            *price *= 1.0 + step + jump * step.signum();
            minutes.push(Recorded {
                minute,
                coin: (*coin).to_owned(),
                price: *price,
                market_cap: *price * 2e7,
                volume: 2e10 * (1.0 + random.random_range(-1e-3..1e-3)),
            });
        }
    }
    minutes
}
