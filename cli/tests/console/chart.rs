//! A coin's chart beside the topics: its ticks, panes, candles, dates, comparison and file.

use std::collections::BTreeMap;

use connector_runtime::cluster::Client;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::platform::{newest, values};

const MINUTE_MS: i64 = 60_000;
pub(crate) const WEEK: &str = "#/coin/bitcoin?minutes=10080";
const HISTORY: &str =
    "return fetch('/api/history?coin=bitcoin&minutes=10080').then((answer) => answer.json())";
pub(crate) const DRAWN: &str = "document.querySelector('.chart canvas')";
pub(crate) const SUMMARY: &str = "document.querySelector('.summary').textContent";
pub(crate) const ZOOM_OUT: &str = "document.querySelector('.summary button')";

/// How much of the price plot's height the price line takes.
const HEIGHT_OF_THE_LINE: &str = "
    const canvas = document.querySelector('.chart canvas'), over = document.querySelector('.chart .u-over').getBoundingClientRect();
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
    const probe = document.createElement('span');
    probe.style.color = 'var(--accent)';
    document.body.append(probe);
    const ink = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
    probe.remove();
    let [top, bottom] = [Infinity, -Infinity];
    for (let at = 0; at < pixels.length; at += 4) {
        if (pixels[at + 3] !== 255 || !ink.every((part, i) => pixels[at + i] === part)) continue;
        const y = Math.floor(at / 4 / canvas.width);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y);
    }
    return (bottom - top) / over.height;";

/// A coin's ticks by time.
pub(crate) type Ticks = BTreeMap<i64, Value>;

pub(crate) async fn ticks(client: &Client, coin: &str) -> Ticks {
    let rows = values(client, "crypto-features").await.into_iter();
    let rows = rows.filter(|row| row["coin"] == coin);
    rows.map(|row| (row["event_time"].as_i64().unwrap(), row))
        .collect()
}

fn price(tick: &Value) -> f64 {
    tick["price"].as_f64().unwrap()
}

pub(crate) fn lowest_and_highest(ticks: &Ticks) -> (f64, f64) {
    let prices = ticks.values().map(price);
    prices.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), price| {
        (low.min(price), high.max(price))
    })
}

/// A price as the page has it, of 1,000 or more.
pub(crate) fn usd(price: f64) -> String {
    let text = format!("{price:.2}");
    let place = text.len() - 6;
    format!("{},{}", &text[..place], &text[place..])
}

/// The change from the first to the last tick as the page has it.
pub(crate) fn change(ticks: &Ticks) -> String {
    let (first, last) = (ticks.first_key_value(), ticks.last_key_value());
    let change = price(last.unwrap().1) / price(first.unwrap().1) - 1.0;
    format!("{:+.2} %", 100.0 * change)
}

async fn click(browser: &Browser, text: &str) {
    browser
        .until(&format!(
            "[...document.querySelectorAll('main a, main button')].find((it) => it.textContent === {text:?})"
        ))
        .await;
    browser
        .run(&format!(
            "[...document.querySelectorAll('main a, main button')].find((it) => it.textContent === {text:?}).click()"
        ))
        .await;
}

