//! Every page, with the made-up market behind it: first while it runs, then drained, when every number can be compared
//! with topics and lake.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use connector_runtime::cluster::Client;
use connector_runtime::reader;
use connector_runtime::record::Outgoing;
use connector_runtime::writer::TopicWriter;
use replay::MadeUpMarket;
use serde_json::{Value, json};

use crate::ONE_AT_A_TIME;
use crate::browser::Browser;
use crate::platform::{Coinlake, connect, files, holds, records, values};

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
    let demo = Coinlake::start(&[
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
    let broker = demo.says("broker at ");
    let browser = browser.at(format!("http://{}", demo.says("console at http://")));

    watch_it_live(&browser).await;

    let client = connect(&broker).await;
    let total = i64::try_from(MadeUpMarket::default().records_total()).unwrap();
    holds(&client, "crypto-raw", total).await;
    let rejected = reader::offsets(&client, "crypto-rejected", 0)
        .await
        .unwrap()
        .end;
    holds(&client, "crypto-features", total - rejected).await;
    browser.go("#/other").await;

    compare_market(&browser, &client).await;
    compare_alerts(&browser, &client).await;
    compare_chart(&browser, &client).await;
    compare_pipeline(&browser, &client).await;
    compare_data(&browser, &client, &data.path().join("lake")).await;
    compare_models(&browser, data.path()).await;
    show_hostile_names_as_text(&browser, &client).await;
    take_pictures(&browser).await;
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
    choose(browser, "#alert-severity", "critical").await;
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

/// What a person does to a field: a value, and the event that goes with it.
async fn choose(browser: &Browser, field: &str, value: &str) {
    let script = format!(
        "const field = document.querySelector({field:?}); field.value = {value:?}; \
         field.dispatchEvent(new Event(field.tagName === 'SELECT' ? 'change' : 'input'))"
    );
    browser.run(&script).await;
}

/// The newest row of every coin.
async fn newest_features(client: &Client) -> BTreeMap<String, Value> {
    let mut newest = BTreeMap::<String, Value>::new();
    for row in values(client, "crypto-features").await {
        let coin = row["coin"].as_str().unwrap().to_owned();
        let older = newest
            .get(&coin)
            .is_some_and(|known| known["event_time"].as_i64() > row["event_time"].as_i64());
        if !older {
            newest.insert(coin, row);
        }
    }
    newest
}

async fn compare_market(browser: &Browser, client: &Client) {
    let newest = newest_features(client).await;
    browser.go("#/market").await;
    browser
        .until(&format!(
            "document.querySelectorAll('.market tbody tr').length === {}",
            newest.len()
        ))
        .await;
    browser.until("[...document.querySelectorAll('.market tbody td:nth-child(2) data')].every((d) => d.value)").await;
    let rows = browser
        .run(
            "return [...document.querySelectorAll('.market tbody tr')].map((row) => ({ \
             coin: row.querySelector('th .faint').textContent, \
             numbers: [...row.querySelectorAll('data')].map((d) => d.value) }))",
        )
        .await;
    for row in rows.as_array().unwrap() {
        let features = &newest[row["coin"].as_str().unwrap()];
        let fields = [
            "price",
            "return_1m",
            "return_5m",
            "return_15m",
            "zscore_15m",
            "volume_surge",
            "",
            "",
            "market_cap",
        ];
        for (field, shown) in fields.iter().zip(row["numbers"].as_array().unwrap()) {
            if field.is_empty() {
                continue; // a prediction, which is of another topic
            }
            let shown = shown.as_str().unwrap();
            match features[field].as_f64() {
                Some(number) => {
                    assert_eq!(shown.parse::<f64>().unwrap(), number, "{field} of {row}")
                }
                None => assert_eq!(shown, "", "{field} of {row}"),
            }
        }
    }
    // Sorted by what a click says, and found by what is typed.
    browser.run("[...document.querySelectorAll('.market th button')].find((b) => b.textContent === '15 min').click()").await;
    let sorted = "[...document.querySelectorAll('.market tbody tr td:nth-child(5) data')].map((d) => Number(d.value))";
    browser
        .until(&format!(
            "{sorted}.every((v, i, all) => i === 0 || all[i - 1] >= v)"
        ))
        .await;
    choose(browser, "main input[type=search]", "doge").await;
    browser
        .until("[...document.querySelectorAll('.market tbody tr:not([hidden])')].length === 1")
        .await;
}

async fn compare_alerts(browser: &Browser, client: &Client) {
    let alerts = values(client, "crypto-alerts").await;
    assert!(alerts.len() < 1_000, "more than the console holds");
    browser.go("#/alerts").await;
    browser
        .until(&format!(
            "document.querySelector('.summary').textContent.startsWith('{} of', 0)",
            alerts.len()
        ))
        .await;
    choose(browser, "#alert-coin", "bitcoin").await;
    choose(browser, "#alert-severity", "critical").await;
    choose(browser, "#alert-kind", "price_spike").await;
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
    let newest = records(client, "crypto-alerts").await.pop().unwrap();
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

/// A training on the demo's lake: its run, versions and pictures.
async fn compare_models(browser: &Browser, data: &Path) {
    browser.go("#/models").await;
    browser
        .until("document.querySelector('.nothing')?.textContent.startsWith('No run yet')")
        .await;
    let trained = Command::new(env!("CARGO_BIN_EXE_coinlake"))
        .args(["train", "run", "--json", "--data"])
        .arg(data)
        .env_remove("MLFLOW_TRACKING_URI")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&trained.stderr);
    assert!(trained.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&trained.stdout).unwrap();
    browser.go("#/data").await;
    browser.go("#/models").await;
    browser
        .until("document.querySelectorAll('.card.model .versions li').length === 2")
        .await;
    // Five pictures of each model, each of which is one.
    browser
        .until(
            "document.querySelectorAll('.pictures img').length === 10 && \
             [...document.querySelectorAll('.pictures img')].every((i) => i.complete && i.naturalWidth > 0)",
        )
        .await;
    let shown = browser
        .run("return [...document.querySelectorAll('main table td.number')].map((cell) => cell.textContent)")
        .await;
    let models = report["models"].as_array().unwrap();
    let wanted: Vec<_> = models
        .iter()
        .flat_map(|model| ["auc_roc", "auc_pr"].map(|name| &model["metrics"][name]))
        .map(|metric| format!("{:.4}", metric.as_f64().unwrap()))
        .collect();
    assert_eq!(shown, json!(wanted), "{report}");
}

/// What a coin is called, and what a payload says, never becomes markup.
async fn show_hostile_names_as_text(browser: &Browser, client: &Client) {
    let now = newest_features(client).await["bitcoin"]["event_time"]
        .as_i64()
        .unwrap();
    // 2024-01-03T23:59:00.000Z and the like, a minute later.
    let time = browser
        .run(&format!("return new Date({}).toISOString()", now + 60_000))
        .await;
    let coin = json!({
        "id": HOSTILE_ID, "symbol": HOSTILE_SYMBOL, "name": "\"><script>window.hacked=3</script>",
        "current_price": 1.5, "market_cap": 9.9e15, "total_volume": 10.0, "last_updated": time,
    });
    let raw = |value: Vec<u8>| Outgoing {
        key: Some(HOSTILE_ID.into()),
        value: value.into(),
    };
    let mut writer = TopicWriter::open(client, "crypto-raw", 0, Duration::from_secs(20))
        .await
        .unwrap();
    let broken = b"<script>window.hacked=4</script>".to_vec();
    writer
        .append(&[raw(coin.to_string().into_bytes()), raw(broken)])
        .await
        .unwrap();

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

/// Each page, light and dark, wide and narrow.
async fn take_pictures(browser: &Browser) {
    let pages = [
        (
            "market",
            "#/market",
            "document.querySelectorAll('.market tbody tr').length > 9",
        ),
        (
            "chart",
            "#/coin/bitcoin?minutes=1440",
            "document.querySelector('.chart canvas')",
        ),
        ("alerts", "#/alerts", "document.querySelector('.alert')"),
        (
            "pipeline",
            "#/pipeline",
            "document.querySelector('.card.layer .faint')?.textContent",
        ),
        (
            "data",
            "#/data/topics/crypto-features",
            "document.querySelector('.browse td.number')",
        ),
        (
            "models",
            "#/models",
            "document.querySelector('.pictures img')?.naturalWidth > 0",
        ),
        (
            "layer",
            "#/data/lake/features",
            "document.querySelector('.browse tbody a')",
        ),
    ];
    for (scheme, width, height) in [
        ("light", 1280, 860),
        ("dark", 1280, 860),
        ("light", 375, 740),
        ("dark", 375, 740),
    ] {
        browser.size(width, height).await;
        browser.colours(scheme).await;
        for (name, hash, ready) in pages {
            browser.go(hash).await;
            browser.until(ready).await;
            // What is asked for in one frame is drawn in the next.
            browser.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))").await;
            browser
                .screenshot(&format!("{name}-{scheme}-{width}"))
                .await;
            let wider = browser
                .run("return document.documentElement.scrollWidth > innerWidth")
                .await;
            assert_eq!(wider, false, "{name} is wider than a screen of {width}");
        }
    }
}
