//! What a receiver's reply means. Pure: no I/O.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use crate::format::Format;

/// A longer pause that a receiver asks for is not believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);
/// How much of a reply is quoted.
const QUOTE_CHARS_MAX: usize = 200;
/// Discord's code for a message without anything that it understands.
const DISCORD_EMPTY_MESSAGE: i64 = 50_006;
/// What Slack's webhooks say about a body that they do not understand.
const SLACK_REFUSALS: [&str; 3] = [
    "invalid_payload",
    "no_text",
    "missing_text_or_fallback_or_attachments",
];

/// A reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// The pause that the header of that name asks for.
    pub(crate) retry_after: Option<Duration>,
    /// The beginning of the body. It may hold anything.
    pub(crate) body: String,
}

/// What to do after a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The receiver took the message.
    Taken,
    /// Another attempt may work, not before this pause if the receiver asked for one.
    TryAgain { pause: Option<Duration> },
    /// The receiver does not want the message.
    Refused,
}

impl Reply {
    pub(crate) fn verdict(&self) -> Verdict {
        if self.status.is_success() {
            return Verdict::Taken;
        }
        let passing = self.status.is_server_error()
            || matches!(
                self.status,
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
            );
        match passing {
            true => Verdict::TryAgain {
                pause: self.pause(),
            },
            false => Verdict::Refused,
        }
    }

    /// The header says it; Discord says it in the body as well, Telegram only there.
    fn pause(&self) -> Option<Duration> {
        let pause = self.retry_after.or_else(|| {
            let body: Value = serde_json::from_str(&self.body).ok()?;
            let told = body
                .pointer("/parameters/retry_after")
                .or_else(|| body.get("retry_after"));
            Duration::try_from_secs_f64(told?.as_f64()?).ok()
        })?;
        Some(pause.min(RETRY_AFTER_MAX))
    }

    /// The status, what the receiver says about it, and which format to set where it wants another. `secrets` are left
    /// out: a receiver may repeat the address that it was asked under.
    pub(crate) fn describe(&self, format: Format, secrets: &[String]) -> String {
        let mut text = self.status.to_string();
        let quote = self.said(secrets);
        if !quote.is_empty() {
            text += &format!(" ({quote})");
        }
        if let Some(wanted) = self.wanted_format().filter(|wanted| *wanted != format) {
            let (format, wanted) = (format.as_str(), wanted.as_str());
            text += &format!(
                ": it does not understand the format {format}, set {wanted} (--webhook-format {wanted})"
            );
        }
        text
    }

    /// What the receiver says, in one line: the message of a JSON body, or the beginning of a text.
    fn said(&self, secrets: &[String]) -> String {
        let body: Option<Value> = serde_json::from_str(&self.body).ok();
        let message = body.as_ref().and_then(|body| {
            ["message", "description", "error"]
                .into_iter()
                .find_map(|key| body.get(key)?.as_str())
        });
        let text = message.unwrap_or(&self.body).to_owned();
        let text = secrets
            .iter()
            .fold(text, |text, secret| text.replace(secret.as_str(), "***"));
        let words: Vec<_> = text
            .split(|char: char| char.is_whitespace() || char.is_control())
            .filter(|word| !word.is_empty())
            .collect();
        let line = words.join(" ");
        match line.char_indices().nth(QUOTE_CHARS_MAX) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    }

    /// The format of the service that replies in this way.
    fn wanted_format(&self) -> Option<Format> {
        if !self.status.is_client_error() {
            return None;
        }
        if SLACK_REFUSALS.contains(&self.body.trim()) {
            return Some(Format::Slack);
        }
        let body: Value = serde_json::from_str(&self.body).ok()?;
        if body.get("code").and_then(Value::as_i64) == Some(DISCORD_EMPTY_MESSAGE) {
            return Some(Format::Discord);
        }
        if body.get("ok") == Some(&Value::Bool(false)) && body.get("error_code").is_some() {
            return Some(Format::Telegram);
        }
        let help = body.get("link").and_then(Value::as_str)?;
        help.contains("ntfy").then_some(Format::Ntfy)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use connector_runtime::http;

    use super::*;

    fn reply(status: u16, retry_after: Option<&str>, body: &str) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry_after.and_then(|header| http::retry_after(header, UNIX_EPOCH)),
            body: body.to_owned(),
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for status in [200, 204] {
            assert_eq!(reply(status, None, "").verdict(), Verdict::Taken);
        }
        for status in [408, 425, 429, 500, 503] {
            let verdict = reply(status, None, "").verdict();
            assert_eq!(verdict, Verdict::TryAgain { pause: None }, "{status}");
        }
        for status in [302, 400, 401, 404, 410] {
            assert_eq!(reply(status, None, "").verdict(), Verdict::Refused);
        }
    }

    #[test]
    fn the_pause_is_found_where_each_service_tells_it() {
        let pause = |retry_after, body| match reply(429, retry_after, body).verdict() {
            Verdict::TryAgain { pause } => pause.map(|pause| pause.as_millis()),
            other => panic!("{other:?}"),
        };
        assert_eq!(pause(Some("30"), ""), Some(30_000));
        let discord =
            r#"{"message": "You are being rate limited.", "retry_after": 0.65, "global": false}"#;
        assert_eq!(pause(None, discord), Some(650));
        let telegram = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 34","parameters":{"retry_after":34}}"#;
        assert_eq!(pause(None, telegram), Some(34_000));
        assert_eq!(
            pause(Some("86400"), ""),
            Some(600_000),
            "nobody waits for a day"
        );
        for odd in ["-1", "soon", "NaN", "inf"] {
            assert_eq!(pause(Some(odd), "[]"), None, "{odd}");
        }
    }

    #[test]
    fn a_service_that_wants_another_format_is_recognised() {
        let hint = |status, body| reply(status, None, body).describe(Format::Json, &[]);
        assert_eq!(
            hint(
                400,
                r#"{"message": "Cannot send an empty message", "code": 50006}"#
            ),
            "400 Bad Request (Cannot send an empty message): it does not understand the format json, set discord \
             (--webhook-format discord)"
        );
        for (status, body, format) in [
            (400, "invalid_payload", "slack"),
            (400, "no_text\n", "slack"),
            (
                400,
                r#"{"ok":false,"error_code":400,"description":"Bad Request: message text is empty"}"#,
                "telegram",
            ),
            (
                400,
                r#"{"code":40024,"http":400,"error":"invalid request: topic invalid","link":"https://ntfy.sh/docs/publish/"}"#,
                "ntfy",
            ),
        ] {
            let said = hint(status, body);
            assert!(
                said.ends_with(&format!("(--webhook-format {format})")),
                "{said}"
            );
        }
        let right = reply(400, None, r#"{"message": "x", "code": 50006}"#);
        let said = right.describe(Format::Discord, &[]);
        assert_eq!(said, "400 Bad Request (x)");
    }

    #[test]
    fn a_reply_is_quoted_in_a_short_line_without_secrets() {
        let page = format!(
            "<html>\n\tPOST /hooks/very-secret\u{1b}[2J {}",
            "x".repeat(1_000)
        );
        let said = reply(404, None, &page).describe(Format::Json, &["very-secret".to_owned()]);
        assert!(
            said.starts_with("404 Not Found (<html> POST /hooks/*** [2J x"),
            "{said}"
        );
        assert!(said.len() < 300 && said.ends_with("…)"), "{said}");
    }
}
