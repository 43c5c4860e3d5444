//! Which partition a record belongs to.

use std::hash::{Hash as _, Hasher as _};

use siphasher::sip::SipHasher;

/// The partition of a record with this key in a topic with so many: the Fluvio client's own choice, so that a coin
/// stays where `fluvio produce` and other clients would put it. A record without a key goes to partition 0, where the
/// client would take turns: what a poll sends must not depend on what was sent before.
pub fn partition_of(key: Option<&[u8]>, partitions: u32) -> u32 {
    let Some(key) = key else { return 0 };
    let mut hasher = SipHasher::new();
    key.hash(&mut hasher);
    (hasher.finish() % u64::from(partitions.max(1))) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coins_spread_and_stay() {
        let coins = ["bitcoin", "ethereum", "solana", "cardano", "ripple", "pepe"];
        let of = |coin: &str| partition_of(Some(coin.as_bytes()), 3);
        assert!((0..3).all(|partition| coins.iter().any(|coin| of(coin) == partition)));
        assert!(coins.iter().all(|coin| of(coin) == of(coin)));
        assert_eq!(partition_of(None, 3), 0);
        assert_eq!(partition_of(Some(b"bitcoin"), 1), 0);
    }
}
