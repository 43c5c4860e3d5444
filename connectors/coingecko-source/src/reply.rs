//! What a reply means: pure decisions on what came back, and on what to do next.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use connector_runtime::record::Outgoing;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::config::KeyPlan;
use crate::status::ErrorKind;

/// A `Retry-After` longer than this is not believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// The pause after a 429 that doesn't say how long.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(60);
/// What a record may measure: a batch holds 1 MiB, its frame included.
const RECORD_BYTES_MAX: usize = 900 << 10;
/// How much of a foreign text a message quotes.
const QUOTE_CHARS_MAX: usize = 160;

/// Why a page did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub kind: ErrorKind,
    /// One sentence that names the thing and, where there is one, the remedy.
    pub what: String,
    pub next: Next,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try again in a moment.
    Retry,
    /// Try again, but not before so long: the server asked for it.
    RetryAfter(Duration),
    /// The same request would get the same answer: wait for the next poll.
    Skip,
    /// Wrong settings, if no request has succeeded yet.
    CheckSettings,
}

/// The facts of a reply's head.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Head<'a> {
    pub status: u16,
    pub content_type: Option<&'a str>,
    pub retry_after: Option<&'a str>,
    pub location: Option<&'a str>,
}

/// What the head of a reply promises.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Coins follow.
    Coins,
    /// What we have is what there is.
    Unchanged,
    /// The body is worth a quote at best.
    Failed { kind: ErrorKind, next: Next },
}

/// Judges a reply by its head.
pub(crate) fn judge(head: &Head<'_>, now: SystemTime) -> Verdict {
    let failed = |kind, next| Verdict::Failed { kind, next };
    match head.status {
        200 if is_json(head.content_type) => Verdict::Coins,
        200 => failed(ErrorKind::ContentType, Next::Skip),
        304 => Verdict::Unchanged,
        401 | 403 => failed(ErrorKind::Unauthorized, Next::CheckSettings),
        408 => failed(ErrorKind::Timeout, Next::Retry),
        429 => {
            let pause = head.retry_after.and_then(|text| retry_after(text, now));
            let pause = pause.unwrap_or(RETRY_AFTER_DEFAULT).min(RETRY_AFTER_MAX);
            failed(ErrorKind::RateLimited, Next::RetryAfter(pause))
        }
        300..=399 => failed(ErrorKind::Redirected, Next::Skip),
        500..=599 => match head.retry_after.and_then(|text| retry_after(text, now)) {
            Some(pause) => failed(
                ErrorKind::ServerError,
                Next::RetryAfter(pause.min(RETRY_AFTER_MAX)),
            ),
            None => failed(ErrorKind::ServerError, Next::Retry),
        },
        _ => failed(ErrorKind::ClientError, Next::Skip),
    }
}

fn is_json(content_type: Option<&str>) -> bool {
    let media_type = content_type.and_then(|text| text.split(';').next());
    media_type.is_some_and(|media_type| {
        let media_type = media_type.trim().to_ascii_lowercase();
        media_type == "application/json" || media_type.ends_with("+json")
    })
}

/// The pause a `Retry-After` header asks for: seconds, or an HTTP date.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

/// The sentence for a reply that brought no coins; `body` is whatever came with it.
pub(crate) fn explain(
    head: &Head<'_>,
    kind: ErrorKind,
    next: Next,
    body: &[u8],
    key: Option<KeyPlan>,
) -> Trouble {
    let Head { status, .. } = *head;
    let (said, code) = server_message(body);
    let said = if said.is_empty() {
        String::new()
    } else {
        format!(" ({said})")
    };
    // CoinGecko's codes for a missing key, and for a key at the other plan's host; it sends them with a 400.
    let wrong_key = matches!(code, Some(10_002 | 10_010 | 10_011));
    let (kind, next) = match wrong_key {
        true => (ErrorKind::Unauthorized, Next::CheckSettings),
        false => (kind, next),
    };
    let what = match (kind, key) {
        (ErrorKind::Unauthorized, None) => {
            format!("CoinGecko wants an API key, {status}{said}: set coingecko.api_key")
        }
        (ErrorKind::Unauthorized, Some(plan)) => format!(
            "CoinGecko refuses the API key, {status}{said}: check coingecko.api_key, and that it is a {plan} key as \
             coingecko.plan says"
        ),
        (ErrorKind::RateLimited, _) => {
            let pause = match next {
                Next::RetryAfter(pause) => pause.as_secs(),
                _ => 0,
            };
            format!(
                "CoinGecko says too many calls, 429{said}: none for {pause} s; lower coingecko.calls_per_minute if this \
                 goes on"
            )
        }
        (ErrorKind::Redirected, _) => format!(
            "the reply {status} points to {}, which is not followed: set coingecko.base_url to where the API is",
            quote(head.location.unwrap_or("nowhere"))
        ),
        (ErrorKind::ContentType, _) => format!(
            "the reply is {} instead of JSON: is coingecko.base_url an API's address, and no proxy's or login page's?",
            quote(head.content_type.unwrap_or("of no type"))
        ),
        (ErrorKind::ServerError, _) => format!("the server has trouble, {status}{said}"),
        _ => format!(
            "the server refuses the request, {status}{said}: check coingecko.ids and coingecko.vs_currency"
        ),
    };
    Trouble { kind, what, next }
}

