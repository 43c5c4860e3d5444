//! Every page, with the synthetic market behind it: first while it runs, then drained, when every number can be compared
//! with topics and lake.

use std::collections::BTreeMap;

use connector_runtime::cluster::Client;
use connector_runtime::reader;
use connector_runtime::record::Outgoing;
use replay::SyntheticMarket;
use serde_json::json;

use crate::ONE_AT_A_TIME;
use crate::alerts::{acknowledge_and_mute, compare_alerts, compare_past, watch_alerts};
use crate::browser::Browser;
use crate::chart::{
    choose_on_the_chart, compare_chart, compare_predictions_of_a_coin, watch_the_chart,
};
use crate::lake::compare_lake;
use crate::market::{columns_fit, compare_market, sort_and_find, watch_coins};
use crate::models::{compare_models, compare_predictions, compare_runs, predictions_flow};
use crate::pictures::{take_pictures, take_pictures_for_the_readme, walk_along_the_chart};
use crate::platform::{connect, holds, newest, start, values};
use crate::ticking::{coin, raw_writer, rfc3339};
use crate::topics::{compare_topics, follow_a_topic};

/// The market's three days in three quarters of a minute.
const SPEED: &str = "6000";

/// A coin that tries to be markup, and to turn about what stands beside it.
const HOSTILE_ID: &str = "<img src=x onerror=window.hacked=1>";
const HOSTILE_NAME: &str = "\"><script>window.hacked=3</script>\u{202e}";
const HOSTILE_SYMBOL: &str = "<script>window.hacked=2</script>";

#[tokio::test]
async fn every_page_shows_what_topics_and_lake_hold() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let demo = start(&[
        "demo",
        "--speed",
        SPEED,
        "--data",
        data.path().to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--console",
        "127.0.0.1:0",
    ]);
    let broker = demo.word_after("broker at ");
    let browser = browser.at(format!("http://{}", demo.word_after("console at http://")));

    watch_it_live(&browser).await;

    let client = connect(&broker).await;
    let total = i64::try_from(SyntheticMarket::default().records_total()).unwrap();
    holds(&client, "crypto-raw", total).await;
    let rejected = reader::offsets(&client, "crypto-rejected", 0)
        .await
        .unwrap()
        .end;
    holds(&client, "crypto-features", total - rejected).await;
    browser.go("#/other").await;

    compare_market(&browser, &client).await;
    sort_and_find(&browser).await;
    watch_coins(&browser).await;
    columns_fit(&browser).await;
    compare_alerts(&browser, &client).await;
    compare_past(&browser, &client).await;
    acknowledge_and_mute(&browser, data.path()).await;
    compare_chart(&browser, &client).await;
    choose_on_the_chart(&browser, &client).await;
    compare_pipeline(&browser, &client).await;
    compare_topics(&browser, &client).await;
    follow_a_topic(&browser, &client).await;
    compare_lake(&browser, &client, &data.path().join("lake")).await;
    compare_models(&browser, data.path()).await;
    let ticking = predictions_flow(&browser, &client, &broker, data.path()).await;
    watch_the_chart(&browser).await;
    compare_runs(&browser, data.path()).await;
    walk_along_the_chart(&browser).await;
    take_pictures(&browser).await;
    take_pictures_for_the_readme(&browser).await;
    compare_predictions(&browser, &client, ticking).await;
    compare_predictions_of_a_coin(&browser, &client).await;
    show_hostile_names_as_text(&browser, &client).await;
    browser.close().await;
}

/// Prices move by themselves, alerts appear.
async fn watch_it_live(browser: &Browser) {
    browser.go("#/market").await;
    browser
        .until("document.querySelectorAll('.market tbody tr').length === 10")
        .await;
    let price = "document.querySelector('.market tbody tr td:nth-child(2) data').value";
    let before = browser.until(price).await;
    browser.until(&format!("{price} !== {before}")).await;
    browser
        .until(
            "/^demo 2024-01-\\d\\d, 6,000×$/.test(document.getElementById('market').textContent)",
        )
        .await;
    browser.screenshot("market-live").await;

    browser.go("#/pipeline").await;
    browser
        .until("[...document.querySelectorAll('.rate')].filter((rate) => parseFloat(rate.textContent) > 0).length > 4")
        .await;
    browser.screenshot("pipeline-live").await;

    watch_alerts(browser).await;
}

