//! 500 coins and 1,000 records a second: what an update costs the page, and the console its machine.

use std::time::Duration;

use faults::Vitals;
use serde_json::{Value, json};

use crate::ONE_AT_A_TIME;
use crate::browser::Browser;
use crate::opening::open_anew;
use crate::platform::{connect, holds, start, start_console};
use crate::recorded::{Recorded, write_recording};

const COINS: usize = 500;
const MINUTES: i64 = 90;
/// A market minute is a record of every coin: twice a second.
const SPEED: &str = "120";
const WATCHED: Duration = Duration::from_secs(15);

const SCRIPTING_MS_MAX: f64 = 16.0;
/// Of a core, for a page of 250 coins, or the Pipeline, that is open.
const CORE_SHARE_MAX: f64 = 0.05;
const RSS_MB_MAX: f64 = 100.0;
pub(crate) const WEIGHT_BYTES_MAX: u64 = 300_000;

#[tokio::test]
async fn five_hundred_coins_are_cheap_to_watch() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let recording = data.path().join("many.parquet");
    write_recording(&recording, &minutes());
    let platform = data.path().join("data");
    let demo = start(&[
        "demo",
        "--recording",
        recording.to_str().unwrap(),
        "--speed",
        SPEED,
        "--data",
        platform.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--console",
        "127.0.0.1:0",
    ]);
    let broker = demo.word_after("broker at ");
    // A console of its own, so that its memory is nobody else's.
    let console = start_console(&broker, &platform.join("lake"), &[]);
    let browser = browser.at(format!(
        "http://{}",
        console.word_after("console at http://")
    ));
    let client = connect(&broker).await;
    holds(&client, "crypto-features", 5 * COINS as i64).await;

    browser.go("#/market").await;
    browser
        .until(&format!(
            "document.querySelectorAll('.market tbody tr').length === {COINS}"
        ))
        .await;
    // The order that has to be found anew at every update.
    browser.run("[...document.querySelectorAll('.market th button')].find((b) => b.textContent === 'z-score').click()").await;
    browser
        .run(
            "window.updates = 0; new MutationObserver(() => window.updates += 1).observe(\
             document.querySelector('.summary'), { childList: true, characterData: true, subtree: true })",
        )
        .await;
    browser
        .devtools("Performance.enable", json!({ "timeDomain": "threadTicks" }))
        .await;
    let before = (
        seconds(&browser, "ScriptDuration").await,
        updates(&browser).await,
    );
    let busy_before = seconds(&browser, "TaskDuration").await;
    let records_before = connector_runtime::reader::offsets(&client, "crypto-features", 0)
        .await
        .unwrap()
        .end;
    tokio::time::sleep(WATCHED).await;
    let after = (
        seconds(&browser, "ScriptDuration").await,
        updates(&browser).await,
    );
    let market_share =
        (seconds(&browser, "TaskDuration").await - busy_before) / WATCHED.as_secs_f64();
    let records_after = connector_runtime::reader::offsets(&client, "crypto-features", 0)
        .await
        .unwrap()
        .end;

    let updates = after.1 - before.1;
    assert!(updates >= 10.0, "the page stands still: {updates} updates");
    let scripting_ms = (after.0 - before.0) * 1e3 / updates;
    let rss_mb = Vitals::of(console.id()).unwrap().resident_mb();
    let rate = (records_after - records_before) as f64 / WATCHED.as_secs_f64();
    println!(
        "{COINS} coins, {rate:.0} records/s: {updates} updates, {scripting_ms:.2} ms of scripting each; console process {rss_mb:.0} MB"
    );
    browser.screenshot("market-500-coins").await;
    let opening = open_anew(
        &browser,
        "document.querySelector('.market tbody data[value]')",
        "/api/market",
    )
    .await;
    println!("the page: {opening}");
    assert!(opening.bytes < WEIGHT_BYTES_MAX, "{opening}");
    // From where it stands it cannot know how long SmartModules take, and says so.
    browser.go("#/pipeline").await;
    browser
        .until("[...document.querySelectorAll('[aria-label=Stages] tbody tr td:nth-child(3)')].map((cell) => cell.textContent).join('') === '–––––'")
        .await;
    browser
        .until("[...document.querySelectorAll('main p:not([hidden])')].some((p) => p.textContent.startsWith('SmartModule times are known'))")
        .await;
    let busy_before = seconds(&browser, "TaskDuration").await;
    tokio::time::sleep(WATCHED).await;
    let pipeline_share =
        (seconds(&browser, "TaskDuration").await - busy_before) / WATCHED.as_secs_f64();
    println!(
        "the page's own thread: the market {:.1} % of a core, the pipeline {:.1} %",
        100.0 * market_share,
        100.0 * pipeline_share
    );
    browser.close().await;
    // Twice as many coins, and all of them twice a second.
    let market_share_max = CORE_SHARE_MAX * COINS as f64 / 250.0;
    assert!(market_share < market_share_max, "{market_share}");
    assert!(pipeline_share < CORE_SHARE_MAX, "{pipeline_share}");
    assert!(scripting_ms < SCRIPTING_MS_MAX, "{scripting_ms} ms");
    assert!(rss_mb < RSS_MB_MAX, "{rss_mb} MB");
}

/// What the page has spent so far, by one of Chromium's clocks.
async fn seconds(browser: &Browser, clock: &str) -> f64 {
    let answer = browser.devtools("Performance.getMetrics", json!({})).await;
    let metrics = answer["metrics"].as_array().unwrap();
    let spent = metrics.iter().find(|metric| metric["name"] == clock);
    spent.unwrap()["value"].as_f64().unwrap()
}

async fn updates(browser: &Browser) -> f64 {
    match browser.run("return window.updates").await {
        Value::Number(number) => number.as_f64().unwrap(),
        other => panic!("{other}"),
    }
}

/// Every coin, every minute, each on a walk of its own.
fn minutes() -> Vec<Recorded> {
    let places = (0..MINUTES).flat_map(|minute| (0..COINS).map(move |coin| (minute, coin)));
    let recorded = places.map(|(minute, place)| {
        let (step, coin) = (minute as f64, place as f64);
        let walk = 0.01 * (step / 7.0 + coin).sin() + 0.002 * (step * (3.0 + coin)).sin();
        Recorded {
            minute,
            coin: format!("coin-{place}"),
            price: (1.0 + coin) * (1.0 + walk),
            market_cap: 1e12 / (1.0 + coin),
            volume: 1e9 / (1.0 + coin) + step,
        }
    });
    recorded.collect()
}
