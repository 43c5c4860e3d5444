//! A machine whose clock is behind CoinGecko's: `coinlake health` says so, and what it does.

use std::time::Duration;

use replay::{Faults, FieldMarket, FieldSettings};

use super::simulated::Simulated;

const HOUR_MS: i64 = 3_600_000;

fn market() -> FieldMarket {
    FieldMarket::new(FieldSettings {
        minutes: 180,
        faults: Faults::NONE,
        ..FieldSettings::default()
    })
}

#[test]
fn minutes_are_a_note() {
    let simulated = Simulated::behind(market(), Duration::from_secs(120));
    let up = simulated.up(None);
    up.first_poll();
    up.pass_until(simulated.now_ms() + HOUR_MS);
    let note = "coingecko-source: this machine's clock is 120 s behind the server's";
    up.health(true, true, &[note, "synchronise it"]);
    assert_eq!(up.records("crypto-rejected"), 0);
}

#[test]
fn more_than_the_datas_age_and_five_minutes_is_a_problem() {
    let simulated = Simulated::behind(market(), Duration::from_secs(900));
    let up = simulated.up(None);
    up.first_poll();
    up.pass_until(simulated.now_ms() + HOUR_MS);
    let expected = [
        "no tick has come yet",
        "this machine's clock is 900 s behind the server's",
        "rejects every tick as `future`",
    ];
    up.health(false, true, &expected);
    assert!(up.records("crypto-rejected") > 0);
    assert_eq!(up.records("crypto-clean"), 0);
}
