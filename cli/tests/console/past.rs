//! A first day: the past that CoinGecko's history fills in, and rules of the user's.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use connector_runtime::clock::Clock;
use connector_runtime::cluster::Client;
use connector_runtime::reader;
use fixtures::patience::eventually;
use fixtures::process::{Process, coinlake};
use fixtures::tables;
use lake::Snapshot;
use replay::{Faults, FieldMarket, FieldSettings, Market, Position, ReplayServer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::ONE_AT_A_TIME;
use crate::alerts::{episodes, shows};
use crate::browser::{Browser, PROXY_NAME};
use crate::pictures::look;
use crate::platform::{connect, start_console, values};
use crate::ticking::{coin, raw_writer, rfc3339};

const HOUR_MS: i64 = 3_600_000;
/// 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;
/// The first start, a day and two hours into the market.
const FIRST_UP_MS: i64 = START_MS + 26 * HOUR_MS;
/// How long it is live.
const LIVE_MS: i64 = 6 * HOUR_MS;

/// Which pixel columns of the chart have the colour of the past and which that of live prices: the first and the last of each.
/// Then where the last tick of the past is, and the first live one.
const LINES: &str = "
    const chart = document.querySelector('.chart'), canvas = chart.querySelector('canvas');
    const left = chart.querySelector('.u-over').getBoundingClientRect().left - canvas.getBoundingClientRect().left;
    const width = chart.querySelector('.u-over').getBoundingClientRect().width;
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
    const columnsOf = (name) => {
        const probe = document.createElement('span');
        probe.style.color = `var(${name})`;
        document.body.append(probe);
        const ink = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
        probe.remove();
        // The band has the colour of the price, and is translucent.
        const isInk = (at) => pixels[at + 3] === 255 && ink.every((part, i) => pixels[at + i] === part);
        let [first, last] = [Infinity, -Infinity];
        for (let at = 0; at < pixels.length; at += 4) {
            if (!isInk(at)) continue;
            const x = at / 4 % canvas.width;
            first = Math.min(first, x);
            last = Math.max(last, x);
        }
        return [first, last];
    };
    const query = new URLSearchParams(location.hash.split('?')[1]);
    return fetch('/api/history?coin=bitcoin&minutes=' + query.get('minutes')).then((answer) => answer.json()).then(({ points }) => {
        const x = (time) => left + width * (time - points.time[0]) / (points.time.at(-1) - points.time[0]);
        const live = points.backfilled.indexOf(false);
        return [columnsOf('--past'), columnsOf('--accent'), [x(points.time[live - 1]), x(points.time[live])]];
    });";

/// `up` on a market that CoinGecko would have, on a clock that the test lets pass.
struct FirstDay {
    folder: TempDir,
    clock: Clock,
    replay: ReplayServer,
    /// Calls that the test has made.
    own_calls: u64,
    /// The price below which the rule fires.
    limit: f64,
    hook: Hook,
}

impl FirstDay {
    async fn prepare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::share(&folder.path().join("clock"), moment(FIRST_UP_MS)).unwrap();
        let market = FieldMarket::new(FieldSettings {
            coins: 60,
            start_ms: START_MS,
            minutes: 3 * 1_440,
            faults: Faults {
                odd_coins: false,
                frozen: false,
                refusals: false,
                ..Faults::ALL
            },
            ..FieldSettings::default()
        });
        let now = clock.clone();
        let now = Arc::new(move || now.now());
        let replay = ReplayServer::start_on(Market::Field(market), now, Position::start());
        let replay = replay.await.unwrap();
        let limit = price_now(&replay.base_url()).await;
        let settings = format!(
            "coingecko: {{base_url: {}, top: 10, calls_per_minute: 1000}}\nbroker: {{listen: 0}}\n\
             console: {{listen: 0, allowed_hosts: [{PROXY_NAME}]}}\n\
             commit_interval: 60s\nalerts:\n  rules:\n\
             \x20   - {{name: btc-level, coins: [bitcoin], when: price crosses_below {limit}, severity: critical}}\n\
             \x20   - {{name: never, when: price < 0}}\n",
            replay.base_url()
        );
        fs::write(folder.path().join("coinlake.yaml"), settings).unwrap();
        Self {
            folder,
            clock,
            own_calls: replay.calls(),
            replay,
            limit,
            hook: Hook::start().await,
        }
    }

    fn start(&self) -> Process {
        let mut command = coinlake(&["up"]);
        command.current_dir(self.folder.path());
        command.env("COINLAKE_TEST_CLOCK", self.folder.path().join("clock"));
        command.env("COINGECKO_API_KEY", "CG-demo");
        command.env("COINLAKE_WEBHOOK_URL", &self.hook.url);
        Process::start(command)
    }

    fn lake(&self) -> std::path::PathBuf {
        self.folder.path().join("coinlake-data/lake")
    }

    /// Lets time pass, and waits until what came has gone through the stages that make features.
    async fn pass_until(&self, client: &Client, until_ms: i64) {
        self.clock.let_pass(moment(until_ms)).unwrap();
        let end = async |topic| reader::offsets(client, topic, 0).await.unwrap().end;
        eventually("the market is there", async || {
            let raw = end("crypto-raw").await;
            let clean = end("crypto-clean").await;
            self.clock.now_ms() >= until_ms
                && clean + end("crypto-rejected").await == raw
                && end("crypto-features").await == clean
                && end("crypto-raw").await == raw
        })
        .await;
    }
}

