//! The bodies that receivers understand, each as its service documents it.
//!
//! - Slack: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>
//! - Discord: <https://docs.discord.com/developers/resources/webhook#execute-webhook>
//! - Telegram: <https://core.telegram.org/bots/api#sendmessage>
//! - ntfy: <https://docs.ntfy.sh/publish/#publish-as-json>

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::message::{Message, Urgency};

/// Discord refuses more characters.
const DISCORD_CHARS_MAX: usize = 2_000;
/// Telegram refuses more characters.
const TELEGRAM_CHARS_MAX: usize = 4_096;
/// ntfy turns more bytes into an attachment.
const NTFY_BYTES_MAX: usize = 4_096;
/// What stands for the end of a text that was cut.
const CUT: char = '…';

/// The form of what is posted
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `{"type": "alert", "timestamp": ..., "data": the alert, "suppressed": n}`
    #[default]
    Json,
    /// A text for an incoming webhook of Slack, or of a service that understands those
    Slack,
    /// A text for a webhook of a Discord channel
    Discord,
    /// A text from a Telegram bot; the address is `https://api.telegram.org/bot<TOKEN>/sendMessage?chat_id=<CHAT>`
    Telegram,
    /// A notification of ntfy; the address is that of the topic, such as `https://ntfy.sh/<TOPIC>`
    Ntfy,
}

/// Where a format posts to.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) url: Url,
    /// The chat or topic that the body names, where the format has one.
    channel: Option<String>,
}

impl Format {
    /// The name by which it is chosen.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Telegram => "telegram",
            Self::Ntfy => "ntfy",
        }
    }

    /// Where to post, from the address that the receiver's owner gave.
    ///
    /// # Errors
    /// When the address lacks what the format needs. The error does not quote the address.
    pub(crate) fn destination(self, address: Url) -> Result<Destination> {
        let (url, channel) = match self {
            Self::Json | Self::Slack => (address, None),
            Self::Discord => (confirmed(address), None),
            Self::Telegram => {
                let (url, chat) = without_chat(address)?;
                (url, Some(chat))
            }
            Self::Ntfy => {
                let (url, topic) = without_topic(address)?;
                (url, Some(topic))
            }
        };
        Ok(Destination { url, channel })
    }
}

impl Destination {
    /// The body of a message.
    ///
    /// # Errors
    /// When the message's time is none that a calendar has.
    pub(crate) fn body(&self, format: Format, message: &Message) -> Result<String> {
        let Message {
            urgency,
            subject,
            label,
            ..
        } = message;
        let sentence = message.sentence();
        let body = match format {
            Format::Json => json!({
                "type": message.kind,
                "timestamp": jiff::Timestamp::from_millisecond(message.time_ms)
                    .context("its event_time is no time")?
                    .to_string(),
                "data": message.data,
                "suppressed": message.suppressed,
            }),
            Format::Slack => {
                let (subject, sentence) = (slack_escape(subject), slack_escape(&sentence));
                let icon = shortcode(*urgency);
                json!({ "text": format!(":{icon}: *{subject}* {label}: {sentence}") })
            }
            Format::Discord => {
                let (subject, sentence) = (discord_escape(subject), discord_escape(&sentence));
                let text = format!("{} **{subject}** {label}: {sentence}", emoji(*urgency));
                json!({
                    "content": cut(&text, DISCORD_CHARS_MAX, char::len_utf16),
                    "allowed_mentions": { "parse": [] },
                })
            }
            // Without parse_mode the text is taken as it is: nothing to escape.
            Format::Telegram => {
                let text = format!("{} {subject} {label}: {sentence}", emoji(*urgency));
                json!({
                    "chat_id": self.channel,
                    "text": cut(&text, TELEGRAM_CHARS_MAX, char::len_utf16),
                    "link_preview_options": { "is_disabled": true },
                })
            }
            Format::Ntfy => json!({
                "topic": self.channel,
                "title": format!("{subject} {label}"),
                "message": cut(&sentence, NTFY_BYTES_MAX, char::len_utf8),
                "priority": ntfy_priority(*urgency),
                "tags": [shortcode(*urgency)],
            }),
        };
        Ok(body.to_string())
    }
}

