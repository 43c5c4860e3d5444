//! An hour of polls of a CoinGecko that misbehaves: limits, errors, pages in place of lists, bodies cut short and without end,
//! bytes that trickle, redirects elsewhere, lists of anything, the same again, and older than before. The finished command
//! goes on by itself, sends every list that came whole, once and in order, less what repeats the coin's object before, and its
//! memory stays what it was.

use std::collections::HashMap;
use std::time::Duration;

use connector_runtime::reader;
use faults::Vitals;
use fixtures::broker::TestBroker;
use fixtures::process::{Process, program};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::server::{Answer, Server};
use crate::{TOPIC, values};

/// One poll a minute, as shipped.
const HOUR: u64 = 60;
const DAY: u64 = 24 * 60;
/// More than that is a leak. What it holds of a body without end comes and goes.
const GROWTH_MAX_BYTES: u64 = 32 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_misbehaves_for_an_hour() {
    let polls = faults::times(HOUR, DAY);
    let mut market = Market {
        random: ChaCha8Rng::seed_from_u64(faults::seed()),
        minute: 0,
        last: HashMap::new(),
        expected: Vec::new(),
    };
    let mut script = Vec::new();
    for _ in 0..polls {
        // Half of the polls meet trouble first, some of them a storm of it.
        let troubles = match market.random.random_range(0..20) {
            0..10 => 0,
            10..18 => 1,
            _ => 3,
        };
        script.extend((0..troubles).map(|_| market.trouble()));
        script.push(market.list());
    }
    let (answers, tenth) = (script.len(), script.len() / 10);

    let server = Server::start(script).await;
    let folder = tempfile::tempdir().unwrap();
    let broker = TestBroker::start().await;
    let config = folder.path().join("source.yaml");
    let text = format!(
        "apiVersion: 0.1.0\nmeta:\n  version: 0.1.0\n  name: source\n  type: coingecko-source\n  topic: {TOPIC}\n\
         coingecko:\n  base_url: {}\n  poll_interval: 0s\n  timeout: 1s\n",
        server.base_url()
    );
    std::fs::write(&config, text).unwrap();
    let mut source = program("coingecko-source");
    source.arg("--config").arg(&config);
    source.args(["--cluster", &broker.addr().to_string()]);
    let source = Process::start(source);
    let patience = Duration::from_secs(60 + 10 * polls);
    let played = async {
        server.played_at_least(tenth).await;
        let early = Vitals::of(source.id()).unwrap();
        server.played().await;
        (early, Vitals::of(source.id()).unwrap())
    };
    let played = tokio::time::timeout(patience, played).await;
    let (early, late) = played.expect("the source stopped polling");

    let client = broker.client();
    let expected = market.expected;
    let held = tokio::time::timeout(patience, async {
        loop {
            let range = reader::offsets(client, TOPIC, 0).await.unwrap();
            if range.end as usize >= expected.len() {
                return reader::read_range(client, TOPIC, 0, range.start..range.end).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let held = values(&held.await.expect("records are missing").unwrap());
    let same = held
        .iter()
        .zip(&expected)
        .take_while(|(a, b)| a == b)
        .count();
    assert!(
        held.len() == expected.len() && same == held.len(),
        "{} records instead of {}, the first {same} are the same",
        held.len(),
        expected.len()
    );
    println!(
        "{polls} polls, {answers} answers, {} of them bad: {} records, each once; {:.0} MB and {} open files after a tenth, \
         {:.0} MB and {} at the end",
        answers - polls as usize,
        held.len(),
        early.resident_mb(),
        early.open_files,
        late.resident_mb(),
        late.open_files,
    );
    assert!(late.resident_bytes < early.resident_bytes + GROWTH_MAX_BYTES);
    assert!(late.open_files <= early.open_files + 5);
}

struct Market {
    random: ChaCha8Rng,
    minute: u64,
    /// The object last sent for each coin.
    last: HashMap<String, String>,
    expected: Vec<String>,
}

impl Market {
    /// A list that comes whole, of whatever.
    fn list(&mut self) -> Answer {
        self.minute += 1;
        // The same minute again, or one long past.
        let minute = match self.random.random_range(0..10) {
            0 => self.minute - 1,
            1 => self.minute / 2,
            _ => self.minute,
        };
        let coins = ["bitcoin", "ethereum", "tether"].map(|coin| {
            format!(r#"{{"id":"{coin}","current_price":1.5e-7,"last_updated":"minute {minute}"}}"#)
        });
        let mut list = coins.to_vec();
        if self.random.random_range(0..5) == 0 {
            let odd = [
                "7",
                "null",
                r#""bitcoin""#,
                "[[]]",
                r#"{"id":5,"current_price":"much"}"#,
                r#"{"id":null,"current_price":{}}"#,
                r#"{"id":"bitcoin","current_price":[1]}"#,
            ];
            list.push(odd[self.random.random_range(0..odd.len())].to_owned());
        }
        let answer = Answer::json(&format!("[{}]", list.join(",")));
        for object in list {
            let id = serde_json::from_str::<serde_json::Value>(&object).unwrap()["id"]
                .as_str()
                .map(str::to_owned);
            let before = id.and_then(|id| self.last.insert(id, object.clone()));
            if before.as_ref() != Some(&object) {
                self.expected.push(object);
            }
        }
        match (self.random.random_range(0..10), answer) {
            (0, Answer::Bytes(bytes)) => Answer::Slowly(bytes),
            (_, answer) => answer,
        }
    }

    /// Anything else.
    fn trouble(&mut self) -> Answer {
        let status = |line: &str, more: &str| {
            Answer::raw(&format!(
                "HTTP/1.1 {line}\r\n{more}content-length: 0\r\n\r\n"
            ))
        };
        match self.random.random_range(0..16) {
            0 => status("429 Too Many Requests", "retry-after: 0\r\n"),
            1 => status("429 Too Many Requests", "retry-after: 1\r\n"),
            2 => status("500 Internal Server Error", ""),
            3 => status("502 Bad Gateway", ""),
            4 => status("503 Service Unavailable", "retry-after: 0\r\n"),
            5 => status("302 Found", "location: http://elsewhere.invalid/coins\r\n"),
            6 => status("404 Not Found", ""),
            7 => Answer::raw(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>",
            ),
            8 => Answer::json("<html>Just a moment...</html>"),
            9 => Answer::json(r#"{"status":{"error_code":500,"error_message":"soon"}}"#),
            10 => Answer::json(r#"[{"id":"bitcoin","current_price":1.5},{"id":"eth"#),
            11 => Answer::raw(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n[{\"id\":",
            ),
            12 => Answer::raw("HTTP/1.1 200 OK\r\ncontent-le"),
            13 => Answer::raw("SSH-2.0-OpenSSH_9.6\r\n"),
            14 => Answer::Endless,
            _ => Answer::Silence,
        }
    }
}
