//! The whole source between a server that misbehaves, over real HTTP, and the embedded broker.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod config;
mod field;
mod history;
mod hour;
mod server;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use coingecko_source::{Config, ErrorKind, SECTION, SourceStatus, partition_of};
use connector_runtime::config::Secrets;
use connector_runtime::process::monitor::Observed;
use connector_runtime::record::Record;
use fixtures::broker::TestBroker;
use fixtures::patience::{eventually, within};
use fixtures::topic;
use server::{Answer, Server};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const TOPIC: &str = "crypto-raw";

/// A broker and a running source.
struct Setting {
    broker: TestBroker,
    status: Arc<SourceStatus>,
    stop: CancellationToken,
    source: JoinHandle<anyhow::Result<()>>,
}

impl Setting {
    /// Starts a source that polls the server as fast as it answers, with further settings.
    async fn start(server: &Server, partitions: u32, settings: &str) -> Self {
        let broker = TestBroker::start().await;
        let text = format!(
            "apiVersion: 0.2.0\nmeta:\n  version: 0.1.0\n  name: source\n  type: coingecko-source\n  topic:\n    meta:\n      \
             name: {TOPIC}\n    partition:\n      count: {partitions}\n{SECTION}:\n  base_url: {}\n  poll_interval: 0s\n{settings}",
            server.base_url()
        );
        let config = Config::from_yaml(&text, SECTION, &Secrets::none()).unwrap();
        let (status, stop) = (Arc::new(SourceStatus::default()), CancellationToken::new());
        let run = coingecko_source::run(config, broker.cluster(), stop.clone(), status.clone());
        Self {
            broker,
            status,
            stop,
            source: tokio::spawn(run),
        }
    }

    /// Stops the source the way a signal does and returns what each partition holds.
    async fn stop(self) -> Vec<Vec<Record>> {
        self.stop.cancel();
        within(self.source).await.unwrap().unwrap();
        let client = self.broker.client();
        let partitions = connector_runtime::topic::partition_count(client, TOPIC)
            .await
            .unwrap();
        let mut held = Vec::new();
        for partition in 0..partitions {
            held.push(topic::records(client, TOPIC, partition).await);
        }
        held
    }
}