/// Discord answers before it has stored a message, and without an error if it then cannot, unless it is asked to wait.
fn confirmed(mut address: Url) -> Url {
    if !address.query_pairs().any(|(name, _)| name == "wait") {
        address.query_pairs_mut().append_pair("wait", "true");
    }
    address
}

fn without_chat(mut address: Url) -> Result<(Url, String)> {
    let (chats, others): (Vec<_>, Vec<_>) = address
        .query_pairs()
        .into_owned()
        .partition(|(name, _)| name == "chat_id");
    let (_, chat) = chats.into_iter().next().context(
        "names no chat: for Telegram it is https://api.telegram.org/bot<TOKEN>/sendMessage?chat_id=<CHAT>",
    )?;
    address.set_query(None);
    if !others.is_empty() {
        address.query_pairs_mut().extend_pairs(others);
    }
    Ok((address, chat))
}

/// JSON goes to the server's root and names the topic; what is posted to the topic itself is shown as it is.
fn without_topic(mut address: Url) -> Result<(Url, String)> {
    let mut path: Vec<String> = address
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|segment| !segment.is_empty())
        .map(str::to_owned)
        .collect();
    let topic = path
        .pop()
        .context("names no topic: for ntfy it is https://ntfy.sh/<TOPIC>")?;
    address.set_path(&path.join("/"));
    Ok((address, topic))
}

/// The name that Slack and ntfy know a picture by.
fn shortcode(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Critical => "rotating_light",
        Urgency::Warning => "warning",
        Urgency::Info => "information_source",
        Urgency::Well => "white_check_mark",
    }
}

fn emoji(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Critical => "🚨",
        Urgency::Warning => "⚠️",
        Urgency::Info => "ℹ️",
        Urgency::Well => "✅",
    }
}

/// From 1, silent, to 5, which rings on and on; 3 is the default.
fn ntfy_priority(urgency: Urgency) -> u8 {
    match urgency {
        Urgency::Critical => 5,
        Urgency::Warning => 4,
        Urgency::Info | Urgency::Well => 3,
    }
}

