//! What the body of a failed reply says, in one short line for a log.

/// How much of a foreign text a message quotes.
const QUOTE_CHARS_MAX: usize = 160;

/// The words of a body, and CoinGecko's own code if there is one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// Empty when the body is.
    pub text: String,
    pub code: Option<i64>,
}

/// CoinGecko's error objects come in several shapes; Cloudflare answers with pages and with plain text.
pub(super) fn message(body: &[u8]) -> Message {
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) {
        let places = [
            &value["status"],
            &value["error"]["status"],
            &value["error"],
            &value,
        ];
        let code = places.iter().find_map(|at| at["error_code"].as_i64());
        let said = places
            .iter()
            .find_map(|at| at["error_message"].as_str())
            .or_else(|| value["error"].as_str());
        let text = quote(said.unwrap_or(&String::from_utf8_lossy(body)));
        return Message { text, code };
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    let text = match (text.starts_with('<'), title(text)) {
        (true, Some(title)) => format!("an HTML page, \"{}\"", quote(title)),
        (true, None) => "an HTML page".to_owned(),
        (false, _) => quote(text),
    };
    Message { text, code: None }
}

fn title(html: &str) -> Option<&str> {
    let lower = html.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    Some(html[start..end].trim()).filter(|title| !title.is_empty())
}

/// A foreign text, made safe for one line of a log.
pub(super) fn quote(text: &str) -> String {
    let mut words = String::new();
    // No more is looked at than could be shown.
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        if words.chars().count() > QUOTE_CHARS_MAX {
            let mut quoted: String = words.chars().take(QUOTE_CHARS_MAX).collect();
            quoted.push_str("...");
            return quoted;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_becomes_one_short_line() {
        let html = "<!DOCTYPE html>\n<html><head>\n<TITLE>Access denied |\n api.coingecko.com used Cloudflare</TITLE>";
        for (body, text, code) in [
            ("", "", None),
            ("Throttled\r\n", "Throttled", None),
            ("error code: 1015", "error code: 1015", None),
            (
                html,
                "an HTML page, \"Access denied | api.coingecko.com used Cloudflare\"",
                None,
            ),
            ("<html><body>no title", "an HTML page", None),
            ("<title>never closed", "an HTML page", None),
            (
                r#"{"status":{"error_code":429,"error_message":"You've exceeded the Rate Limit."}}"#,
                "You've exceeded the Rate Limit.",
                Some(429),
            ),
            (
                r#"{"error":{"status":{"error_code":10002,"error_message":"API Key\nMissing"}}}"#,
                "API Key Missing",
                Some(10_002),
            ),
            (
                r#"{"error_code":10011,"error":"wrong host"}"#,
                "wrong host",
                Some(10_011),
            ),
            (r#"{"error":"coin not found"}"#, "coin not found", None),
            (r#"{"a": 1}"#, r#"{"a": 1}"#, None),
        ] {
            let expected = Message {
                text: text.to_owned(),
                code,
            };
            assert_eq!(message(body.as_bytes()), expected);
        }
        for long in ["x".repeat(10_000), "a b\n".repeat(10_000)] {
            let text = message(long.as_bytes()).text;
            assert!(text.chars().count() <= QUOTE_CHARS_MAX + 3 && !text.contains('\n'));
        }
        assert!(message(&[0xff, 0xfe, b'<']).text.chars().count() < 10);
    }
}