/// The values of one partition, as text.
fn values(records: &[Record]) -> Vec<String> {
    records
        .iter()
        .map(|record| String::from_utf8(record.value.to_vec()).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_a_server_sends_stops_the_loop() {
    let good = |n: u32| Answer::json(&format!(r#"[{{"id":"bitcoin","n":{n}}}]"#));
    let script = vec![
        good(1),
        Answer::raw(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>",
        ),
        good(2),
        Answer::json("<html>Just a moment...</html>"),
        Answer::json(r#"[{"id":"bitcoin","n":"#),
        good(3),
        // A body shorter than promised: the connection broke.
        Answer::raw(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n[{",
        ),
        Answer::raw(
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n",
        ),
        Answer::raw("SSH-2.0-OpenSSH_9.6\r\n"),
        good(4),
        Answer::raw(
            "HTTP/1.1 302 Found\r\nlocation: http://example.com/\r\ncontent-length: 0\r\n\r\n",
        ),
        Answer::raw(
            "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        ),
        Answer::json(r#"[7,{"id":"bitcoin","n":5},null,{"n":6}]"#),
        Answer::Endless,
        Answer::Silence,
        good(7),
    ];
    let server = Server::start(script).await;
    let setting = Setting::start(&server, 1, "  timeout: 2s\n  body_bytes_max: 100000\n").await;
    within(server.played()).await;
    let status = setting.status.clone();
    let held = setting.stop().await;
    let expected = [
        r#"{"id":"bitcoin","n":1}"#,
        r#"{"id":"bitcoin","n":2}"#,
        r#"{"id":"bitcoin","n":3}"#,
        r#"{"id":"bitcoin","n":4}"#,
        "7",
        r#"{"id":"bitcoin","n":5}"#,
        "null",
        r#"{"n":6}"#,
        r#"{"id":"bitcoin","n":7}"#,
    ];
    assert_eq!(values(&held[0]), expected);
    let keys: Vec<bool> = held[0].iter().map(|record| record.key.is_some()).collect();
    assert_eq!(
        keys,
        [true, true, true, true, false, true, false, false, true]
    );
    for (kind, count) in [
        (ErrorKind::ContentType, 1),
        (ErrorKind::Malformed, 2),
        (ErrorKind::Connection, 2),
        (ErrorKind::ServerError, 1),
        (ErrorKind::Redirected, 1),
        (ErrorKind::ClientError, 1),
        (ErrorKind::NotAnObject, 2),
        (ErrorKind::TooLarge, 1),
        (ErrorKind::Timeout, 1),
        (ErrorKind::Append, 0),
    ] {
        assert_eq!(status.errors(kind), count, "{kind}");
    }
    assert_eq!(status.records.load(Ordering::Relaxed), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_page_is_not_sent_again() {
    let tagged = |tag: &str, n: u32| {
        let body = format!(r#"[{{"id":"bitcoin","n":{n}}}]"#);
        Answer::raw(&format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\netag: {tag}\r\nlast-modified: Sun, 06 Nov 1994 08:49:37 \
             GMT\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let script = vec![
        tagged("W/\"one\"", 1),
        Answer::raw("HTTP/1.1 304 Not Modified\r\n\r\n"),
        // Came, but is not usable: its tag must not be taken for known.
        Answer::raw(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\netag: \"bad\"\r\ncontent-length: 1\r\n\r\n[",
        ),
        tagged("\"two\"", 2),
        Answer::raw("HTTP/1.1 304 Not Modified\r\n\r\n"),
    ];
    let server = Server::start(script).await;
    let setting = Setting::start(&server, 1, "").await;
    within(server.played()).await;
    let status = setting.status.clone();
    let held = setting.stop().await;
    assert_eq!(
        values(&held[0]),
        [r#"{"id":"bitcoin","n":1}"#, r#"{"id":"bitcoin","n":2}"#]
    );
    let tags: Vec<Option<String>> = server
        .requests()
        .iter()
        .take(5)
        .map(|request| request.header("if-none-match"))
        .collect();
    let tag = |text: &str| Some(text.to_owned());
    assert_eq!(
        tags,
        [
            None,
            tag("W/\"one\""),
            tag("W/\"one\""),
            tag("W/\"one\""),
            tag("\"two\"")
        ]
    );
    let dated = server.requests()[1].header("if-modified-since");
    assert_eq!(dated, tag("Sun, 06 Nov 1994 08:49:37 GMT"));
    assert!(status.unchanged.load(Ordering::Relaxed) >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_respected_for_as_long_as_the_server_says() {
    let script = vec![
        Answer::raw(
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n",
        ),
        Answer::json(r#"[{"id":"bitcoin"}]"#),
    ];
    let server = Server::start(script).await;
    let setting = Setting::start(&server, 1, "").await;
    within(server.played()).await;
    assert_eq!(setting.status.errors(ErrorKind::RateLimited), 1);
    let requests = server.requests();
    assert!(requests[1].at - requests[0].at >= Duration::from_secs(2));
    assert_eq!(setting.stop().await[0].len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_ends_the_first_poll_and_names_the_setting() {
    let body = r#"{"status":{"error_code":10010,"error_message":"wrong key"}}"#;
    let refusal = &format!(
        "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let settings = "  api_key: CG-very-secret\n  plan: pro\n";
    let server = Server::start(vec![Answer::raw(refusal)]).await;
    let setting = Setting::start(&server, 1, settings).await;
    let ended = within(setting.source).await.unwrap();
    let message = format!("{:#}", ended.unwrap_err());
    assert!(
        message.contains("coingecko.api_key") && message.contains("a pro key"),
        "{message}"
    );
    assert!(!message.contains("very-secret"));
    let request = &server.requests()[0];
    assert_eq!(
        request.header("x-cg-pro-api-key").as_deref(),
        Some("CG-very-secret")
    );
    assert!(!request.target.contains("very-secret"));

    // Once a reply has come the settings are right, and a refusal is a trouble like others.
    let good = |n: u32| Answer::json(&format!(r#"[{{"id":"bitcoin","n":{n}}}]"#));
    let key = Answer::json(r#"{"plan":"Basic"}"#);
    let server = Server::start(vec![key, good(1), Answer::raw(refusal), good(2)]).await;
    let setting = Setting::start(&server, 1, settings).await;
    within(server.played()).await;
    assert_eq!(setting.stop().await[0].len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_not_follow_a_redirect_to_another_host() {
    let elsewhere = Server::start(vec![Answer::json("[]")]).await;
    let redirect = format!(
        "HTTP/1.1 301 Moved Permanently\r\nlocation: {}/coins/markets\r\ncontent-length: 0\r\n\r\n",
        elsewhere.base_url()
    );
    let here =
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    let good = Answer::json(r#"[{"id":"bitcoin"}]"#);
    let server = Server::start(vec![Answer::raw(&redirect), Answer::raw(here), good]).await;
    let setting = Setting::start(&server, 1, "  api_key: CG-very-secret\n").await;
    within(server.played()).await;
    assert_eq!(setting.status.errors(ErrorKind::Redirected), 1);
    assert_eq!(setting.stop().await[0].len(), 1);
    assert!(elsewhere.requests().is_empty());
    assert_eq!(server.requests()[2].target, "/elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn ranks_are_read_page_by_page_until_the_list_ends() {
    let page = |from: usize, count: usize| {
        let coins: Vec<String> = (from..from + count)
            .map(|n| format!(r#"{{"id":"coin-{n}","last_updated":"2026-08-31T12:00:00.000Z"}}"#))
            .collect();
        let body = format!("[{}]", coins.join(","));
        Answer::raw(&format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\netag: \"{from}\"\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    // The first poll gets 600 of the 750 coins offered. In the second, a short page is not the end; an empty one is.
    // In the third the list is long again, and in the fourth short.
    let polls = [
        vec![page(0, 250), page(250, 250), page(500, 250)],
        vec![page(1_000, 249), page(1_249, 0)],
        vec![page(2_000, 7), page(2_250, 5), page(2_500, 3)],
        vec![page(3_000, 4), page(3_250, 0)],
    ];
    let server = Server::start(polls.concat()).await;
    let setting = Setting::start(&server, 1, "  top: 600\n").await;
    within(server.played()).await;
    let status = setting.status.clone();
    let held = setting.stop().await;
    assert_eq!(held[0].len(), 600 + 249 + 7 + 5 + 3 + 4);
    let requests = server.requests();
    let targets: Vec<bool> = requests
        .iter()
        .zip([1, 2, 3, 1, 2, 1, 2, 3, 1, 2])
        .map(|(request, page)| request.target.ends_with(&format!("&page={page}")))
        .collect();
    assert_eq!(targets, [true; 10]);
    // What a page said before it was beyond the end of the list is no longer known.
    let known = requests[..8]
        .iter()
        .map(|request| request.header("if-none-match"));
    let known: Vec<bool> = known.map(|known| known.is_some()).collect();
    assert_eq!(known, [false, false, false, true, true, true, true, false]);
    let metrics = status.metrics();
    let coins = metrics.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(coins.count(), 4, "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn coins_keep_their_partition_and_their_order_through_restarts_of_the_broker() {
    const POLLS: usize = 400;
    let coins = [
        "bitcoin", "ethereum", "solana", "cardano", "ripple", "pepe", "dogecoin",
    ];
    let answer = |poll: usize| {
        let objects: Vec<String> = coins
            .iter()
            .map(|coin| format!(r#"{{"id":"{coin}","poll":{poll}}}"#))
            .collect();
        Answer::json(&format!("[{}]", objects.join(",")))
    };
    let server = Server::start((0..POLLS).map(answer).collect()).await;
    let mut setting = Setting::start(&server, 3, "").await;
    for part in 1..=3 {
        within(server.played_at_least(POLLS / 4 * part)).await;
        setting.broker.restart().await;
    }
    within(server.played()).await;
    let held = setting.stop().await;
    for (partition, records) in held.iter().enumerate() {
        let mine: Vec<&str> = coins
            .into_iter()
            .filter(|coin| partition_of(Some(coin.as_bytes()), 3) == partition as u32)
            .collect();
        let expected: Vec<String> = (0..POLLS)
            .flat_map(|poll| {
                mine.iter()
                    .map(move |coin| format!(r#"{{"id":"{coin}","poll":{poll}}}"#))
            })
            .collect();
        assert!(
            values(records) == expected,
            "partition {partition} has {} records",
            records.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_while_broker_and_server_answer_and_alive_until_the_end() {
    let server = Server::start(vec![Answer::json(r#"[{"id":"bitcoin"}]"#)]).await;
    let mut setting = Setting::start(&server, 1, "").await;
    assert!(
        setting.status.ready().is_err(),
        "not before the first reply"
    );
    let becomes = async |status: &SourceStatus, ready: bool| {
        eventually(&format!("ready: {ready}"), async || {
            status.ready().is_ok() == ready
        })
        .await;
    };
    becomes(&setting.status, true).await;
    setting.broker.stop().await;
    becomes(&setting.status, false).await;
    setting.status.alive().unwrap();
    setting.broker.restart().await;
    becomes(&setting.status, true).await;

    let status = setting.status.clone();
    setting.stop().await;
    assert_eq!(status.alive(), Err("it was stopped".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_disappears_ends_the_source_with_a_sentence() {
    let answers =
        (0..100_000).map(|poll| Answer::json(&format!(r#"[{{"id":"bitcoin","poll":{poll}}}]"#)));
    let server = Server::start(answers.collect()).await;
    let setting = Setting::start(&server, 1, "").await;
    within(server.played_at_least(100)).await;
    topic::delete(setting.broker.client(), TOPIC).await;
    let ended = within(setting.source).await.unwrap();
    let message = format!("{:#}", ended.unwrap_err());
    assert!(
        message.contains("topic crypto-raw does not exist"),
        "{message}"
    );
}