/// What CoinGecko's error objects say, in any of their shapes.
fn server_message(body: &[u8]) -> (String, Option<i64>) {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) else {
        return (String::new(), None);
    };
    let text = |value: &serde_json::Value| value.as_str().map(quote);
    let code = value["status"]["error_code"]
        .as_i64()
        .or(value["error_code"].as_i64());
    let said = text(&value["status"]["error_message"])
        .or_else(|| text(&value["error"]["status"]["error_message"]))
        .or_else(|| text(&value["error"]))
        .unwrap_or_default();
    (said, code)
}

/// A foreign text, made safe for one line of a log.
fn quote(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut quoted: String = text.chars().take(QUOTE_CHARS_MAX).map(clean).collect();
    if text.chars().nth(QUOTE_CHARS_MAX).is_some() {
        quoted.push_str("...");
    }
    quoted
}

/// The coins of a page.
#[derive(Debug, Default)]
pub(crate) struct Coins {
    /// One record an element, in order: the bytes exactly as they came, under the coin's id.
    pub records: Vec<Outgoing>,
    /// How many elements the page had.
    pub elements: usize,
    /// One sentence for each element that is odd.
    pub odd: Vec<(ErrorKind, String)>,
}

/// Takes the elements of a body apart without touching their bytes.
///
/// # Errors
/// When the body isn't one whole JSON list.
pub(crate) fn coins(body: &Bytes) -> Result<Coins, Trouble> {
    let elements: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| {
        let what = match (
            error.classify(),
            body.iter().find(|b| !b.is_ascii_whitespace()),
        ) {
            (serde_json::error::Category::Eof, _) => {
                format!("the reply ends too early, after {} bytes", body.len())
            }
            (_, Some(b'<')) => "the reply calls itself JSON but is an HTML or XML page".to_owned(),
            (serde_json::error::Category::Data, _) => {
                let (said, _) = server_message(body);
                format!(
                    "the reply is JSON, but no list of coins: {}",
                    if said.is_empty() {
                        quote(&error.to_string())
                    } else {
                        said
                    }
                )
            }
            _ => format!("the reply is broken JSON: {}", quote(&error.to_string())),
        };
        Trouble {
            kind: ErrorKind::Malformed,
            what,
            next: Next::Skip,
        }
    })?;
    let mut coins = Coins {
        records: Vec::with_capacity(elements.len()),
        elements: elements.len(),
        odd: Vec::new(),
    };
    for (position, element) in elements.into_iter().enumerate() {
        let json = element.get();
        if json.len() > RECORD_BYTES_MAX {
            let what = format!(
                "element {position} has {} bytes and fits no record: left out",
                json.len()
            );
            coins.odd.push((ErrorKind::TooLarge, what));
            continue;
        }
        if !json.starts_with('{') {
            let what = format!("element {position} is no object but {}", quote(json));
            coins.odd.push((ErrorKind::NotAnObject, what));
        }
        coins.records.push(Outgoing {
            key: id(json).map(Bytes::from),
            value: body.slice_ref(json.as_bytes()),
        });
    }
    Ok(coins)
}

