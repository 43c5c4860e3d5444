//! A week of minutes on the Coin page: drawn from fewer ticks, and light; nothing that matters is lost.

use connector_runtime::record::Outgoing;
use connector_runtime::writer::TopicWriter;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::ONE_AT_A_TIME;
use crate::browser::Browser;
use crate::chart::{
    DRAWN, SUMMARY, WEEK, ZOOM_OUT, change, compare_candles, drag_over_the_chart,
    lowest_and_highest, saved_file, ticks, ticks_of_file, usd,
};
use crate::load::WEIGHT_BYTES_MAX;
use crate::platform::{connect, holds, start, values};
use crate::recorded::{Recorded, write_recording};

/// A week and a few more, which the range leaves out.
const MINUTES: i64 = 7 * 1_440 + 10;
const COINS: [&str; 2] = ["bitcoin", "ethereum"];
const NOTE: &str = "[...document.querySelectorAll('main p.faint')].map((it) => it.textContent).find((text) => text.startsWith('Drawn from '))";
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
    let predictions = (0..).zip(&ticks).map(|(source_offset, (time, tick))| Outgoing {
        key: Some("bitcoin".into()),
        value: json!({
            "source_offset": source_offset, "status": "prediction", "coin": "bitcoin", "event_time": time, "price": tick["price"],
            "anomaly_probability": random.random_range(0.0..1.0), "trend_up_probability": random.random_range(0.4..0.6),
            "anomaly_model": "anomaly_ahead/1", "trend_model": "trend_up/1",
        })
        .to_string()
        .into(),
    });
    let predictions: Vec<Outgoing> = predictions.collect();
    let patience = std::time::Duration::from_secs(20);
    let writer = TopicWriter::open(&client, "crypto-predictions", 0, patience).await;
    writer.unwrap().append(&predictions).await.unwrap();

    for width in [1440, 390] {
        browser.size(width, 900).await;
        browser.go("#/data").await;
        browser.go(WEEK).await;
        browser.run("location.reload()").await;
        browser.until(DRAWN).await;
        let bytes = transferred(&browser).await;
        let usable_ms = browser.run("return performance.now()").await;
        let note = browser.until(NOTE).await;
        println!("{width}: {bytes} bytes, drawn within {usable_ms} ms; {note}");
        assert!(bytes < WEIGHT_BYTES_MAX, "{bytes} bytes");
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

/// The bytes that the page and what it asked for have taken on their way.
async fn transferred(browser: &Browser) -> u64 {
    let sizes = browser
        .run(
            "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]\
             .map(({ transferSize }) => transferSize)",
        )
        .await;
    let sizes = sizes.as_array().unwrap().iter();
    sizes.filter_map(Value::as_u64).sum()
}
