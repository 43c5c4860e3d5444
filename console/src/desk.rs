//! What people do about alerts, and what became of these at their receivers.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

const MUTES_MAX: usize = 1_000;
const ACKNOWLEDGED_MAX: usize = 1_000;
/// A mute ends by itself.
const MUTE_MINUTES_MAX: u32 = 31 * 24 * 60;
/// CoinGecko's longest ids have half of it.
const NAME_BYTES_MAX: usize = 200;

/// Muted coins and acknowledged episodes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeskNotes {
    /// By coin, until when, in milliseconds since the epoch.
    pub mutes: BTreeMap<String, i64>,
    /// Oldest first.
    acknowledged: VecDeque<Acknowledged>,
}

/// An episode is named by the time of one of its alerts, as more of them may still come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Acknowledged {
    coin: String,
    subject: String,
    event_time: i64,
}

/// Something that a reader does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
pub enum DeskChange {
    /// Nobody is told of this coin for a while.
    Mute {
        /// The coin's id.
        coin: String,
        /// For how long.
        minutes: u32,
    },
    /// People are told of it again.
    Unmute {
        /// The coin's id.
        coin: String,
    },
    /// Somebody takes care of an episode.
    Acknowledge {
        /// The coin's id.
        coin: String,
        /// The rule's name; empty for the built-in kinds.
        subject: String,
        /// The time of one of its alerts.
        event_time: i64,
    },
    /// Nobody does any more.
    Reopen {
        /// The coin's id.
        coin: String,
        /// The rule's name; empty for the built-in kinds.
        subject: String,
        /// When the episode begins.
        begin: i64,
        /// When it ends.
        end: i64,
    },
}

/// What became of an alert at a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    /// The receiver took it.
    Sent,
    /// Not yet: the receiver did not take it, and is asked again.
    Waiting,
    /// The coin, or the rule, had just had a message.
    Held,
    /// The coin is muted, or the receiver wants none of this kind or severity.
    Muted,
    /// The receiver refused it, or it was too old when its turn came.
    Failed,
}

/// Where notes are kept, and who knows what receivers were told.
pub trait AlertDesk: Send + Sync {
    /// The notes as they are.
    fn notes(&self) -> DeskNotes;

    /// Greater whenever any answer of this desk is another one.
    fn version(&self) -> u64;

    /// Whether readers of this console may change anything.
    fn is_writable(&self) -> bool;

    /// Makes a change, and keeps it.
    ///
    /// # Errors
    /// When it is refused, or cannot be kept.
    fn change(&self, change: DeskChange) -> Result<()>;

    /// What became of an alert at each receiver, by its name; nothing where it was not its turn since the start.
    fn told(&self, alert_id: &str) -> Vec<(String, Told)>;
}

impl DeskNotes {
    /// Whether nobody is told of a coin, at this time in milliseconds since the epoch.
    pub fn is_muted(&self, coin: &str, now_ms: i64) -> bool {
        self.mutes.get(coin).is_some_and(|until| now_ms < *until)
    }

    /// Whether an episode is acknowledged.
    pub(crate) fn is_acknowledged(&self, coin: &str, subject: &str, begin: i64, end: i64) -> bool {
        let mut all = self.acknowledged.iter();
        all.any(|it| it.is_of(coin, subject) && (begin..=end).contains(&it.event_time))
    }

    /// Makes a change, at this time in milliseconds since the epoch. Mutes that have ended are forgotten.
    ///
    /// # Errors
    /// When a coin cannot be muted for so long, or no more can be.
    pub fn take(&mut self, change: DeskChange, now_ms: i64) -> Result<()> {
        self.mutes.retain(|_, until| now_ms < *until);
        match change {
            DeskChange::Mute { coin, minutes } => {
                ensure!(
                    (1..=MUTE_MINUTES_MAX).contains(&minutes),
                    "a coin can be muted for 1 to {MUTE_MINUTES_MAX} minutes"
                );
                check_name(&coin)?;
                ensure!(
                    self.mutes.len() < MUTES_MAX || self.mutes.contains_key(&coin),
                    "{MUTES_MAX} coins are muted already: unmute one first"
                );
                self.mutes
                    .insert(coin, now_ms + i64::from(minutes) * 60_000);
            }
            DeskChange::Unmute { coin } => {
                self.mutes.remove(&coin);
            }
            DeskChange::Acknowledge {
                coin,
                subject,
                event_time,
            } => {
                check_name(&coin)?;
                check_name(&subject)?;
                if self.acknowledged.len() == ACKNOWLEDGED_MAX {
                    self.acknowledged.pop_front();
                }
                self.acknowledged.push_back(Acknowledged {
                    coin,
                    subject,
                    event_time,
                });
            }
            DeskChange::Reopen {
                coin,
                subject,
                begin,
                end,
            } => self.acknowledged.retain(|it| {
                !(it.is_of(&coin, &subject) && (begin..=end).contains(&it.event_time))
            }),
        }
        Ok(())
    }
}

impl Acknowledged {
    fn is_of(&self, coin: &str, subject: &str) -> bool {
        self.coin == coin && self.subject == subject
    }
}

fn check_name(name: &str) -> Result<()> {
    ensure!(
        name.len() <= NAME_BYTES_MAX,
        "a coin's or rule's name has at most {NAME_BYTES_MAX} bytes"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn a_mute_ends_by_itself_or_when_it_is_taken_back() {
        let mut notes = DeskNotes::default();
        let mute = |coin: &str, minutes| DeskChange::Mute {
            coin: coin.to_owned(),
            minutes,
        };
        notes.take(mute("bitcoin", 60), 0).unwrap();
        notes.take(mute("solana", 10), 0).unwrap();
        assert!(notes.is_muted("bitcoin", 60 * MINUTE - 1));
        assert!(!notes.is_muted("bitcoin", 60 * MINUTE));
        assert!(!notes.is_muted("tether", 0));
        let unmute = DeskChange::Unmute {
            coin: "bitcoin".to_owned(),
        };
        notes.take(unmute, 11 * MINUTE).unwrap();
        assert!(notes.mutes.is_empty(), "{notes:?}");
        for minutes in [0, MUTE_MINUTES_MAX + 1] {
            assert!(notes.take(mute("bitcoin", minutes), 0).is_err());
        }
        for coin in 0..MUTES_MAX {
            notes.take(mute(&coin.to_string(), 1), 0).unwrap();
        }
        assert!(notes.take(mute("one-more", 1), 0).is_err());
        notes.take(mute("7", 2), 0).unwrap();
    }

    #[test]
    fn an_episode_stays_acknowledged_while_it_grows() {
        let mut notes = DeskNotes::default();
        let acknowledge = DeskChange::Acknowledge {
            coin: "bitcoin".to_owned(),
            subject: String::new(),
            event_time: 5,
        };
        notes.take(acknowledge, 0).unwrap();
        let is_acknowledged = |notes: &DeskNotes, subject: &str, begin, end| {
            notes.is_acknowledged("bitcoin", subject, begin, end)
        };
        assert!(is_acknowledged(&notes, "", 1, 5) && is_acknowledged(&notes, "", 5, 9));
        assert!(!is_acknowledged(&notes, "", 6, 9) && !is_acknowledged(&notes, "rule", 1, 9));
        let reopen = DeskChange::Reopen {
            coin: "bitcoin".to_owned(),
            subject: String::new(),
            begin: 1,
            end: 9,
        };
        notes.take(reopen, 0).unwrap();
        assert!(!is_acknowledged(&notes, "", 1, 9));
    }
}
