//! What each coin was when it was last sent: a reply repeats what has not changed.
//!
//! Always true: the memory is bounded, however many ids a server invents.

use std::collections::HashMap;
use std::hash::Hasher as _;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use siphasher::sip::SipHasher;

use crate::reply::Coin;

/// CoinGecko knows some 17,000 coins. With more than this, all are forgotten: they are sent once more.
const COINS_MAX: usize = 50_000;
/// A time that far ahead of this machine's clock is a mistake, and says nothing about how new a reply is.
const AHEAD_MAX: Duration = Duration::from_secs(24 * 3_600);

/// The coins sent so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    coins: HashMap<Bytes, Known>,
    /// The greatest `last_updated` of them all.
    newest_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    /// A hash of the object last sent.
    object: u64,
    /// The greatest `last_updated` so far.
    updated_ms: Option<i64>,
}

/// What a coin of a reply is beside those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compared {
    /// The object sent last for this coin was another.
    pub changed: bool,
    /// It is of a later time than any before; a coin that was never there, than any of any coin.
    pub newer: bool,
    /// Its `last_updated`, unless that is a mistake.
    pub updated_ms: Option<i64>,
}

impl Seen {
    /// Compares a coin with what was last sent for it, and takes it for sent.
    pub(super) fn compare(&mut self, coin: &Coin, now: SystemTime) -> Compared {
        let Some(key) = &coin.record.key else {
            // Nobody's: nothing to compare with.
            return Compared {
                changed: true,
                newer: false,
                updated_ms: None,
            };
        };
        let mut hasher = SipHasher::new();
        hasher.write(&coin.record.value);
        let object = hasher.finish();
        let updated_ms = coin.updated_ms.filter(|&time| !is_ahead(time, now));
        let newest_ms = self.newest_ms;
        self.newest_ms = newest_ms.max(updated_ms);
        if let Some(known) = self.coins.get_mut(key) {
            let changed = known.object != object;
            // Where there is no time, another object is the best sign.
            let newer = match coin.updated_ms {
                Some(_) => updated_ms > known.updated_ms,
                None => changed,
            };
            *known = Known {
                object,
                updated_ms: updated_ms.max(known.updated_ms),
            };
            return Compared {
                changed,
                newer,
                updated_ms,
            };
        }
        if self.coins.len() == COINS_MAX {
            self.coins.clear();
        }
        self.coins.insert(key.clone(), Known { object, updated_ms });
        Compared {
            changed: true,
            newer: coin.updated_ms.is_none() || updated_ms > newest_ms,
            updated_ms,
        }
    }

    /// The greatest `last_updated` of a coin so far.
    pub(super) fn newest_ms(&self, key: &Bytes) -> Option<i64> {
        self.coins.get(key)?.updated_ms
    }
}

fn is_ahead(time_ms: i64, now: SystemTime) -> bool {
    let latest = (now + AHEAD_MAX).duration_since(SystemTime::UNIX_EPOCH);
    latest.is_ok_and(|latest| i128::from(time_ms) > latest.as_millis() as i128)
}

#[cfg(test)]
mod tests {
    use connector_runtime::record::Outgoing;

    use super::*;

    fn coin(id: &str, value: &'static str, updated_ms: Option<i64>) -> Coin {
        Coin {
            record: Outgoing {
                key: Some(Bytes::from(id.to_owned())),
                value: value.into(),
            },
            updated_ms,
        }
    }

    #[test]
    fn an_object_is_compared_with_the_last_one_of_its_coin() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let far = 2 * AHEAD_MAX.as_millis() as i64;
        let mut seen = Seen::default();
        for (coin, changed, newer) in [
            (coin("a", "1", Some(10)), true, true),
            (coin("a", "1", Some(10)), false, false),
            // One that was not in the list before says nothing about how new the list is.
            (coin("b", "1", Some(10)), true, false),
            // Back and forth: changed each time, newer at no time.
            (coin("a", "0", Some(5)), true, false),
            (coin("a", "1", Some(10)), true, false),
            (coin("a", "2", Some(11)), true, true),
            // A mistake that must not make all that follow old.
            (coin("a", "3", Some(far)), true, false),
            (coin("a", "4", Some(12)), true, true),
            (coin("c", "1", Some(13)), true, true),
            (coin("b", "x", None), true, true),
            (coin("b", "x", None), false, false),
        ] {
            let updated_ms = coin.updated_ms.filter(|&time| time != far);
            let expected = Compared {
                changed,
                newer,
                updated_ms,
            };
            assert_eq!(seen.compare(&coin, now), expected, "{coin:?}");
        }
    }

    #[test]
    fn invented_ids_do_not_pile_up() {
        let mut seen = Seen::default();
        for id in 0..3 * COINS_MAX {
            seen.compare(&coin(&id.to_string(), "1", None), SystemTime::UNIX_EPOCH);
        }
        assert!(seen.coins.len() <= COINS_MAX);
    }
}
