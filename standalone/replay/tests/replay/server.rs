//! The server over real HTTP, as a client sees it.

use std::time::{Duration, Instant};

use replay::{Market, Position, ReplayServer, Speed, Step, SyntheticMarket, Tail};
use reqwest::{Client, StatusCode, header};

const MARKETS: &str = "/coins/markets?vs_currency=usd&per_page=250&page=1";

fn market(minutes: u32) -> Market {
    Market::Synthetic(SyntheticMarket::new(11, minutes))
}

/// Every element of a market, and the partition it goes to.
fn elements(market: &Market) -> Vec<(u32, Vec<u8>)> {
    let (mut all, mut step) = (Vec::new(), Step::default());
    let mut steps = market.steps().unwrap();
    while steps.next_into(&mut step).unwrap() {
        for element in step.elements() {
            let key = element.key.map(|key| key.as_bytes());
            all.push((by_length(key, 3), element.json.to_vec()));
        }
    }
    all
}

/// A stand-in for the source's partitioner.
fn by_length(key: Option<&[u8]>, partitions: u32) -> u32 {
    key.map_or(0, |key| key.len() as u32) % partitions
}

/// One poll: status, tag and the elements as they were sent.
async fn poll(
    client: &Client,
    url: &str,
    tag: Option<&str>,
) -> (StatusCode, Option<String>, Vec<Vec<u8>>) {
    let mut request = client.get(url);
    if let Some(tag) = tag {
        request = request.header(header::IF_NONE_MATCH, tag);
    }
    let reply = request.send().await.unwrap();
    let (status, tag) = (reply.status(), reply.headers().get(header::ETAG).cloned());
    let body = reply.bytes().await.unwrap();
    let elements = match status {
        StatusCode::OK => serde_json::from_slice::<Vec<&serde_json::value::RawValue>>(&body)
            .unwrap()
            .into_iter()
            .map(|raw| raw.get().as_bytes().to_vec())
            .collect(),
        _ => Vec::new(),
    };
    (
        status,
        tag.map(|tag| tag.to_str().unwrap().to_owned()),
        elements,
    )
}

/// Polls to the end as the source does; every third reply is thought lost and asked for again.
async fn drain(server: &ReplayServer) -> Vec<Vec<u8>> {
    let client = Client::new();
    let url = format!("{}{MARKETS}", server.base_url());
    let (mut tag, mut all, mut polls) = (None, Vec::new(), 0);
    loop {
        let (status, new_tag, elements) = poll(&client, &url, tag.as_deref()).await;
        polls += 1;
        if status == StatusCode::NOT_MODIFIED || new_tag.is_none() {
            assert!(server.finished());
            return all;
        }
        if polls % 3 == 0 {
            continue;
        }
        tag = new_tag;
        all.extend(elements);
    }
}

#[tokio::test]
async fn lost_replies_come_again_and_nothing_comes_twice() {
    let market = market(300);
    let expected: Vec<Vec<u8>> = elements(&market)
        .into_iter()
        .map(|(_, json)| json)
        .collect();
    let server = ReplayServer::start(market, Speed::Max, Position::start())
        .await
        .unwrap();
    assert!(!server.finished());
    assert!(drain(&server).await == expected);
    let progress = server.progress();
    assert_eq!(
        (progress.steps, progress.records),
        (300, expected.len() as u64)
    );
    assert_eq!(
        (progress.steps_total, progress.records_total),
        (300, Some(expected.len() as u64))
    );
}

#[tokio::test]
async fn a_replay_goes_on_where_each_partition_stands() {
    let all = elements(&market(120));
    // Cuts anywhere, and partitions that are further than others, as when a crash came between two appends.
    for (cut, ahead) in [
        (0, 0),
        (1, 0),
        (377, 0),
        (400, 25),
        (801, 9),
        (all.len(), 0),
    ] {
        let held = |partition: u32| {
            let end = if partition == 1 {
                (cut + ahead).min(all.len())
            } else {
                cut
            };
            all[..end].iter().filter(move |(p, _)| *p == partition)
        };
        let tail = |partition| Tail {
            records: held(partition).count() as u64,
            last: held(partition).next_back().map(|(_, json)| json.clone()),
        };
        let position = Position::from_tails((0..3).map(tail).collect(), by_length);
        let server = ReplayServer::start(market(120), Speed::Max, position)
            .await
            .unwrap();
        let rest = drain(&server).await;
        for partition in 0..3 {
            let of = |json: &Vec<u8>| all.iter().any(|(p, j)| *p == partition && j == json);
            let mut arrived: Vec<&Vec<u8>> = held(partition).map(|(_, json)| json).collect();
            let got = arrived.len();
            arrived.extend(rest.iter().filter(|json| of(json)));
            let expected: Vec<&Vec<u8>> = all
                .iter()
                .filter(|(p, _)| *p == partition)
                .map(|(_, json)| json)
                .collect();
            assert!(
                arrived == expected,
                "cut {cut}, partition {partition}, held {got}"
            );
        }
        assert_eq!(server.progress().records, all.len() as u64);
    }
}