/// Without this a coin's name could ping a whole channel.
fn slack_escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Takes the meaning from Markdown and from mentions. Discord shows any punctuation after a backslash as it is.
fn discord_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if r"\*_~`|<>@#[]()".contains(char) {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

/// The longest beginning of a text whose characters sum up to the limit.
fn cut(text: &str, limit: usize, size: fn(char) -> usize) -> String {
    if text.chars().map(size).sum::<usize>() <= limit {
        return text.to_owned();
    }
    let mut room = limit - size(CUT);
    let fits = text.chars().take_while(|&char| {
        let fits = size(char) <= room;
        room = room.saturating_sub(size(char));
        fits
    });
    fits.chain([CUT]).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    fn message(subject: &str, text: &str, suppressed: u64) -> Message {
        let mut data = Map::new();
        data.insert("alert_id".to_owned(), "bitcoin:1700000000000".into());
        data.insert("volume_surge".to_owned(), Value::Null);
        Message {
            id: "bitcoin:1700000000000".to_owned(),
            kind: "alert",
            urgency: Urgency::Critical,
            subject: subject.to_owned(),
            label: "critical",
            text: text.to_owned(),
            time_ms: 1_700_000_000_000,
            data,
            suppressed,
        }
    }

    /// Where a message goes, and its body.
    fn sent(format: Format, address: &str, message: &Message) -> (String, Value) {
        let to = format.destination(address.parse().unwrap()).unwrap();
        let body = to.body(format, message).unwrap();
        (to.url.to_string(), serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn json_holds_the_alert() {
        let (url, body) = sent(
            Format::Json,
            "https://hooks.example/a?b=c",
            &message("bitcoin", "why", 3),
        );
        assert_eq!(url, "https://hooks.example/a?b=c");
        assert_eq!(
            body,
            json!({
                "type": "alert",
                "timestamp": "2023-11-14T22:13:20Z",
                "data": { "alert_id": "bitcoin:1700000000000", "volume_surge": null },
                "suppressed": 3,
            })
        );
    }

    #[test]
    fn slack_gets_a_text_that_cannot_ping() {
        let (_, body) = sent(
            Format::Slack,
            "https://hooks.slack.com/services/T0/B0/x",
            &message("<!CHANNEL>", "a & b <b>", 2),
        );
        assert_eq!(
            body,
            json!({ "text": ":rotating_light: *&lt;!CHANNEL&gt;* critical: a &amp; b &lt;b&gt; (2 more since the last message)" })
        );
    }

    #[test]
    fn discord_gets_a_content_that_cannot_ping_and_confirms_it() {
        let address = "https://discord.com/api/webhooks/1/x?thread_id=7";
        let (url, body) = sent(
            Format::Discord,
            address,
            &message("@everyone", "a*b_c <@1>", 0),
        );
        assert_eq!(
            url,
            "https://discord.com/api/webhooks/1/x?thread_id=7&wait=true"
        );
        assert_eq!(
            body,
            json!({
                "content": r"🚨 **\@everyone** critical: a\*b\_c \<\@1\>",
                "allowed_mentions": { "parse": [] },
            })
        );
    }

    #[test]
    fn telegram_gets_the_chat_from_the_address() {
        let address =
            "https://api.telegram.org/bot1:x/sendMessage?chat_id=-100&message_thread_id=4";
        let (url, body) = sent(Format::Telegram, address, &message("bitcoin", "up <b>", 0));
        assert_eq!(
            url,
            "https://api.telegram.org/bot1:x/sendMessage?message_thread_id=4"
        );
        assert_eq!(
            body,
            json!({
                "chat_id": "-100",
                "text": "🚨 bitcoin critical: up <b>",
                "link_preview_options": { "is_disabled": true },
            })
        );
        let no_chat = "https://api.telegram.org/bot1:x/sendMessage";
        let error = Format::Telegram.destination(no_chat.parse().unwrap());
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("chat_id") && !error.contains("1:x"),
            "{error}"
        );
    }

    #[test]
    fn ntfy_gets_the_topic_from_the_address() {
        let message = message("bitcoin", "up", 1);
        let (url, body) = sent(
            Format::Ntfy,
            "https://push.example/ntfy/coins?auth=x",
            &message,
        );
        assert_eq!(url, "https://push.example/ntfy?auth=x");
        assert_eq!(
            body,
            json!({
                "topic": "coins",
                "title": "bitcoin critical",
                "message": "up (1 more since the last message)",
                "priority": 5,
                "tags": ["rotating_light"],
            })
        );
        let (url, _) = sent(Format::Ntfy, "https://ntfy.sh/coins/", &message);
        assert_eq!(url, "https://ntfy.sh/");
        let no_topic = Format::Ntfy.destination("https://ntfy.sh".parse().unwrap());
        assert!(no_topic.unwrap_err().to_string().contains("topic"));
    }

    #[test]
    fn long_texts_are_cut_to_what_the_service_takes() {
        let long = message("bitcoin", &"🚨".repeat(4_000), 0);
        let (_, body) = sent(
            Format::Discord,
            "https://discord.com/api/webhooks/1/x",
            &long,
        );
        let content = body["content"].as_str().unwrap();
        assert!(content.encode_utf16().count() <= DISCORD_CHARS_MAX && content.ends_with(CUT));
        let address = "https://api.telegram.org/bot1:x/sendMessage?chat_id=1";
        let (_, body) = sent(Format::Telegram, address, &long);
        let text = body["text"].as_str().unwrap();
        assert!(text.encode_utf16().count() <= TELEGRAM_CHARS_MAX && text.ends_with(CUT));
        let (_, body) = sent(Format::Ntfy, "https://ntfy.sh/coins", &long);
        let text = body["message"].as_str().unwrap();
        assert!(text.len() <= NTFY_BYTES_MAX && text.ends_with(CUT));
    }
}
