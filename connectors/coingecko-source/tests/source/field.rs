//! CoinGecko as it really answers: recorded replies and recorded refusals, served over HTTP, on a clock of their own.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use coingecko_source::{Config, ErrorKind, SECTION, SourceStatus};
use connector_runtime::clock::Clock;
use connector_runtime::config::Secrets;
use connector_runtime::process::monitor::Observed;
use fixtures::broker::TestBroker;
use fixtures::patience::{eventually, within};
use fixtures::topic;
use serde_json::value::RawValue;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::server::{Answer, Server};
use crate::{TOPIC, values};

/// 2026-08-31T12:00:00Z: half a day before a month ends.
const START: Duration = Duration::from_secs(1_788_177_600);

/// A broker and a source whose waiting takes no time. It asks until its script is played; then the server is silent, so that
/// its clock stands still.
struct Field {
    server: Server,
    script: usize,
    status: Arc<SourceStatus>,
    broker: TestBroker,
    stop: CancellationToken,
    source: JoinHandle<anyhow::Result<()>>,
}

impl Field {
    async fn start(mut script: Vec<Answer>, settings: &str) -> Self {
        let answers = script.len();
        script.push(Answer::Silence);
        let server = Server::start(script).await;
        let broker = TestBroker::start().await;
        let text = format!(
            "meta:\n  version: 0.1.0\n  name: source\n  type: coingecko-source\n  topic: {TOPIC}\n{SECTION}:\n  \
             history: off\n{settings}{}",
            match settings.contains("base_url") {
                true => String::new(),
                false => format!("  base_url: {}\n", server.base_url()),
            }
        );
        let config = Config::from_yaml(&text, SECTION, &Secrets::none()).unwrap();
        let clock = Clock::simulated(SystemTime::UNIX_EPOCH + START);
        let status = Arc::new(SourceStatus::with_clock(clock));
        let stop = CancellationToken::new();
        let run = coingecko_source::run(config, broker.cluster(), stop.clone(), status.clone());
        Self {
            server,
            script: answers,
            status,
            broker,
            stop,
            source: tokio::spawn(run),
        }
    }

    /// Waits until the last answer has been taken in.
    async fn played(&mut self) {
        let played = async {
            tokio::select! {
                () = self.server.played_at_least(self.script + 1) => {}
                ended = &mut self.source => panic!("the source ended: {:?}", ended.unwrap()),
            }
        };
        within(played).await;
    }

    /// How the source ends by itself.
    async fn ends(self) -> String {
        format!("{:#}", within(self.source).await.unwrap().unwrap_err())
    }

    /// Why it is not ready, if it is not, once it has heard of the broker.
    async fn ready(&self) -> Result<(), String> {
        let mut ready = Ok(());
        eventually("the broker answers", async || {
            ready = self.status.ready();
            !matches!(&ready, Err(why) if why.starts_with("the cluster"))
        })
        .await;
        ready
    }

    /// Stops the source and returns what it has sent.
    async fn sent(self) -> Vec<String> {
        self.stop.cancel();
        within(self.source).await.unwrap().unwrap();
        values(&topic::records(self.broker.client(), TOPIC, 0).await)
    }
}

/// A recorded file's text; none, with a message, where the recordings are not there.
fn recorded(file: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/coingecko");
    let path = folder.join(file);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(std::fs::read_to_string(path).unwrap())
}

fn elements(list: &str) -> Vec<String> {
    let elements: Vec<&RawValue> = serde_json::from_str(list).unwrap();
    elements
        .iter()
        .map(|element| element.get().to_owned())
        .collect()
}

/// A list of one coin, updated at this minute of 2026-08-31.
fn coin_at(minute: u32) -> Answer {
    Answer::json(&format!(
        r#"[{{"id":"bitcoin","last_updated":"2026-08-31T{:02}:{:02}:00.000Z"}}]"#,
        minute / 60,
        minute % 60
    ))
}

