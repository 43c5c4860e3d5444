//! The Market page's numbers, and those of the topics.

use std::collections::BTreeMap;

use connector_runtime::cluster::Client;
use fixtures::topic::records;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::platform::{Newest, newest};

/// The page's columns, and the topic each comes from; predictions may not be there yet.
const COLUMNS: [(&str, &str); 12] = [
    ("crypto-features", "price"),
    ("crypto-features", "return_1m"),
    ("crypto-features", "return_5m"),
    ("crypto-features", "return_15m"),
    ("crypto-features", "change_24h_pct"),
    ("crypto-features", "zscore_15m"),
    ("crypto-features", "volume_surge"),
    ("crypto-predictions", "anomaly_probability"),
    ("crypto-predictions", "trend_up_probability"),
    ("crypto-features", "event_time"),
    ("crypto-features", "volume_24h"),
    ("crypto-features", "market_cap"),
];

pub(crate) async fn compare_market(browser: &Browser, client: &Client) {
    let features = newest(client, "crypto-features").await;
    let predictions = newest(client, "crypto-predictions").await;
    let names = names(client).await;
    browser.go("#/market").await;
    browser
        .until(&format!(
            "document.querySelectorAll('.market tbody tr').length === {}",
            features.len()
        ))
        .await;
    browser.until("[...document.querySelectorAll('.market tbody td:nth-child(2) data')].every((d) => d.value)").await;
    browser
        .until(&format!(
            "[...document.querySelectorAll('.market tbody tr')].every((row) => row.querySelector('th .faint').textContent === ({})[row.dataset.coin])",
            json!(names)
        ))
        .await;
    let rows = browser
        .run(
            "return [...document.querySelectorAll('.market tbody tr')].map((row) => ({ \
             coin: row.dataset.coin, \
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
    say_what_moved_most(browser, &features).await;
}

/// Which coin moved most in 24 hours is said without a click.
async fn say_what_moved_most(browser: &Browser, features: &Newest) {
    let changes = features
        .values()
        .filter_map(|row| Some((row["change_24h_pct"].as_f64()?, row)));
    let most = changes.max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
    let (change, row) = most.unwrap();
    let symbol = row["symbol"].as_str().unwrap().to_uppercase();
    let wanted = format!("; {symbol} moved most in 24 h, {change:+.2} %");
    browser
        .until(&format!(
            "document.getElementById('market-summary').textContent.endsWith({wanted:?})"
        ))
        .await;
}

/// What coins are called, by the first that crypto-raw says.
async fn names(client: &Client) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for record in records(client, "crypto-raw", 0).await {
        // Not all of them are coins.
        let Ok(object) = serde_json::from_slice::<Value>(&record.value) else {
            continue;
        };
        if let (Some(id), Some(name)) = (object["id"].as_str(), object["name"].as_str()) {
            names.entry(id.to_owned()).or_insert(name.to_owned());
        }
    }
    names
}

/// Sorted by what a click says, and found by what is typed; the address has both.
pub(crate) async fn sort_and_find(browser: &Browser) {
    browser.run("[...document.querySelectorAll('.market th button')].find((b) => b.textContent === '15 min').click()").await;
    let sorted = "[...document.querySelectorAll('.market tbody tr td:nth-child(5) data')].map((d) => Number(d.value))";
    let falling = format!("{sorted}.every((v, i, all) => i === 0 || all[i - 1] >= v)");
    browser.until(&falling).await;
    browser.choose("main input[type=search]", "doge").await;
    let one = "[...document.querySelectorAll('.market tbody tr:not([hidden])')].length === 1";
    browser.until(one).await;
    let hash = browser.run("return location.hash").await;
    assert_eq!(hash, "#/market?sort=return_15m&find=doge");
    // There and back.
    browser
        .run("document.querySelector('.market tbody tr:not([hidden]) a').click()")
        .await;
    browser
        .until("document.querySelector('.chart canvas')")
        .await;
    browser.run("history.back()").await;
    browser
        .until("document.querySelectorAll('.market tbody tr').length > 1")
        .await;
    browser.until(one).await;
    browser.until(&falling).await;

    browser
        .choose("main input[type=search]", "no such coin")
        .await;
    browser
        .until("[...document.querySelectorAll('main .nothing')].some((text) => !text.hidden && text.textContent.startsWith('No coin matches “no such coin”'))")
        .await;
    // And how to undo it.
    browser
        .run("document.querySelector('main .nothing:not([hidden]) button').click()")
        .await;
    browser
        .until("[...document.querySelectorAll('main .nothing')].every((text) => text.hidden) && location.hash === '#/market?sort=return_15m'")
        .await;
    // Digits that the cell has no room for are at hand.
    browser
        .until("[...document.querySelectorAll('.market tbody td:nth-child(2) data')].every((d) => d.title === `${Number(d.value)} USD`)")
        .await;
}

