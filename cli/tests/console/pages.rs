//! Every page, with the synthetic market behind it: first while it runs, then drained, when every number can be compared
//! with topics and lake.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use connector_runtime::cluster::Client;
use connector_runtime::reader;
use connector_runtime::record::Outgoing;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use connector_runtime::writer::TopicWriter;
use fixtures::topic::records;
use replay::SyntheticMarket;
use serde_json::{Value, json};

use crate::ONE_AT_A_TIME;
use crate::browser::Browser;
use crate::market::{compare_market, sort_and_find};
use crate::models::{compare_models, compare_predictions, predictions_flow};
use crate::pictures::{take_pictures, take_pictures_for_the_readme, walk_along_the_chart};
use crate::platform::{connect, files, holds, newest, start, values};
use crate::ticking::{coin, raw_writer, rfc3339};

/// The market's three days in three quarters of a minute.
const SPEED: &str = "6000";

/// A coin that tries to be markup.
const HOSTILE_ID: &str = "<img src=x onerror=window.hacked=1>";
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
    compare_alerts(&browser, &client).await;
    compare_chart(&browser, &client).await;
    compare_pipeline(&browser, &client).await;
    compare_data(&browser, &client, &data.path().join("lake")).await;
    compare_models(&browser, data.path()).await;
    let ticking = predictions_flow(&browser, &client, &broker, data.path()).await;
    walk_along_the_chart(&browser).await;
    take_pictures(&browser).await;
    take_pictures_for_the_readme(&browser).await;
    compare_predictions(&browser, &client, ticking).await;
    show_hostile_names_as_text(&browser, &client).await;
    browser.close().await;
}

/// Prices move by themselves, alerts appear, filters filter.
async fn watch_it_live(browser: &Browser) {
    browser.go("#/market").await;
    browser
        .until("document.querySelectorAll('.market tbody tr').length === 10")
        .await;
    let price = "document.querySelector('.market tbody tr td:nth-child(2) data').value";
    let before = browser.until(price).await;
    browser.until(&format!("{price} !== {before}")).await;
    browser.screenshot("market-live").await;

    browser.go("#/pipeline").await;
    browser
        .until("[...document.querySelectorAll('.rate')].filter((rate) => parseFloat(rate.textContent) > 0).length > 4")
        .await;
    browser.screenshot("pipeline-live").await;

    browser.go("#/alerts").await;
    browser
        .until("document.querySelector('.alert[data-severity=critical]')")
        .await;
    browser
        .until("document.querySelector('.alert[data-severity=warning]')")
        .await;
    browser.choose("#alert-severity", "critical").await;
    browser
        .until("[...document.querySelectorAll('.alert')].every((a) => a.dataset.severity === 'critical')")
        .await;
    // New ones go through the filter too.
    let newest = "document.querySelector('.alert').dataset.id";
    let before = browser.until(newest).await;
    browser.until(&format!("{newest} !== {before}")).await;
    browser
        .until("[...document.querySelectorAll('.alert')].every((a) => a.dataset.severity === 'critical')")
        .await;
}

async fn compare_alerts(browser: &Browser, client: &Client) {
    let alerts = values(client, "crypto-alerts").await;
    // The page holds the newest thousand, and shows 200 of those that match.
    let alerts = &alerts[alerts.len().saturating_sub(1_000)..];
    let held = match alerts.len() {
        1_000 => "1,000".to_owned(),
        fewer => fewer.to_string(),
    };
    browser.go("#/alerts").await;
    browser
        .until(&format!(
            "document.querySelector('.summary').textContent.startsWith('{held} of', 0)"
        ))
        .await;
    browser.choose("#alert-coin", "bitcoin").await;
    browser.choose("#alert-severity", "critical").await;
    browser.choose("#alert-kind", "price_spike").await;
    let wanted: Vec<_> = alerts
        .iter()
        .filter(|alert| {
            let kinds = alert["kinds"].as_array().unwrap();
            alert["coin"] == "bitcoin"
                && alert["severity"] == "critical"
                && kinds.contains(&json!("price_spike"))
        })
        .map(|alert| alert["alert_id"].clone())
        .rev()
        .take(200)
        .collect();
    assert!(!wanted.is_empty());
    browser
        .until(&format!(
            "document.querySelectorAll('.alert').length === {}",
            wanted.len()
        ))
        .await;
    let shown = browser
        .run("return [...document.querySelectorAll('.alert')].map((a) => a.dataset.id)")
        .await;
    assert_eq!(shown, Value::Array(wanted));

    // Its link leads to a chart with the alert in it, however long ago that was.
    let oldest = &shown[shown.as_array().unwrap().len() - 1];
    browser
        .run("[...document.querySelectorAll('.alert a')].at(-1).click()")
        .await;
    browser
        .until("document.querySelector('.chart canvas')")
        .await;
    browser
        .until(&format!(
            "[...document.querySelectorAll('.alerts .alert')].some((a) => a.dataset.id === {oldest})"
        ))
        .await;
}

