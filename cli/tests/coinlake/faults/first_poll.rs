//! Each recorded error reply as the very first answer that `coinlake up` ever gets.

use replay::{FieldMarket, FieldSettings, Refusal};

use super::simulated::Simulated;

const MINUTE_MS: i64 = 60_000;

fn market(opens_with: &'static Refusal) -> FieldMarket {
    FieldMarket::new(FieldSettings {
        minutes: 60,
        opens_with: Some(opens_with),
        ..FieldSettings::default()
    })
}

#[test]
fn every_error_that_passes_is_survived() {
    // Side by side: each waits for seconds for its broker to be known as well.
    std::thread::scope(|scope| {
        for refusal in Refusal::PASSING.iter().chain([&Refusal::NO_CURRENCY]) {
            scope.spawn(|| is_survived(refusal));
        }
    });
}

fn is_survived(refusal: &'static Refusal) {
    let simulated = Simulated::new(market(refusal));
    let up = simulated.up(None);
    up.pass_until(simulated.now_ms() + 30 * MINUTE_MS);
    up.health(true, true, &[]);
    let lines = up.running.lines();
    let status = refusal.status.to_string();
    let told = lines.iter().find(|line| line.contains(&status));
    println!("{} {:?}: {told:?}", refusal.status, refusal.body);
    assert!(told.is_some(), "{lines:#?}");
    assert!(up.records("crypto-raw") > 0);
}

#[test]
fn a_wrong_key_ends_it_with_the_remedy() {
    for (refusal, remedy) in [
        (&Refusal::PRO_KEY_ON_DEMO_HOST, "set coingecko.plan to pro"),
        (&Refusal::DEMO_KEY_ON_PRO_HOST, "check coingecko.api_key"),
    ] {
        let simulated = Simulated::new(market(refusal));
        let output = simulated.coinlake(&["up"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(remedy), "{said}");
    }
}