fn moment(time_ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(time_ms.unsigned_abs())
}

/// Bitcoin's price, by its chart.
async fn price_now(base_url: &str) -> f64 {
    let url = format!("{base_url}/coins/bitcoin/market_chart?vs_currency=usd&days=1");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let chart = client.get(url).send().await.unwrap().text().await.unwrap();
    let chart: Value = serde_json::from_str(&chart).unwrap();
    let newest = chart["prices"].as_array().unwrap().last().unwrap();
    newest[1].as_f64().unwrap().round()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_lighter_and_rules_say_when_they_fired() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let day = FirstDay::prepare().await;
    let up = day.start();
    let client = connect(&up.word_after("broker at ")).await;
    let console = up.word_after("console at http://");
    let browser = browser.at(format!("http://{}", console.trim_end_matches(';')));
    // The past, then the first poll, then hours of polls.
    day.clock.let_pass(moment(FIRST_UP_MS + 60_000)).unwrap();
    eventually("a live record", async || {
        let tail = reader::read_tail(&client, "crypto-raw", 0).await.unwrap();
        tail.is_some_and(|tail| !String::from_utf8_lossy(&tail.value).contains("backfilled"))
    })
    .await;
    day.pass_until(&client, FIRST_UP_MS + LIVE_MS).await;
    // Stages commit by the clock, which goes on only from here.
    let has_committed = |snapshot: Snapshot| !snapshot.stamps().is_empty();
    while !tables::snapshot(&day.lake(), "alerts").is_some_and(has_committed) {
        day.pass_until(&client, day.clock.now_ms() + 60_000).await;
    }

    compare_past(&browser, &client).await;
    compare_rules(&browser, &client, &day).await;
    compare_source(&browser, &day).await;
    let broker = up.word_after("broker at ");
    rules_of_a_platform_elsewhere(&browser, &broker, &day.lake()).await;
    a_mute_holds_the_webhook_back(&browser, &client, &day).await;
    take_pictures(&browser, &client, &day).await;
    browser.close().await;
}

/// Every tick of the past is drawn, and lighter than what was followed live.
async fn compare_past(browser: &Browser, client: &Client) {
    let features = values(client, "crypto-features").await;
    let newest = features
        .iter()
        .map(|row| row["event_time"].as_i64().unwrap());
    let from = newest.max().unwrap() - 24 * HOUR_MS;
    let shown: Vec<&Value> = features
        .iter()
        .filter(|row| row["coin"] == "bitcoin" && row["event_time"].as_i64().unwrap() >= from)
        .collect();
    let past = shown.iter().filter(|row| row["backfilled"] == true).count();
    assert!(
        past > 200 && past < shown.len(),
        "{past} of {}",
        shown.len()
    );
    browser.go("#/coin/bitcoin?minutes=1440").await;
    browser
        .until(&format!(
            "document.querySelector('.chart canvas') && \
             document.querySelector('.summary').textContent.includes(' {past} of {} ticks from history')",
            shown.len()
        ))
        .await;
    for scheme in ["light", "dark"] {
        browser.colours(scheme).await;
        browser.next_frame().await;
        let lines = browser.run(LINES).await;
        let number = |line: usize, end: usize| lines[line][end].as_f64().unwrap();
        let (past, live, border) = (0, 1, 2);
        assert!(number(past, 0) < number(past, 1), "{lines}");
        assert!(number(live, 0) < number(live, 1), "{lines}");
        assert!(number(past, 1) <= number(border, 1) + 5.0, "{lines}");
        assert!(number(live, 0) >= number(border, 0) - 5.0, "{lines}");
    }
    browser.colours("light").await;
    // Whose data it is, with a link.
    let credit = browser
        .run("return [document.querySelector('.foot').innerText, document.querySelector('.foot a').hostname]")
        .await;
    assert!(
        credit[0]
            .as_str()
            .unwrap()
            .starts_with("Data provided by CoinGecko."),
        "{credit}"
    );
    assert_eq!(credit[1], "www.coingecko.com");
    // An hour that was followed live has nothing lighter to explain.
    browser.go("#/coin/bitcoin?minutes=60").await;
    browser
        .until("document.querySelector('.chart canvas') && !document.querySelector('.summary').textContent.includes('history')")
        .await;
    assert_eq!(
        browser
            .run("return document.querySelector('.swatch.past').parentElement.hidden")
            .await,
        true
    );
}

