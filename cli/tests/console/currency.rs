//! A platform in another currency: every page says which, beside the platform and far from it.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use connector_runtime::clock::Clock;
use fixtures::patience::eventually;
use fixtures::process::{Process, coinlake};
use fixtures::tables;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::ONE_AT_A_TIME;
use crate::browser::Browser;
use crate::chart::saved_file;
use crate::platform::{connect, holds, start_console, values};
use crate::ticking::{coin, raw_writer, rfc3339};

const MINUTE_MS: i64 = 60_000;
/// Pages that show money.
const PAGES: [(&str, &str); 3] = [
    (
        "#/market",
        "document.querySelector('.market [data-coin=loud-coin] td:nth-child(2) data')?.title === '125 EUR'",
    ),
    (
        "#/alerts",
        "document.querySelector('.alert')?.textContent.includes('rose to 125 EUR, ')",
    ),
    (
        "#/coin/loud-coin",
        "document.querySelector('.chart canvas') && document.querySelector('h1').textContent.endsWith(' 125.0000 EUR')",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_page_says_what_prices_are_in() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let base_url = market_in_euros(Arc::clone(&asked)).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "coingecko: {{base_url: {base_url}, ids: [calm-coin], vs_currency: eur, history: off}}\n\
         broker: {{listen: 0}}\nconsole: {{listen: 0}}\ncommit_interval: 1s\n"
    );
    fs::write(folder.path().join("coinlake.yaml"), settings).unwrap();
    let mut command = coinlake(&["up"]);
    command.current_dir(folder.path());
    let up = Process::start(command);
    let broker = up.word_after("broker at ");
    let client = connect(&broker).await;
    let console = up.word_after("console at http://");
    let browser = browser.at(format!("http://{}", console.trim_end_matches(';')));

    // Nobody else writes until the next poll, a minute later.
    holds(&client, "crypto-raw", 1).await;
    let now = Clock::of_process().unwrap().now_ms();
    let jump = (0..13).map(|minute| {
        let price = if minute < 12 { 100.0 } else { 125.0 };
        tick("loud-coin", price, now - (12 - minute) * MINUTE_MS)
    });
    let jump: Vec<_> = jump.map(|object| coin(&object)).collect();
    raw_writer(&client).await.append(&jump).await.unwrap();
    for (hash, ready) in PAGES {
        says_euros(&browser, hash, ready).await;
    }
    let (_, rows) = saved_file(&browser).await;
    let place = rows[0].iter().position(|head| head == "currency").unwrap();
    assert!(rows.len() > 12 && rows[1..].iter().all(|row| row[place] == "EUR"));
    let alerts = values(&client, "crypto-alerts").await;
    let message = alerts[0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("LOUD-COIN rose to 125 EUR, "),
        "{message}"
    );
    assert!(asked.lock().iter().all(|currency| currency == "eur"));

    // A console beside it finds it in the lake.
    let lake = folder.path().join("coinlake-data/lake");
    eventually("a commit says the currency", async || {
        tables::snapshot(&lake, "alerts").is_some_and(|alerts| !alerts.stamps().is_empty())
    })
    .await;
    let other = start_console(&broker, &lake, &[]);
    let browser = browser.at(format!("http://{}", other.word_after("console at http://")));
    browser.go("#/other").await;
    browser
        .until("fetch('/').then((answer) => answer.text()).then((page) => { window.page = page; }) && window.page?.includes('data-currency=\"EUR\"')")
        .await;
    for (hash, ready) in PAGES {
        browser.run("location.reload()").await;
        says_euros(&browser, hash, ready).await;
    }
}

async fn says_euros(browser: &Browser, hash: &str, ready: &str) {
    browser.go(hash).await;
    browser.until(ready).await;
    let text = browser.run("return document.body.innerText").await;
    let text = text.as_str().unwrap();
    assert!(
        text.contains("EUR") && !text.contains("USD"),
        "{hash}: {text}"
    );
}

fn tick(id: &str, price: f64, time_ms: i64) -> Value {
    json!({
        "id": id, "symbol": id, "name": id, "current_price": price, "market_cap": 1.0e9, "total_volume": 1.0e6,
        "last_updated": rfc3339(time_ms),
    })
}

/// A CoinGecko that notes in which currency it was asked.
async fn market_in_euros(asked: Arc<Mutex<Vec<String>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v3", listener.local_addr().unwrap());
    let markets = async move |Query(query): Query<HashMap<String, String>>| -> Response {
        asked.lock().extend(query.get("vs_currency").cloned());
        if query.get("page").is_some_and(|page| page != "1") {
            return Json(json!([])).into_response();
        }
        let now = Clock::of_process().unwrap().now_ms();
        Json(json!([tick("calm-coin", 1.0, now)])).into_response()
    };
    let app = Router::new()
        .route("/api/v3/coins/markets", get(markets))
        .fallback(async || StatusCode::NOT_FOUND);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}
