//! Whom the console answers and how, and what it says of a platform that is not well.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use connector_runtime::record::Outgoing;
use connector_runtime::topic::TopicSettings;
use connector_runtime::writer::TopicWriter;
use fixtures::broker::TestBroker;
use serde_json::json;

use crate::ONE_AT_A_TIME;
use crate::browser::Browser;
use crate::pictures::look;
use crate::platform::start_console;

/// The head and body of an answer, byte for byte.
fn answer(addr: &str, request_line: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(
        stream,
        "{request_line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn only_this_machine_is_answered_and_only_gets() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let data = tempfile::tempdir().unwrap();
    // No broker there: the page is served all the same, and says so.
    let console = start_console("127.0.0.1:1", data.path(), &[]);
    let addr = console.word_after("console at http://");

    let page = answer(&addr, "GET /", &addr);
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    let head = page.split_once("\r\n\r\n").unwrap().0.to_ascii_lowercase();
    for header in [
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
        "frame-ancestors 'none'",
        "x-content-type-options: nosniff",
    ] {
        assert!(head.contains(header), "{head}");
    }
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains("onclick"));

    // A name of somebody else's that resolves to this machine; whoever means it well reads what to set.
    let refused = answer(&addr, "GET /", "rebound.example");
    assert!(refused.starts_with("HTTP/1.1 421"), "{refused}");
    assert!(refused.contains("console.allowed_hosts"), "{refused}");
    assert!(answer(&addr, "GET /api/layers", "rebound.example:80").starts_with("HTTP/1.1 421"));
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        // This console keeps nothing that people do about alerts.
        for path in [
            "/",
            "/api/layers",
            "/api/records?topic=crypto-raw",
            "/api/alerts",
        ] {
            let said = answer(&addr, &format!("{method} {path}"), &addr);
            assert!(said.starts_with("HTTP/1.1 405"), "{method} {path}: {said}");
        }
    }
    // Nothing beyond the layers of the lake.
    std::fs::write(data.path().join("secret"), "secret").unwrap();
    for path in [
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/Cargo.toml",
        "/api/layer?layer=..",
        "/api/rows?layer=raw&path=secret",
        "/api/rows?layer=raw&path=../secret",
        "/api/run?run=../secret",
    ] {
        let said = answer(&addr, &format!("GET {path}"), &addr);
        assert!(said.starts_with("HTTP/1.1 404"), "{path}: {said}");
    }
    let said = answer(&addr, "GET /api/topics", "localhost");
    assert!(
        said.starts_with("HTTP/1.1 502") && said.contains("no Fluvio cluster at 127.0.0.1:1"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_red_and_says_what_to_do() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir(data.path().join("lake")).unwrap();
    // Nothing has been deployed there.
    let mut broker = TestBroker::start().await;
    let console = start_console(&broker.addr().to_string(), &data.path().join("lake"), &[]);
    let browser = browser.at(format!(
        "http://{}",
        console.word_after("console at http://")
    ));
    browser.go("#/pipeline").await;
    // Every topic, wherever it stands in the drawing, and every stage whose SmartModule is missing.
    browser
        .until("document.querySelectorAll('.card.topic.wrong').length === 8 && document.querySelectorAll('.card.stage.wrong').length === 4")
        .await;
    let remedies = browser
        .run("return [...document.querySelectorAll('.wrong .alarm')].every((a) => a.textContent.includes('`coinlake deploy` creates it'))")
        .await;
    assert_eq!(remedies, true);
    browser
        .until("document.getElementById('health').dataset.state === 'wrong' && document.getElementById('health-text').textContent === '10 problems'")
        .await;
    look(&browser, "pipeline-wrong").await;

    // A platform that has just been started has nothing yet, and says what to wait for.
    for (name, hash) in [
        ("market-new", "#/market"),
        ("alerts-new", "#/alerts"),
        ("models-new", "#/models"),
    ] {
        browser.go(hash).await;
        browser
            .until("document.querySelector('main .nothing:not([hidden])')")
            .await;
        look(&browser, name).await;
    }
    what_is_not_there_is_said(&browser).await;
    the_smallest_price_is_not_zero(&browser).await;
    a_chart_that_was_opened_too_early_appears(&browser, &broker).await;
    // Nobody has trained: there are no models to ask for.
    browser.forget_complaints().await;
    browser.go("#/pipeline").await;

    many_topics_are_listed_at_once(&browser, &broker).await;
    let addr = broker.addr().to_string();
    broker.stop().await;
    browser
        .until(&format!(
            "document.querySelectorAll('.problems li').length === 1 && document.querySelector('.problems li').textContent.includes('{addr}')"
        ))
        .await;
    look(&browser, "pipeline-no-broker").await;
    browser.close().await;
}

/// Pages and partitions; the way past the navigation leaves the page where it is.
async fn what_is_not_there_is_said(browser: &Browser) {
    browser.go("#/constructor/x").await;
    browser
        .until("document.title === 'Not found · Coinlake' && document.querySelector('h1').textContent === 'Not found'")
        .await;
    browser.go("#/market").await;
    browser
        .run("document.querySelector('.skip').click(); location.reload()")
        .await;
    browser
        .until(
            "location.hash === '#/market' && document.querySelector('main .nothing:not([hidden])')",
        )
        .await;
    browser.run("document.querySelector('.skip').click()").await;
    browser
        .until("location.hash === '#/market' && document.activeElement.id === 'main'")
        .await;
    let status = "return fetch('api/records?topic=consumer-offset&partition=4294967295').then((answer) => answer.status)";
    assert_eq!(browser.run(status).await, 404);
}

/// As of coins that CoinGecko has.
async fn the_smallest_price_is_not_zero(browser: &Browser) {
    let written = browser
        .run("return import(new URL('format.js', document.querySelector('script[type=module]').src)).then(({ price }) => [1e-18, 6.245e-14, 0.5].map(price))")
        .await;
    let wanted = json!(["0.00000000000000000100", "0.00000000000006245", "0.50000"]);
    assert_eq!(written, wanted);
}

async fn a_chart_that_was_opened_too_early_appears(browser: &Browser, broker: &TestBroker) {
    browser.go("#/coin/bitcoin").await;
    browser
        .until(
            "document.querySelector('.nothing').textContent.startsWith('there are no prices yet')",
        )
        .await;
    for topic in ["crypto-features", "crypto-predictions", "crypto-alerts"] {
        broker.create_topic(topic, 1).await;
    }
    let tick = |minute: i64| {
        let row = json!({
            "source_offset": minute, "raw_offset": minute, "status": "features", "coin": "bitcoin", "symbol": "btc",
            "event_time": minute * 60_000, "fetched_at": minute * 60_000, "price": 60_000 + minute,
        });
        Outgoing {
            key: Some("bitcoin".into()),
            value: row.to_string().into(),
        }
    };
    let mut writer = TopicWriter::open(
        broker.client(),
        "crypto-features",
        0,
        Duration::from_secs(20),
    )
    .await
    .unwrap();
    writer.append(&[tick(0), tick(1)]).await.unwrap();
    browser
        .until("document.querySelector('.chart canvas') && document.querySelector('data.price').value === '60001'")
        .await;
    // It is live from then on.
    writer.append(&[tick(2)]).await.unwrap();
    browser
        .until("document.querySelector('data.price').value === '60002'")
        .await;
    let alerts = TopicWriter::open(broker.client(), "crypto-alerts", 0, Duration::from_secs(20));
    let mut alerts = alerts.await.unwrap();
    an_alert_that_comes_while_the_past_is_read_again_stays(browser, &mut alerts).await;
    rules_are_shown_as_they_are_now(browser, &mut alerts).await;
}

fn alert(source_offset: i64, event_time: i64) -> Outgoing {
    let row = json!({
        "source_offset": source_offset, "alert_id": format!("bitcoin:{event_time}"), "coin": "bitcoin", "symbol": "btc",
        "event_time": event_time, "price": 60_000.0, "kinds": ["rule:calm"], "severity": "warning", "score": 0.5,
        "zscore_15m": null, "move_15m": null, "return_15m": null, "return_zscore_15m": null, "volume_surge": null,
        "volume_ratio": null, "message": "BTC is calm",
    });
    Outgoing {
        key: Some("bitcoin".into()),
        value: row.to_string().into(),
    }
}

/// As on a lake that takes its time.
async fn an_alert_that_comes_while_the_past_is_read_again_stays(
    browser: &Browser,
    alerts: &mut TopicWriter,
) {
    browser
        .run(
            "const ask = window.fetch; \
             window.fetch = async (path, options) => { \
               const answer = await ask(path, options); \
               if (path.startsWith('api/history')) await new Promise((answered) => { window.answered = answered; }); \
               return answer; \
             }; \
             const look = (state) => { \
               Object.defineProperty(document, 'visibilityState', { value: state, configurable: true }); \
               document.dispatchEvent(new Event('visibilitychange')); \
             }; \
             look('hidden'); \
             look('visible')",
        )
        .await;
    browser.until("window.answered").await;
    alerts.append(&[alert(0, 60_000)]).await.unwrap();
    browser
        .until("document.querySelector('.alerts .alert')")
        .await;
    browser.run("document.title = ''; window.answered()").await;
    browser.until("document.title !== ''").await;
    let drawn = "return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(drawn))))";
    browser.run(drawn).await;
    assert_eq!(
        browser
            .run("return document.querySelectorAll('.alerts .alert').length")
            .await,
        1
    );
}

/// A rule that fired before anybody knew it, that is known then, and that goes.
async fn rules_are_shown_as_they_are_now(browser: &Browser, alerts: &mut TopicWriter) {
    let says = async |list: serde_json::Value| {
        browser.run(&format!("window.rules = {list}")).await;
    };
    browser
        .run(
            "const ask = window.fetch; \
             window.fetch = (path, options) => \
               path.startsWith('api/rules') ? Promise.resolve(new Response(JSON.stringify(window.rules))) : ask(path, options)",
        )
        .await;
    let last = json!({ "event_time": 60_000, "coin": "bitcoin" });
    let named = json!({ "name": "calm", "coins": [], "when": null, "severity": null, "repeat_seconds": null, "last": last });
    says(json!({ "known": false, "rules": [named] })).await;
    browser.go("#/alerts").await;
    let row = "document.querySelector('.rules tbody tr')";
    browser
        .until(&format!("{row}?.textContent.includes('not yet, among')"))
        .await;
    let rule = json!({ "name": "calm", "coins": [], "when": "price < 0", "severity": "warning", "repeat_seconds": 900, "last": last });
    says(json!({ "known": true, "rules": [rule] })).await;
    alerts.append(&[alert(1, 120_000)]).await.unwrap();
    browser
        .until(&format!(
            "{row}.cells[1].textContent === 'all' && {row}.cells[2].textContent === 'price < 0' && {row}.cells[4].textContent === '1970-01-01 00:01:00 on bitcoin'"
        ))
        .await;
    says(json!({ "known": true, "rules": [] })).await;
    alerts.append(&[alert(2, 180_000)]).await.unwrap();
    browser
        .until(&format!("{row} === null && document.querySelector('.rules summary').textContent === 'Your rules (0)'"))
        .await;
}

/// 200 topics of 5 partitions: the cluster is asked for all of them at once, not each for its partitions.
async fn many_topics_are_listed_at_once(browser: &Browser, broker: &TestBroker) {
    const TOPICS: usize = 200;
    const PATIENCE: Duration = Duration::from_secs(2);
    let admin = broker.client().admin().await;
    for number in 0..TOPICS {
        let topic = TopicSettings::named(format!("one-of-many-{number}")).with_partitions(5);
        let name = topic.name.clone();
        admin.create(name, false, topic.spec()).await.unwrap();
    }
    let started = Instant::now();
    let listed = browser
        .run("return fetch('/api/topics').then((answer) => answer.json())")
        .await;
    let took = started.elapsed();
    println!("{TOPICS} topics of 5 partitions listed in {took:?}");
    let listed = listed.as_array().unwrap();
    let many = listed.iter().filter(|topic| topic["partitions"] == 5);
    assert_eq!(many.count(), TOPICS);
    assert!(took < PATIENCE, "{took:?}");
}