/// The rules as they were set, when each last fired, and alerts that have their name.
async fn compare_rules(browser: &Browser, client: &Client, day: &FirstDay) {
    eventually("a commit says the rules", async || {
        let rules =
            "return fetch('/api/rules').then((answer) => answer.json()).then((list) => list.known)";
        browser.run(rules).await == true
    })
    .await;
    let alerts = values(client, "crypto-alerts").await;
    let fired: Vec<&Value> = alerts
        .iter()
        .filter(|alert| {
            alert["kinds"]
                .as_array()
                .unwrap()
                .contains(&json!("rule:btc-level"))
        })
        .collect();
    let last = fired
        .iter()
        .max_by_key(|alert| alert["event_time"].as_i64())
        .unwrap();
    let last = last["event_time"].as_i64().unwrap();
    browser.go("#/alerts").await;
    browser
        .until("document.querySelectorAll('.rules tbody tr').length === 2")
        .await;
    let rows = browser
        .run("return [...document.querySelectorAll('.rules tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent))")
        .await;
    let at = jiff::Timestamp::from_millisecond(last).unwrap();
    let at = at.strftime("%Y-%m-%d %H:%M:%S on bitcoin").to_string();
    let limit = day.limit;
    assert_eq!(
        rows,
        json!([
            [
                "btc-level",
                "bitcoin",
                format!("price crosses_below {limit}"),
                "critical",
                at
            ],
            ["never", "all", "price < 0", "warning", "never"],
        ])
    );

    // From the rule to its alerts, by its name, and by an address that can be shared.
    browser
        .run("document.querySelector('.rules tbody a').click()")
        .await;
    let wanted: Vec<Value> = episodes(&alerts, |_| true);
    let wanted: Vec<Value> = wanted
        .into_iter()
        .filter(|it| it[1] == "btc-level")
        .collect();
    shows(browser, &wanted).await;
    let named = "[...document.querySelectorAll('.alert')].every((alert) => alert.querySelector('.rule')?.textContent === 'btc-level')";
    assert_eq!(browser.run(&format!("return {named}")).await, true);
    assert_eq!(
        browser
            .run("return document.getElementById('alert-kind').value")
            .await,
        "rule:btc-level"
    );
    browser.choose("#alert-coin", "nobody").await;
    browser
        .until("document.querySelectorAll('.alert').length === 0")
        .await;
    assert_eq!(
        browser.run("return location.hash").await,
        "#/alerts?coin=nobody&kind=rule%3Abtc-level"
    );
    // On the coin's chart, too.
    browser
        .go(&format!("#/coin/bitcoin?minutes=60&at={last}"))
        .await;
    browser
        .until("[...document.querySelectorAll('.alert .rule')].some((rule) => rule.textContent === 'btc-level')")
        .await;
}

/// The source as it is: every call, and what is left of the month.
async fn compare_source(browser: &Browser, day: &FirstDay) {
    let calls = day.replay.calls() - day.own_calls;
    browser.go("#/pipeline").await;
    let facts = "Object.fromEntries([...document.querySelectorAll('.facts > div')].map((fact) => [...fact.children].map((part) => part.textContent)))";
    let left = thousands(10_000 - calls);
    browser
        .until(&format!(
            "({facts})['Calls left this month'] === '{left} of 10,000'"
        ))
        .await;
    let facts = browser.run(&format!("return {facts}")).await;
    let replies = facts["Replies since the start"].as_str().unwrap();
    let counts = replies
        .split(", ")
        .filter_map(|kind| kind.split(' ').next()?.parse::<u64>().ok());
    assert_eq!(counts.sum::<u64>(), calls, "{replies}");
    assert!(replies.starts_with("10 history, "), "{replies}");
    assert_eq!(facts["Polls"], "every 5 min");
    let last = facts["Last reply"].as_str().unwrap();
    let now = jiff::Timestamp::from_millisecond(day.clock.now_ms()).unwrap();
    let age = now.duration_since(format!("{}Z", last.replace(' ', "T")).parse().unwrap());
    assert!(age.as_secs() <= 300, "{last}, now {now}");
    let source = browser
        .run("return [document.querySelector('.card.source strong').textContent, document.getElementById('market').textContent]")
        .await;
    assert_eq!(source, json!(["CoinGecko", "live"]));
}

fn thousands(number: u64) -> String {
    format!("{},{:03}", number / 1_000, number % 1_000)
}