#[tokio::test]
async fn a_topic_of_another_market_is_refused() {
    let other = Tail {
        records: 5,
        last: Some(b"{}".to_vec()),
    };
    let refused = ReplayServer::start(
        market(60),
        Speed::Max,
        Position::from_tails(vec![other], by_length),
    )
    .await;
    let message = refused.err().unwrap().to_string();
    assert!(message.contains("record 4 of partition 0"), "{message}");

    let too_many = Position::from_counts(&[1_000_000], by_length);
    let refused = ReplayServer::start(market(60), Speed::Max, too_many).await;
    let message = refused.err().unwrap().to_string();
    assert!(message.contains("holds 1000000 records"), "{message}");
}

#[tokio::test]
async fn a_paced_step_is_not_due_before_its_time() {
    let server = ReplayServer::start(market(60), Speed::Times(0.001), Position::start())
        .await
        .unwrap();
    let client = Client::new();
    let url = format!("{}{MARKETS}", server.base_url());
    let (status, tag, first) = poll(&client, &url, None).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _, again) = poll(&client, &url, None).await;
    assert_eq!((status, &again), (StatusCode::OK, &first));
    let (status, _, _) = poll(&client, &url, tag.as_deref()).await;
    assert_eq!(status, StatusCode::NOT_MODIFIED);
    assert!(!server.finished());
}

#[tokio::test]
async fn whoever_prefers_to_wait_gets_a_paced_step_when_it_is_due() {
    // A step a minute: five a second, so that the second is not due at once.
    let server = ReplayServer::start(market(60), Speed::Times(300.0), Position::start())
        .await
        .unwrap();
    let client = Client::new();
    let url = format!("{}{MARKETS}", server.base_url());
    let mut tag = None;
    for step in 0..5 {
        let mut request = client.get(&url).header("prefer", "respond-async, wait=60");
        if let Some(tag) = tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status(), StatusCode::OK, "step {step}");
        tag = reply.headers().get(header::ETAG).cloned();
    }
    assert_eq!(server.calls(), 5, "one call a step");
}

/// A demo that has come to its end and is started again must not ask a hundred times a second.
#[tokio::test]
async fn whoever_prefers_to_wait_waits_where_nothing_is_left_too() {
    let market = market(60);
    let all = Position::from_counts(&[market.records_total().unwrap()], by_length);
    let server = ReplayServer::start(market, Speed::Max, all).await.unwrap();
    let url = format!("{}{MARKETS}", server.base_url());
    let asked = Instant::now();
    let request = Client::new().get(&url).header("prefer", "wait=1");
    let reply = request.send().await.unwrap();
    assert!(asked.elapsed() >= Duration::from_secs(1));
    assert_eq!(reply.status(), StatusCode::OK);
    assert_eq!(reply.text().await.unwrap(), "[]");
    assert!(server.finished());
}

#[tokio::test]
async fn parameters_are_those_of_coingecko() {
    let server = ReplayServer::start(market(60), Speed::Max, Position::start())
        .await
        .unwrap();
    let client = Client::new();
    let url = |query: &str| format!("{}/coins/markets{query}", server.base_url());
    let ids = |elements: Vec<Vec<u8>>| -> Vec<String> {
        let id = |json: Vec<u8>| {
            serde_json::from_slice::<serde_json::Value>(&json).unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        elements.into_iter().map(id).collect()
    };
    let (status, _, coins) = poll(&client, &url("?vs_currency=usd&ids=pepe,bitcoin"), None).await;
    assert_eq!(
        (status, ids(coins)),
        (
            StatusCode::OK,
            vec!["bitcoin".to_owned(), "pepe".to_owned()]
        )
    );
    let (_, _, coins) = poll(&client, &url("?vs_currency=usd&per_page=4&page=3"), None).await;
    assert_eq!(ids(coins), ["chainlink", "pepe"]);
    let (_, _, coins) = poll(&client, &url("?vs_currency=usd&page=2"), None).await;
    assert!(coins.is_empty());
    assert_eq!(
        poll(&client, &url(""), None).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(
        poll(&client, &url("?vs_currency=eur"), None).await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(server.progress().steps, 1);
}
