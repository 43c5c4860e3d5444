//! Ids that a reply leaves out: CoinGecko says nothing about what it doesn't know, or knows no longer.

use std::collections::{BTreeSet, HashSet};

use crate::reply::Coins;
use crate::status::{ErrorKind, SourceStatus};

/// How many ids a message names.
const NAMED_MAX: usize = 10;

/// Brings `missing` up to date with a reply; what is newly missing, or there again, is counted and reported.
pub(super) fn tell(
    ids: &[String],
    missing: &mut BTreeSet<String>,
    coins: &Coins,
    status: &SourceStatus,
) {
    let there: HashSet<&[u8]> = coins
        .list
        .iter()
        .filter_map(|coin| coin.record.key.as_deref())
        .collect();
    let now: BTreeSet<String> = ids
        .iter()
        .filter(|id| !there.contains(id.as_bytes()))
        .cloned()
        .collect();
    let gone: Vec<&str> = now.difference(missing).map(String::as_str).collect();
    for _ in &gone {
        status.count_error(ErrorKind::IdMissing);
    }
    if !gone.is_empty() {
        tracing::warn!(
            "CoinGecko says nothing about {}: unknown, renamed or delisted; check coingecko.ids",
            named(&gone)
        );
    }
    let back: Vec<&str> = missing.difference(&now).map(String::as_str).collect();
    if !back.is_empty() {
        tracing::info!("CoinGecko knows {} again", named(&back));
    }
    *missing = now;
}

fn named(ids: &[&str]) -> String {
    let (first, rest) = ids.split_at(ids.len().min(NAMED_MAX));
    match rest.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::reply::coins;

    #[test]
    fn an_id_is_reported_each_time_it_goes() {
        let status = SourceStatus::default();
        let (ids, mut missing) = (["a", "b"].map(str::to_owned), BTreeSet::new());
        for (body, count) in [
            (r#"[{"id":"a"}]"#, 1),
            (r#"[{"id":"a"}]"#, 1),
            (r#"[{"id":"b"},{"id":"a"}]"#, 1),
            (r#"[{"id":"a"}]"#, 2),
            ("[]", 3),
            (r#"[{"id":"a"},{"id":"b"}]"#, 3),
        ] {
            let coins = coins(&Bytes::from(body)).unwrap();
            tell(&ids, &mut missing, &coins, &status);
            assert_eq!(status.errors(ErrorKind::IdMissing), count, "{body}");
        }
        let many: Vec<&str> = vec!["x"; 12];
        assert!(named(&many).ends_with("x, x and 2 more"));
    }
}
