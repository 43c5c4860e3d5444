//! The field market over real HTTP.

use std::collections::HashMap;

use replay::{
    Faults, FieldMarket, FieldSettings, Market, Position, Refusal, ReplayServer, Speed, Step,
    default_digits,
};
use reqwest::header::HeaderValue;
use reqwest::{Client, Response, StatusCode, header};
use serde_json::value::RawValue;

async fn serve(settings: FieldSettings) -> ReplayServer {
    let market = Market::Field(FieldMarket::new(settings));
    ReplayServer::start(market, Speed::Max, Position::start())
        .await
        .unwrap()
}

fn calm(minutes: u32) -> FieldSettings {
    FieldSettings {
        minutes,
        faults: Faults {
            refusals: false,
            ..Faults::ALL
        },
        ..FieldSettings::default()
    }
}

async fn get(server: &ReplayServer, path: &str) -> Response {
    Client::new()
        .get(format!("{}{path}", server.base_url()))
        .send()
        .await
        .unwrap()
}

async fn markets(server: &ReplayServer, query: &str) -> Vec<serde_json::Value> {
    let reply = get(server, &format!("/coins/markets?vs_currency=usd&{query}")).await;
    assert_eq!(reply.status(), StatusCode::OK);
    json(reply).await
}

async fn json<T: serde::de::DeserializeOwned>(reply: Response) -> T {
    serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap()
}

fn texts<'a>(coins: &'a [serde_json::Value], name: &str) -> Vec<&'a str> {
    coins
        .iter()
        .map(|coin| coin[name].as_str().unwrap())
        .collect()
}

fn numbers(coins: &[serde_json::Value], name: &str) -> Vec<f64> {
    coins
        .iter()
        .map(|coin| coin[name].as_f64().unwrap_or(0.0))
        .collect()
}

#[tokio::test]
async fn precision_full_gives_every_digit_and_none_the_usual_ones() {
    let server = serve(calm(5)).await;
    let full = numbers(
        &markets(&server, "per_page=250&precision=full").await,
        "current_price",
    );
    let usual = numbers(&markets(&server, "per_page=250").await, "current_price");
    let three = numbers(
        &markets(&server, "per_page=250&precision=3").await,
        "current_price",
    );
    assert!(
        full.iter()
            .zip(&usual)
            .filter(|(full, usual)| full != usual)
            .count()
            > 200
    );
    for (full, (usual, three)) in full.into_iter().zip(usual.into_iter().zip(three)) {
        assert_eq!(default_digits(full), usual);
        assert!((full - three).abs() <= 0.000_500_1);
    }
}

#[tokio::test]
async fn pages_orders_ids_and_categories_select() {
    let server = serve(calm(5)).await;
    let first = markets(&server, "per_page=250&page=1").await;
    let second = markets(&server, "per_page=250&page=2").await;
    assert_eq!((first.len(), second.len()), (250, 32));
    assert_eq!(markets(&server, "per_page=250&page=3").await.len(), 0);
    assert_eq!(markets(&server, "").await.len(), 100);
    assert!(numbers(&first, "market_cap").is_sorted_by(|a, b| a >= b));
    let by_volume = markets(&server, "order=volume_desc&per_page=250").await;
    assert!(numbers(&by_volume, "total_volume").is_sorted_by(|a, b| a >= b));
    let by_id = markets(&server, "order=id_asc&per_page=250").await;
    assert!(texts(&by_id, "id").is_sorted());
    let asked = markets(&server, "ids=-6,bitcoin,nobody,boringdao-%5Bold%5D").await;
    assert!(numbers(&asked, "market_cap").is_sorted_by(|a, b| a >= b));
    let mut ids = texts(&asked, "id");
    ids.sort_unstable();
    assert_eq!(ids, ["-6", "bitcoin", "boringdao-[old]"]);
    let stable = markets(&server, "category=stablecoins&per_page=250").await;
    assert!(texts(&stable, "id").contains(&"tether"));
    assert!(!texts(&stable, "id").contains(&"bitcoin"));
    assert_eq!(markets(&server, "category=no-such-thing").await.len(), 0);
}

#[tokio::test]
async fn ordinary_replies_have_the_headers_of_a_cache() {
    let server = serve(calm(5)).await;
    let reply = get(&server, "/coins/markets?vs_currency=usd").await;
    let header = |name| reply.headers()[name].to_str().unwrap();
    assert_eq!(
        header(header::CACHE_CONTROL),
        "max-age=30, public, must-revalidate, s-maxage=60"
    );
    assert!(header(header::ETAG).starts_with("W/\""));
    assert!(header(header::AGE).parse::<u64>().unwrap() <= 261);
    assert_eq!(header(header::SERVER), "cloudflare");
    let known = Client::new()
        .get(format!(
            "{}/coins/markets?vs_currency=usd",
            server.base_url()
        ))
        .header(header::IF_NONE_MATCH, header(header::ETAG))
        .send();
    let next = known.await.unwrap();
    assert_ne!(next.headers()[header::ETAG], reply.headers()[header::ETAG]);
}

