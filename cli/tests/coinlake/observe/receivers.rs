//! Several receivers, each in its own format, and a test message for each.

use std::fs;
use std::process::Output;

use serde_json::json;

use super::notify::Alerts;
use fixtures::process::coinlake;

use super::process::Running;
use super::receiver::{Answer, Receiver};

/// What Discord says about a body that it does not understand.
const DISCORD: &str = r#"{"message": "Cannot send an empty message", "code": 50006}"#;

fn test(arguments: &[&str], secrets: &[(&str, &str)]) -> (i32, String) {
    let mut command = coinlake(&["notify", "--test"]);
    let Output { status, stdout, .. } = command
        .args(arguments)
        .envs(secrets.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8(stdout).unwrap();
    (status.code().unwrap(), said)
}

#[test]
fn each_receiver_gets_its_severities_in_its_format_and_waits_for_no_other() {
    let alerts = Alerts::start();
    let broken = Receiver::start(vec![Answer::Status(500); 1_000]);
    let (team, phone) = (Receiver::start(vec![]), Receiver::start(vec![]));
    let named = [
        "--webhook",
        "team:discord",
        "--webhook",
        "phone:telegram:critical",
    ];
    let mut command = alerts.command(&broken, &named);
    command.env("COINLAKE_WEBHOOK_URL_TEAM", &team.url).env(
        "COINLAKE_WEBHOOK_URL_PHONE",
        format!("{}?chat_id=-7", phone.url),
    );
    let notifier = Running::start(command);
    notifier.wait_until_ready();
    alerts.raise("bitcoin", "warning");
    let critical = alerts.raise("ethereum", "critical");

    let to_team = team.takes(2);
    assert_eq!(
        to_team[0].body,
        json!({
            "content": r"⚠️ **bitcoin** warning: BIT rose to $1.5, 1.0 % and 4.0σ above its 15-minute average",
            "allowed_mentions": { "parse": [] },
        })
    );
    assert_eq!(to_team[1].id(), critical);
    let to_phone = phone.takes(1);
    assert_eq!(to_phone.len(), 1);
    assert_eq!(to_phone[0].body["chat_id"], "-7");
    assert_eq!(
        to_phone[0].body["text"],
        "🚨 ethereum critical: ETH rose to $1.5, 1.0 % and 4.0σ above its 15-minute average"
    );
    let (_, ready) = notifier.wait_for("the broken one to be named", |notifier| {
        notifier.get("/readyz").filter(|(status, _)| *status == 503)
    });
    assert!(ready.contains("[-]notify: "), "{ready}");
    assert!(ready.contains("[+]notify-team ok"), "{ready}");
    assert!(ready.contains("[+]notify-phone ok"), "{ready}");
    assert!(broken.messages().iter().all(|message| !message.taken));
    notifier.interrupt();
}

#[test]
fn a_test_message_says_what_came_back() {
    let receiver = Receiver::start(vec![Answer::Says(200, "ok")]);
    let secrets = [("COINLAKE_WEBHOOK_URL", receiver.url.as_str())];
    let (code, said) = test(&["--webhook-format", "slack"], &secrets);
    assert_eq!(
        (code, said.as_str()),
        (0, "notify: 127.0.0.1 took the message: 200 OK (ok)\n")
    );
    let messages = receiver.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(
        messages[0].body,
        json!({ "text": ":information_source: *Coinlake* test: this is a test: alerts will arrive here" })
    );
}

#[test]
fn a_test_names_the_format_that_the_receiver_wants() {
    let receiver = Receiver::start(vec![Answer::Says(400, DISCORD)]);
    let fine = Receiver::start(vec![]);
    let secrets = [
        ("COINLAKE_WEBHOOK_URL", receiver.url.as_str()),
        ("COINLAKE_WEBHOOK_URL_MY_TEAM", fine.url.as_str()),
    ];
    let (code, said) = test(&["--webhook", "my-team:json"], &secrets);
    assert_eq!(code, 1);
    assert_eq!(
        said,
        "notify: not delivered: 127.0.0.1 answers 400 Bad Request (Cannot send an empty message): it does not understand \
         the format json, set discord (--webhook-format discord)\n\
         notify-my-team: 127.0.0.1 took the message: 204 No Content\n"
    );
}

#[test]
fn the_log_names_the_format_that_the_receiver_wants() {
    let alerts = Alerts::start();
    let receiver = Receiver::start(vec![Answer::Says(400, DISCORD)]);
    let notifier = alerts.notifier(&receiver, &[]);
    notifier.wait_until_ready();
    alerts.raise("bitcoin", "critical");
    notifier.wait_for("the hint", |notifier| {
        let said = notifier.lines();
        said.iter()
            .any(|line| line.contains("--webhook-format discord"))
            .then_some(())
    });
    notifier.interrupt();
}

#[test]
fn a_receiver_without_an_address_is_named_with_the_remedy() {
    let mut command = coinlake(&["notify", "--test", "--webhook", "phone:ntfy"]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("phone") && said.contains("COINLAKE_WEBHOOK_URL_PHONE"),
        "{said}"
    );
}

#[test]
fn each_receiver_is_told_of_its_rules_and_nobody_of_what_is_mute() {
    let folder = tempfile::tempdir().unwrap();
    let rules = json!([
        {"name": "btc-60k", "when": "price < 60000", "severity": "critical"},
        {"name": "noisy", "when": "price > 1", "severity": "critical"},
    ]);
    let file = folder.path().join("rules.json");
    fs::write(&file, rules.to_string()).unwrap();
    let alerts = Alerts::start();
    let (all, phone) = (Receiver::start(vec![]), Receiver::start(vec![]));
    let mut command = alerts.command(&all, &["--webhook-mute", "noisy"]);
    command
        .args(["--webhook", "phone:slack::btc-60k", "--rules"])
        .arg(&file)
        .env("COINLAKE_WEBHOOK_URL_PHONE", &phone.url);
    let notifier = Running::start(command);
    notifier.wait_until_ready();
    alerts.raise_of("solana", "critical", &["rule:noisy"]);
    let built_in = alerts.raise("dogecoin", "warning");
    let both = alerts.raise_of("bitcoin", "critical", &["price_spike", "rule:noisy"]);
    let rule = alerts.raise_of("ethereum", "critical", &["rule:btc-60k", "rule:noisy"]);

    let ids: Vec<_> = all
        .takes(3)
        .iter()
        .map(|message| message.id().to_owned())
        .collect();
    assert_eq!(ids, [built_in, both, rule.clone()]);
    let to_phone = phone.takes(1);
    assert_eq!(to_phone.len(), 1);
    assert_eq!(to_phone[0].id(), rule);
    notifier.wait_for("what was not told to be counted", |notifier| {
        let (_, metrics) = notifier.get("/metrics")?;
        let muted = |receiver, count| {
            let name = format!(
                "coinlake_notify_alerts_total{{outcome=\"muted\",receiver=\"{receiver}\"}} {count}"
            );
            metrics.lines().any(|line| line == name)
        };
        (muted("default", 1) && muted("phone", 3)).then_some(())
    });
    notifier.interrupt();
}

#[test]
fn a_name_that_no_rule_has_is_refused_with_those_that_are_known() {
    let refused = |arguments: &[&str], yaml: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("coinlake.yaml"), yaml).unwrap();
        let output = coinlake(arguments)
            .current_dir(folder.path())
            .env("COINLAKE_WEBHOOK_URL", "http://127.0.0.1:1/")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let rules = "alerts:\n  rules:\n    - {name: btc-60k, when: price < 60000}\n";
    let yaml = format!("{rules}webhook:\n  mute: [btc-6k]\n");
    let known = "`btc-6k` in `only` or `mute`: no rule and no built-in kind; known here: price_spike, price_move, \
                 volume_spike";
    for (arguments, known) in [
        (&["check"][..], format!("{known}, btc-60k")),
        (
            &["notify", "--test", "--webhook-only", "btc-6k"],
            known.to_owned(),
        ),
    ] {
        let said = refused(arguments, &yaml);
        assert!(said.contains(&known), "{said}");
    }
}
