//! The Data page's topics: records as they are, from an offset, a time, by key and text, and as they come.

use std::time::Duration;

use connector_runtime::cluster::Client;
use connector_runtime::record::Outgoing;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use connector_runtime::writer::TopicWriter;
use fixtures::topic::records;
use serde_json::{Value, json};

use crate::browser::Browser;

const TIMEOUT: Duration = Duration::from_secs(20);
/// The offsets that the page shows.
const OFFSETS: &str = "[...document.querySelectorAll('.records tbody tr')].map((row) => Number(row.querySelector('td.number').textContent))";
/// The values that it shows.
const SHOWN: &str =
    "[...document.querySelectorAll('.records tbody summary')].map((s) => s.textContent).join(' ')";

/// What a live tail says that it passed over.
const PASSED: &str = "const rows = [...document.querySelectorAll('.passed li')].map((row) => row.textContent); return rows.length > 0 ? rows : null";

pub(crate) async fn compare_topics(browser: &Browser, client: &Client) {
    browser.go("#/data/topics/crypto-alerts").await;
    let all = records(client, "crypto-alerts", 0).await;
    let newest = all.last().unwrap();
    browser
        .until(&format!("{OFFSETS}[0] === {}", newest.offset))
        .await;
    browser
        .run("document.querySelector('.records details summary').click()")
        .await;
    let text = browser
        .until("document.querySelector('.records details pre')?.textContent")
        .await;
    let shown: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
    assert_eq!(
        shown,
        serde_json::from_slice::<Value>(&newest.value).unwrap()
    );
    compare_settings(browser, all.len()).await;
    take_along(browser, client).await;

    // From an offset, from a time, by key, and by text.
    browser.go("#/data/topics/crypto-raw?from=100").await;
    browser.until(&format!("{OFFSETS}.at(-1) === 100")).await;
    let some = &all[all.len() / 2];
    let first = all
        .iter()
        .find(|record| record.timestamp_ms >= some.timestamp_ms);
    let first = first.unwrap().offset;
    browser
        .go(&format!(
            "#/data/topics/crypto-alerts?at={}",
            some.timestamp_ms
        ))
        .await;
    browser
        .until(&format!("{OFFSETS}.at(-1) === {first}"))
        .await;
    browser.go("#/data/topics/crypto-features?key=solana").await;
    browser
        .until("document.querySelectorAll('.records tbody tr').length === 50")
        .await;
    let keys = browser.run("return [...document.querySelectorAll('.records tbody td:nth-child(3)')].map((k) => k.textContent)").await;
    assert!(
        keys.as_array().unwrap().iter().all(|key| key == "solana"),
        "{keys}"
    );
    let critical = |record: &&connector_runtime::record::Record| {
        let value: Value = serde_json::from_slice(&record.value).unwrap();
        value["severity"] == "critical" && value["coin"] == "bitcoin"
    };
    let wanted: Vec<i64> = all.iter().filter(critical).map(|it| it.offset).collect();
    assert!(!wanted.is_empty());
    let wanted: Vec<i64> = wanted.into_iter().rev().take(50).collect();
    browser.go("#/data/topics/crypto-alerts").await;
    browser
        .until("document.querySelector('#record-text')")
        .await;
    browser.choose("#record-key", "bitcoin").await;
    browser
        .choose("#record-text", "\"severity\":\"critical\"")
        .await;
    browser
        .run("document.querySelector('form.filters').requestSubmit()")
        .await;
    browser
        .until(&format!(
            "JSON.stringify({OFFSETS}) === '{}'",
            json!(wanted)
        ))
        .await;
    several_partitions(browser, client).await;
}

/// What the topic is made with, what it takes, and who reads it.
async fn compare_settings(browser: &Browser, held: usize) {
    let facts = browser
        .run("return Object.fromEntries([...document.querySelectorAll('.facts > div')].map((fact) => [...fact.children].map((part) => part.textContent)))")
        .await;
    assert_eq!(
        facts["Records"].as_str().unwrap().replace(',', ""),
        held.to_string()
    );
    assert_eq!(facts["Partitions"], "1");
    assert_eq!(facts["Replicas"], "1");
    assert_eq!(facts["Retention"], "7 d");
    let size = facts["Size"].as_str().unwrap();
    assert!(size.ends_with("kB") || size.ends_with("MB"), "{size}");
    browser.go("#/data/topics/crypto-features").await;
    let consumers = "[...document.querySelectorAll('.consumers tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))";
    let consumers = browser
        .until(&format!("({consumers}).length > 1 && {consumers}"))
        .await;
    let names: Vec<&str> = (consumers.as_array().unwrap().iter())
        .map(|row| row[0].as_str().unwrap())
        .collect();
    assert!(
        names.iter().any(|name| name.contains("stage-alerts")),
        "{names:?}"
    );
    assert_eq!(consumers[0][3], "0", "{consumers}");
    browser.go("#/data/topics/crypto-alerts").await;
    browser.until("document.querySelector('.records')").await;
}

/// What is copied is what is shown; the file has more of it.
async fn take_along(browser: &Browser, client: &Client) {
    let copied = browser
        .run(
            "let copied = null; \
             Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText: async (text) => { copied = text; } } }); \
             [...document.querySelectorAll('.copy')].find((b) => b.textContent.startsWith('Copy as')).click(); \
             return copied",
        )
        .await;
    let lines: Vec<Value> = (copied.as_str().unwrap().lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let all = records(client, "crypto-alerts", 0).await;
    let newest = all.last().unwrap();
    let last = lines.last().unwrap();
    assert_eq!(last["offset"], newest.offset);
    assert_eq!(
        last["value"],
        serde_json::from_slice::<Value>(&newest.value).unwrap()
    );
    let file = browser
        .run(
            "return fetch(document.querySelector('a[download]').href).then(async (answer) => \
             [answer.headers.get('content-disposition'), answer.headers.get('content-type'), await answer.text()])",
        )
        .await;
    assert_eq!(
        file[0].as_str().unwrap(),
        "attachment; filename=\"crypto-alerts.jsonl\""
    );
    assert_eq!(file[1], "application/x-ndjson");
    let lines: Vec<Value> = (file[2].as_str().unwrap().lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), all.len().min(10_000));
    assert_eq!(lines.last(), Some(last));
}