async fn compare_chart(browser: &Browser, client: &Client) {
    const WEEK_MS: i64 = 7 * 86_400_000;
    browser.go("#/market").await;
    browser
        .until("document.querySelector('.market a[href=\"#/coin/bitcoin\"]')")
        .await;
    browser
        .run("document.querySelector('.market a[href=\"#/coin/bitcoin\"]').click()")
        .await;
    browser
        .until("document.querySelector('.chart canvas')")
        .await;
    // From here by link to the whole of it, most of which only the lake still has.
    browser.run("[...document.querySelectorAll('.ranges a')].find((a) => a.textContent === '7 days').click()").await;
    browser.until("document.querySelector('.ranges a[aria-current]').textContent === '7 days' && document.querySelector('.chart canvas')").await;

    let features = values(client, "crypto-features").await;
    let newest = features
        .iter()
        .map(|row| row["event_time"].as_i64().unwrap())
        .max()
        .unwrap();
    let mut prices = BTreeMap::new();
    for row in features.iter().filter(|row| row["coin"] == "bitcoin") {
        let time = row["event_time"].as_i64().unwrap();
        if time >= newest - WEEK_MS {
            prices.insert(time, row["price"].as_f64().unwrap());
        }
    }
    let history = browser
        .run("return fetch('/api/history?coin=bitcoin&minutes=10080').then((answer) => answer.json())")
        .await;
    let shown = history["points"]["price"].as_array().unwrap();
    let shown: Vec<f64> = shown.iter().map(|price| price.as_f64().unwrap()).collect();
    let extremes = |prices: &mut dyn Iterator<Item = f64>| {
        prices.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), price| {
            (low.min(price), high.max(price))
        })
    };
    assert_eq!(
        extremes(&mut shown.iter().copied()),
        extremes(&mut prices.values().copied())
    );
    let times = history["points"]["time"].as_array().unwrap();
    for (time, price) in times.iter().zip(&shown) {
        assert_eq!(prices[&time.as_i64().unwrap()], *price, "at {time}");
    }
    assert_eq!(history["sampled"], false);
    let last = prices.last_key_value().unwrap().1;
    let price = browser
        .until("document.querySelector('h1 data').value")
        .await;
    assert_eq!(price.as_str().unwrap().parse::<f64>().unwrap(), *last);

    // Alerts of three days, from the lake and from the topic, each once.
    let alerts = values(client, "crypto-alerts").await;
    let wanted: Vec<_> = alerts
        .iter()
        .filter(|alert| alert["coin"] == "bitcoin")
        .map(|alert| &alert["alert_id"])
        .collect();
    let marked = history["alerts"].as_array().unwrap();
    let marked: Vec<_> = marked.iter().map(|alert| &alert["alert_id"]).collect();
    assert_eq!(marked, wanted);
    // The chart in words, for those who cannot see it.
    let text = browser
        .run("return document.querySelector('.chart').getAttribute('aria-label')")
        .await;
    assert!(
        text.as_str()
            .unwrap()
            .ends_with(&format!("{} alerts", wanted.len())),
        "{text}"
    );
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
    // How long each stage's SmartModules work on a record, in the drawing and in the table.
    browser
        .until("[...document.querySelectorAll('.pace')].filter((pace) => /^[0-9.]+ (ns|µs|ms) per record$/.test(pace.textContent)).length === 4")
        .await;
    let untold = browser
        .run("return [...document.querySelectorAll('main table tbody tr td:nth-child(3)')].filter((cell) => cell.textContent === '–').length")
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
            "Object.fromEntries([...document.querySelectorAll('section tr')].map((row) => \
             [row.querySelector('th').textContent, Number(row.querySelector('.number').textContent)]))",
        )
        .await;
    assert_eq!(shown, json!(reasons));
}