fn refusal(status: &str, content_type: &str, more: &str, body: &str) -> Answer {
    Answer::raw(&format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\n{more}content-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_replies_arrive_as_they_came_and_nothing_comes_twice() {
    let files = [
        "page-2026-04-01.json",
        "reply-null-price-2026-04-13.json",
        "reply-before-2026-07-23.json",
        "reply-after-2026-07-23.json",
    ];
    let mut script = Vec::new();
    let mut expected = Vec::new();
    for file in files {
        let Some(body) = recorded(file) else { return };
        // Each comes twice, as from a cache.
        script.extend([Answer::json(&body), Answer::json(&body)]);
        expected.extend(elements(&body));
    }
    let polls = script.len() as u64;
    let mut field = Field::start(script, "  top: 250\n").await;
    field.played().await;
    assert_eq!(field.status.polls.load(Ordering::Relaxed), polls);
    assert_eq!(field.status.unchanged.load(Ordering::Relaxed), polls / 2);
    assert_eq!(field.status.frozen.load(Ordering::Relaxed), 0);
    assert_eq!(field.status.errors_total(), 0);
    let sent = field.sent().await;
    assert!(sent == expected, "{} of {}", sent.len(), expected.len());
    let refused: Vec<String> = sent
        .iter()
        .filter_map(|object| market::Tick::parse(object.as_bytes()).err())
        .map(|rejected| format!("{:?} {}", rejected.coin, rejected.detail))
        .collect();
    assert_eq!(
        refused,
        [r#"Some("genius-3") current_price is absent or null"#]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_reply_is_counted_at_once_and_sent_once() {
    let files = [
        "reply-before-2026-07-23.json",
        "reply-frozen-2026-05-11.json",
    ];
    let [Some(before), Some(frozen)] = files.map(recorded) else {
        return;
    };
    let script = [&before, &frozen, &frozen, &before].map(|body| Answer::json(body));
    let mut field = Field::start(script.to_vec(), "  top: 40\n").await;
    field.played().await;
    assert_eq!(field.status.frozen.load(Ordering::Relaxed), 2);
    assert_eq!(field.ready().await, Ok(()));
    // Two coins are in one of the lists only: the last that was sent of them is still the same.
    let mut last = HashMap::new();
    let mut expected = Vec::new();
    for object in [&before, &frozen, &before]
        .map(|body| elements(body))
        .concat()
    {
        let coin: serde_json::Value = serde_json::from_str(&object).unwrap();
        if last.insert(coin["id"].to_string(), object.clone()).as_ref() != Some(&object) {
            expected.push(object);
        }
    }
    let sent = field.sent().await;
    assert!(sent == expected, "{} of {}", sent.len(), expected.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_far_ahead_makes_no_later_reply_old() {
    let coin = |id: &str, n: u32, time: &str| {
        format!(r#"{{"id":"{id}","n":{n},"last_updated":"{time}T11:59:00.000Z"}}"#)
    };
    let now = |n| coin("bitcoin", n, "2026-08-31");
    let script = vec![
        Answer::json(&format!("[{},{}]", now(1), coin("odd", 1, "2031-01-01"))),
        Answer::json(&format!("[{}]", now(2))),
    ];
    let mut field = Field::start(script, "  top: 40\n").await;
    field.played().await;
    assert_eq!(field.status.frozen.load(Ordering::Relaxed), 0);
    assert_eq!(field.sent().await.len(), 3);
}

/// A coin that nobody trades keeps its object for days, in every reply.
#[tokio::test(flavor = "multi_thread")]
async fn a_stale_coin_is_sent_once_beside_those_that_move() {
    let list = |poll: u32| {
        let coins: Vec<String> = (0..250)
            .map(|n| {
                let time = match n {
                    0..50 => "2026-08-29T07:00:00.000Z".to_owned(),
                    _ => format!("2026-08-31T11:{poll:02}:00.000Z"),
                };
                format!(r#"{{"id":"coin-{n}","last_updated":"{time}"}}"#)
            })
            .collect();
        Answer::json(&format!("[{}]", coins.join(",")))
    };
    let polls = 20;
    let mut field = Field::start((0..polls).map(list).collect(), "  top: 250\n").await;
    field.played().await;
    assert_eq!(field.ready().await, Ok(()));
    assert_eq!(field.status.frozen.load(Ordering::Relaxed), 0);
    assert_eq!(field.sent().await.len(), 50 + 200 * polls as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_coins_break_nothing() {
    let Some(text) = recorded("odd-coins-2025-05.json") else {
        return;
    };
    let kinds: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    let mut list = Vec::new();
    let (mut ids, mut without_price) = (Vec::new(), 0);
    for coin in kinds.values().flat_map(|coins| coins.as_array().unwrap()) {
        let id = coin["id"].as_str().unwrap().to_owned();
        if ids.contains(&id) {
            continue;
        }
        without_price += usize::from(coin["current_price"].as_f64().is_none_or(|p| p == 0.0));
        let mut coin = coin.clone();
        coin["last_updated"] = "2026-08-31T11:59:00.000Z".into();
        coin["total_volume"] = 1_000.into();
        list.push(coin.to_string());
        ids.push(id);
    }
    let names: Vec<String> = ids.iter().map(|id| format!("{id:?}")).collect();
    let script = vec![Answer::json(&format!("[{}]", list.join(",")))];
    let settings = format!("  ids: [{}]\n", names.join(", "));
    let mut field = Field::start(script, &settings).await;
    field.played().await;
    assert_eq!(field.status.errors_total(), 0, "no id is taken for missing");
    let sent = field.sent().await;
    assert!(sent == list, "{} of {}", sent.len(), list.len());
    let mut refused = 0;
    for object in &sent {
        match market::Tick::parse(object.as_bytes()) {
            Ok(tick) => assert!(!tick.symbol.trim().is_empty(), "{object}"),
            Err(rejected) => {
                assert!(rejected.detail.contains("current_price"), "{rejected:?}");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, without_price);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_refusal_is_survived_at_the_very_first_poll() {
    let json = "application/json; charset=utf-8";
    let html = "text/html; charset=UTF-8";
    let page = "<!DOCTYPE html><html><head><title>Access denied | api.coingecko.com used Cloudflare</title>";
    let limited =
        r#"{"status":{"error_code":429,"error_message":"You've exceeded the Rate Limit."}}"#;
    let unavailable = r#"{"status":{"error_code":403,"error_message":"This endpoint is temporarily unavailable"}}"#;
    let refusals = [
        refusal("403 Forbidden", html, "", page),
        refusal("403 Forbidden", json, "", ""),
        refusal("403 Forbidden", json, "", unavailable),
        refusal("403 Forbidden", "text/plain", "", "error code: 1020"),
        refusal("401 Unauthorized", json, "", "{}"),
        refusal(
            "429 Too Many Requests",
            json,
            "retry-after: 119\r\n",
            limited,
        ),
        refusal("429 Too Many Requests", "text/plain", "", "Throttled"),
        refusal(
            "429 Too Many Requests",
            "text/plain",
            "",
            "error code: 1015",
        ),
        refusal("429 Too Many Requests", html, "", page),
        refusal("503 Service Unavailable", html, "", page),
        refusal("200 OK", html, "", page),
    ];
    for key in ["", "  api_key: CG-demo\n"] {
        for answer in &refusals {
            let script = vec![answer.clone(), coin_at(1)];
            let mut field = Field::start(script, key).await;
            field.played().await;
            assert_eq!(field.ready().await, Ok(()));
            assert_eq!(field.sent().await.len(), 1);
        }
    }
    // A block that lasts: the pauses grow, and nothing is lost but time.
    let mut script = vec![refusals[0].clone(); 30];
    script.push(coin_at(1));
    let mut field = Field::start(script, "").await;
    field.played().await;
    assert_eq!(field.status.errors(ErrorKind::Blocked), 30);
    let waited = field
        .status
        .now()
        .duration_since(SystemTime::UNIX_EPOCH + START);
    assert!(waited.unwrap() > Duration::from_secs(4 * 3_600));
    assert_eq!(field.sent().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_ends_the_source_with_the_remedy() {
    for (status, code, remedy) in [
        ("401 Unauthorized", 10_002, "check coingecko.api_key"),
        ("403 Forbidden", 10_005, "plan does not cover"),
        ("400 Bad Request", 10_010, "set coingecko.plan to pro"),
        ("400 Bad Request", 10_011, "check coingecko.api_key"),
    ] {
        let body = format!(r#"{{"status":{{"error_code":{code},"error_message":"no"}}}}"#);
        let answer = refusal(status, "application/json", "", &body);
        let field = Field::start(vec![answer], "  api_key: CG-very-secret\n").await;
        let message = field.ends().await;
        assert!(message.contains(remedy), "{message}");
        assert!(!message.contains("very-secret"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_new_for_three_polls_and_ten_minutes_is_not_ready() {
    let unchanged = || Answer::raw("HTTP/1.1 304 Not Modified\r\n\r\n");
    let empty = || Answer::json("[]");
    let same = || coin_at(0);
    for (interval, answers, kind) in [
        (60, &unchanged as &dyn Fn() -> Answer, "frozen"),
        (60, &same, "frozen"),
        (60, &empty, "empty"),
        (300, &same, "frozen"),
        (300, &empty, "empty"),
    ] {
        // The clock stands where the silent poll begins. At a minute's interval the ten minutes decide, at five the polls.
        let enough = (600_u64 / interval - 1).max(3);
        for (polls, news, ready) in [
            (enough - 1, false, true),
            (enough, false, false),
            (enough + 5, true, true),
        ] {
            let mut script = vec![coin_at(0)];
            script.extend((0..polls).map(|_| answers()));
            script.extend(news.then(|| coin_at(1)));
            let settings = format!("  poll_interval: {interval}s\n");
            let mut field = Field::start(script, &settings).await;
            field.played().await;
            let found = field.ready().await;
            let context = format!("{kind}, {polls} polls every {interval} s: {found:?}");
            assert_eq!(found.is_ok(), ready, "{context}");
            if let Err(why) = found {
                assert!(why.contains(kind), "{context}");
            }
            let (counted, expected) = match kind {
                "empty" => (&field.status.empty, polls),
                _ => (
                    &field.status.frozen,
                    (polls + 1).saturating_sub(600 / interval),
                ),
            };
            assert_eq!(counted.load(Ordering::Relaxed), expected, "{context}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coin_that_vanishes_later_is_counted_each_time() {
    let list = |ids: &[&str], n: u32| {
        let coins: Vec<String> = ids
            .iter()
            .map(|id| format!(r#"{{"id":"{id}","n":{n}}}"#))
            .collect();
        Answer::json(&format!("[{}]", coins.join(",")))
    };
    let both = &["bitcoin", "microtick"][..];
    let script = vec![
        list(both, 1),
        list(both, 2),
        list(&["bitcoin"], 3),
        list(&["bitcoin"], 4),
        list(both, 5),
        list(&["bitcoin"], 6),
    ];
    let mut field = Field::start(script, "  ids: [bitcoin, microtick]\n").await;
    field.played().await;
    assert_eq!(field.status.errors(ErrorKind::IdMissing), 2);
    assert_eq!(field.sent().await.len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_short_and_shorter_for_a_server_that_wants_that() {
    let names: Vec<String> = (0..250).map(|n| format!("{n:0>50}")).collect();
    let settings = format!("  calls_per_month: 10000\n  ids: [{}]\n", names.join(", "));
    let refused = || refusal("414 URI Too Long", "text/html", "", "<title>414</title>");
    let list = |id: usize| Answer::json(&format!(r#"[{{"id":"{:0>50}","n":{id}}}]"#, id));
    // The first of two pages is halved, and its first half again; the next poll has four.
    let mut script = vec![refused(), refused(), list(1), list(2), list(3), list(4)];
    script.extend((0..4).map(|page| list(page * 60)));
    let mut field = Field::start(script, &settings).await;
    field.played().await;
    assert_eq!(field.status.errors(ErrorKind::UrlTooLong), 2);
    let requests = field.server.requests();
    let asked: Vec<usize> = requests
        .iter()
        .map(|request| request.target.matches("%2C").count() + 1)
        .collect();
    let full = asked[0];
    let (half, quarter) = (full / 2, full / 2 / 2);
    let pages = [quarter, half - quarter, full - half, 250 - full];
    assert_eq!(asked[..6], [&[full, half][..], &pages].concat());
    assert_eq!(asked[6..10], pages);
    assert!(requests.iter().all(|request| request.target.len() < 8_000));
    let interval = field.status.poll_interval();
    assert_eq!(interval, Duration::from_secs(1_200), "four calls a poll");
    assert!(
        requests
            .iter()
            .all(|request| request.target.contains("precision=full"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn coins_are_included_and_excluded() {
    let list = |ids: &[&str]| {
        let coins: Vec<String> = ids
            .iter()
            .map(|id| format!(r#"{{"id":"{id}","of":{}}}"#, ids.len()))
            .collect();
        Answer::json(&format!("[{}]", coins.join(",")))
    };
    let script = vec![
        list(&["bitcoin", "tether", "pepe"]),
        list(&["pepe", "1move token"]),
    ];
    let settings =
        "  top: 3\n  category: meme-token\n  include: [pepe, 1move token]\n  exclude: [tether]\n";
    let mut field = Field::start(script, settings).await;
    field.played().await;
    let targets: Vec<String> = field
        .server
        .requests()
        .into_iter()
        .map(|request| request.target)
        .collect();
    assert!(targets[0].ends_with("&per_page=3&page=1&category=meme-token"));
    assert!(targets[1].ends_with("&page=1&ids=pepe%2C1move+token"));
    assert_eq!(
        field.sent().await,
        [
            r#"{"id":"bitcoin","of":3}"#,
            r#"{"id":"pepe","of":3}"#,
            r#"{"id":"1move token","of":2}"#
        ]
    );
}

/// Two pages are two caches: a coin of both would go back and forth.
#[tokio::test(flavor = "multi_thread")]
async fn a_coin_by_rank_and_by_id_comes_from_its_rank_also_when_that_page_is_unchanged() {
    let script = vec![
        Answer::json(r#"[{"id":"bitcoin","n":1}]"#),
        Answer::json(r#"[{"id":"bitcoin","n":0},{"id":"pepe","n":1}]"#),
        Answer::raw("HTTP/1.1 304 Not Modified\r\n\r\n"),
        Answer::json(r#"[{"id":"bitcoin","n":2},{"id":"pepe","n":2}]"#),
    ];
    let settings = "  top: 1\n  include: [bitcoin, pepe]\n";
    let mut field = Field::start(script, settings).await;
    field.played().await;
    assert_eq!(
        field.sent().await,
        [
            r#"{"id":"bitcoin","n":1}"#,
            r#"{"id":"pepe","n":1}"#,
            r#"{"id":"pepe","n":2}"#
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_takes_no_more_calls_than_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.json");
    let settings = format!(
        "  poll_interval: 60s\n  calls_per_month: 40\n  calls_file: {}\n",
        file.display()
    );
    // Each call fails once: retries count too.
    let script: Vec<Answer> = (0..50)
        .map(|n| match n % 2 {
            0 => refusal(
                "503 Service Unavailable",
                "text/html",
                "retry-after: 0\r\n",
                "",
            ),
            _ => coin_at(n),
        })
        .collect();
    let mut field = Field::start(script, &settings).await;
    field.played().await;
    // The last four of 40 were spread over what was left of August, the other eleven are September's.
    assert_eq!(field.status.calls_this_month.load(Ordering::Relaxed), 11);
    let september = SystemTime::UNIX_EPOCH + START + Duration::from_secs(12 * 3_600);
    let into = field.status.now().duration_since(september).unwrap();
    assert!(into < Duration::from_secs(600), "{into:?}");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(kept, r#"{"month":"2026-09","calls":11,"owner":"none"}"#);
    field.sent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn being_offline_costs_no_calls() {
    let field = Field::start(Vec::new(), "  base_url: http://127.0.0.1:9\n").await;
    eventually("calls without a connection", async || {
        field.status.errors(ErrorKind::Connection) > 5
    })
    .await;
    field.stop.cancel();
    within(field.source).await.unwrap().unwrap();
    let calls = field.status.calls_this_month.load(Ordering::Relaxed);
    assert!(
        calls <= 1,
        "{calls} calls, of which at most one is under way"
    );
}

/// A firewall drops what a network needs, or something else listens there.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_does_not_come_about_in_time_costs_no_calls() {
    // The system accepts for it, and nobody ever speaks TLS.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = format!(
        "  base_url: https://{}\n  timeout: 1s\n",
        silent.local_addr().unwrap()
    );
    let field = Field::start(Vec::new(), &settings).await;
    eventually("connections that are given up", async || {
        field.status.errors(ErrorKind::Timeout) >= 5
    })
    .await;
    field.stop.cancel();
    within(field.source).await.unwrap().unwrap();
    let calls = field.status.calls_this_month.load(Ordering::Relaxed);
    assert!(
        calls <= 1,
        "{calls} calls, of which at most one is under way"
    );
}

fn usage(used: u32) -> Answer {
    Answer::json(&format!(
        r#"{{"plan":"Basic","rate_limit_request_per_minute":250,"monthly_call_credit":100000,
            "current_total_monthly_calls":{used},"current_remaining_monthly_calls":{}}}"#,
        100_000 - used
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_key_is_asked_what_is_left() {
    let settings = "  api_key: CG-very-secret\n  plan: pro\n";
    let mut field = Field::start(vec![usage(70_000), coin_at(1)], settings).await;
    field.played().await;
    let requests = field.server.requests();
    assert_eq!(requests[0].target, "/key");
    let key = requests[0].header("x-cg-pro-api-key");
    assert_eq!(key.as_deref(), Some("CG-very-secret"));
    let used = field.status.calls_this_month.load(Ordering::Relaxed);
    assert_eq!(used, 70_002, "and the call that has no answer yet");
    field.sent().await;

    // Spent: it waits for the new month.
    let mut field = Field::start(vec![usage(100_000), coin_at(1)], settings).await;
    field.played().await;
    let waited = field
        .status
        .now()
        .duration_since(SystemTime::UNIX_EPOCH + START);
    assert!(waited.unwrap() >= Duration::from_secs(12 * 3_600));
    assert_eq!(field.sent().await.len(), 1);

    // A bad moment at the start does not leave the plan unknown.
    let busy = refusal(
        "503 Service Unavailable",
        "text/html",
        "retry-after: 0\r\n",
        "",
    );
    let mut field = Field::start(vec![busy, usage(70_000), coin_at(1)], settings).await;
    field.played().await;
    assert_eq!(field.status.calls_per_month(), Some(100_000));
    field.sent().await;

    // What `/key` does not say is no reason not to poll.
    let odd = refusal("404 Not Found", "application/json", "", "{}");
    let settings = format!("{settings}  poll_interval: 10m\n");
    let mut field = Field::start(vec![odd, coin_at(1), coin_at(2)], &settings).await;
    field.played().await;
    let requests = field.server.requests();
    let asked = requests.iter().filter(|request| request.target == "/key");
    assert_eq!(asked.count(), 1, "an address without it is not asked again");
    assert_eq!(field.sent().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_of_calls_is_of_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.json");
    let polls = |count: u32| (0..count).map(coin_at).collect::<Vec<_>>();
    let day = SystemTime::UNIX_EPOCH + START + Duration::from_secs(12 * 3_600);
    let key = "  api_key: CG-very-secret\n  calls_per_month: 10\n";
    // Without a key 20 calls, which are more than the key has; then the key, and the key again.
    for (settings, count, used) in [("", 20, 21), (key, 1, 2), (key, 1, 4)] {
        let settings = format!(
            "  poll_interval: 60s\n  calls_file: {}\n{settings}",
            file.display()
        );
        let mut field = Field::start(polls(count), &settings).await;
        field.played().await;
        let calls = field.status.calls_this_month.load(Ordering::Relaxed);
        assert_eq!(calls, used, "and the call that has no answer yet");
        assert!(field.status.now() < day, "it waits for the next month");
        field.sent().await;
        let kept = std::fs::read_to_string(&file).unwrap();
        assert!(!kept.contains("very-secret"), "{kept}");
    }
}

/// For as long as it is not known there is no limit of the month.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_was_not_known_at_the_start_is_asked_for_again() {
    let busy = refusal(
        "503 Service Unavailable",
        "text/html",
        "retry-after: 0\r\n",
        "",
    );
    let end = || Answer::json("[]");
    let mut script = vec![busy; 5];
    script.extend((0..10).flat_map(|minute| [coin_at(minute), end()]));
    script.extend([usage(70_000), coin_at(10), end()]);
    // Of four pages, the second ends the list.
    let settings = "  api_key: CG-very-secret\n  plan: pro\n  top: 1000\n";
    let mut field = Field::start(script, settings).await;
    field.played().await;
    let requests = field.server.requests();
    let asked: Vec<usize> = (0..requests.len())
        .filter(|&at| requests[at].target == "/key")
        .collect();
    assert_eq!(asked, [0, 1, 2, 3, 4, 25]);
    assert_eq!(field.status.calls_per_month(), Some(100_000));
    let used = field.status.calls_this_month.load(Ordering::Relaxed);
    assert_eq!(used, 70_003, "and the call that has no answer yet");
    let interval = field.status.poll_interval();
    assert_eq!(interval, Duration::from_secs(120), "four calls a poll");
    assert_eq!(field.sent().await.len(), 11);
}
