//! What is posted about an alert, and the signature that says whose it is.
//!
//! Signed as the Standard Webhooks specification says (standardwebhooks.com), so that receivers find a library that
//! checks it: HMAC-SHA256 over `id.timestamp.body`, base64, in the header `webhook-signature`.

use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use connector_runtime::record::Record;
use hmac::{Hmac, KeyInit, Mac};
use market::Severity;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::Sha256;

/// What a signing key begins with whose bytes are in base64.
const BASE64_KEY: &str = "whsec_";

/// An alert, as crypto-alerts holds it.
#[derive(Debug)]
pub struct Alert {
    pub coin: String,
    pub severity: Severity,
    /// One alert has one id, however often it is sent.
    pub id: String,
    symbol: String,
    message: String,
    event_time_ms: i64,
    /// The whole record, less what only stages need.
    record: Map<String, Value>,
}

#[derive(Deserialize)]
struct Fields {
    alert_id: String,
    coin: String,
    symbol: String,
    event_time: i64,
    severity: String,
    message: String,
}

impl Alert {
    /// # Errors
    /// When the record is no alert.
    pub fn read(record: &Record) -> Result<Self> {
        let mut value: Map<String, Value> = serde_json::from_slice(&record.value)?;
        value.remove("source_offset");
        value.remove("status");
        let fields: Fields = serde_json::from_value(Value::Object(value.clone()))?;
        let severity = Severity::ALL
            .into_iter()
            .find(|severity| severity.as_str() == fields.severity)
            .with_context(|| format!("unknown severity {:?}", fields.severity))?;
        Ok(Self {
            coin: fields.coin,
            severity,
            id: header_safe(&fields.alert_id),
            symbol: fields.symbol,
            message: fields.message,
            event_time_ms: fields.event_time,
            record: value,
        })
    }
}

/// The id goes into a header, where not every character may stand.
fn header_safe(id: &str) -> String {
    let mut safe = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'%' => safe += "%25",
            byte if byte.is_ascii_graphic() => safe.push(byte.into()),
            byte => safe += &format!("%{byte:02X}"),
        }
    }
    safe
}

/// The form of what is posted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `{"type": "alert", "timestamp": ..., "data": the alert, "suppressed": n}`
    #[default]
    Json,
    /// A text, for Slack and whatever understands its webhooks
    Slack,
}

impl Format {
    /// The body about an alert; `suppressed` alerts of this coin were kept back since its last message.
    pub fn body(self, alert: &Alert, suppressed: u64) -> Result<String> {
        let body = match self {
            Self::Json => json!({
                "type": "alert",
                "timestamp": jiff::Timestamp::from_millisecond(alert.event_time_ms)
                    .context("its event_time is no time")?
                    .to_string(),
                "data": alert.record,
                "suppressed": suppressed,
            }),
            Self::Slack => json!({ "text": slack_text(alert, suppressed) }),
        };
        Ok(body.to_string())
    }
}

fn slack_text(alert: &Alert, suppressed: u64) -> String {
    let icon = match alert.severity {
        Severity::Critical => ":rotating_light:",
        Severity::Warning => ":warning:",
        Severity::Info => ":information_source:",
    };
    let symbol = slack_escape(&alert.symbol.to_uppercase());
    let message = slack_escape(&alert.message);
    let mut text = format!("{icon} *{symbol}* {}: {message}", alert.severity.as_str());
    if suppressed > 0 {
        text += &format!(" ({suppressed} more since the last message)");
    }
    text
}

/// Without this a coin's name could ping a whole channel.
fn slack_escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Signs what is posted.
pub struct SigningKey(Vec<u8>);

impl SigningKey {
    /// A key as it is, or `whsec_` and its bytes in base64.
    ///
    /// # Errors
    /// When it is empty, or what follows `whsec_` is not base64.
    pub fn new(secret: &SecretString) -> Result<Self> {
        let text = secret.expose_secret();
        let key = match text.strip_prefix(BASE64_KEY) {
            Some(encoded) => BASE64
                .decode(encoded)
                .ok()
                .with_context(|| format!("what follows {BASE64_KEY} is not base64"))?,
            None => text.as_bytes().to_vec(),
        };
        anyhow::ensure!(!key.is_empty(), "it is empty");
        Ok(Self(key))
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp: Duration, body: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{}.{body}", timestamp.as_secs()).as_bytes());
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(symbol: &str, message: &str) -> Alert {
        let value = json!({
            "source_offset": 7, "status": "alert", "alert_id": "bitcoin:1700000000000", "coin": "bitcoin",
            "symbol": symbol, "event_time": 1_700_000_000_000_i64, "price": 37000.5, "kinds": ["price_spike"],
            "severity": "critical", "score": 0.9, "zscore_15m": 7.0, "volume_surge": null, "volume_ratio": null,
            "message": message
        });
        Alert::read(&Record {
            offset: 0,
            timestamp_ms: 0,
            key: None,
            value: value.to_string().into(),
        })
        .unwrap()
    }

    #[test]
    fn json_holds_the_alert() {
        let body = Format::Json.body(&alert("btc", "why"), 3).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["type"], "alert");
        assert_eq!(body["timestamp"], "2023-11-14T22:13:20Z");
        assert_eq!(body["suppressed"], 3);
        assert_eq!(body["data"]["alert_id"], "bitcoin:1700000000000");
        assert_eq!(body["data"]["price"], 37000.5);
        assert!(body["data"]["volume_surge"].is_null());
        assert!(body["data"].get("source_offset").is_none());
    }

    #[test]
    fn slack_is_told_in_words_and_cannot_be_made_to_ping() {
        let body = Format::Slack
            .body(&alert("<!channel>", "a & b <b>"), 2)
            .unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            body["text"],
            ":rotating_light: *&lt;!CHANNEL&gt;* critical: a &amp; b &lt;b&gt; (2 more since the last message)"
        );
    }

    #[test]
    fn an_id_fits_into_a_header() {
        assert_eq!(header_safe("bitcoin:17"), "bitcoin:17");
        assert_eq!(header_safe("a\r\nb é%"), "a%0D%0Ab%20%C3%A9%25");
    }

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the specification's reference libraries.
        let key =
            SigningKey::new(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into()).unwrap();
        let signature = key.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            Duration::from_secs(1_614_265_330),
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_bad_key_is_refused() {
        for key in ["", "whsec_", "whsec_!!!"] {
            assert!(SigningKey::new(&key.to_owned().into()).is_err(), "{key:?}");
        }
        assert!(SigningKey::new(&"correct horse".to_owned().into()).is_ok());
    }
}
