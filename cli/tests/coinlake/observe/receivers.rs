//! Several receivers, each in its own format, and a test message for each.

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
            "content": r"⚠️ **BIT** warning: bitcoin at 1.5 USD: price 1.0 % above its recent mean, 4.0 standard deviations",
            "allowed_mentions": { "parse": [] },
        })
    );
    assert_eq!(to_team[1].id(), critical);
    let to_phone = phone.takes(1);
    assert_eq!(to_phone.len(), 1);
    assert_eq!(to_phone[0].body["chat_id"], "-7");
    assert_eq!(
        to_phone[0].body["text"],
        "🚨 ETH critical: ethereum at 1.5 USD: price 1.0 % above its recent mean, 4.0 standard deviations"
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
