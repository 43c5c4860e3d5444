//! What a reply means: pure decisions on what came back, and on what to do next.

mod coins;
mod message;
mod trouble;

use std::time::{Duration, SystemTime};

use connector_runtime::http::retry_after;

pub(crate) use self::coins::{Coin, Coins, coins, updated_ms};
use self::message::{message, quote};
pub(crate) use self::trouble::{Next, Trouble};
use crate::budget::plan::KeyPlan;
use crate::status::ErrorKind;

/// A `Retry-After` longer than this is not believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// The pause after a 429 that doesn't say how long.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(60);

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
        401 | 403 => failed(ErrorKind::Blocked, Next::BackOff),
        408 => failed(ErrorKind::Timeout, Next::Retry),
        429 => {
            let pause = head.retry_after.and_then(|text| retry_after(text, now));
            let pause = pause.unwrap_or(RETRY_AFTER_DEFAULT).min(RETRY_AFTER_MAX);
            failed(ErrorKind::RateLimited, Next::RetryAfter(pause))
        }
        414 => failed(ErrorKind::UrlTooLong, Next::Halve),
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

/// The sentence for a reply that brought no coins; `body` is whatever came with it.
pub(crate) fn explain(
    head: &Head<'_>,
    kind: ErrorKind,
    next: Next,
    body: &[u8],
    key: Option<KeyPlan>,
) -> Trouble {
    let Head { status, .. } = *head;
    let message = message(body);
    let said = match message.text.as_str() {
        "" => String::new(),
        text => format!(" ({text})"),
    };
    if let Some(remedy) = key_remedy(message.code, key) {
        return Trouble {
            kind: ErrorKind::Unauthorized,
            what: format!("CoinGecko refuses the API key, {status}{said}: {remedy}"),
            next: Next::CheckKey,
        };
    }
    let what = match kind {
        ErrorKind::Blocked => format!(
            "CoinGecko, or what stands before it, refuses the call, {status}{said}: a block of this address or an outage, for \
             the reply names no wrong key"
        ),
        ErrorKind::RateLimited => {
            let pause = match next {
                Next::RetryAfter(pause) => pause.as_secs(),
                _ => 0,
            };
            format!(
                "CoinGecko says too many calls, {status}{said}: none for {pause} s; lower coingecko.calls_per_minute if this \
                 goes on"
            )
        }
        ErrorKind::Redirected => format!(
            "the reply {status} points to {}, which is not followed: set coingecko.base_url to where the API is",
            quote(head.location.unwrap_or("nowhere"))
        ),
        ErrorKind::ContentType => format!(
            "the reply is {} instead of JSON{said}: is coingecko.base_url an API's address, and no proxy's or login page's?",
            quote(head.content_type.unwrap_or("of no type"))
        ),
        ErrorKind::ServerError => format!("the server has trouble, {status}{said}"),
        ErrorKind::Timeout => format!("the server gave up on the request, {status}{said}"),
        ErrorKind::UrlTooLong => format!("the address is too long for the server, {status}{said}"),
        _ => format!(
            "the server refuses the request, {status}{said}: check coingecko.ids, coingecko.category and \
             coingecko.vs_currency"
        ),
    };
    Trouble { kind, what, next }
}

/// What to do about the key when CoinGecko's code speaks of one. It comes with 400, 401 and 403.
fn key_remedy(code: Option<i64>, key: Option<KeyPlan>) -> Option<String> {
    let remedy = match (code?, key) {
        (10_002, None) => "set coingecko.api_key".to_owned(),
        (10_005, _) => {
            "its plan does not cover this call; use a key of a plan that does".to_owned()
        }
        (10_010, Some(KeyPlan::Demo)) => {
            "it is a paid key, or none: set coingecko.plan to pro, or check coingecko.api_key"
                .to_owned()
        }
        (10_011, Some(KeyPlan::Pro)) => {
            "it is a demo key, or none: set coingecko.plan to demo, or check coingecko.api_key"
                .to_owned()
        }
        (10_000..=10_011, None) => "coingecko.api_key is not set: set it".to_owned(),
        (10_000..=10_011, Some(plan)) => {
            format!("check coingecko.api_key, and that it is a {plan} key as coingecko.plan says")
        }
        _ => return None,
    };
    Some(remedy)
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
            (401, json, None, failed(ErrorKind::Blocked, Next::BackOff)),
            (
                403,
                "text/html",
                None,
                failed(ErrorKind::Blocked, Next::BackOff),
            ),
            (
                414,
                "text/html",
                None,
                failed(ErrorKind::UrlTooLong, Next::Halve),
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

    fn explained(status: u16, body: &str, key: Option<KeyPlan>) -> Trouble {
        let head = Head {
            status,
            ..Head::default()
        };
        let Verdict::Failed { kind, next } = judge(&head, SystemTime::UNIX_EPOCH) else {
            panic!("{status} is no trouble");
        };
        explain(&head, kind, next, body.as_bytes(), key)
    }

    #[test]
    fn a_wrong_key_is_told_from_a_block_by_its_code() {
        let code = |code: i64| {
            format!(
                r#"{{"status":{{"error_code":{code},"error_message":"use the root URL\nof your plan"}}}}"#
            )
        };
        let (demo, pro) = (Some(KeyPlan::Demo), Some(KeyPlan::Pro));
        for (status, number, key, part) in [
            (401, 10_002, None, "set coingecko.api_key"),
            (401, 10_002, demo, "a demo key as coingecko.plan says"),
            (403, 10_005, pro, "plan does not cover"),
            (400, 10_010, demo, "set coingecko.plan to pro"),
            (400, 10_011, pro, "set coingecko.plan to demo"),
            (400, 10_010, None, "coingecko.api_key is not set"),
        ] {
            let trouble = explained(status, &code(number), key);
            assert_eq!(
                (trouble.kind, trouble.next),
                (ErrorKind::Unauthorized, Next::CheckKey)
            );
            for part in [part, "(use the root URL of your plan)"] {
                assert!(trouble.what.contains(part), "{}", trouble.what);
            }
        }
        for (status, body, part) in [
            (403, "", "403: a block"),
            (401, "{}", "401 ({}): a block"),
            (
                403,
                "<html><head><title>Access denied</title>",
                "403 (an HTML page, \"Access denied\"): a block",
            ),
            (
                403,
                r#"{"status":{"error_code":403,"error_message":"This endpoint is temporarily unavailable"}}"#,
                "(This endpoint is temporarily unavailable)",
            ),
            (403, "error code: 1020", "(error code: 1020)"),
        ] {
            for key in [None, demo, pro] {
                let trouble = explained(status, body, key);
                assert_eq!(
                    (trouble.kind, trouble.next),
                    (ErrorKind::Blocked, Next::BackOff)
                );
                assert!(trouble.what.contains(part), "{}", trouble.what);
            }
        }
    }

    #[test]
    fn limits_and_outages_are_quoted_in_one_line() {
        for (status, body, part) in [
            (429, "Throttled", "429 (Throttled): none for 60 s"),
            (429, "error code: 1015\n", "429 (error code: 1015)"),
            (408, "busy", "the server gave up on the request, 408 (busy)"),
            (
                503,
                "<html>\n<title>503 Service Temporarily\nUnavailable</title>",
                "503 (an HTML page, \"503 Service Temporarily Unavailable\")",
            ),
            (
                422,
                r#"{"error":"Missing parameter vs_currency"}"#,
                "422 (Missing parameter vs_currency): check coingecko.ids",
            ),
        ] {
            let what = explained(status, body, None).what;
            assert!(what.contains(part) && !what.contains('\n'), "{what}");
        }
    }
}