/// A coin's id; none when it has none, or none that is a text.
fn id(json: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Coin {
        id: String,
    }
    let coin: Coin = serde_json::from_str(json).ok()?;
    Some(coin.id).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_SECS: u64 = 784_111_777; // Sun, 06 Nov 1994 08:49:37 GMT

    fn verdict(status: u16, content_type: &str, retry_after: Option<&str>) -> Verdict {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_SECS);
        let head = Head {
            status,
            content_type: Some(content_type),
            retry_after,
            location: None,
        };
        judge(&head, now)
    }

    #[test]
    fn replies_are_judged_by_their_head() {
        let json = "application/json; charset=utf-8";
        let failed = |kind, next| Verdict::Failed { kind, next };
        let secs = |secs| Next::RetryAfter(Duration::from_secs(secs));
        let limited = |next| failed(ErrorKind::RateLimited, next);
        let server = |next| failed(ErrorKind::ServerError, next);
        for (status, content_type, retry_after, expected) in [
            (200, json, None, Verdict::Coins),
            (200, "application/problem+json", None, Verdict::Coins),
            (
                200,
                "text/html",
                None,
                failed(ErrorKind::ContentType, Next::Skip),
            ),
            (304, "", None, Verdict::Unchanged),
            (
                401,
                json,
                None,
                failed(ErrorKind::Unauthorized, Next::CheckSettings),
            ),
            (
                403,
                "text/html",
                None,
                failed(ErrorKind::Unauthorized, Next::CheckSettings),
            ),
            (404, json, None, failed(ErrorKind::ClientError, Next::Skip)),
            (301, json, None, failed(ErrorKind::Redirected, Next::Skip)),
            (429, json, None, limited(secs(60))),
            (429, json, Some("17"), limited(secs(17))),
            (
                429,
                json,
                Some("Sun, 06 Nov 1994 08:50:07 GMT"),
                limited(secs(30)),
            ),
            (
                429,
                json,
                Some("Sun, 06 Nov 1994 08:00:00 GMT"),
                limited(secs(0)),
            ),
            (429, json, Some("soon"), limited(secs(60))),
            (429, json, Some("999999999999"), limited(secs(3_600))),
            (500, json, None, server(Next::Retry)),
            (503, json, Some("4"), server(secs(4))),
        ] {
            let context = format!("{status} {content_type} {retry_after:?}");
            assert_eq!(
                verdict(status, content_type, retry_after),
                expected,
                "{context}"
            );
        }
    }

    #[test]
    fn a_refused_key_names_the_settings() {
        let head = Head {
            status: 400,
            ..Head::default()
        };
        let body =
            br#"{"status":{"error_code":10011,"error_message":"use the root URL\nof your plan"}}"#;
        let trouble = explain(
            &head,
            ErrorKind::ClientError,
            Next::Skip,
            body,
            Some(KeyPlan::Pro),
        );
        assert_eq!(trouble.kind, ErrorKind::Unauthorized);
        assert_eq!(trouble.next, Next::CheckSettings);
        for part in [
            "coingecko.api_key",
            "a pro key",
            "coingecko.plan",
            "use the root URL of your plan",
        ] {
            assert!(trouble.what.contains(part), "{}", trouble.what);
        }
        let without = explain(
            &head,
            ErrorKind::Unauthorized,
            Next::CheckSettings,
            b"",
            None,
        );
        assert!(
            without.what.contains("set coingecko.api_key"),
            "{}",
            without.what
        );
    }

    #[test]
    fn elements_keep_their_bytes() {
        let body = Bytes::from_static(
            br#" [ {"id":"a", "x" : 1e-7 },{"id":"\u0062"}, {"id":7},{}, 5 , null,{"id":""}]"#,
        );
        let coins = coins(&body).unwrap();
        let seen: Vec<(Option<&str>, &str)> = coins
            .records
            .iter()
            .map(|record| {
                let text = |bytes| std::str::from_utf8(bytes).unwrap();
                (record.key.as_deref().map(text), text(&record.value))
            })
            .collect();
        let expected = [
            (Some("a"), r#"{"id":"a", "x" : 1e-7 }"#),
            (Some("b"), r#"{"id":"\u0062"}"#),
            (None, r#"{"id":7}"#),
            (None, "{}"),
            (None, "5"),
            (None, "null"),
            (None, r#"{"id":""}"#),
        ];
        assert_eq!(seen, expected);
        assert_eq!(coins.elements, 7);
        let kinds: Vec<ErrorKind> = coins.odd.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [ErrorKind::NotAnObject, ErrorKind::NotAnObject]);
    }

    #[test]
    fn a_body_that_is_no_list_gets_one_sentence() {
        for (body, part) in [
            (r#"[{"id":"a"},{"id""#, "ends too early"),
            ("", "ends too early"),
            ("<html><body>Just a moment...</body></html>", "HTML"),
            (
                r#"{"status":{"error_message":"down for today"}}"#,
                "down for today",
            ),
            (r#"{"a":1}"#, "no list"),
            ("[{]}", "broken JSON"),
            ("[1] [2]", "broken JSON"),
        ] {
            let trouble = coins(&Bytes::from(body)).unwrap_err();
            assert_eq!(trouble.kind, ErrorKind::Malformed);
            assert!(trouble.what.contains(part), "{body}: {}", trouble.what);
            assert!(!trouble.what.contains('\n'));
        }
        assert!(coins(&Bytes::from_static(&[b'[', b'"', 0xff, b'"', b']'])).is_err());
        let large = format!(
            r#"[{{"id":"a","x":"{}"}},{{"id":"b"}}]"#,
            "y".repeat(RECORD_BYTES_MAX)
        );
        let coins = coins(&Bytes::from(large)).unwrap();
        assert_eq!(
            (coins.records.len(), coins.elements, coins.odd.len()),
            (1, 2, 1)
        );
    }
}
