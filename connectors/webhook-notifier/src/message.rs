//! What people are told, before it takes the form that a receiver wants.

use std::time::Duration;

use market::Severity;
use serde_json::{Map, Value, json};

use crate::alert::Alert;

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The same message has the same id, however often it is sent. Fit for a header.
    pub(crate) id: String,
    /// What the message is about, for programs: `alert`, `feed` or `test`.
    pub(crate) kind: &'static str,
    pub(crate) urgency: Urgency,
    /// Who or what it is about, such as the coin `bitcoin`.
    pub(crate) subject: String,
    /// The news in a word, such as `critical`.
    pub(crate) label: &'static str,
    /// The news in a sentence.
    pub(crate) text: String,
    /// When it happened, in milliseconds since the epoch.
    pub(crate) time_ms: i64,
    /// Everything that is known, for programs.
    pub(crate) data: Map<String, Value>,
    /// Alerts of this coin that nobody was told of since its last message.
    pub(crate) suppressed: u64,
}

/// How loudly a message is delivered, and the picture that comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    Critical,
    Warning,
    Info,
    /// What was bad is well again.
    Well,
}

impl From<Severity> for Urgency {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Critical => Self::Critical,
            Severity::Warning => Self::Warning,
            Severity::Info => Self::Info,
        }
    }
}

impl Message {
    /// About an alert; `suppressed` alerts of this coin were not told since its last message.
    pub(crate) fn alert(alert: &Alert, suppressed: u64) -> Self {
        Self {
            id: header_safe(&alert.id),
            kind: "alert",
            urgency: alert.severity.into(),
            subject: alert.coin.clone(),
            label: alert.severity.as_str(),
            text: alert.message.clone(),
            time_ms: alert.event_time_ms,
            data: alert.record.clone(),
            suppressed,
        }
    }

    /// Nothing new has come since the tick of `newest_ms`, in milliseconds since the epoch.
    pub(crate) fn silent(newest_ms: i64, silence: Duration, now_ms: i64) -> Self {
        let minutes = silence.as_secs() / 60;
        Self {
            id: format!("feed:{newest_ms}"),
            kind: "feed",
            urgency: Urgency::Critical,
            subject: "Coinlake".to_owned(),
            label: "no data",
            text: format!(
                "nothing new from CoinGecko for {minutes} minutes, so there are no alerts either; `coinlake health` and the \
                 source's log say why"
            ),
            time_ms: now_ms,
            data: feed(false, newest_ms, silence),
            suppressed: 0,
        }
    }

    /// What had been silent since one moment brought something at another, both in milliseconds since the epoch.
    pub(crate) fn flowing(since_ms: i64, again_ms: i64) -> Self {
        let silence = again_ms.saturating_sub(since_ms);
        let silence = Duration::from_millis(u64::try_from(silence).unwrap_or(0));
        let minutes = silence.as_secs() / 60;
        Self {
            id: format!("feed:{since_ms}:again"),
            kind: "feed",
            urgency: Urgency::Well,
            subject: "Coinlake".to_owned(),
            label: "data again",
            text: format!("CoinGecko's data comes again, after {minutes} minutes without"),
            time_ms: again_ms,
            data: feed(true, since_ms, silence),
            suppressed: 0,
        }
    }

    /// Shows that messages arrive.
    pub(crate) fn test(now_ms: i64) -> Self {
        let text = "this is a test: alerts will arrive here";
        let data = json!({ "message": text });
        Self {
            id: format!("test:{now_ms}"),
            kind: "test",
            urgency: Urgency::Info,
            subject: "Coinlake".to_owned(),
            label: "test",
            text: text.to_owned(),
            time_ms: now_ms,
            data: data.as_object().cloned().unwrap_or_default(),
            suppressed: 0,
        }
    }

    /// The sentence, and how many alerts it stands for.
    pub(crate) fn sentence(&self) -> String {
        match self.suppressed {
            0 => self.text.clone(),
            more => format!("{} ({more} more since the last message)", self.text),
        }
    }
}

fn feed(ok: bool, silent_since_ms: i64, silence: Duration) -> Map<String, Value> {
    let data = json!({
        "ok": ok,
        "silent_since": silent_since_ms,
        "silent_seconds": silence.as_secs(),
    });
    data.as_object().cloned().unwrap_or_default()
}

/// An id goes into a header, where not every character may stand.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_fits_into_a_header() {
        assert_eq!(header_safe("bitcoin:17"), "bitcoin:17");
        assert_eq!(header_safe("a\r\nb é%"), "a%0D%0Ab%20%C3%A9%25");
    }
}