async fn compare_data(browser: &Browser, client: &Client, lake: &Path) {
    browser.go("#/data/topics/crypto-alerts").await;
    let newest = records(client, "crypto-alerts", 0).await.pop().unwrap();
    browser
        .until(&format!(
            "document.querySelector('.browse td.number')?.textContent === '{}'",
            newest.offset
        ))
        .await;
    browser
        .run("document.querySelector('.browse details summary').click()")
        .await;
    let text = browser
        .until("document.querySelector('.browse details pre')?.textContent")
        .await;
    let shown: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
    assert_eq!(
        shown,
        serde_json::from_slice::<Value>(&newest.value).unwrap()
    );

    // From an offset, and by key.
    browser.go("#/data/topics/crypto-raw?from=100").await;
    browser
        .until("[...document.querySelectorAll('.browse td.number')].at(-1)?.textContent === '100'")
        .await;
    browser.go("#/data/topics/crypto-features?key=solana").await;
    browser
        .until("document.querySelectorAll('.browse td.number').length === 50")
        .await;
    let keys = browser.run("return [...document.querySelectorAll('.browse tbody td:nth-child(3)')].map((k) => k.textContent)").await;
    assert!(
        keys.as_array().unwrap().iter().all(|key| key == "solana"),
        "{keys}"
    );

    // Of a topic with several partitions the newest of all come first, and a key is found wherever it is.
    let topic = TopicSettings::named("in-three-parts").with_partitions(3);
    ensure_topic(client, &topic).await.unwrap();
    for partition in 0..3 {
        let writer =
            TopicWriter::open(client, "in-three-parts", partition, Duration::from_secs(20));
        let record = |nth: u32| Outgoing {
            key: Some(format!("key-{partition}").into()),
            value: format!("{partition}/{nth}").into(),
        };
        writer
            .await
            .unwrap()
            .append(&[record(0), record(1)])
            .await
            .unwrap();
    }
    let shown = "[...document.querySelectorAll('.browse tbody summary')].map((s) => s.textContent).join(' ')";
    browser.go("#/data/topics/in-three-parts").await;
    browser
        .until(&format!("{shown} === '2/1 2/0 1/1 1/0 0/1 0/0'"))
        .await;
    browser.go("#/data/topics/in-three-parts?key=key-2").await;
    browser.until(&format!("{shown} === '2/1 2/0'")).await;
    browser
        .go("#/data/topics/in-three-parts?partition=1&from=1")
        .await;
    browser.until(&format!("{shown} === '1/1'")).await;

    // A layer: as many files as there are, and the first rows of the oldest are the topic's first.
    browser.go("#/data/lake/features").await;
    browser
        .until("document.querySelector('.browse tbody a')")
        .await;
    let (count, _) = files(lake, "features");
    assert!(count > 0);
    browser
        .until(&format!(
            "document.querySelector('.browse .summary').textContent.startsWith('{count} files')"
        ))
        .await;
    browser.run("[...document.querySelectorAll('.browse tbody a')].find((a) => a.href.includes('00000000000000000000')).click()").await;
    browser
        .until("document.querySelector('.browse caption')?.textContent.startsWith('The first')")
        .await;
    let first = browser
        .run(
            "const cells = (row) => [...row.children].map((cell) => cell.textContent); \
             const table = document.querySelector('.browse table'); \
             const heads = cells(table.querySelector('thead tr')); \
             return Object.fromEntries(cells(table.querySelector('tbody tr')).map((cell, i) => [heads[i], cell]))",
        )
        .await;
    let row = &values(client, "crypto-features").await[0];
    assert_eq!(first["coin"], row["coin"]);
    assert_eq!(first["_topic"], "crypto-clean");
    let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    assert_eq!(Some(number(&first["price"])), row["price"].as_f64());
    assert_eq!(Some(number(&first["ma_15m"])), row["ma_15m"].as_f64());
}

/// What a coin is called, and what a payload says, never becomes markup.
async fn show_hostile_names_as_text(browser: &Browser, client: &Client) {
    let now = newest(client, "crypto-features").await["bitcoin"]["event_time"].as_i64();
    let time = rfc3339(now.unwrap() + 60_000);
    let hostile = coin(&json!({
        "id": HOSTILE_ID, "symbol": HOSTILE_SYMBOL, "name": "\"><script>window.hacked=3</script>",
        "current_price": 1.5, "market_cap": 9.9e15, "total_volume": 10.0, "last_updated": time,
    }));
    let broken = Outgoing {
        key: Some(HOSTILE_ID.into()),
        value: "<script>window.hacked=4</script>".into(),
    };
    let mut writer = raw_writer(client).await;
    writer.append(&[hostile, broken]).await.unwrap();

    browser.go("#/market").await;
    let first = "[...document.querySelectorAll('.market tbody a')].find((a) => a.textContent.includes('onerror'))";
    let text = browser.until(&format!("{first}?.textContent")).await;
    assert_eq!(
        text,
        format!("{}{HOSTILE_ID}", HOSTILE_SYMBOL.to_uppercase())
    );
    browser.run(&format!("{first}.click()")).await;
    browser.until(&format!("document.querySelector('h1').textContent.includes({HOSTILE_ID:?}) && document.querySelector('.chart canvas')")).await;
    for topic in [
        "crypto-raw",
        "crypto-clean",
        "crypto-rejected",
        "crypto-features",
    ] {
        browser.go(&format!("#/data/topics/{topic}")).await;
        browser.until("[...document.querySelectorAll('.browse code')].some((c) => c.textContent.includes('hacked'))").await;
        browser
            .run("document.querySelectorAll('.browse summary').forEach((s) => s.click())")
            .await;
    }
    let planted =
        "return [window.hacked ?? null, document.querySelectorAll('main script, main img').length]";
    assert_eq!(browser.run(planted).await, json!([null, 0]));
}
