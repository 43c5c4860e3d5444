//! The Market page's numbers, and those of the topics.

use connector_runtime::cluster::Client;

use crate::browser::Browser;
use crate::platform::newest;

/// The page's columns, and the topic each comes from; predictions may not be there yet.
const COLUMNS: [(&str, &str); 10] = [
    ("crypto-features", "price"),
    ("crypto-features", "return_1m"),
    ("crypto-features", "return_5m"),
    ("crypto-features", "return_15m"),
    ("crypto-features", "zscore_15m"),
    ("crypto-features", "volume_surge"),
    ("crypto-predictions", "anomaly_probability"),
    ("crypto-predictions", "trend_up_probability"),
    ("crypto-features", "event_time"),
    ("crypto-features", "market_cap"),
];

pub async fn compare_market(browser: &Browser, client: &Client) {
    let features = newest(client, "crypto-features").await;
    let predictions = newest(client, "crypto-predictions").await;
    browser.go("#/market").await;
    browser
        .until(&format!(
            "document.querySelectorAll('.market tbody tr').length === {}",
            features.len()
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
        let coin = row["coin"].as_str().unwrap();
        let shown = row["numbers"].as_array().unwrap();
        assert_eq!(shown.len(), COLUMNS.len(), "{row}");
        for ((topic, field), shown) in COLUMNS.into_iter().zip(shown) {
            let held = match topic {
                "crypto-features" => features[coin][field].as_f64(),
                _ => predictions.get(coin).and_then(|row| row[field].as_f64()),
            };
            let shown = shown.as_str().unwrap();
            match held {
                Some(number) => {
                    assert_eq!(shown.parse::<f64>().unwrap(), number, "{field} of {row}")
                }
                None => assert_eq!(shown, "", "{field} of {row}"),
            }
        }
    }
}

/// Sorted by what a click says, and found by what is typed.
pub async fn sort_and_find(browser: &Browser) {
    browser.run("[...document.querySelectorAll('.market th button')].find((b) => b.textContent === '15 min').click()").await;
    let sorted = "[...document.querySelectorAll('.market tbody tr td:nth-child(5) data')].map((d) => Number(d.value))";
    browser
        .until(&format!(
            "{sorted}.every((v, i, all) => i === 0 || all[i - 1] >= v)"
        ))
        .await;
    browser.choose("main input[type=search]", "doge").await;
    browser
        .until("[...document.querySelectorAll('.market tbody tr:not([hidden])')].length === 1")
        .await;
}