/// Coins with a star, which the browser keeps.
pub(crate) async fn watch_coins(browser: &Browser) {
    let shown = "[...document.querySelectorAll('.market tbody tr')].filter((row) => row.offsetHeight > 0).map((row) => row.dataset.coin).join()";
    let press = async |coin: &str| {
        browser
            .run(&format!(
                "document.querySelector('.market tr[data-coin={coin}] .star').click()"
            ))
            .await;
    };
    let only = "document.querySelector('.switches [aria-pressed]')";
    browser.go("#/market").await;
    browser
        .until("document.querySelector('.market tr[data-coin=dogecoin] .star')")
        .await;
    browser.run(&format!("{only}.click()")).await;
    browser
        .until("document.querySelector('main .nothing:not([hidden])')?.textContent.startsWith('You watch no coin yet')")
        .await;
    browser
        .run("document.querySelector('main .nothing:not([hidden]) button').click()")
        .await;
    press("dogecoin").await;
    press("solana").await;
    browser.run(&format!("{only}.click()")).await;
    browser
        .until(&format!("{shown} === 'solana,dogecoin'"))
        .await;
    assert_eq!(
        browser.run("return location.hash").await,
        "#/market?show=watched"
    );
    browser.run("location.reload()").await;
    browser
        .until(&format!(
            "document.querySelector('.market') && {shown} === 'solana,dogecoin' && {only}.getAttribute('aria-pressed') === 'true'"
        ))
        .await;
    press("solana").await;
    press("dogecoin").await;
    browser
        .until("document.querySelector('main .nothing:not([hidden])')?.textContent.startsWith('You watch no coin yet')")
        .await;
}

/// On each screen the columns that matter are in sight, and the head stays in sight when the page scrolls.
pub(crate) async fn columns_fit(browser: &Browser) {
    browser.go("#/market").await;
    browser
        .until("document.querySelectorAll('.market tbody tr').length > 9")
        .await;
    let always = ["Coin", "Price, USD", "24 h", "Last hour"];
    for (width, count) in [(390, 4), (1024, 11), (1440, 14)] {
        browser.size(width, 420).await;
        let heads = browser
            .run(
                "return [...document.querySelectorAll('.market thead th')].filter((head) => head.offsetWidth > 0)\
                 .map((head) => [head.textContent, head.getBoundingClientRect().right <= innerWidth])",
            )
            .await;
        let heads = heads.as_array().unwrap();
        assert_eq!(heads.len(), count, "{width}: {heads:?}");
        for head in heads {
            assert_eq!(head[1], true, "{width}: {head}");
        }
        for name in always {
            assert!(heads.iter().any(|head| head[0] == name), "{width}: {name}");
        }
        // No cell is cut.
        let cut = browser
            .run(
                "return [...document.querySelectorAll('.market tbody td.number')].filter((cell) => cell.offsetWidth > 0 && \
                 cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent)",
            )
            .await;
        assert_eq!(cut, json!([]), "{width}");
        browser.run("scrollTo(0, 200)").await;
        let top = browser
            .run("return [scrollY > 0, document.querySelector('.market thead').getBoundingClientRect().top, document.querySelector('.top').getBoundingClientRect().bottom]")
            .await;
        assert_eq!(top[0], true, "{width}: {top}");
        assert_eq!(top[1], top[2], "{width}");
        browser.screenshot(&format!("market-columns-{width}")).await;
    }
    browser.size(1280, 860).await;
}
