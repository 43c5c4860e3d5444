//! Many coins at speed: what an update costs the page, and the console its machine.

use std::time::Duration;

use faults::Vitals;
use serde_json::{Value, json};

use crate::ONE_AT_A_TIME;
use crate::browser::Browser;
use crate::opening::{Opening, open_anew};
use crate::platform::{connect, holds, start, start_console};
use crate::recorded::{Recorded, write_recording};

const MINUTES: i64 = 90;
const WATCHED: Duration = Duration::from_secs(15);

const SCRIPTING_MS_MAX: f64 = 16.0;
/// Of a core, for a page of 250 coins, or the Pipeline, that is open.
const PAGE_SHARE_MAX: f64 = 0.05;
/// Of a core, for the console that serves it.
const SERVER_SHARE_MAX: f64 = 0.01;
const RSS_MB_MAX: f64 = 100.0;
pub(crate) const WEIGHT_BYTES_MAX: u64 = 300_000;

/// What the two pages cost, each watched for [`WATCHED`].
#[derive(Debug)]
struct Costs {
    /// Of an update of the Market page.
    scripting_ms: f64,
    market: Shares,
    pipeline: Shares,
    resident_mb: f64,
    /// The Market page, opened anew.
    opening: Opening,
}

/// Processor time as shares of a core.
#[derive(Debug)]
struct Shares {
    /// Of the page's own thread.
    page: f64,
    server: f64,
}

#[tokio::test]
async fn five_hundred_coins_twice_a_second_are_drawn_in_time() {
    let Some(costs) = watch(500, 120).await else {
        return;
    };
    assert!(costs.scripting_ms < SCRIPTING_MS_MAX, "{costs:?}");
    assert!(costs.resident_mb < RSS_MB_MAX, "{costs:?}");
    assert!(costs.opening.bytes < WEIGHT_BYTES_MAX, "{costs:?}");
    // Twice as many coins, and all of them twice a second.
    assert!(costs.market.page < 2.0 * PAGE_SHARE_MAX, "{costs:?}");
    assert!(costs.pipeline.page < PAGE_SHARE_MAX, "{costs:?}");
}

#[tokio::test]
async fn two_hundred_and_fifty_coins_cost_little() {
    // A tick of each every two seconds: thirty times as often as `up` asks CoinGecko.
    let Some(costs) = watch(250, 30).await else {
        return;
    };
    for shares in [&costs.market, &costs.pipeline] {
        assert!(shares.page < PAGE_SHARE_MAX, "{costs:?}");
        assert!(shares.server < SERVER_SHARE_MAX, "{costs:?}");
    }
}

/// Watches a market of so many coins, each of which has a tick a market minute.
async fn watch(coins: usize, speed: u32) -> Option<Costs> {
    let _alone = ONE_AT_A_TIME.lock().await;
    let browser = Browser::start().await?;
    let data = tempfile::tempdir().unwrap();
    let recording = data.path().join("many.parquet");
    write_recording(&recording, &minutes(coins));
    let platform = data.path().join("data");
    let demo = start(&[
        "demo",
        "--recording",
        recording.to_str().unwrap(),
        "--speed",
        &speed.to_string(),
        "--data",
        platform.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--console",
        "127.0.0.1:0",
    ]);
    let broker = demo.word_after("broker at ");
    // A console of its own, so that its memory and processor time are nobody else's.
    let console = start_console(&broker, &platform.join("lake"), &[]);
    let browser = browser.at(format!(
        "http://{}",
        console.word_after("console at http://")
    ));
    let client = connect(&broker).await;
    holds(&client, "crypto-features", 5 * coins as i64).await;

    // No model serves: there is nothing to sort by.
    browser.go("#/market?sort=anomaly_probability").await;
    browser
        .until("document.getElementById('market-summary').textContent.endsWith('; no coin has a value for “Anomaly” yet')")
        .await;
    browser.go("#/market").await;
    browser
        .until(&format!(
            "document.querySelectorAll('.market tbody tr').length === {coins}"
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
    let end = async || {
        let offsets = connector_runtime::reader::offsets(&client, "crypto-features", 0);
        offsets.await.unwrap().end
    };
    let (scripted, drawn, first) = (
        seconds(&browser, "ScriptDuration").await,
        updates(&browser).await,
        end().await,
    );
    let market = shares(&browser, console.id()).await;
    let records = end().await - first;
    let updates = updates(&browser).await - drawn;
    let due = WATCHED.as_secs_f64() * f64::from(speed) / 60.0;
    assert!(
        updates >= due / 2.0,
        "the page stands still: {updates} updates"
    );
    let scripting_ms = (seconds(&browser, "ScriptDuration").await - scripted) * 1e3 / updates;
    let resident_mb = Vitals::of(console.id()).unwrap().resident_mb();
    browser.screenshot(&format!("market-{coins}-coins")).await;
    let opening = open_anew(
        &browser,
        "document.querySelector('.market tbody data[value]')",
        "/api/market",
    )
    .await;
    // From where it stands it cannot know how long SmartModules take, and says so.
    browser.go("#/pipeline").await;
    browser
        .until("[...document.querySelectorAll('[aria-label=Stages] tbody tr td:nth-child(3)')].map((cell) => cell.textContent).join('') === '–––––'")
        .await;
    browser
        .until("[...document.querySelectorAll('main p:not([hidden])')].some((p) => p.textContent.startsWith('SmartModule times are known'))")
        .await;
    let pipeline = shares(&browser, console.id()).await;
    browser.close().await;
    let costs = Costs {
        scripting_ms,
        market,
        pipeline,
        resident_mb,
        opening,
    };
    let rate = records as f64 / WATCHED.as_secs_f64();
    println!("{coins} coins, {rate:.0} records/s, {updates} updates: {costs:?}");
    Some(costs)
}

/// What the page that is open costs from here on.
async fn shares(browser: &Browser, console: u32) -> Shares {
    let so_far = async || {
        let page = seconds(browser, "TaskDuration").await;
        let server_ms = Vitals::of(console).unwrap().processor_ms;
        (page, server_ms as f64 / 1e3)
    };
    let (page, server) = so_far().await;
    tokio::time::sleep(WATCHED).await;
    let (page_after, server_after) = so_far().await;
    Shares {
        page: (page_after - page) / WATCHED.as_secs_f64(),
        server: (server_after - server) / WATCHED.as_secs_f64(),
    }
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
fn minutes(coins: usize) -> Vec<Recorded> {
    let places = (0..MINUTES).flat_map(|minute| (0..coins).map(move |coin| (minute, coin)));
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