#[tokio::test]
async fn a_missing_currency_and_the_other_addresses_are_answered() {
    let server = serve(calm(5)).await;
    let reply = get(&server, "/coins/markets").await;
    assert_eq!(reply.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        reply.text().await.unwrap(),
        r#"{"error":"Missing parameter vs_currency"}"#
    );
    assert_eq!(get(&server, "/ping").await.status(), StatusCode::OK);
    let key: serde_json::Value = json(get(&server, "/key").await).await;
    assert_eq!(key["monthly_call_credit"], 100_000);
    assert_eq!(key["current_total_monthly_calls"], 1);
    assert_eq!(key["current_remaining_monthly_calls"], 99_999);
}

#[tokio::test]
async fn each_recorded_error_can_come_first_and_passes() {
    let all = Refusal::PASSING.iter().chain([
        &Refusal::DEMO_KEY_ON_PRO_HOST,
        &Refusal::PRO_KEY_ON_DEMO_HOST,
    ]);
    for refusal in all {
        let server = serve(FieldSettings {
            opens_with: Some(refusal),
            ..calm(5)
        })
        .await;
        let first = get(&server, "/coins/markets?vs_currency=usd").await;
        assert_eq!(first.status().as_u16(), refusal.status);
        for (name, value) in refusal.headers {
            assert_eq!(first.headers()[*name], value);
        }
        assert_eq!(first.text().await.unwrap(), refusal.body);
        assert_eq!(markets(&server, "").await.len(), 100);
    }
}

#[tokio::test]
async fn errors_come_between_the_replies_and_the_market_goes_on() {
    let minutes = 3 * 1_440;
    let settings = FieldSettings {
        coins: 5,
        minutes,
        ..FieldSettings::default()
    };
    let market = FieldMarket::new(settings.clone());
    let (mut steps, mut step, mut expected) = (market.steps(), Step::default(), Vec::new());
    while steps.next_into(&mut step) {
        expected.push(step.refusal.map_or(200, |refusal| refusal.status));
    }
    assert!(expected.iter().any(|status| *status != 200));
    let server = serve(settings).await;
    let (client, mut tag, mut statuses) = (Client::new(), None, Vec::new());
    while !server.finished() {
        let mut request = client.get(format!(
            "{}/coins/markets?vs_currency=usd",
            server.base_url()
        ));
        if let Some(tag) = &tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        let reply = request.send().await.unwrap();
        statuses.push(reply.status().as_u16());
        tag = reply.headers().get(header::ETAG).cloned().or(tag);
    }
    statuses.pop();
    assert_eq!(statuses, expected);
    assert_eq!(server.progress().steps, u64::from(minutes));
}

/// One object a coin, as it was sent.
type Objects = Vec<Box<RawValue>>;

/// The reply to the next poll, whole; none when nothing is new.
async fn next(server: &ReplayServer, tag: &mut Option<HeaderValue>) -> Option<Objects> {
    let mut all = Objects::new();
    for page in 1..=2 {
        let url = format!(
            "{}/coins/markets?vs_currency=usd&precision=full&per_page=250&page={page}",
            server.base_url()
        );
        let mut request = Client::new().get(url);
        if let (1, Some(tag)) = (page, &*tag) {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        let reply = request.send().await.unwrap();
        let new_tag = reply.headers().get(header::ETAG).cloned();
        if reply.status() == StatusCode::NOT_MODIFIED || new_tag.is_none() {
            return None;
        }
        *tag = new_tag;
        all.extend(json::<Objects>(reply).await);
    }
    Some(all)
}

/// Whenever a run ends: no reply comes again, and none is passed by.
#[tokio::test]
async fn a_replay_goes_on_after_the_reply_that_brought_the_last_record() {
    let market = Market::Field(FieldMarket::new(calm(30)));
    let server = ReplayServer::start(market.clone(), Speed::Max, Position::start());
    let server = server.await.unwrap();
    // Each reply with something new, and the last record that its client sent then.
    let (mut tag, mut sent) = (None, HashMap::new());
    let mut replies: Vec<(String, Objects)> = Vec::new();
    while let Some(reply) = next(&server, &mut tag).await {
        let mut last = None;
        for object in &reply {
            let coin: serde_json::Value = serde_json::from_str(object.get()).unwrap();
            let text = object.get().to_owned();
            let before = sent.insert(coin["id"].to_string(), text.clone());
            if before.as_ref() != Some(&text) {
                last = Some(text);
            }
        }
        replies.extend(last.map(|last| (last, reply)));
    }
    assert!(replies.len() > 10, "{}", replies.len());
    for (number, (last, _)) in replies.iter().enumerate() {
        let tail = replay::Tail {
            records: 7_000,
            last: Some(last.clone().into_bytes()),
        };
        let position = Position::from_tails(vec![tail], |_, _| 0);
        let server = ReplayServer::start(market.clone(), Speed::Max, position);
        let server = server.await.unwrap();
        let text = |objects: &Objects| serde_json::to_string(objects).unwrap();
        let next = next(&server, &mut None).await;
        let expected = replies.get(number + 1).map(|(_, reply)| text(reply));
        assert!(next.as_ref().map(text) == expected, "after reply {number}");
        assert_eq!(server.finished(), expected.is_none());
    }
}