pub(crate) async fn compare_chart(browser: &Browser, client: &Client) {
    browser.go("#/market").await;
    browser
        .until("document.querySelector('.market a[href=\"#/coin/bitcoin\"]')")
        .await;
    browser
        .run("document.querySelector('.market a[href=\"#/coin/bitcoin\"]').click()")
        .await;
    browser.until(DRAWN).await;
    // From here by link to the whole of it, most of which only the lake still has.
    click(browser, "7 days").await;
    browser
        .until(&format!("document.querySelector('.ranges[aria-label=\"Time range\"] a[aria-current]').textContent === '7 days' && {DRAWN}"))
        .await;

    let ticks = ticks(client, "bitcoin").await;
    let history = browser.run(HISTORY).await;
    let points = &history["points"];
    let times = points["time"].as_array().unwrap();
    assert_eq!(times.len(), ticks.len(), "every tick");
    assert_eq!(history["ticks"], ticks.len());
    for (place, time) in times.iter().enumerate() {
        let tick = &ticks[&time.as_i64().unwrap()];
        for column in ["price", "ma_5m", "ma_15m", "volume_24h", "zscore_15m"] {
            assert_eq!(points[column][place], tick[column], "{column} at {time}");
        }
    }
    compare_candles(&history["candles"], &ticks);
    let last = ticks.last_key_value().unwrap().1;
    let number = async |place: &str| {
        let shown = browser
            .until(&format!("document.querySelector('{place} data').value"))
            .await;
        shown.as_str().unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(number("h1").await, price(last));
    for column in ["volume_24h", "zscore_15m"] {
        let shown = number(&format!(".pane:not([hidden]) [data-of={column}]")).await;
        assert_eq!(Some(shown), last[column].as_f64(), "{column}");
    }
    assert_eq!(
        browser
            .run("return [document.querySelector('.crumbs').textContent, document.title]")
            .await,
        json!(["Market / Bitcoin", "Bitcoin · Coinlake"])
    );
    let title = browser
        .run("return document.querySelector('h1').textContent")
        .await;
    assert_eq!(title, format!("Bitcoin BTC {} USD", usd(price(last))));

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
    let (low, high) = lowest_and_highest(&ticks);
    for part in [
        change(&ticks),
        format!("low {}", usd(low)),
        format!("high {}", usd(high)),
        format!("{} alerts", wanted.len()),
    ] {
        assert!(text.as_str().unwrap().contains(&part), "{part} in {text}");
    }
    // The scale is that of the price, however wide the band.
    let height = browser.run(HEIGHT_OF_THE_LINE).await;
    assert!(height.as_f64().unwrap() > 0.7, "{height}");
}

/// Each stretch has its first, highest, lowest and last price.
pub(crate) fn compare_candles(candles: &Value, ticks: &Ticks) {
    let stretch = candles["stretch_ms"].as_i64().unwrap();
    assert_eq!(stretch, 60 * MINUTE_MS);
    let mut wanted: Vec<(i64, Vec<f64>)> = Vec::new();
    for (time, tick) in ticks {
        let begin = time - time.rem_euclid(stretch);
        match wanted.last_mut() {
            Some((last, prices)) if *last == begin => prices.push(price(tick)),
            _ => wanted.push((begin, vec![price(tick)])),
        }
    }
    let column = |of: &dyn Fn(&[f64]) -> f64| {
        let values = wanted.iter().map(|(_, prices)| of(prices));
        json!(values.collect::<Vec<_>>())
    };
    let begins: Vec<i64> = wanted.iter().map(|(begin, _)| *begin).collect();
    assert_eq!(candles["time"], json!(begins));
    assert_eq!(candles["open"], column(&|prices| prices[0]));
    assert_eq!(candles["close"], column(&|prices| prices[prices.len() - 1]));
    let high = |prices: &[f64]| prices.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let low = |prices: &[f64]| prices.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(candles["high"], column(&high));
    assert_eq!(candles["low"], column(&low));
}

/// What a reader chooses: candles, a part, dates, a second coin. The address has it, and the file has what is shown.
pub(crate) async fn choose_on_the_chart(browser: &Browser, client: &Client) {
    let ticks_of = async |coin| ticks(client, coin).await;
    let ticks = ticks_of("bitcoin").await;
    browser.go("#/other").await;
    browser.go(WEEK).await;
    browser.until(DRAWN).await;
    let all = browser.until(SUMMARY).await;

    drag_over_the_chart(browser).await;
    browser.until(&format!("!{ZOOM_OUT}.hidden")).await;
    let (name, rows) = saved_file(browser).await;
    assert!(name.starts_with("bitcoin-2024-01-0"), "{name}");
    let part = ticks_of_file(&rows, &ticks);
    assert!(
        part.len() > ticks.len() / 8 && part.len() < ticks.len() / 2,
        "{}",
        part.len()
    );
    let (low, high) = lowest_and_highest(&part);
    let words = format!("low {}, high {}", usd(low), usd(high));
    let summary = browser.run(&format!("return {SUMMARY}")).await;
    let summary = summary.as_str().unwrap();
    assert!(summary.starts_with(&change(&part)), "{summary}");
    assert!(summary.contains(&words), "{words} in {summary}");
    browser.run(&format!("{ZOOM_OUT}.click()")).await;
    browser
        .until(&format!("{ZOOM_OUT}.hidden && {SUMMARY} === {all}"))
        .await;

    click(browser, "Candles").await;
    browser
        .until("location.hash === '#/coin/bitcoin?minutes=10080&as=candles' && document.querySelector('.ranges a[aria-current]').textContent === 'Candles'")
        .await;
    browser.until(DRAWN).await;
    let (_, rows) = saved_file(browser).await;
    let candles = &browser.run(HISTORY).await["candles"];
    assert_eq!(
        rows[0],
        ["begin", "coin", "open", "high", "low", "close", "currency"]
    );
    assert_eq!(rows.len() - 1, candles["time"].as_array().unwrap().len());
    for (place, row) in rows[1..].iter().enumerate() {
        for (column, cell) in ["open", "high", "low", "close"].iter().zip(&row[2..]) {
            assert_eq!(Some(cell.parse().unwrap()), candles[column][place].as_f64());
        }
    }

    choose_dates(browser, &ticks).await;

    // The symbol of a second coin will do.
    browser.go("#/other").await;
    browser.go(WEEK).await;
    browser
        .until("document.querySelectorAll('#coins option').length > 8")
        .await;
    browser.choose("input[list=coins]", "ETH").await;
    click(browser, "Compare").await;
    browser
        .until("location.hash === '#/coin/bitcoin?minutes=10080&with=ethereum'")
        .await;
    browser.until(DRAWN).await;
    let other = ticks_of("ethereum").await;
    let words = [
        format!("bitcoin {} since ", change(&ticks)),
        " d of data), ".to_owned(),
        format!(", ethereum {}, ", change(&other)),
    ];
    let summary = browser.until(SUMMARY).await;
    for part in words {
        assert!(
            summary.as_str().unwrap().contains(&part),
            "{part} in {summary}"
        );
    }
    // Where one of the two has no tick, the legend says where its last one left it.
    let untold = browser
        .run("return [...document.querySelectorAll('.u-legend .u-value')].filter((it) => it.textContent === '–').length")
        .await;
    assert_eq!(untold, 0);
    let (_, rows) = saved_file(browser).await;
    assert_eq!(rows.len() - 1, ticks.len() + other.len());
    let last = rows.last().unwrap();
    assert_eq!(last[1], "ethereum");
    assert_eq!(
        format!("{:+.2} %", 100.0 * last[3].parse::<f64>().unwrap()),
        change(&other)
    );
}

/// Dates by hand are the range.
async fn choose_dates(browser: &Browser, ticks: &Ticks) {
    let minute = |time: i64| {
        let time = jiff::Timestamp::from_millisecond(time).unwrap();
        time.strftime("%Y-%m-%dT%H:%M").to_string()
    };
    let first = *ticks.first_key_value().unwrap().0;
    let [from, to] = [300, 420].map(|minutes| first - first % MINUTE_MS + minutes * MINUTE_MS);
    let choose = async |from: &str, to: &str| {
        browser
            .choose(
                ".more label:nth-of-type(1) input[type=datetime-local]",
                from,
            )
            .await;
        browser
            .choose(".more label:nth-of-type(2) input[type=datetime-local]", to)
            .await;
        click(browser, "Show dates").await;
    };
    choose(&minute(to), &minute(from)).await;
    browser
        .until("[...document.querySelectorAll('[role=alert]')].some((it) => it.textContent === 'The first date must be before the last.')")
        .await;
    choose(&minute(from), &minute(to)).await;
    let hash = format!(
        "#/coin/bitcoin?from={}&to={}&as=candles",
        minute(from),
        minute(to)
    );
    browser.until(&format!("location.hash === {hash:?}")).await;
    click(browser, "Line").await;
    browser
        .until(&format!(
            "location.hash === {:?}",
            hash.replace("&as=candles", "")
        ))
        .await;
    browser.until(DRAWN).await;
    let (_, rows) = saved_file(browser).await;
    let wanted: Vec<i64> = ticks.range(from..=to).map(|(time, _)| *time).collect();
    let shown = ticks_of_file(&rows, ticks);
    assert_eq!(shown.into_keys().collect::<Vec<_>>(), wanted);
}

/// Marks a quarter of the chart with the mouse.
pub(crate) async fn drag_over_the_chart(browser: &Browser) {
    let over = browser
        .run(
            "document.querySelector('.chart').scrollIntoView(); \
             const { left, top, width, height } = document.querySelector('.chart .u-over').getBoundingClientRect(); \
             return [left, top + height / 2, width]",
        )
        .await;
    let [left, y, width] = [0, 1, 2].map(|place| over[place].as_f64().unwrap());
    for (kind, part, buttons) in [
        ("mouseMoved", 0.3, 0),
        ("mousePressed", 0.3, 1),
        ("mouseMoved", 0.5, 1),
        ("mouseReleased", 0.55, 0),
    ] {
        let event = json!({
            "type": kind, "x": left + part * width, "y": y, "button": if kind == "mouseMoved" { "none" } else { "left" },
            "buttons": buttons, "clickCount": i32::from(kind != "mouseMoved"),
        });
        browser.devtools("Input.dispatchMouseEvent", event).await;
    }
}

/// What a press on the button saves: the file's name, and its rows.
pub(crate) async fn saved_file(browser: &Browser) -> (String, Vec<Vec<String>>) {
    browser
        .run(
            "window.saved = null; \
             const save = URL.createObjectURL, click = HTMLAnchorElement.prototype.click; \
             URL.createObjectURL = (blob) => { blob.text().then((text) => { window.saved = [window.savedAs, text]; }); return ''; }; \
             HTMLAnchorElement.prototype.click = function () { \
                 window.savedAs = this.download; \
                 URL.createObjectURL = save; HTMLAnchorElement.prototype.click = click; \
             }; \
             [...document.querySelectorAll('main button')].find((it) => it.textContent === 'Download CSV').click()",
        )
        .await;
    let saved = browser.until("window.saved").await;
    let rows = saved[1].as_str().unwrap().lines();
    let rows = rows.map(|row| row.split(',').map(str::to_owned).collect());
    (saved[0].as_str().unwrap().to_owned(), rows.collect())
}

/// The ticks that a file holds, each of which is one of `ticks` with the same price, volume and z-score; none between them is missing.
pub(crate) fn ticks_of_file(rows: &[Vec<String>], ticks: &Ticks) -> Ticks {
    let place = |name: &str| rows[0].iter().position(|head| head == name).unwrap();
    let held = rows[1..].iter().map(|row| {
        let time = row[0].parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let tick = &ticks[&time];
        assert_eq!(row[1], "bitcoin");
        for column in ["price", "volume_24h", "zscore_15m"] {
            let cell = &row[place(column)];
            assert_eq!(
                cell.parse().ok(),
                tick[column].as_f64(),
                "{column} at {time}"
            );
        }
        (time, tick.clone())
    });
    let held: Ticks = held.collect();
    let (first, last) = (held.first_key_value(), held.last_key_value());
    let range = *first.unwrap().0..=*last.unwrap().0;
    assert_eq!(ticks.range(range).count(), held.len(), "none is missing");
    held
}

/// While ticks come, predictions follow them, and a part that the reader has marked stays in view.
pub(crate) async fn watch_the_chart(browser: &Browser) {
    browser.go(WEEK).await;
    browser.until(DRAWN).await;
    let predicted =
        "document.querySelector('.pane:not([hidden]) [data-of=anomaly_probability] data')?.value";
    let before = browser.until(predicted).await;
    browser
        .until(&format!("{predicted} && {predicted} !== {before}"))
        .await;
    drag_over_the_chart(browser).await;
    browser.until(&format!("!{ZOOM_OUT}.hidden")).await;
    let part = browser.run(&format!("return {SUMMARY}")).await;
    let price = "document.querySelector('h1 data').value";
    for _ in 0..2 {
        let before = browser.until(price).await;
        browser.until(&format!("{price} !== {before}")).await;
    }
    assert_eq!(browser.run(&format!("return {SUMMARY}")).await, part);
}

/// The newest predictions of every tick are those of the topic.
pub(crate) async fn compare_predictions_of_a_coin(browser: &Browser, client: &Client) {
    browser.go("#/other").await;
    browser.go(WEEK).await;
    let newest = &newest(client, "crypto-predictions").await["bitcoin"];
    for column in ["anomaly_probability", "trend_up_probability"] {
        let shown = browser
            .until(&format!(
                "document.querySelector('.pane:not([hidden]) [data-of={column}] data')?.value"
            ))
            .await;
        let shown: f64 = shown.as_str().unwrap().parse().unwrap();
        assert_eq!(Some(shown), newest[column].as_f64(), "{column}");
    }
    let history = browser.run(HISTORY).await;
    let points = &history["points"];
    let times = points["time"].as_array().unwrap();
    let place = |time: &Value| times.iter().position(|it| it == time);
    let predictions = values(client, "crypto-predictions").await;
    let mut compared = 0;
    for row in predictions.iter().filter(|row| row["coin"] == "bitcoin") {
        let Some(place) = place(&row["event_time"]) else {
            continue;
        };
        for column in ["anomaly_probability", "trend_up_probability"] {
            assert_eq!(points[column][place], row[column], "{column} of {row}");
        }
        compared += 1;
    }
    assert!(compared > 10, "{compared}");
    compare_marks_foreseen(browser).await;
}

/// Where an anomaly comes to be foreseen, and where the trend turns for a quarter of an hour or more, is marked and counted.
async fn compare_marks_foreseen(browser: &Browser) {
    const AHEAD_MS: i64 = 15 * MINUTE_MS;
    browser.go("#/other").await;
    browser.go("#/coin/bitcoin?minutes=360").await;
    browser.until(DRAWN).await;
    let history = browser
        .run(
            "return fetch('/api/history?coin=bitcoin&minutes=360').then((answer) => answer.json())",
        )
        .await;
    let threshold = history["anomaly_threshold"].as_f64().unwrap();
    let points = &history["points"];
    let (mut anomalies, mut turns) = (0, 0);
    let (mut alarmed, mut side, mut turn) = (i64::MIN / 2, None, None);
    for (place, time) in points["time"].as_array().unwrap().iter().enumerate() {
        let time = time.as_i64().unwrap();
        let of = |column: &str| points[column][place].as_f64();
        if of("anomaly_probability").is_some_and(|probability| probability >= threshold) {
            anomalies += i32::from(time - alarmed > AHEAD_MS);
            alarmed = time;
        }
        let Some(up) = of("trend_up_probability").map(|probability| probability >= 0.5) else {
            continue;
        };
        if side == Some(up) {
            turn = None;
        } else if time - *turn.get_or_insert(time) >= AHEAD_MS {
            turns += i32::from(side.is_some());
            (side, turn) = (Some(up), None);
        }
    }
    println!("{anomalies} anomalies from {threshold} on, {turns} turns");
    let note = browser
        .until("[...document.querySelectorAll('main p.faint')].map((it) => it.textContent).find((text) => text.includes('Diamonds mark'))")
        .await;
    let note = note.as_str().unwrap();
    assert!(note.contains(&format!(" on: {anomalies} here.")), "{note}");
    assert!(note.ends_with(&format!(" more: {turns} here.")), "{note}");
}