/// Of a topic with several partitions the newest of all come first, and a key is found wherever it is.
async fn several_partitions(browser: &Browser, client: &Client) {
    let topic = TopicSettings::named("in-three-parts").with_partitions(3);
    ensure_topic(client, &topic).await.unwrap();
    for partition in 0..3 {
        let writer = TopicWriter::open(client, "in-three-parts", partition, TIMEOUT);
        let record = |nth: u32| Outgoing {
            key: Some(format!("key-{partition}").into()),
            value: format!("{partition}/{nth}").into(),
        };
        writer
            .await
            .unwrap()
            .append(&[record(0), record(1)])
            .await
            .unwrap();
    }
    browser.go("#/data/topics/in-three-parts").await;
    browser
        .until(&format!("{SHOWN} === '2/1 2/0 1/1 1/0 0/1 0/0'"))
        .await;
    browser.go("#/data/topics/in-three-parts?key=key-2").await;
    browser.until(&format!("{SHOWN} === '2/1 2/0'")).await;
    browser.go("#/data/topics/in-three-parts?text=1/").await;
    browser.until(&format!("{SHOWN} === '1/1 1/0'")).await;
    browser
        .go("#/data/topics/in-three-parts?partition=1&from=1")
        .await;
    browser.until(&format!("{SHOWN} === '1/1'")).await;
}

/// Records show as they come, only those that are wanted, and a pause holds them.
pub(crate) async fn follow_a_topic(browser: &Browser, client: &Client) {
    ensure_topic(client, &TopicSettings::named("to-follow"))
        .await
        .unwrap();
    let mut writer = TopicWriter::open(client, "to-follow", 0, TIMEOUT)
        .await
        .unwrap();
    let mut write = async |values: &[&str]| {
        let records: Vec<_> = (values.iter())
            .map(|value| Outgoing {
                key: Some("key".to_owned().into()),
                value: (*value).to_owned().into(),
            })
            .collect();
        writer.append(&records).await.unwrap();
    };
    write(&["good 1", "bad 1"]).await;
    browser.go("#/data/topics/to-follow?text=good").await;
    browser.until("document.querySelector('#follow')").await;
    browser
        .run("document.querySelector('#follow').click()")
        .await;
    browser.until(&format!("{SHOWN} === 'good 1'")).await;
    write(&["good 2", "bad 2", "good 3"]).await;
    browser
        .until(&format!("{SHOWN} === 'good 3 good 2 good 1'"))
        .await;
    let press = "document.querySelector('#pause').click()";
    browser.run(press).await;
    browser
        .until("document.querySelector('.browse .summary').textContent === 'Paused: text good'")
        .await;
    write(&["good 4"]).await;
    browser.next_frame().await;
    assert_eq!(
        browser.run(&format!("return {SHOWN}")).await,
        "good 3 good 2 good 1"
    );
    browser.run(press).await;
    browser
        .until(&format!("{SHOWN} === 'good 4 good 3 good 2 good 1'"))
        .await;
    // A pause in which more came than the start shows.
    browser.run(press).await;
    browser
        .until("document.querySelector('#pause').textContent === 'Go on'")
        .await;
    let of = |from: usize, until: usize| {
        let values = (from..until).map(|nth| format!("good {nth}"));
        values.collect::<Vec<_>>()
    };
    let many = of(5, 105);
    write(&many.iter().map(String::as_str).collect::<Vec<_>>()).await;
    browser.run(press).await;
    let shown = [of(1, 5), many].concat();
    let shown: Vec<_> = shown.into_iter().rev().collect();
    browser
        .until(&format!("{SHOWN} === {:?}", shown.join(" ")))
        .await;
    assert_eq!(browser.run(PASSED).await, Value::Null);
    // A long one: some are wanted and do not fit, and of the oldest it is only known how many there are.
    browser.run(press).await;
    browser
        .until("document.querySelector('#pause').textContent === 'Go on'")
        .await;
    let many = of(105, 6_105);
    write(&many.iter().map(String::as_str).collect::<Vec<_>>()).await;
    browser.run(press).await;
    browser.until(&format!("{OFFSETS}[0] === 6105")).await;
    let told = browser.run(PASSED).await;
    assert_eq!(
        told[0],
        "1,000 records passed over, whatever their key and text: show from offset 106"
    );
    let fast = told[1].as_str().unwrap();
    let (count, rest) = fast.split_once(' ').unwrap();
    let count: i64 = count.replace(',', "").parse().unwrap();
    assert!(count > 0 && count <= 4_800, "{fast}");
    assert!(
        rest.starts_with("records came too fast to be shown: show from offset "),
        "{fast}"
    );
    browser
        .run("document.querySelector('.passed a').click()")
        .await;
    browser
        .until(&format!(
            "{OFFSETS}.at(-1) === 106 && {OFFSETS}.length === 50"
        ))
        .await;
    assert_eq!(
        browser.run("return location.hash").await,
        "#/data/topics/to-follow?text=good&from=106"
    );
    browser.run("history.back()").await;
    browser
        .until("document.querySelector('#pause')?.textContent === 'Pause'")
        .await;
    // The platform's health comes on the same stream.
    browser
        .until("document.getElementById('health').dataset.state === 'ok'")
        .await;
}