async fn compare_pipeline(browser: &Browser, client: &Client) {
    browser.go("#/pipeline").await;
    for topic in [
        "crypto-raw",
        "crypto-clean",
        "crypto-rejected",
        "crypto-features",
        "crypto-alerts",
    ] {
        let end = reader::offsets(client, topic, 0).await.unwrap().end;
        browser
            .until(&format!(
                "[...document.querySelectorAll('.card.topic')].some((card) => \
                 card.querySelector('strong').textContent === {topic:?} && \
                 card.querySelector('.faint').textContent.replaceAll(',', '') === '{end} records')"
            ))
            .await;
    }
    browser
        .until("document.getElementById('health').dataset.state === 'ok'")
        .await;
    assert_eq!(
        browser
            .run("return document.querySelectorAll('.wrong, .problems li').length")
            .await,
        0
    );
    browser
        .until("/^Healthy: everything is in the lake, last commit .* ago\\.$/.test(document.querySelector('main .summary').textContent)")
        .await;
    // Whose prices these are, and that no more come.
    let newest = values(client, "crypto-features").await;
    let newest = newest.iter().filter_map(|row| row["event_time"].as_i64());
    let date = jiff::Timestamp::from_millisecond(newest.max().unwrap()).unwrap();
    let date = date.strftime("%Y-%m-%d");
    browser
        .until(&format!(
            "document.getElementById('market').textContent === 'demo {date}, ended' && \
             document.querySelector('.card.source').textContent === 'Synthetic marketthe market has ended'"
        ))
        .await;
    assert_eq!(
        browser
            .run("return document.querySelector('.foot').innerText.startsWith('The prices of this synthetic market are invented.')")
            .await,
        true
    );
    // The last hour: nothing lags, and every topic has a rate.
    browser
        .until(
            "[...document.querySelectorAll('.hour tr[data-of^=stage]')].filter((row) => row.cells[1].textContent === '0').length === 5 && \
             Number(document.querySelector('.hour tr[data-of=crypto-raw]')?.dataset.points) > 0 && \
             document.querySelector('.hour tr[data-of=crypto-raw] path')",
        )
        .await;
    // How long each stage's SmartModules work on a record, in the drawing and in the table.
    browser
        .until("[...document.querySelectorAll('.pace')].filter((pace) => /^[0-9.]+ (ns|µs|ms) per record$/.test(pace.textContent)).length === 4")
        .await;
    let untold = browser
        .run("return [...document.querySelectorAll('[aria-label=Stages] tbody tr td:nth-child(3)')].filter((cell) => cell.textContent === '–').length")
        .await;
    assert_eq!(untold, 1, "stage-raw has no SmartModule");
    // Why records are rejected.
    let mut reasons = BTreeMap::<String, u64>::new();
    for reject in values(client, "crypto-rejected").await {
        *reasons
            .entry(reject["reason"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    let shown = browser
        .until(
            "Object.fromEntries([...[...document.querySelectorAll('caption')].find((it) => it.textContent.startsWith('Reasons')).parentElement.querySelectorAll('tr')].map((row) => \
             [row.querySelector('th').textContent, Number(row.querySelector('.number').textContent)]))",
        )
        .await;
    assert_eq!(shown, json!(reasons));
}

/// What a coin is called, and what a payload says, never becomes markup.
async fn show_hostile_names_as_text(browser: &Browser, client: &Client) {
    let now = newest(client, "crypto-features").await["bitcoin"]["event_time"].as_i64();
    // Twenty minutes later: beside it, all others have become old.
    let time = rfc3339(now.unwrap() + 1_200_000);
    let hostile = coin(&json!({
        "id": HOSTILE_ID, "symbol": HOSTILE_SYMBOL, "name": HOSTILE_NAME,
        "current_price": 1.5, "market_cap": 9.9e15, "total_volume": 10.0, "last_updated": time,
    }));
    let broken = Outgoing {
        key: Some(HOSTILE_ID.into()),
        value: "<script>window.hacked=4</script>".into(),
    };
    let mut writer = raw_writer(client).await;
    writer.append(&[hostile, broken]).await.unwrap();

    browser.go("#/market").await;
    let first = "[...document.querySelectorAll('.market tbody tr')].find((row) => row.dataset.coin.includes('onerror'))?.querySelector('a')";
    browser
        .until(&format!(
            "{first}?.textContent === {:?}",
            format!("{}{HOSTILE_NAME}", HOSTILE_SYMBOL.to_uppercase())
        ))
        .await;
    browser
        .until(
            "[...document.querySelectorAll('.market tbody tr')].every((row) => \
             (row.querySelector('data.old') === null) === row.dataset.coin.includes('onerror') && \
             row.classList.contains('old') === !row.dataset.coin.includes('onerror'))",
        )
        .await;
    browser
        .until("document.getElementById('market-summary').textContent.includes(', 10 coins without a tick in 10 minutes: ')")
        .await;
    // The oldest come first.
    browser
        .run("[...document.querySelectorAll('.market th button')].find((b) => b.textContent === 'Tick').click()")
        .await;
    browser
        .until("document.querySelector('.market tbody tr:last-child').dataset.coin.includes('onerror')")
        .await;
    browser.go("#/market").await;
    browser.until(&format!("Boolean({first})")).await;
    // A name that runs from right to left turns nothing about but itself.
    let isolated = browser
        .run(&format!(
            "return getComputedStyle({first}.closest('th')).unicodeBidi"
        ))
        .await;
    assert_eq!(isolated, "isolate");
    // What CoinGecko has not said is not made up.
    browser
        .until(&format!(
            "{first}.closest('tr').querySelector('td:nth-child(6)').textContent === '–'"
        ))
        .await;
    browser.run(&format!("{first}.click()")).await;
    browser.until(&format!("document.querySelector('h1').textContent.startsWith({HOSTILE_NAME:?}) && document.querySelector('.crumbs').textContent.endsWith({HOSTILE_NAME:?}) && document.querySelector('.chart canvas')")).await;
    for topic in [
        "crypto-raw",
        "crypto-clean",
        "crypto-rejected",
        "crypto-features",
    ] {
        browser.go(&format!("#/data/topics/{topic}")).await;
        browser.until("[...document.querySelectorAll('.records code')].some((c) => c.textContent.includes('hacked'))").await;
        browser
            .run("document.querySelectorAll('.browse summary').forEach((s) => s.click())")
            .await;
    }
    let planted =
        "return [window.hacked ?? null, document.querySelectorAll('main script, main img').length]";
    assert_eq!(browser.run(planted).await, json!([null, 0]));
}