/// What the webhook did is beside the alert; nobody is told of a muted coin, and a page elsewhere cannot mute one.
async fn a_mute_holds_the_webhook_back(browser: &Browser, client: &Client, day: &FirstDay) {
    let change = |address: &str| {
        format!(
            "return fetch('{address}', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, \
             body: JSON.stringify({{ do: 'mute', coin: 'quiet-coin', minutes: 60 }}) }}).then((answer) => answer.status)"
        )
    };
    assert_eq!(browser.run(&change("api/alerts")).await, 204);
    let site = browser.run("return location.port").await;
    let addr = format!("127.0.0.1:{}", site.as_str().unwrap());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (host, origin, status) in [
        (PROXY_NAME, "https://box.example", 204),
        (PROXY_NAME, "https://evil.example", 403),
        ("evil.example", "https://evil.example", 421),
    ] {
        let request = http.post(format!("http://{addr}/api/alerts"));
        let request = request.header("host", host).header("origin", origin);
        let request = request.header("content-type", "application/json");
        let body = r#"{"do": "unmute", "coin": "somebody"}"#;
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{host} {origin}");
    }

    // Both jump after a quiet quarter of an hour.
    const MINUTE_MS: i64 = 60_000;
    let now = day.clock.now_ms();
    let mut ticks = Vec::new();
    for minute in 0..13 {
        for id in ["quiet-coin", "loud-coin"] {
            let price = if minute < 12 { 100.0 } else { 125.0 };
            let time = rfc3339(now - (12 - minute) * MINUTE_MS);
            ticks.push(coin(&json!({
                "id": id, "symbol": id, "name": id, "current_price": price, "market_cap": 1.0e9, "total_volume": 1.0e6,
                "last_updated": time,
            })));
        }
    }
    raw_writer(client).await.append(&ticks).await.unwrap();
    browser.go("#/alerts").await;
    for (id, told) in [("loud-coin", "sent"), ("quiet-coin", "muted")] {
        browser
            .until(&format!(
                "document.querySelector('.alert[data-coin={id}] [data-told={told}]')?.textContent === '{told} 1'"
            ))
            .await;
    }
    browser
        .until("document.querySelector('.alert[data-coin=quiet-coin] .done')?.textContent.startsWith('muted until ')")
        .await;
    let told_of = day.hook.coins();
    assert!(told_of.contains(&"loud-coin".to_owned()), "{told_of:?}");
    assert!(!told_of.contains(&"quiet-coin".to_owned()), "{told_of:?}");
}

/// A webhook that takes everything.
struct Hook {
    url: String,
    messages: Arc<Mutex<Vec<Value>>>,
    _task: AbortOnDropHandle<()>,
}

impl Hook {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let messages = Arc::<Mutex<Vec<Value>>>::default();
        let taken = Arc::clone(&messages);
        let take = move |body: String| async move {
            taken
                .lock()
                .unwrap()
                .push(serde_json::from_str(&body).unwrap());
        };
        let app = axum::Router::new().route("/hook", axum::routing::post(take));
        let task = tokio::spawn(async move {
            axum::serve(listener, app).await.unwrap();
        });
        Self {
            url,
            messages,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// The coins that it was told of.
    fn coins(&self) -> Vec<String> {
        let messages = self.messages.lock().unwrap();
        let coins = messages
            .iter()
            .filter_map(|message| message["data"]["coin"].as_str());
        coins.map(str::to_owned).collect()
    }
}

/// A console of its own, as beside a cluster, knows the same.
async fn rules_of_a_platform_elsewhere(browser: &Browser, broker: &str, lake: &Path) {
    let ask = "return fetch('/api/rules').then((answer) => answer.json())";
    let here = browser.run(ask).await;
    let other = start_console(broker, lake, &[]);
    let url = format!(
        "http://{}/api/rules",
        other.word_after("console at http://")
    );
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    eventually("the other console knows the rules", async || {
        let answer = client.get(&url).send().await.unwrap().text().await.unwrap();
        serde_json::from_str::<Value>(&answer).unwrap() == here
    })
    .await;
}

async fn take_pictures(browser: &Browser, client: &Client, day: &FirstDay) {
    for (name, hash) in [
        ("past", "#/coin/bitcoin?minutes=1440"),
        ("rules", "#/alerts?kind=rule:btc-level"),
    ] {
        browser.go(hash).await;
        browser
            .until("document.querySelector('.alert .rule')")
            .await;
        look(browser, name).await;
    }
    browser.size(1280, 980).await;
    browser.go("#/pipeline").await;
    // Stages commit what they have by the clock.
    day.pass_until(client, day.clock.now_ms() + 120_000).await;
    browser
        .until("document.getElementById('health').dataset.state === 'ok'")
        .await;
    browser.go("#/coin/bitcoin?minutes=1440").await;
    browser
        .until("document.querySelector('.alert .rule')")
        .await;
    browser.next_frame().await;
    browser.picture_for_readme("coin").await;
}
