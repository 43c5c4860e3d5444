//! A new user's hour with the commands of the README: init, edit the coins, check, up, an alert in a webhook, train, predictions,
//! health, stop, start again. The market is the field market, on a clock that the test lets pass: five days of it.

use std::fs;
use std::process::Output;

use fixtures::patience::wait_for;
use fixtures::process::succeeded;
use replay::{Faults, FieldMarket, FieldSettings};
use serde_json::Value;

use super::simulated::Simulated;
use crate::observe::receiver::Receiver;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;
const DAYS: i64 = 5;

#[test]
fn a_new_users_hour() {
    let market = FieldMarket::new(FieldSettings {
        coins: 50,
        start_ms: START_MS,
        minutes: u32::try_from((DAYS + 10) * DAY_MS / 60_000).unwrap(),
        faults: Faults {
            odd_coins: false,
            frozen: false,
            ..Faults::ALL
        },
        ..FieldSettings::default()
    });
    let user = Simulated::new(market);
    // The harness's settings make room for those that `init` writes.
    let settings = user.folder().join("coinlake.yaml");
    fs::remove_file(&settings).unwrap();
    let typed = |arguments: &[&str]| {
        let output = user.coinlake(arguments).output().unwrap();
        tell(arguments, &output);
        succeeded(&output)
    };

    typed(&["init"]);
    let text = fs::read_to_string(&settings).unwrap();
    let coins = format!(
        "  top: 50\n  history: off\n  base_url: {}",
        user.replay.base_url()
    );
    let edited = text
        .replace("  top: 250", &coins)
        // On this clock a minute passes before a commit is done.
        .replace("#commit_interval: 60s", "commit_interval: 30m")
        .replace("#console: 127.0.0.1:9080", "console: 0")
        .replace("#metrics: 127.0.0.1:9464", "metrics: 0")
        .replace("#listen: 127.0.0.1:9003", "listen: 0");
    fs::write(&settings, edited).unwrap();
    let plan = typed(&["check"]);
    assert!(plan.contains("the 50 largest, in usd"), "{plan}");

    let receiver = Receiver::start(vec![]);
    let up = user.up(Some(&receiver.url));
    up.first_poll();
    for day in 1..=DAYS {
        up.pass_until(START_MS + day * DAY_MS);
    }
    // Days pass in seconds, so the feed may seem silent for a moment and be told of, too.
    let alert = || {
        let messages = receiver.messages();
        messages
            .into_iter()
            .find(|message| message.body["type"] == "alert")
    };
    let alert = wait_for("an alert", alert, || format!("{:?}", receiver.messages()));
    println!("the webhook got {}", alert.body);

    let report: Value = serde_json::from_str(&typed(&["train", "run", "--json"])).unwrap();
    for model in report["models"].as_array().unwrap() {
        println!("{}: {}", model["model"], model["reason"]);
    }
    typed(&["train", "promote", "anomaly_ahead", "1", "production"]);
    typed(&["train", "promote", "trend_up", "1", "production"]);
    up.predicts();
    up.health(true, true, &[]);
    let before = up.records("crypto-clean");
    up.running.interrupt();

    let up = user.up(Some(&receiver.url));
    up.pass_until(user.now_ms() + HOUR_MS);
    assert!(up.records("crypto-clean") > before);
    up.health(true, true, &[]);
    typed(&["health"]);
    up.running.interrupt();
}

/// Prints what a person sees.
fn tell(arguments: &[&str], output: &Output) {
    println!("$ coinlake {}", arguments.join(" "));
    print!("{}", String::from_utf8_lossy(&output.stderr));
    print!("{}", String::from_utf8_lossy(&output.stdout));
}
